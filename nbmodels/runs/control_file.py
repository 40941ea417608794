"""control.json, which anybody may write: typed and checked, so that a slip in it costs the slip and never the run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

WANTS = ("run", "pause", "stop")
SIZE = 100_000  # bytes that are read


def read(file: Path) -> tuple[dict[str, Any], str]:
    """What is asked, and in a line what is asked that cannot be done (empty where all of it can).

    Returns:
        {"want": "run" | "pause" | "stop", "lr": [rate, when it was asked] or None, "first": when it was asked or None},
        where "first" moves a waiting run to the front of the queue; what cannot be done is left out of it.
    """
    nothing: dict[str, Any] = {"want": "run", "lr": None, "first": None}
    try:
        with file.open("rb") as opened:
            said = json.loads(opened.read(SIZE))
    except FileNotFoundError:
        return nothing, ""
    except (OSError, ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return nothing, "control.json holds no JSON object"
    bad = [key for key in nothing if key in said and not _fine(key, said[key])]
    good = {key: said[key] for key in nothing if key in said and key not in bad}
    return {**nothing, **good}, f"control.json: {bad[0]} cannot be {json.dumps(said[bad[0]])[:60]}" if bad else ""


def _fine(key: str, value: Any) -> bool:
    if key == "want":
        return isinstance(value, str) and value in WANTS
    if value is None:
        return True
    if key == "first":
        return _is_number(value)
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] > 0


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
