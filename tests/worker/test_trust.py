"""Another's code is not run unasked: real folders, real workers, and a file that is written when objects are opened."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from nbmodels import cli, words
from nbmodels.errors import RunError
from nbmodels.runs import folder as folders
from nbmodels.runs import trust
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.run import Run, attach, train
from nbmodels.runs.trust import Untrusted
from nbmodels.spec import Spec, Training


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: Any) -> Any:
        return self.net(x)


class Canary:
    """Leaves a file where it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.makedirs, (str(self.path), 0o700, True)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path / "runs"
    folders.set_runs_root(None)


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Do something as a person with another home."""

    def act(work: Callable[[], Any]) -> Any:
        with monkeypatch.context() as there:
            there.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
            return work()

    return act


SPEC = Spec("own-1", "notebook:Net", "digits", training=Training(epochs=1, limit=64))


def foreign(path: Path, another: Any) -> RunFolder:
    """A run that another person made, stopped with a checkpoint, its objects a trap."""

    def make() -> RunFolder:
        folder = folders.create(SPEC, pickle.dumps({"model": Canary(path)}))
        folder.write_status(state="stopped", pid=None)
        folder.file("checkpoints").mkdir()
        folder.file("checkpoints/step-00000001.ckpt").write_bytes(b"PK")
        folder.file("facts.json").write_text('{"name": "digits", "kind": "image", "task": "classification"}')
        return folder

    made: RunFolder = another(make)
    return made


WAYS: dict[str, Callable[[], Any]] = {
    "resume": lambda: attach("own-1").resume(),
    "test": lambda: attach("own-1").test(),
    "model": lambda: attach("own-1").model,
    "predict": lambda: attach("own-1").predict([[0.0] * 64]),
    "the word resume": lambda: words.resume({}, "own-1"),
    "the word test": lambda: words.test({}, "own-1"),
    "the word predict": lambda: words.predict({}, "own-1", ["0"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_anothers_code_is_not_run_unasked(way: str, tmp_path: Path, another: Any) -> None:
    folder = foreign(tmp_path / "trap", another)
    before = folder.status()
    with pytest.raises(Untrusted, match="--trust"):
        WAYS[way]()
    assert not (tmp_path / "trap").exists()
    assert folder.status() == before and not folder.file("test.json").exists()  # and no worker was asked


@pytest.mark.parametrize("words_", [["resume", "own-1"], ["test", "own-1"], ["predict", "own-1", "0"]])
def test_the_command_says_so_in_one_line(words_: list[str], tmp_path: Path, another: Any, capsys: Any) -> None:
    foreign(tmp_path / "trap", another)
    assert cli.main(words_) == 1
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and said.endswith("bigmodel attach own-1 --trust") and not (tmp_path / "trap").exists()


@pytest.mark.parametrize("more", [[], ["--test"]])
def test_a_worker_asks_too(more: list[str], tmp_path: Path, another: Any) -> None:
    folder = foreign(tmp_path / "trap", another)
    command = [sys.executable, "-m", "nbmodels.runs.worker", str(folder.path), *more]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    said = folder.test() if more else folder.status()
    assert "--trust" in said["error"]["hint"] and not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "words_", [["resume", "own-1", "--trust"], ["test", "own-1", "--trust"], ["predict", "own-1", "0", "--trust"]]
)
def test_trust_opens_it(words_: list[str], tmp_path: Path, another: Any) -> None:
    folder = foreign(tmp_path / "trap", another)
    cli.main(words_)  # the trap is no model: it fails, but its worker was asked
    with contextlib.suppress(RunError):
        Run(folder).wait(120)
    assert trust.load(folder) == {"model": None} and (tmp_path / "trap").is_dir()


def test_the_word_trusts(tmp_path: Path, another: Any) -> None:
    folder = foreign(tmp_path / "trap", another)
    assert cli.main(["attach", "own-1", "--trust"]) == 0
    trust.check(folder)
    assert not (tmp_path / "trap").exists()  # trusting opens nothing


def test_ones_own_run_opens_wherever_it_is_moved(place: Path, another: Any) -> None:
    run = train(SPEC, {"model": Net}, wait=True)
    assert run.predict(np.zeros((1, 8, 8))) is not None
    moved = place.parent / "elsewhere" / "renamed"
    moved.parent.mkdir()
    shutil.move(run.folder.path, moved)
    folder = RunFolder(moved)
    assert Run(folder).model is not None and Run(folder).test()["figures"]
    with pytest.raises(Untrusted):
        another(lambda: trust.check(folder))
    copy = RunFolder(shutil.copytree(moved, place / "copy"))
    trust.check(copy)
    content = bytearray(copy.file("objects.pkl").read_bytes())
    content[-3] ^= 1
    copy.file("objects.pkl").write_bytes(content)  # by whoever may write the folder
    with pytest.raises(Untrusted):
        trust.check(copy)


def test_a_run_of_an_older_version_is_one_line_away(place: Path, tmp_path: Path) -> None:
    folder = folders.create(SPEC, pickle.dumps({"model": 1}))
    folder.file("objects.sig").unlink()
    with pytest.raises(Untrusted, match="--trust"):
        trust.load(folder)
    assert Run(folder).trust().name == "own-1" and trust.load(folder) == {"model": 1}


def test_a_file_of_another_owner_is_not_ones_own(place: Path) -> None:
    if not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip("only root gives files away")
    folder = folders.create(SPEC, pickle.dumps({"model": 1}))
    os.chown(folder.file("objects.pkl"), 12345, 12345)
    with pytest.raises(Untrusted):
        trust.load(folder)


def test_a_key_that_others_can_read_signs_nothing(place: Path, tmp_path: Path) -> None:
    folder = folders.create(SPEC, pickle.dumps({"model": 1}))
    (key,) = tmp_path.joinpath("me").rglob("trust-key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(key.read_bytes()) == 32
    key.chmod(0o644)
    with pytest.raises(Untrusted):
        trust.load(folder)
    trust.trust(folder)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and trust.load(folder) == {"model": 1}


def test_a_home_that_cannot_be_written_still_trains(place: Path, tmp_path: Path, monkeypatch: Any) -> None:
    tmp_path.joinpath("file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv(trust.SESSION, "")
    monkeypatch.delenv(trust.SESSION)
    run = train(SPEC, {"model": Net}, wait=True)
    assert run.state == "finished" and run.model is not None


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o027, 0o077])
def test_the_umask_says_who_reads_a_run_and_nobody_else_its_objects(umask: int, place: Path) -> None:
    old = os.umask(umask)
    try:
        folder = folders.create(SPEC, pickle.dumps({"model": 1}))
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder.path, *folder.path.iterdir())}
    assert modes.pop("own-1") == 0o777 & ~umask
    assert modes.pop("objects.pkl") == 0o600
    assert set(modes.values()) == {0o666 & ~umask}
