"""What there is to predict: the user's y as class numbers or amounts, and what it says of the task."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbmodels.data.table import check_finite, is_empty
from nbmodels.errors import DataError, InputError

TASKS = ("classification", "regression", "autoencoding")


def answers(y: np.ndarray, task: str | None, what: str = "y") -> tuple[str, np.ndarray, tuple[str, ...]]:
    """The task, y as the model takes it, and the names of the classes.

    Whole numbers, words and truth values are classes, other numbers are amounts, unless `task` says otherwise.

    Args:
        y: One answer a sample: [N], [N, 1], or [N, K] amounts.
        task: `classification` or `regression`; None leaves it to y.
        what: What to call y in an error.

    Returns:
        (task, y, classes): long [N] and K names, or float32 [N, K] and no name.

    Raises:
        DataError: y is of a shape or kind that cannot be learned, or has one class only.
        InputError: The task is none that arrays can have.
    """
    if task is not None and task not in TASKS:
        raise InputError(f"Arrays cannot be used for {task}", f"Type: --task {', '.join(TASKS)}")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or (y.ndim == 2 and task == "classification"):
        raise DataError(f"{what} is of shape {y.shape}", "Give one class a sample [N], or K amounts a sample [N, K].")
    if y.dtype == object:
        y = _plain(y, what)
    check_finite(y, what)
    if task == "regression" or (task is None and (y.dtype.kind == "f" or y.ndim == 2)):
        if y.dtype.kind not in "biuf":
            raise DataError(f"{what} holds words, and a regression needs numbers", "Type: --task classification")
        return "regression", y.reshape(len(y), -1).astype(np.float32), ()
    return "classification", *_classes(y, what)


def _classes(y: np.ndarray, what: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers 0 to K - 1 in the order of their values, and their names."""
    values, numbers = np.unique(y, return_inverse=True)
    if len(values) < 2:
        raise DataError(f"{what} has one class only ({values[0]})", "Two or more are needed to tell apart.")
    if len(values) > max(100, len(y) // 2):
        raise DataError(
            f"{what} has {len(values):,} different values in {len(y):,} samples: amounts, not classes?",
            "Type: --task regression",
        )
    names = tuple(str(value) for value in values.tolist())
    return numbers.reshape(-1).astype(np.int64), names


def _plain(y: np.ndarray, what: str) -> np.ndarray:
    """Words or numbers out of an array of Python objects."""
    kinds = {type(value) for value in y.ravel().tolist()}
    if any(is_empty(value) for value in y.ravel().tolist()):
        raise DataError(f"{what} has empty cells", "Drop those samples first.")
    if kinds <= {str} or kinds <= {bool} or kinds <= {int}:
        return np.array(y.tolist())
    if kinds <= {int, float, bool}:
        return y.astype(np.float64)
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{what} mixes kinds of objects ({names})", "Give one kind: numbers, or words.")


def class_fills(task: str, y: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """What y fills of a model's parameters."""
    if task == "classification":
        return {"num_classes": len(classes), "task": task}
    return {"out_features": y.shape[1], "task": task}
