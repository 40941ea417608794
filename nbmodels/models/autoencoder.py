"""Autoencoder: dense layers squeeze a picture into a short code, their mirror paints it again from the code.

Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks" (Science, 2006), trained from
end to end in place of their stacked Boltzmann machines, with GELU (Hendrycks and Gimpel, 2016), which unlike ReLU
leaves no value of a short code dead.

    input   [B, C, S, S] pictures
    output  [B, C, S, S] reconstructions
    402,448 parameters at the defaults: 784 -> 256 -> 784

Shapes: B batch, C channels, S side of the picture, D length of the code.
"""

from __future__ import annotations

from itertools import pairwise

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def stack(widths: list[int]) -> nn.Sequential:
    """Dense layers of these widths with a GELU between any two: [B, widths[0]] -> [B, widths[-1]]."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.GELU()]
    return nn.Sequential(*layers[:-1])


class Autoencoder(L.LightningModule):
    """Autoencoder for pictures

    A picture is squeezed through a narrow layer and painted again; the narrow layer's values are its code. The way
    back mirrors the way there. A picture of less than 768 values gets a code a third as long. The loss is the mean
    squared error of a pixel, which reads the same for grey and coloured pictures of any size.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        hidden: Widths from the picture to the code, each at least 1; empty means one of 256, less for small pictures.
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification", "regression", "autoencoding")
    metric = "loss"
    default_data = "digits"
    recipe = {"epochs": 30, "batch_size": 32, "schedule": "cosine", "precision": "auto"}
    head_layers = ()
    paper = "Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks"
    formula = r"\hat x = g(f(x)), \qquad L = \tfrac{1}{CS^2} \lVert x - \hat x \rVert^2"

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        hidden: tuple[int, ...] | None = None,
        lr: float = 5e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.picture = (in_channels, image_size, image_size)
        values = in_channels * image_size * image_size
        widths = [values, *(hidden or (min(256, values // 3),))]
        self.encoder = stack(widths)
        self.decoder = stack(widths[::-1])
        self.example_input_array = torch.zeros(1, *self.picture)

    def encode(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, D] codes."""
        return F.gelu(self.encoder(x.flatten(1)))

    def decode(self, code: Tensor) -> Tensor:
        """[B, D] codes -> [B, C, S, S] pictures."""
        return self.decoder(code).view(-1, *self.picture)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, C, S, S] reconstructions."""
        return self.decode(self.encode(x))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the mean squared error of a pixel; what the pictures show (y) is not looked at."""
        x, _ = batch
        loss = F.mse_loss(self(x).float(), x)
        self.log(f"{stage}/loss", loss, batch_size=len(x))
        return loss

    def samples(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Up to eight pictures, each above its reconstruction: [N, C, 2·S, S] in 0..1."""
        x = batch[0][:8]
        return torch.cat([x, self(x)], dim=2).clamp(0, 1)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """[B, C, S, S] reconstructions."""
        return self(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)
