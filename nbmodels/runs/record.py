"""What came of a training, written while it runs: readings, samples, TensorBoard.

A value logged in a training step is kept as it is (`detach`, no reading) and summed on its device; five
times a second the mean of the window is read and written. So the device is never waited for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from nbmodels.data.facts import Facts
from nbmodels.runs.checkpoint import Randomness
from nbmodels.runs.folder import METRICS, RunFolder
from nbmodels.runs.pulse import PERIOD, Pulse
from nbmodels.runs.samples import write_samples

OTHER_NAMES = re.compile(r"^(train|val|test)_")  # a user's `train_loss` is written as train/loss


class Board(TensorBoardLogger):
    """Event files straight into the run's folder; hyperparameters once, at the end, with the final metrics."""

    def __init__(self, folder: RunFolder, options: dict[str, Any]) -> None:
        super().__init__(folder.path, name="", version="", default_hp_metric=False)
        self.options = options

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Left to `finish`: TensorBoard's table wants the figures with them."""

    def save(self) -> None:
        """Flush; Lightning would also write a second copy of the options, which spec.yaml holds."""
        self.experiment.flush()

    def finish(self, metrics: dict[str, float]) -> None:
        """Write the row of TensorBoard's hyperparameter table."""
        from torch.utils.tensorboard.summary import hparams

        plain = {k: v if isinstance(v, (bool, int, float)) else str(v) for k, v in self.options.items()}
        for summary in hparams(plain, metrics):
            self.experiment._get_file_writer().add_summary(summary)
        self.experiment.flush()


