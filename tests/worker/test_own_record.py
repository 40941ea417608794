"""What a user's own module logs is recorded as Lightning's own CSVLogger has it: whole, stopped, and killed."""

from __future__ import annotations

import csv
import json
import math
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import own_modules
import pytest
import torch
from forked import Workers
from lightning.pytorch.loggers import CSVLogger

from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.launch import pickled
from nbmodels.spec import Spec, Training

EPOCHS = 3
GIVEN = ("train_dataloaders", "val_dataloaders")


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("runs")
    folders.set_runs_root(path)
    yield path
    folders.set_runs_root(None)


def reference(name: str, place: Path) -> list[dict[str, Any]]:
    """The rows of Lightning's own logger in a script of the user's."""
    return reference_of(own_modules.MODULES[name], own_modules.data(name), place, name)


def reference_of(module: Any, data: Any, place: Path, name: str) -> list[dict[str, Any]]:
    """The rows of Lightning's own logger for a module's class and its loaders, or a data module."""
    logger = CSVLogger(place / "csv", name=name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        L.seed_everything(0, workers=True, verbose=False)
        trainer = L.Trainer(
            max_epochs=EPOCHS, logger=logger, log_every_n_steps=1, accelerator="cpu", enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        given = {"datamodule": data} if isinstance(data, L.LightningDataModule) else dict(zip(GIVEN, data, strict=True))
        trainer.fit(module(), **given)
    finally:
        torch.set_num_threads(threads)
    with Path(logger.log_dir, "metrics.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if value != ""} for row in csv.DictReader(file)]


def make(name: str, run: str, **training: Any) -> RunFolder:
    """A run of the module, given as a class, on its loaders."""
    objects = pickled({"model": own_modules.MODULES[name], "data": own_modules.data(name)})
    asked = Training(epochs=EPOCHS, device="cpu", threads=1, **training)
    return folders.create(Spec(run, "notebook:M", "notebook:d", training=asked), objects)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def same(folder: RunFolder, rows: list[dict[str, Any]], clocks: tuple[str, ...] = ("time",)) -> None:
    """Every row of the one is a row of the other, name by name and number by number."""
    content = folder.file(folders.METRICS).read_bytes()
    assert b"NaN" not in content and b"Infinity" not in content and b"\0" not in content
    ours = [json.loads(line) for line in content.splitlines()]
    assert len(ours) == len(rows)
    for one, other in zip(ours, rows, strict=True):
        hidden = set(clocks) - set(other)
        assert set(one) - hidden == set(other), (one, other)
        for key, text in other.items():
            wanted = float(text)
            assert one[key] == (wanted if math.isfinite(wanted) else None), (key, one, other)


@pytest.mark.parametrize("name", own_modules.MODULES)
def test_every_form_is_what_the_csv_logger_writes_whole_stopped_and_killed(
    name: str, place: Path, workers: Workers
) -> None:
    rows = reference(name, place)
    folder = make(name, f"{name}-1", save_steps=2)
    chance = random.Random(name)
    assert workers.work(folder, kill=chance.randint(2, 12)) == -signal.SIGKILL, folder.log()
    assert workers.work(folder, stop=chance.randint(13, 17)) == 0, folder.log()
    assert folder.state() == "stopped"
    assert workers.work(folder) == 0, folder.log()
    same(folder, rows)
