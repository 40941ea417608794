"""The folder of the runs: where it is, which runs are in it, and a new one; `run_folder` says what one holds."""

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

from nbmodels.errors import InputError, RunError, UnknownName
from nbmodels.runs import trust
from nbmodels.runs.json_file import write_json
from nbmodels.runs.listing import listed
from nbmodels.runs.process import clock, process_started
from nbmodels.runs.run_folder import (
    ALIVE,
    CHANGES,
    CHECKPOINTS,
    CONTROL,
    FACTS,
    HEARTBEAT_PATIENCE,
    LOCK,
    LOG,
    METRICS,
    NAME,
    OBJECTS,
    SAMPLES,
    SPEC,
    START_PATIENCE,
    STATUS,
    TEST,
    RunFolder,
    check_name,
)
from nbmodels.spec import Spec

__all__ = [  # the one name by which all that belongs to runs and their folders is known
    "ALIVE",
    "CHANGES",
    "CHECKPOINTS",
    "CONTROL",
    "FACTS",
    "HEARTBEAT_PATIENCE",
    "LOCK",
    "LOG",
    "METRICS",
    "NAME",
    "OBJECTS",
    "SAMPLES",
    "SPEC",
    "START_PATIENCE",
    "STATUS",
    "TEST",
    "RunFolder",
    "check_name",
    "all_runs",
    "create",
    "discard",
    "find",
    "free_name",
    "process_started",
    "runs_root",
    "set_runs_root",
]

_root: Path | None = None


def runs_root() -> Path:
    """Where runs live: `%config BigModel.runs`, else NBMODELS_RUNS, else ./runs."""
    return (_root or Path(os.environ.get("NBMODELS_RUNS") or "runs")).expanduser().absolute()


def set_runs_root(path: str | Path | None) -> None:
    """Move the place of runs for this process; None goes back to the default."""
    global _root
    _root = Path(path) if path else None


def find(name: str | Path) -> RunFolder:
    """The run of that name in the runs folder; UnknownName with the nearest one otherwise."""
    folder = runs_root() / check_name(str(name))
    if not folder.joinpath(SPEC).is_file():
        known = [run.name for run in all_runs()]
        raise UnknownName("run", str(name), known, "" if known else "No run here yet. Type: %bigmodel train cnn")
    return RunFolder(folder)


def all_runs() -> list[RunFolder]:
    """Every run of this place that can be read, the newest first."""
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
            trust.write(part, spec, objects)
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
    if folder.status().get("discard") and folder.state() == "failed" and not folder.checkpoints():
        aside = folder.path.with_name(f".{folder.name}.{os.getpid()}.deleted")
        with contextlib.suppress(OSError):
            folder.path.rename(aside)  # out of sight at once, then off the disk
            shutil.rmtree(aside, ignore_errors=True)


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
