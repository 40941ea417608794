"""What is asked of a training, from any surface: a model, data and options become a checked Spec.

`build_spec` is the one way: the line, the cell, the command, Python and the form all come through it. Everything
is read from descriptions, so it takes milliseconds and imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nbmodels.data import DATA
from nbmodels.errors import DataError, InputError, UnknownName, nearest
from nbmodels.models import MODELS
from nbmodels.option import Option, Style, make
from nbmodels.options import Description, read_dataclass, read_live, read_source
from nbmodels.runs import folder
from nbmodels.spec import NOTEBOOK, Spec, Training

Task = Literal["classification", "regression", "autoencoding", "language-modelling", "tagging"]
COMMON: tuple[Option, ...] = (
    make("data", str | None, None, "What to learn from: a data set, a variable, a file or a folder."),
    make("name", str | None, None, "The run's name; empty means the next free one."),
    make("from", str | None, None, "A run or a checkpoint whose weights to start from."),
    make("task", Task | None, None, "What to learn; empty means what the data is for."),
)
FILLED = (  # parameters of a model that the data fills in
    "in_channels",
    "image_size",
    "in_features",
    "num_classes",
    "out_features",
    "vocab_size",
    "sequence_length",
    "task",
)
KINDS = {"image": "pictures", "table": "tables", "text": "text"}
_STREAMS = ("Dataset", "DataLoader", "LightningDataModule")
_USUAL = {"learning_rate": "lr", "bs": "batch_size", "gpu": "device", "checkpoint": "from", "dataset": "data"}


@dataclass(frozen=True)
class Thing:
    """A model or data as it was named: its reference in the Spec, its description, the notebook's own object."""

    reference: str
    described: Description
    obj: Any = None

    @property
    def name(self) -> str:
        """As the user wrote it."""
        return self.reference.removeprefix(NOTEBOOK)


def training() -> Description:
    """The options of every training."""
    return read_dataclass(Training)


def models(namespace: Mapping[str, Any]) -> list[str]:
    """Every name that `train` takes: the table, then the notebook's own classes and modules."""
    own = {name: value for name, value in namespace.items() if is_model(value) or is_model(type(value))}
    mine = [name for name, value in own.items() if not _torchs(getattr(value, "__module__", ""))]
    return [*MODELS, *(name for name in mine if not name.startswith("_"))]


def find_model(model: Any, namespace: Mapping[str, Any]) -> Thing:
    """The model of that name, or the class itself; InputError says what would do."""
    if not isinstance(model, str):
        name, value = getattr(model, "__name__", type(model).__name__), model
    else:
        name = model
        if name in MODELS:
            return Thing(name, read_source(MODELS[name]))
        if name not in namespace:
            raise UnknownName("model", name, models(namespace))
        value = namespace[name]
    if is_model(value):
        return Thing(NOTEBOOK + name, read_live(value), value)
    if is_model(type(value)):  # built already: it is trained as it is, so it has no options left
        return Thing(NOTEBOOK + name, Description(name, type(value).__name__, "", ()), value)
    raise InputError(f"{name} is no model: it is a {type(value).__name__}", f"Models: {', '.join(models(namespace))}.")


def is_model(value: Any) -> bool:
    """Whether it is a class of torch's modules; looked up by name, so that torch need not be imported."""
    return isinstance(value, type) and any(
        base.__name__ == "Module" and _torchs(base.__module__) for base in value.__mro__[1:]
    )


def _torchs(module: str) -> bool:
    return module.partition(".")[0] in ("torch", "lightning", "pytorch_lightning")


def find_data(data: Any, namespace: Mapping[str, Any]) -> Thing:
    """A data set of the table, the notebook's own object(s), or a path; UnknownName otherwise."""
    if not isinstance(data, (str, Path)):
        if isinstance(data, (list, tuple)) and data and all(isinstance(part, str) for part in data):
            return find_data(",".join(data), namespace)
        return Thing(NOTEBOOK + _called(data, namespace), own_data(data), data)
    name = str(data).strip()
    if name in DATA:
        return Thing(name, read_source(DATA[name]))
    parts = [part.strip() for part in name.strip("()").split(",") if part.strip()]
    if parts and all(part in namespace for part in parts):
        objects = tuple(namespace[part] for part in parts)
        if len(objects) == 1 and isinstance(objects[0], (str, Path)):  # a variable that holds a path
            return find_data(Path(objects[0]), namespace)
        obj = objects[0] if len(objects) == 1 else objects
        return Thing(NOTEBOOK + ",".join(parts), own_data(obj), obj)
    return _find_path(name, parts, namespace)


