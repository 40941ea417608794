"""control.json, which anybody may write: a slip in it costs the slip and never the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbmodels.runs import reading, typed


def read(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    """What is asked, and in a line what is asked that cannot be done (empty where all of it can).

    Returns:
        {"want": "run" | "pause" | "stop", "lr": [rate, when it was asked] or None, "first": when it was asked or None},
        where "first" moves a waiting run to the front of the queue; what cannot be done is left out of it.
    """
    nothing: dict[str, Any] = {"want": "run", "lr": None, "first": None}
    try:
        said = reading.parse(reading.read_bytes(folder, name, most=reading.SMALL))
    except FileNotFoundError:
        return nothing, ""
    except OSError:
        said = None
    if not isinstance(said, dict):
        return nothing, f"{name} holds no JSON object"
    good = typed.CONTROL(said)
    bad = [key for key in nothing if said.get(key) is not None and good.get(key) is None]
    asked = {**nothing, **{key: good[key] for key in nothing if good.get(key) is not None}}
    return asked, f"{name}: {bad[0]} cannot be {json.dumps(said[bad[0]])[:60]}" if bad else ""
