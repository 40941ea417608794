"""What the system does to a run: tells it to end, kills it, takes its terminal, makes it wait for a turn or a disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import at_work, start, until  # type: ignore[import-not-found]

from nbmodels.errors import RunError, RunFailed
from nbmodels.magic import BigModel
from nbmodels.runs import cores, disk, launch, queue, registry, worker
from nbmodels.runs import folder as folders
from nbmodels.runs.registry import ACTIVE, PAUSED, WAITING, Entry
from nbmodels.runs.run import Run
from nbmodels.spec import Spec, Training

pytestmark = pytest.mark.usefixtures("place")
WORKER = [sys.executable, "-m", "nbmodels.runs.worker"]


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    launch.warm()


def send(run: Run, name: str) -> None:
    os.kill(run.folder.status()["pid"], getattr(signal, name))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_run_that_is_told_to_end_saves_and_goes_on_when_it_is_started_again(name: str) -> None:
    run = start()
    at_work(run, 20)
    send(run, name)
    until(lambda: run.state == "stopped")
    status = run.folder.status()
    assert status["why"] == "stopped by the system" and not status.get("error")
    assert run.folder.checkpoints()[-1].name == f"step-{status['step']:08d}.ckpt"
    worker = subprocess.Popen([*WORKER, str(run.folder.path)])  # as a scheduler does
    until(run.folder.alive)
    at_work(run, status["step"] + 1)
    assert run.folder.metrics()[-1]["step"] > status["step"] and not run.folder.status().get("why")
    run.stop()
    assert worker.wait(20) == 0


def test_a_terminal_that_goes_away_is_no_matter() -> None:
    run = start()
    at_work(run)
    for name in ("SIGHUP", "SIGINT"):
        send(run, name)
    step = run.folder.status()["step"]
    until(lambda: run.folder.status()["step"] > step + 50)
    run.stop()


def test_a_run_that_is_told_to_end_before_its_first_step_ends() -> None:
    folder = folders.create(Spec("run-1", "mlp", "digits", training=Training(epochs=100_000)))
    worker = subprocess.Popen([*WORKER, str(folder.path)])
    until(lambda: folder.status().get("pid"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert folder.state() == "stopped" and folder.status()["why"] == "stopped by the system"


def test_retries_go_on_by_themselves_after_a_kill_and_after_being_told_to_end() -> None:
    run = start(Training(epochs=100_000, save_steps=20, retries=2))
    until(lambda: run.folder.checkpoints())
    first = run.folder.status()["pid"]
    send(run, "SIGKILL")
    until(lambda: run.state == "running" and run.folder.status()["pid"] != first)
    at_work(run, 40)
    second = run.folder.status()["pid"]
    send(run, "SIGTERM")
    until(lambda: run.state == "running" and run.folder.status()["pid"] not in (first, second))
    at_work(run, 60)
    assert run.folder.log().count("retry") == 2
    run.stop()
    assert run.state == "stopped" and not run.folder.status().get("why")
    steps = [row["step"] for row in run.folder.metrics()]
    assert steps == sorted(steps)


def test_a_run_of_a_device_that_is_not_here_leaves_no_folder() -> None:
    run = start(Training(device="cuda:7"))
    with pytest.raises(RunFailed, match="--device"):
        run.wait()
    assert not run.folder.path.exists() and run.state == "failed"
    with pytest.raises(RunFailed, match="--device"):
        run.wait()


def test_a_run_of_data_that_cannot_be_had_leaves_no_folder_behind(place: Path, tmp_path: Path) -> None:
    run = start(data=str(tmp_path / "gone.csv"))
    until(lambda: not run.folder.path.exists())  # nobody waits for it: the worker clears away
    assert not list(place.iterdir())


def test_what_is_more_than_the_machine_carries_waits_its_turn() -> None:
    one = Training(epochs=100_000, jobs=1)
    runs = [start(one, "a")]
    at_work(runs[0])
    for name in ("b", "c", "d"):
        runs.append(start(one, name))
        until(lambda: runs[-1].state == "waiting")
    a, b, c, d = runs
    until(lambda: [run.folder.status().get("why") for run in runs[1:]] == ["1st of 3", "2nd of 3", "3rd of 3"])
    with pytest.raises(RunError, match="waiting"):
        b.pause()
    d.resume()  # the next to start
    until(lambda: d.folder.status().get("queue") == {"place": 1, "of": 3})
    b.stop()
    assert b.state == "stopped" and not b.folder.checkpoints()
    until(lambda: c.folder.status().get("queue") == {"place": 2, "of": 2})
    a.pause()  # who sleeps takes no place
    at_work(d)
    assert c.state == "waiting" and not d.folder.status().get("queue")
    send(d, "SIGKILL")
    at_work(c)
    for run in (a, c):
        run.stop()


def entry(pid: int, state: str = ACTIVE, **more: object) -> Entry:
    return Entry(pid, "", "", **{"state": state, "order": pid, "jobs": 2, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 64])
@pytest.mark.parametrize("runs", range(1, 9))
def test_the_cores_are_shared_whole_and_evenly(count: int, runs: int) -> None:
    here = [entry(pid) for pid in range(runs)]
    here += [entry(90, WAITING), entry(91, PAUSED)]
    shares = [cores.share(own, here, count) for own in here[:runs]]
    assert min(shares) >= 1 and max(shares) - min(shares) <= 1
    assert sum(shares) == max(count, runs)


def test_a_fixed_number_of_threads_stays_and_a_gpu_takes_one_core() -> None:
    fixed, gpu, free = entry(1, threads=3), entry(2, device="cuda:0"), entry(3)
    assert cores.share(fixed, [gpu, free], 8) == 3
    assert cores.share(free, [fixed, gpu], 8) == 4
    assert cores.share(free, [fixed, gpu], 2) == 1


def test_the_queue_lets_in_who_comes_first_and_by_each_ones_own_number() -> None:
    here = [
        entry(1),
        entry(2, WAITING),
        entry(3, WAITING),
        entry(4, WAITING, jobs=3),
        entry(5, WAITING, device="cuda:0"),
    ]
    assert [queue.admitted(own, here) for own in here[1:]] == [True, False, True, True]
    assert queue.standing(here[2], here) == (2, 3)
    assert [queue.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


def test_two_runs_share_the_cores_and_say_so() -> None:
    runs = [start(name="a")]
    at_work(runs[0], 5)
    runs.append(start(name="b"))
    at_work(runs[1])
    half = max(1, cores.count() // 2)
    until(lambda: all(run.folder.status().get("threads") == half for run in runs))
    changed = [row for row in runs[0].folder.changes() if row["option"] == "threads"]
    assert bool(changed) == (half != cores.count()) and all(row["step"] >= 1 for row in changed)
    until(lambda: all((run.folder.status().get("cores") or {}).get("runs") == 1 for run in runs))
    runs[0].pause()
    until(lambda: not (runs[1].folder.status().get("cores") or {}).get("runs"))
    for run in runs:
        run.stop()
    until(lambda: not registry.entries())


def test_a_fixed_number_of_threads_is_the_runs_own() -> None:
    run = start(Training(epochs=1, threads=1)).wait()
    assert run.folder.status()["threads"] == 1 and ", 1 thread," in run.folder.status()["device"]


def test_a_deterministic_run_keeps_its_threads_whoever_comes() -> None:
    asked = Training(epochs=100_000, deterministic=True)
    run = start(asked, "a")
    at_work(run, 5)
    other = start(name="b")
    at_work(other, 50)
    assert run.folder.status()["threads"] == cores.count() and not run.folder.changes()
    other.stop()
    run.stop()
    run.folder.write_status(threads=7)  # as it had on a larger machine
    assert worker._threads(run.folder, asked) == 7
    assert worker._threads(run.folder, Training()) is None


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_as_many_runs_at_once_as_the_setting_says(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBMODELS_JOBS", "")
    assert queue.carries(device) == (2 * cores.count() if device == "cpu" else 1)
    settings = BigModel(jobs=3)  # what `%config BigModel.jobs = 3` does
    assert queue.carries(device) == 3
    settings.jobs = 0
    assert queue.carries(device) == (2 * cores.count() if device == "cpu" else 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes, real and small; the fixture's user fills it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    path = tmp_path / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)], check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=False)


def fill(file: Path) -> None:
    with pytest.raises(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(b"0" * 4096)


def test_a_full_disk_holds_the_training_until_there_is_room(small_disk: Path) -> None:
    folders.set_runs_root(small_disk)
    run = start(Training(epochs=100_000, save_steps=200))
    at_work(run, 50)
    fill(small_disk / "fill")
    until(lambda: run.state == "waiting" and run.folder.status().get("why") == "the disk is full", 30)
    step = run.folder.status()["step"]
    time.sleep(1)
    assert run.folder.status()["step"] - step <= 1  # it stands
    with pytest.raises(RunError) as said:
        start(name="run-2")
    assert "\n" not in str(said.value)
    (small_disk / "fill").unlink()
    at_work(run, step + 250)
    assert not run.folder.status().get("why")
    written = [(row["step"], "val/loss" in row) for row in run.folder.metrics()]
    assert written == sorted(set(written)) and b"\0" not in run.folder.file(folders.METRICS).read_bytes()
    fill(small_disk / "fill")
    until(lambda: run.state == "waiting", 30)
    run.stop()
    assert run.state == "stopped"
    with pytest.raises(RunError, match="written"):
        run.resume()


def test_a_disk_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    held: list[str] = []

    class Pulse:
        want = "run"

        def get(self, key: str) -> str:
            return held[-1] if held else "running"

        def tell(self, state: str, why: str) -> None:
            held.append(state if not why else "waiting")

    tries = iter([PermissionError(13, ""), OSError(30, ""), FileNotFoundError(2, ""), OSError(5, "")])

    def work() -> str:
        for error in tries:
            raise error
        return "written"

    assert disk.Disk(Pulse(), tmp_path).write(work) == "written"  # type: ignore[arg-type]
    assert held == ["waiting"] * 4 + ["running"]
    with pytest.raises(ValueError):
        disk.Disk(Pulse(), tmp_path).write(failing(ValueError("no matter of the disk")))  # type: ignore[arg-type]


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_causes_that_point_at_one_another_come_to_an_end() -> None:
    one, other = ValueError("one"), OSError(28, "full")
    one.__cause__, other.__cause__ = other, one
    assert list(disk.causes(one)) == [one, other] and disk.trouble(one) == disk.FULL
