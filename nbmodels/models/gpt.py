"""GPT: a decoder-only transformer that writes a text token by token.

Radford et al., "Language models are unsupervised multitask learners" (GPT-2, 2019): Vaswani's transformer (2017) with
the normalisation before each block's two halves, learned positions, and the embedding tied to the head.

    input   [B, T] token numbers, T at most sequence_length
    output  [B, T, V] logits of the token that follows each
    817,920 parameters at the defaults; GPT-2 small (12 layers, 12 heads, 768 wide, 50,257 tokens, 1,024 of them in a
    window) has 124,439,808

It is GPT-2 to the last weight: `pretrained` takes what Hugging Face publishes, and the same text comes out.

Shapes: B batch, T tokens, P tokens read before, C width, H heads, D = C/H width of a head, V tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.draw import draw
from nbmodels.models.gpt2 import renamed, sizes
from nbmodels.models.hub import causal

FRESH, KNOWING = 3e-3, 5e-5  # learning rates from a random start, and from weights that know a language already


Past = tuple[Tensor, Tensor]  # the keys and the values [B, H, T, D] of what a block has read


class Attention(nn.Module):
    """Causal self-attention: [B, T, C] -> [B, T, C]; every token looks at itself and what came before."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """[B, T, C], after what was read before -> [B, T, C], and what is read now."""
        q, k, v = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [B, H, T, D]
        seen = None  # where a token looks is a triangle
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)  # [B, H, P + T, D]
            shape = (q.shape[2], k.shape[2])
            seen = torch.ones(shape, dtype=torch.bool, device=x.device).tril(shape[1] - shape[0])  # [T, P + T]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=seen is None)  # [B, H, T, D]
        return self.project(mixed.transpose(1, 2).flatten(2)), (k, v)  # [B, T, C]


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

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """[B, T, C], after what was read before -> [B, T, C], and what is read now."""
        mixed, past = self.attention(self.norm_attention(x), past)
        x = x + self.dropout(mixed)
        dense = self.project(F.gelu(self.expand(self.norm_dense(x)), approximate="tanh"))
        return x + self.dropout(dense), past


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
        pretrained: GPT-2's weights to start from: a folder, or a name on Hugging Face's hub such as gpt2; the sizes
            are then theirs.
        lr: Learning rate, above 0; empty means 3e-3, or 5e-5 from pretrained weights.
    """

    accepts = ("text",)
    tasks = ("language-modelling",)
    metric = "loss"
    default_data = "pydoc"
    recipe = {"epochs": 2, "batch_size": 8, "schedule": "one-cycle", "clip": 1.0}
    head_layers = ()  # what it ends with is the embedding that it begins with
    paper = "Radford et al. 2019, Language models are unsupervised multitask learners"
    formula = r"\mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}} + M\right) V"
    brings_tokens = True

    def __init__(
        self,
        vocab_size: int = 128,
        sequence_length: int = 64,
        layers: int = 4,
        heads: int = 4,
        width: int = 128,
        dropout: float = 0.0,
        pretrained: str | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        published, window = causal(pretrained) if pretrained else None, sequence_length
        if published is not None:
            vocab_size, sequence_length, layers, heads, width = sizes(published.config, pretrained, vocab_size, window)
        lr = lr or (FRESH if pretrained is None else KNOWING)
        self.save_hyperparameters()  # the sizes as they are now: a checkpoint is read without the published weights
        check_heads(width, heads)
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(sequence_length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        if published is None:
            self.initialise(layers)
        else:
            self.load_state_dict(renamed(published.state_dict()))
        self.heard: list[tuple[Tensor, int]] = []  # an evaluation's losses, and of how many tokens each
        self.example_input_array = torch.zeros(1, window, dtype=torch.long)

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
        return self.read(x)[0]

    def read(self, x: Tensor, memory: list[Past] | None = None) -> tuple[Tensor, list[Past]]:
        """The logits of `forward`, and what to give with the tokens that come next to read on: each block's cache."""
        before = memory[0][0].shape[2] if memory else 0
        length, limit = before + x.shape[1], self.positions.num_embeddings
        if length > limit:
            raise ValueError(
                f"{length} tokens are too many for a sequence_length of {limit}; cut them to the last {limit}"
            )
        hidden = self.dropout(self.tokens(x) + self.positions.weight[before:length])  # [B, T, C]
        memories = []
        for number, block in enumerate(self.blocks):
            hidden, after = block(hidden, memory[number] if memory else None)
            memories.append(after)
        return F.linear(self.norm(hidden), self.tokens.weight), memories  # [B, T, V]; the head is the embedding

    @torch.no_grad()
    def write(
        self,
        tokens: Tensor,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
        cache: bool = True,
    ) -> Iterator[Tensor]:
        """Go on writing [B, T] tokens, T at least 1: gives `length` times the next [B, 1].

        A token is read once and its keys and values are kept. Past sequence_length the window slides: then every
        token stands at another position, nothing that was kept is true any more, and the window is read anew.

        Args:
            tokens: The beginnings [B, T]; only the last sequence_length of them are looked at.
            length: Tokens to add.
            temperature: Below 1 is safer, above 1 bolder; 0 always takes the likeliest token.
            top_k: Draw among the likeliest k tokens only; None among all.
            top_p: Draw among as few of the likeliest tokens as have this chance together; None among all.
            generator: Source of the chance, on the model's device; None is torch's own.
            cache: Keep the keys and values; without it the text is the same, and slower.
        """
        was_training, limit = self.training, self.positions.num_embeddings
        text = new = tokens[:, -limit:]
        memory: list[Past] | None = None
        self.eval()
        try:
            for _ in range(length):
                if not cache or text.shape[1] > limit:
                    new, memory = text[:, -limit:], None
                logits, memory = self.read(new, memory)
                new = draw(logits[:, -1], temperature, top_k, top_p, generator)  # [B, 1]
                text = torch.cat([text, new], dim=1)
                yield new
        finally:
            self.train(was_training)

    def generate(self, tokens: Tensor, length: int = 200, **options: Any) -> Tensor:
        """All of what `write` gives, after its beginnings: [B, T + length]."""
        return torch.cat([tokens, *self.write(tokens, length, **options)], dim=1)

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
        loss = F.cross_entropy(self(x).flatten(0, 1).float(), y.flatten())  # [B·T, V] against [B·T]
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


def check_heads(width: int, heads: int) -> None:
    """ValueError where the heads cannot share the width, with the nearest numbers that can."""
    if width % heads:
        fits = [count for count in range(1, width + 1) if width % count == 0]
        near = [count for count in fits if count < heads][-1:] + [count for count in fits if count > heads][:1]
        raise ValueError(f"width {width} cannot be shared by {heads} heads; try {' or '.join(map(str, near))}")
