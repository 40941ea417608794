"""GPT: a decoder-only transformer that writes a text token by token.

Radford et al., "Language models are unsupervised multitask learners" (GPT-2, 2019): Vaswani's transformer (2017) with
the normalisation before each block's two halves, learned positions, and the embedding tied to the head.

    input   [B, T] token numbers, T at most sequence_length
    output  [B, T, V] logits of the token that follows each
    817,920 parameters at the defaults

Shapes: B batch, T tokens, C width, H heads, D = C/H width of a head, V tokens of the vocabulary.
"""

from __future__ import annotations

import math

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Causal self-attention: [B, T, C] -> [B, T, C]; every token looks at itself and what came before."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [B, H, T, D]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)  # [B, H, T, D]
        return self.project(mixed.transpose(1, 2).flatten(2))  # [B, T, C]


class Block(nn.Module):
    """Attention, then a dense layer four times as wide, each normalised before and added after."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.norm_dense = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.project = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        x = x + self.dropout(self.attention(self.norm_attention(x)))
        dense = self.project(F.gelu(self.expand(self.norm_dense(x)), approximate="tanh"))
        return x + self.dropout(dense)


class GPT(L.LightningModule):
    """GPT, a transformer that learns to write

    It learns to foretell the next token (a character or a piece of a word) of a text from those before it, and
    writes by drawing one token after another. `perplexity` is e to the loss: among so many tokens it hesitates.

    Args:
        vocab_size: Tokens there are, at least 1.
        sequence_length: Tokens it can look back on, at least 1.
        layers: Blocks of attention and dense layer, at least 1.
        heads: Heads of attention in a block, at least 1; they share the width.
        width: Width of a token's vector, at least 1.
        dropout: Share of values set to zero in training, in [0, 1).
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("language-modelling",)
    metric = "loss"
    default_data = "pydoc"
    recipe = {"epochs": 2, "batch_size": 8, "schedule": "one-cycle", "clip": 1.0}
    paper = "Radford et al. 2019, Language models are unsupervised multitask learners"
    formula = r"\mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}} + M\right) V"

    def __init__(
        self,
        vocab_size: int = 128,
        sequence_length: int = 64,
        layers: int = 4,
        heads: int = 4,
        width: int = 128,
        dropout: float = 0.0,
        lr: float = 3e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if width % heads:
            fits = [count for count in range(1, width + 1) if width % count == 0]
            near = [count for count in fits if count < heads][-1:] + [count for count in fits if count > heads][:1]
            raise ValueError(f"width {width} cannot be shared by {heads} heads; try {' or '.join(map(str, near))}")
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(sequence_length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.initialise(layers)
        self.heard: list[tuple[Tensor, int]] = []  # an evaluation's losses, and of how many tokens each
        self.example_input_array = torch.zeros(1, sequence_length, dtype=torch.long)

    def initialise(self, layers: int) -> None:
        """GPT-2's start: normal with 0.02, less on the ways into the sum of 2·layers terms; biases zero."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                scale = math.sqrt(2 * layers) if name.endswith("project.weight") else 1.0
                nn.init.normal_(parameter, std=0.02 / scale)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> [B, T, V] logits of the token after each; ValueError where T is too long."""
        length, limit = x.shape[1], self.positions.num_embeddings
        if length > limit:
            raise ValueError(
                f"{length} tokens are too many for a sequence_length of {limit}; cut them to the last {limit}"
            )
        hidden = self.tokens(x) + self.positions.weight[:length]  # [B, T, C]
        hidden = self.norm(self.blocks(self.dropout(hidden)))  # [B, T, C]
        return F.linear(hidden, self.tokens.weight)  # [B, T, V]; the head is the embedding

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Go on writing [B, T] tokens, T at least 1, by `length` more: [B, T + length].

        Args:
            tokens: The beginnings [B, T]; only the last sequence_length of them are looked at.
            length: Tokens to add.
            temperature: Below 1 is safer, above 1 bolder; 0 always takes the likeliest token.
            top_k: Draw among the likeliest k tokens only; None among all.
            generator: Source of the chance, on the model's device; None is torch's own.
        """
        was_training = self.training
        self.eval()
        for _ in range(length):
            logits = self(tokens[:, -self.positions.num_embeddings :])[:, -1]  # [B, V]
            tokens = torch.cat([tokens, draw(logits, temperature, top_k, generator)], dim=1)
        self.train(was_training)
        return tokens

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of validation data."""
        self.evaluate(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of test data."""
        self.evaluate(batch, batch_idx, "test")

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the cross-entropy of a token in nats."""
        x, y = batch
        loss = F.cross_entropy(self(x).flatten(0, 1), y.flatten())  # [B·T, V] against [B·T]
        self.log(f"{stage}/loss", loss, batch_size=len(x))
        return loss

    def evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> None:
        """Log the loss and keep it for the perplexity."""
        self.heard = self.heard if batch_idx else []
        self.heard.append((self.step(batch, stage), batch[0].numel()))

    def on_validation_epoch_end(self) -> None:
        """Log the perplexity of the validation text."""
        self.log("val/perplexity", self.perplexity())

    def on_test_epoch_end(self) -> None:
        """Log the perplexity of the test text."""
        self.log("test/perplexity", self.perplexity())

    def perplexity(self) -> Tensor:
        """The exponential of the mean loss of all tokens of an evaluation, not the mean of the batches'."""
        nats = torch.stack([loss * tokens for loss, tokens in self.heard]).sum()
        return (nats / sum(tokens for _, tokens in self.heard)).exp()

    def samples(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Two texts of the batch gone on with: [2, T'] tokens, an eighth of a window given and 200 written."""
        x = batch[0][:2]
        generator = torch.Generator(x.device).manual_seed(0)  # the same chance every epoch: only the model changes
        start = x[:, : max(1, x.shape[1] // 8)]
        return self.generate(start, length=200, temperature=0.8, top_k=40, generator=generator)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Go on writing [B, T] tokens by 200: [B, T + 200]."""
        return self.generate(x, temperature=0.8, top_k=40)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW as GPT-2's followers use it: only matrices decay, biases and norms do not.

        Not fused: Lightning refuses to clip the gradient of a fused optimiser in mixed precision.
        """
        matrices = [parameter for parameter in self.parameters() if parameter.dim() >= 2]
        vectors = [parameter for parameter in self.parameters() if parameter.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.hparams["lr"], betas=(0.9, 0.99), foreach=True)


def draw(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None) -> Tensor:
    """One token [B, 1] out of logits [B, V]."""
    if temperature == 0:
        return logits.argmax(dim=1, keepdim=True)
    logits = logits / temperature
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[1])).values[:, -1:]  # [B, 1]
        logits = logits.masked_fill(logits < least, -math.inf)
    return torch.multinomial(logits.softmax(dim=1), 1, generator=generator)
