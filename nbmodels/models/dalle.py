"""DALL·E: text to image. A discrete VAE makes tokens of pictures, a transformer writes them after a caption's tokens.

Ramesh et al., "Zero-shot text-to-image generation" (2021), small. Two stages on one bound: in nats a picture,

    -log p(picture | caption) ≤ reconstruction (painted from its tokens) + tokens (foretold from the caption)

First the discrete VAE (dvae.py) learns, its tokens priced as if all were equally likely; then it is frozen, and the
transformer learns to foretell them. The paper's transformer also learns to write captions, at an eighth of the weight:
here it is the pictures alone that it has to write.

    input   [B, T] caption tokens, 0 pads at the end
    output  [B, 1, K] logits of the first picture token; with M picture tokens given, of the first M + 1
    500,769 parameters at the defaults

Shapes: B batch, T tokens of the caption, N = G·G picture tokens on a square of side G, K codes, L = T + M + 1 tokens
that the transformer reads, C width, H heads, D = C/H width of a head.
"""

from __future__ import annotations

import math

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.draw import draw
from nbmodels.models.dvae import DiscreteVAE, lost

COLDEST = 1 / 16  # of the temperature of the choice, which falls from 1 as a cosine: the paper's


class Block(nn.Module):
    """Attention, then a dense layer four times as wide, each normalised before and added after."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.norm_attention, self.norm_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """[B, L, C], and which tokens [B, 1, L, L] each one sees -> [B, L, C]."""
        qkv = self.query_key_value(self.norm_attention(x))
        q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [B, H, L, D]
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=rate)  # [B, H, L, D]
        x = x + self.dropout(self.mix(mixed.transpose(1, 2).flatten(2)))  # [B, L, C]
        return x + self.dropout(self.project(F.gelu(self.expand(self.norm_dense(x)))))


class DALLE(L.LightningModule):
    """DALL·E, which draws what a caption says

    A picture is cut into a square of places, and each place becomes a token out of a codebook of picture parts (a
    discrete VAE). Then a transformer learns to write these tokens after the words of the caption, as GPT goes on with
    a text. `reconstruction` is what is lost between a picture and its tokens, `tokens` how hard they are to foretell
    from the caption, both in nats a picture; the loss is their sum, through both stages.

    Args:
        vocab_size: Tokens that captions have, at least 1.
        sequence_length: Tokens of a caption, at least 1.
        in_channels: Channels of a picture, at least 1.
        image_size: Side of the square picture in pixels, at least 2.
        codes: Codes of the codebook, at least 2.
        grid: Tokens along a side of the picture, at least 1; empty: its side halved once, and on while above 8.
        channels: Width of the discrete VAE's layers, at least 1.
        layers: Blocks of the transformer, at least 1.
        heads: Heads of attention in a block, at least 1; they share the width.
        width: Width of a token's vector in the transformer, at least 1.
        dropout: Share of values set to zero in the transformer's training, in [0, 1).
        beta: Weight of what the choice of codes says, at least 0.
        vae_share: Share of the epochs in which the discrete VAE learns, in [0, 1); at 0 it stays as it is.
        lr: Learning rate, above 0.
    """

    accepts = ("text",)
    tasks = ("text-to-image",)
    metric = "loss"
    default_data = "captioned-digits"
    recipe = {"epochs": 50, "batch_size": 64, "schedule": "one-cycle", "clip": 1.0}
    head_layers = ()  # of two networks that learn one after the other
    paper = "Ramesh et al. 2021, Zero-shot text-to-image generation"
    formula = (
        r"-\log p(x \mid y) \le \mathbb{E}_{z \sim q(z|x)} \left[ -\log p(x \mid z) \right] - \sum_{i=1}^{N} "
        r"\log p(z_i \mid y, z_1, \dots, z_{i-1})"
    )

    def __init__(
        self,
        vocab_size: int = 32,
        sequence_length: int = 8,
        in_channels: int = 1,
        image_size: int = 8,
        codes: int = 64,
        grid: int | None = None,
        channels: int = 48,
        layers: int = 3,
        heads: int = 4,
        width: int = 96,
        dropout: float = 0.1,
        beta: float = 0.1,
        vae_share: float = 0.4,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if width % heads:
            raise ValueError(f"width {width} cannot be shared by {heads} heads; try {heads * max(1, width // heads)}")
        self.beta, self.vae_share = beta, vae_share
        self.vae = DiscreteVAE(in_channels, image_size, codes, grid, channels)
        self.length = self.vae.grid**2  # N
        self.words, self.places = nn.Embedding(vocab_size, width), nn.Embedding(sequence_length, width)
        self.parts = nn.Embedding(codes + 1, width)  # the last one begins a picture
        self.rows, self.columns = nn.Embedding(self.vae.grid, width), nn.Embedding(self.vae.grid, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, codes)
        self.initialise(layers)
        self.example_input_array = torch.ones(1, sequence_length, dtype=torch.long)

    def initialise(self, layers: int) -> None:
        """The transformer as GPT-2 starts: normal with 0.02, less on the ways into the sum of 2·layers terms.

        But for the head: at 0 all codes are as likely, which is how the tokens are priced until it learns.
        """
        for name, parameter in self.named_parameters():
            if name.startswith("vae."):
                continue
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                scale = math.sqrt(2 * layers) if name.endswith(("mix.weight", "project.weight")) else 1.0
                nn.init.normal_(parameter, std=0.0 if name == "head.weight" else 0.02 / scale)

    def forward(self, captions: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Captions [B, T] and the first M of their picture tokens [B, M] -> [B, M + 1, K] logits of what follows each.

        ValueError where a caption or a picture has too many tokens.
        """
        drawn = captions[:, :0] if drawn is None else drawn
        if captions.shape[1] > self.places.num_embeddings or drawn.shape[1] >= self.length:
            limits = f"{self.places.num_embeddings} tokens of a caption and {self.length - 1} of a picture"
            raise ValueError(f"{captions.shape[1]} and {drawn.shape[1]} tokens are too many; at most {limits}")
        begin = torch.full_like(captions[:, :1], self.vae.codes)
        parts = self.parts(torch.cat([begin, drawn], dim=1)) + self.spots(drawn.shape[1] + 1)  # [B, M + 1, C]
        words = self.words(captions) + self.places.weight[: captions.shape[1]]  # [B, T, C]
        hidden, seen = self.dropout(torch.cat([words, parts], dim=1)), self.sight(captions, parts.shape[1])
        for block in self.blocks:
            hidden = block(hidden, seen)
        return self.head(self.norm(hidden[:, captions.shape[1] :]))  # [B, M + 1, K]

    def spots(self, count: int) -> Tensor:
        """Where on the square the first `count` tokens to be written stand, as row and column: [count, C]."""
        number = torch.arange(count, device=self.device)
        return self.rows(number // self.vae.grid) + self.columns(number % self.vae.grid)

    @staticmethod
    def sight(captions: Tensor, parts: int) -> Tensor:
        """Which tokens each one sees: itself, and of those before it all that do not pad. [B, 1, L, L]."""
        real = F.pad(captions != 0, (0, parts), value=True)  # [B, L]
        length = real.shape[1]
        before = torch.ones(length, length, dtype=torch.bool, device=captions.device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=captions.device)
        return (before & real[:, None] | itself)[:, None]

    @torch.no_grad()
    def generate(
        self,
        captions: Tensor,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw what captions [B, T] say: pictures [B, C, S, S] in 0..1.

        Args:
            captions: Their tokens, 0 pads at the end.
            temperature: Below 1 is safer, above 1 bolder; 0 always takes the likeliest token.
            top_k: Draw among the likeliest k tokens only; None among all.
            top_p: Draw among as few of the likeliest tokens as have this chance together; None among all.
            generator: Source of the chance, on the model's device; None is torch's own.
        """
        was_training = self.training
        self.eval()
        drawn = captions[:, :0]
        for _ in range(self.length):
            drawn = torch.cat([drawn, draw(self(captions, drawn)[:, -1], temperature, top_k, top_p, generator)], dim=1)
        self.train(was_training)
        return self.vae.decode(drawn)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch: of the discrete VAE in the first epochs, then of the transformer."""
        captions, pictures = batch
        done = self.vae_done(batch_idx)
        if done < 1:
            temperature = COLDEST + (1 - COLDEST) * (1 + math.cos(math.pi * done)) / 2
            choices = self.vae.choices(pictures)
            relaxed, divergence = self.vae.relaxed(pictures, temperature, choices)
            loss = relaxed + self.beta * divergence
            reconstruction, tokens = self.price_as_tested(captions, pictures, choices.argmax(dim=1).flatten(1))
        else:
            reconstruction, tokens = self.price(captions, pictures)
            loss = tokens
        self.record("train", reconstruction, tokens, len(pictures))
        return loss

    @torch.no_grad()
    def price_as_tested(self, captions: Tensor, pictures: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The same as `price` of the tokens [B, N], drawing nothing at random: what is logged while the VAE learns."""
        if not self.head.weight.any() and not self.head.bias.any():  # untrained: all codes are as likely
            return lost(self.vae.paint(drawn), pictures), pictures.new_tensor(self.length * math.log(self.vae.codes))
        was_training = self.training
        self.eval()
        found = self.price(captions, pictures)
        self.train(was_training)
        return found

    def vae_done(self, batch_idx: int) -> float:
        """How much of its epochs the discrete VAE has had, 1 when it is the transformer's turn; 0 without a trainer."""
        trainer = self._trainer
        if trainer is None:
            return 0.0
        epochs = max(1, trainer.max_epochs or 1)
        own = min(max(1, round(self.vae_share * epochs)), max(1, epochs - 1)) if self.vae_share else 0
        batches = max(1.0, float(trainer.num_training_batches))
        return min(1.0, (trainer.current_epoch + batch_idx / batches) / own) if own else 1.0

    def price(self, captions: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What pictures [B, C, S, S] cost in nats each: to paint them from their tokens, and to foretell the tokens."""
        with torch.no_grad():  # frozen
            tokens = self.vae.encode(pictures)  # [B, N]
            reconstruction = lost(self.vae.paint(tokens), pictures)
        logits = self(captions, tokens[:, :-1])  # [B, N, K]
        return reconstruction, F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten()) * self.length

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and its two parts of one batch of validation data."""
        self.record("val", *self.price(*batch), len(batch[0]))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss and its two parts of one batch of test data."""
        self.record("test", *self.price(*batch), len(batch[0]))

    def record(self, stage: str, reconstruction: Tensor, tokens: Tensor, size: int) -> None:
        """Log the bound and its two parts, in nats a picture."""
        for name, value in (
            ("loss", reconstruction + tokens),
            ("reconstruction", reconstruction),
            ("tokens", tokens),
        ):
            self.log(f"{stage}/{name}", value, batch_size=size)

    def samples(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Up to eight captions, and for each: the real picture, beneath it what its tokens keep, and a drawing."""
        captions, pictures = batch[0][:8], batch[1][:8]
        generator = torch.Generator(captions.device).manual_seed(0)  # the same chance every epoch
        drawings = self.generate(captions, generator=generator)
        return captions, torch.cat([pictures, self.vae.reconstruct(pictures), drawings], dim=2)  # [N, C, 3·S, S]

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """[B, T] captions -> [B, C, S, S] drawings."""
        return self.generate(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW: only the transformer's matrices decay; what is not learning has no gradient and stays as it is."""
        inside = [
            (name.startswith("vae.") or parameter.dim() < 2, parameter) for name, parameter in self.named_parameters()
        ]
        plain, matrices = ([parameter for kept, parameter in inside if kept is which] for which in (True, False))
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.hparams["lr"], betas=(0.9, 0.99), foreach=True)
