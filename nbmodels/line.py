"""The words of nbmodels: one table, one grammar, for a line, a cell, the command and Python.

    WORD [PLACES…] [--option value | --option=value | --flag | --no-flag]…

`parse` turns what was typed into an `Asked`; `do` hands that to the function of the word's own name in
`nbmodels.words`. Nothing here imports torch.
"""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from nbmodels import names, request, values
from nbmodels.errors import InputError, UnknownName, nearest
from nbmodels.models import MODELS
from nbmodels.option import Option, make


@dataclass(frozen=True)
class Place:
    """A word that stands by itself: MODEL, RUN. `kind` says what completes it: model, data, run, word, input."""

    name: str
    kind: str
    required: bool = True
    many: bool = False

    @property
    def shown(self) -> str:
        """`MODEL`, `[RUN]`, `INPUT…`."""
        shown = self.name.upper() + "…" * self.many
        return shown if self.required else f"[{shown}]"


@dataclass(frozen=True)
class Word:
    """A word, its one line of help, its places and options. `trains`: a training's options belong to it."""

    name: str
    help: str
    places: tuple[Place, ...] = ()
    options: tuple[Option, ...] = ()
    trains: bool = False

    @property
    def usage(self) -> str:
        """`train MODEL [--option value]…`."""
        more = ["[--option value]…"] if self.options or self.trains else []
        return " ".join([self.name, *(place.shown for place in self.places), *more])

    @property
    def handler(self) -> Callable[..., Any]:
        """The function that does it."""
        found: Callable[..., Any] = getattr(importlib.import_module("nbmodels.words"), self.name)
        return found


_RUN = Place("run", "run")
_LAST = Place("run", "run", required=False)  # the newest run
_TRUST = make("trust", bool, False, "Open what another person or machine made: code of its notebook runs as you.")
_ASKS = (
    make("length", int | None, None, "Tokens to write, at least 1; for models that write."),
    make("temperature", float | None, None, "How boldly it writes, at least 0 (safest); for models that write."),
    make("top_k", int | None, None, "Choose among so many likeliest tokens, at least 1; for models that write."),
    make("top_p", float | None, None, "Choose among as few likeliest as have this chance, in (0, 1]; likewise."),
    make("beam", int | None, None, "Beginnings to keep while it searches, at least 1; for models that translate."),
    make("pretrained", str | None, None, "Ask published weights; RUN is then the name of a model."),
    _TRUST,
)
_ONCE = make("once", bool, False, "Where the same training runs or has finished already, attach to it instead.")
_WAIT = make("wait", bool | None, None, "Wait for the end; empty waits only where nobody can press a button.")

