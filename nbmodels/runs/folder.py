"""The run folder: the whole interface between a worker and everyone who looks at it.

    NAME/
      spec.yaml        what was asked (Spec)
      objects.pkl      the notebook's own model or data, when the spec names one
      objects.sig      who may open them unasked (trust.py)
      facts.json       what the data is, without its tensors (Facts)
      status.json      where it stands, replaced atomically
      metrics.jsonl    what came of it, one reading a line
      changes.jsonl    what was changed while it ran, a change a line: {"step", "time", "option", "old", "new"}
      samples/         pictures and texts the model made, with index.jsonl
      checkpoints/     step-NNNNNNNN.ckpt
      control.json     what is asked of it now: {"want": "run" | "pause" | "stop", "lr": [float, when it was asked],
                       "first": when it was asked to be the first of the queue}
      test.json        the held-out figures, test.png their picture
      worker.log       everything the worker printed
      worker.lock      held by the worker as long as it lives: one writer a folder
      events.out.tfevents.*   for TensorBoard

This file alone knows these names. It imports no torch.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from nbmodels.data.facts import Facts
from nbmodels.errors import InputError, RunError, UnknownName
from nbmodels.runs import changes, control_file, lock, reading, typed
from nbmodels.runs.json_file import put_json, write_json
from nbmodels.runs.process import age, clock, process_started, worker_pid
from nbmodels.spec import Spec

SPEC, OBJECTS, FACTS, STATUS = "spec.yaml", "objects.pkl", "facts.json", "status.json"
METRICS, CONTROL, LOG, TEST = "metrics.jsonl", "control.json", "worker.log", "test.json"
LOCK, CHANGES = "worker.lock", "changes.jsonl"
SAMPLES, CHECKPOINTS = "samples", "checkpoints"

ALIVE = ("starting", "waiting", "running", "paused")  # states with a worker behind them
START_PATIENCE = 120.0  # seconds a worker may take to write its pid (a cold disk) before it counts as lost
HEARTBEAT_PATIENCE = 30.0  # seconds without a heartbeat before a worker on another machine counts as lost

NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_root: Path | None = None


def runs_root() -> Path:
    """Where runs live: `%config BigModel.runs`, else NBMODELS_RUNS, else ./runs."""
    return (_root or Path(os.environ.get("NBMODELS_RUNS") or "runs")).expanduser().absolute()


def set_runs_root(path: str | Path | None) -> None:
    """Move the place of runs for this process; None goes back to the default."""
    global _root
    _root = Path(path) if path else None


def check_name(name: str) -> str:
    """The name, if it can be a run's: it never leaves the runs folder. InputError otherwise."""
    if not NAME.fullmatch(name) or name.endswith("."):
        safe = re.sub(r"[^\w.-]+", "-", name).strip(".-_")[:64] or "my-run"
        raise InputError(
            f"{name!r} cannot be a run's name: it takes letters, digits, '-', '_' and '.'",
            f"Try: --name {safe}",
        )
    return name


