"""What torch and Lightning stream from: a `Dataset`, a `DataLoader`, a `LightningDataModule` of the user's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sized
from typing import Any, TypeGuard

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, default_collate

from nbmodels.data.batches import Batches, Pair
from nbmodels.data.dataset import any_order
from nbmodels.data.facts import Facts, Kind
from nbmodels.data.first_tensor import first_tensor
from nbmodels.data.pixels import extremes
from nbmodels.data.shapes import as_array
from nbmodels.data.streams import splits
from nbmodels.errors import DataError, InputError

LOOK = 200  # batches or so many times 50 samples are looked at to count the classes
OPTIONS = ("val", "test")
_NO_PAIR = object()


class Items(Batches):
    """Batches of a `Dataset`, sample by sample, as exact to resume as the ones in memory.

    Args:
        dataset: Gives a sample a number: (x, y), x alone, or whatever a module of the user's own takes.
        facts: What it is.
        numbers: The samples of this split.
        collate: Makes a batch of samples; torch's own by default.
    """

    def __init__(
        self, dataset: Any, facts: Facts, numbers: np.ndarray, collate: Callable[..., Any] | None = None, **options: Any
    ) -> None:
        super().__init__(torch.from_numpy(numbers), None, facts, **options)
        self.dataset, self.collate = dataset, collate or default_collate

    def take(self, order: Tensor | None, batch: int) -> Pair:
        """The samples of batch number `batch`, as the `Dataset` gives them."""
        part = slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.samples))
        numbers = self._select(self.x, order, part).tolist()
        made: Pair = self.collate([self.dataset[number] for number in numbers])
        return made


class Streams(L.LightningDataModule):
    """Datasets or loaders of the user's own, split where they are one.

    Args:
        facts: What the data is.
        train: Training batches, a loader.
        val: Validation batches; None where there are none.
        test: Test batches; None where there are none.
    """

    def __init__(self, facts: Facts, train: Any, val: Any = None, test: Any = None) -> None:
        super().__init__()
        self.facts, self.loaders = facts, (train, val, test)

    def train_dataloader(self) -> Any:
        """Batches to learn from."""
        return self.loaders[0]

    def val_dataloader(self) -> Any:
        """Batches to validate on; an empty list where there are none."""
        return [] if self.loaders[1] is None else self.loaders[1]

    def test_dataloader(self) -> Any:
        """Batches held out; an empty list where there are none."""
        return [] if self.loaders[2] is None else self.loaders[2]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Our own models take (x, y), and x alone is its own answer; a user's module gets what the loader gives."""
        module = self.trainer.lightning_module if self.trainer else None
        ours = module is None or type(module).__module__.startswith("nbmodels.models.")
        return as_pair(batch) if ours else batch


def open_torch(
    name: str, obj: Any, options: dict[str, Any], batch_size: int, seed: int, limit: int | None, task: str | None
) -> L.LightningDataModule:
    """The user's `Dataset`s, `DataLoader`s or data module, with `.facts`; DataError when no sample can be had."""
    check_torch(name, obj, options)
    if isinstance(obj, L.LightningDataModule):
        return _module(name, obj, task)
    obj = splits(obj)
    parts = list(obj) if isinstance(obj, (tuple, list)) else [obj]
    if len(parts) > 3:
        raise InputError(f"{name} has {len(parts)} parts", "Give (train, val, test); each may be a list of loaders.")
    batch = options | {"batch_size": batch_size, "seed": seed}
    if len(parts) == 1:
        return _one(name, parts[0], limit, task, **batch)
    train = _loader(parts[0], batch_size, shuffle=True)
    facts = describe(name, train, task)
    rest = [None if part is None else _loader(part, batch_size, shuffle=False) for part in parts[1:]]
    return Streams(facts, train, *rest)


