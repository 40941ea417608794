"""RNN: the plain recurrent network, to classify a text, to tag its tokens or to write on.

Elman, "Finding structure in time" (1990). What was read fades, or grows beyond measure, with every product by the same
matrix (Bengio et al. 1994): it starts orthogonal, and the gradient is clipped in training (Pascanu et al. 2013). What
it shares with `lstm` and `gru` is in recurrent.py.

    input   [B, T] token numbers; zeros at the right are padding and never change a result (to write, 0 is a token)
    output  [B, K] logits of the classes, [B, T, K] of the tags of every token, or [B, T, V] of the token after each
    1,292,546 parameters at the defaults, 1,280,000 of them the embedding

Shapes: B batch, T tokens of the longest text, E embedding, H width of the state, K classes or tags, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from nbmodels.models.recurrent import Recurrent


class Cell(nn.RNN):
    """One layer of Elman's network that reads one way: [B, T, inputs] -> [B, T, H].

    h_t = tanh(W_hh h_{t-1} + W_xh x_t + b), with h_0 = 0 and b the sum of torch's two.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, nonlinearity="tanh", batch_first=True)
        input_weight, state_weight, input_bias, state_bias = self.parameters()
        nn.init.xavier_uniform_(input_weight)
        nn.init.orthogonal_(state_weight)
        nn.init.zeros_(input_bias)
        nn.init.zeros_(state_bias)


class RNN(Recurrent):
    """Elman's recurrent network for texts: a class for the whole, a tag for every token, or a text to go on with

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
    recipe = {"epochs": 6, "batch_size": 64, "schedule": "one-cycle", "clip": 1.0}
    recipe_for = {"language-modelling": {"epochs": 1, "lr": 1e-2}}
    head_layers = ("head",)
    paper = "Elman 1990, Finding structure in time"
    formula = r"h_t = \tanh(W_{hh} h_{t-1} + W_{xh} x_t + b)"

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
        lr: float = 2e-3,
    ) -> None:
        sizes = (vocab_size, num_classes, task, embedding, hidden, layers, bidirectional)
        super().__init__(Cell, *sizes, pooling, word_dropout, dropout)
        self.save_hyperparameters()
