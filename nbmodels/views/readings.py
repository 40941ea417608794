"""A run's curves, read from its folder piece by piece and kept small, whatever the length of the run.

A long file that is seen for the first time can be looked at before it is read: some of its lines, evenly spread, and
every validation give curves in a blink, and the whole reading takes their place when it is done.
"""

from __future__ import annotations

import time
from types import NoneType
from typing import Any

from nbmodels.runs.folder import METRICS, RunFolder
from nbmodels.runs.reading import PIECE, open_file, piece, rows
from nbmodels.runs.typed import count, text
from nbmodels.views.glance import glance

KEPT = 2000  # points kept of a curve; every 200 pixels of a wide chart can show a hundred spikes
LOOKED = 1500  # places of a long file where a line is looked at
HIGHEST = 1e100  # of a value that an axis can show; what is above it is a gap, as NaN is
METRICS_MOST, NAME_MOST = 500, 200  # metrics of a run, characters of a name
BESIDES = {"step", "epoch", "time", "lr", "samples"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}

Curve = tuple[list[float], list[float | None]]  # steps, values; None where a value is no number
Split = tuple[str, str]  # ("val", "accuracy")


class Readings:
    """Every curve of a run as {name: {"train" | "val": Curve}}; `read()` takes in what was written since.

    Args:
        folder: The run's folder.
        patience: Seconds that one `read()` may take: a file that needs longer is first looked at, then read further at
            every call. None reads whatever is there.
    """

    def __init__(self, folder: RunFolder, patience: float | None = None) -> None:
        self.folder, self.patience = folder, patience
        self._whole, self._look = Curves(), None  # type: Curves, Curves | None
        self._file: tuple[int, int] | None = None  # which file was read: a run that goes on writes another one

    @property
    def curves(self) -> dict[str, dict[str, Curve]]:
        """{name: {"train" | "val": Curve}}."""
        return (self._look or self._whole).curves

    @property
    def latest(self) -> dict[str, float | None]:
        """The newest value of every metric, as `val/accuracy`."""
        return (self._look or self._whole).latest

    @property
    def exact(self) -> bool:
        """Whether everything that was there at the last `read()` has been read."""
        return self._look is None

    def read(self) -> bool:
        """Take in what is new; True when there was something."""
        try:
            seen = self.folder.file(METRICS).stat()
        except OSError:
            return False
        size, file = seen.st_size, (seen.st_dev, seen.st_ino)
        if size < self._whole.offset or (self._look and size < self._look.offset) or file != self._file:
            self._whole, self._look = Curves(), None  # a resumed run cuts what its checkpoint does not know
        self._file = file
        if self.patience is not None and not self._look and size - self._whole.offset > PIECE:
            self._look = self._glance(size)
            if self._look:
                return True
        found = self._go_on()
        if self._look:
            self._follow(self._look)
        return found

    def _go_on(self) -> bool:
        """Read on, until the end or as long as the patience lasts."""
        found, began = False, time.monotonic()
        while news := self._lines_after(self._whole.offset):
            found = True
            self._whole.take(news)
            if self._look and self._whole.offset >= self._look.offset:
                self._look = None
            if self.patience is not None and time.monotonic() - began > self.patience:
                break
        return found

    def _follow(self, look: Curves) -> None:
        """Take what was written since the look; a run that outruns the reading is looked at anew."""
        news = self._lines_after(look.offset)
        if len(news) > PIECE // 2:
            self._look = self._glance(look.offset + len(news))
        else:
            look.take(news)

    def _lines_after(self, offset: int) -> bytes:
        try:
            with open_file(self.folder.path, METRICS) as file:
                return piece(file, offset)
        except OSError:
            return b""

    def _glance(self, size: int) -> Curves | None:
        """Curves from some of the lines; None where the file went away."""
        found = Curves()
        try:
            with open_file(self.folder.path, METRICS) as file:
                lines, found.offset = glance(file, 0, size, LOOKED)
        except OSError:
            return None
        found.learn(lines)
        return found


class Curves:
    """The curves of the lines that were taken in, and where the next ones stand (`offset`, bytes)."""

    def __init__(self) -> None:
        self.curves: dict[str, dict[str, Curve]] = {}
        self.latest: dict[str, float | None] = {}
        self.offset = 0
        self._step = self._time = -1.0
        self._keys: dict[str, tuple[str, Curve] | None] = {}  # a metric's name in a line -> its latest's key, its curve

    def take(self, lines: bytes) -> None:
        """Take in the next whole lines."""
        self.offset += len(lines)
        self.learn(lines)

    def learn(self, lines: bytes) -> None:
        """Take in lines that are not all there are."""
        for row in rows(lines):
            self._take(row)
        for splits in self.curves.values():
            for steps, values in splits.values():
                if len(steps) > 2 * KEPT:
                    steps[:], values[:] = thin(steps, values, KEPT)

    def _take(self, row: dict[str, Any]) -> None:
        try:
            step = count(row.get("step"))
        except ValueError:
            return
        clock = row.get("time")
        time = clock if isinstance(clock, (int, float)) else -1.0
        if step < self._step and time <= self._time:  # a module's own validation steps count anew, its clock does not
            self._forget_after(step)
        self._step, self._time = step, time
        for key, value in row.items():
            if key in BESIDES or isinstance(value, bool) or not isinstance(value, (int, float, NoneType)):
                continue
            finite = value is not None and -HIGHEST <= value <= HIGHEST
            if key not in self._keys:
                self._keys[key] = self._curve(key)
            if known := self._keys[key]:
                name, (steps, values) = known
                steps.append(step)
                values.append(value if finite else None)
                self.latest[name] = value if finite or isinstance(value, float) else None

    def _curve(self, key: str) -> tuple[str, Curve] | None:
        if len(self._keys) >= METRICS_MOST or not (place := split_name(text(key, NAME_MOST))):
            return None
        split, name = place
        return f"{split}/{name}", self.curves.setdefault(name, {}).setdefault(split, ([], []))

    def _forget_after(self, step: float) -> None:
        for splits in self.curves.values():
            for steps, values in splits.values():
                count = sum(1 for each in steps if each < step)
                del steps[count:], values[count:]


def split_name(key: str) -> Split | None:
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
