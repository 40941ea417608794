"""MobileNetV2: thin pictures between the blocks, wide ones inside, filtered channel by channel: small and quick.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), its weights named as torchvision names
them. EfficientNet-Lite0 (Tan and Le 2019, as Google trained it for phones) is of the same blocks in other sizes; no
block is dropped in training here.

    input   [B, C, S, S] pictures, values 0 to 1
    output  [B, K] logits of the classes
    408,650 parameters at the defaults; as published (3 channels, 224 pixels, 1,000 classes, width 1) it has 3,504,872,
    EfficientNet-Lite0 4,652,008

Of pictures smaller than 96 pixels, the last strides are left out that would leave less than 4×4: 28 -> 14 -> 7 -> 4.

Shapes: B batch, C channels of the picture, S its side, W channels of the last convolution, K classes.
"""

from __future__ import annotations

import re
from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.pretrained import Normalise, load, read_weights

# Each stage: how much wider inside, channels, blocks, stride of the first, side of the filters.
Stages = tuple[tuple[int, int, int, int, int], ...]
STAGES: dict[str, Stages] = {
    "mobilenet-v2": (
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3), (6, 160, 3, 2, 3),
        (6, 320, 1, 1, 3),
    ),
    "efficientnet-lite0": (
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ),
}  # fmt: skip
COLOURS = {  # mean and spread of the pictures that the weights were trained on
    "mobilenet-v2": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "efficientnet-lite0": ((127 / 255,) * 3, (128 / 255,) * 3),
}
LARGE = 96  # pixels a side from which on the network is the paper's
LAST = 1280  # channels of the last convolution, never fewer
DECAY = 0.05  # of the weights a step, times the learning rate
FILES = {"mobilenet_v2": "mobilenet_v2-b0353104.pth"}


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow pads it: of an odd number of zeros, one more at the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, S, S] -> [B, outputs, S', S']; `S'` is S by the stride, rounded up."""
        side, stride = self.kernel_size[0], self.stride[0]
        down, across = (side - 1 - (size - 1) % stride for size in x.shape[2:])  # zeros, together
        return super().forward(F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2)))


def rounded(channels: float) -> int:
    """The nearest multiple of 8, but never a tenth less than asked, as all nets of this family count channels."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


class Layer(nn.Sequential):
    """Convolution, batch norm, ReLU6: [B, inputs, S, S] -> [B, outputs, S', S']; `S'` is S by the stride, rounded."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int, groups: int, lite: bool) -> None:
        kind, padding = (Same, 0) if lite else (nn.Conv2d, side // 2)
        convolution = kind(inputs, outputs, side, stride, padding, groups=groups, bias=False)
        super().__init__(convolution, norm(outputs, lite), nn.ReLU6(inplace=True))


def norm(channels: int, lite: bool) -> nn.BatchNorm2d:
    """Batch norm with PyTorch's constants, or with those of Google's training."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01) if lite else nn.BatchNorm2d(channels)


