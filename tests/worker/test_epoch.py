"""Our loop of an epoch does what Lightning's does, to the bit, and only where nothing of a user's would be left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch

from nbmodels.data.batches import InMemory
from nbmodels.data.digits import Digits
from nbmodels.models.cnn import CNN
from nbmodels.runs import checkpoint, epoch, fit
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.pulse import Pulse
from nbmodels.spec import Spec, Training

CLOCKS = {"seconds", "train_seconds", "open", "marks", "metrics"}  # and what is measured by them


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folders.set_runs_root(tmp_path)
    yield
    folders.set_runs_root(None)
    torch.set_num_threads(threads)


def trained(name: str, **training: Any) -> tuple[RunFolder, dict[str, Any]]:
    """A run done in this process, and its last checkpoint."""
    asked = Training(epochs=2, limit=300, **training)
    folder = folders.create(Spec(name=name, model="cnn", data="digits", model_options={"dropout": 0.3}, training=asked))
    pulse = Pulse(folder)
    pulse.start()
    fit.fit(folder, pulse)
    pulse.end(state="finished")
    path = checkpoint.newest(folder)
    assert path
    return folder, checkpoint.load(path)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one if key not in CLOCKS)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.parametrize(
    "training",
    [
        {"schedule": "one-cycle"},
        {"clip": 0.1, "schedule": "cosine"},
        {"precision": "bf16"},
        {"optimizer": "sgd", "batch_size": 50},
        {"freeze": True, "unfreeze_at": 1},
    ],
    ids=["schedule", "clipped", "bf16", "sgd", "frozen"],
)
def test_the_same_weights_counters_and_states_as_lightnings(
    training: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[bool] = []
    stock = epoch.fits
    monkeypatch.setattr(epoch, "fits", lambda trainer: used.append(stock(trainer)) or used[-1])
    lean, ours = trained("lean", **training)
    assert used and all(used)
    monkeypatch.setattr(epoch, "fits", lambda trainer: False)
    plain, theirs = trained("plain", **training)
    for part in ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks"):
        assert same(ours[part], theirs[part]), part
    rows = [[{k: v for k, v in row.items() if k.startswith("val/")} for row in f.metrics()] for f in (lean, plain)]
    assert [row for row in rows[0] if row] == [row for row in rows[1] if row]


class Hooked(CNN):
    def on_after_backward(self) -> None:
        self.heard = True


class Listener(L.Callback):
    def on_before_optimizer_step(self, *_: Any) -> None:
        self.heard = True


def go(module: L.LightningModule, *callbacks: L.Callback, data: Any = None, **options: Any) -> bool:
    """Whether a training of one step went our way."""
    trainer = fit.make_trainer(RunFolder("nowhere"), Training(epochs=1, **options), False, list(callbacks))
    assert isinstance(trainer.fit_loop.epoch_loop, epoch.LeanEpoch)
    trainer.limit_val_batches = 0
    trainer.fit(module, datamodule=data or InMemory(Digits().load(), limit=64))
    return trainer.fit_loop.epoch_loop._lean


def test_what_asks_for_more_goes_lightnings_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert go(CNN(image_size=8))
    hooked, listener = Hooked(image_size=8), Listener()
    hooked.__class__.__module__ = "nbmodels.models.cnn"  # as if it were one of the table
    assert not go(hooked)
    assert hooked.heard
    assert not go(CNN(image_size=8), listener)
    assert listener.heard
    monkeypatch.setattr(CNN, "__module__", "__main__")  # a class of the user's
    assert not go(CNN(image_size=8))


def test_another_version_of_lightning_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch.lightning, "__version__", "2.7.0")
    assert not go(CNN(image_size=8))


def test_training_has_no_option_that_the_loop_does_not_know() -> None:
    """A new option of the training may change a step: look at runs/epoch.py, then add it here."""
    known = {
        "epochs", "batch_size", "lr", "optimizer", "schedule", "weight_decay", "clip", "precision", "device", "seed",
        "limit", "freeze", "unfreeze_at", "compile", "save_steps", "save_seconds", "threads", "deterministic", "jobs",
        "retries", "skip_nan",
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(Training)} == known
