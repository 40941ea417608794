"""LSTM: a recurrent network that reads a text token by token, to classify it or to tag every token.

Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (2000), opened at the
start (bias one: Jozefowicz et al. 2015). Whole words are dropped in training as in Iyyer et al. (2015).

    input   [B, T] token numbers; zeros at the right are padding and never change a result
    output  [B, K] logits of the classes, or [B, T, K] logits of the tags of every token
    1,329,794 parameters at the defaults, 1,280,000 of them the embedding

Shapes: B batch, T tokens of the longest text, E embedding, H width of the state, D directions, K classes or tags.
"""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Direction(nn.LSTM):
    """One LSTM layer that reads one way: [B, T, inputs] -> [B, T, H]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, batch_first=True)
        input_weight, state_weight, input_bias, state_bias = self.parameters()
        nn.init.xavier_uniform_(input_weight)
        nn.init.orthogonal_(state_weight)
        nn.init.zeros_(input_bias)
        nn.init.zeros_(state_bias)
        nn.init.ones_(input_bias.data[width : 2 * width])  # the forget gate, second of the four


class Layer(nn.Module):
    """One layer, read onwards and, where asked, backwards too: [B, T, inputs] -> [B, T, D·H]."""

    def __init__(self, inputs: int, width: int, bidirectional: bool) -> None:
        super().__init__()
        self.onwards = Direction(inputs, width)
        self.backwards = Direction(inputs, width) if bidirectional else None

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """[B, T, inputs] and the order [B, T, 1] that turns each text round -> [B, T, D·H] states.

        Turning the text without its padding lets both directions start at a word. That, not a packed sequence, is
        how padding is kept out: the CPU's fused LSTM is four times as fast on plain tensors (measured, B 32, T 60).
        """
        states, _ = self.onwards(x)  # [B, T, H]; padding comes last, after all that is used
        if self.backwards is None:
            return states
        turned, _ = self.backwards(x.take_along_dim(turn, dim=1))  # [B, T, H]
        return torch.cat([states, turned.take_along_dim(turn, dim=1)], dim=2)  # [B, T, 2·H]


class LSTM(L.LightningModule):
    """LSTM for texts: a class for the whole, or a tag for every token

    Every token becomes a vector, a recurrent network reads them in order, and a linear layer judges its states:
    each by itself to tag the tokens, or all in one, pooled over the text, to classify it.

    Args:
        vocab_size: Tokens there are, number 0 (padding) included, at least 2.
        num_classes: Classes or tags to tell apart, at least 2.
        task: Classify a whole text, or tag every token of it.
        embedding: Width of a token's vector, at least 1.
        hidden: Width of the state of one direction, at least 1.
        layers: Recurrent layers, at least 1.
        bidirectional: Read every text backwards as well.
        pooling: What stands for a whole text: the largest value, the mean or the last of its states.
        word_dropout: Share of the tokens hidden in training, in [0, 1).
        dropout: Share of the states' values set to zero in training, in [0, 1).
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("classification", "tagging")
    metric = "accuracy"
    default_data = "movie-reviews"
    recipe = {"epochs": 6, "batch_size": 64, "schedule": "one-cycle"}
    paper = "Hochreiter & Schmidhuber 1997, Long short-term memory"
    formula = (
        r"i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad g = \tanh(W_g x_t + U_g h_{t-1} + b_g), \quad "
        r"c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh c_t"
    )

    def __init__(
        self,
        vocab_size: int = 10_000,
        num_classes: int = 2,
        task: Literal["classification", "tagging"] = "classification",
        embedding: int = 128,
        hidden: int = 64,
        layers: int = 1,
        bidirectional: bool = False,
        pooling: Literal["max", "mean", "last"] = "max",
        word_dropout: float = 0.1,
        dropout: float = 0.5,
        lr: float = 4e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.task, self.pooling, self.width = task, pooling, hidden
        width = hidden * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(vocab_size, embedding, padding_idx=0)
        self.word_dropout = nn.Dropout1d(word_dropout)  # a "channel" of [B, T, E] is a token
        inputs = [embedding] + [width] * (layers - 1)
        self.layers = nn.ModuleList(Layer(size, hidden, bidirectional) for size in inputs)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        self.example_input_array = torch.ones(1, 8, dtype=torch.long)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> [B, K] logits of the classes, or [B, T, K] logits of the tags."""
        lengths = (x != 0).sum(dim=1, keepdim=True).clamp(min=1)  # [B, 1]; an empty text is read as one padding
        place = torch.arange(x.shape[1], device=x.device)  # [T]
        turn = torch.where(place < lengths, lengths - 1 - place, place).unsqueeze(2)  # [B, T, 1]
        states = self.word_dropout(self.embedding(x))  # [B, T, E]
        for layer in self.layers:
            states = self.dropout(layer(states, turn))  # [B, T, D·H]
        if self.task == "classification":
            states = self.pool(states, lengths)  # [B, D·H]
        return self.head(states)  # [B, K] or [B, T, K]

    def pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D·H] states -> [B, D·H] for the whole text; what stands on padding counts for nothing."""
        if self.pooling == "last":  # of the words read: backwards, that is the first of the text
            end = states.take_along_dim(lengths.unsqueeze(2) - 1, dim=1).squeeze(1)  # [B, D·H]
            return torch.cat([end[:, : self.width], states[:, 0, self.width :]], dim=1)
        padding = (torch.arange(states.shape[1], device=states.device) >= lengths).unsqueeze(2)  # [B, T, 1]
        if self.pooling == "mean":
            return states.masked_fill(padding, 0.0).sum(dim=1) / lengths
        return states.masked_fill(padding, -torch.inf).amax(dim=1)

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
        """Log and return the cross-entropy in nats; of tags, those of -100 do not count."""
        x, y = batch
        logits = self(x).flatten(0, -2)  # [B, K], or [B·T, K] of the tags
        y = y.flatten()
        loss = F.cross_entropy(logits, y)
        accuracy = (logits.argmax(dim=1) == y).sum() / (y != -100).sum()
        self.log(f"{stage}/loss", loss, batch_size=len(x))
        self.log(f"{stage}/accuracy", accuracy, batch_size=len(x))
        return loss

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities of the classes [B, K], or of the tags [B, T, K]."""
        return self(x).softmax(dim=-1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, all parameters in one fused update."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)
