"""One writer a folder, known by what does not move: real workers, real locks, a clock that is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import at_work, start, until  # type: ignore[import-not-found]

from nbmodels.errors import RunError
from nbmodels.runs import folder as folders
from nbmodels.runs import launch, lock, process
from nbmodels.runs.folder import LOCK, RunFolder
from nbmodels.runs.run import Run
from nbmodels.spec import Spec, Training

pytestmark = pytest.mark.usefixtures("place")
WORKER = [sys.executable, "-m", "nbmodels.runs.worker"]


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    launch.warm()


def test_a_clock_that_moves_loses_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The viewer's clock is another one than the worker's: whatever either says, the run is the one that lives."""
    run, clock = start(), time.time
    at_work(run)
    pid = run.folder.status()["pid"]
    for step in (1, -1, 3600, -86_400, 1e7):
        monkeypatch.setattr(time, "time", lambda step=step: clock() + step)
        assert run.state == "running"
        run.resume()
    done = subprocess.run([*WORKER, str(run.folder.path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "already" in done.stderr
    assert run.folder.worker() == pid
    run.stop()
    assert run.state == "stopped"


def test_a_clock_that_moves_does_not_lose_a_run_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders.create(Spec("run-1", "mlp", "digits"))
    clock = time.time
    for step in (0, 7200, -7200):
        monkeypatch.setattr(time, "time", lambda step=step: clock() + step)
        assert folder.state() == "starting"


def test_of_many_workers_started_at_once_one_trains() -> None:
    folder = folders.create(Spec("run-1", "mlp", "digits", training=Training(epochs=100_000)))
    workers = [subprocess.Popen([*WORKER, str(folder.path)], stderr=subprocess.DEVNULL) for _ in range(6)]
    until(lambda: sum(worker.poll() is None for worker in workers) == 1)
    (left,) = (worker for worker in workers if worker.poll() is None)
    assert {worker.returncode for worker in workers if worker is not left} == {2}
    at_work(Run(folder))
    assert folder.worker() == left.pid
    Run(folder).stop()
    assert left.wait(30) == 0


def test_the_lock_is_one_of_the_systems(tmp_path: Path) -> None:
    """Whoever dies gives it up; a child that lives on does not hold it."""
    file = tmp_path / LOCK
    program = (
        "import os, sys, time; from pathlib import Path; from nbmodels.runs import lock;"
        f"print(lock.take(Path({str(file)!r})), flush=True);"
        "child = os.fork(); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "True\n"
    assert lock.held(file) is True
    assert lock.take(file) is False
    holder.kill()
    holder.wait()
    until(lambda: lock.held(file) is False, 10)
    assert lock.take(file) is True
    lock.release(file)
    assert lock.held(file) is False
    assert lock.held(tmp_path / "none") is None
    subprocess.run(["pkill", "-f", str(file)], check=False)  # the child


def test_a_copy_of_a_living_run_is_not_alive() -> None:
    run = start()
    at_work(run)
    copy = run.folder.path.with_name("copy")
    shutil.copytree(run.folder.path, copy)
    assert RunFolder(copy).state() == "lost"
    assert run.state == "running"


def test_a_folder_that_is_moved_says_so_where_it_is_now() -> None:
    run = start()
    at_work(run)
    pid, there = run.folder.status()["pid"], run.folder.path.with_name("elsewhere")
    run.folder.path.rename(there)
    moved = RunFolder(there)
    until(lambda: moved.state() == "stopped", 30)
    assert moved.status()["why"] == "the folder was moved"
    until(lambda: process.process_started(pid) is None, 30)
    assert not run.folder.path.exists()
    again = Run(moved).resume()
    at_work(again)
    again.stop()


def test_a_folder_that_is_deleted_ends_its_worker() -> None:
    run = start()
    at_work(run)
    pid = run.folder.status()["pid"]
    aside = run.folder.path.with_name(".aside")
    run.folder.path.rename(aside)
    shutil.rmtree(aside)
    until(lambda: process.process_started(pid) is None, 40)
    assert not run.folder.path.exists() and not aside.exists()


@pytest.mark.parametrize(
    "claimed",
    [0, -1, 1, True, None, "12", 3.5, 2**40, os.getpid(), os.getppid()],
    ids=["nought", "group", "init", "true", "none", "text", "half", "huge", "own", "parent"],
)
@pytest.mark.parametrize("started", [None, "", "true one"])
def test_a_signal_goes_to_the_runs_own_worker_and_nobody_else(
    claimed: Any, started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *signal: sent.append(signal))
    folder = folders.create(Spec("run-1", "mlp", "digits"))
    real = process.process_started(claimed) if type(claimed) is int and started == "true one" else started
    known = {"state": "running", "pid": claimed, "process_started": real}
    folder.write_status(**known)
    if claimed != os.getppid() or started != "true one":  # that one is a process of this user's, and the one meant
        assert folder.worker() is None
        assert Run(folder)._signal("SIGUSR2") is False
    folder.write_status(**known, host="elsewhere")
    assert Run(folder)._signal("SIGKILL") is False
    assert sent == []


SLIPS = [
    b'{"lr": 5}', b'"abc"', b"[]", b"\xff\xfe", b'{"lr": [1e-3]}', b'{"lr": [NaN, 1]}', b'{"want": 3}', b'{"want": []}',
    b'{"lr": ["x", "y"], "first": "now"}', b'{"lr": [-1, 0]}', b'{"lr": [1%s, 1]}' % (b"0" * 400), b"[" * 50_000,
]  # fmt: skip


def test_a_slip_in_control_json_costs_the_slip() -> None:
    run = start()
    at_work(run)
    for number, content in enumerate(SLIPS, 1):
        run.folder.file(folders.CONTROL).write_bytes(content)
        until(lambda number=number: run.folder.log().count("control.json") == number, 20)
        assert run.folder.control() == {"want": "run", "lr": None, "first": None}
    step, beat = run.folder.status()["step"], run.folder.status()["uptime"][1]
    until(lambda: run.folder.status()["step"] > step and run.folder.status()["uptime"][1] > beat + 1)
    run.set_lr(1.25e-5)
    until(lambda: any(row.get("lr") == pytest.approx(1.25e-5) for row in run.folder.metrics()))
    run.stop()
    assert run.state == "stopped"


def test_a_beat_that_fails_is_said_and_the_next_one_comes(tmp_path: Path) -> None:
    program = (
        "import sys; from nbmodels.runs import worker, pulse; stock = pulse.Pulse._read_control; seen = []\n"
        "def once(self):\n"
        "    seen.append(1)\n"
        "    if len(seen) == 5: raise ValueError('a slip of ours')\n"
        "    return stock(self)\n"
        "pulse.Pulse._read_control = once; sys.exit(worker.main([sys.argv[1]]))"
    )
    folder = folders.create(Spec("run-1", "mlp", "digits", training=Training(epochs=100_000)))
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen([sys.executable, "-c", program, str(folder.path)], stdout=log, stderr=log)
    run = Run(folder)
    at_work(run, 10)
    until(lambda: "a slip of ours" in (tmp_path / "log").read_text())
    run.stop()
    assert run.state == "stopped" and worker.wait(20) == 0


def test_an_old_status_of_another_boot_is_lost() -> None:
    folder = folders.create(Spec("run-1", "mlp", "digits"))
    text = json.loads(folder.file(folders.STATUS).read_text())
    text |= {"state": "running", "pid": os.getpid(), "process_started": "another-boot:12", "boot": "another-boot"}
    folder.file(folders.STATUS).write_text(json.dumps(text))
    assert folder.state() == "lost"
    with pytest.raises(RunError):
        Run(folder).pause()


def test_a_stop_of_a_slow_start_waits_for_its_pid() -> None:
    folder = folders.create(Spec("run-1", "mlp", "digits", training=Training(epochs=100_000)))
    run = Run(folder)
    run.stop(wait=False)
    worker = subprocess.Popen([*WORKER, str(folder.path)])  # it comes after the stop was asked
    run.stop()
    assert run.state == "stopped" and worker.wait(20) == 0
