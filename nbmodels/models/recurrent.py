"""What the recurrent networks share: reading a text token by token, judging or tagging it, and going on writing it.

`lstm`, `gru` and `rnn` differ in one cell, the rule that makes a token's state of the state before it; the embedding,
the two directions, the heads, the steps and the writing are the same and stand here. Whole words are dropped in
training as in Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification" (2015).

    input   [B, T] token numbers; zeros at the right are padding, but for a language model, which has none
    output  [B, K] logits of the classes, [B, T, K] of the tags of every token, or [B, T, V] of the token after each

Shapes: B batch, T tokens of the longest text, E embedding, H width of the state, D directions, K classes or tags,
V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.draw import draw

Task = Literal["classification", "tagging", "language-modelling"]
Pooling = Literal["max", "mean", "last"]
MakeCell = Callable[[int, int], nn.RNNBase]  # of the widths of its inputs and of its state
Memory = list[Any]  # what each layer remembers: h [1, B, H], of an LSTM the pair (h, c)


class Layer(nn.Module):
    """One layer, read onwards and, where asked, backwards too: [B, T, inputs] -> [B, T, D·H]."""

    def __init__(self, cell: MakeCell, inputs: int, width: int, bidirectional: bool) -> None:
        super().__init__()
        self.onwards = cell(inputs, width)
        self.backwards = cell(inputs, width) if bidirectional else None

    def forward(self, x: Tensor, turn: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """[B, T, inputs], the order [B, T, 1] that turns each text round, what was read before -> [B, T, D·H], memory.

        Turning the text without its padding lets both directions start at a word. That, not a packed sequence, is
        how padding is kept out: the CPU's fused LSTM is four times as fast on plain tensors (measured, B 32, T 60).
        """
        states, memory = self.onwards(x, memory)  # [B, T, H]; padding comes last, after all that is used
        if self.backwards is None:
            return states, memory
        turned, _ = self.backwards(x.take_along_dim(turn, dim=1))  # [B, T, H]
        return torch.cat([states, turned.take_along_dim(turn, dim=1)], dim=2), memory  # [B, T, 2·H]


class Recurrent(L.LightningModule):
    """A recurrent network around a cell; `RNN`, `GRU` and `LSTM` say what their options mean.

    Raises:
        ValueError: A language model is to read backwards: it would see what it has to foretell.
    """

    def __init__(
        self,
        cell: MakeCell,
        vocab_size: int,
        num_classes: int,
        task: Task,
        embedding: int,
        hidden: int | None,
        layers: int,
        bidirectional: bool,
        pooling: Pooling,
        word_dropout: float | None,
        dropout: float | None,
    ) -> None:
        super().__init__()
        self.task, self.pooling, writes = task, pooling, task == "language-modelling"
        if writes and bidirectional:
            raise ValueError("a language model that reads backwards sees the future; leave out bidirectional")
        self.metric = "loss" if writes else "accuracy"
        self.width = hidden or (256 if writes else 64)
        width = self.width * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(vocab_size, embedding, padding_idx=None if writes else 0)
        # Small at the start: the usual N(0, 1) drives tanh into its flat ends, where little is learned.
        nn.init.normal_(self.embedding.weight, std=0.1)
        if not writes:
            nn.init.zeros_(self.embedding.weight.data[0])  # the padding
        # A text of millions of characters is not learned by heart; a few thousand sentences with all their words are.
        hide, drop = {"classification": (0.3, 0.5), "tagging": (0.1, 0.5), "language-modelling": (0.0, 0.0)}[task]
        self.word_dropout = nn.Dropout1d(hide if word_dropout is None else word_dropout)  # a "channel" is a token
        inputs = [embedding] + [width] * (layers - 1)
        self.layers = nn.ModuleList(Layer(cell, size, self.width, bidirectional) for size in inputs)
        self.dropout = nn.Dropout(drop if dropout is None else dropout)
        self.head = nn.Linear(width, vocab_size if writes else num_classes)
        self.heard: list[tuple[Tensor, int]] = []  # an evaluation's losses, and of how many tokens each
        self.example_input_array = torch.ones(1, 8, dtype=torch.long)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> [B, K] logits of the classes, [B, T, K] of the tags, or [B, T, V] of the tokens to come."""
        return self.read(x)[0]

    def read(self, x: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """The logits of `forward`, and what to give with the tokens that come next to read on from here."""
        lengths = (x != 0).sum(dim=1, keepdim=True).clamp(min=1)  # [B, 1]; an empty text is read as one padding
        place = torch.arange(x.shape[1], device=x.device)  # [T]
        turn = torch.where(place < lengths, lengths - 1 - place, place).unsqueeze(2)  # [B, T, 1]
        states, memories = self.word_dropout(self.embedding(x)), []  # [B, T, E]
        for number, (layer, before) in enumerate(zip(self.layers, memory or [None] * len(self.layers), strict=True)):
            states, after = layer(self.dropout(states) if number else states, turn, before)  # [B, T, D·H]
            memories.append(after)
        if self.task == "classification":  # dropped before, the largest would be of fewer states than without dropout
            states = self.pool(states, lengths)  # [B, D·H]
        return self.head(self.dropout(states)), memories  # [B, K], [B, T, K] or [B, T, V]

    def pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D·H] states -> [B, D·H] for the whole text; what stands on padding counts for nothing."""
        if self.pooling == "last":  # of the words read: backwards, that is the first of the text
            end = states.take_along_dim(lengths.unsqueeze(2) - 1, dim=1).squeeze(1)  # [B, D·H]
            return torch.cat([end[:, : self.width], states[:, 0, self.width :]], dim=1)
        padding = (torch.arange(states.shape[1], device=states.device) >= lengths).unsqueeze(2)  # [B, T, 1]
        if self.pooling == "mean":
            return states.masked_fill(padding, 0.0).sum(dim=1) / lengths
        return states.masked_fill(padding, -torch.inf).amax(dim=1)

    @torch.no_grad()
    def write(
        self,
        tokens: Tensor,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[Tensor]:
        """Go on writing [B, T] tokens, T at least 1: gives `length` times the next [B, 1]. Only for a language model.

        Args:
            tokens: The beginnings [B, T].
            length: Tokens to add.
            temperature: Below 1 is safer, above 1 bolder; 0 always takes the likeliest token.
            top_k: Draw among the likeliest k tokens only; None among all.
            top_p: Draw among as few of the likeliest tokens as have this chance together; None among all.
            generator: Source of the chance, on the model's device; None is torch's own.
        """
        was_training, memory = self.training, None
        self.eval()
        try:
            for _ in range(length):
                logits, memory = self.read(tokens, memory)  # the state is all that the text before has to say
                tokens = draw(logits[:, -1], temperature, top_k, top_p, generator)  # [B, 1]
                yield tokens
        finally:
            self.train(was_training)

    def generate(self, tokens: Tensor, length: int = 200, **options: Any) -> Tensor:
        """All of what `write` gives, after its beginnings: [B, T + length]."""
        return torch.cat([tokens, *self.write(tokens, length, **options)], dim=1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        loss, accuracy, _ = self.judge(batch)
        self.log("train/loss", loss, batch_size=len(batch[0]))
        if accuracy is not None:
            self.log("train/accuracy", accuracy, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the metric of one batch of validation data."""
        self.evaluate(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the metric of one batch of test data."""
        self.evaluate(batch, batch_idx, "test")

    def judge(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Cross-entropy in nats, share of right answers (None to write), how many; those of -100 do not count."""
        x, y = batch
        logits = self(x).flatten(0, -2).float()  # [B, K], or [B·T, K] of the tags, [B·T, V] of the tokens
        y = y.flatten()
        count = (y != -100).sum()
        loss = F.cross_entropy(logits, y)
        if self.task == "language-modelling":
            return loss, None, count
        return loss, (logits.argmax(dim=1) == y).sum() / count, count

    def evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> None:
        """Log the figures of an evaluation: means over all its answers, not over the batches."""
        loss, accuracy, count = self.judge(batch)
        answers = int(count)
        if not answers:  # a batch of which no tag is known
            return
        self.log(f"{stage}/loss", loss, batch_size=answers)
        if accuracy is not None:
            self.log(f"{stage}/accuracy", accuracy, batch_size=answers)
        self.heard = self.heard if batch_idx else []
        self.heard.append((loss, answers))

    def on_validation_epoch_end(self) -> None:
        """Log the perplexity of the validation text."""
        if self.task == "language-modelling":
            self.log("val/perplexity", self.perplexity())

    def on_test_epoch_end(self) -> None:
        """Log the perplexity of the test text."""
        if self.task == "language-modelling":
            self.log("test/perplexity", self.perplexity())

    def perplexity(self) -> Tensor:
        """The exponential of the mean loss of all tokens of an evaluation, not the mean of the batches'."""
        nats = torch.stack([loss * tokens for loss, tokens in self.heard]).sum()
        return (nats / sum(tokens for _, tokens in self.heard)).exp()

    def samples(self, batch: tuple[Tensor, Tensor]) -> Tensor | None:
        """Two texts of the batch gone on with: [2, T'] tokens, an eighth of a window given and 200 written."""
        if self.task != "language-modelling":
            return None
        x = batch[0][:2]
        generator = torch.Generator(x.device).manual_seed(0)  # the same chance every epoch: only the model changes
        start = x[:, : max(1, x.shape[1] // 8)]
        return self.generate(start, length=200, temperature=0.8, top_k=40, generator=generator)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities of the classes [B, K], or of the tags [B, T, K]; a language model writes on: [B, T + 200]."""
        if self.task == "language-modelling":
            return self.generate(x, temperature=0.8, top_k=40)
        return self(x).softmax(dim=-1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)