WORDS: dict[str, Word] = {
    word.name: word
    for word in (
        Word("help", "The words, or one word or model.", (Place("word", "word", required=False),)),
        Word("models", "The models there are."),
        Word("info", "One model: what it is, its formula, options, parameters, data.", (Place("model", "model"),)),
        Word("data", "The data sets there are, or one of them.", (Place("data", "data", required=False),)),
        Word("train", "Train a model; the page stays free.", (Place("model", "model"),), (_WAIT, _ONCE), trains=True),
        Word("panel", "A form with every option, and a button that starts.", (Place("model", "model"),), trains=True),
        Word("runs", "The runs of this place, whoever started them."),
        Word("attach", "Watch a run, live or ended.", (_LAST,), (_TRUST,)),
        Word("stop", "End a run at its next step and keep what it learned.", (_LAST,)),
        Word("pause", "Give the processor back for a while.", (_LAST,)),
        Word("resume", "Go on after a pause, a stop or a crash.", (_LAST,), (_TRUST,)),
        Word("tensorboard", "TensorBoard on the runs of this place."),
        Word("test", "The figures on held-out data.", (_LAST,), (_TRUST,)),
        Word("predict", "What a run says of new inputs.", (_RUN, Place("inputs", "input", many=True)), _ASKS),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What was asked: the word, what stands in its places, its options as typed; `wants_help` asks only what."""

    word: Word
    places: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    wants_help: bool = False


def split(text: str) -> list[str]:
    """A line into words as a shell does, `# a comment` left out; InputError for a quote that is not closed."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise InputError(
            f"A quote is not closed in: {text.strip()}", "Put a text with ' inside between double quotes."
        ) from None
    return words[: words.index("#")] if "#" in words else words


def do(words: Sequence[str], namespace: Mapping[str, Any], body: str | None = None) -> Any:
    """Parse and act; what comes back can be displayed."""
    asked = parse(words, namespace, body)
    if asked.wants_help:
        return WORDS["help"].handler(namespace, word=asked.word.name, **_about(asked))
    return asked.word.handler(namespace, **asked.places, **asked.options)


def _about(asked: Asked) -> dict[str, Any]:
    return {key: value for key, value in asked.places.items() if key == "model"}


def parse(words: Sequence[str], namespace: Mapping[str, Any], body: str | None = None) -> Asked:
    """What the words ask for. Options of a training stay as typed: `request.build_spec` checks them."""
    if not words or words[0] in ("--help", "-h"):
        return Asked(WORDS["help"])
    word = _word(words[0], words[1:])
    if wants_help := any(each in ("--help", "-h") for each in words):
        words = [each for each in words if each not in ("--help", "-h")]
    inside = _read_body(body)
    known = options_of(word, words[1:], namespace, inside.get("data"))
    places, options = _sort(words[1:], word, known)
    if wants_help:
        named = {place.name: said for place, said in zip(word.places, places, strict=False)}
        return Asked(word, named, wants_help=True)
    for name, value in inside.items():
        if name in options:
            raise InputError(f"{name} is in the line and in the cell", "Leave one of them out.")
        options[name] = value
    if not word.trains:
        return Asked(word, _fill(word, places), _check(word, options))
    return Asked(word, _fill(word, places), {**options, **_check(word, options, unknown=False)})


def _word(name: str, rest: Sequence[str]) -> Word:
    if name in WORDS:
        return WORDS[name]
    if name in MODELS:
        if any(each in ("--help", "-h") for each in rest):
            raise InputError(f"{name!r} is a model", f"Type: %bigmodel info {name}")
        raise InputError(f"{name!r} is a model, not a word", f"Type: %bigmodel train {name}")
    raise UnknownName("word", name, WORDS, "" if nearest(name, WORDS) else "Type: %bigmodel help")


def options_of(word: Word, words: Sequence[str], namespace: Mapping[str, Any], data: Any = None) -> dict[str, Option]:
    """The options that these words may hold; for a training, those of its model and data too."""
    known = {option.name: option for option in word.options}
    if not word.trains:
        return known
    known |= {option.name: option for option in (*request.training().options, *request.COMMON)}
    places, options = _sort(words, word, known, strict=False)
    if not places:
        return known
    model = names.find_model(places[0], namespace)
    source = names.find_data(data or options.get("data") or request.default_data(model), namespace)
    return {name: option for name, (_, option) in request.options_for(model, source).items()} | known


def places_of(word: Word, words: Sequence[str], known: Mapping[str, Option]) -> list[str]:
    """What stands by itself in a line that is still being typed."""
    return _sort(words, word, known, strict=False)[0]


def _sort(
    words: Sequence[str], word: Word, known: Mapping[str, Option], strict: bool = True
) -> tuple[list[str], dict[str, Any]]:
    """Places and options apart. Not strict: an option that is not known takes what follows it, for a first look."""
    places: list[str] = []
    options: dict[str, Any] = {}
    rest = list(words)
    while rest:
        each = rest.pop(0)
        if not _is_option(each):
            places.append(each)
            continue
        name, value = _option(each, rest, word, known, strict, places)
        if name in options and strict:
            raise InputError(f"--{name.replace('_', '-')} is there twice", "Leave one of them out.")
        options[name] = value
    return places, options


def _is_option(word: str) -> bool:
    return word.startswith("--") and len(word) > 2 or bool(re.fullmatch(r"-[A-Za-z][\w-]*", word))


def _option(
    typed: str, rest: list[str], word: Word, known: Mapping[str, Option], strict: bool, said: Sequence[str]
) -> tuple[str, Any]:
    """(name, value as text) of one option; its value is taken from `rest`."""
    name, equals, value = typed.lstrip("-").partition("=")
    name = name.replace("-", "_")
    off = name.removeprefix("no_")
    if off != name and name not in known and off in known and known[off].boolean and not equals:
        return off, "false"
    option = known.get(name)
    if strict and (option is None or not typed.startswith("--")):
        raise request.unknown_option(name, list(known.values()), " ".join([word.name, *said[:1]]))
    if equals:
        return name, value
    follows = bool(rest) and not _is_option(rest[0])
    if option is not None and option.boolean:
        full = len(said) == len(word.places) and not any(place.many for place in word.places)  # so it can be no place
        return name, rest.pop(0) if follows and (full or rest[0].lower() in values.YES | values.NO) else "true"
    if follows:
        return name, rest.pop(0)
    if strict and option is not None:
        raise InputError(f"{option.flag} needs a value", f"Type: {option.spelled(option.example())}")
    return name, "true"


def _fill(word: Word, said: list[str]) -> dict[str, Any]:
    """What stands in each of the word's places; InputError for one too few or too many."""
    filled: dict[str, Any] = {}
    rest = list(said)
    for place in word.places:
        if not rest and place.required:
            example = "cnn" if place.kind == "model" else word.usage.removeprefix(f"{word.name} ")
            article = "an" if place.kind == "input" else "a"
            raise InputError(f"{word.name} needs {article} {place.kind}", f"Type: %bigmodel {word.name} {example}")
        if place.many:
            filled[place.name], rest = rest, []
        elif rest:
            filled[place.name] = rest.pop(0)
    if rest:
        hint = f"--data {rest[0]}" if word.trains else f"%bigmodel {word.usage}"
        raise InputError(f"{word.name} has no place for {rest[0]!r}", f"Type: {hint}")
    return filled


def _check(word: Word, options: Mapping[str, Any], unknown: bool = True) -> dict[str, Any]:
    """The word's own options as values."""
    known = {option.name: option for option in word.options}
    for name in options:
        if unknown and name not in known:
            raise request.unknown_option(name, list(known.values()), word.name)
    return {name: known[name].read(value) for name, value in options.items() if name in known}


def _read_body(body: str | None) -> dict[str, Any]:
    """The options of a cell: a YAML mapping; InputError says where it is none, or names one twice."""
    try:
        found = values.read_yaml(body or "")
        tree = yaml.compose(body or "", Loader=yaml.SafeLoader)
    except ValueError as error:
        mark = getattr(error.__cause__, "problem_mark", None)
        where = f"line {mark.line + 2}: " if mark else ""
        raise InputError(
            f"The cell is not YAML: {where}{error}",
            "Write a line for each option: epochs: 3",
        ) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError("The cell is no list of options", "Write a line for each: epochs: 3")
    assert tree is not None
    keys = [str(key.value).replace("-", "_") for key, _ in tree.value]
    for name in keys:
        if keys.count(name) > 1:
            raise InputError(f"{name} is in the cell twice", "Leave one of them out.")
    return {str(key).replace("-", "_"): value for key, value in found.items()}