def _find_path(name: str, parts: list[str], namespace: Mapping[str, Any]) -> Thing:
    path = Path(name).expanduser()
    if path.exists():
        return Thing(str(path.absolute()), own_data(path))
    if len(parts) > 1 and any(part in namespace for part in parts):
        missing = next(part for part in parts if part not in namespace)
        raise UnknownName("variable", missing, [each for each in namespace if not each.startswith("_")])
    close = nearest(name, DATA)
    if not close and ("/" in name or "\\" in name or path.suffix):
        there = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
        guess = nearest(path.name, there)
        hint = f"Did you mean {path.parent / guess}?" if guess else f"Looked in {path.parent.absolute()}."
        raise DataError(f"There is no file or folder {name!r}", hint)
    raise UnknownName("data set", name, DATA, "" if close else "A variable or a path will do as well.")


def _called(data: Any, namespace: Mapping[str, Any]) -> str:
    """The name of the notebook's variable that holds it, for the run's title."""
    parts = data if isinstance(data, tuple) else (data,)
    names = [
        next((name for name, value in namespace.items() if value is part and not name.startswith("_")), "")
        for part in parts
    ]
    return ",".join(names) if all(names) else "data"


def own_data(obj: Any) -> Description:
    """The options of data that is not in the table: of a file or folder, of arrays, or of what torch streams."""
    if isinstance(obj, Path):
        own = "nbmodels.data.files:Files"
    elif any(base.__name__ in _STREAMS for base in type(obj).__mro__):
        return Description("data", "", "", ())
    else:
        own = "nbmodels.data.arrays:Arrays"
    described = read_source(own)
    options = tuple(option for option in described.options if option.name not in ("path", "name", "obj"))
    return dataclasses.replace(described, options=options)


def options_for(model: Thing, data: Thing) -> dict[str, tuple[str, Option]]:
    """Every option of `train` for this model and data: name -> (whose it is, the option).

    The model's `lr` stands before the training's, and the data's `image_size` before the model's, which it fills.
    """
    groups = {
        "training": training().options,
        "model": model.described.options,
        "data": data.described.options,
        "common": COMMON,
    }
    return {each.name: (group, each) for group, options in groups.items() for each in options}


def default_data(model: Thing) -> str:
    """The data that a model trains on when none is named; InputError for a model that names none."""
    data = model.described.attributes.get("default_data")
    if not data:
        raise InputError(f"{model.name} needs data", f"Type: train {model.name} --data NAME (a set, variable or path)")
    return str(data)


def build_spec(
    model: Any, data: Any, options: Mapping[str, Any], namespace: Mapping[str, Any], style: Style = "python"
) -> tuple[Spec, dict[str, Any]]:
    """The Spec of a training and the notebook's objects that travel beside it ({"model": …, "data": …}).

    `options` are as typed (text) or Python values, by name, of training, model and data alike; besides them
    `name`, `from` and `task`. Raises InputError, UnknownName or DataError before anything is written.
    """
    found = find_model(model, namespace)
    source = find_data(default_data(found) if data is None else data, namespace)
    groups = sort_options(found, source, options, style)
    common = groups["common"]
    name = folder.check_name(common["name"]) if common.get("name") else folder.free_name(found.name)
    check_fit(found, source, common.get("task"))
    check_required(found, source, groups["model"], style)
    spec = Spec(
        name=name,
        model=found.reference,
        data=source.reference,
        model_options=groups["model"],
        data_options=groups["data"],
        training=dataclasses.replace(Training(), **{**recipe(found), **groups["training"]}),
        task=common.get("task"),
        start=find_start(common["from"], namespace) if common.get("from") else None,
    )
    objects = {"model": found.obj, "data": source.obj}
    return spec, {key: value for key, value in objects.items() if value is not None}


