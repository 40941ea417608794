"""The many forms in which people hold (X, y), brought to one; checked for lengths and emptiness."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbmodels.data.facts import WRITTEN
from nbmodels.data.table import columns_of, is_empty, is_words, target_column
from nbmodels.errors import DataError, nearest

Values = np.ndarray | dict[str, np.ndarray] | list[str]  # an array, columns by name, or sentences
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
XS, YS = ("X", "x", "data", "images", "features", "text"), ("y", "Y", "target", "labels", "label", "targets")


@dataclass(frozen=True)
class Parts:
    """One (X, y), whatever it was.

    Attributes:
        x: An array [N, ...], columns by name, or sentences.
        y: One answer a sample [N, ...]; None where there is none.
        spans: Where the splits that the user gave begin and end; `train` is always there.
        target: What y is called.
        classes: The names of the classes, where the user's object knows them.
        columns: The column that the sentences came from.
        bare: x is the user's object itself.
        groups: What each sample belongs to [N]: those of one group lie in one split; None: to itself.
    """

    x: Values
    y: np.ndarray | None
    spans: tuple[tuple[str, tuple[int, int]], ...] = ()
    target: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    bare: bool = False
    groups: np.ndarray | None = None


def unpack(name: str, obj: Any, target: str | None = None, task: str | None = None, group: str | None = None) -> Parts:
    """Bring the user's object to one (X, y).

    Args:
        name: What the user calls it.
        obj: Arrays, tensors, lists, a DataFrame, or a tuple or dict of them.
        target: The column of a DataFrame to predict.
        task: What the user says y is.
        group: The column whose equal values lie in one split; it is nothing to learn from.

    Raises:
        DataError: Lengths differ, it is empty, ragged, or of no form that we know.
    """
    splits = _splits(name, obj)
    made = {part: _pair(name, value, target, task, group) for part, value in splits.items()}
    train = made["train"]
    for part, other in made.items():
        if type(other.x) is not type(train.x) or (other.y is None) != (train.y is None):
            raise DataError(f"{name}: {part} is of another form than train", "Give every part as (X, y).")
        if isinstance(train.x, np.ndarray) and other.x.shape[1:] != train.x.shape[1:]:  # type: ignore[union-attr]
            raise DataError(f"{name}: train has samples of shape {train.x.shape[1:]}, {part} {other.x.shape[1:]}")  # type: ignore[union-attr]
    spans, first = [], 0
    for part, other in made.items():
        spans.append((part, (first, first + _length(other.x))))
        first += _length(other.x)
    x = _joined([part.x for part in made.values()])
    y = None if train.y is None else np.concatenate([part.y for part in made.values() if part.y is not None])
    groups = None if group is None else np.concatenate([part.groups for part in made.values()])  # type: ignore[misc]
    return Parts(x, y, tuple(spans), train.target, train.classes, train.columns, train.bare, groups)


def features(values: Any, columns: Container[str] = ()) -> Any:
    """X of a dict of X and y, such as a .npz holds; anything else as it is, as are columns that are called so."""
    found = next((key for key in XS if key in values and key not in columns), None) if type(values) is dict else None
    return values if found is None else values[found]


def as_array(values: Any, what: str) -> np.ndarray:
    """A tensor, series, list or array as an array; DataError when its rows differ in length."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    if hasattr(values, "toarray"):
        raise DataError(f"{what} is a sparse matrix", f"Type: {what}.toarray()")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        raise DataError(f"{what} has rows of different lengths", "Make them equally long first.") from None
    if array.dtype == object and array.size and all(isinstance(v, (bool, int, float)) for v in array.ravel().tolist()):
        array = (
            array.astype(np.float64)
            if any(isinstance(v, float) for v in array.ravel().tolist())
            else np.array(array.tolist())
        )
    return array


def _splits(name: str, obj: Any) -> dict[str, Any]:
    """The splits that the user gave, `train` first; one object is all to train on and cut later."""
    if isinstance(obj, Mapping) and "train" in obj and set(obj) <= set(SPLITS):
        return {"train": obj["train"], **{SPLITS[key]: value for key, value in obj.items() if key != "train"}}
    nested = isinstance(obj, (tuple, list)) and 2 <= len(obj) <= 3 and all(isinstance(part, tuple) for part in obj)
    if nested and all(len(part) == 2 for part in obj):
        return dict(zip(("train", "test") if len(obj) == 2 else ("train", "val", "test"), obj, strict=True))
    if isinstance(obj, tuple) and len(obj) == 4:  # scikit-learn's train_test_split: X, X_test, y, y_test
        lengths = [len(part) for part in obj]
        if lengths[0] == lengths[2] and lengths[1] == lengths[3]:
            return {"train": (obj[0], obj[2]), "test": (obj[1], obj[3])}
        if lengths[0] == lengths[1] and lengths[2] == lengths[3]:
            return {"train": (obj[0], obj[1]), "test": (obj[2], obj[3])}
    if isinstance(obj, tuple) and len(obj) not in (1, 2):
        raise DataError(f"{name} is a tuple of {len(obj)}", "Give (X, y), or ((X, y), (X_test, y_test)).")
    return {"train": obj}


