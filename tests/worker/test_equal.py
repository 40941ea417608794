"""The same training again: said in one line, or attached to; real workers, real data files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import nbmodels
from nbmodels import cli, words
from nbmodels.runs import folder as folders
from nbmodels.runs.equal import fingerprint
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.launch import pickled
from nbmodels.spec import Spec, Training


class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: Any) -> Any:
        return self.net(x)


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[Path]:
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path / "runs"
    for folder in folders.all_runs():
        nbmodels.Run(folder).stop()
    folders.set_runs_root(None)


def finished(spec: Spec, objects: bytes | None = None, state: str = "finished") -> RunFolder:
    folder = folders.create(spec, objects)
    folder.write_status(state=state, pid=None)
    return folder


def test_a_cell_run_twice_says_so_and_once_attaches(capsys: Any) -> None:
    options = {"data": "digits", "epochs": 100_000}
    first = words.train({}, "linear", wait=False, **options)
    assert capsys.readouterr().err == ""
    again = words.train({}, "linear", wait=False, once=True, **options)
    assert again.name == first.name and capsys.readouterr().err == ""
    second = words.train({}, "linear", wait=False, **options)
    said = capsys.readouterr()
    assert second.name == "linear-2" and said.out == ""
    assert "linear-1 is the same training and is " in said.err and said.err.count("\n") == 1
    assert said.err.endswith("bigmodel attach linear-1. --once attaches instead of training again.\n")
    assert len(folders.all_runs()) == 2
    for run in (first, second):
        run.stop()
    assert words.train({}, "linear", wait=False, once=True, **options).name == "linear-3"  # stopped runs are no answer


def test_the_command(capsys: Any) -> None:
    line = ["train", "linear", "--data", "digits", "--epochs", "1", "--limit", "64", "--wait"]
    assert cli.main(line) == 0 and "the same training" not in capsys.readouterr().err
    assert cli.main([*line, "--json"]) == 0
    said = capsys.readouterr()
    assert "linear-1 is the same training and has finished. To see it: bigmodel attach linear-1." in said.err
    assert '"name": "linear-2"' in said.out and said.err.count("\n") == 1
    assert cli.main([*line, "--once"]) == 0
    said = capsys.readouterr()
    assert "linear-2" in said.out and said.err == "" and len(folders.all_runs()) == 2


def test_python_attaches_too() -> None:
    first = nbmodels.train("linear", "digits", epochs=1, limit=64, wait=True)
    assert nbmodels.train("linear", "digits", epochs=1, limit=64, once=True, wait=True).name == first.name
    assert nbmodels.train("linear", "digits", epochs=2, limit=64, once=True, wait=True).name != first.name


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True), ({"name": "other"}, True), ({"seed": 1}, False), ({"lr": 0.5}, False), ({"width": 16}, False),
        ({"batch_size": 32}, True),
    ],
)  # fmt: skip
def test_equal_but_for_the_name(change: dict[str, Any], same: bool, monkeypatch: Any) -> None:
    asked = {"data": "digits", "epochs": 2, "batch_size": 32}
    spec, objects = words.request.build_spec("mlp", "digits", {"epochs": 2, "batch_size": 32}, {})
    finished(spec)
    monkeypatch.setattr(
        words.handles, "train", lambda spec, *_, **__: pytest.fail("trains") if same else attached(spec)
    )
    if "width" in change:
        change = {"hidden": "16"}
    run = words.train({}, "mlp", wait=False, once=True, **{**asked, **change})
    assert (run.name == spec.name) == same


def attached(spec: Spec) -> Any:
    return nbmodels.Run(RunFolder(f"new-{spec.name}"))


@pytest.mark.parametrize(("state", "same"), [("failed", False), ("stopped", False), ("finished", True)])
def test_what_went_wrong_is_trained_again(state: str, same: bool) -> None:
    spec = Spec("x-1", "mlp", "digits", training=Training(epochs=1))
    finished(spec, state=state)
    assert (words.equal.find_equal(spec) is not None) == same


def test_data_that_was_written_since_is_other_data(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("a,b\n1,2\n")
    os.utime(table, (time.time() - 100,) * 2)
    spec = Spec("x-1", "mlp", str(table), {}, {"target": "b"})
    finished(spec)
    assert words.equal.find_equal(spec) is not None
    os.utime(table, (time.time() + 5,) * 2)
    assert words.equal.find_equal(spec) is None


def test_the_notebooks_own_objects_count() -> None:
    spec = Spec("own-1", "notebook:Net", "digits", training=Training(epochs=1))
    finished(spec, pickled({"model": Net}))
    assert words.equal.find_equal(spec, lambda: pickled({"model": Net})) is not None
    assert words.equal.find_equal(spec, lambda: pickled({"model": nn.Linear})) is None
    RunFolder(folders.runs_root() / "own-1").file("objects.pkl").write_bytes(b"no pickle")
    assert words.equal.find_equal(spec, lambda: pickled({"model": Net})) is None


KERNEL = """
import sys, cloudpickle, torch.nn as nn
code = "class Net(nn.Module):\\n    def forward(self, x):\\n        return x * SIZE\\n"
exec(compile(code.replace("SIZE", sys.argv[2]), f"/tmp/ipykernel_{sys.argv[1]}/99.py", "exec"))
sys.stdout.buffer.write(cloudpickle.dumps({"model": Net}))
"""


def test_a_restarted_kernel_pickles_the_same_objects() -> None:
    def kernel(*words_: str) -> bytes:
        return subprocess.run([sys.executable, "-c", KERNEL, *words_], capture_output=True, check=True).stdout

    one, other, changed = kernel("9", "2"), kernel("123456", "2"), kernel("9", "3")
    assert one != other and fingerprint(one) == fingerprint(other) != fingerprint(changed)
