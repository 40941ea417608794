"""nanoGPT's training recipe on our characters: what `gpt` with the same sizes and steps is held against.

    python bench/nanogpt.py [STEPS]

Its settings for a laptop (README of karpathy/nanoGPT): 4 layers, 4 heads, 128 wide, windows of 64 characters, 12 of
them a batch, 2,000 steps, no dropout, no biases. Written by us from its description, and of torch's own layers, so that
nothing is shared with models/gpt.py. Prints the loss over all windows of the validation text, as a run's val/loss is.

Shapes: B batch, T characters of a window, C width, V characters there are.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.data.shakespeare import Shakespeare

LAYERS, HEADS, WIDTH, LENGTH, BATCH, STEPS = 4, 4, 128, 64, 12, 2_000
RATE, LOWEST, WARM_UP, DECAY, BETAS, CLIP = 1e-3, 1e-4, 100, 0.1, (0.9, 0.99), 1.0


class Network(nn.Module):
    """GPT-2's blocks without biases, by torch's own encoder layer; the head is the embedding."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        sizes = (WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu")
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(*sizes, batch_first=True, norm_first=True, bias=False) for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                inward = name.endswith(("out_proj.weight", "linear2.weight"))  # into the sum of 2·layers terms
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if inward else 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] -> logits [B, T, V]."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        hidden = self.tokens(x) + self.positions.weight[: x.shape[1]]  # [B, T, C]
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask, is_causal=True)
        return F.linear(self.norm(hidden), self.tokens.weight)


def rate(step: int, steps: int) -> float:
    """A linear rise, then a cosine down to a tenth."""
    if step < WARM_UP:
        return RATE * (step + 1) / (WARM_UP + 1)
    done = (step - WARM_UP) / (steps - WARM_UP)
    return LOWEST + (RATE - LOWEST) * (1 + math.cos(math.pi * done)) / 2


def train(tokens: Tensor, vocabulary: int, steps: int) -> Network:
    """The network after so many batches of windows that begin anywhere in the text."""
    network = Network(vocabulary)
    matrices = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS)
    windows = tokens.unfold(0, LENGTH + 1, 1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        batch = windows[torch.randint(len(windows), (BATCH,))].long()
        loss = F.cross_entropy(network(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
    return network


@torch.no_grad()
def evaluate(network: Network, tokens: Tensor) -> float:
    """The mean loss in nats over the windows of a text, one after another, as our own validation takes them."""
    count = len(tokens) // LENGTH - 1
    windows = tokens.unfold(0, LENGTH + 1, LENGTH)[:count].long()
    losses = [
        F.cross_entropy(network(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten(), reduction="sum")
        for part in windows.split(256)
    ]
    return float(torch.stack(losses).sum()) / (count * LENGTH)


def main() -> None:
    """Train and say the loss of each seed."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    data = Shakespeare(sequence_length=LENGTH).load()
    parts = [torch.from_numpy(np.asarray(split[0])) for split in (data.train, data.val)]
    for seed in range(3 if steps == STEPS else 1):
        torch.manual_seed(seed)
        began = time.monotonic()
        network = train(parts[0], data.facts.fills["vocab_size"], steps).eval()
        seconds = time.monotonic() - began
        print(
            f"seed {seed}: val/loss {evaluate(network, parts[1]):.4f} after {steps} steps, {seconds:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