class RunFolder:
    """One run's folder; every read gives what is there now, and a half-written file reads as empty."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.name = self.path.name

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def file(self, name: str) -> Path:
        """The path of one of the folder's files."""
        return self.path / name

    # -- what was asked

    def spec(self) -> Spec:
        """What was asked; RunError when the folder has none."""
        try:
            return Spec.from_yaml(reading.read_bytes(self.path, SPEC, most=reading.SMALL).decode("utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.name} has no {SPEC}", "It is no run, or only half copied.") from None
        except (OSError, UnicodeDecodeError) as error:
            what = getattr(error, "strerror", None) or "is no text"
            raise RunError(f"{self.name}'s {SPEC} {what}", "It is no run, or only half copied.") from None

    def facts(self) -> Facts | None:
        """What the data is, once the worker has opened it."""
        return reading.facts(self.path, FACTS)

    # -- where it stands

    def status(self) -> dict[str, Any]:
        """What the worker last wrote of itself; empty when there is nothing."""
        return typed.STATUS(reading.read_object(self.path, STATUS))

    def write_status(self, **changes: Any) -> None:
        """Replace status.json with its content changed; only the worker, and the launcher before it, write."""
        put_json(self.file(STATUS), {**reading.read_object(self.path, STATUS), **changes})

    def state(self, status: dict[str, Any] | None = None) -> str:
        """starting, running, paused, finished, stopped, failed; or lost: it says it runs and nobody is there."""
        status = self.status() if status is None else status
        state = status.get("state", "lost")
        return "lost" if state in ALIVE and not self._somebody(status) else state

    def alive(self) -> bool:
        """Whether a worker is behind the run now."""
        return self.state() in ALIVE

    def worker(self, status: dict[str, Any] | None = None) -> int | None:
        """The pid of the worker behind the run, if it may be sent a signal (see `worker_pid`)."""
        return worker_pid(self.status() if status is None else status)

    def _somebody(self, status: dict[str, Any]) -> bool:
        """Whether a worker is there: its lock tells, then its process; of another machine only its heartbeat."""
        if held := lock.held(self.file(LOCK)):
            return True
        if status.get("host") not in (None, socket.gethostname()):
            return age(status) < HEARTBEAT_PATIENCE
        pid, started = status.get("pid"), status.get("process_started")
        if not pid:
            return age(status) < START_PATIENCE
        if held is False and status.get("lock"):
            return False  # it had the lock: what lives under its pid writes elsewhere, or this folder is a copy
        return isinstance(pid, int) and bool(started) and process_started(pid) == started

    # -- what came of it

    def metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """The readings after byte `since` of metrics.jsonl; a last line still being written is left out."""
        return reading.metrics(self.path, METRICS, since)

    def changes(self) -> list[dict[str, Any]]:
        """What was changed while the run went on, oldest first: {step, time, option, old, new}; the newest thousand."""
        return changes.read(self.path, CHANGES)

    def samples(self) -> list[dict[str, Any]]:
        """What the model made: {step, epoch, file: Path}, oldest first."""
        made = reading.samples(self.path, SAMPLES, "index.jsonl")
        return [{**row, "file": self.path / SAMPLES / row["file"]} for row in made]

    def checkpoints(self) -> list[Path]:
        """The checkpoints, oldest first; whether one is whole is for the reader to check."""
        return sorted(path for path in self.file(CHECKPOINTS).glob("step-*.ckpt") if path.is_file())

    def log(self, lines: int = 200) -> str:
        """The end of what the worker printed."""
        return reading.tail(self.path, LOG, lines)

    def test(self) -> dict[str, Any]:
        """The held-out figures, once asked for."""
        return typed.TEST(reading.read_object(self.path, TEST, most=reading.LARGE))

    def summary(self) -> dict[str, Any]:
        """The run as one JSON object: what `bigmodel runs --json` prints."""
        status = self.status()
        spec = self.spec()
        counts = (
            "epoch",
            "epochs",
            "step",
            "steps",
            "seconds",
            "samples_per_second",
            "left",
            "device",
            "started",
            "why",
            "queue",
        )
        return {
            "name": self.name,
            "folder": str(self.path),
            "model": spec.model,
            "data": spec.data,
            "state": self.state(status),
            **{key: status.get(key) for key in counts},
            "metrics": status.get("metrics", {}),
            "error": status.get("error"),
        }

    # -- what is asked of it now

    def control(self) -> dict[str, Any]:
        """What is asked of the worker: {"want": …, "lr": [rate, when it was asked] or None, "first": when or None}."""
        return control_file.read(self.path, CONTROL)[0]

    def ask(self, want: str | None = None, lr: float | None = None, first: bool = False) -> None:
        """Ask the worker for something; the worker only reads this, so nothing that is asked is ever lost."""
        asked = self.control()
        asked["want"] = want or asked["want"]
        asked["lr"] = [lr, time.time()] if lr is not None else asked["lr"]
        asked["first"] = time.time() if first else asked["first"]
        put_json(self.file(CONTROL), asked)


def find(name: str | Path) -> RunFolder:
    """The run of that name in the runs folder; UnknownName with the nearest one otherwise."""
    folder = runs_root() / check_name(str(name))
    if not folder.joinpath(SPEC).is_file():
        known = [run.name for run in all_runs()]
        raise UnknownName("run", str(name), known, "" if known else "No run here yet. Type: %bigmodel train cnn")
    return RunFolder(folder)


def all_runs() -> list[RunFolder]:
    """Every run of this place that can be read, the newest first."""
    from nbmodels.runs.listing import listed

    return listed(runs_root()).runs


def free_name(stem: str) -> str:
    """`stem-1`, or the first number after it that no run has."""
    stem = re.sub(r"[^\w.-]+", "-", stem).strip(".-_") or "run"
    numbers = (path.name.removeprefix(f"{stem}-") for path in runs_root().glob(f"{stem}-*"))
    return f"{stem}-{max((int(number) for number in numbers if re.fullmatch('[0-9]{1,9}', number)), default=0) + 1}"


def create(spec: Spec, objects: bytes | None = None) -> RunFolder:
    """Make the run's folder whole or not at all: it is filled beside its place, then moved there."""
    root = runs_root()
    target = root / check_name(spec.name)
    if target.exists():
        raise InputError(f"There is a run named {spec.name!r} already", f"Try: --name {free_name(spec.name)}")
    part: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        part = root / f".{spec.name}.{secrets.token_hex(8)}.part"
        part.mkdir()  # not mkdtemp, whose 0700 would hide the run from a group: the umask says who may read it
        part.joinpath(SPEC).write_text(spec.to_yaml(), "utf-8")
        if objects is not None:
            _write_objects(part, spec, objects)
        part.joinpath(LOCK).touch()
        write_json(part / STATUS, _first_status(spec))
        part.rename(target)
    except OSError as error:
        if part:
            shutil.rmtree(part, ignore_errors=True)
        raise RunError(
            f"No run can be written to {root}: {error.strerror}",
            "Choose another place: %config BigModel.runs = '…'",
        ) from None
    return RunFolder(target)


def discard(folder: RunFolder) -> None:
    """Take away a run that came to nothing, once; one that has been resumed since stays."""
    if folder.status().get("barren") and folder.state() == "failed":
        aside = folder.path.with_name(f".{folder.name}.{os.getpid()}.deleted")
        with contextlib.suppress(OSError):
            folder.path.rename(aside)  # out of sight at once, then off the disk
            shutil.rmtree(aside, ignore_errors=True)


def _write_objects(part: Path, spec: Spec, objects: bytes) -> None:
    from nbmodels.runs import trust

    trust.write(part, spec, objects)


def _first_status(spec: Spec) -> dict[str, Any]:
    import nbmodels

    now = time.time()
    return {
        "name": spec.name,
        "model": spec.model,
        "data": spec.data,
        "version": nbmodels.__version__,
        "state": "starting",
        "started": now,
        **clock(),
        "host": socket.gethostname(),
        "epoch": 0,
        "epochs": spec.training.epochs,
        "step": 0,
        "metrics": {},
    }
