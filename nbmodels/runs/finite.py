"""A training whose loss is no number any more stops there, and keeps the last good checkpoint.

On the processor each loss is looked at before its gradient is taken. On a GPU that would make every step wait for the
device: there losses are kept and looked at five times a second, and before each checkpoint. No checkpoint is written
with weights or optimiser states that are not finite.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from nbmodels.errors import RunError
from nbmodels.runs.pulse import PERIOD

HINT = "Try a smaller --lr, --clip 1 or --precision 32, or pass over such batches: --skip-nan 5."
NOTHING = "training_step returned None for every batch: nothing was learned"


class Finite(L.Callback):
    """Stops at the first loss that is not finite, after passing over so many batches as are allowed.

    Args:
        skip: Batches that may be passed over; no module that optimises by itself can leave one out.
        forget: Called when a batch is passed over: what it has logged does not count.
    """

    def __init__(self, skip: int = 0, forget: Callable[[], Any] = lambda: None) -> None:
        self.skip, self.forget, self.skipped = skip, forget, 0
        self._passing = self._learned = False
        self._nones = 0
        self._losses: list[tuple[int, int, Tensor]] = []  # on a GPU: (step, batch, loss), not looked at yet
        self._looked = time.monotonic()
        self._known: set[str] = set()  # weights that were not finite when the training began: they are meant so

    def state_dict(self) -> dict[str, Any]:
        """How many batches were passed over."""
        return {"skipped": self.skipped, "learned": self._learned, "known": sorted(self._known)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As the checkpoint says."""
        self.skipped, self._learned, self._known = state["skipped"], state["learned"], set(state["known"])

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """See which weights are not finite on purpose."""
        self._known |= set(bad_weights(module))

    def passes(self, trainer: Any, module: L.LightningModule, loss: Tensor) -> bool:
        """Whether the loss, before its gradient is taken, may be learned from; RunError where the run is to stop."""
        if loss.device.type != "cpu" and not self.skip:
            self._losses.append((trainer.global_step + 1, _batch(trainer), loss.detach()))
            return True
        value = loss.detach()
        number = value.item() if value.numel() == 1 else float(value.sum())
        if math.isfinite(number):
            return True
        if self.skipped >= self.skip or not module.automatic_optimization:
            raise _stops(trainer, number, trainer.global_step + 1, _batch(trainer), self._where(module, loss))
        self.skipped += 1
        self.forget()
        print(f"Batch {_batch(trainer)} of epoch {trainer.current_epoch + 1} is passed over: its loss is {number} "
              f"({self.skipped} of {self.skip})", flush=True)  # fmt: skip
        return False

    def on_before_backward(self, trainer: L.Trainer, module: L.LightningModule, loss: Tensor) -> None:
        """Lightning's own loop: look at the loss."""
        if not self.passes(trainer, module, loss):
            self._passing = True

    def on_before_optimizer_step(
        self, trainer: L.Trainer, module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Lightning's own loop: without gradients the optimiser does nothing."""
        if self._passing:
            self._passing = False
            optimizer.zero_grad(set_to_none=True)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at what is due; of a module that steps by itself also at its weights, now and then."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if not module.automatic_optimization:
            self._learned = True
            if isinstance(loss, Tensor) and loss.device.type == "cpu" and not bool(loss.isfinite().all()):
                raise _stops(trainer, float(loss.sum()), trainer.global_step, batch_idx + 1, self._where(module))
        elif loss is None:
            self._nones += 1
        else:
            self._learned = True
        if time.monotonic() - self._looked >= PERIOD:
            self._looked = time.monotonic()
            self._look(trainer)
            if not module.automatic_optimization:
                self.check(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """A module that gives no loss learns nothing, and does not end as if it had."""
        self._look(trainer)
        if self._nones and not self._learned:
            raise RunError(NOTHING, "Return the loss at its end: return loss")

    def check(self, trainer: L.Trainer) -> None:
        """Before a checkpoint: RunError where the state is not one to go on from."""
        self._look(trainer)
        module = trainer.lightning_module
        for name in bad_weights(module):
            if name not in self._known:
                raise _unkept(trainer, f"the weight {name!r} is not finite")
        names = {id(weight): name for name, weight in module.named_parameters()}
        for optimizer in trainer.optimizers:
            for weight, state in optimizer.state.items():
                name = names.get(id(weight), "?")
                if name not in self._known and not all(map(_finite, _tensors(state))):
                    raise _unkept(trainer, f"the optimiser's state of {name!r} is not finite")

    def _look(self, trainer: L.Trainer) -> None:
        """Look at the losses that were kept."""
        kept, self._losses = self._losses, []
        if not kept:
            return
        fine = torch.stack([loss.isfinite().all() for _, _, loss in kept]).tolist()
        if not all(fine):
            step, batch, loss = kept[fine.index(False)]
            raise _stops(trainer, float(loss.sum()), step, batch, self._where(trainer.lightning_module))

    def _where(self, module: L.LightningModule, loss: Tensor | None = None) -> str:
        """Which parameter went first: a weight, else a gradient of this loss."""
        bad = next((name for name in bad_weights(module) if name not in self._known), None)
        if bad:
            return f"the weight {bad!r} is not finite"
        if loss is not None and loss.requires_grad:
            module.zero_grad(set_to_none=True)
            loss.sum().backward()
        for name, weight in module.named_parameters():
            if weight.grad is not None and not _finite(weight.grad):
                return f"the gradient of {name!r} goes first"
        return "every weight is finite"


def bad_weights(module: L.LightningModule) -> Iterator[str]:
    """The names of the weights that are not finite, in the module's order."""
    return (name for name, weight in module.named_parameters() if not _finite(weight))


def _finite(tensor: Tensor) -> bool:
    if is_lazy(tensor):  # it gets its size, and its values, from the first batch
        return True
    values = tensor.detach()
    values = values.coalesce().values() if values.is_sparse else values
    floating = values.is_floating_point() or values.is_complex()
    return not floating or bool(values.isfinite().all())


def _tensors(state: Any) -> list[Tensor]:
    return [value for value in state.values() if isinstance(value, Tensor)] if isinstance(state, dict) else []


def _batch(trainer: Any) -> int:
    return int(trainer.fit_loop.epoch_loop.batch_idx) + 1


def _stops(trainer: L.Trainer, loss: float, step: int, batch: int, where: str) -> RunError:
    said = f"The loss is {loss} at step {step} (batch {batch} of epoch {trainer.current_epoch + 1}): {where}"
    return RunError(said, f"The last good checkpoint is kept. {HINT}")


def _unkept(trainer: L.Trainer, what: str) -> RunError:
    place = f"after step {trainer.global_step} (batch {_batch(trainer)} of epoch {trainer.current_epoch + 1})"
    return RunError(f"No checkpoint can be written {place}: {what}", f"The last good one is kept. {HINT}")
