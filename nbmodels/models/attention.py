"""Attention and what a transformer is built of around it: heads, dense layers, residuals and positions.

Vaswani et al., "Attention is all you need" (2017), sections 3.1 to 3.3 and 3.5; where asked, queries and keys that are
turned by their positions: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021).

Shapes: B batch, T tokens that look, S tokens that are looked at, C width, H heads, D = C/H width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The base of the angles by which heads are turned. With the paper's 10,000 most pairs hardly turn within a short text:
# git's messages were learned a little less well (2.42 nats a token after 16 of 40 epochs, not 2.36; one seed each).
TURN = 100.0
Norm = Literal["pre", "post"]
Kept = dict[nn.Module, tuple[Tensor, Tensor]]  # keys and values [B, H, S, D] that an attention need not make again


def shares(q: Tensor, k: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(QKᵀ/√d_k): how much each query [..., T, D] takes of each key [..., S, D], summing to one: [..., T, S].

    Args:
        q: Queries.
        k: Keys.
        seen: True where a query may look [..., T, S]; None: everywhere.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # [..., T, S]
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    return scores.softmax(dim=-1)


def attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(QKᵀ/√d_k)V: the values [..., S, D] mixed by those shares: [..., T, D]."""
    return shares(q, k, seen) @ v


def sinusoids(length: int, width: int, first: int = 0, base: float = 10_000.0) -> Tensor:
    """The positions from `first` on: [length, width], sines in the even columns and cosines in the odd ones.

    PE(pos, 2i) = sin(pos / base^(2i/C)) and PE(pos, 2i+1) = cos(pos / base^(2i/C)), in the paper with the base 10,000.
    """
    position = torch.arange(first, first + length).unsqueeze(1)  # [T, 1]
    rate = base ** (-torch.arange(0, width, 2) / width)  # [C/2]
    angle = position * rate  # [T, C/2]
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]  # [T, C]


def turned(x: Tensor, first: int = 0) -> Tensor:
    """Queries or keys [..., T, D], D even, each pair of numbers turned by an angle of its position, as in `sinusoids`.

    How well two of them fit then depends on how far apart they stand, not on where (Su et al. 2021, equation 34).
    """
    table = sinusoids(x.shape[-2], x.shape[-1], first, TURN).to(x)
    sin, cos = table[:, 0::2], table[:, 1::2]  # [T, D/2]
    even, odd = x[..., 0::2], x[..., 1::2]  # [..., T, D/2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)  # [..., T, D]


class MultiHead(nn.Module):
    """Attention by several heads at once: [B, T, C] looks at [B, S, C] -> [B, T, C].

    Args:
        width: C.
        heads: H.
        rotary: Whether queries and keys are turned by their positions; only for tokens that look at each other.

    Raises:
        ValueError: The heads cannot share the width, or not in pairs.
    """

    def __init__(self, width: int, heads: int, rotary: bool = False) -> None:
        super().__init__()
        if width % heads:
            fits = [count for count in range(1, width + 1) if width % count == 0]
            near = [count for count in fits if count < heads][-1:] + [count for count in fits if count > heads][:1]
            raise ValueError(f"width {width} cannot be shared by {heads} heads; try {' or '.join(map(str, near))}")
        if rotary and width // heads % 2:
            raise ValueError(f"a head of {width // heads} numbers cannot be turned in pairs; try width {width + heads}")
        self.heads, self.rotary = heads, rotary
        self.query, self.key, self.value, self.project = (nn.Linear(width, width) for _ in range(4))
        for layer in (self.query, self.key, self.value, self.project):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def hand_on(self) -> None:
        """Begin by giving what is looked at as it is: value and project undo each other."""
        nn.init.orthogonal_(self.value.weight)
        with torch.no_grad():
            self.project.weight.copy_(self.value.weight.T)

    def split(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, H, T, D]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def place(self, x: Tensor, first: int = 0) -> Tensor:
        """Queries or keys [B, T, C] -> [B, H, T, D], turned where asked by their positions from `first` on."""
        return turned(self.split(x), first) if self.rotary else self.split(x)

    def offered(self, source: Tensor, kept: Kept | None, grows: bool) -> tuple[Tensor, Tensor]:
        """Keys and values [B, H, S, D] of the source, after those that were kept where they grow."""
        if kept is not None and self in kept and not grows:
            return kept[self]
        first = kept[self][0].shape[2] if kept is not None and self in kept else 0
        k, v = self.place(self.key(source), first), self.split(self.value(source))
        if kept is not None:
            if self in kept:
                k, v = (torch.cat(pair, dim=2) for pair in zip(kept[self], (k, v), strict=True))
            kept[self] = k, v
        return k, v

    def forward(self, x: Tensor, source: Tensor, seen: Tensor | None = None, kept: Kept | None = None) -> Tensor:
        """[B, T, C] -> [B, T, C].

        Args:
            x: Who looks.
            source: Who is looked at [B, S, C]; x itself in self-attention.
            seen: True where one may look, of a shape that fits [B, H, T, S]; None: everywhere.
            kept: What was kept of earlier tokens: self-attention adds to it, any other keeps what it made first.
        """
        k, v = self.offered(source, kept, grows=source is x)
        q = self.place(self.query(x), k.shape[2] - x.shape[1])
        mixed = attention(q, k, v, seen)  # [B, H, T, D]
        return self.project(mixed.transpose(1, 2).flatten(2))  # [B, T, C]

    def shares(self, x: Tensor, source: Tensor, seen: Tensor | None = None) -> Tensor:
        """How much each token takes of each of the source, by head: [B, H, T, S]."""
        return shares(self.place(self.query(x)), self.place(self.key(source)), seen)


