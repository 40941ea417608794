"""A text as it is written: in the page through one output that changes, in a terminal letter after letter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Tell = Callable[[str], None]  # is given all of the text so far


class Page:
    """One output of a cell, which holds the text so far."""

    def __init__(self) -> None:
        self.handle: Any = None

    def __call__(self, text: str) -> None:
        """Show the text."""
        from IPython.display import display

        if self.handle is None:
            self.handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": text}, raw=True)


class Terminal:
    """The output of a program: what was said stays, what is new comes after it."""

    def __init__(self) -> None:
        self.said = 0

    def __call__(self, text: str) -> None:
        """Say what is new."""
        sys.stdout.write(text[self.said :])
        sys.stdout.flush()
        self.said = len(text)


class Written(str):
    """A text that was watched while it was written: as the result of that cell it is not shown once more."""

    cell: int | None = None

    def _ipython_display_(self) -> None:
        shell = _shell()
        if shell is None or shell.execution_count != self.cell:
            from IPython.display import display

            display({"text/plain": repr(str(self))}, raw=True)


def watched(write: Callable[[Tell], Any]) -> Any:
    """What `write(tell)` gives, a text shown while it is written; what is no text, such as filled gaps, as it is."""
    shell = _shell()
    made = write(Page() if hasattr(shell, "kernel") else Terminal())
    if not isinstance(made, str):
        return made
    text = Written(made)
    text.cell = getattr(shell, "execution_count", None)
    return text


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
