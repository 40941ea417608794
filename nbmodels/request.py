"""What is asked of a training, from any surface: a model, data and options become a checked Spec.

`build_spec` is the one way: the line, the cell, the command, Python and the form all come through it. Everything
is read from descriptions, so it takes milliseconds and imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbmodels.data import DATA
from nbmodels.data.facts import MASKED, Task, task_of
from nbmodels.data.open import check_data
from nbmodels.errors import InputError, nearest
from nbmodels.models import MODELS
from nbmodels.names import Thing, find_data, find_model, look
from nbmodels.option import Option, Style, make
from nbmodels.options import Description, read_dataclass, read_source
from nbmodels.runs import folder
from nbmodels.runs.gpus import check_here
from nbmodels.spec import Spec, Training, check_device

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
    "target_length",
    "mask_token",
    "separator",
    "task",
)
APART = {  # what only data made for it can teach
    "tagging",
    "language-modelling",
    MASKED,
    "translation",
    "summarisation",
    "question-answering",
    "text-to-image",
}
KINDS = {"image": "pictures", "table": "tables", "text": "text"}
_SHAPES = {"image": "pictures [N, C, H, W]", "table": "tables [N, F]", "text": "text"}
_USUAL = {"learning_rate": "lr", "bs": "batch_size", "gpu": "device", "checkpoint": "from", "dataset": "data"}


def training() -> Description:
    """The options of every training."""
    return read_dataclass(Training)


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
    check_required(found, source, groups["model"], style)
    seen = look(source, groups["data"].get("target"), common.get("task"))
    check_fit(found, seen, common.get("task"))
    bring_tokens(found, source, groups)
    check_data(source.reference, groups["data"], common.get("task"), source.obj)
    check_here(check_device(groups["training"].get("device", "auto")))
    check_head(found, common.get("task") or seen.described.task, groups["training"])
    usual = recipe(found, common.get("task") or seen.described.task)
    if "lr" in groups["model"]:  # typed: no recipe's rate stands above it
        usual.pop("lr", None)
    spec = Spec(
        name=name,
        model=found.reference,
        data=source.reference,
        model_options=groups["model"],
        data_options=groups["data"],
        training=dataclasses.replace(Training(), **{**usual, **groups["training"]}),
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


def bring_tokens(model: Thing, data: Thing, groups: dict[str, dict[str, Any]]) -> None:
    """Pretrained weights know the tokens of their own tokenizer: the data is cut by it, unless the user says how."""
    brings = model.described.attributes.get("brings_tokens")
    takes = "tokens" in {option.name for option in data.described.options}
    if brings and model.described["pretrained"].default:
        groups["model"].setdefault("pretrained", model.described["pretrained"].default)
    if brings and takes and groups["model"].get("pretrained"):
        groups["data"].setdefault("tokens", groups["model"]["pretrained"])


def unknown_option(typed: str, known: list[Option], command: str, style: Style = "flag") -> InputError:
    """The error for an option that is not there, with the nearest one."""
    name = typed.replace("-", "_")
    names = [option.name for option in known]
    close = _USUAL.get(name) or nearest(name, names)
    shown = (lambda word: "--" + word.replace("_", "-")) if style == "flag" else str
    hint = f"Did you mean {shown(close)}?" if close in names else f"Type: %bigmodel {command} --help"
    return InputError(f"There is no option {shown(name)}", hint)


def recipe(model: Thing, task: str | None = None) -> dict[str, Any]:
    """The model's own defaults of the training, for a task."""
    return {key: value for key, value in model.described.recipe(task).items() if key in training()}


def check_head(model: Thing, task: str | None, training: Mapping[str, Any]) -> None:
    """InputError where the head alone is to learn and the model says that it has none (in this task)."""
    if not training.get("freeze") and training.get("unfreeze_at") is None:
        return
    told = model.described.attributes.get("head_layers", getattr(model.obj, "head_layers", None))
    by_task = told if isinstance(told, dict) else None
    layers = by_task.get(task_of(task, _tuple(model.described.attributes.get("tasks")))) if by_task and task else told
    if layers is not None and not layers:
        for_ = f" for {task}" if by_task else ""
        what = "--freeze" if training.get("freeze") else "--unfreeze-at"
        raise InputError(f"{model.name} has no head to train alone{for_}", f"Leave out {what}: all of it learns.")


def fits(model: Description, data: Description, task: str | None = None) -> bool:
    """Whether a model can learn from data, as far as their descriptions say; what they leave out, fits."""
    accepts, tasks = (_tuple(model.attributes.get(key)) for key in ("accepts", "tasks"))
    kinds, for_ = (_tuple(data.attributes.get(key)) for key in ("kind", "task"))
    if not serves(data, task):
        return False
    for_ = tuple(task_of(each, tasks) for each in ((task,) if task else for_))
    kind_fits = not accepts or not kinds or bool(set(accepts) & set(kinds))
    return kind_fits and (not tasks or not for_ or bool(set(tasks) & set(for_)) or "autoencoding" in tasks)


def serves(data: Description, task: str | None) -> bool:
    """Whether data can teach a task: tags and texts to go on with are in data of their own."""
    for_ = _tuple(data.attributes.get("task"))
    taught = {*for_, *(task_of(each, (MASKED,)) for each in for_)}
    return not task or not for_ or task in taught or not APART & {task, *for_}


def data_for(model: Thing, task: str | None = None) -> dict[str, Description]:
    """The data sets of the table that a model can learn (a task) from."""
    described = {name: read_source(reference) for name, reference in DATA.items()}
    return {name: each for name, each in described.items() if fits(model.described, each, task)}


def check_fit(model: Thing, data: Thing, task: str | None) -> None:
    """InputError where the model cannot learn from the data, naming what can."""
    if fits(model.described, data.described, task):
        return
    takes, does = _or(model, "accepts"), _or(model, "tasks")
    shape = data.described.attributes.get("shape")
    size = f" of shape {tuple(shape)}" if shape else ""
    others = [name for name in MODELS if fits(read_source(MODELS[name]), data.described, task)]
    sets = list(data_for(model, task))
    for_ = task if task and serves(data.described, task) else _or(data, "task")
    is_ = f"{_or(data, 'kind')}{size} for {for_}"
    raise InputError(
        f"{model.name} takes {takes} for {does}; {data.name} is {is_}",
        " ".join(
            [f"Models that fit {data.name}: {', '.join(others)}."] * bool(others)
            + [f"Data that fits {model.name}: {', '.join(sets)}."] * bool(sets)
        ),
    )


def _or(thing: Thing, key: str) -> str:
    return " or ".join(_SHAPES.get(each, each) for each in _tuple(thing.described.attributes.get(key)))


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
