"""A task around a plain `nn.Module`, so that a network defined in a cell trains as ours do.

Shapes: B batch, K outputs, T steps. The module maps x [B, …] to:

    classification       logits [B, K], y: class numbers [B]
    regression           numbers [B, K], y: numbers [B, K]
    autoencoding         a reconstruction of x's own shape
    language-modelling   logits [B, T, K], y: the next tokens [B, T]
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.r_squared import RSquared

TASKS = ("classification", "regression", "autoencoding", "language-modelling")


class Own(L.LightningModule):
    """The Lightning side of a plain network: loss, metric and optimiser of its task.

    Args:
        network: The module that maps x to the task's outputs.
        task: What the outputs are.
        lr: Learning rate, above 0.
    """

    def __init__(self, network: nn.Module, task: str = "classification", lr: float = 1e-3) -> None:
        super().__init__()
        if task not in TASKS:
            raise ValueError(f"task {task!r} is none of {', '.join(TASKS)}")
        self.network, self.task, self.lr = network, task, lr
        self.metric = {"classification": "accuracy", "regression": "mae"}.get(task, "loss")
        self.r2 = RSquared()

    def forward(self, x: Tensor) -> Tensor:
        """The network's own outputs."""
        out: Tensor = self.network(x)
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The task's loss on a batch (x, y)."""
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Loss and metric on held-out data."""
        self._step(batch, "val", batch_size=len(batch[0]))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Loss and metric on the test data."""
        self._step(batch, "test", batch_size=len(batch[0]))

    def on_validation_epoch_start(self) -> None:
        """Begin to collect what R² is of."""
        self.r2.reset()

    def on_test_epoch_start(self) -> None:
        """Begin to collect what R² is of."""
        self.r2.reset()

    def on_validation_epoch_end(self) -> None:
        """In a regression, log the share of the variance that is explained."""
        self._log_r2("val")

    def on_test_epoch_end(self) -> None:
        """In a regression, log the share of the variance that is explained."""
        self._log_r2("test")

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities for classification, the outputs as they are otherwise."""
        out = self(x)
        return out.softmax(-1) if self.task == "classification" else out

    def samples(self, batch: Any) -> Tensor | None:
        """Pictures above their reconstructions, when the task makes some."""
        x = batch[0][:8]
        if self.task != "autoencoding" or x.dim() != 4:
            return None
        return torch.cat([x, self(x).reshape(x.shape)], dim=2)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on everything."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr)

    def _log_r2(self, split: str) -> None:
        share = self.r2.compute()
        if share is not None:
            self.log(f"{split}/r2", share)

    def _step(self, batch: Any, split: str, **log: Any) -> Tensor:
        x, y = batch
        out = self(x).float()  # losses in whole floats also in mixed precision
        if self.task == "classification":
            loss = F.cross_entropy(out, y)
            self.log(f"{split}/accuracy", (out.argmax(-1) == y).float().mean(), **log)
        elif self.task == "regression":
            out = out.reshape(y.shape)
            loss = F.mse_loss(out, y)
            self.log(f"{split}/mae", F.l1_loss(out, y), **log)
            if split != "train":
                self.r2.add(out, y)
        elif self.task == "autoencoding":
            loss = F.mse_loss(out.reshape(x.shape), x)
        else:
            loss = F.cross_entropy(out.flatten(0, 1), y.flatten())
        self.log(f"{split}/loss", loss, **log)
        return loss
