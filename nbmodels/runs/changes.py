"""What was changed while a run went on: a file of lines, read with care and never whole."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

from nbmodels.runs.json_file import encode
from nbmodels.runs.reading import read_bytes, rows
from nbmodels.runs.typed import count, metric, record, text

MOST = 200_000  # bytes at the end of the file that are read
KEPT = 1000  # changes that are given
CHANGE = record({"step": count, "time": count, "option": text, "old": metric, "new": metric})


def append(path: Path, step: int, option: str, old: float | None, new: float) -> None:
    """Write down a change, whole or not at all: `step` is the number of steps that were done with the old value."""
    row = {"step": step, "time": time.time(), "option": option, "old": old, "new": new}
    with path.open("ab", buffering=0) as file:
        size, line = file.tell(), encode(row) + b"\n"
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(size)
            raise


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """The changes, oldest first: {step, time, option, old, new}; a line that is none of ours is left out."""
    try:
        lines = read_bytes(folder, name, most=MOST, tail=True)
    except OSError:
        return []
    made = [CHANGE(row) for row in rows(lines)]
    return [{"old": None, **row} for row in made if row.keys() >= {"step", "option", "new"} and row["new"] is not None][
        -KEPT:
    ]
