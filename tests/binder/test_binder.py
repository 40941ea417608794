"""Binder's files alone make an environment that runs the quickstart within Binder's memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
MEMORY = 2 * 10**9  # bytes; Binder ends what takes more


@pytest.mark.timeout(1500)
def test_quickstart_runs_in_a_fresh_environment_within_two_gigabytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone, python = copy(tmp_path / "clone"), environment(tmp_path / "venv")
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", "binder/requirements.txt"]
    done = subprocess.run(install, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    peak = peak_of([python, "-m", "nbconvert", "--to", "notebook", "--execute", "notebooks/00-quickstart.ipynb"], clone)
    with capsys.disabled():
        print(f"\nBinder: the quickstart took {peak / 1e9:.2f} GB at most, all processes together")
    assert peak < MEMORY


def copy(target: Path) -> Path:
    """What a clone would hold: the files git knows or would take, nothing that was built."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def environment(folder: Path) -> str:
    """The Python of a new, empty environment."""
    venv.create(folder, with_pip=True)
    return str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def peak_of(command: list[str], folder: Path) -> int:
    """The most memory in bytes (resident, shared pages counted once a process) that a command and all it starts take.

    A worker is its own session but still a descendant until its parent ends: what was seen once is watched on.
    """
    own = ("PYTHONPATH", "VIRTUAL_ENV", "NBMODELS_RUNS", "PYTEST_CURRENT_TEST")
    environ = {name: value for name, value in os.environ.items() if name not in own}
    with (folder / "output.log").open("w+") as log:
        running = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        seen, peak = {psutil.Process(running.pid)}, 0
        while running.poll() is None:
            seen |= {child for process in list(seen) for child in children(process)}
            peak = max(peak, sum(map(resident, seen)))
            time.sleep(0.1)
        log.seek(0)
        assert running.returncode == 0, log.read()[-3000:]
    return peak


def children(process: psutil.Process) -> list[psutil.Process]:
    """All that a process has started; none when it is gone."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def resident(process: psutil.Process) -> int:
    """A process's resident bytes; 0 when it is gone."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
