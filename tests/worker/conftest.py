"""Runs of the tests' own: a folder for each test, whose workers are ended with it, and a few verbs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbmodels.runs import folder as folders
from nbmodels.runs.run import Run, train
from nbmodels.spec import Spec, Training

LONG = Training(epochs=100_000)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runs folder of the test's own, and a registry of workers in which nobody else is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path / "runs"
    for folder in folders.all_runs():
        if pid := folder.worker():
            os.kill(pid, signal.SIGKILL)
    folders.set_runs_root(None)


def start(training: Training = LONG, name: str = "run-1", **fields: object) -> Run:
    fields = {"model": "mlp", "data": "digits", **fields}
    return train(Spec(name=name, training=training, **fields), wait=False)  # type: ignore[arg-type]


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the call gives something true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def at_work(run: Run, step: int = 1) -> None:
    until(lambda: (run.state == "running" and run.folder.status()["step"] >= step) or not run.folder.alive())
    assert run.state == "running", run.folder.log()
