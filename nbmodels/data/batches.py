"""Batches out of memory: one index operation each, and exact to resume in the middle of an epoch.

B samples a batch; images [B, C, H, W], tables [B, F], token numbers [B, T].
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from torch import Tensor

from nbmodels.data.dataset import DataSet, Split
from nbmodels.data.facts import WRITTEN, Facts
from nbmodels.errors import DataError

Pair = tuple[Tensor, Tensor]
POOL = 50  # batches among which texts of like length are brought together: the more, the less padding and chance


class Batches:
    """The batches of one split, as a loader that Lightning takes for its own.

    The order is drawn from (seed, epoch) and each augmentation from (seed, epoch, batch), by generators of
    its own: the global random state is never touched, and a loader that loads `state_dict` gives exactly
    the batches that the saved one would have given next.

    Args:
        x: All samples [N, ...]; bytes stay bytes until they are in a batch.
        y: All answers [N] or [N, K]; None means that x is its own answer.
        facts: How x becomes floats: `scale`, `mean`, `std`; text becomes token numbers (long).
        batch_size: Samples a batch, at least 1.
        shuffle: Draw a new order every epoch; otherwise the samples come as they lie.
        seed: Seed of the orders and augmentations.
        augment: Changes x [B, ...] at random, given a generator.
        share: (rank, of): this process takes every `of`-th sample of the order, from the `rank`-th on.
    """

    batch_sampler = None  # Lightning looks for one beside `sampler`

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None,
        facts: Facts,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.x, self.y, self.facts = x, y, facts
        self.batch_size, self.shuffle, self.seed, self.augment, self.share = batch_size, shuffle, seed, augment, share
        self.epoch, self.position = 0, 0  # position: batches of this epoch already given
        self._resumed = False
        self._factor, self._offset = affine(facts, x.device)

    @property
    def sampler(self) -> Batches:
        """Lightning tells a loader's sampler which epoch begins."""
        return self

    @property
    def samples(self) -> int:
        """Samples an epoch gives."""
        return len(self.x) // self.share[1]

    def __len__(self) -> int:
        """Batches an epoch; a last batch of one sample is left out of training: BatchNorm cannot take it."""
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest > 1 or (rest == 1 and not (self.shuffle and whole)))

    def __iter__(self) -> Iterator[Pair]:
        """The batches still to come of this epoch; a second loop begins the next epoch.

        It is a generator, so nothing happens before the first batch is asked for: Lightning makes more
        iterators than it uses.
        """
        if not self._resumed or self.position >= len(self):
            if self.position:
                self.epoch += 1
            self.position = 0
        self._resumed = False
        order = self.begin()
        for batch in range(self.position, len(self)):
            self.position = batch + 1  # before the batch is out: a checkpoint is written while it is in use
            yield self.take(order, batch)

    def begin(self) -> Tensor | None:
        """The order of this epoch [samples], on the samples' device; None means as they lie."""
        rank, world = self.share
        if not self.shuffle:
            return None if world == 1 else torch.arange(rank, world * self.samples, world, device=self.x.device)
        order = torch.randperm(len(self.x), generator=self.generator())
        return order[rank::world][: self.samples].to(self.x.device)

    def take(self, order: Tensor | None, batch: int) -> Pair:
        """Batch number `batch` of the epoch, as the model gets it."""
        part = slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.samples))
        x = self._select(self.x, order, part)
        if self.augment:
            x = self.augment(x, self.generator(batch))
        x = self.finish(x)
        return x, x if self.y is None else self.answers(self._select(self.y, order, part))

    def finish(self, x: Tensor) -> Tensor:
        """Samples as stored -> as the model takes them: long for text, scaled floats for all else."""
        if self.facts.kind == "text":
            return x.long()
        return scaled(x, self._factor, self._offset)

    def answers(self, y: Tensor) -> Tensor:
        """Answers as stored -> as the model takes them: pictures as floats of 0 to 1, texts as long."""
        if self.facts.task == "text-to-image":
            return y.float() / self.facts.scale
        return y.long() if self.facts.task in WRITTEN else y

    def generator(self, *numbers: int) -> torch.Generator:
        """A generator for this epoch (and batch); torch seeds from 32 bits, so they are hashed into 32."""
        words = "/".join(map(str, (self.seed, self.epoch, *numbers)))
        return torch.Generator().manual_seed(zlib.crc32(words.encode()))

    def set_epoch(self, epoch: int) -> None:
        """Begin epoch `epoch`, unless that is the epoch which a loaded state is in the middle of."""
        if epoch != self.epoch or not self._resumed:
            self.epoch, self.position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Where the epoch stands: the state after the last batch given."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.epoch, self.position, self._resumed = state["epoch"], state["position"], True

    @staticmethod
    def _select(values: Tensor, order: Tensor | None, part: slice) -> Tensor:
        return values[part] if order is None else values.index_select(0, order[part])


