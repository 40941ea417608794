"""Multilayer perceptron: dense layers with a nonlinearity between them.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (Nature, 1986), with the
initialisation of He et al. (2015) and dropout of Srivastava et al. (2014).

    input   [B, F], or whatever flattens to it: pictures [B, C, H, W] with C·H·W = F
    output  [B, K] logits of the classes, or the predicted numbers
    247,766 parameters at the defaults: 784 -> 256 -> 128 -> 100 -> 10

Shapes: B batch, F features, K classes or predicted numbers, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.r_squared import RSquared

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Layer(nn.Module):
    """One hidden layer: [B, inputs] -> [B, outputs]."""

    def __init__(self, inputs: int, outputs: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        if activation in ("tanh", "sigmoid"):
            nn.init.xavier_uniform_(self.linear.weight)
        else:
            nn.init.kaiming_uniform_(self.linear.weight, nonlinearity="relu")
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]."""
        return self.dropout(self.activation(self.linear(x)))


class MLP(L.LightningModule):
    """Multilayer perceptron for classes or numbers

    Dense layers with a nonlinearity between them. In regression the targets' mean and spread are read off the
    first batch and the errors measured in that spread, so that one learning rate serves every unit. `loss` is the
    squared error in it; `mae`, and what the model predicts, are in the target's own units; `r2` is the share of their
    variance explained.

    Args:
        in_features: Numbers in one input, at least 1.
        task: What to predict, a class or numbers.
        num_classes: Classes to tell apart, at least 2.
        out_features: Numbers to predict in a regression, at least 1.
        hidden: Width of every hidden layer, each at least 1.
        activation: Nonlinearity after every hidden layer.
        dropout: Share of hidden values set to zero in training, in [0, 1).
        lr: Learning rate, above 0.
    """

    accepts = ("table", "image")
    tasks = ("classification", "regression")
    metric = "accuracy"  # in a regression the instance says "mae"
    default_data = "digits"
    recipe = {"epochs": 15, "batch_size": 64, "schedule": "one-cycle"}
    head_layers = ("network.-1", "center", "spread", "measured")
    paper = "Rumelhart et al. 1986, Learning representations by back-propagating errors"
    formula = r"h_l = \phi(W_l h_{l-1} + b_l), \qquad \hat y = W h_L + b"

    def __init__(
        self,
        in_features: int = 784,
        task: Literal["classification", "regression"] = "classification",
        num_classes: int = 10,
        out_features: int = 1,
        hidden: tuple[int, ...] = (256, 128, 100),
        activation: Literal["relu", "gelu", "silu", "tanh", "sigmoid"] = "relu",
        dropout: float = 0.0,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.classifies = task == "classification"
        self.metric = "accuracy" if self.classifies else "mae"
        outputs = num_classes if self.classifies else out_features
        widths = [in_features, *hidden]
        layers = [Layer(a, b, activation, dropout) for a, b in zip(widths, widths[1:], strict=False)]
        self.network = nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-1], outputs))
        self.center: Tensor
        self.spread: Tensor
        self.measured: Tensor
        self.register_buffer("center", torch.zeros(outputs))
        self.register_buffer("spread", torch.ones(outputs))
        self.register_buffer("measured", torch.tensor(False))
        self.r2 = RSquared()
        self.example_input_array = torch.zeros(1, in_features)

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] inputs -> [B, K] logits of the classes, or numbers in the target's own units."""
        outputs = self.network(x)  # [B, ...] -> [B, F] -> [B, K]
        return outputs if self.classifies else outputs * self.spread + self.center

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch; the first batch of a regression also fixes the units."""
        if batch_idx == 0 and not self.classifies and not self.measured:
            self.measure(batch[1])
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the metric of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the metric of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the loss: cross-entropy in nats, or squared error in units of the spread."""
        x, y = batch
        outputs = self(x).float()  # [B, K]; whole floats also in mixed precision
        if self.classifies:
            loss = F.cross_entropy(outputs, y)
            metric = (outputs.argmax(dim=1) == y).float().mean()
        else:
            y = y.view_as(outputs)  # [B] of a user's loader -> [B, 1], or broadcasting would compare all with all
            loss = F.mse_loss(outputs / self.spread, y / self.spread)
            metric = F.l1_loss(outputs.detach(), y)
            if stage != "train":
                self.r2.add(outputs, y)
        self.log(f"{stage}/loss", loss, batch_size=len(x))
        self.log(f"{stage}/{self.metric}", metric, batch_size=len(x))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin to collect what R² is of."""
        self.r2.reset()

    def on_test_epoch_start(self) -> None:
        """Begin to collect what R² is of."""
        self.r2.reset()

    def on_validation_epoch_end(self) -> None:
        """Log R² of the validation data."""
        self.log_r2("val")

    def on_test_epoch_end(self) -> None:
        """Log R² of the test data."""
        self.log_r2("test")

    def log_r2(self, stage: str) -> None:
        """Log the share of the targets' variance that is explained; nothing where there is none to explain."""
        share = self.r2.compute()
        if share is not None:
            self.log(f"{stage}/r2", share)

    def measure(self, y: Tensor) -> None:
        """Take the center and the spread of the targets [B, K]; a constant target has a spread of one."""
        spread = y.std(dim=0, correction=0)
        self.center.copy_(y.mean(dim=0))
        self.spread.copy_(spread.where(spread > 0, 1.0))
        self.measured.fill_(True)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities of the classes [B, K], or the predicted numbers [B, K]."""
        return self(x).softmax(dim=1) if self.classifies else self(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)
