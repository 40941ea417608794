"""Variational autoencoder: a picture's code is a small cloud, all clouds make a bell, and any code is a picture.

Kingma and Welling, "Auto-encoding variational Bayes" (2013), with the beta of Higgins et al. (2017). The encoder gives
the mean and the spread of a normal distribution q(z|x), a code z is drawn from it as mean + spread · noise (so the
gradient passes the draw), and the decoder gives the chance of every pixel. A grey pixel is the chance of a white one:
log p(x|z) is the mean over all black and white pictures drawn so, which is the Bernoulli log-likelihood
x log p + (1 - x) log(1 - p) with a grey x. It is in nats a picture, summed over its pixels.

    input   [B, C, S, S] pictures in 0..1
    output  [B, C, S, S] the chance of white
    1,082,680 parameters at the defaults

Shapes: B batch, C channels, S side of the picture, D length of the code.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dense(widths: list[int]) -> nn.Sequential:
    """Dense layers of these widths with a SiLU between any two: [B, widths[0]] -> [B, widths[-1]]."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def halved(side: int, times: int) -> list[int]:
    """The picture's side before and after each halving; ValueError when nothing would be left of it."""
    if side < 2**times:
        raise ValueError(f"{times} convolutions halve a picture of {side}×{side} pixels to nothing; give fewer hidden")
    return [side >> number for number in range(times + 1)]


def shrink(channels: list[int], side: int, code: int) -> nn.Sequential:
    """Convolutions that halve the side each, then the code's mean and spread: [B, C, S, S] -> [B, 2·D]."""
    sides = halved(side, len(channels) - 1)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * sides[-1] ** 2, 2 * code))


def grow(channels: list[int], side: int, code: int) -> nn.Sequential:
    """The way back, each transposed convolution doubling the side: [B, D] -> [B, C, S, S] logits."""
    sides = halved(side, len(channels) - 1)
    layers: list[nn.Module] = [
        nn.Linear(code, channels[-1] * sides[-1] ** 2),
        nn.Unflatten(1, (channels[-1], sides[-1], sides[-1])),
    ]
    for (outputs, inputs), size in zip(list(pairwise(channels))[::-1], sides[-2::-1], strict=True):
        odd = size % 2  # a side that was halved downwards gets its pixel back
        up = nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, output_padding=odd)
        layers += [nn.SiLU(), up]
    return nn.Sequential(*layers)


class VAE(L.LightningModule):
    """Variational autoencoder for pictures

    An autoencoder whose codes are clouds: each picture's code is drawn at random near its own place, and all places
    are pulled towards the middle. So what lies between two codes is a picture too, and a code drawn at random is
    a picture that nobody has seen. The loss is what is lost of a picture (reconstruction) and what its code
    says (kl), in nats a picture; at beta 1 their sum is the negative evidence lower bound.

    Args:
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 1.
        body: Layers that join all pixels, or convolutions that halve the side each.
        hidden: Widths from the picture to the code, or channels, each at least 1; empty means 512, 256 or 32, 64.
        code: Numbers of a code, at least 1.
        beta: Weight of what the code says, at least 0; above 1 codes are plainer and pictures blurred.
        lr: Learning rate, above 0.
    """

    accepts = ("image",)
    tasks = ("classification", "regression", "autoencoding")
    metric = "loss"
    default_data = "fashion-mnist"
    recipe = {"epochs": 15, "batch_size": 128, "schedule": "one-cycle", "precision": "auto"}
    head_layers = ()
    paper = "Kingma & Welling 2013, Auto-encoding variational Bayes"
    formula = (
        r"L = -\mathbb{E}_{z \sim q(z|x)} \log p(x|z) + \beta \, D_{KL}(q(z|x) \,\Vert\, \mathcal{N}(0, I)), \quad "
        r"z = \mu + \sigma \odot \epsilon, \quad "
        r"D_{KL} = \tfrac{1}{2} \sum_d (\mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2)"
    )

    def __init__(
        self,
        in_channels: int = 1,
        image_size: int = 28,
        body: Literal["dense", "convolutional"] = "dense",
        hidden: tuple[int, ...] | None = None,
        code: int = 20,
        beta: float = 1.0,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.picture, self.code, self.beta = (in_channels, image_size, image_size), code, beta
        if body == "dense":
            widths = [in_channels * image_size * image_size, *(hidden or (512, 256))]
            self.encoder = nn.Sequential(nn.Flatten(), *dense([*widths, 2 * code]))
            self.decoder = nn.Sequential(*dense([code, *widths[::-1]]), nn.Unflatten(1, self.picture))
        else:
            channels = [in_channels, *(hidden or (32, 64))]
            self.encoder = shrink(channels, image_size, code)
            self.decoder = grow(channels, image_size, code)
        self.example_input_array = torch.zeros(1, *self.picture)

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, S, S] pictures -> mean [B, D] and logarithm of the variance [B, D] of q(z|x)."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)  # in bfloat16, e to a small number would be one
        return mean, log_variance

    def encode(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, D] the middles of their codes."""
        return self.distribution(x)[0]

    def decode(self, code: Tensor) -> Tensor:
        """[B, D] codes -> [B, C, S, S] the chance of white."""
        return self.decoder(code).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, C, S, S] reconstructions, out of the middles of their codes."""
        return self.decode(self.encode(x))

    def walk(self, start: Tensor, end: Tensor, steps: int = 8) -> Tensor:
        """What is met on the straight way from one code [D] to another: [steps, C, S, S]."""
        share = torch.linspace(0, 1, steps, device=start.device).unsqueeze(1)  # [steps, 1]
        return self.decode(torch.lerp(start, end, share))

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Pictures that nobody has seen, of codes drawn from the bell: [count, C, S, S]."""
        return self.decode(torch.randn(count, self.code, generator=generator, device=self.device))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and its two parts of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and its two parts of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the loss in nats a picture, of one code drawn; what the pictures show is not looked at."""
        x, _ = batch
        mean, log_variance = self.distribution(x)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()  # [B, D]; the noise is what is random
        reconstruction = F.binary_cross_entropy_with_logits(self.decoder(code).float(), x, reduction="sum") / len(x)
        kl = divergence(mean, log_variance).mean()
        loss = reconstruction + self.beta * kl
        for name, value in (("loss", loss), ("reconstruction", reconstruction), ("kl", kl)):
            self.log(f"{stage}/{name}", value, batch_size=len(x))
        return loss

    def samples(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Up to eight pictures, beneath each its reconstruction and one out of nothing: [N, C, 3·S, S] in 0..1."""
        x = batch[0][:8]
        generator = torch.Generator(x.device).manual_seed(0)  # the same codes every epoch: only the model changes
        return torch.cat([x, self(x), self.draw(len(x), generator)], dim=2)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """[B, C, S, S] reconstructions."""
        return self(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mean, variance) [B, D] from N(0, 1) in nats, summed over the code: [B]."""
    mean, log_variance = mean.float(), log_variance.float()  # whole floats also in mixed precision
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
