"""A folder brought back to where its checkpoint stood: what was written after it will be written again.

Metrics, changes and the index of samples are cut at the byte that the checkpoint names, event files too; files that
came later go. Nothing is ever made longer: where something is missing, that is said.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from nbmodels.runs.folder import CHANGES, METRICS, SAMPLES, RunFolder
from nbmodels.runs.json_file import rows

INDEX = f"{SAMPLES}/index.jsonl"
LINES = (METRICS, CHANGES, INDEX)
EVENTS = "events.out.tfevents.*"
_SAMPLE = re.compile(r"\d{8,}\.(png|txt)")


def marks(folder: RunFolder) -> dict[str, Any]:
    """How long each file is now; whoever writes them has flushed them first.

    Returns:
        lines: {file: bytes}; events: {file: bytes}.
    """
    return {
        "lines": {name: _size(folder.file(name)) for name in LINES},
        "events": {_inside(folder, path): _size(path) for path in _events(folder)},
    }


def rewind(folder: RunFolder, stood: dict[str, Any]) -> list[str]:
    """Cut the folder's files where a checkpoint stood; {} is the beginning: nothing of a run is kept.

    Args:
        folder: The run's folder.
        stood: What `marks` gave then. Of a checkpoint without `events` (an older version's) those are left alone.

    Returns:
        What is missing, a line each.
    """
    lines = stood.get("lines", {})
    known = [name for name in LINES if name in lines or not stood]
    missing = [said for name in known if (said := _cut_lines(folder, name, int(lines.get(name, 0))))]
    if INDEX in known:
        missing += _samples(folder)
    if not stood or "events" in stood:
        missing += _cut_events(folder, stood.get("events", {}))
    return missing


def _cut_lines(folder: RunFolder, name: str, size: int) -> str:
    """Leave the first `size` bytes, whole lines only; a reader sees another file, so it does not go on in the old."""
    path = folder.file(name)
    there = _size(path)
    if not there and not size:
        return ""
    content = b""
    if there:
        with path.open("rb") as file:
            content = file.read(size)
    kept = content[: content.rfind(b"\n") + 1]
    if there != len(kept):
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(kept)
        part.replace(path)
    return f"{name} lacks {size - len(kept):,} of its {size:,} bytes" if len(kept) < size else ""


def _samples(folder: RunFolder) -> list[str]:
    """Take away the samples that the index does not name (any more)."""
    place, index = folder.file(SAMPLES), folder.file(INDEX)
    named = {str(row.get("file")) for row in rows(index.read_bytes())} if index.is_file() else set()
    there = {path.name for path in place.glob("*")} if place.is_dir() else set()
    for name in there - named:
        if _SAMPLE.fullmatch(name):
            place.joinpath(name).unlink(missing_ok=True)
    gone = sorted(named - there)
    return [f"{SAMPLES}/ lacks {', '.join(gone[:3])}{' and others' if len(gone) > 3 else ''}"] if gone else []


def _cut_events(folder: RunFolder, sizes: dict[str, int]) -> list[str]:
    missing = []
    found = {_inside(folder, path): path for path in _events(folder)}
    for name, path in found.items():
        if name not in sizes:
            path.unlink(missing_ok=True)
        elif _size(path) > sizes[name]:
            os.truncate(path, sizes[name])
    for name, size in sizes.items():
        there = _size(found[name]) if name in found else 0
        if there < size:
            missing.append(f"{name} lacks {size - there:,} of its {size:,} bytes")
    return missing


def _events(folder: RunFolder) -> list[Path]:
    return sorted(path for path in folder.path.rglob(EVENTS) if path.is_file() and not path.is_symlink())


def _inside(folder: RunFolder, path: Path) -> str:
    return path.relative_to(folder.path).as_posix()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
