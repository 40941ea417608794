"""What can be trained, on what, with which options; and the line of a form. All of it from signatures, without torch.

The rooms that read a line come after this one in the house, so they are imported where they are used: a form asks for
the very same check that the line goes through.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbmodels.data import DATA
from nbmodels.errors import InputError
from nbmodels.models import MODELS
from nbmodels.option import Option
from nbmodels.options import Description, read_dataclass, read_source
from nbmodels.spec import Training
from nbmodels.views import command
from nbmodels.views.snapshot import plain

QUICKSTART = "00-quickstart.ipynb"


@functools.cache
def catalogue() -> dict[str, Any]:
    """Models, data sets, and the options of every training."""
    from nbmodels.request import COMMON

    return {
        "models": [_model(name) for name in MODELS],
        "data": [_data(name) for name in DATA],
        "training": [option_info(option) for option in read_dataclass(Training).options],
        "common": [option_info(option) for option in COMMON],
    }


def line(model: str, data: str | None, options: Mapping[str, str]) -> str:
    """The line that trains so, checked as the kernel will check it; InputError for what it would not take.

    Data that is not in the table is a variable of the notebook or a path as the notebook sees it: the kernel knows.
    """
    from nbmodels import names, request

    found = names.find_model(model, {})
    data = data or request.default_data(found)
    source = names.find_data(data, {}) if data in DATA else names.Thing(data, _own(data))
    typed = {name.replace("-", "_"): text for name, text in options.items() if text.strip()}
    groups = request.sort_options(found, source, typed, "flag")
    request.check_required(found, source, groups["model"], "flag")
    if data in DATA:
        request.check_fit(found, source, groups["common"].get("task"))
    if name := groups["common"].get("name"):
        request.folder.check_name(name)
    known, task = request.options_for(found, source), groups["common"].get("task") or source.described.task
    recipe = request.recipe(found, task)
    values = {key: value for group in groups.values() for key, value in group.items()}
    usual = {key: recipe.get(key, known[key][1].default) for key in typed}
    return command.line(model, data, {key: values[key] for key in typed if values[key] != usual[key]})


def quickstart() -> dict[str, Any]:
    """The first notebook, without its outputs; InputError where it was not installed."""
    here = Path(__file__).parent
    for place in (here / QUICKSTART, here.parents[1] / "notebooks" / QUICKSTART):  # a wheel, a checkout
        if place.is_file():
            notebook: dict[str, Any] = json.loads(place.read_text("utf-8"))
            code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            for cell in code:
                cell.update(outputs=[], execution_count=None)
            return notebook
    raise InputError("The quickstart is not part of this installation", "Open the README instead.")


def option_info(option: Option) -> dict[str, Any]:
    """An option as a form needs it."""
    more = {
        "short": option.short,
        "optional": option.optional,
        "boolean": option.boolean,
        "low": option.low,
        "high": option.high,
    }
    info: dict[str, Any] = plain({**option.to_dict(), **more})
    return info


def _model(name: str) -> dict[str, Any]:
    from nbmodels.names import Thing
    from nbmodels.request import FILLED, data_for

    described = read_source(MODELS[name])
    says = described.attributes
    return {
        "name": name,
        "title": described.title,
        "doc": described.doc,
        **{key: str(says.get(key) or "") for key in ("paper", "formula", "default_data")},
        **{key: _list(says.get(key)) for key in ("accepts", "tasks")},
        "recipe": plain(says.get("recipe") or {}),
        "recipe_for": plain(says.get("recipe_for") or {}),
        "options": [option_info(option) for option in described.options if option.name not in FILLED],
        "data": list(data_for(Thing(name, described))),
    }


def _data(name: str) -> dict[str, Any]:
    described = read_source(DATA[name])
    says = {key: " or ".join(_list(described.attributes.get(key))) for key in ("kind", "task")}
    return {
        "name": name,
        "title": described.title,
        **says,
        "options": [option_info(option) for option in described.options],
    }


def _own(data: str) -> Description:
    """The options of data that is not in the table: a path's or a variable's."""
    from nbmodels.names import own_data

    return own_data(Path(data) if "/" in data or "\\" in data or Path(data).suffix else None)


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(each) for each in value]
