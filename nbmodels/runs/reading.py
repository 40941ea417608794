"""The files of a run's folder, read as if a stranger had written them: each field of its type or left out.

A folder may come from anybody, be cut short, or hold a pipe or a link where a file is meant. So whatever stands there,
a reader of this file gives values of the types it names, an empty value, or one of our errors, and never waits: only
regular files of the folder itself are opened, and no more of them is read than their kind needs. Imports no torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import json
import os
import stat
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from nbmodels import values
from nbmodels.data.facts import Facts
from nbmodels.errors import RunError
from nbmodels.runs.typed import SAMPLE, Values, metric, text

SMALL, LARGE, TAIL = 1_000_000, 64_000_000, 4_000_000  # bytes: a status or a spec; facts or a test; an index or a log
PIECE = 4_000_000  # bytes of metrics read at once
MOST = 1_000_000_000  # bytes of metrics read in all

_OPEN = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NOCTTY")
)

# -- bytes


def open_file(folder: Path, *parts: str) -> BinaryIO:
    """One of the folder's own regular files; OSError for a link, a pipe, a folder, or a way out of the folder.

    Args:
        folder: The run's folder.
        parts: The file's name, or the name of a folder in it and the file's.
    """
    *inside, name = parts
    place = folder.joinpath(*inside)
    if inside and not stat.S_ISDIR(place.lstat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "is no folder of its own", str(place))
    at = os.open(place, _OPEN | os.O_DIRECTORY) if inside and os.open in os.supports_dir_fd else None
    try:
        path: Any = place / name if at is None else name
        _check_regular(os.stat(path, dir_fd=at, follow_symlinks=False), name)
        number = os.open(path, _OPEN, dir_fd=at)
    finally:
        if at is not None:
            os.close(at)
    try:
        _check_regular(os.fstat(number), name)  # it may have been changed for another since
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def _check_regular(seen: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise OSError(errno.EINVAL, "is no ordinary file", name)


def read_bytes(folder: Path, *parts: str, most: int, tail: bool = False) -> bytes:
    """The content of one of the folder's files; OSError where it is longer than `most`, unless its end will do."""
    with open_file(folder, *parts) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            if not tail:
                raise OSError(errno.EFBIG, f"is larger than {most / 1e6:g} MB", parts[-1])
            file.seek(size - most)
        return file.read(most)


def pieces(folder: Path, name: str, since: int = 0) -> Iterator[bytes]:
    """The whole lines of a file after a byte, a few megabytes at a time; a line still being written is left out."""
    with contextlib.suppress(OSError), open_file(folder, name) as file:
        while since < MOST and (lines := piece(file, since)):
            yield lines
            since += len(lines)


def piece(file: BinaryIO, start: int) -> bytes:
    """The next whole lines, a few megabytes at most; a line still being written waits."""
    file.seek(start)
    found = file.read(PIECE)
    return found[: found.rfind(b"\n") + 1]


# -- JSON


def parse(content: bytes) -> Any:
    """What JSON says; None where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def rows(lines: bytes) -> list[Values]:
    """The objects of whole lines, parsed at once where all are sound; a broken line is left out."""
    whole = lines.split(b"\n")[:-1]
    found = parse(b"[" + b",".join(whole) + b"]")
    if isinstance(found, list) and len(found) == len(whole) and all(type(row) is dict for row in found):
        return found
    return [row for line in whole if line.lstrip()[:1] == b"{" and isinstance(row := parse(line), dict)]


def read_object(folder: Path, *parts: str, most: int = SMALL) -> Values:
    """The object in a JSON file, as it stands there; empty where there is none."""
    try:
        found = parse(read_bytes(folder, *parts, most=most))
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


# -- the files


def metrics(folder: Path, name: str, since: int = 0) -> list[Values]:
    """The readings after a byte: numbers by name, None where a value was not finite."""
    return [row for lines in pieces(folder, name, since) for row in map(reading, rows(lines)) if row]


def reading(row: Values) -> Values:
    """One line of the metrics: what in it is a number."""
    found: Values = {}
    for key, value in row.items():
        if type(value) is float and -1e300 <= value <= 1e300:
            found[key] = value
        else:
            with contextlib.suppress(ValueError):
                found[key] = metric(value)
    return found if all(map(str.isascii, found)) else {text(key): value for key, value in found.items()}


def samples(folder: Path, place: str, index: str) -> list[Values]:
    """The lines of the samples' index that name a picture or a text of that folder, oldest first."""
    try:
        lines = read_bytes(folder, place, index, most=TAIL, tail=True)
    except OSError:
        return []
    return [row for row in map(SAMPLE, rows(lines)) if "file" in row]


def tail(folder: Path, name: str, lines: int) -> str:
    """The last lines of a text."""
    try:
        words = read_bytes(folder, name, most=TAIL, tail=True).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(words.splitlines()[-lines:])


def facts(folder: Path, name: str) -> Facts | None:
    """What the data is; None before the worker has opened it, RunError where the file does not say."""
    said = read_object(folder, name, most=LARGE)
    if not said:
        return None
    try:
        hints = _hints()
        kept = {key: _field(value, hints.get(key)) for key, value in said.items()}
        return Facts.from_dict(kept)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{folder.name}'s {name} cannot be read: {str(error)[:200]}",
            "It is damaged, or comes from a newer version: %pip install -U nbmodels",
        ) from None


@functools.cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Facts)


def _field(value: Any, kind: Any) -> Any:
    """A field of the facts as its annotation names it; an object of its own is left to `Facts.from_dict`."""
    if kind is None or dataclasses.is_dataclass(kind):
        return value
    if isinstance(value, str) and not values.takes_text(kind):
        raise ValueError(f"{value[:40]!r} is no {values.name(kind)}")
    return values.convert(value, kind)
