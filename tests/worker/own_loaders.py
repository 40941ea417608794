"""Loaders of a user's own, of every make that Lightning takes, for `test_own_loaders` and its worker processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

FEATURES = 6


class Module(L.LightningModule):
    """Learns from the first tensor of whatever it is given, and draws random numbers for it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(FEATURES, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = sum(self.net(x).square().mean() for x in tensors(batch))
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=4)
        return loss

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.log("val_loss", sum(self.net(x).square().mean() for x in tensors(batch)), batch_size=4)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.log("test_loss", sum(self.net(x).square().mean() for x in tensors(batch)), batch_size=4)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), 1e-2)


def tensors(batch: Any) -> list[Tensor]:
    """Every float tensor of a batch [B, F]."""
    if isinstance(batch, Tensor):
        return [batch] if batch.is_floating_point() and batch.shape[-1] == FEATURES else []
    if dataclasses.is_dataclass(batch):
        batch = vars(batch)
    parts = batch.values() if hasattr(batch, "values") else batch if isinstance(batch, (list, tuple)) else ()
    return [found for part in parts for found in tensors(part)]


def values(count: int = 44, seed: int = 0) -> Tensor:
    return torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed))


class Rows(Dataset):
    """Dictionaries, changed at random by the global generators, as augmentations do."""

    def __init__(self, count: int = 44) -> None:
        self.x = values(count)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, number: int) -> dict[str, Any]:
        x = self.x[number] + 0.1 * torch.randn(FEATURES) + float(np.random.normal(0, 0.1))
        return {"x": x, "number": number, "name": f"row {number}", "more": {"deep": (x * 2, [x])}}


class Stream(IterableDataset):
    """Of no length."""

    def __iter__(self) -> Iterator[Tensor]:
        for number in torch.randperm(22).tolist():
            yield values()[number]


class Counts:
    """A loader of the user's own that says where it stands, of a length."""

    def __init__(self, count: int = 9) -> None:
        self.count, self.epoch, self.position, self.loaded = count, 0, 0, False

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        if not self.loaded and self.position:
            self.epoch, self.position = self.epoch + 1, 0
        self.loaded = False
        while self.position < self.count:
            self.position += 1
            yield {"x": values(4, 1000 * self.epoch + self.position)}

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epoch, self.position = state["epoch"], state["position"]
        self.loaded = self.position < self.count


class CountsSized(Counts):
    def __len__(self) -> int:
        return self.count


class Plain:
    """A loader without a state: new numbers every time, from the global generator."""

    def __iter__(self) -> Iterator[list[Tensor]]:
        for _ in range(7):
            yield [torch.randn(4, FEATURES)]


class MapOnly:
    """A dataset in all but name."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        if not 0 <= number < 40:
            raise IndexError(number)
        return {"x": values()[number]}


@dataclasses.dataclass
class Sample:
    x: Tensor
    y: Tensor
    note: str = ""

    def pin_memory(self) -> Sample:
        return self


def as_dataclass(samples: list[Any]) -> Sample:
    x = torch.stack([each[0] for each in samples])
    return Sample(x, x.sum(1))


def encoded(samples: list[Any]) -> Any:
    from transformers import BatchEncoding

    return BatchEncoding({"x": torch.stack([each[0] for each in samples]), "ids": torch.zeros(len(samples), 3)})


class Own(L.LightningDataModule):
    def __init__(self) -> None:
        super().__init__()
        self.prepared = False

    def setup(self, stage: str) -> None:
        self.train, self.val = torch.utils.data.random_split(TensorDataset(values()), [34, 10])

    def train_dataloader(self) -> Any:
        return {"a": DataLoader(self.train, 4, shuffle=True), "b": DataLoader(Rows(20), 4, shuffle=True)}

    def val_dataloader(self) -> Any:
        return [DataLoader(self.val, 4), DataLoader(Rows(12), 4)]


def tables(count: int = 44, seed: int = 0) -> TensorDataset:
    return TensorDataset(values(count, seed))


def shuffled(count: int = 44) -> DataLoader[Any]:
    return DataLoader(tables(count), 4, shuffle=True)


def hugging_face() -> Any:
    import datasets
    import pyarrow

    rows = {"x": values().tolist(), "label": [number % 3 for number in range(44)], "text": ["a"] * 44}
    table = datasets.table.InMemoryTable(pyarrow.table(rows))
    return datasets.Dataset(table, fingerprint="rows").with_format("torch")  # a name spares it the hashing by dill


def held_out() -> Any:
    return DataLoader(tables(18, 1), 4)


LOADERS: dict[str, Callable[[], Any]] = {
    "dictionaries": lambda: (DataLoader(Rows(), 4, shuffle=True), DataLoader(Rows(12), 4)),
    "workers": lambda: (DataLoader(Rows(), 4, shuffle=True, num_workers=2), held_out()),
    "dataclass": lambda: (DataLoader(tables(), 4, shuffle=True, collate_fn=as_dataclass), held_out()),
    "encoding": lambda: (DataLoader(tables(), 4, shuffle=True, collate_fn=encoded), held_out()),
    "list": lambda: ([shuffled(), shuffled(20)], held_out()),
    "dictionary": lambda: ({"a": shuffled(), "b": DataLoader(Rows(20), 4, shuffle=True)}, held_out()),
    "combined": lambda: (CombinedLoader({"a": shuffled(), "b": [shuffled(20)]}, "max_size_cycle"), held_out()),
    "shortest": lambda: (CombinedLoader([shuffled(), shuffled(30)], "min_size"), held_out()),
    "mixed": lambda: ({"a": shuffled(), "b": CountsSized()}, held_out()),
    "stream": lambda: (DataLoader(Stream(), 3), held_out()),
    "state": lambda: (Counts(), held_out()),
    "sized state": lambda: (CountsSized(), held_out()),
    "two states": lambda: ([CountsSized(), CountsSized(5)], held_out()),
    "plain": lambda: (Plain(), Plain()),
    "several": lambda: (shuffled(), [held_out(), DataLoader(Rows(12), 4)]),
    "module": lambda: Own(),
    "hugging face": lambda: (DataLoader(hugging_face(), 4, shuffle=True), held_out()),
}
