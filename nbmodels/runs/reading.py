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
import math
import os
import re
import stat
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from nbmodels import values
from nbmodels.data.facts import Facts
from nbmodels.errors import RunError

SMALL, LARGE, TAIL = 1_000_000, 64_000_000, 4_000_000  # bytes: a status or a spec; facts or a test; an index or a log
PIECE = 4_000_000  # bytes of metrics read at once
MOST = 1_000_000_000  # bytes of metrics read in all
LONGEST = 20_000  # characters of a name or a line
TRACEBACK = 200_000  # characters
DEEPEST = 12  # lists and objects inside each other
HIGHEST = 2.0**53  # a count; beyond it floats skip whole numbers

_OPEN = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NOCTTY")
)
_SAMPLE = re.compile(r"\w[\w.-]{0,120}\.(png|txt)", re.ASCII)
_PICTURE = re.compile(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Values = dict[str, Any]
Reader = Callable[[Any], Any]  # the value as its type; ValueError where it is none


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


# -- types


def number(value: Any, low: float = -HIGHEST, high: float = HIGHEST) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(value)
    return value


def metric(value: Any) -> float | None:
    """A metric's value; None where it is not finite, as JSON has no word for that."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return number(value, -1e300, 1e300)


def count(value: Any) -> float:
    """A number of at least 0."""
    return number(value, 0)


def pid(value: Any) -> int:
    """The number of a process that can be anybody's: not the system's own, no group of processes."""
    if not isinstance(value, int):
        raise ValueError(value)
    return int(number(value, 2, 2**31 - 1))


def text(value: Any, most: int = LONGEST) -> str:
    """Text that can be written anywhere: no control characters, no halves of characters."""
    if not isinstance(value, str):
        raise ValueError(value)
    return harmless(value if len(value) <= most else value[: most - 1] + "…")


def harmless(words: str) -> str:
    """The text without control characters, by which a terminal is told to do things, and without half characters."""
    return _CONTROL.sub("", words if words.isascii() else words.encode("utf-8", "replace").decode())


def record(table: Mapping[str, Reader]) -> Reader:
    """An object: these fields of their types, those it lacks or that are of another left out, the others cleaned."""

    def read(value: Any) -> Values:
        if not isinstance(value, dict):
            raise ValueError(value)
        found: Values = {}
        for key, each in value.items():
            with contextlib.suppress(ValueError):
                found[text(key)] = table[key](each) if key in table else clean(each)
        return found

    return read


def mapped(reader: Reader, most: int = 1000) -> Reader:
    """An object whose values are all of one type."""

    def read(value: Any) -> Values:
        found: Values = {}
        for key, each in record({})(value).items() if isinstance(value, dict) else _refuse(value):
            with contextlib.suppress(ValueError):
                if len(found) < most:
                    found[key] = reader(each)
        return found

    return read


def listed(reader: Reader, most: int = 1000) -> Reader:
    """A list of one type."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError(value)
        found = []
        for each in value[:most]:
            with contextlib.suppress(ValueError):
                found.append(reader(each))
        return found

    return read


def _refuse(value: Any) -> typing.NoReturn:
    raise ValueError(value)


def clean(value: Any, room: int = DEEPEST) -> Any:
    """A value of no known type, harmless: numbers finite, text sound, nothing deeper than a page can draw."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, TRACEBACK)
    if isinstance(value, (int, float)):
        with contextlib.suppress(ValueError):
            return number(value, -1e300, 1e300)
    elif isinstance(value, dict) and room:
        return {text(str(key)): clean(each, room - 1) for key, each in value.items()}
    elif isinstance(value, list) and room:
        return [clean(each, room - 1) for each in value]
    return None


def _rate(value: Any) -> list[float]:
    """[a learning rate, when it was asked for]."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(value)
    rate, asked = number(value[0], 0), number(value[1])
    if not rate > 0:
        raise ValueError(value)
    return [float(rate), float(asked)]


def _want(value: Any) -> str:
    if value not in ("run", "pause", "stop"):
        raise ValueError(value)
    return str(value)


def _picture(value: Any) -> str:
    if not isinstance(value, str) or not _PICTURE.fullmatch(value):
        raise ValueError(value)
    return value


def _sample(value: Any) -> str:
    if not isinstance(value, str) or not _SAMPLE.fullmatch(value):
        raise ValueError(value)
    return value


_words = functools.partial(text, most=TRACEBACK)
ERROR = record({"what": text, "hint": text, "traceback": _words})
STATUS = record(
    {
        **dict.fromkeys(("state", "host", "device", "name", "model", "data", "version"), text),
        **dict.fromkeys(("epoch", "epochs", "step", "steps", "seconds", "samples_per_second"), count),
        **dict.fromkeys(("started", "heartbeat", "process_started", "left", "lr"), number),
        "pid": pid,
        "metrics": mapped(metric),
        "memory": mapped(count),
        "error": ERROR,
    }
)
CONTROL = record({"want": _want, "lr": _rate})
TEST = record(
    {
        **dict.fromkeys(("state", "checkpoint"), text),
        "pid": pid,
        "figures": mapped(metric),
        "picture": _picture,
        "texts": listed(_words),
        "error": ERROR,
    }
)
SAMPLE = record({"step": count, "epoch": count, "file": _sample, "caption": text})


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
