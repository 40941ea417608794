"""A run that is killed and goes on leaves the record of one that was not: nothing twice, nothing missing."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Workers
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from nbmodels.runs import checkpoint
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.spec import Spec, Training

# Model and data, their options, and how they are trained: at default settings, and saved often.
RUNS: dict[str, dict[str, Any]] = {
    "cnn": {"model": "cnn", "data": "digits", "model_options": {"dropout": 0.3}, "training": {"limit": 500}},
    "vae": {"model": "vae", "data": "digits", "training": {"limit": 300}},
    "lstm": {
        "model": "lstm",
        "data": "pydoc",
        "model_options": {"hidden": 16, "embedding": 16},
        "training": {"limit": 400},
    },
    "bert": {
        "model": "bert",
        "data": "pydoc",
        "model_options": {"layers": 1, "heads": 2, "width": 16},
        "training": {"limit": 300},
    },
    "dalle": {
        "model": "dalle",
        "data": "captioned-digits",
        "model_options": {"layers": 1, "width": 32, "channels": 16, "codes": 16},
        "training": {"limit": 300},
    },
    "cnn-saved": {"model": "cnn", "data": "digits", "training": {"limit": 500, "save_steps": 7}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("runs")
    folders.set_runs_root(path)
    yield path
    folders.set_runs_root(None)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def make(kind: str, name: str) -> RunFolder:
    asked = dict(RUNS[kind])
    training = Training(epochs=3, threads=1, device="cpu", **asked.pop("training"))
    return folders.create(Spec(name=name, training=training, **asked))


def points(folder: RunFolder) -> dict[tuple[str, int], list[bytes]]:
    """Every summary of the event files, in whatever file it stands, by tag and step."""
    found: dict[tuple[str, int], list[bytes]] = {}
    for path in folder.path.glob("events.out.tfevents.*"):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                value_bytes = value.tensor.SerializeToString() + value.image.SerializeToString()
                found.setdefault((value.tag, event.step), []).append(value_bytes)
    return found


def samples(folder: RunFolder) -> list[tuple[Any, ...]]:
    rows = folder.samples()
    there = {path.name for path in folder.file(folders.SAMPLES).glob("0*")}
    assert there == {row["file"].name for row in rows}
    return [(row["step"], row["epoch"], row["file"].name, row["file"].read_bytes()) for row in rows]


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    path = checkpoint.newest(folder)
    assert path
    state: dict[str, torch.Tensor] = checkpoint.load(path)["state_dict"]
    return state


def check(folder: RunFolder, whole: RunFolder) -> None:
    """The one's record is the other's."""
    assert folder.state() == "finished", folder.log()
    rows, others = folder.metrics(), whole.metrics()
    validated = [
        [{k: v for k, v in row.items() if k != "time"} for row in r if "val/loss" in row] for r in (rows, others)
    ]
    assert validated[0] == validated[1]
    trained, wanted = ([row for row in r if "train/loss" in row] for r in (rows, others))
    steps = [row["step"] for row in trained]
    assert steps == sorted(set(steps))
    assert sum(row["samples"] for row in trained) == sum(row["samples"] for row in wanted)
    for epoch in range(3):  # each sample reaches one mean: those of an epoch come to the epoch's own
        assert mean(trained, epoch) == pytest.approx(mean(wanted, epoch), rel=1e-5)
    assert samples(folder) == samples(whole)
    for name, value in weights(whole).items():
        assert torch.equal(weights(folder)[name], value), name
    ours, theirs = points(folder), points(whole)
    assert Counter(len(values) for values in ours.values()).keys() <= {1}, [k for k, v in ours.items() if len(v) > 1]
    kept = [  # windows of training close by the clock
        {key: v for key, v in p.items() if not key[0].startswith("train/") and "hparams" not in key[0]}
        for p in (ours, theirs)
    ]
    assert kept[0] == kept[1]
    assert sorted(step for tag, step in ours if tag == "train/loss") == steps


def mean(rows: list[dict[str, Any]], epoch: int) -> float:
    own = [row for row in rows if epoch < row["epoch"] <= epoch + 1]
    return sum(row["train/loss"] * row["samples"] for row in own) / sum(row["samples"] for row in own)


@pytest.mark.parametrize("kind", RUNS)
def test_killed_at_random_and_gone_on(kind: str, place: Path, workers: Workers) -> None:
    whole = make(kind, f"{kind}-whole")
    assert workers.work(whole) == 0, whole.log()
    batches = whole.status()["steps"]
    chance = random.Random(kind)
    for number in range(2):
        folder = make(kind, f"{kind}-{number}")
        for _ in range(2):
            part = chance.choice(["on_train_batch_end", "on_validation_batch_start", "on_train_epoch_end"])
            ended = workers.work(folder, kill=chance.randint(1, batches), part=part)
            assert ended in (0, -signal.SIGKILL), folder.log()
            if ended == 0:
                break
        if folder.state() != "finished":
            assert workers.work(folder) == 0, folder.log()
        check(folder, whole)
