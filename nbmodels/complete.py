"""Completion of the words: the next word, a model, an option, its value, a data set, a run, a variable.

`complete` is the whole logic, from the text before the cursor to the words that may stand there; `register` hangs
it on IPython. It reads the same table and descriptions as the line itself, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbmodels import line, names, request, values
from nbmodels.data import DATA
from nbmodels.errors import BigModelError
from nbmodels.line import WORDS, Word
from nbmodels.option import Option
from nbmodels.options import read_source
from nbmodels.runs import folder

_LINE = re.compile(r"^\s*(?:[\w.,\s]+=\s*)?%bigmodel[ \t]+(.*)$")
_CELL = re.compile(r"^\s*%%bigmodel[ \t]+([^\n]*)(?:\n(.*))?$", re.DOTALL)
_DATA_TYPES = ("ndarray", "Tensor", "DataFrame", "Series", "list", "TensorDataset", "Dataset", "DataLoader")


def ours(text: str) -> bool:
    """Whether the cursor stands in one of our lines or cells."""
    return bool(_CELL.match(text) or _LINE.match(text.rpartition("\n")[2]))


def fragment(text: str) -> str:
    """What is already typed of the word under the cursor."""
    found = re.search(r"[^\s=,]*$", text)
    return found[0] if found else ""


def complete(text: str, namespace: Mapping[str, Any]) -> list[str]:
    """The words that may stand at the end of `text`, a cell up to the cursor; empty where it is not ours."""
    cell = _CELL.match(text)
    if cell and cell[2] is not None:
        found = _body(cell[1], cell[2].rpartition("\n")[2], namespace)
    elif here := cell or _LINE.match(text.rpartition("\n")[2]):
        found = command(here[1], namespace)
    else:
        return []
    start = fragment(text)
    return [each for each in dict.fromkeys(found) if each.startswith(start) and each != start]


def command(typed: str, namespace: Mapping[str, Any]) -> list[str]:
    """What may follow in a line after `%bigmodel `; the command's shell completion asks the same."""
    words = typed.split()
    current = words.pop() if words and not typed.endswith((" ", "\t")) else ""
    if not words:
        return list(WORDS)
    word = WORDS.get(words[0])
    if word is None:
        return []
    known = known_options(word, words[1:], namespace)
    name, equals, _ = current.partition("=")
    if equals or (words[-1].startswith("--") and _takes_value(known.get(_name(words[-1])))):
        return option_values(known.get(_name(name if equals else words[-1])), namespace)
    if current.startswith("-"):
        return [flag for option in known.values() for flag in _flags(option)] + ["--help"]
    return place_words(word, words[1:], known, namespace)


def known_options(word: Word, words: list[str], namespace: Mapping[str, Any]) -> dict[str, Option]:
    """The options that the words so far allow and do not hold yet, but for the last."""
    try:
        known = line.options_of(word, words, namespace)
    except BigModelError:  # a model or data set that is only half typed
        known = line.options_of(word, [], namespace)
    given = {_name(each) for each in words[:-1] if each.startswith("--")}
    return {name: option for name, option in known.items() if name not in given}


def place_words(word: Word, words: list[str], known: Mapping[str, Option], namespace: Mapping[str, Any]) -> list[str]:
    """What may stand in the next place; the options where every place is taken."""
    taken = len(line.places_of(word, words, known))
    places = [place for place in word.places for _ in range(1 if not place.many else 99)]
    if taken >= len(places):
        return [flag for option in known.values() for flag in _flags(option)]
    return list(_kind(places[taken].kind, namespace))


def option_values(option: Option | None, namespace: Mapping[str, Any]) -> list[str]:
    """The values an option may take, as far as they can be listed; its default where they cannot."""
    if option is None:
        return []
    if option.name in ("data", "from"):
        return list(_kind("data" if option.name == "data" else "run", namespace))
    if option.choices:
        return [str(word) for word in option.choices]
    if option.boolean:
        return ["true", "false"]
    return [] if option.required or option.default is None else [values.show(option.default)]


def _kind(kind: str, namespace: Mapping[str, Any]) -> Iterator[str]:
    if kind == "model":
        yield from names.models(namespace)
    elif kind == "word":
        yield from (*WORDS, *names.models(namespace))
    elif kind == "run":
        yield from (run.name for run in folder.all_runs())
        yield from (name for name, value in namespace.items() if type(value).__name__ == "Run" and name[0] != "_")
    if kind == "data":
        yield from DATA
    if kind in ("data", "input"):
        yield from (name for name, value in namespace.items() if _is_data(value) and not name.startswith("_"))


def _is_data(value: Any) -> bool:
    return any(base.__name__ in (*_DATA_TYPES, "LightningDataModule") for base in type(value).__mro__)


def _body(head: str, current: str, namespace: Mapping[str, Any]) -> list[str]:
    """In a cell: option names at the start of a line, values after the colon."""
    words = head.split()
    word = WORDS.get(words[0]) if words else None
    if word is None:
        return []
    known = known_options(word, [*words[1:], ""], namespace)
    name, colon, _ = current.partition(":")
    if colon:
        return option_values(known.get(name.strip().replace("-", "_")), namespace)
    return [f"{each}:" for each in known]


def _flags(option: Option) -> list[str]:
    if option.boolean and option.default in (True, None):
        return [option.flag, "--no-" + option.flag[2:]]
    return [option.flag]


def _takes_value(option: Option | None) -> bool:
    return option is not None and not option.boolean


def _name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0].replace("-", "_")


def warm() -> None:
    """Read the tables once, in the background, so that the first Tab is as quick as the next."""
    for reference in (*request.MODELS.values(), *DATA.values()):
        try:
            read_source(reference)
        except BigModelError:
            continue


def _type(completion: str) -> str:
    """The kind that an editor draws a sign for."""
    return "param" if completion.startswith("--") else "keyword"


def register(shell: Any) -> None:
    """Complete our lines in this IPython; does nothing where it is done already."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        _wrap(shell)
        return
    if any(getattr(matcher, "matcher_identifier", "") == "nbmodels" for matcher in shell.Completer.custom_matchers):
        return

    @context_matcher(identifier="nbmodels", priority=1000)
    def matcher(context: Any) -> dict[str, Any]:
        lines = context.full_text.split("\n")
        before = lines[: context.cursor_line] + [lines[context.cursor_line][: context.cursor_position]]
        text = "\n".join(before)
        found = [SimpleCompletion(text=each, type=_type(each)) for each in complete(text, shell.user_ns)]
        return {"completions": found, "matched_fragment": fragment(text), "suppress": ours(text)}

    shell.Completer.custom_matchers.append(matcher)


def _wrap(shell: Any) -> None:
    """IPython before 8.6 (Colab's): its one generator of completions gives ours for our lines."""
    from IPython.core.completer import Completion

    usual = shell.Completer.completions
    if getattr(usual, "nbmodels", False):
        return

    def completions(text: str, offset: int) -> Iterator[Any]:
        before = text[:offset]
        if not ours(before):
            yield from usual(text, offset)
            return
        start = offset - len(fragment(before))
        for each in complete(before, shell.user_ns):
            yield Completion(start=start, end=offset, text=each, type=_type(each))

    completions.nbmodels = True  # type: ignore[attr-defined]
    shell.Completer.completions = completions