def check_torch(name: str, obj: Any, options: dict[str, Any]) -> None:
    """Raise what is quick to see of such an object: an unknown option, no samples, a first sample that fails."""
    unknown = [key for key in options if key not in OPTIONS]
    if unknown:
        raise InputError(f"{name} is a {type(obj).__name__} and takes no --{unknown[0]}", "It takes --val and --test.")
    if isinstance(obj, L.LightningDataModule):
        return
    for part in leaves(obj):
        dataset = part.dataset if isinstance(part, DataLoader) else part
        if _is_map(dataset):
            if not len(dataset):
                raise DataError(f"{name} is empty", "Give it samples.")
            _first(name, dataset)


def describe(name: str, loader: Any, task: str | None) -> Facts:
    """Facts from the first batches of a loader: the kind from x's shape, the classes from y.

    x [B, C, H, W] is pictures, [B, F] a table, [B, T] of whole numbers text; y of whole numbers is classes. What is no
    pair of tensors is for a module of the user's own, which asks for no sizes: such facts have no `fills`.
    """
    x, y = _look(name, loader)
    kind: Kind = "image" if x is not None and x.ndim == 4 else "table"
    if x is None or y is _NO_PAIR:
        return Facts(name=name, kind=kind, task=task or "regression")  # type: ignore[arg-type]
    fills: dict[str, Any] = {}
    if x.ndim == 4:
        fills = {"in_channels": x.shape[1], "image_size": x.shape[2], "in_features": x[0].numel()}
    elif x.ndim == 2 and not x.is_floating_point():
        kind, fills = "text", {"vocab_size": int(x.max()) + 1, "sequence_length": x.shape[1]}
    elif x.ndim == 2:
        fills = {"in_features": x.shape[1]}
    if y is None:
        said = task or "autoencoding"
    elif task is None:
        said = "regression" if y.is_floating_point() else "classification" if y.ndim == 1 else "tagging"
    else:
        said = task
    if said in ("classification", "tagging") and y is not None:
        fills["num_classes"] = int(y.max()) + 1
    elif said == "regression" and y is not None:
        fills["out_features"] = 1 if y.ndim == 1 else y.shape[1]
    shades = extremes(as_array(x, name)) if kind == "image" else {}
    return Facts(name=name, kind=kind, task=said, fills={**fills, "task": said}, **shades)  # type: ignore[arg-type]


def check_pairs(facts: Facts, table: bool) -> None:
    """DataError where one of our own models is to learn from what it cannot take.

    Args:
        facts: What the data is.
        table: Whether the model is one of the table, which has a kind of x.
    """
    if not facts.fills:
        raise DataError(f"{facts.name} gives no pairs, and the models take (x, y)", "Give pairs of tensors.")
    if table and not facts.fills.keys() & {"in_channels", "in_features", "vocab_size"}:
        raise DataError(
            f"{facts.name} gives x of a shape that no model takes", "Pictures are [B, C, H, W], tables [B, F]."
        )


def as_pair(batch: Any) -> Any:
    """(x, y) of what a loader gave; y [B] of amounts as [B, 1]; anything else as it is."""
    if isinstance(batch, Tensor):
        return batch, batch
    if isinstance(batch, (tuple, list)) and len(batch) == 1 and isinstance(batch[0], Tensor):
        return batch[0], batch[0]
    if is_pair(batch):
        x, y = batch
        x = x.float() if x.dtype == torch.float64 else x
        y = y.float() if y.dtype == torch.float64 else y
        return x, y[:, None] if y.is_floating_point() and y.ndim == 1 else y
    return batch


def is_pair(batch: Any) -> bool:
    """Whether it is (x, y), both tensors."""
    return isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)


