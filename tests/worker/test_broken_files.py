"""Files of a run that were broken, replaced or lost between two sessions: the run goes on, and says what is missing."""

from __future__ import annotations

import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Workers
from hypothesis import given
from hypothesis import strategies as st

from nbmodels.errors import RunError
from nbmodels.runs import checkpoint, rewind
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.run import Run
from nbmodels.spec import Spec, Training


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[None]:
    folders.set_runs_root(tmp_path / "runs")
    yield
    folders.set_runs_root(None)


def stopped(workers: Workers, name: str = "run-1", step: int = 45) -> RunFolder:
    """Stopped in its second epoch, with checkpoints at 30 and where it was stopped."""
    training = Training(epochs=3, limit=1000, save_steps=15, device="cpu", threads=1)
    folder = folders.create(Spec(name, "vae", "digits", training=training))
    assert workers.work(folder, stop=step) == 0
    assert folder.state() == "stopped" and len(folder.checkpoints()) == 2, folder.log()
    folder.ask(want="run")
    return folder


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


def other_keys(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


def no_optimizer(path: Path) -> None:
    kept = checkpoint.load(path)
    torch.save({key: value for key, value in kept.items() if key != "optimizer_states"}, path)


def other_types(path: Path) -> None:
    torch.save({**checkpoint.load(path), "loops": [1, 2]}, path)


def short_tensor(path: Path) -> None:
    """A sound archive whose largest tensor was cut."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    largest = max(parts, key=lambda name: len(parts[name]) if "/data/" in name else 0)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[: len(content) // 2] if name == largest else content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


BREAKS: list[Callable[[Path], None]] = [
    other_zip, other_keys, no_optimizer, other_types, short_tensor, cut, flipped, empty,
]  # fmt: skip


def test_each_kind_of_broken_checkpoint_is_passed_over(workers: Workers) -> None:
    folder = stopped(workers)
    older, newer = folder.checkpoints()
    good = newer.read_bytes()
    for each in BREAKS:
        newer.write_bytes(good)
        each(newer)
        assert checkpoint.newest(folder) == older, each.__name__
        Run(folder)._load()
    assert workers.work(folder) == 0
    assert folder.state() == "finished", folder.log()
    assert "cannot be read: the run goes on from step-00000030.ckpt" in folder.log()
    check(folder)


@pytest.mark.parametrize("first", BREAKS[:3])
def test_with_all_broken_the_run_begins_anew_and_keeps_what_it_saves(
    first: Callable[[Path], None], workers: Workers
) -> None:
    folder = stopped(workers)
    older, newer = folder.checkpoints()
    first(older)
    first(newer)
    with pytest.raises(RunError):
        Run(folder)._load()
    assert workers.work(folder, kill=20) < 0
    assert [path.name for path in folder.checkpoints()] == ["step-00000015.ckpt"]
    assert workers.work(folder) == 0
    check(folder)


def test_the_newest_that_was_written_is_never_thrown_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    place = folder.file(folders.CHECKPOINTS)
    place.mkdir()
    for number, step in enumerate((900, 950, 1000)):
        path = place / f"step-{step:08d}.ckpt"
        path.write_bytes(b"broken")
        os.utime(path, (1000 + number, 1000 + number))

    class Trainer:
        is_global_zero, validating, global_step = True, False, 10

        def save_checkpoint(self, path: Path) -> None:
            path.write_bytes(b"new")

    trainer: Any = Trainer()
    saver = checkpoint.Saver(folder, 1, 1)
    saver.save(trainer)
    assert [path.name for path in folder.checkpoints()] == ["step-00000010.ckpt", "step-00001000.ckpt"]
    trainer.global_step = 20
    saver.save(trainer)
    assert [path.name for path in folder.checkpoints()] == ["step-00000010.ckpt", "step-00000020.ckpt"]


def check(folder: RunFolder) -> None:
    """Every line is whole, no step stands twice, and what the index names is there."""
    content = folder.file(folders.METRICS).read_bytes()
    assert b"\0" not in content and content.endswith(b"\n")
    steps = [row["step"] for row in map(json.loads, content.splitlines()) if "train/loss" in row]
    assert steps == sorted(set(steps))
    named = {row["file"].name for row in folder.samples()}
    assert named == {path.name for path in folder.file(folders.SAMPLES).glob("*.png")}


def deleted(path: Path) -> None:
    path.unlink()


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replaced(path: Path) -> None:
    path.write_bytes(b"nothing of ours")


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"step": 1' + bytes(3000))


@pytest.mark.parametrize("how", [deleted, halved, replaced, grown])
def test_a_record_that_was_lost_or_cut_goes_on_in_a_line_of_its_own(
    how: Callable[[Path], None], workers: Workers
) -> None:
    folder = stopped(workers)
    for name in (folders.METRICS, rewind.INDEX):
        how(folder.file(name))
    for path in folder.path.glob(rewind.EVENTS):
        how(path)
    assert workers.work(folder) == 0
    assert folder.state() == "finished", folder.log()
    check(folder)
    assert (f"{folders.METRICS} lacks" in folder.log()) == (how is not grown)
    last = [row for row in folder.metrics() if "val/loss" in row]
    assert last[-1]["step"] == folder.status()["steps"]


@given(content=st.binary(max_size=200), size=st.integers(0, 300), seed=st.integers(0, 3))
def test_a_file_is_never_made_longer(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int, seed: int
) -> None:
    folder = RunFolder(tmp_path_factory.mktemp("folder"))
    content = b"".join(part + b"\n" * random.Random(seed).randint(0, 1) for part in content.split(b"0"))
    folder.file(folders.METRICS).write_bytes(content)
    event = folder.file("events.out.tfevents.1")
    event.write_bytes(content)
    said = rewind.rewind(folder, {"lines": {folders.METRICS: size}, "events": {event.name: size}})
    after = folder.file(folders.METRICS).read_bytes()
    assert content.startswith(after) and len(after) <= size and (not after or after.endswith(b"\n"))
    assert event.read_bytes() == content[:size]
    assert bool(said) == (len(after) < size or len(content) < size)