class Windows(Batches):
    """Batches of a text for language modelling: x [B, T] and y [B, T], the tokens one step on.

    The windows of T + 1 tokens do not overlap, but for the one token that is the answer to a window and
    the beginning of the next. In training, where the first begins (0 to T - 1) and their order are drawn
    from (seed, epoch), so that the cuts fall elsewhere every epoch.

    Args:
        tokens: The whole text as token numbers [N]; one of its own type, such as bytes, is kept.
        length: T, the tokens of a window.
        facts: What the text is.
        limit: Use so many windows only.
    """

    def __init__(self, tokens: Tensor, length: int, facts: Facts, limit: int | None = None, **options: Any) -> None:
        windows = len(tokens) // length - 1  # the last T are for the shift
        if windows < 1:
            raise DataError(
                f"{facts.name} has a split of {len(tokens):,} tokens, too short for windows of {length:,}",
                f"Type --sequence-length {max(1, len(tokens) // 8)} or less.",
            )
        super().__init__(tokens, None, facts, **options)
        self.length, self.windows = length, min(windows, limit or windows)

    @property
    def samples(self) -> int:
        """Windows an epoch."""
        return self.windows // self.share[1]

    def begin(self) -> Tensor:
        """The first token of each window of this epoch [samples]."""
        rank, world = self.share
        first = torch.arange(self.windows) * self.length
        if self.shuffle:
            generator = self.generator()
            first = first + torch.randint(self.length, (1,), generator=generator)
            first = first[torch.randperm(self.windows, generator=generator)]
        return first[rank::world][: self.samples].to(self.x.device)

    def take(self, order: Tensor | None, batch: int) -> Pair:
        """Windows [B, T + 1] by one index operation, seen as x and y."""
        assert order is not None
        first = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        windows = self.x.unfold(0, self.length + 1, 1).index_select(0, first).long()
        return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


class Texts(Batches):
    """Batches of texts with a text each, [B, S] and [B, T], without the columns that are only padding (zeros).

    In training, texts of like length go together, for padding costs as much as words do: the drawn order is sorted by
    length within every 50 batches, and the batches are drawn anew.
    """

    def begin(self) -> Tensor | None:
        """The order of this epoch [samples]; an incomplete batch is the last."""
        order = super().begin()
        if order is None or not self.shuffle or self.y is None:
            return order
        lengths = (self.x != 0).sum(dim=1) * (self.y.shape[1] + 1) + (self.y != 0).sum(dim=1)  # [N]: by x, then by y
        pools = order.split(POOL * self.batch_size)
        order = torch.cat([pool[lengths[pool].argsort(stable=True)] for pool in pools])
        whole = len(order) // self.batch_size
        batches, rest = order[: whole * self.batch_size].view(whole, -1), order[whole * self.batch_size :]
        drawn = torch.randperm(whole, generator=self.generator(0)).to(order.device)
        return torch.cat([batches[drawn].flatten(), rest])

    def take(self, order: Tensor | None, batch: int) -> Pair:
        """Batch number `batch` of the epoch, x and y each as wide as the longest of it."""
        x, y = super().take(order, batch)
        return trimmed(x), trimmed(y)


