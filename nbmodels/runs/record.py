"""What came of a training, written while it runs: readings, samples, TensorBoard.

A value that one of our own models logs in a training step is kept as it is (`detach`, no reading) and summed on its
device; five times a second the mean of the window is read and written. So the device is never waited for. What a
user's own module logs goes Lightning's way, and each row that Lightning gives its logger is a row here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as L
import torch

from nbmodels.data.facts import Facts
from nbmodels.data.first_tensor import size
from nbmodels.runs import learning_rate, module_state, results, rewind
from nbmodels.runs.checkpoint import Randomness, ours
from nbmodels.runs.disk import Disk
from nbmodels.runs.event_files import Board
from nbmodels.runs.folder import METRICS, RunFolder
from nbmodels.runs.json_file import encode, finite
from nbmodels.runs.look import Look
from nbmodels.runs.pulse import PERIOD, Pulse
from nbmodels.runs.window import Window

__all__ = ["Board", "Recorder"]

BUFFERED = 4000  # bytes


class Recorder(L.Callback):
    """Writes metrics.jsonl, status, samples and event files; its state makes a resumed record seamless."""

    def __init__(
        self,
        folder: RunFolder,
        pulse: Pulse,
        facts: Facts,
        randomness: Randomness,
        paused: Callable[[], float],
        disk: Disk | None = None,
    ) -> None:
        self.folder, self.pulse, self.paused = folder, pulse, paused
        self._disk = disk or Disk(pulse, folder.path)
        self._look = Look(folder, facts, randomness)
        self.window = Window()
        self._samples = 0
        self._seconds = self._train_seconds = 0.0  # of earlier sessions of this run, then of all
        self._loaded: dict[str, Any] = {}

    # -- what a checkpoint holds

    def state_dict(self) -> dict[str, Any]:
        """Where the files stood, the clocks, the open window, and what Lightning forgets of a user's module."""
        trainer, module = self._trainer, self._trainer.lightning_module
        self._flush()
        trainer.logger.flush()
        state = {
            "marks": rewind.marks(self.folder),
            "seconds": self.seconds,
            "train_seconds": self._train_seconds,
            "samples": self._samples,
            "window": self.window.state_dict(),
            "open": time.monotonic() - self._last,
            "metrics": dict(self.metrics),
            "graph": self._look.graph_done,
        }
        if self._own:
            waiting = not module.automatic_optimization or trainer.fit_loop._should_accumulate()
            state["results"] = results.state_of(trainer)
            state["module"] = module_state.state_of(module, waiting)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the files were cut before (see `rewind`)."""
        self._loaded, self._samples = state, state["samples"]
        self._seconds, self._train_seconds = state["seconds"], state["train_seconds"]
        if "window" in state:
            self.window.load_state_dict(state["window"])
            self._look.graph_done = state["graph"]
            self.pulse.tell(metrics=state["metrics"])

    @property
    def seconds(self) -> float:
        """Seconds of work on this run, all sessions together, pauses left out."""
        return self._seconds + time.monotonic() - self._began - self.paused() - self._disk.held_seconds

    # -- hooks

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Open the file; make the `log` of our own models light, and hear what any other module logs."""
        self._file = self.folder.file(METRICS).open("ab")
        self._began = self._last = self._told = time.monotonic()
        self._trainer: Any = trainer
        self._own, self._pending = not ours(module), 0
        if self._own:
            trainer.logger.listen = self.take  # type: ignore[union-attr]
        else:
            self._full_log = module.log
            module.log = self.light_log  # type: ignore[method-assign, assignment]

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Give the module its own `log` back."""
        module.__dict__.pop("log", None)
        self._file.close()

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Say how much there is to do."""
        steps = trainer.estimated_stepping_batches
        self._steps = int(steps) if steps != float("inf") else None
        self._first_step = self._step(trainer)
        self._resumed_at = self.seconds
        self._last = time.monotonic() - self._loaded.get("open", 0.0)
        rate = learning_rate.current(trainer)
        self.pulse.tell(state="running", steps=self._steps, step=self._first_step, lr=rate)

    def on_restored(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Put back what Lightning forgets, after whatever the start has logged."""
        if self._own and "results" in self._loaded:
            results.restore(trainer, module, self._loaded["results"])
            module_state.restore(module, self._loaded["module"])
        self._loaded = {}

    def light_log(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """In a training step: hold the value, nothing more. Everything else is Lightning's own."""
        if args or not self._trainer.training or kwargs.get("on_epoch") or not isinstance(value, _NUMBERS):
            self._full_log(name, value, *args, **kwargs)
        else:
            self.window.log(name, value)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, and every fifth of a second read and write."""
        if not self._samples and not self.window.samples:
            self.pulse.tell(first_step=time.time())
        self.window.close_step(size(batch))
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
            self._look.batch = batch

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write the validation's figures, the samples and, once, the graph."""
        if trainer.state.fn == "fit" and not trainer.logger.closed():  # type: ignore[union-attr]
            if not self._own:
                known = trainer.callback_metrics.items()
                self._write(trainer, {name: float(value) for name, value in known if not name.startswith("train/")})
            self._disk.write(lambda: self._look.samples(trainer, module, round(self._epoch(trainer)), self._own))
            self._look.graph(trainer, module, self._own)
        self._look.randomness.come_back()
        self._last = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """An epoch is over."""
        self._read(trainer, time.monotonic())
        self.pulse.tell(epoch=trainer.current_epoch + 1)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The last words, also for TensorBoard."""
        self._flush()
        trainer.logger.finish(self.metrics)  # type: ignore[union-attr]
        self._tell(trainer)

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """What is known until here is written; the step that failed gave no number."""
        lost = self.window.drop_step()
        if trainer.training and hasattr(self, "_steps"):
            self._read(trainer, time.monotonic())
            if lost and not self._own:
                self._append({"step": trainer.global_step + 1, **dict.fromkeys(lost)})
        self._flush()

    # -- writing

    @property
    def metrics(self) -> dict[str, float]:
        """The newest reading of every metric."""
        metrics: dict[str, float] = self.pulse.get("metrics", {})
        return metrics

    def take(self, metrics: Mapping[str, Any], step: int) -> bool:
        """A row of a user's own module, as Lightning gives it to any logger; whether it is more than a step's."""
        values = {name: _plain(value) for name, value in metrics.items()}
        epoch = {"epoch": values["epoch"]} if "epoch" in values else {}
        row = {"step": step, **epoch, "time": round(self.seconds, 3), **values}
        self._append({**row, "step": step})
        figures = {name: value for name, value in values.items() if name not in ("epoch", "step")}
        self.pulse.tell(metrics={**self.metrics, **finite(figures)})
        whole = self._trainer._logger_connector._first_loop_iter is None
        if whole:
            self._flush()
        return whole

    def _read(self, trainer: L.Trainer, now: float) -> None:
        """Read the window's means, and start the next window."""
        if not self.window.samples:
            return
        self._train_seconds += now - self._last
        count, self._last = self.window.samples, now
        self._samples += count
        means = self.window.read()
        rate = learning_rate.current(trainer)
        if self._own:
            self._flush()
            self.pulse.tell(lr=rate)
            self._tell(trainer)
            return
        self._write(trainer, means, **({"lr": rate} if rate is not None else {}), samples=count)
        for name, value in means.items():
            trainer.logger.experiment.add_scalar(name, value, trainer.global_step)  # type: ignore[union-attr]
        trainer.logger.save()  # type: ignore[union-attr]

    def _write(self, trainer: L.Trainer, values: dict[str, float], **more: float) -> None:
        """One line of metrics.jsonl, and the status."""
        clock = {"epoch": self._epoch(trainer), "time": round(self.seconds, 3)}
        self._append({"step": trainer.global_step, **clock, **more, **values})
        self._flush()
        rate = {"lr": more["lr"]} if "lr" in more else {}
        self.pulse.tell(metrics={**self.metrics, **finite(values)}, **rate)
        self._tell(trainer)

    def _append(self, row: dict[str, Any]) -> None:
        self._pending += self._file.write(encode(row) + b"\n")
        if self._pending > BUFFERED:  # before Python's own buffer is full: it would lose a part on a full disk
            self._flush()

    def _flush(self) -> None:
        self._disk.write(self._file.flush)
        self._pending = 0

    def _tell(self, trainer: L.Trainer) -> None:
        step, seconds = self._step(trainer), self.seconds
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

    def _step(self, trainer: Any) -> int:
        """Steps done; of a module that optimises by itself, batches: it may step several optimisers in one."""
        automatic = trainer.lightning_module.automatic_optimization
        return int(trainer.global_step if automatic else trainer.fit_loop.epoch_loop.batch_progress.total.completed)

    def _epoch(self, trainer: L.Trainer) -> float:
        batches = trainer.num_training_batches
        part = (
            (trainer.fit_loop.epoch_loop.batch_progress.current.ready / batches)
            if batches not in (0, float("inf"))
            else 0
        )
        return round(trainer.current_epoch + part, 4)


_NUMBERS = (torch.Tensor, int, float)


def _plain(value: Any) -> Any:
    """A logged value as JSON takes it."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value.tolist()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
