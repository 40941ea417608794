"""VGG: a deep, plain row of 3×3 convolutions; five times the picture is halved, and the channels are doubled.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014), with the batch
norm of Ioffe and Szegedy (2015) after every convolution, unless it is switched off. The weights are named as
torchvision names them.

    input   [B, C, S, S] pictures, values 0 to 1
    output  [B, K] logits of the classes
    1,341,818 parameters at the defaults; VGG 16 as published (3 channels, 224 pixels, 1,000 classes, no norm) has
    138,357,544

For pictures of less than 96 pixels the network is narrower than the paper's, its classifier sees one pixel instead of
7×7, and a pooling of an odd side keeps the last row and column: 28 -> 14 -> 7 -> 4 -> 2 -> 1.

Shapes: B batch, C channels of the picture, S its side, W width of the first stage, D width of a dense layer, K classes.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.pretrained import Normalise, load, read_weights

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions a stage
LARGE = 96  # pixels a side from which on the network is the paper's
DECAY = 0.05  # of the weights a step, times the learning rate
FILES = {
    "vgg11": "vgg11-8a719046.pth",
    "vgg13": "vgg13-19584684.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg11_bn": "vgg11_bn-6002323d.pth",
    "vgg13_bn": "vgg13_bn-abd245e5.pth",
    "vgg16_bn": "vgg16_bn-6c64b313.pth",
    "vgg19_bn": "vgg19_bn-c79401a0.pth",
}


def convolutions(inputs: int, depth: int, width: int, norm: bool, ceil: bool) -> nn.Sequential:
    """All that comes before the classifier: [B, inputs, S, S] -> [B, 8·W, S / 32, S / 32]."""
    layers: list[nn.Module] = []
    for stage, count in enumerate(STAGES[depth]):
        outputs = width * min(2**stage, 8)
        for _ in range(count):
            layers.append(nn.Conv2d(inputs, outputs, kernel_size=3, padding=1))
            layers += [nn.BatchNorm2d(outputs)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            inputs = outputs
        layers.append(nn.MaxPool2d(2, ceil_mode=ceil))
    return nn.Sequential(*layers)


class VGG(L.LightningModule):
    """VGG for pictures: 11, 13, 16 or 19 layers

    Five stages of 3×3 convolutions, each followed by 2×2 max pooling, then three dense layers. Two 3×3
    convolutions see as much as one of 5×5 and cost less, with a non-linearity more.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        num_classes: Classes to tell apart, at least 2.
        depth: Layers that have weights.
        norm: Batch norm after every convolution.
        width: Channels of the first stage, at least 1; empty means 64 as published, fewer below 96 pixels.
        dense: Width of the two dense layers, at least 1; empty means 4,096 as published, less below 96 pixels.
        dropout: Share of the dense layers' values set to zero in training, in [0, 1).
        pretrained: Weights to start from: a file, or torchvision's name of them such as vgg16_bn.
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification",)
    metric = "accuracy"
    default_data = "fashion-mnist"
    recipe = {"epochs": 5, "batch_size": 128, "schedule": "one-cycle", "precision": "auto"}
    head_layers = ("classifier.-1",)
    paper = "Simonyan & Zisserman 2014, Very deep convolutional networks for large-scale image recognition"
    formula = r"h_l = \mathrm{relu}(\mathrm{norm}(W_l * h_{l-1} + b_l)), \quad W_l: 3 \times 3"

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 10,
        depth: Literal[11, 13, 16, 19] = 11,
        norm: bool = True,
        width: int | None = None,
        dense: int | None = None,
        dropout: float = 0.5,
        pretrained: str | None = None,
        lr: float = 4e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        large = pretrained is not None or image_size >= LARGE
        width, dense = width or (64 if large else 24), dense or (4096 if large else 128)
        self.normalise = Normalise() if pretrained is not None else nn.Identity()
        self.features = convolutions(
            3 if pretrained is not None else in_channels, depth, width, norm, image_size < LARGE
        )
        self.avgpool = nn.AdaptiveAvgPool2d(7 if large else 1)
        self.classifier = nn.Sequential(
            nn.Linear(8 * width * (49 if large else 1), dense), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(dense, dense), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(dense, num_classes),
        )  # fmt: skip
        self.initialise()
        if pretrained:
            load(self, read_weights(pretrained, FILES), pretrained, head="classifier.6")
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, in_channels, image_size, image_size)

    def initialise(self) -> None:
        """He et al. 2015 for what a ReLU follows; the last layer begins near zero, so that the first guess is even."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.classifier[-1].weight, std=0.01)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, K] logits."""
        x = self.normalise(x).contiguous(memory_format=torch.channels_last)
        x = self.avgpool(self.features(x))  # -> [B, 8·W, 7, 7], or [B, 8·W, 1, 1] of small pictures
        return self.classifier(x.flatten(1))  # -> [B, K]

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
        """AdamW in one fused update; what multiplies decays, biases and norms do not."""
        matrices = [p for p in self.parameters() if p.dim() > 1]
        vectors = [p for p in self.parameters() if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.hparams["lr"], fused=True)
