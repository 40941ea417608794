"""Seq2seq: a recurrent network reads a text, another writes its translation, looking back at what it needs.

Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate" (2015): a bidirectional
encoder and additive attention; Luong, Pham, Manning, "Effective approaches to attention-based neural machine
translation" (2015): bilinear attention (their "general"), and attention after the decoder's step, not before it, so
that all steps of a training text are computed at once. The embedding is tied to the head (Press and Wolf 2017).

    input   [B, S] token numbers read, each text with END (3); zeros at the right are padding and never change a result
            [B, T] token numbers written so far, from START (2) on
    output  [B, T, V] logits of the token that follows each
    1,724,856 parameters at the defaults

Shapes: B batch, S tokens read, T tokens written, C width, V tokens of the vocabulary, K beams.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nbmodels.models.beam import PAD, START, Beams

Memory = Any  # what the decoder remembers: h [layers, B, C], of an LSTM the pair (h, c)
Batch = tuple[Tensor, Tensor]


class Additive(nn.Module):
    """Bahdanau's score of a state read for a state written: v · tanh(W s + U h), U h being the key."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.sum = nn.Linear(width, 1, bias=False)

    def forward(self, written: Tensor, keys: Tensor) -> Tensor:
        """[B, T, C], [B, S, C] -> [B, T, S]."""
        mixed = self.query(written).unsqueeze(2) + keys.unsqueeze(1)  # [B, T, S, C]
        return self.sum(mixed.tanh()).squeeze(3)


