"""How a language model chooses the token that it writes next, the same for all that write.

Shapes: B texts, V tokens of the vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def draw(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One token [B, 1] out of logits [B, V].

    Args:
        logits: The scores of every token.
        temperature: What the scores are divided by; 0 always takes the likeliest token.
        top_k: Draw among the likeliest k tokens only; None among all.
        top_p: Draw among the likeliest tokens only, as few as have this chance together (Holtzman et al. 2020,
            arXiv:1904.09751); None among all. With `top_k` it counts the chances that are left.
        generator: Source of the chance, on the logits' device; None is torch's own.
    """
    if temperature == 0:
        return logits.argmax(dim=1, keepdim=True)
    logits = logits / temperature
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[1])).values[:, -1:]  # [B, 1]
        logits = logits.masked_fill(logits < least, -math.inf)
    if top_p is not None:
        ordered, places = logits.sort(dim=1, descending=True)
        chances = ordered.softmax(dim=1)
        before = chances.cumsum(dim=1) - chances  # what the likelier ones have already
        before[:, 0] = -math.inf  # the likeliest always stays
        logits = logits.scatter(1, places, ordered.masked_fill(before >= top_p, -math.inf))
    return torch.multinomial(logits.softmax(dim=1), 1, generator=generator)
