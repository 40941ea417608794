"""What a name means: a model of the table or of the notebook, a data set, a variable, a file or a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbmodels.data import DATA
from nbmodels.data.facts import WRITTEN
from nbmodels.data.streams import streams
from nbmodels.errors import DataError, InputError, UnknownName, nearest
from nbmodels.models import MODELS
from nbmodels.options import Description, read_live, read_source
from nbmodels.spec import NOTEBOOK


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
        if isinstance(data, (list, tuple)) and data and all(isinstance(p, str) and p in namespace for p in data):
            return find_data(",".join(data), namespace)  # names of variables, as a cell's YAML lists them
        return Thing(NOTEBOOK + _called(data, namespace), own_data(data), data)
    name = str(data).strip()
    if name in DATA:
        return Thing(name, read_source(DATA[name]))
    parts = [part.strip() for part in name.strip("()").split(",") if part.strip()]
    if parts and all(part in namespace for part in parts):
        objects = tuple(namespace[part] for part in parts)
        if len(objects) == 1 and _is_place(objects[0]):  # a variable that holds a name or a path
            return find_data(Path(objects[0]), {})
        obj = objects[0] if len(objects) == 1 else objects
        return Thing(NOTEBOOK + ",".join(parts), own_data(obj), obj)
    return _find_path(name, parts, namespace)


def _is_place(obj: Any) -> bool:
    """Whether it names a data set or is there on the disk; any other text is data itself."""
    if isinstance(obj, str) and (len(obj) > 1000 or "\n" in obj):
        return False
    return isinstance(obj, Path) or (isinstance(obj, str) and (obj in DATA or Path(obj).expanduser().exists()))


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
        return read_source("nbmodels.data.files:Files")
    described = read_source("nbmodels.data.arrays:Arrays")
    if not streams(obj):
        return described
    return dataclasses.replace(described, options=tuple(described[name] for name in ("val", "test")))


def look(data: Thing, target: str | None = None, task: str | None = None) -> Thing:
    """The user's own data with its `kind`, `task` and `shape` among the attributes, as far as they are quick to see.

    DataError where it cannot be data at all: lengths that differ, no rows, no form that is known.
    """
    seen: dict[str, Any] = {}
    if data.obj is None and data.name not in DATA and Path(data.reference).is_dir():
        seen = {"kind": "image"}
    elif isinstance(data.obj, str):
        seen = {"kind": "text", "task": "language-modelling"}
    elif data.obj is not None and not streams(data.obj):
        seen = _arrays(data, target, task)
    attributes = {**data.described.attributes, **seen}
    return dataclasses.replace(data, described=dataclasses.replace(data.described, attributes=attributes))


def _arrays(data: Thing, target: str | None, task: str | None) -> dict[str, Any]:
    from nbmodels.data.shapes import unpack
    from nbmodels.data.target import answers

    parts = unpack(data.name, data.obj, target, task)
    if isinstance(parts.x, list):
        if parts.y is not None and task in WRITTEN:
            return {"kind": "text", "task": task}
        return {"kind": "text", "task": "classification" if parts.y is not None else "language-modelling"}
    said = answers(parts.y, task, parts.target or "y")[0] if parts.y is not None else "autoencoding"
    if isinstance(parts.x, dict):
        return {"kind": "table", "task": said}
    return {"kind": "image" if parts.x.ndim > 2 else "table", "task": said, "shape": parts.x.shape}
