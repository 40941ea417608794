"""JSON in files that are read while they are written: objects replaced whole, lines appended whole."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when it is missing or broken."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Replace a JSON file atomically: a reader sees the old one or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_text(json.dumps(values, ensure_ascii=False, allow_nan=True), "utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def overwrite_json(path: Path, values: dict[str, Any]) -> None:
    """Write over a JSON file where it lies: on a full disk its own blocks are the only ones to be had."""
    content = json.dumps(values, ensure_ascii=False).encode()
    with path.open("r+b") as file:
        file.write(content.ljust(os.fstat(file.fileno()).st_size))  # JSON may end in spaces


def rows(content: bytes) -> list[dict[str, Any]]:
    """The objects of a file of lines; a last line that is still being written, and a broken one, are left out."""
    found = map(_row, content.split(b"\n")[:-1])
    return [row for row in found if row]


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}
