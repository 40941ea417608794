"""The pages that words show: the screen of help, a table of models, one model, one data set, the runs, a test.

All the text a person reads there is in this file, in `line.WORDS` and in the docstrings of what is described.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbmodels import values
from nbmodels.data import DATA
from nbmodels.errors import BigModelError, UnknownName
from nbmodels.line import WORDS
from nbmodels.models import MODELS
from nbmodels.names import Thing, find_data, find_model
from nbmodels.options import Description, Option, read_source
from nbmodels.request import COMMON, FILLED, KINDS, default_data, recipe, training
from nbmodels.runs.folder import RunFolder
from nbmodels.shown import Part, Shown, Table
from nbmodels.views.snapshot import reason
from nbmodels.views.words import duration, figure, size, standing

PREVIEW_PATIENCE = 120.0  # seconds for the samples of a data set, a download included
_ADAM = 4  # numbers kept for each parameter: itself, its gradient and Adam's two moments; 4 bytes each


def words() -> Shown:
    """The commands in one screen."""
    rows = [(word.usage, word.help) for word in WORDS.values()]
    start = "run = %bigmodel train cnn --data digits --epochs 3"
    more = "More of one: `%bigmodel train cnn --help`. The same words work in a terminal: `bigmodel train cnn`."
    parts: list[Part | Table] = [Table(("word", "what it does"), rows), Part("code", start), Part("prose", more)]
    return Shown(parts, [{"word": word.name, "usage": word.usage, "help": word.help} for word in WORDS.values()])


def word(name: str, namespace: Mapping[str, Any], model: str | None = None) -> Shown:
    """One word, with every option that it takes, for a model where one is named."""
    if name not in WORDS:
        raise UnknownName("word", name, [*WORDS, *MODELS])
    found = WORDS[name]
    groups = {"Options": (*found.options, *COMMON) if found.trains else found.options}
    if found.trains:
        groups["Training"] = training().options
    if found.trains and model:
        groups |= _groups(find_model(model, namespace), namespace)
    elif found.trains:
        groups["A model's own, here of cnn"] = read_source(MODELS["cnn"]).options
    parts: list[Part | Table] = [Part("heading", f"%bigmodel {found.usage}"), Part("prose", found.help)]
    liked = recipe(find_model(model, namespace)) if model else {}
    for title, options in groups.items():
        defaults = liked if title == "Training" else {}
        parts += [Part("heading", title), options_table(options, defaults)] if options else []
    data = {"word": name, "usage": found.usage, "help": found.help}
    return Shown(parts, {**data, "options": [each.to_dict() for group in groups.values() for each in group]})


def _groups(model: Thing, namespace: Mapping[str, Any]) -> dict[str, tuple[Option, ...]]:
    own = model.described.options
    if not model.described.attributes.get("default_data"):
        return {f"Model {model.name}": own}
    data = find_data(default_data(model), namespace)
    own = tuple(option for option in own if option.name not in data.described)  # where both have it, it is the data's
    return {f"Model {model.name}": own, f"Data {data.name}": data.described.options}


def options_table(options: Sequence[Option], defaults: Mapping[str, Any] | None = None) -> Table:
    """Name, default, type and help, where the range stands."""
    rows = []
    for option in options:
        default = (defaults or {}).get(option.name, option.default)
        default_text = "required" if option.required else "" if default is None else values.show(default)
        rows.append((option.flag, default_text, option.short, option.help))
    return Table(("option", "default", "type", "what it is"), rows, code=(0, 1))


def models(namespace: Mapping[str, Any]) -> Shown:
    """Every model of the table."""
    described = {name: read_source(reference) for name, reference in MODELS.items()}
    rows = [
        (name, each.title, _listed(each, "accepts"), str(each.attributes.get("default_data", "")), _count(each))
        for name, each in described.items()
    ]
    heads = ("model", "what it is", "takes", "default data", "parameters")
    tables: list[Part | Table] = [Table(heads, rows, code=(0, 3))]
    parts = [
        *tables,
        Part("prose", "More of one: `%bigmodel info cnn`. A class of your own trains by its name as well."),
    ]
    return Shown(parts, [_model_data(name, each) for name, each in described.items()])


def model(thing: Thing) -> Shown:
    """What a model is, its formula, size, options and data."""
    about, attributes = thing.described, thing.described.attributes
    parts: list[Part | Table] = [Part("heading", f"{thing.name}: {about.title.rstrip('.')}")]
    parts += [Part("prose", about.doc)] if about.doc else []
    parts += [Part("formula", attributes["formula"])] if attributes.get("formula") else []
    parts += [Part("prose", "\n\n".join(_facts(about)))] if _facts(about) else []
    parts += [Part("heading", "Options"), options_table(about.options)] if about.options else []
    filled = [option.flag for option in about.options if option.name in FILLED]
    parts += [Part("prose", f"The data sets {_and(filled)}, unless you do.")] if filled else []
    known = recipe(thing)
    own = [option for option in training().options if option.name in known]
    parts += [Part("heading", "Training, as this model likes it"), options_table(own, known)] if own else []
    parts.append(Part("code", f"%bigmodel train {thing.name} --data {attributes.get('default_data', 'DATA')}"))
    return Shown(parts, _model_data(thing.name, about))


def _facts(about: Description) -> list[str]:
    attributes, count = about.attributes, parameters(about)
    facts = [f"Takes {_listed(about, 'accepts')}, for {_listed(about, 'tasks')}."] if attributes.get("accepts") else []
    if count:
        weights, learn = size(4 * count), size(4 * _ADAM * count)
        facts.append(f"{count:,} parameters at the defaults: {weights}, {learn} to learn with Adam, and the batch.")
    facts += [f"Learns from {attributes['default_data']} by default."] if attributes.get("default_data") else []
    return facts + ([f"Paper: {attributes['paper']}"] if attributes.get("paper") else [])


def parameters(about: Description) -> int | None:
    """How many numbers the model learns at its defaults, as its file's docstring states."""
    found = re.search(r"([\d,]{2,}) (?:trainable )?parameters at the defaults", about.about)
    return int(found[1].replace(",", "")) if found else None


