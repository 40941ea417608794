"""The threads of a training: this run's share of the cores, changed between two steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as L
import torch

from nbmodels.runs import changes, signals
from nbmodels.runs.disk import Disk
from nbmodels.runs.folder import CHANGES
from nbmodels.runs.pulse import Pulse


class Threads(L.Callback):
    """Takes as many threads as the pulse says, and says so in the status.

    Args:
        pulse: Knows this run's share.
        disk: Waits where the folder takes nothing.
        device: Says what the run computes on, in words with the number of threads in them.
    """

    def __init__(self, pulse: Pulse, disk: Disk, device: Callable[[L.Trainer], str]) -> None:
        self.pulse, self._disk, self._device = pulse, disk, device
        self._most = self._now = torch.get_num_threads()  # torch's own number, or what this process was given
        self._seen: int | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Begin with this run's share; the signals are ours again, where Lightning has taken them."""
        signals.listen(self.pulse)
        self._take(trainer)
        self.pulse.tell(threads=self._now, device=self._device(trainer))

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take more or fewer; costs one comparison when nothing has changed."""
        if self.pulse.share.threads != self._seen:
            self._take(trainer)

    def _take(self, trainer: L.Trainer) -> None:
        wanted = self._seen = self.pulse.share.threads
        if wanted is None or self.pulse.share.entry.device != "cpu":
            return
        wanted = wanted if self.pulse.share.entry.threads else min(wanted, self._most)
        if wanted == self._now:
            return
        torch.set_num_threads(wanted)
        if trainer.global_step:  # results are the same to the bit for the same number: a change is part of the record
            written = (self.pulse.folder.file(CHANGES), trainer.global_step, "threads", self._now, wanted)
            self._disk.write(lambda: changes.append(*written))
        self._now = wanted
        self.pulse.tell(threads=wanted, device=self._device(trainer))
