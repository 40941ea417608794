"""The body of a network held still while its head learns: what was learned elsewhere is not washed away at once.

A class says what its head is: `head_layers`, the names of the submodules, parameters and buffers that learn when the
rest is frozen (`"fc"`, `"network.-1"` for the last of a Sequential), or a dict of them by task; empty where it has no
head. Of a class that says nothing the head is the last child with weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import lightning.pytorch as L
from torch import Tensor, nn

from nbmodels.errors import InputError

Head = dict[str, nn.Module | Tensor]  # its parts by their full names


class Freeze(L.Callback):
    """Holds all but the head still, from the first epoch on, until `unfreeze_at` or to the end.

    What is held gets no gradient, and its norms and dropouts work as in evaluation. The optimiser knows every weight
    from the start and passes over those without a gradient, so nothing is to be kept for a run that is resumed. What
    the model itself holds still stays so, in the head and after the body is let go.

    Args:
        unfreeze_at: The epoch, counted from 0, from which on everything learns; None never.
    """

    def __init__(self, unfreeze_at: int | None) -> None:
        self.unfreeze_at = unfreeze_at

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Find the head, and remember what learns and which modules train without a freeze."""
        self.head = list(head(module))
        self.learns = {name: weight.requires_grad for name, weight in module.named_parameters()}
        self.trains = {name: part.training for name, part in module.named_modules()}
        if not any(self.learns[name] for name in inside(module, self.head)):
            raise InputError(f"Nothing of the head ({', '.join(self.head)}) learns", "Leave out --freeze.")

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Say what learns; hold the body also where a run goes on in the middle of an epoch."""
        if self.holds(trainer):
            print(self.sentence(module))
        self.on_train_epoch_start(trainer, module)

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Hold the body, or let it go."""
        self.hold(module, self.holds(trainer))

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Give the model back as it came."""
        self.hold(module, False)

    def hold(self, module: nn.Module, held: bool) -> None:
        """Hold the body, or let it go."""
        free = inside(module, self.head)
        for name, weight in module.named_parameters():
            weight.requires_grad_(self.learns[name] and (name in free or not held))
        for name, part in module.named_modules():
            part.training = self.trains[name] and (within(name, self.head) or not held)

    def holds(self, trainer: L.Trainer) -> bool:
        """Whether the body is held in this epoch."""
        return self.unfreeze_at is None or trainer.current_epoch < self.unfreeze_at

    def sentence(self, module: nn.Module) -> str:
        """`Only fc learns until epoch 3: 5,130 of 11,181,642 parameters`."""
        weights, free = dict(module.named_parameters()), inside(module, self.head)
        count = sum(weights[name].numel() for name in free if self.learns[name])
        names = [part for part in self.head if any(within(name, [part]) for name in free)]
        everywhere = dict(module.named_parameters(remove_duplicate=False))
        ties = [n for n, weight in everywhere.items() if not within(n, self.head) and n in free]
        verb = "learns" if len(names) == 1 else "learn"
        tied = f", and with it {', '.join(ties)}, which is the same tensor" if ties else ""
        until = "" if self.unfreeze_at is None else f" until epoch {self.unfreeze_at}"
        total = sum(weight.numel() for weight in weights.values())
        return f"Only {', '.join(names)} {verb}{until}{tied}: {count:,} of {total:,} parameters"


def head(module: nn.Module, path: str = "") -> Head:
    """The parts of the head, inside whatever merely wraps a network.

    Raises:
        InputError: The network has none, or names one that it does not have.
    """
    layers = getattr(type(module), "head_layers", None)
    if layers is not None:
        return _declared(module, layers, path)
    children = [(key, child) for key, child in module.named_children() if any(True for _ in child.parameters())]
    if not children:
        return {path: module}
    key, last = children[-1]
    name = f"{path}.{key}" if path else key
    return head(last, name) if len(children) == 1 else {name: last}


def _declared(module: nn.Module, layers: Any, path: str) -> Head:
    """The parts of a head that the class names; one that is None in this task is left out."""
    if isinstance(layers, dict):
        layers = layers.get(getattr(module, "task", None), ())
    found: Head = {}
    for layer in (layers,) if isinstance(layers, str) else layers:
        name, part = path, module
        for step in layer.split("."):
            if isinstance(part, nn.Sequential) and step.startswith("-"):
                step = str(len(part) + int(step))
            if not hasattr(part, step):
                raise InputError(f"{type(module).__name__} calls its head {layer!r}, and has nothing of that name")
            name, part = f"{name}.{step}" if name else step, getattr(part, step)
        if part is not None:
            found[name] = part
    if not found:
        raise InputError(f"{type(module).__name__} has no head to train alone", "Leave out --freeze and --unfreeze-at.")
    return found


def within(name: str, parts: Iterable[str]) -> bool:
    """Whether a name is one of the parts or lies in one; all lies in the part ""."""
    return any(not part or name == part or name.startswith(f"{part}.") for part in parts)


def inside(module: nn.Module, parts: Sequence[str]) -> set[str]:
    """The names of the parameters of the parts, as `named_parameters` has them: a tensor of two names counts once."""
    weights = module.named_parameters(remove_duplicate=False)
    learning = {id(weight) for name, weight in weights if within(name, parts)}
    return {name for name, weight in module.named_parameters() if id(weight) in learning}
