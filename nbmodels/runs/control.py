"""What is asked of a running training, done between two steps: stop, pause, a new learning rate."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as L

from nbmodels.runs import learning_rate
from nbmodels.runs.checkpoint import Saver
from nbmodels.runs.pulse import Pulse

GRACE = 5.0  # seconds a validation may still take after a stop


class Control(L.Callback):
    """Reads the pulse after every step; `stopped` says that the run was ended by hand.

    Its state is the learning rate that was done last: one that was asked for after a checkpoint is done again when the
    run goes on from there, and no other.
    """

    late = True  # all of the step is done (see `runs.moments`)

    def __init__(self, pulse: Pulse, saver: Saver) -> None:
        self.pulse, self.saver, self.stopped = pulse, saver, False
        self.paused_seconds, self._asked = 0.0, None  # type: float, float | None
        self._lr_done: tuple[float, float] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Which learning rate the optimiser's state already holds."""
        return {"lr_done": self._lr_done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As the checkpoint says."""
        self._lr_done = tuple(state["lr_done"]) if state.get("lr_done") else None

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Do what is asked; costs two comparisons when nothing is."""
        if self.pulse.want == "run" and self.pulse.lr == self._lr_done:
            return
        if self.pulse.want == "pause":
            self._pause(trainer)
        if (asked := self.pulse.lr) is not None and asked != self._lr_done:
            learning_rate.change(trainer, asked[0])
            self._lr_done = asked
        if self.pulse.want == "stop" and not trainer.is_last_batch:
            self._stop(trainer)

    def on_validation_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A stop lets a short validation end, so that the epoch is whole, and does not wait for a long one."""
        if self.pulse.want != "stop" or self.stopped:
            self._asked = None
        elif self._asked is None:
            self._asked = time.monotonic()
        elif time.monotonic() - self._asked > GRACE:
            self._stop(trainer)
        if self.stopped:
            raise StopIteration

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The stop that waited for the validation; at the very end of the run there is nothing left to stop."""
        if self.pulse.want == "stop" and not self.stopped and not trainer.fit_loop.done:
            self._stop(trainer)

    def _stop(self, trainer: L.Trainer) -> None:
        self.saver.save(trainer)  # before should_stop: the state is that of a run that goes on
        self.stopped = self.saver.closed = True
        trainer.limit_val_batches = 0
        trainer.should_stop = True

    def _pause(self, trainer: L.Trainer) -> None:
        """Sleep without using the processor; the pulse's own thread keeps the heartbeat."""
        began = time.monotonic()
        self.saver.save(trainer)
        self.pulse.tell(state="paused")
        while self.pulse.want == "pause" and self.pulse.lr == self._lr_done:
            self.pulse.woken.clear()
            self.pulse.woken.wait(1.0)
        self.pulse.tell(state="paused" if self.pulse.want == "pause" else "running")
        self.paused_seconds += time.monotonic() - began
