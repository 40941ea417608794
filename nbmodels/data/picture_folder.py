"""A folder of picture files as one array, each in its own range; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nbmodels.data.facts import Facts
from nbmodels.data.pictures import has_colours, read_picture
from nbmodels.data.pixels import FULL, units
from nbmodels.errors import DataError

LARGEST = 64  # pixels a side, unless the user says more: what trains in a notebook
LOOK = 16  # files looked at for whether there are colours
NAMED = 3  # broken files that are said by name
UNIT = Facts("", "image", "autoencoding")  # black is 0 and white is 1


class Pictures(NamedTuple):
    """The pictures [N, C, S, S], the numbers of the files they came from, and a line on those left out, or nothing."""

    pixels: np.ndarray
    read: list[int]
    left_out: str


def read_folder(files: Sequence[Path], size: int | None = None, skip_broken: bool = False) -> Pictures:
    """The pictures of some files, all of one size.

    Bytes where all files have 8 bits; floats of 0 to 1 where some have 16; what is stored as 32-bit numbers or floats
    is taken as it is.

    Args:
        files: At least one.
        size: S; None means the first picture's smaller side, or 64 if fewer.
        skip_broken: Leave out what cannot be read; else it is an error.

    Raises:
        DataError: One file cannot be read, or with `skip_broken` none can; or their ranges do not go together.
    """
    channels = 3 if any(has_colours(file) for file in files[:LOOK]) else 1
    if size is None:
        first = next((each for file in files if (each := _tried(file, None, channels, skip_broken)) is not None), None)
        size = LARGEST if first is None else min(LARGEST, *first.shape[1:])
    with ThreadPoolExecutor(4) as pool:
        tried = list(pool.map(lambda file: _tried(file, size, channels, skip_broken), files))
    read = [number for number, pixels in enumerate(tried) if pixels is not None]
    broken = [file for file, pixels in zip(files, tried, strict=True) if pixels is None]
    left_out = _said(broken, len(files)) if broken else ""
    return Pictures(_together([pixels for pixels in tried if pixels is not None], files[0].parent), read, left_out)


def _tried(file: Path, size: int | None, channels: int, skip_broken: bool) -> np.ndarray | None:
    """One file's pixels; None where it cannot be read and that is allowed."""
    try:
        return read_picture(file, size, channels)
    except DataError:
        if skip_broken:
            return None
        raise


def _said(broken: list[Path], count: int) -> str:
    """How many cannot be read, and which."""
    if len(broken) == count:
        raise DataError(f"None of the {count:,} pictures can be read, such as {broken[0]}", "Give other files.")
    more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    names = ", ".join(str(file) for file in broken[:NAMED])
    return f"Left out {len(broken):,} of {count:,} pictures that cannot be read: {names}{more}"


def _together(pictures: list[np.ndarray], folder: Path) -> np.ndarray:
    """Pictures of several types as one array: as they are where they are of one, else from 0 to 1."""
    types = {pixels.dtype.name for pixels in pictures}
    if len(types) == 1 and types != {"uint16"}:
        return np.stack(pictures)
    if any(pixels.dtype.name not in FULL and (pixels.min() < 0 or pixels.max() > 1) for pixels in pictures):
        raise DataError(
            f"{folder} has float pictures beyond 0 to 1 among others: they have no white in common",
            "Save them all in one form.",
        )
    return np.stack([units(UNIT, pixels, ranged=pixels.dtype.name in FULL) for pixels in pictures])
