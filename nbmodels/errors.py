"""Everything that can go wrong, as one family; each is one short line in a notebook.

    BigModelError
    ├── InputError       what the user typed cannot be used
    │   └── UnknownName  a name that is not in its table; carries the nearest one
    ├── DataError        the data is missing, broken, or of a shape the model cannot take
    ├── RunError         the run cannot do what is asked of it
    │   └── RunFailed    the worker died; `traceback` is its own, as text
    └── MissingExtra     an optional part is not installed; says the command that installs it

The message says what was wrong; `hint` says the nearest valid choice and what to type next.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

FRAMES = 2  # of a worker's traceback that are shown


class BigModelError(Exception):
    """What was wrong (`str(error)` is the whole line) and what to type next (`hint`)."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = what.rstrip("."), hint
        super().__init__(f"{self.what}. {hint}" if hint else what)

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of printing a traceback."""
        return [f"{type(self).__name__}: {self}"]


class InputError(BigModelError, ValueError):
    """What the user typed cannot be used."""


class UnknownName(InputError):
    """A name that is not in its table."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        close = nearest(name, known)
        guess = f"Did you mean {close}?" if close else (f"Known: {', '.join(known)}." if known else "")
        super().__init__(f"There is no {kind} {name!r}", " ".join(part for part in (guess, hint) if part))
        self.name, self.nearest = name, close


class DataError(BigModelError, ValueError):
    """The data is missing, broken, or of a shape that the model cannot take."""


class RunError(BigModelError, RuntimeError):
    """The run cannot do what is asked of it."""


class RunFailed(RunError):
    """The worker ended with an error; `traceback` holds the worker's own, as text."""

    def __init__(self, what: str, hint: str = "", traceback: str = "") -> None:
        super().__init__(what, hint)
        self.traceback = traceback

    def _render_traceback_(self) -> list[str]:
        """The line, and where in the code it happened: the last two frames that are no library's."""
        frames = re.findall(r'^  File ".*(?:\n    .*)*', self.traceback, re.MULTILINE)
        own = [frame for frame in frames if "site-packages" not in frame] or frames
        return [*super()._render_traceback_(), *own[-FRAMES:]]


class MissingExtra(BigModelError, ImportError):
    """An optional part is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional part", f'Type: %pip install "nbmodels[{extra}]"')


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice most like `word`, or None when nothing comes close."""
    lowered = {choice.lower(): choice for choice in choices}
    match = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.55)
    return lowered[match[0]] if match else None
