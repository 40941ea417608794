"""The coefficient of determination of a regression: which share of the targets' variance the predictions explain.

R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)², over all rows of an evaluation: it is no mean of the batches' own.

Shapes: B batch, K predicted numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor


class RSquared:
    """Collects an evaluation's predictions and targets; a mean over the K numbers, as scikit-learn's `r2_score`."""

    def __init__(self) -> None:
        self.rows: list[tuple[Tensor, Tensor]] = []

    def add(self, predicted: Tensor, y: Tensor) -> None:
        """Predictions and targets of a batch, of one shape [B] or [B, …]."""
        self.rows.append((predicted.detach(), y))

    def reset(self) -> None:
        """Begin an evaluation."""
        self.rows = []

    def compute(self) -> Tensor | None:
        """R² of all that was added since the reset; None of fewer than two rows, which have no variance.

        A target that never changes is explained (1) where every prediction is right, else not (0).
        """
        if sum(len(y) for _, y in self.rows) < 2:
            return None
        # in 64 bits and after taking the mean: the targets may be years, all near 2000
        predicted, y = (torch.cat([part.cpu().double() for part in parts]) for parts in zip(*self.rows, strict=True))
        predicted, y = predicted.reshape(len(y), -1), y.reshape(len(y), -1)  # [N, K]
        residual, total = (y - predicted).square().sum(0), (y - y.mean(0)).square().sum(0)  # [K]
        constant = (y == y[0]).all(0)
        share = torch.where(constant, (residual == 0).double(), 1 - residual / total.where(~constant, 1.0))
        return share.mean().float()
