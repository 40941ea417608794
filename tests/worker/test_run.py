"""Real worker processes: a run is trained, stopped, paused, resumed, killed; nothing of it is simulated."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from nbmodels.errors import RunError, RunFailed
from nbmodels.runs import fit, launch
from nbmodels.runs import folder as folders
from nbmodels.runs.run import Run, attach, train
from nbmodels.spec import Spec, Training

LONG = Training(epochs=100_000)
SHORT = Training(epochs=2, schedule="one-cycle")


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """One warm process for the file."""
    launch.warm()


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[Path]:
    """A runs folder of the test's own; whatever still trains in it is stopped at the end."""
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path / "runs"
    for folder in folders.all_runs():
        if folder.alive() and (pid := folder.status().get("pid")):
            os.kill(pid, signal.SIGKILL)
    folders.set_runs_root(None)


def start(training: Training = LONG, name: str = "run-1", **fields: object) -> Run:
    fields = {"model": "mlp", "data": "digits", **fields}
    return train(Spec(name=name, training=training, **fields), wait=False)  # type: ignore[arg-type]


def until(true: object, seconds: float = 60) -> None:
    """Wait until the call gives something true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def at_work(run: Run, step: int = 1) -> None:
    until(lambda: (run.state == "running" and run.folder.status()["step"] >= step) or not run.folder.alive())
    assert run.state == "running", run.folder.log()


def test_it_learns_and_the_folder_says_so() -> None:
    run = start(SHORT, model="cnn").wait()
    assert run.state == "finished"
    metrics = run.metrics
    assert metrics["val/accuracy"].dropna().iloc[-1] > 0.85
    assert metrics["step"].is_monotonic_increasing
    status = run.folder.status()
    assert status["step"] == status["steps"] == metrics["step"].max()
    assert status["memory"]["process"] > 0
    assert not run.model.training
    assert next(run.model.parameters()).device.type == "cpu"
    assert list(run.folder.path.glob("events.out.tfevents.*"))
    assert not list(run.folder.path.glob(".*"))  # no half-written file stays


def test_held_out_figures_come_from_a_worker_and_are_computed_once() -> None:
    run = start(SHORT).wait()
    first = run.test()
    assert first["figures"]["test/accuracy"] > 0.8
    assert sum(map(sum, first["confusion"])) == 360  # each test picture once
    written = run.folder.file(folders.TEST).stat().st_mtime_ns
    assert run.test() == first
    assert run.folder.file(folders.TEST).stat().st_mtime_ns == written


def test_train_returns_before_the_worker_is_there() -> None:
    began = time.monotonic()
    run = start()
    assert time.monotonic() - began < 1  # two thousandths usually; the bound is the contract's
    assert run.state == "starting"
    run.stop()


def test_stop_leaves_a_checkpoint_and_a_usable_model() -> None:
    run = start()
    at_work(run, 5)
    run.stop()
    assert run.state == "stopped"
    assert run.folder.checkpoints()[-1].name == f"step-{run.folder.status()['step']:08d}.ckpt"
    assert run.model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_run_that_still_trains_answers_with_its_newest_checkpoint() -> None:
    run = start(Training(epochs=100_000, save_steps=20))
    answers = run.predict(torch.rand(2, 8, 8))  # the very first waits for a checkpoint
    assert run.folder.alive() and len(answers) == 2  # its status may not say "running" yet
    assert answers[0]["class"] in "0123456789"
    weights, step = run._load().state_dict(), run.folder.status()["step"]
    until(lambda: run.folder.status()["step"] > step + 50)
    assert any(not torch.equal(now, weights[name]) for name, now in run._load().state_dict().items())
    run.stop()


def test_pause_gives_the_processor_back_and_resume_goes_on() -> None:
    run = start()
    at_work(run)
    run.pause()
    until(lambda: run.state == "paused")
    process = psutil.Process(run.folder.status()["pid"])
    before, step = sum(process.cpu_times()[:2]), run.folder.status()["step"]
    beat = run.folder.status()["heartbeat"]
    time.sleep(1.5)
    assert sum(process.cpu_times()[:2]) - before < 0.2
    assert run.folder.status()["heartbeat"] > beat  # it sleeps, it is not dead
    run.resume()
    until(lambda: run.folder.status()["step"] > step)
    assert run.folder.status()["pid"] == process.pid
    run.stop()


def test_a_paused_run_can_be_stopped() -> None:
    run = start()
    at_work(run)
    run.pause()
    until(lambda: run.state == "paused")
    run.stop()
    assert run.state == "stopped"


def test_the_learning_rate_changes_while_it_runs() -> None:
    run = start()
    at_work(run)
    run.set_lr(1.25e-5)
    until(lambda: any(row.get("lr") == pytest.approx(1.25e-5) for row in run.folder.metrics()))
    run.stop()


def test_a_learning_rate_is_done_once_and_a_stop_beside_it_is_not_lost() -> None:
    run = start(Training(epochs=100_000, lr=1e-3, schedule="linear"))
    at_work(run)
    run.set_lr(1.25e-5)
    run.folder.ask(want="stop")
    until(lambda: run.state == "stopped")
    before = run.folder.metrics()[-1]
    run.resume()
    at_work(run, before["step"] + 100)
    run.stop()
    rates = [row["lr"] for row in run.folder.metrics() if row["step"] > before["step"] and "lr" in row]
    assert rates and all(rate == pytest.approx(1.25e-5) for rate in rates)  # it holds until the schedule's own peak
    assert [(row["option"], row["new"]) for row in run.folder.changes()] == [("lr", 1.25e-5)]


def test_a_killed_worker_is_lost_and_resumes_from_its_checkpoint() -> None:
    run = start(Training(epochs=100_000, save_steps=20))
    until(lambda: run.folder.checkpoints())
    os.kill(run.folder.status()["pid"], signal.SIGKILL)
    until(lambda: run.state == "lost")
    with pytest.raises(RunFailed, match="resume run-1"):
        run.wait()
    saved = run.folder.checkpoints()[-1].name
    run.resume()
    at_work(run, int(saved[5:13]) + 1)
    run.stop()
    steps = [row["step"] for row in run.folder.metrics()]
    assert steps == sorted(steps)  # what the killed worker wrote after the checkpoint is written once


def test_a_broken_checkpoint_is_passed_over() -> None:
    run = start(Training(epochs=100_000, save_steps=20))
    until(lambda: len(run.folder.checkpoints()) > 1)
    run.stop()
    older, newer = run.folder.checkpoints()
    content = bytearray(newer.read_bytes())
    content[len(content) // 2] ^= 0xFF
    newer.write_bytes(content)
    run.resume()
    at_work(run, int(older.name[5:13]) + 1)
    run.stop()
    assert run.state == "stopped"


def test_the_run_outlives_the_process_that_started_it(place: Path) -> None:
    program = (
        "import time; from nbmodels.runs import launch; from nbmodels.runs.run import train;"
        "from nbmodels.spec import *; launch.warm();"
        "train(Spec(name='orphan', model='mlp', data='digits', training=Training(epochs=100_000)), wait=False);"
        "time.sleep(600)"
    )
    environment = {**os.environ, "NBMODELS_RUNS": str(place)}
    starter = subprocess.Popen([sys.executable, "-c", program], env=environment)
    until(lambda: (place / "orphan").exists() and attach("orphan").folder.status().get("step", 0) > 0)
    starter.kill()
    starter.wait()
    run = attach("orphan")
    step = run.folder.status()["step"]
    until(lambda: run.folder.status()["step"] > step)
    assert os.getsid(run.folder.status()["pid"]) != os.getsid(0)
    run.stop()


def test_the_folder_alone_is_enough() -> None:
    folder = folders.create(Spec(name="alone", model="linear", data="digits", training=Training(epochs=1)))
    done = subprocess.run([sys.executable, "-m", "nbmodels.runs.worker", str(folder.path)], check=False)
    assert done.returncode == 0
    assert folder.state() == "finished"


def test_a_failing_model_gives_one_line_and_the_workers_traceback() -> None:
    run = start(SHORT, model_options={"in_features": 5})
    with pytest.raises(RunFailed) as caught:
        run.wait()
    assert "wants 5 features and is given 64" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" in caught.value.traceback
    assert run.state == "failed"


def test_a_plain_module_of_the_notebook_trains() -> None:
    class Net(torch.nn.Module):
        def __init__(self, in_features: int = 9, num_classes: int = 3, width: int = 8) -> None:
            super().__init__()
            layers = torch.nn.Linear(in_features, width), torch.nn.ReLU(), torch.nn.Linear(width, num_classes)
            self.layers = torch.nn.Sequential(torch.nn.Flatten(), *layers)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    spec = Spec("own", "notebook:Net", "digits", model_options={"width": 32}, training=Training(epochs=5, lr=0.01))
    run = train(spec, {"model": Net}, wait=True)
    assert run.test()["figures"]["test/accuracy"] > 0.8
    assert run.model.network.layers[1].out_features == 32  # type: ignore[union-attr, index]


def test_a_device_that_is_not_here() -> None:
    run = start(Training(device="cuda:7"))
    with pytest.raises(RunFailed, match="--device"):
        run.wait()


def test_a_second_worker_leaves_a_living_run_alone() -> None:
    run = start()
    at_work(run)
    done = subprocess.run(
        [sys.executable, "-m", "nbmodels.runs.worker", str(run.folder.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "already" in done.stderr
    assert run.state == "running"
    run.stop()


def test_weights_travel_from_one_run_to_the_next() -> None:
    first = start(SHORT).wait()
    second = start(Training(epochs=1, lr=1e-9), name="run-2", start="run-1").wait()
    assert second.test()["figures"]["test/accuracy"] == pytest.approx(
        first.test()["figures"]["test/accuracy"], abs=0.02
    )


def test_a_finished_run_is_not_resumed() -> None:
    run = start(Training(epochs=1), model="linear").wait()
    with pytest.raises(RunError, match="--from run-1"):
        run.resume()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False)
    if mount.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        folders.set_runs_root(disk)
        run = start(SHORT)
        until(lambda: run.state == "waiting" and run.folder.status().get("why") == "the disk is full")
        run.stop()
        assert run.state == "stopped"
        assert not list(disk.rglob("*.part"))
        (disk / "fill").write_bytes(b"")
        with pytest.raises(OSError), (disk / "fill").open("wb") as file:
            while file.write(b"0" * 4096):
                file.flush()
        with pytest.raises(RunError, match="No space left"):
            start(name="run-2")
        assert not (disk / "run-2").exists()
    finally:
        time.sleep(0.5)  # the worker's last word
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def test_options_of_the_training_reach_the_optimiser() -> None:
    asked = Training(epochs=1, precision="bf16", clip=0.5, lr=3e-4, weight_decay=0.25, schedule="constant", limit=100)
    run = start(asked).wait()
    from nbmodels.runs import checkpoint

    path = checkpoint.newest(run.folder)
    assert path is not None
    group = checkpoint.load(path)["optimizer_states"][0]["param_groups"][0]
    assert (group["lr"], group["weight_decay"]) == (3e-4, 0.25)
    assert run.folder.status()["device"].endswith("bf16")
    assert run.folder.status()["step"] == 4


@pytest.mark.parametrize(
    ("can", "format"), [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "32")]
)
def test_auto_takes_bf16_where_the_processor_computes_in_it(can: Any, format: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can, raising=False)
    auto = Training(precision="auto", device="cpu", clip=0.5)
    assert fit.settle(auto) == dataclasses.replace(auto, precision=format)
    assert fit.settle(Training(precision="16", device="cpu")).precision == "16"


@pytest.mark.parametrize(("native", "format"), [(True, "bf16"), (False, "32")])
def test_auto_asks_a_gpu_what_it_computes_in_and_not_what_it_emulates(
    native: bool, format: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert fit.settle(Training(precision="auto", device="cuda")).precision == format


def test_a_run_says_the_format_that_auto_came_to() -> None:
    run = start(Training(epochs=1, limit=64, precision="auto", clip=0.5)).wait()
    assert run.folder.status()["device"].endswith(
        fit.settle(Training(precision="auto")).precision.replace("32", "32-bit")
    )


@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler: apt install g++")
def test_a_compiled_model_learns_the_same_weights_names() -> None:
    run = start(Training(epochs=1, limit=96, compile=True), model="linear").wait(240)
    assert run.folder.status()["step"] == 3
    assert "network.weight" in run.model.state_dict()  # not under torch.compile's own prefix


def test_a_gpt_on_tokens_writes_text() -> None:
    pytest.importorskip("tokenizers")
    options = {"layers": 1, "heads": 2, "width": 16}
    run = start(Training(epochs=1, limit=64), model="gpt", data="pydoc", model_options=options,
                data_options={"tokens": "bpe"}).wait()  # fmt: skip
    assert run.predict("The statement", length=5).startswith("The statement")


def test_a_dalle_draws_what_captions_say() -> None:
    tiny = {"layers": 1, "width": 32, "channels": 16, "codes": 16}
    training = Training(epochs=3, batch_size=64, limit=64)
    run = start(training, model="dalle", data="captioned-digits", model_options=tiny).wait()
    samples = run.folder.samples()
    assert [row["epoch"] for row in samples] == [1, 2, 3]
    assert all(row["file"].suffix == ".png" and len(row["caption"].split(" · ")) == 8 for row in samples)
    metrics = run.metrics
    parts = (metrics["val/reconstruction"] + metrics["val/tokens"]).dropna()
    assert metrics["val/loss"].dropna().tolist() == pytest.approx(parts.tolist(), rel=1e-5)
    assert run.predict("a handwritten six").size == (112, 112)
    seen = run.test()
    assert 0 <= seen["figures"]["test/recognised"] <= 1 and seen["figures"]["test/classifier"] > 0.97
    assert seen["picture"].startswith("data:image/png;base64,")


FAULTS = """
import resource, sys
if sys.argv[1] == "keep":
    from nbmodels.runs.worker import keep_memory
    keep_memory()
import torch
torch.set_num_threads(1)
for step in range(40):
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10_000_000)  # 40 MB, 9,766 pages: more than glibc ever keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a matter of glibc")
def test_what_a_step_frees_is_kept_for_the_next() -> None:
    def faults(how: str) -> int:
        return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)

    assert faults("keep") < 1_000 < 50_000 < faults("not")
