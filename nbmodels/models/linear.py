"""Linear model: softmax regression for classes, least squares for numbers.

Least squares is Legendre's (1805); softmax regression is Cox's (1958) for K classes. Both are one affine map,
fitted here by gradient descent.

    input   [B, F], or whatever flattens to it: pictures [B, C, H, W] with C·H·W = F
    output  [B, K] logits of the classes, or the predicted numbers
    7,850 parameters at the defaults: 784·10 weights and 10 biases

Shapes: B batch, F features, K classes or predicted numbers, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.r_squared import RSquared


class Linear(L.LightningModule):
    """Linear model: softmax regression, or linear regression

    One weight from every input to every output and nothing between: the figure that deeper models have to beat.
    In regression the targets' mean and spread are read off the first batch and the errors measured in that spread:
    least squares keeps its solution, and one learning rate serves every unit. `loss` is the squared error in it;
    `mae`, and what the model predicts, are in the target's own units; `r2` is the share of their variance explained.

    Args:
        in_features: Numbers in one input, at least 1.
        task: What to predict, a class or numbers.
        num_classes: Classes to tell apart, at least 2.
        out_features: Numbers to predict in a regression, at least 1.
        lr: Learning rate, above 0.
    """

    accepts = ("table", "image")
    tasks = ("classification", "regression")
    metric = "accuracy"  # in a regression the instance says "mae"
    default_data = "digits"
    recipe = {"epochs": 20, "batch_size": 32, "schedule": "cosine"}
    head_layers = ()  # it is one layer
    paper = "Cox 1958, The regression analysis of binary sequences"
    formula = r"p(y = k \mid x) = \mathrm{softmax}(W x + b)_k, \qquad \hat y = W x + b"

    def __init__(
        self,
        in_features: int = 784,
        task: Literal["classification", "regression"] = "classification",
        num_classes: int = 10,
        out_features: int = 1,
        lr: float = 1e-2,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.classifies = task == "classification"
        self.metric = "accuracy" if self.classifies else "mae"
        outputs = num_classes if self.classifies else out_features
        self.network = nn.Linear(in_features, outputs)
        nn.init.zeros_(self.network.weight)  # the problem is convex: zero favours no input
        nn.init.zeros_(self.network.bias)
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
        outputs = self.network(x.flatten(1))  # [B, ...] -> [B, F] -> [B, K]
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