class Dense(nn.Module):
    """The position-wise network, four times as wide inside: max(0, x W_1 + b_1) W_2 + b_2, [B, T, C] -> [B, T, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.expand, self.project):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        return self.project(F.relu(self.expand(x)))


class Residual(nn.Module):
    """What a part of a layer adds to x, normalised: LayerNorm(x + f(x)) after, or x + f(LayerNorm(x)) before."""

    def __init__(self, width: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        self.before = norm == "pre"
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        if self.before:
            return x + self.dropout(part(self.norm(x)))
        return self.norm(x + self.dropout(part(x)))


class EncoderLayer(nn.Module):
    """Self-attention and dense layer: [B, S, C] -> [B, S, C]."""

    def __init__(self, width: int, heads: int, norm: Norm, dropout: float, rotary: bool = False) -> None:
        super().__init__()
        self.attention, self.dense = MultiHead(width, heads, rotary), Dense(width)
        self.residuals = nn.ModuleList(Residual(width, norm, dropout) for _ in range(2))

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """[B, S, C] -> [B, S, C]; `seen` is True where a token may look."""
        first, second = self.residuals
        x = first(x, lambda x: self.attention(x, x, seen))
        return second(x, self.dense)


class DecoderLayer(nn.Module):
    """Self-attention over what is written, attention to what was read, dense layer: [B, T, C] -> [B, T, C]."""

    def __init__(self, width: int, heads: int, norm: Norm, dropout: float, rotary: bool = False) -> None:
        super().__init__()
        self.attention, self.cross = MultiHead(width, heads, rotary), MultiHead(width, heads)
        self.dense = Dense(width)
        self.residuals = nn.ModuleList(Residual(width, norm, dropout) for _ in range(3))

    def forward(
        self, x: Tensor, read: Tensor, past: Tensor, seen: Tensor | None = None, kept: Kept | None = None
    ) -> Tensor:
        """[B, T, C] written and [B, S, C] read -> [B, T, C].

        Args:
            x: What is written.
            read: What the encoder made of the source.
            past: True where a written token may look at another one [T, T'].
            seen: True where it may look at a token read, of a shape that fits [B, H, T, S].
            kept: Keys and values of the tokens before, and of those read.
        """
        first, second, third = self.residuals
        x = first(x, lambda x: self.attention(x, x, past, kept))
        x = second(x, lambda x: self.cross(x, read, seen, kept))
        return third(x, self.dense)

    def looks(self, x: Tensor, read: Tensor, past: Tensor, seen: Tensor | None = None) -> Tensor:
        """How much each written token takes of each token read, by head: [B, H, T, S]."""
        residuals: Any = self.residuals
        first, second, _ = residuals
        x = first(x, lambda x: self.attention(x, x, past))
        return self.cross.shares(second.norm(x) if second.before else x, read, seen)
