"""ResNet: every block adds a correction to what it was given, so that a hundred layers train as easily as ten.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015); the stride of a bottleneck lies on its
3×3 convolution and its last norm begins at zero, as in Goyal et al. (2017). The weights are named as torchvision names
them.

    input   [B, C, S, S] pictures, values 0 to 1
    output  [B, K] logits of the classes
    1,574,770 parameters at the defaults; as published (3 channels, 224 pixels, 1,000 classes) ResNet 18 has 11,689,512,
    ResNet 34 21,797,672 and ResNet 50 25,557,032

Shapes: B batch, C channels of the picture, S its side, W width of the first stage, E expansion of a block, K classes.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.pretrained import Normalise, load, read_weights

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # blocks a stage
LARGE = 96  # pixels a side from which on the network is the paper's
DECAY = 0.05  # of the weights a step, times the learning rate
FILES = {"resnet18": "resnet18-f37072fd.pth", "resnet34": "resnet34-b627a593.pth", "resnet50": "resnet50-0676ba61.pth"}


def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution of side × side before a norm, so without a bias: the picture shrinks by the stride alone."""
    return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """What brings a block's input to the shape of its output; None where it has it already."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class Basic(nn.Module):
    """Two 3×3 convolutions beside a shortcut: [B, inputs, S, S] -> [B, width, S', S']; `S'` is S by the stride."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)
        nn.init.zeros_(self.bn2.weight)  # a block begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, S, S] -> [B, width, S', S']."""
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut: [B, inputs, S, S] -> [B, 4·width, S', S']."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(inputs, 4 * width, stride)
        nn.init.zeros_(self.bn3.weight)  # a block begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, S, S] -> [B, 4·width, S', S']."""
        h = F.relu(self.bn1(self.conv1(x)))
        h = F.relu(self.bn2(self.conv2(h)))
        h = self.bn3(self.conv3(h))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet(L.LightningModule):
    """Residual network for pictures: 18, 34 or 50 layers

    A stem, then four stages of blocks, each stage half as large and twice as wide as the last; the mean over the
    picture goes to one linear layer. The blocks of 18 and 34 layers have two 3×3 convolutions, those of 50 a
    bottleneck.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        num_classes: Classes to tell apart, at least 2.
        depth: Layers that have weights.
        width: Channels of the first stage, at least 1; empty means 64 as published, fewer below 96 pixels.
        stem: How it begins: 3×3 (small), 3×3 by twos (middle), 7×7 and pooling (large); empty goes by the picture.
        pretrained: Weights to start from: a file, or torchvision's name of them such as resnet18.
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification",)
    metric = "accuracy"
    default_data = "fashion-mnist"
    recipe = {"epochs": 5, "batch_size": 128, "schedule": "one-cycle"}
    head_layers = ("fc",)
    paper = "He et al. 2015, Deep residual learning for image recognition"
    formula = r"h_l = \mathrm{relu}(F_l(h_{l-1}) + h_{l-1})"

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 10,
        depth: Literal[18, 34, 50] = 18,
        width: int | None = None,
        stem: Literal["small", "middle", "large"] | None = None,
        pretrained: str | None = None,
        lr: float = 4e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        large = pretrained is not None or image_size >= LARGE
        width = width or (64 if large else 24)
        stem = stem or ("large" if large else "middle" if image_size >= 24 else "small")
        self.normalise = Normalise() if pretrained is not None else nn.Identity()
        colours = in_channels if pretrained is None else 3
        self.conv1 = convolution(colours, width, 7 if stem == "large" else 3, 1 if stem == "small" else 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "large" else nn.Identity()
        self.inputs, self.block = width, Bottleneck if depth == 50 else Basic
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            self.stage(width << number, count, stride=1 if number == 0 else 2)
            for number, count in enumerate(STAGES[depth])
        )
        self.fc = nn.Linear(self.inputs, num_classes)
        self.initialise()
        if pretrained:
            load(self, read_weights(pretrained, FILES), pretrained, head="fc")
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, in_channels, image_size, image_size)

    def stage(self, width: int, count: int, stride: int) -> nn.Sequential:
        """`count` blocks, the first with the stride: [B, inputs, S, S] -> [B, E·width, S', S']."""
        blocks = []
        for number in range(count):
            blocks.append(self.block(self.inputs, width, stride if number == 0 else 1))
            self.inputs = width * self.block.expansion
        return nn.Sequential(*blocks)

    def initialise(self) -> None:
        """He et al. 2015 for the convolutions; the last layer begins near zero, so that the first guess is even."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, K] logits."""
        x = self.normalise(x).contiguous(memory_format=torch.channels_last)
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))  # -> [B, W, S / stem, S / stem]
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # -> [B, 8·E·W, S', S']
        return self.fc(x.mean(dim=(2, 3)))  # -> [B, K]

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
