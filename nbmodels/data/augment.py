"""Random changes to a whole batch of pictures at once, a draw a picture.

B pictures, C channels, H × W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class ShiftFlip:
    """Moves each picture by up to `shift` pixels each way (the edge is filled with 0) and mirrors every other one.

    Args:
        shift: The largest move in pixels, at least 0.
        flip: Mirror left and right with probability one half; wrong for digits and letters.
    """

    shift: int = 2
    flip: bool = True

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """[B, C, H, W] -> the same shape and dtype, by one index operation; draws on the CPU: all devices agree."""
        batch, channels, height, width = x.shape
        moves = torch.randint(0, 2 * self.shift + 1, (2, batch, 1), generator=generator)
        rows = moves[0] + torch.arange(height)  # [B, H]
        across = torch.arange(width).expand(batch, width)  # [B, W]
        if self.flip:
            mirrored = torch.rand(batch, 1, generator=generator) < 0.5
            across = torch.where(mirrored, width - 1 - across, across)
        side = width + 2 * self.shift
        places = (rows[:, :, None] * side + (moves[1] + across)[:, None, :]).view(batch, 1, -1)  # [B, 1, H·W]
        padded = F.pad(x, (self.shift,) * 4).flatten(2)
        return padded.gather(2, places.to(x.device).expand(-1, channels, -1)).view(x.shape)