class InvertedResidual(nn.Module):
    """1×1 to `times` as many channels, one filter for each of them, 1×1 back without a ReLU, beside a shortcut.

    [B, inputs, S, S] -> [B, outputs, S', S']; the shortcut is there where input and output are of one shape.
    """

    def __init__(self, inputs: int, outputs: int, times: int, stride: int, side: int, lite: bool) -> None:
        super().__init__()
        wide = inputs * times
        self.shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *([Layer(inputs, wide, 1, 1, 1, lite)] if times > 1 else []),
            Layer(wide, wide, side, stride, wide, lite),
            nn.Conv2d(wide, outputs, 1, bias=False),
            norm(outputs, lite),
        )
        if self.shortcut:  # a block begins as the identity (Goyal et al. 2017)
            nn.init.zeros_(self.conv[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, S, S] -> [B, outputs, S', S']."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


def body(arch: str, inputs: int, width: float, side: int | None) -> nn.Sequential:
    """All that comes before the classifier: [B, inputs, S, S] -> [B, W, S', S'].

    `width` is times the published channels; a picture of `side` pixels never gets smaller than 4, of None it may.
    """
    lite = arch == "efficientnet-lite0"

    def step(stride: int) -> int:
        nonlocal side
        if side is not None and stride > 1:
            stride = stride if side > 6 else 1
            side = -(-side // stride)
        return stride

    channels = rounded(32 * width)
    layers: list[nn.Module] = [Layer(inputs, channels, 3, step(2), 1, lite)]
    for times, asked, count, stride, filters in STAGES[arch]:
        outputs = rounded(asked * width)
        for number in range(count):
            stride = step(stride) if number == 0 else 1
            layers.append(InvertedResidual(channels, outputs, times, stride, filters, lite))
            channels = outputs
    layers.append(Layer(channels, rounded(LAST * max(1.0, width)), 1, 1, 1, lite))
    return nn.Sequential(*layers)


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """EfficientNet's published names (`_blocks.3._bn1.weight`) as torchvision would have them (`features.4.conv.…`)."""
    last = 2 + max(int(found[1]) for name in weights if (found := re.match(r"_blocks\.(\d+)\.", name)))
    ends = {"_conv_stem": "features.0.0", "_bn0": "features.0.1", "_fc": "classifier.1"}
    ends |= {"_conv_head": f"features.{last}.0", "_bn1": f"features.{last}.1"}
    wide = {"_expand_conv": "0.0", "_bn0": "0.1"}
    narrow = {"_depthwise_conv": "0.0", "_bn1": "0.1", "_project_conv": "1", "_bn2": "2"}
    after = {"_depthwise_conv": "1.0", "_bn1": "1.1", "_project_conv": "2", "_bn2": "3"}
    names = {}
    for name in weights:
        if not name.startswith("_blocks."):
            layer, kind = name.split(".")
            names[name] = f"{ends[layer]}.{kind}"
            continue
        _, number, layer, kind = name.split(".")
        places = wide | after if f"_blocks.{number}._expand_conv.weight" in weights else narrow
        names[name] = f"features.{int(number) + 1}.conv.{places[layer]}.{kind}"
    return {names[name]: value for name, value in weights.items()}


class MobileNet(L.LightningModule):
    """MobileNetV2 for pictures: small and quick enough for a phone

    A dense 3×3 convolution costs inputs × outputs × 9 for every pixel; here one filter looks at each channel by
    itself and 1×1 convolutions mix them, for an eighth of that. Blocks are wide inside and thin between, and what
    lies between is added up.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        num_classes: Classes to tell apart, at least 2.
        arch: Which network of the family.
        width: Times the published channels, above 0; empty means 1, less below 96 pixels.
        dropout: Share of the last layer's inputs set to zero in training, in [0, 1).
        pretrained: Weights to start from: a file, mobilenet_v2 (torchvision's) or efficientnet-lite0.
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification",)
    metric = "accuracy"
    default_data = "fashion-mnist"
    recipe = {"epochs": 6, "batch_size": 64, "schedule": "one-cycle"}
    head_layers = ("classifier",)
    paper = "Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks"
    formula = r"h_l = h_{l-1} + W_l\, \mathrm{relu6}(D_l * \mathrm{relu6}(U_l\, h_{l-1}))"

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        num_classes: int = 10,
        arch: Literal["mobilenet-v2", "efficientnet-lite0"] = "mobilenet-v2",
        width: float | None = None,
        dropout: float = 0.2,
        pretrained: str | None = None,
        lr: float = 4e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        large = pretrained is not None or image_size >= LARGE
        width = width or (1.0 if large else 0.35)
        colours = in_channels if pretrained is None else 3
        self.normalise = nn.Identity() if pretrained is None else Normalise(*COLOURS[arch])
        self.features = body(arch, colours, width, None if large else image_size)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(rounded(LAST * max(1.0, width)), num_classes))
        self.initialise()
        if pretrained:
            load(self, self.published(pretrained, arch), pretrained, head="classifier.1")
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, in_channels, image_size, image_size)

    @staticmethod
    def published(source: str, arch: str) -> dict[str, Tensor]:
        """The weights by torchvision's names; ValueError where they are the other architecture's."""
        weights = read_weights(source, FILES)
        if "_conv_stem.weight" not in weights:
            return weights
        if arch != "efficientnet-lite0":
            raise ValueError(f"{source} is EfficientNet-Lite0: --arch efficientnet-lite0")
        return renamed(weights)

    def initialise(self) -> None:
        """He et al. 2015, a filter's fan counted by its own channel; the last layer begins near zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.weight[0, 0].numel() * module.out_channels / module.groups
                nn.init.normal_(module.weight, std=(2 / fan) ** 0.5)
        nn.init.normal_(self.classifier[-1].weight, std=0.01)  # type: ignore[arg-type]
        nn.init.zeros_(self.classifier[-1].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, K] logits."""
        x = self.normalise(x).contiguous(memory_format=torch.channels_last)
        x = self.features(x).mean(dim=(2, 3))  # -> [B, W]
        return self.classifier(x)  # -> [B, K]

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
