"""What each field of a run's files is, whoever wrote it: of its type, harmless, or left out. Imports no torch."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 20_000  # characters of a name or a line
TRACEBACK = 200_000  # characters
DEEPEST = 12  # lists and objects inside each other
HIGHEST = 2.0**53  # a count; beyond it floats skip whole numbers

_SAMPLE = re.compile(r"\w[\w.-]{0,120}\.(png|txt)", re.ASCII)
_PICTURE = re.compile(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Values = dict[str, Any]
Reader = Callable[[Any], Any]  # the value as its type; ValueError where it is none


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
        **dict.fromkeys(("process_started", "boot", "why"), text),
        **dict.fromkeys(("epoch", "epochs", "step", "steps", "seconds", "samples_per_second"), count),
        **dict.fromkeys(("started", "heartbeat", "left", "lr"), number),
        "pid": pid,
        "metrics": mapped(metric),
        "memory": mapped(count),
        "error": ERROR,
    }
)
CONTROL = record({"want": _want, "lr": _rate, "first": number})
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
