"""JSON in files that are read while they are written: objects replaced whole, lines appended whole."""

from __future__ import annotations

import json
import math
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
        part.write_bytes(encode(values))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def overwrite_json(path: Path, values: dict[str, Any]) -> None:
    """Write over a JSON file where it lies: on a full disk its own blocks are the only ones to be had."""
    content = encode(values)
    with path.open("r+b") as file:
        file.write(content.ljust(os.fstat(file.fileno()).st_size))  # JSON may end in spaces


def encode(values: Any) -> bytes:
    """Values as JSON that every reader takes: what is not finite is null, and text is UTF-8 in any case."""
    try:
        content = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except ValueError:
        content = json.dumps(finite(values), ensure_ascii=False, allow_nan=False)
    return content.encode("utf-8", "replace")


def finite(values: Any) -> Any:
    """The same values with None for every number that is not finite; JSON has no word for such."""
    if isinstance(values, dict):
        return {_key(key): finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _key(key: Any) -> Any:
    return str(key) if isinstance(key, float) else key


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
