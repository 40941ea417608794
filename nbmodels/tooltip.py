"""What the word under the cursor is, for Shift-Tab: a word of ours, a model, a data set or an option.

`about` is the whole logic, from a cell and a place in it to what is shown; `register` hangs it on the kernel,
since IPython's own inspection knows only Python's names. It never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbmodels import complete, names, pages
from nbmodels.data import DATA
from nbmodels.errors import BigModelError
from nbmodels.line import WORDS
from nbmodels.option import Option
from nbmodels.shown import Part, Shown, Table


def about(code: str, cursor: int, namespace: Mapping[str, Any]) -> Shown | None:
    """What stands at `cursor` in a cell; None where that is not ours or nothing is known of it."""
    end = cursor + len(re.match(r"[^\s=,:]*", code[cursor:])[0])  # type: ignore[index]
    before = code[:end]
    line = before.rpartition("\n")[2]
    if not complete.ours(before + " "):
        return None
    word = re.search(r"[^\s=,:]*$", before)[0]  # type: ignore[index]
    inside = line if "bigmodel" in line else before.strip().partition("\n")[0]
    typed = inside.partition("bigmodel")[2].split()
    try:
        return _word(word.removeprefix("%").strip("%"), typed, line, namespace)
    except BigModelError:  # a model or data set that is only half typed
        return None


def _word(word: str, typed: list[str], line: str, namespace: Mapping[str, Any]) -> Shown | None:
    if word == "bigmodel":
        return pages.words()
    if typed[:1] == [word]:
        return pages.word(word, namespace) if word in WORDS else None
    first = WORDS.get(typed[0]) if typed else None
    if first is None:
        return None
    here = typed[1:] if "bigmodel" in line else [*typed[1:], ""]  # in a cell the word is none of the line's
    known = complete.known_options(first, here, namespace)
    given = word.lstrip("-").replace("-", "_")
    if (word.startswith("--") or "bigmodel" not in line) and given in known:
        return _option(known[given])
    if word in names.models(namespace):
        return pages.model(names.find_model(word, namespace))
    return pages.data_set(names.find_data(word, namespace), samples=False) if word in DATA else None


def _option(option: Option) -> Shown:
    table = Table(("", ""), [("takes", option.takes), *_default(option)], code=())
    return Shown([Part("heading", option.flag), Part("prose", option.help), table], option.to_dict())


def _default(option: Option) -> list[tuple[str, str]]:
    usual = option.to_dict()["default"]
    return [] if usual is None else [("default", str(usual))]


def register(shell: Any) -> None:
    """Answer Shift-Tab in our lines in this kernel; a terminal has none, and a second time changes nothing."""
    kernel: Any = getattr(shell, "kernel", None)
    usual = getattr(kernel, "do_inspect", None)
    if usual is None or getattr(usual, "nbmodels", False):
        return

    def inspect(code: str, cursor_pos: int, *args: Any, **kwargs: Any) -> Any:
        found = about(code, cursor_pos, shell.user_ns)
        if found is None:
            return usual(code, cursor_pos, *args, **kwargs)
        data = {"text/plain": repr(found), "text/html": found._repr_html_()}
        return {"status": "ok", "found": True, "data": data, "metadata": {}}

    inspect.nbmodels = True  # type: ignore[attr-defined]
    kernel.do_inspect = inspect