def _model_data(name: str, about: Description) -> dict[str, Any]:
    keys = ("accepts", "tasks", "metric", "default_data", "recipe", "paper", "formula")
    count = parameters(about)
    return {
        "name": name,
        "title": about.title,
        "doc": about.doc,
        **{key: about.attributes.get(key) for key in keys},
        "parameters": count,
        "memory": count and 4 * _ADAM * count,
        "options": [option.to_dict() for option in about.options],
    }


def data_sets() -> Shown:
    """Every data set of the table."""
    described = {name: read_source(reference) for name, reference in DATA.items()}
    rows = [
        (name, str(each.attributes.get("size", "")), _listed(each, "task"), str(each.attributes.get("source", "")))
        for name, each in described.items()
    ]
    own = (
        "Your own: `--data X,y` (arrays), a DataFrame or CSV with `--target`, a `Dataset`, `DataLoader` or "
        "`LightningDataModule`, a folder of pictures, a text file."
    )
    parts: list[Part | Table] = [Table(("data", "size", "for", "where from"), rows), Part("prose", own)]
    return Shown(parts, [_data_data(name, each) for name, each in described.items()])


def data_set(thing: Thing, samples: bool = True) -> Shown:
    """One data set with a few of its samples, which take a second to read."""
    about, attributes = thing.described, thing.described.attributes
    said = [f"{head}: {attributes[key]}" for key, head in _DATA_HEADS.items() if attributes.get(key)]
    parts: list[Part | Table] = [Part("heading", f"{thing.name}: {about.title.rstrip('.')}")]
    parts += [Part("prose", about.doc)] if about.doc else []
    parts += [Part("prose", "\n\n".join(said))] if said else []
    parts += preview(thing.name) if samples and thing.name in DATA else []
    parts += [Part("heading", "Options"), options_table(about.options)] if about.options else []
    return Shown(parts, _data_data(thing.name, about))


_DATA_HEADS = {"size": "Size", "licence": "Licence", "source": "Where from", "task": "For"}


def preview(name: str) -> list[Part | Table]:
    """A few samples, read by a process of its own so that the kernel imports no torch; why not, where they cannot."""
    command = [sys.executable, "-m", "nbmodels.preview", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PREVIEW_PATIENCE, check=False)
        seen = json.loads(done.stdout)
    except (ValueError, OSError, subprocess.SubprocessError):
        return [Part("prose", "Its samples cannot be shown here.")]
    if seen.get("error"):
        return [Part("prose", seen["error"])]
    parts: list[Part | Table] = [Part("picture", seen["picture"])] if seen.get("picture") else []
    parts += [Table(("", "a few samples"), seen["rows"], code=())] if seen.get("rows") else []
    return parts + ([Part("prose", seen["near"])] if seen.get("near") else [])


def _data_data(name: str, about: Description) -> dict[str, Any]:
    keys = ("kind", "task", "size", "licence", "source", "ships")
    said = {key: about.attributes.get(key) for key in keys}
    options = [option.to_dict() for option in about.options]
    return {"name": name, "title": about.title, "doc": about.doc, **said, "options": options}


def runs(folders: Sequence[RunFolder], strays: str = "") -> Shown:
    """The runs, the newest first; below them, in one line, the folders that cannot be read."""
    found = list(_summaries(folders))
    below: list[Part | Table] = [Part("prose", strays.replace("`", "'"))] if strays else []
    if not found:
        return Shown([Part("prose", "There is no run here yet. Type: `%bigmodel train cnn`"), *below], [])
    rows = [(run["name"], _what(run), _state(run), _progress(run)) for run in found]
    return Shown([Table(("run", "what", "state", "where it stands"), rows), *below], found)


def _summaries(folders: Sequence[RunFolder]) -> Iterator[dict[str, Any]]:
    for folder in folders:
        with contextlib.suppress(BigModelError):  # it was deleted meanwhile
            yield folder.summary()


def _what(run: Mapping[str, Any]) -> str:
    return f"{run['model']} on {run['data']}".replace("notebook:", "")


def _state(run: Mapping[str, Any]) -> str:
    return standing({**run, **reason(run["state"], dict(run))})


def _progress(run: Mapping[str, Any]) -> str:
    metrics = [f"{name} {figure(value)}" for name, value in run["metrics"].items()]
    time = [duration(run["seconds"])] if run.get("seconds") else []
    of = f" of {run['epochs']}" if run["epochs"] is not None else ""
    return " · ".join([f"epoch {run['epoch'] or 0:g}{of}", *time, *metrics])


def test(run: Mapping[str, Any], seen: Mapping[str, Any]) -> Shown:
    """The held-out figures of a run and their picture."""
    rows = [(name, figure(value)) for name, value in seen["figures"].items()]
    parts: list[Part | Table] = [Part("heading", f"{run['name']}, held-out data"), Table(("figure", ""), rows)]
    parts += [Part("picture", seen["picture"])] if seen.get("picture") else []
    parts += [Part("prose", text) for text in seen.get("texts") or []]
    return Shown(parts, {**run, "test": dict(seen["figures"])})


def _count(about: Description) -> str:
    return f"{count:,}" if (count := parameters(about)) else ""


def _listed(about: Description, key: str) -> str:
    value = about.attributes.get(key, ())
    return ", ".join(KINDS.get(each, each) for each in ((value,) if isinstance(value, str) else value))


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
