"""A learning rate typed while a run goes on.

One rule: the rate typed is the rate from the next step on; what is left of the schedule falls from it and never rises
above it. With own(s) for what the model's schedule says at step s, and s0 for the step of the change,

    rate(s) = typed · own(s) / max(own(t) for s0 <= t <= s)

so in a warm-up the rate typed holds until the schedule's own peak, and then falls as the schedule does.

The optimiser's groups hold the schedule's own rates at all times: every kind of scheduler computes from them, and a
checkpoint holds them. Only for the length of an update the typed rate stands there instead.
"""

from __future__ import annotations

import functools
from typing import Any

import lightning.pytorch as L
import torch

from nbmodels.runs import changes
from nbmodels.runs.coming import coming
from nbmodels.runs.disk import Disk
from nbmodels.runs.folder import CHANGES, RunFolder
from nbmodels.runs.pulse import Pulse


class LearningRate(L.Callback):
    """Puts the typed rate on for each update and takes it off after it.

    Groups keep their ratios to the first one; several optimisers theirs to the first as they stood at the change.

    Args:
        folder: Where a change is written down.
        pulse: Is told of the rates to come.
        disk: Waits where the folder takes nothing.
    """

    def __init__(self, folder: RunFolder, pulse: Pulse, disk: Disk) -> None:
        self.folder, self.pulse, self._disk = folder, pulse, disk
        self.typed: float | None = None
        self._shares: list[float] = []  # by optimiser: its rate beside the first one's when the rate was typed
        self._peaks: list[float] = []  # by optimiser: the highest of its own rates since then
        self._hooked = False
        self._on: dict[int, list[tuple[dict[str, Any], Any, Any]]] = {}  # optimiser -> (group, own rate, typed rate)

    def state_dict(self) -> dict[str, Any]:
        """The rate typed, and what it is measured by."""
        return {"typed": self.typed, "shares": list(self._shares), "peaks": list(self._peaks)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As the checkpoint says."""
        self.typed, self._shares, self._peaks = state["typed"], state["shares"], state["peaks"]

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """A rate that was typed before the checkpoint still holds."""
        if self.typed is not None:
            self._hook(trainer)
            self._tell(trainer)
        else:
            self.pulse.tell(coming=None)

    def change(self, trainer: L.Trainer, rate: float) -> None:
        """The rate is `rate` from the next step on."""
        old = current(trainer)
        firsts = [_own(optimizer) for optimizer in trainer.optimizers]
        bases = [_base(optimizer) for optimizer in trainer.optimizers]
        rates = firsts if all(rate > 0 for rate in firsts) else bases
        self.typed = rate
        self._shares = [each / rates[0] if rates[0] > 0 else 1.0 for each in rates]
        self._peaks = firsts
        self._hook(trainer)
        written = (self.folder.file(CHANGES), trainer.global_step, "lr", old, rate)
        self._disk.write(lambda: changes.append(*written))
        self._tell(trainer)

    def now(self, trainer: L.Trainer) -> float | None:
        """The rate of the next update."""
        if not trainer.optimizers:
            return None
        own = _own(trainer.optimizers[0])
        if self.typed is None:
            return own
        return falls(self.typed, own, max(self._peaks[0], own))

    def _tell(self, trainer: L.Trainer) -> None:
        rates = coming(trainer, self.typed or 0.0, self._peaks[0] if self._peaks else 0.0)
        self.pulse.tell(coming=rates, lr=self.now(trainer))

    def _hook(self, trainer: L.Trainer) -> None:
        if self._hooked:
            return
        self._hooked = True
        for number, optimizer in enumerate(trainer.optimizers):
            optimizer.register_step_pre_hook(functools.partial(self._before, number))
            optimizer.register_step_post_hook(functools.partial(self._after, number))

    def _before(self, number: int, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        """The typed rate for this update; a closure is run with the schedule's own, as outside of it."""
        self._put_on(optimizer, number)
        closure = kwargs.get("closure") or next((each for each in args[1:2] if callable(each)), None)
        if closure is None:
            return None

        def measured() -> Any:
            self._take_off(number)
            loss = closure()
            self._put_on(optimizer, number)
            return loss

        return (args[:1], {**kwargs, "closure": measured}) if "closure" in kwargs else ((args[0], measured), kwargs)

    def _after(self, number: int, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._take_off(number)

    def _put_on(self, optimizer: torch.optim.Optimizer, number: int) -> None:
        self._take_off(number)
        own = _own(optimizer)
        self._peaks[number] = peak = max(self._peaks[number], own)
        typed = (self.typed or 0.0) * self._shares[number]
        base = _base(optimizer)
        put: list[tuple[dict[str, Any], Any, Any]] = []
        for group in optimizer.param_groups:
            before = group["lr"]
            if peak > 0:
                after = before * (typed / peak)
            else:  # the schedule has been at nothing since: the ratios are those it began with
                after = typed * (float(group.get("initial_lr", base)) / base if base > 0 else 1.0)
            group["lr"] = after
            put.append((group, before, after))
        self._on[number] = put

    def _take_off(self, number: int) -> None:
        for group, before, after in self._on.pop(number, ()):
            if group["lr"] is after:  # whoever has set another one meanwhile means it
                group["lr"] = before


def current(trainer: L.Trainer) -> float | None:
    """The learning rate of the next update: the schedule's own, or what was typed makes of it."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    found = next((each for each in callbacks if isinstance(each, LearningRate)), None)
    if found is not None:
        return found.now(trainer)
    return _own(trainer.optimizers[0]) if trainer.optimizers else None


def change(trainer: L.Trainer, rate: float) -> None:
    """Make `rate` the learning rate from the next step on."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    for each in callbacks:
        if isinstance(each, LearningRate):
            each.change(trainer, rate)


def falls(typed: float, own: float, peak: float) -> float:
    """The rule: typed · own / peak; as typed while the schedule has been at nothing."""
    return typed * (own / peak) if peak > 0 else typed


def _own(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _base(optimizer: torch.optim.Optimizer) -> float:
    """The rate that the first group's schedule began from."""
    group = optimizer.param_groups[0]
    return float(group.get("initial_lr", group["lr"]))
