"""The workers of this user on this machine, whatever folder they work on: who trains now, and who waits for a turn.

    <user state>/workers/PID.json    one file a worker, written by it alone; without its process it counts for nothing
    <user state>/workers/.lock       held for the moment in which a worker decides that it is its turn

So the cores are shared and the queue keeps its order without any process that rules the others. Where the folder cannot
be written, a worker sees nobody and works as if it were alone.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from filelock import FileLock
from platformdirs import user_state_path

from nbmodels.runs.json_file import read_json, write_json
from nbmodels.runs.process import process_started, uptime

PATIENCE = 5.0  # seconds to wait for the lock of the queue
WAITING, ACTIVE, PAUSED = "waiting", "active", "paused"


@dataclass
class Entry:
    """One worker.

    Attributes:
        pid, process_started: Who it is.
        folder: The run's folder.
        state: waiting (for its turn), active, or paused.
        device: What it takes a place of: `cpu`, or `cuda:0`.
        order: Its place in the queue: the smaller goes first.
        jobs: Runs at once that its user asked for, or that the machine carries.
        threads: The threads it takes whatever others do; None: its share.
    """

    pid: int
    process_started: str
    folder: str
    state: str = WAITING
    device: str = "cpu"
    order: float = 0.0
    jobs: int = 1
    threads: int | None = None


def entries() -> list[Entry]:
    """Every worker that lives, in the order of the queue."""
    found = []
    with contextlib.suppress(OSError):
        for file in _place().glob("*.json"):
            entry = _read(file)
            if entry and process_started(entry.pid) == entry.process_started:
                found.append(entry)
            elif time.time() - _written(file) > 60:  # left by a worker that was killed
                file.unlink(missing_ok=True)
    return sorted(found, key=lambda entry: (entry.order, entry.pid))


def write(entry: Entry) -> None:
    """Say of this worker what it does now."""
    with contextlib.suppress(OSError):
        place = _place()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(place / f"{entry.pid}.json", asdict(entry))


def remove(entry: Entry) -> None:
    """This worker is here no more."""
    with contextlib.suppress(OSError):
        (_place() / f"{entry.pid}.json").unlink(missing_ok=True)


@contextlib.contextmanager
def deciding() -> Iterator[None]:
    """One worker at a time decides that it is its turn; where there are no locks, each for itself."""
    lock = FileLock(_place() / ".lock", thread_local=False)
    with contextlib.suppress(OSError, NotImplementedError):  # Timeout is one
        lock.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        lock.release()


def _place() -> Path:
    return user_state_path("nbmodels") / "workers"


def _read(file: Path) -> Entry | None:
    values = read_json(file)
    known = {field.name: values.get(field.name) for field in fields(Entry)}
    numbers = all(_is_number(known[name]) for name in ("pid", "order", "jobs"))
    words = all(isinstance(known[name], str) for name in ("process_started", "folder", "state", "device"))
    threads = known["threads"] is None or _is_number(known["threads"])
    return Entry(**known) if numbers and words and threads else None  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return time.time()


def me(folder: Path) -> Entry:
    """This process's own entry, not yet written; last in the queue."""
    pid = os.getpid()
    return Entry(pid, process_started(pid) or "", str(folder), order=uptime() or time.time())
