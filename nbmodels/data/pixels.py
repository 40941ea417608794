"""Pictures in the training data's own units, by one rule: what training keeps, and what a person gives later.

C channels, S × S pixels. Of a value in these units a model takes `(value / scale - mean) / std` (`batches.scaled`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbmodels.data.facts import Facts

FULL = {"uint8": 255.0, "uint16": 65535.0}  # white, where a type's whole range is used
NEAR = 2e-7  # of the scale: as far as 32 bits are from a whole number


def stored(x: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Pictures [N, C, S, S] of any type as training keeps them, and what `Facts` has to know of their values.

    Whole numbers within 0..255 are kept as bytes and divided by 255, within 0..65535 divided by that; all else is
    taken as it is.

    Returns:
        (x, known): bytes or 32-bit floats; `scale`, and `black` and `white` where they are not 0 and the scale.
    """
    if x.dtype.kind in "iu" and x.dtype != np.uint8 and x.size and x.min() >= 0:
        if x.max() <= FULL["uint8"]:
            x = x.astype(np.uint8)
        elif x.max() <= FULL["uint16"]:
            return x.astype(np.float32), {"scale": FULL["uint16"]}
    if x.dtype == np.uint8:
        return x, {"scale": FULL["uint8"]}
    x = x.astype(np.float32)
    return x, {"scale": 1.0, **extremes(x)}


def extremes(x: np.ndarray) -> dict[str, Any]:
    """`black` and `white` of pictures [N, C, S, S] that are taken as they are: 0 and 1, or the least and the most."""
    lowest, highest = x.min(axis=(0, 2, 3)).tolist(), x.max(axis=(0, 2, 3)).tolist()
    if min(lowest) < 0:
        return {"black": tuple(map(float, lowest)), "white": tuple(map(float, highest))}
    return {"white": (FULL["uint8"] if x.dtype == np.uint8 else float(max(1.0, *highest)),)}


def shades(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """What black and white are in the training data's units, [C, 1, 1] or [1, 1, 1] each."""
    pair = facts.black or (0.0,), facts.white or (facts.scale,)
    black, white = (np.array(value, dtype=np.float64).reshape(-1, 1, 1) for value in pair)
    return black, white


def white_of(facts: Facts, pixels: np.ndarray, ranged: bool = False) -> float | None:
    """The value that is white in one picture; None where its values are in the training data's own units.

    Floats are never looked into where training had floats, nor whole numbers within what training had. Else:

    - a file or Pillow's picture (`ranged`) and truth values have the range of their type;
    - so have uint8 and uint16 where training had floats of 0..1, floats below 0, or a wider type;
    - floats below 2 are 0..1 where training had whole numbers;
    - a picture far beyond the training data's white has the range 0..255 or 0..65535 that holds it.

    Args:
        facts: What the model was trained on.
        pixels: One picture [C, S, S].
        ranged: Whether its type says its range, as a file's does.
    """
    full, kind = FULL.get(pixels.dtype.name), pixels.dtype.kind
    if kind == "b":
        return 1.0
    if full and ranged:
        return full
    whole = facts.scale != 1
    if kind == "f" and not whole:
        return None
    black, white = (float(shade) for shade in (shades(facts)[0].min(), shades(facts)[1].max()))
    if full and (black < 0 or white <= 1 or white > full):
        return full
    lowest, highest = float(pixels.min()), float(pixels.max())
    if kind == "f" and lowest > -1 and highest < 2:
        return 1.0
    if black >= 0 and highest >= 2 * white:
        return next((each for each in FULL.values() if highest <= each), None)
    return None


def units(facts: Facts, pixels: np.ndarray, ranged: bool = False) -> np.ndarray:
    """One picture [C, S, S] -> 32-bit floats in the training data's units; nothing but it and the facts is looked at.

    Args:
        facts: What the model was trained on.
        pixels: Truth values, whole numbers or floats.
        ranged: Whether its type says its range, as a file's does.
    """
    full = white_of(facts, pixels, ranged)
    black, white = shades(facts)
    if full is None or (not black.any() and (white == full).all()):
        return pixels.astype(np.float32)
    made = black + pixels / full * (white - black)
    if facts.scale != 1 and pixels.dtype.kind == "f":  # bytes that somebody divided come out as the same bytes
        near = np.rint(made)
        made = np.where(np.abs(made - near) <= NEAR * facts.scale, near, made)
    return made.astype(np.float32)
