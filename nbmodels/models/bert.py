"""BERT: an encoder that learns a language by filling gaps, and then classifies, tags or answers questions.

Devlin et al., "BERT: pre-training of deep bidirectional transformers for language understanding" (2019), without its
second task (the next sentence), which later work found of no use (Liu et al. 2019). The encoder is in bert_encoder.py,
the published weights in bert_weights.py.

    input   [B, T] token numbers, T at most the positions; zeros at the right are padding (to fill gaps, 0 is a token)
    output  [B, T, V] logits of the tokens, [B, K] of the classes, [B, T, K] of the tags of every token, or [B, T, 2]
            of a token to be the first and the last of the answer
    252,224 parameters at the defaults; BERT-base has 109,482,240 without a head

Shapes: B batch, T tokens of the longest text, C width, V vocabulary, K classes or tags, G gaps of a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.bert_encoder import Encoder, Fill, Sizes, initialise
from nbmodels.models.bert_weights import load, read, sizes_in

SHARE = 0.15  # of a text's tokens are to be foretold,
GAP, OTHER = 0.8, 0.1  # of which so many become a gap, so many another token, and the rest stay as they are
LONGEST = 30  # tokens of an answer
SPARE = 128  # rows of published embeddings that no token may have: they are filled up to a round number


class BERT(L.LightningModule):
    """BERT, a transformer that reads a text both ways

    It learns a language from any text, by filling gaps in it; then, with a new last layer, from fewer examples to
    classify texts, to tag their tokens, or to find the answer to a question in a text. `accuracy` is the share of
    gaps, classes, tags or whole answers that are right.

    Args:
        vocab_size: Tokens there are, at least 2; empty means 128, or those of the pretrained weights.
        sequence_length: Tokens of a text, at least 1.
        num_classes: Classes or tags to tell apart, at least 2.
        task: Fill gaps, classify a whole text, tag every token of it, or find an answer in it.
        mask_token: The token that stands for a gap; empty means one of its own.
        separator: The token between a question and the text that answers it, at least 0.
        layers: Blocks of attention and dense layer, at least 1; of pretrained weights their own, as all the sizes.
        heads: Heads of attention in a block, at least 1; they share the width.
        width: Width of a token's vector, at least 1.
        dense: Width inside the dense layers, at least 1; empty means four times the width.
        pooling: What stands for a text to be classified: its first token through a layer (the paper's), or the mean
            of all; empty means the mean.
        dropout: Share of values set to zero in training, in [0, 1); empty means 0.1, or none to fill gaps.
        pretrained: Weights to start from: a folder, a name on Hugging Face's hub, or all-minilm-l6-v2.
        lr: Learning rate, above 0; empty means 0.003, or 0.0001 with pretrained weights.
    """

    accepts = ("text",)
    tasks = ("masked-language-modelling", "classification", "tagging", "question-answering")
    metric = "loss"
    default_data = "shakespeare"
    recipe = {"epochs": 1, "batch_size": 32, "schedule": "linear", "clip": 1.0}
    recipe_for = {
        "classification": {"epochs": 1, "batch_size": 32, "schedule": "linear", "clip": 1.0},
        "tagging": {"epochs": 2, "batch_size": 32, "schedule": "linear", "clip": 1.0},
        "question-answering": {"epochs": 3, "batch_size": 16, "schedule": "linear", "clip": 1.0},
    }
    brings_tokens = True
    head_layers = ("pooler", "head")  # what foretells a gap also looks at the embeddings, and leaves them alone
    paper = "Devlin et al. 2019, BERT: pre-training of deep bidirectional transformers for language understanding"
    formula = r"-\sum_{t \in \mathrm{gaps}} \log p(x_t \mid x_{\mathrm{with\ gaps}})"

    def __init__(
        self,
        vocab_size: int | None = None,
        sequence_length: int = 64,
        num_classes: int = 2,
        task: Literal[
            "masked-language-modelling", "classification", "tagging", "question-answering"
        ] = "masked-language-modelling",
        mask_token: int | None = None,
        separator: int | None = None,
        layers: int = 2,
        heads: int = 4,
        width: int = 96,
        dense: int | None = None,
        pooling: Literal["first", "mean"] | None = None,
        dropout: float | None = None,
        pretrained: str | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        fills = task == "masked-language-modelling"
        self.task, self.classes, self.separator = task, num_classes, separator
        self.metric = "loss" if fills else "accuracy"
        self.first = pooling == "first"
        self.lr = lr or (3e-3 if pretrained is None else 1e-4)
        self.rate = dropout if dropout is not None else 0.0 if fills and pretrained is None else 0.1
        if task == "question-answering" and separator is None:
            raise ValueError("a question and its text are told apart by the separator; say which token it is")
        if width % heads:
            near = [count for count in range(1, width + 1) if width % count == 0]
            best = min(near, key=lambda count: abs(count - heads))
            raise ValueError(f"width {width} cannot be shared by {heads} heads; try {best}")
        given = Sizes(vocab_size or 128, sequence_length, 2, layers, heads, width, dense or 4 * width)
        sizes, weights = (Sizes(*(found := read(pretrained))[0]), found[1]) if pretrained else (given, {})
        if pretrained:
            self.check(sizes, vocab_size, sequence_length, pretrained)
        self.own_gap = fills and mask_token is None  # a row of the embeddings more
        self.vocab_size = sizes.tokens
        self.mask_token = sizes.tokens if mask_token is None else mask_token
        self.build(sizes._replace(tokens=sizes.tokens + self.own_gap))
        if weights:
            load(self, weights, str(pretrained))
        if pretrained == "":  # the weights come with their sizes
            self.register_load_state_dict_pre_hook(grow)
        self.example_input_array = torch.ones(1, min(8, sequence_length), dtype=torch.long)

    @staticmethod
    def check(sizes: Sizes, vocab_size: int | None, length: int, source: str) -> None:
        """ValueError where the data's tokens are not those of the published weights."""
        if length > sizes.positions:
            raise ValueError(f"{source} reads {sizes.positions} tokens at most, and the data's texts have {length}")
        if vocab_size is not None and not 0 <= sizes.tokens - vocab_size < SPARE:
            raise ValueError(
                f"the data is cut into other tokens ({vocab_size:,}) than {source} knows ({sizes.tokens:,}); "
                f"take data with an option tokens, and leave that to the weights"
            )

    def build(self, sizes: Sizes) -> None:
        """The network of these sizes, fresh."""
        self.encoder = Encoder(sizes, self.rate)
        self.pooler = nn.Linear(sizes.width, sizes.width) if self.first and self.task == "classification" else None
        self.dropout = nn.Dropout(self.rate)
        outputs = 2 if self.task == "question-answering" else self.classes
        fills = self.task == "masked-language-modelling"
        self.head = Fill(sizes.width, self.vocab_size) if fills else nn.Linear(sizes.width, outputs)
        initialise(self, self.encoder)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> logits: [B, T, V] of what stands there, [B, K], [B, T, K] or [B, T, 2]."""
        return self.judge(self.read(x), x)

    def read(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> their vectors [B, T, C]; ValueError where T is too long."""
        limit = self.encoder.positions.num_embeddings
        if x.shape[1] > limit:
            raise ValueError(f"{x.shape[1]} tokens are too many for {limit} positions; cut them to the first {limit}")
        return self.encoder(x, self.segments(x), self.real(x))  # type: ignore[no-any-return]

    def real(self, x: Tensor) -> Tensor | None:
        """Where no padding is [B, T]; None where a text has none. An empty text is read as one padding."""
        if self.task == "masked-language-modelling":
            return None
        return (x != 0).index_fill(1, torch.zeros(1, dtype=torch.long, device=x.device), True)

    def segments(self, x: Tensor) -> Tensor | None:
        """0 up to the separator after a question, 1 in the text [B, T]; None where there is no question."""
        if self.separator is None or self.task != "question-answering":
            return None
        ends = x.eq(self.separator).long()
        return (ends.cumsum(1) - ends).clamp(max=1)

    def judge(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Vectors [B, T, C] of the tokens [B, T] -> logits."""
        if isinstance(self.head, Fill):
            return self.head(hidden, self.encoder.tokens.weight)  # -> [B, T, V]
        if self.task == "classification":
            hidden = self.pool(hidden, x)  # -> [B, C]
        return self.head(self.dropout(hidden))  # -> [B, K], [B, T, K] or [B, T, 2]

    def pool(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Vectors [B, T, C] of the tokens [B, T] -> [B, C] for the whole text; the padding's are zero."""
        if self.pooler is not None:
            return self.pooler(hidden[:, 0]).tanh()  # type: ignore[no-any-return]
        return hidden.sum(dim=1) / (x != 0).sum(dim=1, keepdim=True).clamp(min=1)

    def gaps(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Tokens [B, T] -> the same with gaps and other tokens [B, T], and the places to be foretold [B, G]."""
        count = max(1, round(SHARE * x.shape[1]))
        places = torch.rand(x.shape, generator=generator).topk(count).indices  # [B, G]
        dice = torch.rand(places.shape, generator=generator).to(x.device)
        other = torch.randint(self.vocab_size, places.shape, generator=generator).to(x.device)
        places = places.to(x.device)
        kept = torch.where(dice < GAP + OTHER, other, x.gather(1, places))
        return x.scatter(1, places, kept.masked_fill(dice < GAP, self.mask_token)), places

    def answer(self, batch: tuple[Tensor, Tensor], generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-entropy in nats, share of right answers, and how many count: those of -100 do not."""
        x, y = batch
        if isinstance(self.head, Fill):
            x, places = self.gaps(x, generator)
            hidden = self.read(x)
            hidden = hidden.gather(1, places.unsqueeze(2).expand(-1, -1, hidden.shape[2]))  # [B, G, C]
            y = batch[0].gather(1, places)
        else:
            hidden = self.read(x)
        logits = self.judge(hidden, x).float()
        if self.task == "question-answering":
            right = (self.span(logits, x) == y).all(dim=1).sum()
            logits, count = logits.transpose(1, 2), torch.tensor(len(x))  # an answer is of two ends, right together
        else:
            right, count = (logits.argmax(dim=-1) == y).sum(), (y != -100).sum()
        known = (y != -100).sum().clamp(min=1)  # a batch of which nothing is known has loss 0
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="sum") / known
        return loss, right / count.clamp(min=1), count

    def span(self, logits: Tensor, x: Tensor) -> Tensor:
        """The likeliest first and last token [B, 2] of an answer in the text, out of logits [B, T, 2]."""
        segments = self.segments(x)
        assert segments is not None
        inside = (segments == 1) & (x != 0) & (x != self.separator)  # [B, T]
        first, last = logits.masked_fill(~inside.unsqueeze(2), -1e9).unbind(dim=2)
        place = torch.arange(x.shape[1], device=x.device)
        length = place - place.unsqueeze(1)  # [T, T]: from the first (row) to the last (column)
        pairs = first.unsqueeze(2) + last.unsqueeze(1)  # [B, T, T]
        best = pairs.masked_fill((length < 0) | (length >= LONGEST), -torch.inf).flatten(1).argmax(dim=1)
        return torch.stack([best // x.shape[1], best % x.shape[1]], dim=1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        loss, accuracy, _ = self.answer(batch, None)
        self.log("train/loss", loss, batch_size=len(batch[0]))
        self.log("train/accuracy", accuracy, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of validation data."""
        self.evaluate(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and the accuracy of one batch of test data."""
        self.evaluate(batch, batch_idx, "test")

    def evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> None:
        """Log the figures of an evaluation: means over its answers; the gaps are the same every time."""
        loss, accuracy, count = self.answer(batch, torch.Generator().manual_seed(batch_idx))
        if int(count):
            self.log(f"{stage}/loss", loss, batch_size=int(count))
            self.log(f"{stage}/accuracy", accuracy, batch_size=int(count))

    @torch.no_grad()
    def samples(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
        """Three texts of the batch with gaps, and the same filled in: [3, T] each; None but to fill gaps."""
        if self.task != "masked-language-modelling":
            return None
        x = batch[0][:3]
        places = self.gaps(x, torch.Generator().manual_seed(0))[1]  # the same gaps every epoch
        given = x.scatter(1, places, self.mask_token)
        return given, torch.where(given == self.mask_token, self(given).argmax(dim=2), x)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Probabilities, shaped as the logits; of a question, the first and last token of the answer [B, 2]."""
        logits = self(x)
        return self.span(logits, x) if self.task == "question-answering" else logits.softmax(dim=-1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW as in the paper, in one fused update: matrices decay by 0.01, biases and norms do not."""
        matrices = [parameter for parameter in self.parameters() if parameter.dim() >= 2]
        vectors = [parameter for parameter in self.parameters() if parameter.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.lr, fused=True)


def grow(model: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Before a checkpoint's weights come into a model whose sizes were a pretrained one's: take the sizes from them."""
    assert isinstance(model, BERT)
    if f"{prefix}encoder.heads" in state:
        sizes = Sizes(*sizes_in(state, prefix))
        model.vocab_size = sizes.tokens - model.own_gap
        model.mask_token = model.vocab_size if model.own_gap else model.mask_token
        model.build(sizes)
