"""Discrete variational autoencoder: a picture becomes a square of tokens out of a codebook, and is painted from them.

The first stage of Ramesh et al., "Zero-shot text-to-image generation" (2021), after van den Oord et al., "Neural
discrete representation learning" (2017). Each place of the square has a choice among K codes; so that the gradient
passes the choice, it is made softly while learning (Gumbel-softmax: Jang et al., Maddison et al., 2016) and ever less
so as the temperature falls. Where the paper has a logit-Laplace likelihood, a grey pixel is the chance of a white one
here, as in `vae`: all is in nats a picture.

Shapes: B batch, C channels, S side of the picture, G side of the square of tokens, N = G·G tokens, K codes, D width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def soften(logits: Tensor, temperature: float, straight: bool = False) -> Tensor:
    """Choose softly and at random along dimension 1: logits [B, K, …] -> weights [B, K, …] that sum to one.

    The hotter, the more even; near 0 one weight is one: a draw from softmax(logits). `straight`: it is one at any
    temperature, and the gradient goes straight through as if it were soft.
    """
    # The largest of logits + noise is a draw from softmax(logits): Gumbel's noise, whole floats also in mixed precision
    gumbel = -torch.empty_like(logits, dtype=torch.float32).exponential_().log()
    soft = ((logits + gumbel) / temperature).softmax(dim=1)
    if not straight:
        return soft
    hard = torch.zeros_like(soft).scatter_(1, soft.argmax(dim=1, keepdim=True), 1.0)
    return hard + soft - soft.detach()


def from_uniform(logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the choices [B, K, G, G] from even ones, in nats a picture: [B]."""
    chances = logits.float().log_softmax(dim=1)  # whole floats also in mixed precision
    return (chances.exp() * (chances + math.log(logits.shape[1]))).sum(dim=(1, 2, 3))


def side_of_tokens(side: int, grid: int | None) -> int:
    """The square's side: as asked, or the picture's, halved at least once and while it is even and above 8."""
    if grid is None:
        grid = side // 2
        while grid > 8 and grid % 2 == 0:
            grid //= 2
    if grid < 1 or side % grid or (side // grid) & (side // grid - 1):
        fits = [side >> number for number in range(side.bit_length()) if side % (1 << number) == 0]
        raise ValueError(f"a picture of {side}×{side} cannot be halved to {grid}×{grid}; grid may be {fits}")
    return grid


class Residual(nn.Module):
    """Two convolutions, added to what came in: [B, D, H, W] -> [B, D, H, W]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, H, W] -> [B, D, H, W]."""
        return x + self.change(x)


class DiscreteVAE(nn.Module):
    """Pictures to tokens and back; `reconstruct` is `decode` after `encode`."""

    def __init__(self, in_channels: int, image_size: int, codes: int, grid: int | None, width: int) -> None:
        super().__init__()
        self.grid, self.codes = side_of_tokens(image_size, grid), codes
        halvings = (image_size // self.grid).bit_length() - 1
        down: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(width, width, 3, padding=1), Residual(width)]
        for _ in range(halvings):
            down += [nn.SiLU(), nn.Conv2d(width, width, 4, stride=2, padding=1)]
            up += [nn.SiLU(), nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)]
        self.encoder = nn.Sequential(*down, Residual(width), nn.SiLU(), nn.Conv2d(width, codes, 1))
        self.codebook = nn.Embedding(codes, width)
        self.decoder = nn.Sequential(*up, nn.SiLU(), nn.Conv2d(width, in_channels, 3, padding=1))

    def choices(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures in 0..1 -> [B, K, G, G] logits of the code at each place."""
        return self.encoder(x)

    def encode(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, N] tokens, row after row: the likeliest code of each place."""
        return self.choices(x).argmax(dim=1).flatten(1)

    def paint(self, tokens: Tensor) -> Tensor:
        """[B, N] tokens -> [B, C, S, S] logits of white."""
        vectors = self.codebook(tokens.unflatten(1, (self.grid, self.grid)))  # [B, G, G, D]
        return self.decoder(vectors.movedim(3, 1))

    def decode(self, tokens: Tensor) -> Tensor:
        """[B, N] tokens -> [B, C, S, S] pictures in 0..1."""
        return self.paint(tokens).sigmoid()

    def reconstruct(self, x: Tensor) -> Tensor:
        """[B, C, S, S] pictures -> [B, C, S, S] what is left of them in tokens."""
        return self.decode(self.encode(x))

    def relaxed(self, x: Tensor, temperature: float, logits: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """A picture's soft way there and back, to learn from; `logits` are its choices, where they are known already.

        Returns:
            reconstruction: what is lost of the pictures, in nats a picture (a number).
            divergence: what the choices say more than even ones, in nats a picture (a number).
        """
        logits = self.choices(x) if logits is None else logits
        weights = soften(logits, temperature)  # [B, K, G, G]
        vectors = torch.einsum("bkij,kd->bdij", weights, self.codebook.weight)
        return lost(self.decoder(vectors), x), from_uniform(logits).mean()


def lost(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x) in nats a picture, of logits and pictures [B, C, S, S]: a grey pixel is the chance of a white one."""
    return F.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum") / len(x)
