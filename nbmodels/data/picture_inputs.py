"""New pictures for a trained model, each prepared by itself: files, Pillow's pictures, arrays, in lists or not.

C channels, S × S pixels as the model takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbmodels.data.batches import affine, scaled
from nbmodels.data.facts import Facts
from nbmodels.data.npz import ARRAYS, read_arrays
from nbmodels.data.pictures import CHANNELS, find_pictures, fit, is_grey, open_picture, upright
from nbmodels.data.pixels import FULL, units
from nbmodels.data.shapes import as_array, features
from nbmodels.data.table import check_finite
from nbmodels.errors import DataError

Given = tuple[str, Any]  # what to call it in an error, and Pillow's picture or one array


def prepare_pictures(facts: Facts, inputs: Any) -> Tensor:
    """Pictures of any form -> floats [B, C, S, S]; what had to be cut or resized is said in one line.

    Raises:
        DataError: One of them cannot be read, is of another shape, or is not finite; it says which.
    """
    channels, size = facts.fills["in_channels"], facts.fills["image_size"]
    given = list(_given(inputs, channels, size))
    if not given:
        raise DataError("The input is empty", "Give a picture.")
    _say_changed([each for _, each in given if _is_pillow(each)], len(given), channels, size)
    made = np.stack([_one(facts, what, each, channels, size) for what, each in given])
    return scaled(torch.from_numpy(made), *affine(facts))


def _given(inputs: Any, channels: int, size: int, what: str = "The input") -> Iterator[Given]:
    """Every single picture of what a person gave, opened."""
    if isinstance(inputs, (str, Path)):
        path = Path(inputs).expanduser()
        if path.suffix.lower() in ARRAYS:
            yield from _given(features(read_arrays(path)), channels, size, str(path))
            return
        for file in find_pictures(path)[0] if path.is_dir() else [path]:
            yield str(file), open_picture(file, channels)
    elif _is_pillow(inputs):
        yield what, upright(inputs, channels)
    elif isinstance(inputs, (list, tuple)) and inputs and any(_is_picture(each) for each in inputs):
        for number, each in enumerate(inputs, start=1):
            yield from _given(each, channels, size, f"Input {number} of {len(inputs)}" if len(inputs) > 1 else what)
    else:
        array = as_array(inputs, what)
        if array.dtype.kind not in "biuf":
            raise DataError(f"{what} holds no pixels ({array.dtype})", "Give numbers, or a picture's file.")
        singles = _singles(array, channels, size)
        for number, each in enumerate(singles, start=1):
            called = f"{what}, picture {number} of {len(singles)}," if len(singles) > 1 else what
            check_finite(each, called)
            pixels = _as_taken(each, channels, size)
            yield (what, _photograph(each, channels) or each) if pixels is None else (what, pixels)


def _one(facts: Facts, what: str, given: Any, channels: int, size: int) -> np.ndarray:
    """One picture in the training data's units [C, S, S]."""
    ranged = _is_pillow(given)
    pixels = fit(given, size, channels) if ranged else given
    if pixels.shape != (channels, size, size):
        shape = (1, *pixels.shape) if pixels.ndim == 2 else pixels.shape
        raise DataError(
            f"{what} is of shape {shape} and the model takes {(channels, size, size)}",
            "Resize it, or give the picture's file.",
        )
    check_finite(pixels, what)
    return units(facts, pixels, ranged)


def _is_pillow(given: Any) -> bool:
    return hasattr(given, "convert") and hasattr(given, "mode")


def _is_picture(given: Any) -> bool:
    """Whether an element of a list is a picture, not a row of numbers."""
    return isinstance(given, (str, Path)) or _is_pillow(given) or getattr(given, "ndim", 0) >= 2


def _singles(array: np.ndarray, channels: int, size: int) -> list[np.ndarray]:
    """The pictures of an array: [H, W], or with its channels first or last, is one; with one side more it is many."""
    if array.ndim == 4:
        return list(array)
    if array.ndim != 3:
        return [array]
    first, _, last = array.shape
    if channels == 1 and array.shape[1:] == (size, size):
        return list(array)
    photograph = array.dtype == np.uint8 and last in CHANNELS
    one = photograph or (last == 1 and channels == 1) or (channels > 1 and channels in (first, last))
    return [array] if one else list(array)


def _as_taken(array: np.ndarray, channels: int, size: int) -> np.ndarray | None:
    """One array as [C, S, S] if it has the model's shape, its channels first or last or none; else None."""
    if array.shape == (channels, size, size):
        return array
    if array.shape == (size, size) and channels == 1:
        return array[None]
    if array.shape == (size, size, channels):
        return np.ascontiguousarray(array.transpose(2, 0, 1))
    return None


def _photograph(array: np.ndarray, channels: int) -> Any:
    """An array of another size as Pillow's picture, if its type says its range; else None."""
    from PIL import Image

    if array.ndim == 3 and array.shape[0] in CHANNELS and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    flat = array.ndim == 2 and (array.dtype.name in FULL or array.dtype == bool)
    if array.size and (flat or (array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] in (3, 4))):
        return upright(Image.fromarray(np.ascontiguousarray(array)), channels)
    return None


def _say_changed(pictures: list[Any], count: int, channels: int, size: int) -> None:
    """Say in one line which pictures are cut, resized, or lose or gain colours; nothing if none is."""
    changed = [each for each in pictures if each.size != (size, size) or is_grey(each.mode) != (channels == 1)]
    if changed:
        wide, high = changed[0].size
        what = f"A picture of {wide}×{high}" if count == 1 else f"{len(changed)} of {count} pictures"
        print(f"{what}: the middle square, resized to {size}×{size}, {'grey' if channels == 1 else 'in colours'}")
