"""What was changed while a run went on: a file of lines, read with care and never whole."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from nbmodels.runs.json_file import encode, rows

MOST = 200_000  # bytes at the end of the file that are read
KEPT = 1000  # changes that are given


def append(path: Path, step: int, option: str, old: float | None, new: float) -> None:
    """Write down a change: `step` is the first with the new value."""
    row = {"step": step, "time": time.time(), "option": option, "old": old, "new": new}
    with path.open("ab") as file:
        file.write(encode(row) + b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The changes, oldest first; a line that is none of ours is left out."""
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST))
            content = file.read(MOST)
    except OSError:
        return []
    if size > MOST:
        content = content[content.find(b"\n") + 1 :]
    return [row for row in rows(content) if _whole(row)][-KEPT:]


def _whole(row: dict[str, Any]) -> bool:
    step, new, old = row.get("step"), row.get("new"), row.get("old")
    return (
        isinstance(step, int)
        and not isinstance(step, bool)
        and 0 <= step < 2**53
        and isinstance(row.get("option"), str)
        and _number(new)
        and (old is None or _number(old))
    )


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)
