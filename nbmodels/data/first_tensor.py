"""A batch of any make: how many samples it has, and the first tensor in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch


def size(batch: Any) -> int:
    """The number of samples of a batch: the length of the first tensor in it; 1 where there is none."""
    found = first_tensor(batch)
    return max(1, len(found)) if found is not None and found.dim() else 1


def first_tensor(batch: Any, deep: int = 8) -> torch.Tensor | None:
    """The first tensor of a batch of any make: pairs, dictionaries, dataclasses, and whatever lies in them."""
    if isinstance(batch, torch.Tensor):
        return batch
    if deep == 0 or batch is None or isinstance(batch, (str, bytes, int, float)):
        return None
    parts: Any = ()
    if isinstance(batch, Mapping) or (hasattr(batch, "values") and hasattr(batch, "keys")):
        parts = batch.values()
    elif isinstance(batch, (list, tuple)):
        parts = batch
    elif dataclasses.is_dataclass(batch) or hasattr(batch, "__dict__"):
        parts = list(vars(batch).values())
    return next((found for part in parts if (found := first_tensor(part, deep - 1)) is not None), None)
