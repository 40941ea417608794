"""A run's curves, read from its folder piece by piece and kept small, whatever the length of the run."""

from __future__ import annotations

import math
from typing import Any

from nbmodels.runs.folder import METRICS, RunFolder

KEPT = 2000  # points kept of a curve; every 200 pixels of a wide chart can show a hundred spikes
BESIDES = {"step", "epoch", "time", "lr"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}

Curve = tuple[list[float], list[float | None]]  # steps, values; None where a value is no number


class Readings:
    """Every curve of a run as {name: {"train" | "val": Curve}}; `read()` takes in what was written since."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.curves: dict[str, dict[str, Curve]] = {}
        self.latest: dict[str, float] = {}
        self._offset, self._partial, self._step = 0, b"", -1.0

    def read(self) -> bool:
        """Take in what is new; True when there was something."""
        rows = self._new_rows()
        for row in rows:
            self._take(row)
        for splits in self.curves.values():
            for split, (steps, values) in splits.items():
                if len(steps) > 2 * KEPT:
                    splits[split] = thin(steps, values, KEPT)
        return bool(rows)

    def _new_rows(self) -> list[dict[str, Any]]:
        file = self.folder.file(METRICS)
        try:
            size = file.stat().st_size
        except OSError:
            size = 0
        if size < self._offset:  # a resumed run cuts what its checkpoint does not know
            self.__init__(self.folder)  # type: ignore[misc]
        if size == self._offset:
            return []
        rows, self._offset = self.folder.readings(self._offset)
        return rows

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
    """At most `most` points of a curve: its ends, and the lowest and highest of each stretch between them."""
    if len(steps) <= most:
        return steps, values
    inner, stretches = len(steps) - 2, max(1, (most - 2) // 2)
    kept = {0, len(steps) - 1}
    for stretch in range(stretches):
        places = range(1 + stretch * inner // stretches, 1 + (stretch + 1) * inner // stretches)
        known = [place for place in places if values[place] is not None]
        if known:
            kept.update((min(known, key=values.__getitem__), max(known, key=values.__getitem__)))  # type: ignore[arg-type]
        elif places:
            kept.add(places[0])  # a gap stays a gap
    order = sorted(kept)
    return [steps[place] for place in order], [values[place] for place in order]
