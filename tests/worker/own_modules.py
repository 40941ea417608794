"""Modules of a user's own that log in every form that Lightning has, for `test_own_record` and its worker processes."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import lightning.pytorch as L
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

FEATURES, CLASSES = 6, 3


def pairs(count: int = 70, seed: int = 0) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, FEATURES, generator=generator)
    return TensorDataset(x, (x[:, 0] * 2 + x[:, 1]).abs().long().clamp(max=CLASSES - 1))


def loaders() -> tuple[Any, Any]:
    """A loader that shuffles by the global generator and keeps no state, and one to validate on."""
    return DataLoader(pairs(), 8, shuffle=True), DataLoader(pairs(33, 1), 8)


class Base(L.LightningModule):
    """A small network with dropout, so that the random generators matter."""

    form: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, CLASSES))

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, **self.form)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), 1e-2)


class Dictionaries(Base):
    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        loss = self.loss(batch)
        self.log_dict({"train/a": loss, "train/b": loss * 2, "c": batch_idx}, on_step=True, on_epoch=True)
        self.log_dict({"hidden": loss}, logger=False, on_epoch=True)
        return {"loss": loss, "other": loss.detach()}


class Hooks(Base):
    """Logs from every hook that may, and keeps lists and counters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[Tensor] = []
        self.window: deque[float] = deque(maxlen=5)
        self.seen = 0
        self.smooth: Tensor | None = None

    def on_train_start(self) -> None:
        self.log("at_start", 1.0, reduce_fx="sum")

    def on_train_epoch_start(self) -> None:
        self.log("epoch_start", float(self.current_epoch))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.log("batch_start", float(batch_idx), on_step=True, on_epoch=True)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.outputs.append(loss.detach())
        self.window.append(float(loss))
        self.seen += len(batch[0])
        if batch_idx % 3 == 0:
            self.log("sometimes", loss, on_step=True, on_epoch=True, reduce_fx="max")
        return loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.log("grad", self.net[0].weight.grad.norm(), on_epoch=True)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        before = outputs["loss"] if self.smooth is None else self.smooth
        self.smooth = 0.9 * before + 0.1 * outputs["loss"]
        self.log("smooth", self.smooth)
        if batch_idx % 4 == 0 and self.logger:
            self.logger.log_metrics({"direct": float(self.seen)}, step=self.global_step)

    def on_train_epoch_end(self) -> None:
        self.log("mean_of_list", torch.stack(self.outputs).mean())
        self.log("window", sum(self.window) / len(self.window), prog_bar=True)
        self.log("seen", float(self.seen))
        self.outputs.clear()

    def on_validation_epoch_end(self) -> None:
        self.log("val_end", float(self.seen))


class Reductions(Base):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        for reduce in ("mean", "sum", "min", "max"):
            self.log(f"{reduce}_only", loss, on_step=False, on_epoch=True, reduce_fx=reduce)
            self.log(f"{reduce}_both", loss, on_step=True, on_epoch=True, reduce_fx=reduce, sync_dist=True)
        self.log("sized", loss, on_epoch=True, batch_size=batch_idx + 1)
        self.log("lr", self.optimizers().param_groups[0]["lr"], prog_bar=True)
        self.log("epoch", float(self.current_epoch) + 0.5)
        return loss


class Metrics(Base):
    def __init__(self) -> None:
        super().__init__()
        self.accuracy = torchmetrics.Accuracy("multiclass", num_classes=CLASSES)
        self.average = torchmetrics.MeanMetric()
        names = {"acc": self.accuracy.clone(), "f1": torchmetrics.F1Score("multiclass", num_classes=CLASSES)}
        self.many = torchmetrics.MetricCollection(names, prefix="many_")
        self.val_accuracy = self.accuracy.clone()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        out = self.net(batch[0])
        loss = F.cross_entropy(out, batch[1])
        self.accuracy(out, batch[1])
        self.average.update(loss.detach())
        self.many.update(out, batch[1])
        self.log("acc", self.accuracy, on_step=True, on_epoch=True)
        self.log("average", self.average, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log_dict(self.many.compute())
        self.many.reset()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.val_accuracy(self.net(batch[0]), batch[1])
        self.log("val_acc", self.val_accuracy, on_step=True, on_epoch=True)


class SeveralLoaders(Base):
    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        loss = self.loss(batch)
        self.log("val_loss", loss)
        self.log("val_step", loss, on_step=True)
        self.log(f"val_own_{dataloader_idx}", loss, add_dataloader_idx=False)


class Manual(Base):
    """Two optimisers, one of them over gradients summed up from several steps."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        first, second = self.optimizers()
        loss = self.loss(batch)
        self.manual_backward(loss)
        first.step()
        first.zero_grad()
        if (batch_idx + 1) % 3 == 0:
            second.step()
            second.zero_grad()
            self.lr_schedulers().step()
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> Any:
        second = torch.optim.SGD(self.net[3].parameters(), 0.05, momentum=0.9)
        return [torch.optim.Adam(self.net[0].parameters(), 1e-2), second], [
            torch.optim.lr_scheduler.StepLR(second, 5, 0.5)
        ]


class Plateau(Base):
    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.5)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        assert isinstance(loss, Tensor)
        self.log("before", self.trainer.callback_metrics.get("val_loss", torch.tensor(-1.0)))
        return loss


class Averaged(Base):
    """A moving average of the weights, taken after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(8, FEATURES))

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.lerp_(self.net[0].weight.detach(), 0.1)
        self.log("distance", (self.average - self.net[0].weight).norm())


class Accumulated(Base):
    def configure_callbacks(self) -> list[L.Callback]:
        return [L.callbacks.GradientAccumulationScheduler({0: 2, 1: 3})]


class Values(Base):
    """Names that are also ours, and values that are no numbers."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log_dict({"time": loss, "samples": loss * 3, "val_loss_of_train": loss}, on_step=True, on_epoch=True)
        self.log("nan", float("nan") if batch_idx == 2 else 1.0)
        self.log("inf", float("-inf"), on_epoch=True)
        if batch_idx == 3 and self.logger:
            self.logger.log_metrics({"without_step": 1.0})
        return loss


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "step": {"on_step": True},
    "epoch": {"on_step": False, "on_epoch": True},
    "both": {"on_step": True, "on_epoch": True, "prog_bar": True, "sync_dist": True},
    "hidden": {"logger": False, "on_epoch": True},
}
MODULES: dict[str, Any] = {
    **{name: type(name, (Base,), {"form": form}) for name, form in FORMS.items()},
    **{cls.__name__: cls for cls in (Dictionaries, Hooks, Reductions, Metrics, SeveralLoaders, Manual, Plateau)},
    **{cls.__name__: cls for cls in (Averaged, Accumulated, Values)},
}


def data(name: str) -> tuple[Any, Any]:
    """The loaders of a module's training."""
    train, val = loaders()
    return train, [val, DataLoader(pairs(20, 2), 8)] if name == "SeveralLoaders" else val