def _one(
    name: str,
    part: Any,
    limit: int | None,
    task: str | None,
    batch_size: int,
    seed: int,
    val: float = 0.1,
    test: float = 0.1,
) -> Streams:
    """One `Dataset` or `DataLoader`, split by a fixed order; what cannot be split is all to train on."""
    dataset, collate, size = part, None, batch_size
    if isinstance(part, DataLoader):
        dataset, collate, size = part.dataset, part.collate_fn, part.batch_size or batch_size
    if not _is_map(dataset):
        loader = _loader(part, batch_size, shuffle=False)
        return Streams(describe(name, loader, task), loader)
    count = len(dataset)
    order = any_order(count)
    first, second = round(count * test), round(count * test) + round(count * val)
    subset: Any = Subset(dataset, order[: LOOK * 50].tolist())  # type: ignore[arg-type]
    shown: Any = DataLoader(subset, batch_size=size, collate_fn=collate)
    facts = describe(name, shown, task)
    train = Items(dataset, facts, order[second:][:limit], collate, batch_size=size, shuffle=True, seed=seed)
    rest = [
        Items(dataset, facts, numbers, collate, batch_size=size) if len(numbers) else None
        for numbers in (order[first:second][:limit], order[:first])
    ]
    return Streams(facts, train, *rest)


def _module(name: str, module: L.LightningDataModule, task: str | None) -> L.LightningDataModule:
    """The user's data module itself, with facts from what it gives; its own `facts` are believed."""
    if not isinstance(getattr(module, "facts", None), Facts):
        module.prepare_data()
        module.setup("fit")
        loader = module.train_dataloader()
        facts = describe(name, loader, task)
        count = getattr(module, "num_classes", None)
        if isinstance(count, int):
            facts = Facts(**{**facts.__dict__, "fills": {**facts.fills, "num_classes": count}})
        module.facts = facts  # type: ignore[attr-defined]
    return module


def _loader(part: Any, batch_size: int, shuffle: bool) -> Any:
    """A loader of a part: what gives batches already stays as it is, in a list or a dictionary too."""
    if isinstance(part, Mapping):
        return {key: _loader(each, batch_size, shuffle) for key, each in part.items()}
    if isinstance(part, (list, tuple)):
        return [_loader(each, batch_size, shuffle) for each in part]
    if isinstance(part, (Dataset, IterableDataset)) or _is_map(part):
        return DataLoader(part, batch_size, shuffle=shuffle and not isinstance(part, IterableDataset))
    return part


def _is_map(part: Any) -> TypeGuard[Any]:
    """Whether it gives a sample a number: torch's own kind of dataset, or one that is so in all but name."""
    loads = isinstance(part, (DataLoader, CombinedLoader, IterableDataset, Mapping, list, tuple))
    return not loads and isinstance(part, Sized) and hasattr(part, "__getitem__")


def leaves(obj: Any) -> list[Any]:
    """The loaders and datasets of lists and dictionaries of them."""
    if isinstance(obj, CombinedLoader):
        return list(obj.flattened)
    parts = obj.values() if isinstance(obj, Mapping) else obj if isinstance(obj, (list, tuple)) else None
    return [obj] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def _look(name: str, loader: Any) -> tuple[Tensor | None, Any]:
    """The first x, and all y of the first batches: None where x stands alone, _NO_PAIR where there is no such pair."""
    first, answers = None, []
    for number, batch in enumerate(_to_look_at(leaves(loader)[0])):
        if not is_pair(pair := as_pair(batch)) or len(leaves(loader)) > 1:
            return first_tensor(batch), _NO_PAIR
        x, y = pair
        first = x if first is None else first
        if y is x or number >= LOOK:
            break
        answers.append(y)
    if first is None:
        raise DataError(f"{name} gives no batch", "Give it samples.")
    try:
        return first, torch.cat(answers) if answers else None
    except (RuntimeError, TypeError):  # answers of other shapes from batch to batch
        return first, _NO_PAIR


def _to_look_at(loader: Any) -> Any:
    """The loader, or a copy of one that remembers how far it was read."""
    dataset = getattr(loader, "dataset", None)
    if isinstance(loader, DataLoader) and not isinstance(dataset, IterableDataset) and type(loader) is DataLoader:
        return loader
    try:
        return copy.deepcopy(loader)
    except Exception:
        return loader


def _first(name: str, dataset: Any) -> None:
    """DataError where the first sample cannot be had."""
    try:
        dataset[0]
    except Exception as error:
        raise DataError(f"{name}[0] fails: {type(error).__name__}: {error}", "Mend the Dataset first.") from None
