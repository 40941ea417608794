"""New rows of a table for a trained model: dicts, a DataFrame, a Series, arrays, a CSV; each by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.shapes import as_array, features
from nbmodels.data.table import Columns, columns_of, table_numbers
from nbmodels.errors import DataError


def prepare_rows(facts: Facts, inputs: Any) -> Tensor:
    """Rows of any form -> floats [B, F], standardised as the training data was.

    Raises:
        DataError: A column is missing, or the rows are of another width, or a cell is empty.
    """
    if isinstance(inputs, (str, Path)):
        from nbmodels.data.files import read_file

        inputs = features(read_file(Path(inputs).expanduser(), tuple(facts.categories)), facts.columns)
    columns = _columns(facts, inputs)
    rows = _array(facts, inputs) if columns is None else columns
    if not isinstance(rows, np.ndarray):
        _say_unseen(facts, rows)
    return torch.from_numpy(table_numbers(facts, rows))


def _columns(facts: Facts, inputs: Any) -> Columns | None:
    """Rows whose columns have names, as columns; None where they have none."""
    if hasattr(inputs, "iloc") and not hasattr(inputs, "columns"):  # one row of a DataFrame
        inputs = dict(inputs.items()) if facts.columns else inputs.to_numpy()
    if isinstance(inputs, Mapping) and not any(_is_column(value) for value in inputs.values()):
        inputs = [inputs]
    if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(row, Mapping) for row in inputs):
        inputs = _rows(facts, inputs)
    if isinstance(inputs, Mapping) or hasattr(inputs, "iloc"):
        return columns_of(inputs, facts.categories)
    return None


def _rows(facts: Facts, rows: Any) -> dict[str, np.ndarray]:
    """Dicts, a row each, as columns; every value stays what it is, whatever stands in the other rows."""
    names = facts.columns or tuple(rows[0])
    columns = {}
    for name in names:
        short = [number for number, row in enumerate(rows, start=1) if name not in row]
        if short:
            where = f"Row {short[0]} of {len(rows)} has" if len(rows) > 1 else "The rows have"
            raise DataError(f"{where} no column {name!r}", f"Needed: {', '.join(names)}.")
        columns[name] = np.empty(len(rows), dtype=object)
        columns[name][:] = [row[name] for row in rows]
    return columns


def _array(facts: Facts, inputs: Any) -> Columns | np.ndarray:
    """Rows without names: in the order of the training data's columns."""
    array = as_array(inputs, "The input")
    if array.ndim == 0:
        raise DataError("The input is no row", "Give numbers, a dict, a DataFrame or a CSV.")
    if array.ndim == 1:
        array = array[:, None] if facts.fills["in_features"] == 1 else array[None]
    if not facts.categories and array.shape[-1] != len(facts.columns):
        return array
    if array.ndim != 2 or array.shape[1] != len(facts.columns):
        raise DataError(f"The input is of shape {array.shape} and the model takes {', '.join(facts.columns)}")
    return columns_of({key: array[:, number] for number, key in enumerate(facts.columns)}, facts.categories)


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _say_unseen(facts: Facts, columns: Columns) -> None:
    """Say in one line which words the model was never shown: they count as none of those that it knows."""
    for name, known in facts.categories.items():
        unseen = sorted({str(value) for value in columns.get(name, np.array([])).tolist()} - set(known))
        if unseen:
            more = f" and {len(unseen) - 3:,} more" if len(unseen) > 3 else ""
            print(
                f"{name}: {', '.join(map(repr, unseen[:3]))}{more} was never trained on, and counts as no value at all"
            )
