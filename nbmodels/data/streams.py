"""What is read batch by batch, and not in memory whole: torch's and Lightning's own, and what works as they do.

Imports no torch: the kernel asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = frozenset({"Dataset", "IterableDataset", "DataLoader", "LightningDataModule", "CombinedLoader"})
PARTS = 16  # the most loaders of a list or a dictionary
SPLITS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2}
# What these libraries give is arrays, frames, pictures, texts.
IN_MEMORY = (
    "builtins",
    "collections",
    "numpy",
    "pandas",
    "polars",
    "torch",
    "scipy",
    "PIL",
    "pyarrow",
    "xarray",
    "jax",
)
_ARRAYS = ("__array__", "__dataframe__", "__array_interface__", "to_numpy", "dtype", "shape", "columns")


def streams(obj: Any) -> bool:
    """Whether torch or Lightning reads it batch by batch; a list or a dictionary of such is read so too."""
    if isinstance(obj, Mapping):
        return 0 < len(obj) <= PARTS and all(streams(part) for part in obj.values())
    if isinstance(obj, (list, tuple)):
        return 0 < len(obj) <= PARTS and any(streams(part) for part in obj)
    return any(base.__name__ in NAMES for base in type(obj).__mro__) or _works_so(obj)


def splits(obj: Any) -> Any:
    """(training, validation, test) of a dictionary whose keys say so; anything else as it is."""
    if not isinstance(obj, Mapping) or not all(isinstance(key, str) and key.lower() in SPLITS for key in obj):
        return obj
    parts: list[Any] = [None, None, None]
    for key, part in obj.items():
        parts[SPLITS[key.lower()]] = part
    return obj if parts[0] is None else tuple(parts if parts[2] is not None else parts[:2])


def _works_so(obj: Any) -> bool:
    """A loader or a dataset by its methods: it can be looped over, or gives a sample a number, and is no array."""
    cls = type(obj)
    if isinstance(obj, (str, bytes, Path, set, frozenset, type)) or cls.__module__.partition(".")[0] in IN_MEMORY:
        return False
    if any(hasattr(cls, name) for name in _ARRAYS):
        return False
    return hasattr(cls, "__iter__") or (hasattr(cls, "__getitem__") and hasattr(cls, "__len__"))