class Recorder(L.Callback):
    """Writes metrics.jsonl, status, samples and event files; its state makes a resumed file seamless."""

    def __init__(
        self,
        folder: RunFolder,
        pulse: Pulse,
        facts: Facts,
        randomness: Randomness,
        paused: Callable[[], float],
    ) -> None:
        self.folder, self.pulse, self.facts, self.randomness, self.paused = (
            folder,
            pulse,
            facts,
            randomness,
            paused,
        )
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._samples = self._window_samples = 0
        self._seconds = self._train_seconds = 0.0  # of earlier sessions of this run, then of all
        self._offset: int | None = None
        self._sample_batch: Any = None
        self._graph_done = False

    # -- what a checkpoint holds

    def state_dict(self) -> dict[str, Any]:
        """Where the file stood, and the clocks."""
        self._file.flush()
        clocks = {"seconds": self.seconds, "train_seconds": self._train_seconds, "samples": self._samples}
        return {"offset": self._file.tell(), **clocks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there: what was written after the checkpoint will be written again."""
        self._offset, self._samples = state["offset"], state["samples"]
        self._seconds, self._train_seconds = state["seconds"], state["train_seconds"]

    @property
    def seconds(self) -> float:
        """Seconds of work on this run, all sessions together, pauses left out."""
        return self._seconds + time.monotonic() - self._began - self.paused()

    # -- hooks

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Open the file and make the module's `log` light."""
        self._file = self.folder.file(METRICS).open("ab")
        self._began = self._last = time.monotonic()
        self._full_log = module.log
        self._trainer = trainer
        module.log = self.light_log  # type: ignore[method-assign, assignment]

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Give the module its own `log` back."""
        module.__dict__.pop("log", None)
        self._file.close()

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Cut the file where the checkpoint stood; say how much there is to do."""
        self._file.truncate(self._offset or 0)
        self._file.seek(0, 2)
        steps = trainer.estimated_stepping_batches
        self._steps = int(steps) if steps != float("inf") else None
        self._first_step = trainer.global_step
        self._resumed_at = self.seconds
        self._last = time.monotonic()
        self.pulse.tell(state="running", steps=self._steps, step=trainer.global_step, lr=_rate(trainer))

    def light_log(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """In a training step: add to the window's sum, nothing more. Everything else is Lightning's own."""
        trainer = self._trainer
        if args or not trainer.training or kwargs.get("on_epoch") or not isinstance(value, (torch.Tensor, int, float)):
            self._full_log(name, value, *args, **kwargs)
            return
        value = value.detach() if isinstance(value, torch.Tensor) else value
        count = self._counts.get(name, 0)
        self._sums[name] = self._sums[name] + value if count else value
        self._counts[name] = count + 1

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, and every fifth of a second read and write."""
        if not self._samples and not self._window_samples:
            self.pulse.tell(first_step=time.time())
        self._window_samples += _size(batch)
        now = time.monotonic()
        if now - self._last >= PERIOD:
            self._read(trainer, now)

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Close the window: validation is not training time."""
        if trainer.state.fn == "fit":
            self._read(trainer, time.monotonic())

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first batch: the samples of every epoch are made from it."""
        if batch_idx == 0 and dataloader_idx == 0:
            self._sample_batch = batch

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write the validation's figures, the samples and, once, the graph."""
        if trainer.state.fn == "fit" and not trainer.should_stop:
            self._write(trainer, _floats(trainer.callback_metrics, but="train/"))
            self._sample(trainer, module)
            self._graph(trainer, module)
        self.randomness.leave_validation()
        self._last = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """An epoch is over: whatever a module of the user's logged by epoch is known now."""
        self._read(trainer, time.monotonic())
        known = _floats(trainer.callback_metrics).items()
        own = {name: value for name, value in known if OTHER_NAMES.sub(r"\1/", name) not in self.metrics}
        if own:
            self._write(trainer, own)
        self.pulse.tell(epoch=trainer.current_epoch + 1)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The last words, also for TensorBoard."""
        trainer.logger.finish(self.metrics)  # type: ignore[union-attr]
        self._tell(trainer)

    # -- writing

    @property
    def metrics(self) -> dict[str, float]:
        """The newest reading of every metric."""
        metrics: dict[str, float] = self.pulse.get("metrics", {})
        return metrics

    def _read(self, trainer: L.Trainer, now: float) -> None:
        """Read the window's means, and start the next window."""
        if not self._window_samples:
            return
        self._train_seconds += now - self._last
        self._samples += self._window_samples
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._speed = self._window_samples / max(now - self._last, 1e-9)
        self._sums.clear()
        self._counts.clear()
        self._window_samples, self._last = 0, now
        rate = _rate(trainer)
        self._write(trainer, means, **({"lr": rate} if rate is not None else {}))
        for name, value in means.items():
            trainer.logger.experiment.add_scalar(OTHER_NAMES.sub(r"\1/", name), value, trainer.global_step)  # type: ignore[union-attr]

    def _write(self, trainer: L.Trainer, values: dict[str, float], **more: float) -> None:
        """One line of metrics.jsonl, and the status."""
        values = {OTHER_NAMES.sub(r"\1/", name): value for name, value in values.items()}
        step = trainer.global_step
        row = {"step": step, "epoch": self._epoch(trainer), "time": round(self.seconds, 3), **more, **values}
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.pulse.tell(metrics={**self.metrics, **values}, **({"lr": more["lr"]} if more else {}))
        self._tell(trainer)

    def _tell(self, trainer: L.Trainer) -> None:
        step, seconds = trainer.global_step, self.seconds
        done = step - self._first_step
        left = (seconds - self._resumed_at) / done * (self._steps - step) if done and self._steps else None
        speed = self._samples / self._train_seconds if self._train_seconds else None
        device = torch.cuda.memory_allocated() if torch.cuda.is_initialized() else None
        self.pulse.tell(
            step=step,
            seconds=round(seconds, 3),
            left=left,
            samples_per_second=speed,
            memory={"device": device},
        )

    def _epoch(self, trainer: L.Trainer) -> float:
        batches = trainer.num_training_batches
        part = (
            (trainer.fit_loop.epoch_loop.batch_progress.current.ready / batches)
            if batches not in (0, float("inf"))
            else 0
        )
        return round(trainer.current_epoch + part, 4)

    def _sample(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        make = getattr(module, "samples", None)
        if not callable(make) or self._sample_batch is None:
            return
        with torch.no_grad():
            made = make(self._sample_batch)
        if made is None:  # nothing to look at in this task
            return
        epoch, step = round(self._epoch(trainer)), trainer.global_step
        write_samples(self.folder, made, step, epoch, self.facts, trainer.logger.experiment)  # type: ignore[union-attr]

    def _graph(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The graph, once, where it can be traced; a model that cannot is no worse for it."""
        if self._graph_done:
            return
        self._graph_done = True
        example = module.example_input_array
        if example is None:
            example = self._sample_batch[0][:1] if isinstance(self._sample_batch, (list, tuple)) else None
        if example is not None:
            try:
                trainer.logger.experiment.add_graph(module, module._on_before_batch_transfer(example).to(module.device))  # type: ignore[union-attr]
            except Exception as error:
                print(f"The graph cannot be traced: {error}")


def _rate(trainer: L.Trainer) -> float | None:
    return float(trainer.optimizers[0].param_groups[0]["lr"]) if trainer.optimizers else None


def _floats(metrics: dict[str, Any], but: str | None = None) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if not (but and name.startswith(but))}


def _size(batch: Any) -> int:
    """The number of samples of a batch: the length of the first tensor in it."""
    while isinstance(batch, (list, tuple, dict)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return len(batch) if isinstance(batch, torch.Tensor) and batch.dim() else 1
