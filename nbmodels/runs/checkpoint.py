"""Checkpoints that survive a power cut and bring a run back to the same bit.

What stock Lightning leaves out and this adds: a write that is atomic and on the disk, a check of what was
written, the states of the random generators, and a validation that does not disturb them.
"""

from __future__ import annotations

import io
import os
import random
import time
import zipfile
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from nbmodels.errors import InputError
from nbmodels.runs.folder import CHECKPOINTS, RunFolder

KEEP = 2  # the newest, and one before it should the newest be broken


class AtomicIO(TorchCheckpointIO):
    """Lightning's own format, written beside its place, flushed to the disk, then moved there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the file whole or not at all; OSError when the disk is full."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
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
    """Whether the checkpoint is readable to its last byte (a checksum notices flipped bits, torch.load does not)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def newest(folder: RunFolder) -> Path | None:
    """The newest checkpoint that is whole, or None."""
    return next((path for path in reversed(folder.checkpoints()) if whole(path)), None)


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
    """Saves every `steps` steps or `seconds` seconds, at the end of every epoch worth it, and when told to."""

    def __init__(self, folder: RunFolder, steps: int, seconds: float) -> None:
        self.folder, self.steps, self.seconds = folder, steps, seconds
        self.closed = False  # after a stop nothing is saved: an epoch cut short is not an epoch
        self._step, self._time, self._due = 0, time.monotonic(), False

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Count from here; put the loader where it stood.

        Lightning does so when it sets the loaders up, and that is too early when `configure_optimizers` asks for
        `estimated_stepping_batches`: the checkpoint's loops are not read yet.
        """
        trainer.fit_loop._load_combined_loader_states()
        self._step, self._time = trainer.global_step, time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, but never between two halves of an accumulated gradient, nor just before a validation."""
        if self._is_time(trainer) and not trainer.fit_loop._should_accumulate():
            if trainer.is_last_batch:
                self._due = True  # the epoch's validation comes first: it is part of this step's record
            else:
                self.save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Save what was due; the last epoch always."""
        last = trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        if self._due or last or self._is_time(trainer, share=0.2):
            self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Write a checkpoint of this step, and keep the newest ones only."""
        if self.closed or not trainer.is_global_zero:
            return
        path = self.folder.file(CHECKPOINTS) / f"step-{trainer.global_step:08d}.ckpt"
        trainer.save_checkpoint(path)
        self._step, self._time, self._due = trainer.global_step, time.monotonic(), False
        for old in self.folder.checkpoints()[:-KEEP]:
            old.unlink(missing_ok=True)

    def _is_time(self, trainer: L.Trainer, share: float = 1.0) -> bool:
        steps, seconds = trainer.global_step - self._step, time.monotonic() - self._time
        return steps >= self.steps * share or seconds >= self.seconds * share


class Randomness(L.Callback):
    """The random generators are part of the state, and a validation leaves them as it found them.

    So a run that was cut short draws the same dropout masks as one that was not, however often it validates or
    makes samples in between.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._before: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The generators' states as plain values (`weights_only` reads them back)."""
        return self._before or generators()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep them until the first batch: building loaders draws numbers too."""
        self._loaded = state

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        """Put the states of the checkpoint back, once."""
        if self._loaded is not None:
            set_generators(self._loaded)
            self._loaded = None

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """A validation draws from generators of its own, the same for the same step."""
        self._before = generators()
        L.seed_everything(trainer.global_step, verbose=False)

    def leave_validation(self) -> None:
        """Called by the recorder when the samples are made."""
        if self._before is not None:
            set_generators(self._before)
            self._before = None


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