def _pair(name: str, obj: Any, target: str | None, task: str | None, group: str | None) -> Parts:
    """One split as (X, y), with its groups."""
    columned = _is_frame(obj) or isinstance(obj, Mapping)
    if group is None or not columned:
        if group is not None:
            raise DataError(f"{name} has no column {group!r}", "--group takes a column of a DataFrame or a CSV.")
        return _form(name, obj, target, task)
    columns = {str(key): key for key in obj}
    if group not in columns:
        close = nearest(group, columns)
        guess = f"Did you mean {close}?" if close else f"Columns: {', '.join(list(columns)[:12])}."
        raise DataError(f"{name} has no column {group!r}", f"{guess} Type: --group {close or 'COLUMN'}")
    if group == target:
        raise DataError(f"--group and --target are both {group!r}", "A column says what is predicted, or who a row is.")
    belongs = np.array([_member(value, group) for value in as_array(obj[columns[group]], group).ravel().tolist()])
    rest = {key: obj[key] for key in obj if str(key) != group} if isinstance(obj, Mapping) else obj.drop(columns=group)
    made = _form(name, rest, target, task)
    if len(belongs) != _length(made.x):
        raise DataError(f"{name} has {_length(made.x):,} rows and column {group} {len(belongs):,}")
    return replace(made, groups=belongs)


def _member(value: Any, group: str) -> str:
    if is_empty(value):
        raise DataError(f"column {group} has empty cells", "Fill them first: every row belongs to a group.")
    return str(value)


def _form(name: str, obj: Any, target: str | None, task: str | None) -> Parts:
    """One split as (X, y)."""
    if _is_frame(obj):
        return _frame(name, obj, target, task)
    if isinstance(obj, Mapping):
        x = next((key for key in XS if key in obj), None)
        y = next((key for key in YS if key in obj), None)
        if x is None or (y is not None and target):
            return _frame(name, obj, target, task)
        known = obj.get("target_names")
        classes = () if known is None else tuple(str(value) for value in known)
        return _checked(name, obj[x], None if y is None else obj[y], classes=classes)
    if isinstance(obj, tuple) or (isinstance(obj, list) and len(obj) == 2 and all(_is_array(part) for part in obj)):
        return _checked(name, obj[0], obj[1] if len(obj) > 1 else None)
    if _is_array(obj) or isinstance(obj, list):
        return _checked(name, obj, None, bare=True)
    raise DataError(
        f"{name} is a {type(obj).__name__}, which is no data",
        "Give arrays (X, y), a DataFrame, a Dataset, a DataLoader, a LightningDataModule, or a path.",
    )


def _frame(name: str, frame: Any, target: str | None, task: str | None) -> Parts:
    """A DataFrame or a dict of columns: its target column is y, one column of sentences alone is a text."""
    columns = columns_of(frame)
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{name} is empty", "Give it rows.")
    if target is None and task != "autoencoding":
        last = list(columns)[-1]
        raise DataError(
            f"{name} does not say which column to predict",
            f"Type: --target {last} (columns: {', '.join(list(columns)[:12])})",
        )
    y = None if target is None else target_column(columns, target, name)
    rest = {key: values for key, values in columns.items() if key != target}
    if not rest:
        raise DataError(f"{name} has no column but {target!r}", "Give it columns to learn from.")
    prose = [key for key, values in rest.items() if _is_prose(values)]
    if task in WRITTEN and len(prose) != 1:
        prose = [key for key, values in rest.items() if is_words(values)]  # texts of one word are texts too
        if len(prose) != 1:
            raise DataError(
                f"{name} has {len(prose) or 'no'} columns of text beside {target!r}, and one is read",
                f"Keep two columns only, the text and {target}.",
            )
    if len(prose) == 1 and y is not None:
        return Parts([str(text) for text in rest[prose[0]].tolist()], y, target=target or "", columns=(prose[0],))
    return Parts(rest, y, target=target or "")


def _checked(name: str, x: Any, y: Any, classes: tuple[str, ...] = (), bare: bool = False) -> Parts:
    """(X, y) of equal length, not empty."""
    values: Values
    if _is_frame(x):
        values = columns_of(x)
    else:
        values = as_array(x, name if bare else "X")
        if values.ndim == 0:
            raise DataError(f"{name} holds one value only", "Give one row a sample.")
        if is_words(values) and values.ndim == 1 and all(isinstance(text, str) for text in values.tolist()):
            values = [str(text) for text in values.tolist()]
    answers = None if y is None else as_array(y, "y")
    if not _length(values):
        raise DataError(f"{name} is empty", "Give it samples.")
    if isinstance(values, np.ndarray) and 0 in values.shape:
        raise DataError(f"X is of shape {values.shape}: nothing is in it", "Give it samples.")
    if answers is not None and (answers.ndim == 0 or len(answers) != _length(values)):
        rows = 1 if answers.ndim == 0 else len(answers)
        shapes = f" (shapes {values.shape} and {answers.shape})" if isinstance(values, np.ndarray) else ""
        raise DataError(f"X has {_length(values):,} rows and y has {rows:,}{shapes}", "Give one answer a row.")
    return Parts(values, answers, classes=classes, target=str(getattr(y, "name", None) or ""), bare=bare)


def _joined(parts: list[Values]) -> Values:
    """Parts of one form as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, list):
        return [text for part in parts for text in part]
    if isinstance(first, dict):
        return {key: np.concatenate([part[key] for part in parts]) for key in first}  # type: ignore[call-overload, index]
    return np.concatenate(parts)  # type: ignore[arg-type]


def _length(values: Values) -> int:
    return len(next(iter(values.values()), ())) if isinstance(values, dict) else len(values)


def _is_frame(obj: Any) -> bool:
    return hasattr(obj, "columns") and hasattr(obj, "iloc")


def _is_array(obj: Any) -> bool:
    return hasattr(obj, "shape") and hasattr(obj, "dtype") or (isinstance(obj, list) and bool(obj))


def _is_prose(values: np.ndarray) -> bool:
    """Whether a column holds sentences: mostly different, and of several words."""
    if not is_words(values):
        return False
    texts = [str(value) for value in values[:200].tolist()]
    return (
        len(set(texts)) > len(texts) / 2
        and sum(" " in text.strip() or len(text) > 30 for text in texts) > len(texts) / 2
    )