def sort_options(model: Thing, data: Thing, options: Mapping[str, Any], style: Style) -> dict[str, dict[str, Any]]:
    """Each option checked and under its owner: training, model, data, common."""
    known = options_for(model, data)
    sorted_: dict[str, dict[str, Any]] = {"training": {}, "model": {}, "data": {}, "common": {}}
    for typed, value in options.items():
        name = typed.replace("-", "_")
        if name not in known:
            raise unknown_option(typed, [option for _, option in known.values()], f"train {model.name}", style)
        group, option = known[name]
        sorted_[group][name] = option.check(value, style)
    return sorted_


def unknown_option(typed: str, known: list[Option], command: str, style: Style = "flag") -> InputError:
    """The error for an option that is not there, with the nearest one."""
    name = typed.replace("-", "_")
    names = [option.name for option in known]
    close = _USUAL.get(name) or nearest(name, names)
    shown = (lambda word: "--" + word.replace("_", "-")) if style == "flag" else str
    hint = f"Did you mean {shown(close)}?" if close in names else f"Type: %bigmodel {command} --help"
    return InputError(f"There is no option {shown(name)}", hint)


def recipe(model: Thing) -> dict[str, Any]:
    """The model's own defaults of the training."""
    found = model.described.attributes.get("recipe", {})
    return {key: value for key, value in found.items() if key in training()} if isinstance(found, dict) else {}


def fits(model: Description, data: Description, task: str | None = None) -> bool:
    """Whether a model can learn from data, as far as their descriptions say; what they leave out, fits."""
    accepts, tasks = (_tuple(model.attributes.get(key)) for key in ("accepts", "tasks"))
    kinds, for_ = (_tuple(data.attributes.get(key)) for key in ("kind", "task"))
    for_ = (task,) if task else for_
    kind_fits = not accepts or not kinds or bool(set(accepts) & set(kinds))
    return kind_fits and (not tasks or not for_ or bool(set(tasks) & set(for_)) or "autoencoding" in tasks)


def data_for(model: Thing) -> dict[str, Description]:
    """The data sets of the table that a model can learn from."""
    described = {name: read_source(reference) for name, reference in DATA.items()}
    return {name: each for name, each in described.items() if fits(model.described, each)}


def check_fit(model: Thing, data: Thing, task: str | None) -> None:
    """InputError where the model cannot learn from the data, naming what can."""
    if fits(model.described, data.described, task):
        return
    takes = " or ".join(KINDS.get(kind, kind) for kind in _tuple(model.described.attributes.get("accepts")))
    does = " or ".join(_tuple(model.described.attributes.get("tasks")))
    kind = " or ".join(KINDS.get(kind, kind) for kind in _tuple(data.described.attributes.get("kind")))
    for_ = task or " or ".join(_tuple(data.described.attributes.get("task")))
    others = [name for name in MODELS if fits(read_source(MODELS[name]), data.described, task)]
    sets = [name for name in DATA if fits(model.described, read_source(DATA[name]), task)]
    raise InputError(
        f"{model.name} takes {takes} for {does}; {data.name} is {kind} for {for_}",
        " ".join(
            [f"Models that fit {data.name}: {', '.join(others)}."] * bool(others)
            + [f"Data that fits {model.name}: {', '.join(sets)}."] * bool(sets)
        ),
    )


def check_required(model: Thing, data: Thing, typed: Mapping[str, Any], style: Style) -> None:
    """InputError where an option without a default was not given and the data does not fill it."""
    own = {option.name for option in data.described.options}
    for option in model.described.options:
        if option.required and option.name not in typed and option.name not in own and option.name not in FILLED:
            raise InputError(f"{model.name} needs {option.name}", f"Type: {option.spelled(option.example(), style)}")


def find_start(start: str, namespace: Mapping[str, Any]) -> str:
    """A checkpoint's absolute path, or the name of a run."""
    path = Path(start).expanduser()
    if path.is_file():
        return str(path.absolute())
    if "/" in start or path.suffix == ".ckpt":
        raise InputError(f"There is no checkpoint {start!r}", "Give a run's name, or the path of a .ckpt file.")
    return folder.find(getattr(namespace.get(start), "name", start)).name


def _tuple(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
