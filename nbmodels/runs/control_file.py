"""control.json, which anybody may write: a slip in it costs the slip and never the run."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from nbmodels.runs import reading, typed

NOTHING: dict[str, Any] = {"want": "run", "lr": None, "first": None}
SIZE = 200  # bytes: as much as is ever asked


def prepare(folder: Path, name: str) -> None:
    """Make the file where there is none: on a full disk it can then be written over where it lies."""
    with contextlib.suppress(OSError), folder.joinpath(name).open("xb") as file:
        file.write(json.dumps(NOTHING).encode().ljust(SIZE))


def read(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    """What is asked, and in a line what is asked that cannot be done (empty where all of it can).

    Returns:
        {"want": "run" | "pause" | "stop", "lr": [rate, when it was asked] or None, "first": when it was asked or None},
        where "first" moves a waiting run to the front of the queue; what cannot be done is left out of it.
    """
    try:
        said = reading.parse(reading.read_bytes(folder, name, most=reading.SMALL))
    except FileNotFoundError:
        return dict(NOTHING), ""
    except OSError:
        said = None
    if not isinstance(said, dict):
        return dict(NOTHING), f"{name} holds no JSON object"
    good = typed.CONTROL(said)
    bad = [key for key in NOTHING if said.get(key) is not None and good.get(key) is None]
    asked = {**NOTHING, **{key: good[key] for key in NOTHING if good.get(key) is not None}}
    return asked, f"{name}: {bad[0]} cannot be {json.dumps(said[bad[0]])[:60]}" if bad else ""
