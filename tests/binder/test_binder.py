"""Binder's files alone make an environment in which the quickstart runs inside Binder's memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
MEMORY = 2_000_000_000  # bytes; Binder ends what takes more


def checkout(place: Path) -> Path:
    """What git would give: the tracked files, no build output."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return place


def peak(command: list[str], place: Path) -> int:
    """Run a command and return the most memory (bytes, resident) that it and all it started held at once.

    A run has a session of its own and is nobody's child, so all are found by the environment they were given.
    """
    runs = str(place / "made")
    environment = {**os.environ, "NBMODELS_RUNS": runs, "HOME": str(place)}
    before = set(psutil.pids())
    process = subprocess.Popen(command, cwd=place, env=environment)
    most = 0
    while process.poll() is None:
        most = max(most, sum(resident(pid, runs) for pid in set(psutil.pids()) - before))
        time.sleep(0.2)
    assert process.returncode == 0
    return most


def resident(pid: int, runs: str) -> int:
    """The memory of one of ours, 0 of any other; what it shares with the one it was forked from is counted once."""
    try:
        process = psutil.Process(pid)
        if process.environ().get("NBMODELS_RUNS") != runs:
            return 0
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.Error:
        return 0


@pytest.mark.timeout(1500)
def test_the_quickstart_runs_in_what_binder_builds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = checkout(tmp_path / "repository")
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "environment")], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "-r", "binder/requirements.txt"]
    done = subprocess.run(install, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    execute = ["-m", "jupyter", "nbconvert", "--execute", "--to", "notebook", "--output", "executed"]
    most = peak([str(python), *execute, "notebooks/00-quickstart.ipynb"], repository)
    with capsys.disabled():
        print(f"\nThe quickstart took {most / 1e6:,.0f} MB at most; Binder gives {MEMORY / 1e6:,.0f} MB.")
    assert most < MEMORY
    assert "test accuracy above" in (repository / "notebooks" / "executed.ipynb").read_text("utf-8")
