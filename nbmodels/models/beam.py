"""Beam search: of all that a model could write, the K likeliest beginnings are kept and grown by a token at a time.

The next token is no rule of the model's: whatever gives chances of the token that follows can be searched, step by
step. With K = 1 it is greedy: the likeliest token is always taken.

Shapes: B texts, K beams of each, T tokens written, V tokens of the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

PAD, START, END = 0, 2, 3  # 1 is what is unknown; none of the first three is ever written


def long(tokens: int) -> float:
    """What the log of a text's chance is divided by: a short text has fewer factors below 1 and would always win.

    ((5 + T) / 6)^0.6, Wu et al. 2016, equation 14, with the exponent of "Attention is all you need".
    """
    return float(((5 + tokens) / 6) ** 0.6)


class Beams:
    """The K beginnings of each of B texts, and the best text that has ended.

    Args:
        texts: B.
        width: K, at least 1.
        length: The most tokens to write, END among them.
        device: Where the tensors lie.

    Attributes:
        last: The newest token of each beam [B·K, 1]: first START.
        done: Whether there is no more to write: of every text K beams have ended, or it is as long as it may be.
    """

    def __init__(self, texts: int, width: int, length: int, device: torch.device) -> None:
        self.width, self.length, self.done = width, length, False
        self.last = torch.full((texts * width, 1), START, device=device)
        self.written = torch.zeros(texts, width, 0, dtype=torch.long, device=device)  # [B, K, T so far]
        self.scores = torch.full((texts, width), -torch.inf, device=device)  # log of the chance of each beginning
        self.scores[:, 0] = 0.0  # all begin alike: one of them is enough
        self.ended = torch.zeros(texts, dtype=torch.long, device=device)  # how many have ended
        self.best = torch.zeros(texts, length, dtype=torch.long, device=device)
        self.best_score = torch.full((texts,), -torch.inf, device=device)  # log of the chance by the length

    def grow(self, chances: Tensor) -> Tensor:
        """Add a token to every beam, by the logs of the chances [B·K, V]; -> the beam each goes on from [B·K]."""
        vocabulary = chances.shape[1]
        chances = chances.clone()
        chances[:, :END] = -torch.inf
        total = self.scores.unsqueeze(2) + chances.view(-1, self.width, vocabulary)  # [B, K, V]
        score, place = total.flatten(1).topk(2 * self.width)  # [B, 2K]: at most K of them end, so K go on
        origin, token = place // vocabulary, place % vocabulary
        grown = torch.cat([self.written.take_along_dim(origin.unsqueeze(2), 1), token.unsqueeze(2)], 2)  # [B, 2K, T]
        ends = token == END
        self.finish(grown[:, : self.width], score[:, : self.width], ends[:, : self.width])
        on = ends.long().argsort(dim=1, stable=True)[:, : self.width]  # [B, K]: the likeliest that do not end
        self.written = grown.take_along_dim(on.unsqueeze(2), 1)
        self.scores = score.take_along_dim(on, 1)
        self.last = self.written[:, :, -1].reshape(-1, 1)
        self.done = bool((self.ended >= self.width).all()) or self.written.shape[2] == self.length
        first = torch.arange(len(origin), device=origin.device).unsqueeze(1) * self.width  # a text's first beam
        return (first + origin.take_along_dim(on, 1)).flatten()

    def finish(self, grown: Tensor, score: Tensor, ends: Tensor) -> None:
        """Keep the best of what ends: [B, K, T] tokens, [B, K] logs of their chances, whether each ends."""
        steps = grown.shape[2]
        ends = ends & score.isfinite() & (self.ended < self.width).unsqueeze(1)
        each = (score / long(steps)).masked_fill(~ends, -torch.inf)
        top, number = each.max(dim=1)  # [B]
        better = top > self.best_score
        chosen = grown.take_along_dim(number.view(-1, 1, 1), 1).squeeze(1)  # [B, T]
        self.best[better, :steps] = chosen[better]
        self.best_score = torch.where(better, top, self.best_score)
        self.ended += ends.sum(dim=1)

    def result(self) -> Tensor:
        """The best text of each [B, T]: END after its last token, then 0; one that never ended as far as it got."""
        open_ = self.best_score.isinf()
        self.best[open_, : self.written.shape[2]] = self.written[open_, 0]
        longest = int((self.best != PAD).sum(dim=1).max().clamp(min=1)) if len(self.best) else 1
        return self.best[:, :longest]
