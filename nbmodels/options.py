"""What can be typed: every option is a parameter of a class, with its type, default and one line of help.

Our own models and data sets are read from their source (griffe), so neither they nor torch are imported; a
class of the notebook is read as it lives (jsonargparse, which follows `**kwargs` into the base class). Magic,
command line, completion, `--help`, the form and the README's table all read the `Description` made here.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import inspect
import threading
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nbmodels.data.facts import task_of
from nbmodels.errors import InputError
from nbmodels.option import REQUIRED, Option, bounds, make

_TYPES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, bool, str, tuple, list, dict)},
    **{"Literal": Literal, "Any": Any, "Optional": typing.Optional, "Union": typing.Union},
}
_FOREIGN = ("torch", "lightning", "pytorch_lightning", "builtins", "lightning_fabric")


__all__ = [
    "REQUIRED",
    "Description",
    "Option",
    "bounds",
    "make",
    "read_dataclass",
    "read_doc",
    "read_live",
    "read_source",
]


@dataclass(frozen=True)
class Description:
    """A model, a data set or a dataclass of options as it is described, without building one.

    `attributes` are the plain class attributes (accepts, recipe, licence …), `title` and `doc` the class's
    docstring, `about` the docstring of its file.
    """

    name: str
    title: str
    doc: str
    options: tuple[Option, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    about: str = ""

    def __getitem__(self, name: str) -> Option:
        """The option of that name (`_` or `-`); KeyError where there is none."""
        return {option.name: option for option in self.options}[name.replace("-", "_")]

    def __contains__(self, name: str) -> bool:
        return any(option.name == name.replace("-", "_") for option in self.options)

    def recipe(self, task: str | None = None) -> dict[str, Any]:
        """The model's own defaults of the training, for a task where it has others for it (`recipe_for`)."""
        tasks, other = self.attributes.get("tasks") or (), self.attributes.get("recipe_for") or {}
        return {**(self.attributes.get("recipe") or {}), **other.get(task_of(task or "", tuple(tasks)), {})}

    @property
    def task(self) -> str | None:
        """What data is for, where that is one thing."""
        task = self.attributes.get("task")
        return task if isinstance(task, str) else None


_parsing = threading.Lock()  # Python 3.11's parser counts its depth for all threads together, and raises SystemError


@functools.cache
def read_source(reference: str) -> Description:
    """Describe `module:Class` from its file; nothing of it is imported. Cached."""
    with _parsing:
        return _read_source(reference)


def _read_source(reference: str) -> Description:
    griffe = _griffe()
    module, _, name = reference.partition(":")
    found = importlib.util.find_spec(module)
    if found is None or not found.origin:
        raise InputError(f"{reference} has no source file to read")
    code = Path(found.origin).read_text(encoding="utf-8")
    tree = griffe.visit(module, filepath=Path(found.origin), code=code)
    cls = tree[name]
    title, doc, helps = read_doc(cls.docstring.value if cls.docstring else "")
    if "__init__" in cls.members:
        parameters = list(cls["__init__"].parameters)[1:]
    else:  # a dataclass: its annotated attributes are its parameters
        parameters = [each for each in cls.attributes.values() if each.annotation is not None]
    alone = "__init__" not in cls.members
    options = tuple(
        replace(_from_source(each, helps.get(each.name, "")), alone=alone) for each in parameters if _ordinary(each)
    )
    about = tree.docstring.value if tree.docstring else ""
    return Description(name, title, doc, options, _literals(cls), about)


@functools.cache
def read_dataclass(cls: type) -> Description:
    """Describe a dataclass that is imported already, as `spec.Training`; each field goes with any other. Cached."""
    title, doc, helps = read_doc(inspect.getdoc(cls) or "")
    hints = typing.get_type_hints(cls)
    return Description(
        cls.__name__,
        title,
        doc,
        tuple(
            replace(make(each.name, hints[each.name], _default(each.default), helps.get(each.name, "")), alone=True)
            for each in dataclasses.fields(cls)
        ),
    )


def read_live(cls: type) -> Description:
    """Describe a class of the notebook: its own parameters and those that `**kwargs` hands to its base."""
    from jsonargparse._parameter_resolvers import get_signature_parameters  # the resolver behind its parser

    title, doc, helps = read_doc(inspect.getdoc(cls) or "" if cls.__doc__ else "")
    options = tuple(
        make(each.name, _live_type(each), _default(each.default), each.doc or helps.get(each.name, ""))
        for each in get_signature_parameters(cls, "__init__")
    )
    attributes = {
        name: value
        for base in reversed(cls.__mro__)
        if base.__module__.split(".")[0] not in _FOREIGN
        for name, value in vars(base).items()
        if not name.startswith("_") and isinstance(value, (str, int, float, tuple, list, dict))
    }
    return Description(cls.__name__, title or cls.__name__, doc, options, attributes)


def read_doc(text: str) -> tuple[str, str, dict[str, str]]:
    """(title, paragraphs, help by name) of a Google docstring."""
    griffe = _griffe()
    sections = griffe.Docstring(inspect.cleandoc(text)).parse("google")
    said = "\n\n".join(section.value for section in sections if section.kind.value == "text")
    helps = {
        each.name: " ".join(each.description.split())
        for section in sections
        if section.kind.value in ("parameters", "attributes")
        for each in section.value
    }
    title, _, doc = said.partition("\n\n")
    return " ".join(title.split()), doc.strip(), helps


@functools.cache
def _griffe() -> Any:
    """griffe, silenced: a docstring of the user that is not quite Google's is no concern of the notebook."""
    import logging

    import griffe

    logging.getLogger("griffe").setLevel(logging.CRITICAL)
    return griffe


def _from_source(parameter: Any, help: str) -> Option:
    default = parameter.default if hasattr(parameter, "default") else parameter.value
    annotation = None if parameter.annotation is None else str(parameter.annotation)
    plain = REQUIRED if default is None else _literal(str(default), str(default))
    return make(parameter.name, _type(annotation, plain), plain, help)


def _ordinary(parameter: Any) -> bool:
    return "variadic" not in str(getattr(getattr(parameter, "kind", None), "value", ""))


def _literals(cls: Any) -> dict[str, Any]:
    found = {
        name: _literal(str(each.value), REQUIRED)
        for name, each in cls.attributes.items()
        if "class-attribute" in each.labels and each.value is not None
    }
    return {name: value for name, value in found.items() if value is not REQUIRED}


def _literal(text: str, otherwise: Any) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return otherwise


def _type(annotation: str | None, default: Any) -> Any:
    """The type that an annotation's text names; Any where it names something that is not in `_TYPES`."""
    if annotation is None:
        return _guess(default)
    try:
        return eval(annotation, {"__builtins__": {}}, dict(_TYPES))  # our own source, and only these names
    except Exception:
        return Any


def _live_type(parameter: Any) -> Any:
    kind = parameter.annotation
    return _guess(_default(parameter.default)) if kind is inspect.Parameter.empty or isinstance(kind, str) else kind


def _guess(default: Any) -> Any:
    """What an option without a type takes, from its default."""
    if isinstance(default, int) and not isinstance(default, bool):
        return int | float
    if isinstance(default, (tuple, list)) and default and all(type(each) is int for each in default):
        return tuple[int, ...]
    return type(default) if isinstance(default, (bool, float, str)) else Any


def _default(default: Any) -> Any:
    return REQUIRED if default is inspect.Parameter.empty or default is dataclasses.MISSING else default
