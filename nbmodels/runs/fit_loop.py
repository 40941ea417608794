"""Lightning's loop of epochs, with a point after each step and epoch at which all of it is done.

That is where checkpoints are written and where a stop happens, so what a checkpoint does not know has not happened.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
from lightning.pytorch.loops.fit_loop import _FitLoop

from nbmodels.runs.epoch import LeanEpoch
from nbmodels.runs.moments import early, is_late


class FitLoop(_FitLoop):
    """Lightning's loop of epochs; late callbacks come when an epoch is over, whole.

    Args:
        trainer: The trainer, whose own loop this one takes the place of.
    """

    trainer: Any
    epoch_loop: LeanEpoch

    def __init__(self, trainer: L.Trainer) -> None:
        stock = trainer.fit_loop
        super().__init__(trainer, min_epochs=stock.min_epochs, max_epochs=stock.max_epochs)
        self.epoch_loop = LeanEpoch(trainer)

    def on_run_start(self) -> None:
        """Every `on_train_start`, then what a checkpoint says of the epoch in work."""
        super().on_run_start()
        if not self.is_resuming:
            return
        for callback in self.trainer.callbacks:
            if restored := getattr(callback, "on_restored", None):
                restored(self.trainer, self.trainer.lightning_module)
            if not self.restarting and (put_back := getattr(callback, "put_back", None)):
                put_back()

    def _load_combined_loader_states(self) -> None:
        self.epoch_loop.loader.epoch_begins(self)
        super()._load_combined_loader_states()

    def on_advance_end(self) -> None:
        """The epoch's end; one that was stopped has none."""
        trainer = self.trainer
        if any(getattr(callback, "closed", False) for callback in trainer.callbacks):
            raise StopIteration
        every, trainer.callbacks = trainer.callbacks, early(trainer.callbacks)
        try:
            super().on_advance_end()
        finally:
            trainer.callbacks = every
        if self.epoch_loop.batch_progress.is_last_batch:
            self.epoch_loop.step_done()
        for callback in every:
            if is_late(callback) and not getattr(callback, "closed", False):
                callback.on_train_epoch_end(trainer, trainer.lightning_module)

    def on_save_checkpoint(self) -> dict[str, Any]:
        """Lightning's own, with the loaders' states as of the last batch that was trained on."""
        state = super().on_save_checkpoint()
        return {**state, **self.epoch_loop.loader.state_dict(self)}

    def on_load_checkpoint(self, state_dict: dict[str, Any]) -> None:
        """As the checkpoint says."""
        super().on_load_checkpoint(state_dict)
        self.epoch_loop.loader.load_state_dict(state_dict)
