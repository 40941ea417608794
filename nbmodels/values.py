"""From what a person typed to a value of the type that a signature asks for, and back to words.

A type is one of: int, float, bool, str, Literal[...], tuple[X, ...] (or list), any union of these, None;
whatever else a user's own class names is read as a YAML value.
"""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import yaml

DEEPEST, EVENTS, HUGE = 32, 100_000, 2**63  # YAML: lists inside each other, parts in all; the largest whole number
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

YES = {"true", "yes", "on", "1"}
NO = {"false", "no", "off", "0"}
_SINGULAR = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
_PLURAL = {int: "whole numbers", float: "numbers", bool: "booleans", str: "words"}


def arms(kind: Any) -> tuple[Any, ...]:
    """The members of a union, text last since anything is text; another type is its only member."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    members = tuple(type(None) if member is None else member for member in members)
    order: list[Any] = [type(None), bool, int, float]
    rank = {member: order.index(member) if member in order else 9 for member in members}
    return tuple(sorted(members, key=lambda member: (member is str, get_origin(member) is not Literal, rank[member])))


def convert(value: Any, kind: Any) -> Any:
    """`value`, typed text or a Python value, as `kind`; ValueError where it is none."""
    if hasattr(value, "tolist"):  # numbers and arrays of NumPy and torch, without importing either
        value = value.tolist()
    for member in arms(kind):
        try:
            return _as(value, member)
        except (ValueError, TypeError, OverflowError):
            continue
    raise ValueError(value)


def read_yaml(text: str) -> Any:
    """The values in a YAML text; ValueError says what is wrong with any other text, whoever wrote it.

    References inside the text are refused: a few lines of them can stand for more values than a memory holds.
    """
    depth, parts = 0, 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            parts += 1
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"it refers to another part of itself (*{event.anchor})")
            if depth > DEEPEST or parts > EVENTS:
                raise ValueError("it is too deep" if depth > DEEPEST else "it is too long")
        return yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError, OverflowError, UnicodeError) as error:
        raise ValueError(str(getattr(error, "problem", None) or error).split("\n")[0] or "it is no YAML") from error


def plain(value: Any, room: int = DEEPEST) -> bool:
    """Whether a spec can hold it: options travel as YAML."""
    if isinstance(value, dict):
        keys = all(isinstance(key, str) and plain(key) for key in value)
        return keys and room > 0 and all(plain(each, room - 1) for each in value.values())
    if isinstance(value, (list, tuple)):
        return room > 0 and all(plain(each, room - 1) for each in value)
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    return value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) <= HUGE)


def takes_text(kind: Any) -> bool:
    """Whether a text is a value of the type as it is, without being read as one."""
    return any(member in (str, Any, object) or get_origin(member) is Literal for member in arms(kind))


def choices(kind: Any) -> tuple[Any, ...]:
    """Every word that a Literal in `kind` names, in its written order."""
    return tuple(word for member in arms(kind) if get_origin(member) is Literal for word in get_args(member))


def item(kind: Any) -> Any:
    """The type of one element of the first sequence in `kind`, or None where there is no sequence."""
    found = [member for member in arms(kind) if _sequence(member)]
    return None if not found else (get_args(found[0]) or (Any,))[0]


def repeated(value: Any, kind: Any) -> tuple[Any, ...]:
    """The value as often as the first sequence in `kind` takes one: `tuple[int, int]` takes two."""
    sizes = [get_args(member) for member in arms(kind) if _sequence(member) and Ellipsis not in get_args(member)]
    return (value,) * max(1, *(len(each) for each in sizes), 0) if sizes else (value,)


def words(kind: Any, bounds: str = "") -> str:
    """What a person may type for `kind`, in words: `a whole number of at least 1, or none`."""
    said = [_words(member, bounds) for member in arms(kind) if member is not type(None)]
    if type(None) in arms(kind):
        said.append("none")
    return ", or ".join(said)


def name(kind: Any) -> str:
    """The type as it is written in a signature: `tuple[int, ...]`, `float | None`."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return " | ".join(_name(member) for member in members)


def show(value: Any) -> str:
    """A value as a person types it after an option: `32,64,64`, `true`, `0.001`, `none`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(show(item) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _as(value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return _as_choice(value, get_args(kind))
    if _sequence(kind):
        return _as_sequence(value, kind)
    reader = {type(None): _as_none, bool: _as_bool, int: _as_int, float: _as_float, str: _as_text}.get(kind)
    return reader(value) if reader else _as_other(value, kind)


def _as_choice(value: Any, known: tuple[Any, ...]) -> Any:
    if isinstance(value, bool):
        value = str(value).lower()
    for word in known:
        if str(value).lower() == str(word).lower():
            return word
    raise ValueError(value)


def _as_none(value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.lower() in ("", "none", "null")):
        raise ValueError(value)


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in YES | NO:
        return value.lower() in YES
    raise ValueError(value)


def _as_int(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != math.floor(value):
        raise ValueError(value)
    return int(float(value)) if isinstance(value, float) else int(value)  # type: ignore[call-overload]


def _as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)) or not math.isfinite(float(value)):
        raise ValueError(value)
    return float(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(value)
    return str(value)


def _as_sequence(value: Any, kind: Any) -> Any:
    origin, members = get_origin(kind) or kind, get_args(kind) or (Any,)
    if isinstance(value, str):
        inside = value.strip().removeprefix("(").removeprefix("[").removesuffix(")").removesuffix("]")
        value = [part.strip(" '\"") for part in inside.replace(";", ",").split(",") if part.strip()]
    elif not isinstance(value, Iterable):
        value = [value]
    fixed = origin is tuple and len(members) > 1 and members[-1] is not Ellipsis
    if isinstance(value, dict) or (fixed and len(value) != len(members)):
        raise ValueError(value)
    kinds = members if fixed else [members[0]] * len(value)
    items = [convert(part, one) for part, one in zip(value, kinds, strict=True)]
    return items if origin is list else tuple(items)


def _as_other(value: Any, kind: Any) -> Any:
    try:
        value = read_yaml(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(value) from None
    wanted = get_origin(kind) or kind
    named = isinstance(wanted, type) and wanted not in (Any, object)
    if (named and not isinstance(value, wanted)) or not plain(value):
        raise ValueError(value)
    return value


def _sequence(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (tuple, list, Sequence, Iterable)


def _words(kind: Any, bounds: str) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(word) for word in get_args(kind))
    if _sequence(kind):
        one = (get_args(kind) or (Any,))[0]
        return f"{_PLURAL.get(one, 'values')}{bounds} with commas between"
    if kind in (Any, object):
        return "a plain value"
    return _SINGULAR.get(kind, f"a {_name(kind)}") + (bounds if kind in (int, float) else "")


def _name(kind: Any) -> str:
    if kind is type(None):
        return "None"
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
