"""One option: its type, default, bounds and line of help; it reads what was typed and says what it takes."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nbmodels import values
from nbmodels.errors import InputError, nearest

REQUIRED: Any = inspect.Parameter.empty  # the default of an option that has none
Style = Literal["flag", "python", "yaml"]
_SPELLED = {"flag": "--{dashed} {value}", "python": "{name}={value}", "yaml": "{name}: {value}"}
_NUMBER = r"(-?[\d.]+(?:e-?\d+)?)(?<!\.)"


@dataclass(frozen=True)
class Option:
    """One option: `--name value` in a line, `name=value` in Python, `name: value` in YAML.

    `low` and `high` bound a number (or each number of a tuple); `low_open` and `high_open` say that the bound
    itself is out; `alone` says that any value inside goes with all else. `default` is REQUIRED where there is none; a
    None default means "the model's own" or "all".
    """

    name: str
    type: Any = str
    default: Any = REQUIRED
    help: str = ""
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    alone: bool = False

    @property
    def flag(self) -> str:
        """`--batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words that it takes, empty where it is not a choice."""
        return values.choices(self.type)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    @property
    def optional(self) -> bool:
        """Whether none is a value of it."""
        return type(None) in values.arms(self.type)

    @property
    def boolean(self) -> bool:
        """Whether the bare flag means true."""
        return bool in values.arms(self.type)

    @property
    def short(self) -> str:
        """The type in a word: `int`, `ints`, `valid | same`."""
        kinds = [kind for kind in values.arms(self.type) if kind is not type(None)]
        named = [str(word) for word in self.choices]
        named += [
            f"{values.name(item)}s" if (item := values.item(kind)) else "text" if kind is str else values.name(kind)
            for kind in kinds
            if not values.choices(kind)
        ]
        return " | ".join(named)

    @property
    def takes(self) -> str:
        """`a whole number of at least 1`."""
        return values.words(self.type, self._bounds())

    def read(self, text: str) -> Any:
        """The value of typed text; InputError says what it takes and what to type."""
        return self.check(text, "flag")

    def check(self, value: Any, style: Style = "python") -> Any:
        """`value` as this option's type, inside its bounds; InputError is spelled as the user typed it."""
        try:
            found = values.convert(value, self.type)
        except ValueError:
            self._refuse(value, None, style)
        if not self._fits(found):
            self._refuse(value, found, style)
        return found

    def example(self, value: Any = None, found: Any = None) -> Any:
        """A value that it takes: the word most like a refused one, else its default, else one near a refused number."""
        for likely in self._likely(value, found):
            if self._works(likely):
                return likely
        return self.name.upper()  # a type of the user's own that no plain value is known of

    def _likely(self, value: Any, found: Any) -> Iterator[Any]:
        if self.choices and (close := nearest(str(value), [str(word) for word in self.choices])):
            yield close
        if self.alone and isinstance(found, (int, float)):
            yield from self._passed(found)
        if not self.required and self.default is not None:
            yield self.default  # it goes with the other defaults, which a number near the refused one may not
        yield from self.choices
        for number in self._numbers(found):
            yield number
            yield values.repeated(number, self.type)
        yield from ("true", self.name.upper(), {}, [], (), None)

    def _numbers(self, found: Any) -> Iterator[float]:
        """Numbers to try: the bound that was passed, those that most models can be built with, those inside bounds."""
        low, high = self.low, self.high
        if isinstance(found, (int, float)):
            yield from self._passed(found)
        whole = isinstance(found, int) or int in values.arms(self.type) or values.item(self.type) is int
        yield from (1, 2) if whole else (0.1, 0.5, 1.0)
        ends = [end for end in (low, high) if end is not None]
        yield from ((sum(ends) / len(ends), *ends) if ends else ())
        for end in ends:
            yield from (math.floor(end), math.ceil(end), math.floor(end) - 1, math.ceil(end) + 1)
            for away in (1, 0.1, abs(end) / 10, 1e-3, 1e-9):
                yield from (end + away, end - away)

    def _passed(self, found: float) -> Iterator[float]:
        """The bound that a refused number has passed, as a number of its kind."""
        for end in (self.low, self.high):
            if end is not None and (found < end) == (end == self.low):
                yield int(end) if isinstance(found, int) and end == int(end) else end

    def _works(self, value: Any) -> bool:
        """Whether it takes the value, as it is and as it would be typed."""
        for each in (value, values.show(value)):
            try:
                if not self._fits(values.convert(each, self.type)):
                    return False
            except ValueError:
                return False
        return values.show(value) != ""

    def _fits(self, found: Any) -> bool:
        numbers = found if isinstance(found, (tuple, list)) else (found,)
        return found in self.choices or all(
            self._inside(n) for n in numbers if isinstance(n, (int, float)) and not isinstance(n, bool)
        )

    def spelled(self, value: Any, style: Style = "flag") -> str:
        """The option with a value, as it is typed: `--batch-size 32`, `batch_size=32`, `batch_size: 32`."""
        shown = repr(value) if style == "python" else values.show(value)
        return _SPELLED[style].format(name=self.name, dashed=self.flag[2:], value=shown)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        plain = None if self.required else self.default
        return {
            "name": self.name,
            "type": values.name(self.type),
            "default": list(plain) if isinstance(plain, tuple) else plain,
            "required": self.required,
            "choices": list(self.choices),
            "range": self._bounds().removeprefix(" of").strip(),
            "help": self.help,
        }

    def _refuse(self, value: Any, found: Any, style: Style) -> typing.NoReturn:
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "…"
        called = self.flag if style == "flag" else self.name
        raise InputError(
            f"{called} takes {self.takes}, not {shown}",
            f"Type: {self.spelled(self.example(value, found), style)}",
        ) from None

    def _inside(self, number: float) -> bool:
        above = self.low is None or number > self.low or (number == self.low and not self.low_open)
        return above and (self.high is None or number < self.high or (number == self.high and not self.high_open))

    def _bounds(self) -> str:
        low, high = (values.show(float(end)) if end is not None else "" for end in (self.low, self.high))
        if low and high and not self.low_open and not self.high_open:
            return f" from {low} to {high}"
        parts = [f"{'above' if self.low_open else 'of at least'} {low}"] if low else []
        parts += [f"{'below' if self.high_open else 'at most'} {high}"] if high else []
        return " " + " and ".join(parts) if parts else ""


def make(name: str, kind: Any, default: Any, help: str) -> Option:
    """An option, its bounds read from its help text."""
    return Option(name, kind, default, " ".join(help.split()), *bounds(help))


def bounds(help: str) -> tuple[float | None, float | None, bool, bool]:
    """(low, high, low_open, high_open) as the help says: `at least 1`, `above 0`, `in [0, 1)`."""
    if found := re.search(rf"\bin ([\[(]){_NUMBER}, ?{_NUMBER}([\])])", help):
        left, low, high, right = found.groups()
        return float(low), float(high), left == "(", right == ")"
    low, low_open = _end(help, "at least", "above")
    high, high_open = _end(help, "at most", "below")
    return low, high, low_open, high_open


def _end(help: str, closed: str, opened: str) -> tuple[float | None, bool]:
    found = re.search(rf"\b({closed}|{opened}) {_NUMBER}", help, re.IGNORECASE)
    return (float(found[2]), found[1].lower() == opened) if found else (None, False)
