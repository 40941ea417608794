"""The epoch's loop without what our own models never ask for, so that small models are not held up between steps.

Lightning's public loop calls some forty hooks a step, for every strategy and every model. For an architecture of the
table, on one device, with batches out of memory, all but six of them are empty: those six are called here in their
order. Whatever is not of this kind goes through Lightning's own loop, and so does the first step after a checkpoint.
Both give the same weights to the bit, the same counters, and checkpoints that either goes on from (a test says so).
"""

from __future__ import annotations

from typing import Any

import lightning
import lightning.pytorch as L
import torch
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden

from nbmodels.data.batches import InMemory
from nbmodels.runs.loader_state import LoaderState
from nbmodels.runs.moments import early, is_late

KNOWN = ("2.6.",)  # the versions of Lightning whose loop this is: it is not public, and another one is left alone
OURS = "nbmodels.models."
CALLED = {"on_train_batch_start", "on_train_batch_end"}  # of callbacks
UNCALLED = (  # whoever has one of these takes Lightning's way
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
MODULE = (  # and a module that has one of these
    *CALLED,
    *UNCALLED,
    "backward",
    "configure_gradient_clipping",
    "lr_scheduler_step",
    "on_before_batch_transfer",
    "optimizer_step",
    "optimizer_zero_grad",
    "transfer_batch_to_device",
)


class LeanEpoch(_TrainingEpochLoop):
    """Lightning's loop of an epoch, shorter where nothing is lost by it."""

    trainer: Any  # it is asked for what its public face does not tell
    _lean = False

    def __init__(self, trainer: L.Trainer) -> None:
        super().__init__(trainer)
        self.loader = LoaderState()
        self.validation_due = False  # an epoch was trained, and the validation after it is still to come

    def on_run_start(self, data_fetcher: Any) -> None:
        """Bring the loader to where it stood; decide how this epoch is done."""
        trainer, resuming = self.trainer, self.trainer.fit_loop.is_resuming
        if resuming:
            self.loader.resume(trainer.fit_loop, data_fetcher, self.batch_progress.current.ready, self.validation_due)
        elif trainer.current_epoch > 0:
            self.loader.epoch_begins(trainer.fit_loop)
        super().on_run_start(data_fetcher)
        if resuming:
            self.loader.count(data_fetcher, self.batch_progress.current.ready)
            for callback in trainer.callbacks:
                if put_back := getattr(callback, "put_back", None):
                    put_back()
        self._lean = trainer.max_steps == -1 and fits(trainer) and self._validates_at_the_end()
        self._early = early(trainer.callbacks)
        self._late = [c for c in trainer.callbacks if is_late(c) and _has(c, "on_train_batch_end")]
        self._starts = [c for c in trainer.callbacks if _has(c, "on_train_batch_start")]
        self._ends = [c for c in trainer.callbacks if _has(c, "on_train_batch_end") and not is_late(c)]
        self._guard = next((c for c in trainer.callbacks if hasattr(c, "passes")), None)
        self._weights = [w for optimizer in trainer.optimizers for g in optimizer.param_groups for w in g["params"]]

    def advance(self, data_fetcher: Any) -> None:
        """One step: next batch, loss, gradient, optimiser, schedule, and what the callbacks do with it."""
        if self.restarting and self.validation_due:
            self.val_loop.restarting = False  # the validation that a stop cut short is done again
            return
        if self._lean and not self.restarting:
            self._advance(data_fetcher)
            return
        self.loader.fetches(self.trainer.fit_loop, data_fetcher, self.batch_progress.current.ready)
        every, self.trainer.callbacks = self.trainer.callbacks, self._early
        try:
            super().advance(data_fetcher)
        finally:
            self.trainer.callbacks = every

    def _advance(self, data_fetcher: Any) -> None:
        self.val_loop.restarting = False
        (batch, _, _), number = next(data_fetcher), self.batch_idx + 1
        progress, trainer, module = self.batch_progress, self.trainer, self.trainer.lightning_module
        progress.is_last_batch = data_fetcher.done
        batch = tuple(part.to(trainer.strategy.root_device, non_blocking=True) for part in batch)
        progress.increment_ready()
        trainer._logger_connector.on_batch_start(batch)
        for callback in self._starts:
            callback.on_train_batch_start(trainer, module, batch, number)
        progress.increment_started()
        loss = self._step(module, batch, number)
        progress.increment_processed()
        self._schedule()
        for callback in self._ends:
            callback.on_train_batch_end(trainer, module, {"loss": loss}, batch, number)
        trainer._logger_connector.on_batch_end()
        progress.increment_completed()

    def on_advance_end(self, data_fetcher: Any) -> None:
        """Count the step; all else only where the epoch ends or the run is to stop. Then the step is done."""
        last = self.batch_progress.is_last_batch
        if not self._lean or last or self.trainer.should_stop:
            if not self._skip_next_val and self._should_check_val_fx(data_fetcher):
                self.validation_due = True
                for callback in self.trainer.callbacks:
                    if before := getattr(callback, "before_validation", None):
                        before(self.trainer)
            super().on_advance_end(data_fetcher)
            self.validation_due = False
        else:
            self._batches_that_stepped += 1
        if not last:
            self.step_done()

    def step_done(self) -> None:
        """Nothing of this step is left to be done: what was asked may happen now."""
        trainer = self.trainer
        for callback in self._late:
            callback.on_train_batch_end(trainer, trainer.lightning_module, None, None, self.batch_idx)

    def on_save_checkpoint(self) -> dict[str, Any]:
        """Lightning's own, and whether a validation is due."""
        return {**super().on_save_checkpoint(), "validation_due": self.validation_due}

    def on_load_checkpoint(self, state_dict: dict[str, Any]) -> None:
        """As the checkpoint says."""
        super().on_load_checkpoint(state_dict)
        self.validation_due = state_dict.get("validation_due", False)

    def _step(self, module: L.LightningModule, batch: Any, number: int) -> torch.Tensor:
        """Loss, gradient and update; returns the loss without its graph."""
        trainer, optimizer = self.trainer, self.trainer.optimizers[0]
        counts, made = self.automatic_optimization.optim_progress.optimizer, []

        @torch.enable_grad()
        def closure() -> torch.Tensor:
            module._current_fx_name = "training_step"
            with trainer.precision_plugin.train_step_context():
                loss: torch.Tensor = module.training_step(batch, number)  # type: ignore[assignment]
            passes = self._guard is None or self._guard.passes(trainer, module, loss)
            counts.zero_grad.increment_ready()
            counts.zero_grad.increment_started()
            optimizer.zero_grad()
            counts.zero_grad.increment_completed()
            made.append(loss.detach())
            if not passes:  # without a gradient the optimiser does nothing
                return made[0]
            loss.backward()
            if trainer.gradient_clip_val is not None:
                torch.nn.utils.clip_grad_norm_(self._weights, trainer.gradient_clip_val)
            return made[0]

        counts.step.increment_ready()
        optimizer.step(closure)
        counts.step.increment_completed()
        return made[0]

    def _schedule(self) -> None:
        """The next learning rate; schedules here are by step or by epoch and watch no metric (`fits`)."""
        for config in self.trainer.lr_scheduler_configs:
            if config.interval == "step" or self.batch_progress.is_last_batch:
                self.scheduler_progress.increment_ready()
                config.scheduler.step()
                self.scheduler_progress.increment_completed()

    def _validates_at_the_end(self) -> bool:
        trainer = self.trainer
        return trainer._val_check_time_interval is None and trainer.val_check_batch in (
            trainer.num_training_batches,
            float("inf"),
        )


def fits(trainer: Any) -> bool:
    """Whether a step of this training is of the simple kind: ours, one device, one optimiser, no hook of a user's."""
    module = trainer.lightning_module
    plain: bool = (
        lightning.__version__.startswith(KNOWN)
        and type(module).__module__.startswith(OURS)
        and trainer.strategy.model is module
        and module.automatic_optimization
        and isinstance(trainer.strategy, SingleDeviceStrategy)
        and isinstance(getattr(trainer, "datamodule", None), InMemory)
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and trainer.gradient_clip_algorithm is None
        and trainer.accumulate_grad_batches == 1
        and len(trainer.optimizers) == 1
    )
    return (
        plain
        and not any(config.reduce_on_plateau or config.frequency != 1 for config in trainer.lr_scheduler_configs)
        and not any(is_overridden(name, module) for name in MODULE)
        and not any(_has(c, name) for c in trainer.callbacks if not hasattr(c, "passes") for name in UNCALLED)
    )


def _has(callback: L.Callback, hook: str) -> bool:
    return getattr(type(callback), hook) is not getattr(L.Callback, hook)
