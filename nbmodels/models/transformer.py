"""Transformer: it reads a text whole, every word looking at every other, and writes another text token by token.

Vaswani et al., "Attention is all you need" (2017): encoder and decoder, multi-head attention, sinusoidal positions, one
embedding (times √C) for what is read, what is written and the output, label smoothing, Adam with 0.9, 0.98, 1e-9. At
width 512, 8 heads, 6 layers and 37,000 tokens it has 63.1 million parameters (the paper says 65). The defaults depart
from it in five things: it normalises before each part and not after (`--norm post` is the paper's), tokens that look at
each other see how far apart they stand (RoFormer, Su et al. 2021; `--rotary false` leaves it out), the learning rate
falls along a cosine and not with the inverse square root of the step, the attention to what was read begins by handing
it on as it is, and all is small, so that two cores can train it. Attention and layers are in attention.py.

    input   [B, S] tokens read, zeros at the end are padding; to write: [B, T] tokens written so far, the first START
    output  [B, T, V] logits of the token that follows each; of the encoder alone [B, K] logits of the classes
    1,310,208 parameters at the defaults

Shapes: B batch, S tokens read, T tokens written, C width, V tokens of the vocabulary, K classes, N texts kept in mind.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.attention import DecoderLayer, EncoderLayer, Kept, sinusoids
from nbmodels.models.beam import END, PAD, START, Beams

DROPOUT = {"translation": 0.3, "summarisation": 0.1, "classification": 0.3}  # the fewer the texts, the more
SOFT = 0.3  # of the last norm at the start: with 1 a tied embedding first says every token once again


class Transformer(L.LightningModule):
    """Transformer that translates, sums up or classifies texts

    The encoder lets every token of a text look at all the others; the decoder writes the answer token by token, looking
    at what it has written and at what was read. To classify, the encoder works alone and the mean of its tokens is
    judged. `loss` is the cross-entropy of a token in nats without the smoothing that it is trained with, and `accuracy`
    the share of tokens foretold with the right ones before them.

    Args:
        vocab_size: Tokens there are, number 0 (padding) included, at least 4.
        num_classes: Classes to tell apart, at least 2.
        target_length: The most tokens to write, at least 2.
        task: Translate, sum up, or classify a text.
        layers: Layers of the encoder, and of the decoder, at least 1.
        heads: Heads of an attention, at least 1; they share the width.
        width: Width of a token's vector, at least 1.
        norm: Where to normalise: before each part of a layer, or after it as in the paper.
        rotary: Turn queries and keys by their positions too, so that a head sees how far apart two tokens stand.
        dropout: Share of values set to zero in training, in [0, 1); empty means 0.3, or 0.1 to sum up.
        label_smoothing: Share of a token's certainty that is spread over all others in training, in [0, 1).
        beam: Texts kept in mind while writing, at least 1; at 1 the likeliest token is always taken.
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("translation", "summarisation", "classification")
    metric = "accuracy"
    default_data = "git-messages"
    recipe = {"epochs": 40, "batch_size": 32, "schedule": "cosine", "clip": 10.0}
    recipe_for = {"summarisation": {"epochs": 3, "lr": 4e-3}, "classification": {"epochs": 4, "lr": 1e-3, "clip": 1.0}}
    head_layers = {"classification": ("head",), "translation": (), "summarisation": ()}  # the embedding
    paper = "Vaswani et al. 2017, Attention is all you need"
    formula = r"\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V"

    def __init__(
        self,
        vocab_size: int = 3_000,
        num_classes: int = 2,
        target_length: int = 48,
        task: Literal["translation", "summarisation", "classification"] = "translation",
        layers: int = 2,
        heads: int = 4,
        width: int = 128,
        norm: Literal["pre", "post"] = "pre",
        rotary: bool = True,
        dropout: float | None = None,
        label_smoothing: float = 0.1,
        beam: int = 1,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.task, self.target_length, self.beam = task, target_length, beam
        self.tokens = nn.Embedding(vocab_size, width)
        nn.init.normal_(self.tokens.weight, std=width**-0.5)  # times √C about as large as the positions
        dropout = DROPOUT[task] if dropout is None else dropout
        self.dropout = nn.Dropout(dropout)
        written = 0 if task == "classification" else layers
        # What is normalised before each part is so once more at the end, of the encoder and of the decoder.
        self.ends = nn.ModuleList(
            nn.LayerNorm(width) if norm == "pre" else nn.Identity() for _ in range(2 if written else 1)
        )
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, norm, dropout, rotary) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, norm, dropout, rotary) for _ in range(written))
        self.head = nn.Linear(width, num_classes) if task == "classification" else None
        for layer in self.decoder:  # with one embedding for all, what is looked at is then what is likely to be written
            layer.cross.hand_on()  # type: ignore[operator, union-attr]
        for end in self.ends[1:] if norm == "pre" else ():
            nn.init.constant_(end.weight, SOFT)  # type: ignore[arg-type]
        self.example_input_array = torch.full((1, 8), END)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """[B, S] read and [B, T] written -> [B, T, V] logits of the token after each; or [B, K] of the classes.

        Without y, nothing but START is written yet.
        """
        read, seen = self.encode(x)
        if self.head is not None:
            weight = seen[:, 0, 0].unsqueeze(2).to(read.dtype)  # [B, S, 1]
            return self.head(self.dropout((read * weight).sum(dim=1) / weight.sum(dim=1)))  # [B, K]
        y = torch.full_like(x[:, :1], START) if y is None else y
        return self.next(self.decode(y, read, seen))

    def embed(self, tokens: Tensor, first: int = 0) -> Tensor:
        """[B, T] tokens, the first of them at that position -> [B, T, C]."""
        width = self.tokens.embedding_dim
        positions = sinusoids(tokens.shape[1], width, first).to(self.tokens.weight)  # [T, C]
        return self.dropout(self.tokens(tokens) * math.sqrt(width) + positions)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S] tokens -> what is read of them [B, S, C], and where there is something to see [B, 1, 1, S]."""
        seen = x != PAD
        seen[:, 0] = True  # an empty text is read as one padding: a softmax over nothing is not a number
        seen = seen[:, None, None]  # [B, 1, 1, S]
        hidden = self.embed(x)
        for layer in self.encoder:
            hidden = layer(hidden, seen)
        return self.ends[0](hidden), seen

    def decode(self, y: Tensor, read: Tensor, seen: Tensor, first: int = 0, kept: Kept | None = None) -> Tensor:
        """[B, T] tokens written, the first of them at that position -> [B, T, C]; none sees what comes after it."""
        hidden, before = self.embed(y, first), past(y, first)
        for layer in self.decoder:
            hidden = layer(hidden, read, before, seen, kept)
        return self.ends[1](hidden)

    def next(self, hidden: Tensor) -> Tensor:
        """[..., C] -> [..., V] logits of the token that follows; the head is the embedding."""
        return F.linear(hidden, self.tokens.weight)

    def attention(self, x: Tensor, y: Tensor) -> Tensor:
        """How much of each token read [B, S] went into what follows each token written [B, T]: [B, T, S].

        It is the mean of the heads of the last layer.
        """
        return self.looks(x, y).mean(dim=1)

    def looks(self, x: Tensor, y: Tensor) -> Tensor:
        """The same by head: [B, H, T, S]."""
        read, seen = self.encode(x)
        last: Any = self.decoder[-1]
        hidden = self.embed(y)
        for layer in self.decoder[:-1]:
            hidden = layer(hidden, read, past(y), seen)
        looks: Tensor = last.looks(hidden, read, past(y), seen)
        return looks

    @torch.no_grad()
    def write(self, x: Tensor, beam: int | None = None, length: int | None = None) -> Tensor:
        """[B, S] -> the text written of each [B, T], without START: END after its last token, then padding.

        Args:
            x: What is read.
            beam: Beginnings that are kept, at least 1; None means the model's own option.
            length: Tokens to write at most; None means as long as the targets it learned from.
        """
        was_training, width = self.training, beam or self.beam
        self.eval()
        read, seen = (part.repeat_interleave(width, dim=0) for part in self.encode(x))  # N = B·width beginnings
        beams, kept = Beams(len(x), width, length or self.target_length - 1, x.device), Kept()
        while not beams.done:
            hidden = self.decode(beams.last, read, seen, beams.written.shape[2], kept)  # [N, 1, C]
            origin = beams.grow(self.next(hidden[:, 0]).float().log_softmax(dim=1))  # [N]
            kept = {part: (k[origin], v[origin]) for part, (k, v) in kept.items()}
        self.train(was_training)
        return beams.result()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch, smoothed."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log the cross-entropy in nats and the share of right answers; return the loss to learn from.

        That is the mean of the texts, each the sum of its tokens. A batch has texts of like length: were it the mean
        of its tokens, one of a long text would count for less.
        """
        x, y = batch
        if self.head is not None:
            logits, smoothing = self(x), 0.0  # [B, K]
        else:
            (logits, y), smoothing = self.foretell(x, y), self.hparams["label_smoothing"]
        chances = logits.float().log_softmax(dim=1)  # whole floats also in mixed precision
        loss = F.nll_loss(chances, y)
        self.log(f"{stage}/loss", loss, batch_size=len(y))
        self.log(f"{stage}/accuracy", (logits.argmax(dim=1) == y).float().mean(), batch_size=len(y))
        return ((1 - smoothing) * loss - smoothing * chances.mean()) * (len(y) / len(x))

    def foretell(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens of [B, T] that are no padding, after START, as [M, V] logits and [M] numbers."""
        hidden, after = self.decode(y[:, :-1], *self.encode(x)), y[:, 1:]  # [B, T - 1, C], [B, T - 1]
        known = after != PAD
        return self.next(hidden[known]), after[known]

    def samples(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
        """Four texts of the batch [4, S] and what is written after reading them [4, T]; None to classify."""
        if self.head is not None:
            return None
        x = batch[0][:4]
        return x, self.write(x)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """What is written after reading [B, S]: tokens [B, T]; or probabilities of the classes [B, K]."""
        return self.write(x) if self.head is None else self(x).softmax(dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with the paper's numbers, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], betas=(0.9, 0.98), eps=1e-9, fused=True)


def past(y: Tensor, first: int = 0) -> Tensor:
    """Where tokens [B, T], the first of them at that position, may look: [T, first + T], True up to themselves."""
    return torch.ones(y.shape[1], first + y.shape[1], dtype=torch.bool, device=y.device).tril(first)