class Bilinear(nn.Module):
    """Luong's score of a state read for a state written: s · W h, W h being the key."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, written: Tensor, keys: Tensor) -> Tensor:
        """[B, T, C], [B, S, C] -> [B, T, S]."""
        return written @ keys.transpose(1, 2)


class Read(NamedTuple):
    """What was read: all that is needed to write of it.

    Attributes:
        states: Of every token [B, S, C].
        keys: What the scores are made with [B, S, C].
        padding: Which tokens are padding [B, 1, S].
        memory: The decoder's at the start [layers, B, C], of an LSTM the pair (h, c).
    """

    states: Tensor
    keys: Tensor
    padding: Tensor
    memory: Memory

    def repeat(self, times: int) -> Read:
        """Each text `times` times, side by side: [B·K, ...]."""
        states, keys, padding = (part.repeat_interleave(times, dim=0) for part in self[:3])
        return Read(states, keys, padding, each(self.memory, lambda h: h.repeat_interleave(times, dim=1)))


class Seq2Seq(L.LightningModule):
    """Seq2seq, two recurrent networks that translate: one reads, one writes, attention between them

    The encoder makes a state of every token that it reads. The decoder writes a token at a time; at each it looks at
    all those states, takes their mean by weights of its own, and foretells the token that follows. To write is to
    search: greedily with one beam, or with several.

    Args:
        vocab_size: Tokens there are, those that pad, start and end included, at least 4.
        target_length: Tokens of a written text at most, START and END included, at least 3.
        cell: The rule by which a state is made of the one before it.
        attention: How a state read is scored: additive (Bahdanau) or bilinear (Luong).
        width: Width of a token's vector and of a state, at least 2 and even.
        layers: Recurrent layers of the encoder, and of the decoder, at least 1.
        dropout: Share of values set to zero in training, in [0, 1).
        label_smoothing: Share of the right answer that is spread over all tokens in training, in [0, 1).
        beam: Beginnings that are kept while it writes, at least 1; 1 always takes the likeliest token.
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("translation", "summarisation")
    metric = "loss"
    default_data = "git-messages"
    recipe = {"epochs": 16, "batch_size": 64, "schedule": "one-cycle", "clip": 10.0}
    head_layers = ()  # what it ends with is the embedding that it begins with
    paper = "Bahdanau, Cho and Bengio 2015, Neural machine translation by jointly learning to align and translate"
    formula = r"c_t = \sum_s \alpha_{ts} h_s, \quad \alpha_{ts} = \mathrm{softmax}_s\left(s_t^\top W h_s\right)"

    def __init__(
        self,
        vocab_size: int = 3_000,
        target_length: int = 48,
        cell: Literal["gru", "lstm"] = "gru",
        attention: Literal["additive", "bilinear"] = "bilinear",
        width: int = 256,
        layers: int = 1,
        dropout: float = 0.3,
        label_smoothing: float = 0.1,
        beam: int = 1,
        lr: float = 3e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if width % 2:
            raise ValueError(f"width {width} is odd, and two directions share it; try {width + 1}")
        self.beam, self.length, self.smoothing = beam, target_length - 1, label_smoothing
        made: Any = nn.LSTM if cell == "lstm" else nn.GRU
        self.embedding = nn.Embedding(vocab_size, width)
        nn.init.normal_(self.embedding.weight, std=0.1)  # it is the head too: larger ones would begin too sure
        self.dropout = nn.Dropout(dropout)
        options: Any = {"num_layers": layers, "batch_first": True, "dropout": dropout if layers > 1 else 0.0}
        self.encoder = made(width, width // 2, bidirectional=True, **options)
        self.bridge = nn.Linear(width, width)
        self.decoder = made(width, width, **options)
        self.score = Additive(width) if attention == "additive" else Bilinear(width)
        self.mix = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.example_input_array = torch.full((1, 8), 3)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """[B, S] read and [B, T] written from START on (None: START alone) -> [B, T, V] logits of the token after."""
        y = x.new_full((len(x), 1), START) if y is None else y
        read = self.read(x)
        return self.head(self.decode(y, read, read.memory)[0])

    def read(self, x: Tensor) -> Read:
        """[B, S] tokens, read both ways: half of each state is from either direction."""
        states, end = self.run(self.encoder, x, None)  # [B, S, C]; [2·layers, B, C/2]
        states = self.dropout(states)
        both = each(end, lambda h: h.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2))  # [layers, B, C]
        padding = (x == PAD).unsqueeze(1)  # [B, 1, S]
        padding[:, :, 0] = False  # an empty text is read as one padding
        return Read(states, self.score.key(states), padding, each(both, lambda h: self.bridge(h).tanh()))

    def decode(self, y: Tensor, read: Read, memory: Memory) -> tuple[Tensor, Tensor, Memory]:
        """Tokens written [B, T] -> [B, T, C] for the head, weights [B, T, S], the memory to go on with."""
        written, memory = self.run(self.decoder, y, memory)  # [B, T, C]
        scores = self.score(written, read.keys).masked_fill(read.padding, -torch.inf)  # [B, T, S]
        weights = scores.softmax(dim=2)
        context = weights @ read.states  # [B, T, C]: the mean of the states it looks at
        mixed = self.mix(torch.cat([context, written], dim=2)).tanh()  # [B, T, C]
        return self.dropout(mixed), weights, memory

    def run(self, network: nn.RNNBase, tokens: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """[B, T] tokens -> states [B, T, ·], those of padding 0, and the memory after each text's last token."""
        lengths = (tokens != PAD).sum(dim=1).clamp(min=1).cpu()
        vectors = self.dropout(self.embedding(tokens))  # [B, T, C]
        if int(lengths.min()) == tokens.shape[1]:
            return network(vectors, memory)
        # packed, so that padding costs nothing: twice as fast (measured: 64 texts of 12 tokens, the longest of 45)
        packed, memory = network(pack_padded_sequence(vectors, lengths, True, enforce_sorted=False), memory)
        return pad_packed_sequence(packed, True, total_length=tokens.shape[1])[0], memory

    def head(self, mixed: Tensor) -> Tensor:
        """[..., C] -> [..., V] logits: how like each token's vector."""
        return F.linear(mixed, self.embedding.weight, self.bias)

    @torch.no_grad()
    def attention(self, x: Tensor, y: Tensor) -> Tensor:
        """[B, S] read and [B, T] written from START on -> [B, T, S]: where it looks to write the token after each."""
        read = self.read(x)
        return self.decode(y, read, read.memory)[1]

    @torch.no_grad()
    def write(self, x: Tensor, beam: int | None = None, length: int | None = None) -> Tensor:
        """[B, S] -> the text written of each [B, T], without START: END after its last token, then 0.

        Args:
            x: Texts, each with END.
            beam: Beginnings that are kept, at least 1; None means the model's own option.
            length: Tokens to write at most; None means as long as the targets it learned from.
        """
        was_training, width = self.training, beam or self.beam
        self.eval()
        read = self.read(x).repeat(width)
        beams, memory = Beams(len(x), width, length or self.length, x.device), read.memory
        while not beams.done:
            mixed, _, memory = self.decode(beams.last, read, memory)
            origin = beams.grow(self.head(mixed[:, 0]).float().log_softmax(dim=1))  # [B·K]
            memory = each(memory, partial(torch.index_select, dim=1, index=origin))
        self.train(was_training)
        return beams.result()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, smoothed as asked."""
        return self.step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the figures of one batch of validation data."""
        self.step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the figures of one batch of test data."""
        self.step(batch, "test")

    def step(self, batch: Batch, stage: str) -> Tensor:
        """Log the cross-entropy of a token in nats and the share of tokens foretold; return the loss to learn from.

        That is smoothed as asked, and the mean of the texts, each the sum of its tokens. A batch has texts of like
        length: were it the mean of its tokens, one of a long text would count for less.
        """
        logits, answers = self.foretell(*batch)
        loss = F.cross_entropy(logits, answers)
        self.log(f"{stage}/loss", loss, batch_size=len(answers))
        self.log(f"{stage}/accuracy", (logits.argmax(dim=1) == answers).float().mean(), batch_size=len(answers))
        if stage == "train" and self.smoothing:
            loss = F.cross_entropy(logits, answers, label_smoothing=self.smoothing)
        return loss * (len(answers) / len(batch[0]))

    def foretell(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: logits [N, V] of the tokens after START that are no padding, and those tokens [N].

        The decoder reads the reference, whatever it would have written itself, and foretells the next token of it.
        """
        read = self.read(x)
        mixed, _, _ = self.decode(y[:, :-1], read, read.memory)  # [B, T - 1, C]
        known = y[:, 1:] != PAD
        return self.head(mixed[known]).float(), y[:, 1:][known]  # nothing is asked of the padding

    def samples(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Four texts of the batch [4, S] and what it writes of them [4, T]."""
        x = batch[0][:4]
        return x, self.write(x)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """[B, S] -> the text written of each [B, T], without START: END after its last token, then 0."""
        return self.write(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)


def each(memory: Memory, change: Callable[[Tensor], Tensor]) -> Memory:
    """A memory changed: h, or the pair (h, c) of an LSTM."""
    return tuple(map(change, memory)) if isinstance(memory, tuple) else change(memory)
