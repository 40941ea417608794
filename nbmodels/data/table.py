"""Tables of numbers and words: columns -> the numbers a model takes, the same in training and for new rows.

N rows, F numbers a row. Imports neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import date, timezone
from typing import Any

import numpy as np

from nbmodels.data.facts import Facts
from nbmodels.errors import DataError, nearest

Columns = Mapping[str, np.ndarray]
MANY = 50  # a column of words with more different values than this says who a row is, not what it is like


def columns_of(frame: Any, words: Container[str] = ()) -> dict[str, np.ndarray]:
    """A DataFrame, or a dict of columns, as arrays by name; dates become days since 1970.

    Args:
        frame: What has columns by name.
        words: Columns known to hold words: their values stay as they are, even if these few look like numbers.
    """
    columns = {}
    for name in frame:
        values = np.asarray(frame[name])
        if values.ndim == 0:
            raise DataError(f"column {name} holds one value only", "Give every column as a list.")
        columns[str(name)] = values if str(name) in words else _plain(values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns are of unequal length: {', '.join(f'{k} {v:,}' for k, v in lengths.items())}")
    return columns


def _plain(values: np.ndarray) -> np.ndarray:
    """A column with its dates as days and its numbers as numbers."""
    if values.dtype == object and len(values) and all(isinstance(value, date) for value in values):
        values = np.array(
            [getattr(value, "tzinfo", None) and value.astimezone(timezone.utc) or value for value in values]
        )
        values = np.array([str(value)[:19] for value in values], dtype="datetime64[s]")
    if values.dtype.kind in "mM":
        values = values.astype("datetime64[s]" if values.dtype.kind == "M" else "timedelta64[s]")
        values = np.where(np.isnat(values), np.nan, values.astype(np.int64) / 86_400)
    elif values.dtype == object and all(isinstance(value, (int, float, bool)) for value in values):
        values = values.astype(float)
    return values


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing: None, NaN, or pandas' own words for it."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def is_words(values: np.ndarray) -> bool:
    """Whether a column holds words rather than numbers."""
    return values.dtype.kind not in "biufc"


def target_column(columns: Columns, target: str, name: str) -> np.ndarray:
    """The column that is to be predicted; DataError names the nearest when it is not there."""
    if target in columns:
        return columns[target]
    close = nearest(target, columns)
    guess = f"Did you mean {close}?" if close else f"Columns: {', '.join(list(columns)[:12])}."
    raise DataError(
        f"{name} has no column {target!r}", f"{guess} Type: --target {close or next(iter(columns), 'NAME')}"
    )


def table_facts(columns: Columns, standardise: bool = True) -> dict[str, Any]:
    """What `Facts` has to know of a table: its columns, the values of the word columns, mean and spread.

    Raises:
        DataError: A cell is empty or not finite, or no column can be learned from.
    """
    categories, kept = {}, []
    for name, values in columns.items():
        if not is_words(values):
            check_finite(values, f"column {name}")
        elif (found := _words(values, name)) is None:
            continue
        else:
            categories[name] = found
        kept.append(name)
    if not kept:
        raise DataError(f"No column can be learned from: the words of {', '.join(columns)} differ in every row")
    facts: dict[str, Any] = {"columns": tuple(kept), "categories": categories}
    if standardise:
        raw = np.concatenate([_expand(columns[name], categories.get(name)) for name in kept], axis=1)
        words = np.concatenate([np.full(len(categories.get(name, " ")), name in categories) for name in kept])
        facts |= spread(raw, words)
    return facts


def spread(values: np.ndarray, leave: np.ndarray | None = None) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation a column of [N, F]; 0 and 1 for a constant one and where `leave` [F] says so."""
    mean, std = values.mean(0), values.std(0)
    still = (std < 1e-12) if leave is None else (std < 1e-12) | leave
    return {
        "mean": tuple(np.where(still & (std >= 1e-12), 0.0, mean).tolist()),
        "std": tuple(np.where(still, 1.0, std).tolist()),
    }


def table_numbers(facts: Facts, rows: Columns | np.ndarray) -> np.ndarray:
    """Rows of the kind that the facts describe -> [N, F] floats, standardised as they say.

    Args:
        facts: A table's facts.
        rows: Columns by name, or an array [N, F] of the numeric columns in their order.

    Raises:
        DataError: A column is missing, or the rows are of another width.
    """
    if isinstance(rows, np.ndarray):
        wide = facts.fills["in_features"]
        if rows.ndim != 2 or rows.shape[1] != wide:
            raise DataError(f"{facts.name} has rows of {wide} numbers and this is of shape {rows.shape}")
        values = rows.astype(np.float64)
    else:
        absent = [name for name in facts.columns if name not in rows]
        if absent:
            raise DataError(f"The rows have no column {absent[0]!r}", f"Needed: {', '.join(facts.columns)}.")
        values = np.concatenate([_expand(rows[n], facts.categories.get(n)) for n in facts.columns], axis=1)
    check_finite(values, facts.name)
    if facts.std:
        values = (values - np.array(facts.mean)) / np.array(facts.std)
    return values.astype(np.float32)


def check_finite(values: np.ndarray, what: str) -> None:
    """DataError that counts the empty (NaN) and infinite cells and says where the first is."""
    if values.dtype.kind not in "fc":
        return
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # quick; a sum that overflows is looked at closely below
            return
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count:
        place = ", ".join(str(part) for part in np.argwhere(bad)[0].tolist())
        cells = "1 cell that is" if count == 1 else f"{count:,} cells that are"
        raise DataError(
            f"{what} has {cells} empty or not finite (NaN or infinity; the first at [{place}])",
            "Drop those rows or fill them first.",
        )


def _words(values: np.ndarray, name: str) -> list[str] | None:
    """The different words of a column, sorted; None if there are too many to learn from."""
    empty = sum(is_empty(value) for value in values.tolist())
    if empty:
        raise DataError(f"column {name} has {empty:,} empty cells", "Drop those rows or fill them first.")
    found = sorted({str(value) for value in values.tolist()})
    return found if len(found) <= MANY else None


def _expand(values: Any, words: list[str] | None) -> np.ndarray:
    """One column as [N, 1] numbers, or as [N, number of words] of 0 and 1."""
    array = np.asarray(values)
    if words is None:
        try:
            return array.astype(np.float64).reshape(-1, 1)
        except (TypeError, ValueError):
            raise DataError(f"A column of numbers holds {array.flat[0]!r}", "Give a number.") from None
    return (np.array([str(value) for value in array.tolist()])[:, None] == np.array(words)[None, :]).astype(np.float64)
