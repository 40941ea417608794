"""Checkpoints that survive a power cut and bring a run back to the same bit.

What stock Lightning leaves out and this adds: a write that is atomic and on the disk, a check of what was
written, the states of the random generators, and a validation that does not disturb them.
"""

from __future__ import annotations

import copy
import io
import os
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.trainer import call as _call

from nbmodels.errors import InputError
from nbmodels.runs.disk import Disk
from nbmodels.runs.folder import CHECKPOINTS, RunFolder

KEEP = 2  # the newest, and one before it should the newest be broken
# What Lightning goes on from, and of what type.
PARTS = {
    "state_dict": dict,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
}


class AtomicIO(TorchCheckpointIO):
    """Lightning's own format, written beside its place, flushed to the disk, then moved there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the file whole or not at all; OSError when the disk is full."""
        path = Path(path)
        path.parent.mkdir(exist_ok=True)  # but never the run's folder: one that was deleted stays so
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def whole(path: Path) -> bool:
    """Whether a run can go on from this file: every byte as it was written, plain values only, all parts there."""
    try:
        with zipfile.ZipFile(path) as archive:  # its checksums notice flipped bits, torch.load does not
            if archive.testzip() is not None:
                return False
        return _complete(load(path))
    except Exception:  # whatever a foreign file makes of it
        return False


def _complete(checkpoint: Any) -> bool:
    return isinstance(checkpoint, dict) and all(isinstance(checkpoint.get(key), kind) for key, kind in PARTS.items())


def newest(folder: RunFolder) -> Path | None:
    """The newest checkpoint that is whole, or None."""
    return next((path for path in reversed(folder.checkpoints()) if whole(path)), None)


def put_aside(folder: RunFolder, chosen: Path | None) -> list[str]:
    """Rename what is newer than the checkpoint that a run goes on from: it is broken, and will be written again.

    Returns:
        The new names.
    """
    names = []
    for path in folder.checkpoints():
        if chosen is None or path.name > chosen.name:
            aside = path.with_name(f"{path.name}.broken")
            path.replace(aside)
            names.append(aside.name)
    return names


def load(path: str | Path) -> dict[str, Any]:
    """The checkpoint on the CPU; nothing in it can run code."""
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return checkpoint


def hyperparameters(path: Path) -> dict[str, Any]:
    """What the checkpoint's model was made with; the weights stay on the disk."""
    kept: dict[str, Any] = torch.load(path, map_location="cpu", mmap=True, weights_only=True).get("hyper_parameters")
    return kept or {}


def check_hyperparameters(model: L.LightningModule) -> None:
    """Fail at the start of a run, not at its end, on a hyperparameter that `weights_only` cannot read back."""
    for name, value in model.hparams.items():
        buffer = io.BytesIO()
        try:
            torch.save(value, buffer)
            buffer.seek(0)
            torch.load(buffer, weights_only=True)
        except Exception:
            raise InputError(
                f"The hyperparameter {name!r} ({type(value).__name__}) cannot be kept in a checkpoint",
                f"Leave it out: self.save_hyperparameters(ignore=[{name!r}])",
            ) from None


