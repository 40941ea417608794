"""The command: the same words in a terminal, JSON for machines, one line and an exit code for mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbmodels import cli


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbmodels.cli", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("words", ["models", "info cnn", "data", "runs", "help", "train cnn --help"])
def test_json_is_one_value_and_text_is_text(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words.split(), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and json.loads(out) is not None
    assert cli.main(words.split()) == 0
    assert "%bigmodel" not in capsys.readouterr().out


def test_the_json_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["info", "cnn", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "cnn" and found["parameters"] > 1000
    channels = next(option for option in found["options"] if option["name"] == "channels")
    assert channels["default"] == [32, 64, 64] and channels["type"] == "tuple[int, ...]"
    cli.main(["models", "--json"])
    assert "cnn" in [each["name"] for each in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    "words", ["trian", "train cnm", "train cnn --epochs 0", "info", "attach nothing", "train cnn --data no/such.csv"]
)
def test_a_mistake_is_one_line_and_exit_code_two(words: str, runs: Path) -> None:
    for more in ([], ["--json"]):
        done = command(*words.split(), *more)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "%" not in done.stderr
    assert not runs.exists()


def test_train_wait_runs_and_test_as_json() -> None:
    trained = command("train", "cnn", "--data", "digits", "--epochs", "1", "--name", "first", "--wait", "--json")
    assert trained.returncode == 0, trained.stderr
    run = json.loads(trained.stdout)
    keys = {"name", "folder", "state", "epoch", "step", "seconds", "samples_per_second", "metrics"}
    assert keys <= set(run) and run["state"] == "finished" and run["epoch"] == 1
    assert [each["name"] for each in json.loads(command("runs", "--json").stdout)] == ["first"]
    tested = json.loads(command("test", "first", "--json").stdout)
    assert keys <= set(tested) and 0 <= tested["test"]["test/accuracy"] <= 1
    attached = command("attach")
    assert attached.returncode == 0 and "finished" in attached.stdout
    again = command("train", "cnn", "--name", "first")
    assert again.returncode == 2 and "already" in again.stderr
    stopped = command("stop", "first", "--json")
    assert json.loads(stopped.stdout)["state"] == "finished"


def test_a_run_that_fails_is_exit_code_one() -> None:
    done = command("train", "cnn", "--data", "digits", "--device", "cuda:99", "--wait")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
