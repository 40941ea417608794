"""The body of a network held still while its head learns: what was learned elsewhere is not washed away at once."""

from __future__ import annotations

import lightning.pytorch as L
from torch import nn


class Freeze(L.Callback):
    """Holds all but the head still, from the first epoch on, until `unfreeze_at` or to the end.

    What is held gets no gradient, and its norms and dropouts work as in evaluation. The optimiser knows every weight
    from the start and passes over those without a gradient, so nothing is to be kept for a run that is resumed.

    Args:
        unfreeze_at: The epoch, counted from 0, from which on everything learns; None never.
    """

    def __init__(self, unfreeze_at: int | None) -> None:
        self.unfreeze_at = unfreeze_at

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Say what learns; hold the body also where a run goes on in the middle of an epoch."""
        if self.holds(trainer):
            name, part = head(module)
            count = sum(weight.numel() for weight in part.parameters())
            until = "" if self.unfreeze_at is None else f" until epoch {self.unfreeze_at}"
            print(f"Only {name} learns{until}: {count:,} of {sum(w.numel() for w in module.parameters()):,} parameters")
        self.on_train_epoch_start(trainer, module)

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Hold the body, or let it go."""
        held, (_, part) = self.holds(trainer), head(module)
        module.requires_grad_(not held)
        module.train(not held)
        part.requires_grad_(True)
        part.train()

    def holds(self, trainer: L.Trainer) -> bool:
        """Whether the body is held in this epoch."""
        return self.unfreeze_at is None or trainer.current_epoch < self.unfreeze_at


def head(module: nn.Module, name: str = "") -> tuple[str, nn.Module]:
    """(name, module) of the last child that has weights, inside whatever merely wraps a network."""
    children = [(key, child) for key, child in module.named_children() if any(True for _ in child.parameters())]
    if not children:
        return name or type(module).__name__, module
    key, last = children[-1]
    path = f"{name}.{key}" if name else key
    return head(last, path) if len(children) == 1 else (path, last)
