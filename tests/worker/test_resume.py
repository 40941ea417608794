"""A run that was cut short ends as one that was not: to the same bit on the CPU."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nbmodels.runs import checkpoint
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.spec import Spec, Training

# In the worker's own process: ask for a stop at a step (of training, or of the validation after it), then work.
PROGRAM = """
import sys, torch
torch.set_num_threads(1)
from nbmodels.runs import control, worker
folder, step, validating = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
if validating:
    control.GRACE = -1
name = "on_validation_batch_start" if validating else "on_train_batch_end"
stock = getattr(control.Control, name)
def hook(self, trainer, module, *rest):
    if trainer.global_step == step:
        self.pulse.want = "stop"
    return stock(self, trainer, module, *rest)
setattr(control.Control, name, hook)
sys.exit(worker.main([folder]))
"""
# 1,257 pictures in batches of 32: 40 steps an epoch. The dropout draws random numbers, one-cycle moves the rate.
TRAINING = Training(epochs=3, batch_size=32, schedule="one-cycle", save_steps=1_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("runs")
    folders.set_runs_root(path)
    yield path
    folders.set_runs_root(None)


def make(name: str, **training: Any) -> RunFolder:
    options, asked = {"dropout": 0.3}, dataclasses.replace(TRAINING, **training)
    return folders.create(Spec(name=name, model="cnn", data="digits", model_options=options, training=asked))


def work(folder: RunFolder, step: int = -1, validating: bool = False) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder.path), str(step), str(validating)]
    assert subprocess.run(command, check=False).returncode == 0, folder.status().get("error")


@pytest.fixture(scope="module")
def whole(place: Path) -> RunFolder:
    """The run that nothing disturbed."""
    folder = make("whole")
    work(folder)
    return folder


def end(folder: RunFolder) -> dict[str, Any]:
    path = checkpoint.newest(folder)
    assert path is not None
    return checkpoint.load(path)


def validations(folder: RunFolder) -> list[tuple[int, float]]:
    return [(row["step"], row["val/loss"]) for row in folder.metrics() if "val/loss" in row]


@pytest.mark.parametrize(
    ("step", "validating"),
    [(7, False), (40, False), (41, False), (100, False), (40, True)],
    ids=["in an epoch", "an epoch's last step", "its first", "in the last epoch", "in a validation"],
)
def test_the_end_is_the_same_to_the_bit(whole: RunFolder, step: int, validating: bool) -> None:
    cut = make(f"cut-{step}-{validating}")
    work(cut, step, validating)
    assert cut.state() == "stopped"
    assert cut.status()["step"] == step
    cut.write_status(state="starting", pid=None, heartbeat=time.time())
    work(cut)
    ours, theirs = end(cut), end(whole)
    assert ours["global_step"] == theirs["global_step"] == 120
    for name, value in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], value), name
    assert str(ours["optimizer_states"]) == str(theirs["optimizer_states"])
    if not validating:  # the one that was dropped half-way is not counted
        assert validations(cut) == validations(whole)


@pytest.mark.parametrize("step", [7, 41], ids=["held", "let go"])
def test_a_body_that_is_let_go_ends_the_same_to_the_bit(place: Path, step: int) -> None:
    if not (place / "held").exists():
        work(make("held", unfreeze_at=1))
    cut = make(f"held-{step}", unfreeze_at=1)
    work(cut, step)
    work(cut)
    theirs, ours = end(RunFolder(place / "held")), end(cut)
    assert all(torch.equal(value, ours["state_dict"][name]) for name, value in theirs["state_dict"].items())
