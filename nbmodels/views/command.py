"""The very line that trains a run: what the form shows as one types, and what a run's card lets one copy."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from nbmodels import values
from nbmodels.data import DATA
from nbmodels.models import MODELS
from nbmodels.options import read_source
from nbmodels.spec import NOTEBOOK, Spec, Training


def line(model: str, data: str, options: Mapping[str, Any]) -> str:
    """`%bigmodel train cnn --data digits --epochs 3 --augment`, quoted where a shell would need it."""
    words = ["%bigmodel train", quote(model.removeprefix(NOTEBOOK))]
    words += ["--data", quote(data.removeprefix(NOTEBOOK))] if data else []
    for name, value in options.items():
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(quote(values.show(value)))
    return " ".join(words)


def quote(word: str) -> str:
    """A word as it is typed in a line: in quotes only where it must be."""
    return word if word and not set(word) & set(" \t\n'\"\\") else shlex.quote(word)


def chosen(spec: Spec) -> dict[str, Any]:
    """The options of a run that are not what its model would have chosen by itself."""
    recipe = _recipe(spec)
    training = {each.name: getattr(spec.training, each.name) for each in fields(Training)}
    usual = {each.name: recipe.get(each.name, each.default) for each in fields(Training)}
    changed = {name: value for name, value in training.items() if value is not None and value != usual[name]}
    extra = {name: value for name, value in (("task", spec.task), ("from", spec.start)) if value}
    return {**spec.model_options, **spec.data_options, **extra, **changed}


def now(spec: Spec, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The options of a run as they are now: `chosen`, with what was changed while it went on."""
    known = {each.name for each in fields(Training)}
    return {**chosen(spec), **{each["option"]: each["new"] for each in changes if each["option"] in known}}


def of(spec: Spec, changes: Sequence[Mapping[str, Any]] = ()) -> str:
    """The line that trains this run again, as it was trained last."""
    return line(spec.model, spec.data, now(spec, changes))


def _recipe(spec: Spec) -> dict[str, Any]:
    if spec.model not in MODELS:
        return {}
    task = spec.task or (read_source(DATA[spec.data]).task if spec.data in DATA else None)
    return read_source(MODELS[spec.model]).recipe(task)
