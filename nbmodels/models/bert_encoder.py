"""BERT's encoder and what stands on it: layers of attention and dense layer, the pooler, and the head that fills gaps.

Devlin et al. 2019 as their code has it: learned positions, LayerNorm after each sum (eps 1e-12), the exact GELU.
Padding is left out of every dense layer, not only masked: in a batch of sentences that is a third of the work.

Shapes: B batch, T tokens of the longest text, N tokens of the batch that are no padding, C width, H heads, D = C/H
width of a head, V tokens of the vocabulary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-12  # of every LayerNorm
START, WIDTH = 0.02, 768  # spread of the weights at the start, in a network of this width


class Sizes(NamedTuple):
    """What makes one BERT another: rows of the embeddings, layers, heads, width, width inside the dense layers."""

    tokens: int
    positions: int
    segments: int
    layers: int
    heads: int
    width: int
    dense: int


class Places:
    """Where the tokens of a batch are: it takes the padding out of [B, T, C] and puts it back.

    Args:
        real: True where a token is [B, T]; None where there is no padding.
        shape: (B, T).
    """

    def __init__(self, real: Tensor | None, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.mask = None if real is None else real[:, None, None, :]  # [B, 1, 1, T]
        self.index = None if real is None else real.flatten().nonzero().flatten()  # [N]

    def pack(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [N, C]."""
        x = x.flatten(0, 1)
        return x if self.index is None else x.index_select(0, self.index)

    def unpack(self, x: Tensor) -> Tensor:
        """[N, C] -> [B, T, C], zeros on the padding."""
        if self.index is not None:
            x = x.new_zeros(self.shape[0] * self.shape[1], x.shape[1]).index_copy(0, self.index, x)
        return x.unflatten(0, self.shape)


class Block(nn.Module):
    """Attention to all tokens of the text, then a dense layer; each is added to what came in, and then normalised."""

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        self.heads, width = sizes.heads, sizes.width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.project = nn.Linear(width, width)
        self.norm_attention = nn.LayerNorm(width, eps=EPS)
        self.expand = nn.Linear(width, sizes.dense)
        self.contract = nn.Linear(sizes.dense, width)
        self.norm_dense = nn.LayerNorm(width, eps=EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, places: Places) -> Tensor:
        """[N, C] -> [N, C]."""
        x = self.norm_attention(x + self.dropout(self.project(self.attend(x, places))))
        dense = self.contract(F.gelu(self.expand(x)))
        return self.norm_dense(x + self.dropout(dense))

    def attend(self, x: Tensor, places: Places) -> Tensor:
        """[N, C] -> [N, C]: softmax(Q Kᵀ / √D) V of each head, the heads side by side."""
        q, k, v = (self.split(layer(x), places) for layer in (self.query, self.key, self.value))
        dropout = self.dropout.p if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=places.mask, dropout_p=dropout)  # [B, H, T, D]
        return places.pack(mixed.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, places: Places) -> Tensor:
        """[N, C] -> [B, H, T, T]: how much each token (third axis) looks at each (fourth); to be drawn."""
        q, k = (self.split(layer(x), places) for layer in (self.query, self.key))
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        return (scores if places.mask is None else scores.masked_fill(~places.mask, -torch.inf)).softmax(dim=3)

    def split(self, x: Tensor, places: Places) -> Tensor:
        """[N, C] -> [B, H, T, D]."""
        return places.unpack(x).unflatten(2, (self.heads, -1)).transpose(1, 2)


class Encoder(nn.Module):
    """Tokens, positions and segments added up, and the layers over them: [B, T] -> [B, T, C]."""

    heads: Tensor

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(sizes.tokens, sizes.width)
        self.positions = nn.Embedding(sizes.positions, sizes.width)
        self.segments = nn.Embedding(sizes.segments, sizes.width)
        self.norm = nn.LayerNorm(sizes.width, eps=EPS)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(sizes, dropout) for _ in range(sizes.layers))
        self.register_buffer("heads", torch.tensor(sizes.heads))  # no weight's shape says it, and a checkpoint must

    def forward(self, x: Tensor, segments: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        """[B, T] tokens, their segments (None: all 0), where no padding is (None: everywhere) -> [B, T, C]."""
        places = Places(real, (x.shape[0], x.shape[1]))
        hidden = self.embed(x, segments, places)
        for block in self.blocks:
            hidden = block(hidden, places)
        return places.unpack(hidden)

    def embed(self, x: Tensor, segments: Tensor | None, places: Places) -> Tensor:
        """[B, T] -> [N, C]."""
        position = torch.arange(x.shape[1], device=x.device).expand_as(x)
        parts = (x, position, torch.zeros_like(x) if segments is None else segments)
        tokens, position, segments = (places.pack(part.unsqueeze(2)).squeeze(1) for part in parts)  # [N] each
        hidden = self.tokens(tokens) + self.positions(position) + self.segments(segments)
        return self.dropout(self.norm(hidden))

    @torch.no_grad()
    def attention(self, x: Tensor, segments: Tensor | None = None, real: Tensor | None = None) -> list[Tensor]:
        """What each layer looks at: [B, H, T, T] a layer; take it of a model in evaluation mode."""
        places, found = Places(real, (x.shape[0], x.shape[1])), []
        hidden = self.embed(x, segments, places)
        for block in self.blocks:
            found.append(block.weights(hidden, places))  # type: ignore[operator]
            hidden = block(hidden, places)
        return found


class Fill(nn.Module):
    """What stands in a gap: [..., C] -> [..., V]; the last layer's weights are the tokens' embeddings."""

    def __init__(self, width: int, vocab_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, x: Tensor, embeddings: Tensor) -> Tensor:
        """[..., C] and the embeddings [V or more, C] -> [..., V]."""
        return F.linear(self.norm(F.gelu(self.dense(x))), embeddings[: len(self.bias)], self.bias)


def initialise(model: nn.Module, encoder: Encoder) -> None:
    """BERT's start: normal, with 0.02 at BERT-base's width and as much more as a narrower one needs; biases zero.

    The positions, as free to learn as BERT's, start as Vaswani's waves: there the next place is the same turn away from
    every place, and a small network is quicker to look at its neighbours.
    """
    width = encoder.tokens.embedding_dim
    spread = START * math.sqrt(WIDTH / width)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=spread)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    place = torch.arange(encoder.positions.num_embeddings).unsqueeze(1)  # [T, 1]
    angle = place * 10_000 ** (-torch.arange(0, width, 2) / width)  # [T, C/2, rounded up]
    waves = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]  # [T, C]
    encoder.positions.weight.data.copy_(waves * spread * math.sqrt(2))
