"""Convolutional network: three 3×3 convolutions with 2×2 max pooling between them, then two dense layers.

The family of LeCun et al., "Gradient-based learning applied to document recognition" (1998), in the shape that the
Keras and TensorFlow tutorials made classic: 32-64-64 channels, dense 64.

    input   [B, C, S, S] pictures
    output  [B, K] logits of the classes
    93,322 parameters at the defaults

The ReLU comes after the pooling: both are monotone, so max(relu(x)) = relu(max(x)), on a quarter of the values. The
picture's channels lie last in memory, which is what the CPU's and the GPU's convolutions like best.

Shapes: B batch, C channels, S side of the picture, K classes.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolution(nn.Module):
    """One 3×3 convolution, max pooling where asked, ReLU: [B, inputs, S, S] -> [B, outputs, S', S']."""

    def __init__(self, inputs: int, outputs: int, padding: str, pool: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=padding)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        nn.init.kaiming_uniform_(self.convolution.weight, nonlinearity="relu")
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, S, S] -> [B, outputs, S', S']; `S'` is S, less 2 without padding, halved by the pooling."""
        return F.relu(self.pool(self.convolution(x)))


def plan(side: int, convolutions: int, padding: str) -> tuple[list[bool], int]:
    """After which convolutions to pool, and the picture's side at the end; ValueError when nothing is left of it.

    There is no pooling after the last, nor where the convolutions still to come would find no pixel.
    """
    lost = 2 if padding == "valid" else 0  # pixels of the side, at every convolution
    if side <= lost * convolutions:
        need = lost * convolutions + 1
        raise ValueError(
            f"{convolutions} convolutions without padding need pictures of at least {need}×{need} pixels, "
            f"these have {side}×{side}; try padding='same'"
        )
    pools = []
    for to_come in reversed(range(convolutions)):
        side -= lost
        pools.append(to_come > 0 and side // 2 > lost * to_come)
        side = side // 2 if pools[-1] else side
    return pools, side


class CNN(L.LightningModule):
    """Convolutional network for pictures

    Three 3×3 convolutions of 32, 64 and 64 channels, 2×2 max pooling after each but the last, and two dense layers.
    On pictures as small as the 8×8 digits, a pooling is left out where the convolutions after it would
    find nothing to work on.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        num_classes: Classes to tell apart, at least 2.
        channels: Channels of every convolution, each at least 1.
        padding: Shrink the picture by two pixels at every convolution (valid), or pad it with zeros (same).
        dense: Width of the dense layer before the last, at least 1.
        dropout: Share of the dense layer's inputs set to zero in training, in [0, 1).
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification",)
    metric = "accuracy"
    default_data = "digits"
    recipe = {"epochs": 8, "batch_size": 32, "schedule": "one-cycle", "precision": "auto"}
    head_layers = ("head",)
    paper = "LeCun et al. 1998, Gradient-based learning applied to document recognition"
    formula = r"h_l = \mathrm{relu}(\mathrm{maxpool}(W_l * h_{l-1} + b_l))"

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 10,
        channels: tuple[int, ...] = (32, 64, 64),
        padding: Literal["valid", "same"] = "valid",
        dense: int = 64,
        dropout: float = 0.0,
        lr: float = 3e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        pools, side = plan(image_size, len(channels), padding)
        widths = [in_channels, *channels]
        blocks = [Convolution(a, b, padding, pool) for a, b, pool in zip(widths, channels, pools, strict=False)]
        self.convolutions = nn.Sequential(*blocks)
        self.dense = nn.Linear(widths[-1] * side * side, dense)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(dense, num_classes)
        nn.init.kaiming_uniform_(self.dense.weight, nonlinearity="relu")
        nn.init.zeros_(self.dense.bias)
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, in_channels, image_size, image_size)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, K] logits."""
        x = self.convolutions(x.contiguous(memory_format=torch.channels_last))  # -> [B, channels, S', S']
        x = F.relu(self.dense(self.dropout(x.flatten(1))))  # -> [B, dense]
        return self.head(x)  # -> [B, K]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the cross-entropy in nats."""
        x, y = batch
        logits = self(x).float()  # [B, K]; whole floats also in mixed precision
        loss = F.cross_entropy(logits, y)
        self.log(f"{stage}/loss", loss, batch_size=len(x))
        self.log(f"{stage}/accuracy", (logits.argmax(dim=1) == y).float().mean(), batch_size=len(x))
        return loss

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities of the classes [B, K]."""
        return self(x).softmax(dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)
