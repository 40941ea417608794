"""GRU: a recurrent network with two gates, to classify a text, to tag its tokens or to write on.

Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation" (2014). As
in torch and cuDNN the reset gate acts on U_n h + b_n, in the paper on h itself: so all of U h is one product of
matrices. What it shares with `lstm` and `rnn` is in recurrent.py.

    input   [B, T] token numbers; zeros at the right are padding and never change a result (to write, 0 is a token)
    output  [B, K] logits of the classes, [B, T, K] of the tags of every token, or [B, T, V] of the token after each
    1,317,378 parameters at the defaults, 1,280,000 of them the embedding

Shapes: B batch, T tokens of the longest text, E embedding, H width of the state, K classes or tags, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from nbmodels.models.recurrent import Recurrent


class Cell(nn.GRU):
    """One GRU layer that reads one way: [B, T, inputs] -> [B, T, H].

    r, z = σ(W x_t + U h_{t-1} + b), n = tanh(W_n x_t + b_n + r ⊙ (U_n h_{t-1} + c_n)),
    h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}: where the gate z is open, the state passes on as it is.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, batch_first=True)
        input_weight, state_weight, input_bias, state_bias = self.parameters()
        nn.init.xavier_uniform_(input_weight)
        nn.init.orthogonal_(state_weight)
        nn.init.zeros_(input_bias)
        nn.init.zeros_(state_bias)
        nn.init.ones_(input_bias.data[width : 2 * width])  # the gate that keeps, second of the three


class GRU(Recurrent):
    """GRU for texts: a class for the whole, a tag for every token, or a text to go on with

    Every token becomes a vector, a recurrent network with gates reads them in order, and a linear layer judges its
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
    paper = "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder for statistical MT"
    formula = (
        r"r, z = \sigma(W x_t + U h_{t-1} + b), \quad n = \tanh(W_n x_t + b_n + r \odot (U_n h_{t-1} + c_n)), \quad "
        r"h_t = (1 - z) \odot n + z \odot h_{t-1}"
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