class Saver(L.Callback):
    """Saves every `steps` steps or `seconds` seconds, at the end of every epoch worth it, and when told to.

    Its hooks come late (see `runs.fit_loop`): all of the step, or of the epoch, is done, its row is written, and the
    checkpoint knows of it.

    Args:
        folder: The run's folder.
        steps: Steps between two checkpoints.
        seconds: Seconds between two checkpoints.
        disk: Holds the training where the disk takes nothing.
    """

    late = True

    def __init__(self, folder: RunFolder, steps: int, seconds: float, disk: Disk | None = None) -> None:
        self.folder, self.steps, self.seconds, self.disk = folder, steps, seconds, disk
        self.closed = False  # after a stop nothing is saved: an epoch cut short is not an epoch
        self.checks: list[Callable[[L.Trainer], None]] = []  # each raises where the state is not to be kept
        self._step, self._time, self._due = 0, time.monotonic(), False
        self._before: dict[str, Any] | None = None  # a validation: what it changes, as it was

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Count from here."""
        self._step, self._time = trainer.global_step, time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, but never between two halves of an accumulated gradient, nor at an epoch's last step."""
        if self._is_time(trainer):
            self._due = trainer.is_last_batch or trainer.fit_loop._should_accumulate()
            if not self._due:
                self.save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Save what was due; the last epoch always."""
        if self._due or trainer.fit_loop.done or self._is_time(trainer, share=0.2):
            self.save(trainer)

    def before_validation(self, trainer: L.Trainer) -> None:
        """Keep what a validation changes, should the run be stopped in it: it is then done again, whole."""
        loops = trainer.fit_loop.state_dict()
        self._before = copy.deepcopy({"loops": loops, "callbacks": _call._call_callbacks_state_dict(trainer)})

    def save(self, trainer: L.Trainer) -> None:
        """Write a checkpoint of this step, and keep the newest ones only."""
        if self.closed or not trainer.is_global_zero:
            return
        for check in self.checks:
            check(trainer)
        path = self.folder.file(CHECKPOINTS) / f"step-{trainer.global_step:08d}.ckpt"
        (self.disk.write if self.disk else _at_once)(lambda: self._write(trainer, path))
        self._step, self._time, self._due = trainer.global_step, time.monotonic(), False
        others = [old for old in self.folder.checkpoints() if old != path]
        for old in sorted(others, key=_written)[: 1 - KEEP]:
            old.unlink(missing_ok=True)

    def _write(self, trainer: L.Trainer, path: Path) -> None:
        if not trainer.validating or self._before is None:
            trainer.save_checkpoint(path)
            return
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(False)
        checkpoint["loops"]["fit_loop"] = self._before["loops"]
        checkpoint["callbacks"] = self._before["callbacks"]
        trainer.strategy.save_checkpoint(checkpoint, path)

    def _is_time(self, trainer: L.Trainer, share: float = 1.0) -> bool:
        steps, seconds = trainer.global_step - self._step, time.monotonic() - self._time
        return steps >= self.steps * share or seconds >= self.seconds * share


def _at_once(work: Callable[[], None]) -> None:
    work()


def _written(path: Path) -> tuple[int, str]:
    """When the file was written: a run that began anew writes lower steps than the broken files it found."""
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


class Randomness(L.Callback):
    """The random generators are part of the state, and a validation leaves them as it found them.

    So a run that was cut short draws the same dropout masks as one that was not, however often it validates or
    makes samples in between. A user's own module validates as it would under Lightning alone, with what the generators
    give next; only our looking at it (samples, the graph) is undone.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._before: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The generators' states as plain values (`weights_only` reads them back)."""
        return self._before or generators()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep them until the training goes on: building loaders draws numbers too."""
        self._loaded = state

    def put_back(self) -> None:
        """Put the states of the checkpoint back, once; called by the loop before anything of the next step."""
        if self._loaded is not None:
            set_generators(self._loaded)
            self._loaded = None

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """A validation draws from generators of its own, the same for the same step."""
        if ours(module):
            self.leave()
            L.seed_everything(trainer.global_step, verbose=False)

    def leave(self) -> None:
        """Remember the generators as they are."""
        if self._before is None:
            self._before = generators()

    def come_back(self) -> None:
        """Put back what was left, if anything was."""
        if self._before is not None:
            set_generators(self._before)
            self._before = None


def ours(module: L.LightningModule) -> bool:
    """Whether it is an architecture of the table, or a plain network in our own module around it."""
    return type(module).__module__.startswith("nbmodels.models.")


def generators() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators, as plain values."""
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [kind, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_generators(state: dict[str, Any]) -> None:
    """Put back what `generators` gave."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
