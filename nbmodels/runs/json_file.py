"""JSON in files that are read while they are written: objects replaced whole, lines appended whole."""

from __future__ import annotations

import errno
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


def put_json(path: Path, values: dict[str, Any]) -> None:
    """Replace a JSON file, or on a full disk write over it where it lies: its own blocks are there."""
    try:
        write_json(path, values)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not path.is_file():
            raise
        with path.open("r+b") as file:
            file.write(encode(values).ljust(os.fstat(file.fileno()).st_size))  # JSON may end in spaces


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
