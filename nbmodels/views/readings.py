"""A run's curves, read from its folder piece by piece and kept small, whatever the length of the run."""

from __future__ import annotations

import math
from typing import Any

from nbmodels.runs.folder import METRICS, RunFolder
from nbmodels.runs.json_file import rows

KEPT = 2000  # points kept of a curve; every 200 pixels of a wide chart can show a hundred spikes
PIECE = 4_000_000  # bytes read at once
BESIDES = {"step", "epoch", "time", "lr"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}

Curve = tuple[list[float], list[float | None]]  # steps, values; None where a value is no number


class Readings:
    """Every curve of a run as {name: {"train" | "val": Curve}}; `read()` takes in what was written since."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._reset()

    def read(self) -> bool:
        """Take in what is new; True when there was something."""
        found = False
        while piece := self._new_lines():
            found = True
            for row in rows(piece):
                self._take(row)
            self._shorten()
        return found

    def _reset(self) -> None:
        self.curves: dict[str, dict[str, Curve]] = {}
        self.latest: dict[str, float] = {}
        self._offset, self._step = 0, -1.0

    def _new_lines(self) -> bytes:
        """The next whole lines, a few megabytes at most; a line still being written waits."""
        file = self.folder.file(METRICS)
        try:
            if file.stat().st_size < self._offset:  # a resumed run cuts what its checkpoint does not know
                self._reset()
            with file.open("rb") as opened:
                opened.seek(self._offset)
                piece = opened.read(PIECE)
        except OSError:
            return b""
        whole = piece.rfind(b"\n") + 1
        self._offset += whole
        return piece[:whole]

    def _shorten(self) -> None:
        for splits in self.curves.values():
            for split, (steps, values) in splits.items():
                if len(steps) > 2 * KEPT:
                    splits[split] = thin(steps, values, KEPT)

    def _take(self, row: dict[str, Any]) -> None:
        step = row.get("step")
        if not isinstance(step, (int, float)):
            return
        if step < self._step:
            self._forget_after(step)
        self._step = step
        for key, value in row.items():
            if key not in BESIDES and isinstance(value, (int, float)) and (place := split_name(key)):
                split, name = place
                steps, values = self.curves.setdefault(name, {}).setdefault(split, ([], []))
                steps.append(step)
                values.append(value if math.isfinite(value) else None)
                self.latest[f"{split}/{name}"] = value

    def _forget_after(self, step: float) -> None:
        for splits in self.curves.values():
            for split, (steps, values) in splits.items():
                count = sum(1 for each in steps if each < step)
                splits[split] = (steps[:count], values[:count])


def split_name(key: str) -> tuple[str, str] | None:
    """("val", "accuracy") of `val/accuracy`, `val_accuracy` or `accuracy` (train); None for test figures."""
    for mark in ("/", "_"):
        head, _, name = key.partition(mark)
        if name and head.lower() in SPLITS:
            return SPLITS[head.lower()], name
        if name and head.lower() == "test":
            return None
    return "train", key


def thin(steps: list[float], values: list[float | None], most: int) -> Curve:
    """At most `most` points of a curve: its ends, and the lowest and highest of each stretch of steps between them.

    Stretches are equal in steps, not in points, so a curve that was thinned before stays as dense everywhere.
    """
    if len(steps) <= most:
        return steps, values
    stretches = max(1, (most - 2) // 2)
    first, width = steps[0], (steps[-1] - steps[0]) / stretches or 1
    found: dict[int, list[int]] = {}
    for place in range(1, len(steps) - 1):
        found.setdefault(min(int((steps[place] - first) / width), stretches - 1), []).append(place)
    kept = {0, len(steps) - 1}
    for places in found.values():
        kept.update(_ends(places, values))
    order = sorted(kept)
    return [steps[place] for place in order], [values[place] for place in order]


def _ends(places: list[int], values: list[float | None]) -> tuple[int, ...]:
    """Where the lowest and the highest value is; a stretch without a number stays a gap."""
    known = [(value, place) for place in places if (value := values[place]) is not None]
    return (min(known)[1], max(known)[1]) if known else (places[0],)
