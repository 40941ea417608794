"""Files of arrays, .npy and .npz: what they would take in memory is known before anything of them is read."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil

from nbmodels.errors import DataError

ARRAYS = frozenset({".npy", ".npz"})
SHARE = 2  # of the free memory, one part in so many: samples are copied into their splits
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that zipfile unpacks piece by piece


def read_arrays(file: Path) -> Any:
    """The array of a .npy file, or the arrays of a .npz by name.

    Raises:
        DataError: It is broken, would not fit into memory, or holds Python objects, which are never unpickled.
    """
    try:
        return _archive(file) if file.suffix.lower() == ".npz" else _single(file)
    except DataError:
        raise
    except Exception as error:  # zipfile's, zlib's and numpy's readers raise a dozen kinds
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{file} cannot be read as arrays: {said}", "Save it again with numpy.savez.") from None


def most_memory() -> int:
    """Bytes that data may take when it is read whole: half of the memory that is free now."""
    return int(psutil.virtual_memory().available // SHARE)


def check_size(file: Path, size: int) -> None:
    """DataError where `size` bytes of a file are more than may be read."""
    most = most_memory()
    if size > most:
        raise DataError(
            f"{file} takes {size / 2**30:,.1f} GiB in memory, and {most / 2**30:,.1f} GiB may be used",
            "Give a part of it, or a Dataset that reads it bit by bit.",
        )


def _single(file: Path) -> np.ndarray:
    with file.open("rb") as content:
        size = _announced(content, file.name)
        check_size(file, size)
        if size > file.stat().st_size:
            raise ValueError("it is shorter than it says")
        content.seek(0)
        array: np.ndarray = np.lib.format.read_array(content, allow_pickle=False)
        return array


def _archive(file: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
        if not members:
            raise ValueError("no array is in it")
        check_size(file, sum(member.file_size for member in members))
        for member in members:
            _check_member(archive, member)
        return {member.filename.removesuffix(".npy"): _member(archive, member) for member in members}


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """ValueError where a member is not as large as the archive's directory says, or cannot be read bit by bit."""
    if member.compress_type not in METHODS:
        raise ValueError(f"{member.filename} is packed in another way than numpy does")
    with archive.open(member) as content:
        if _announced(content, member.filename) != member.file_size:
            raise ValueError(f"{member.filename} is not as large as it says")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as content:
        array: np.ndarray = np.lib.format.read_array(content, allow_pickle=False)
        return array


def _announced(content: IO[bytes], name: str) -> int:
    """Bytes of a .npy with its header, by its header; nothing more of it is read."""
    version = np.lib.format.read_magic(content)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"{name} is of another version than numbers are written in")
    shape, _, dtype = read(content)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are not read: they could run code")
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise ValueError(f"{name} says a shape of {shape}")
    return int(content.tell()) + math.prod(shape) * dtype.itemsize