class InMemory(L.LightningDataModule):
    """A data set in memory as Lightning takes it; it moves to the device when a quarter of the free memory holds it.

    Args:
        dataset: What `load()` of a data set gave, as arrays or tensors.
        batch_size: Samples a batch, at least 1.
        seed: Seed of the order and the augmentation.
        limit: Train on so many samples only, and validate on at most as many; the test stays whole.
    """

    def __init__(self, dataset: DataSet, batch_size: int = 32, seed: int = 0, limit: int | None = None) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.seed, self.limit = dataset, batch_size, seed, limit

    @property
    def facts(self) -> Facts:
        """What the data is, as plain values."""
        return self.dataset.facts

    def train_dataloader(self) -> Batches:
        """Training batches, in a new order every epoch."""
        return self._loader(self.dataset.train, self.limit, shuffle=True, augment=self.dataset.augment)

    def val_dataloader(self) -> Batches | list[Any]:
        """Validation batches; an empty list where there is no validation split."""
        return self._loader(self.dataset.val, self.limit) if len(self.dataset.val[0]) else []

    def test_dataloader(self) -> Batches | list[Any]:
        """Test batches; an empty list where there is no test split."""
        return self._loader(self.dataset.test) if len(self.dataset.test[0]) else []

    def _loader(self, split: Split, limit: int | None = None, shuffle: bool = False, augment: Any = None) -> Batches:
        x, y = (None if part is None else _tensor(part) for part in split)
        assert x is not None
        x, y = _settle((x, y), self._device())
        options: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": shuffle, "seed": self.seed}
        if shuffle and self.trainer is not None:
            options["share"] = (self.trainer.global_rank, self.trainer.world_size)
        if self.facts.task == "language-modelling":
            return Windows(x, self.facts.fills["sequence_length"], self.facts, limit, **options)
        kind = Texts if self.facts.task in WRITTEN else Batches
        return kind(x[:limit], None if y is None else y[:limit], self.facts, augment=augment, **options)

    def _device(self) -> torch.device:
        return torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device


def trimmed(tokens: Tensor) -> Tensor:
    """[B, T] without the columns at the end that are only padding; one column is left at least."""
    return tokens[:, : max(1, int((tokens != 0).sum(dim=1).max()))]


def affine(facts: Facts, device: torch.device | str = "cpu") -> tuple[Tensor | None, Tensor | None]:
    """(x / scale - mean) / std as x * factor + offset; None where there is nothing to do: tables come standardised."""
    if facts.kind != "image":
        return None, None
    values = (facts.mean or (0.0,), facts.std or (1.0,))
    mean, std = (torch.tensor(value, device=device).view(-1, 1, 1) for value in values)
    changed = facts.scale != 1 or bool(facts.std)
    return 1 / (facts.scale * std) if changed else None, -mean / std if facts.mean else None


def scaled(x: Tensor, factor: Tensor | None, offset: Tensor | None) -> Tensor:
    """Samples in the training data's units -> floats as the model takes them, in training and for new inputs alike."""
    x = x.float() if factor is None else x.float().mul(factor)
    return x if offset is None else x.add(offset)


def _tensor(values: Any) -> Tensor:
    """Arrays as tensors, without a copy where the memory may be shared."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.require(values, requirements=("C", "W")))


def _settle(split: tuple[Tensor, Tensor | None], device: torch.device) -> tuple[Tensor, Tensor | None]:
    """The split on the device if a quarter of its free memory holds it; else where it lies."""
    if device.type == "cpu":
        return split
    size = sum(part.nbytes for part in split if part is not None)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 4 << 30
    if size * 4 > free:
        return split
    return split[0].to(device), None if split[1] is None else split[1].to(device)
