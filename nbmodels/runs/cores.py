"""The cores of this machine, shared: by the runs of this user, and with whatever else is busy here.

Two runs whose threads spin for each other on the same cores take a hundred times as long (OpenMP's threads wait by
spinning); with a thread each they do more together than one run alone. So every worker takes its share of the cores,
looks again every second, and changes between two steps.
"""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

import psutil

from nbmodels.runs import registry
from nbmodels.runs.registry import Entry

PERIOD = 1.0  # seconds between two looks
SLACK = 0.6  # of a core that others may take before a run gives one up: a page and a kernel are no rivals
BUSY = 2  # looks in a row that others must be busy, or gone, before a run believes it


@functools.cache
def count() -> int:
    """The cores that this process may use: its affinity, its container's limit and OMP_NUM_THREADS counted."""
    from joblib import cpu_count

    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    cores = max(1, int(cpu_count()))
    return min(cores, int(asked)) if asked.isdigit() and int(asked) > 0 else cores


def share(own: Entry, others: list[Entry], cores: int) -> int:
    """The threads that one worker takes of `cores`: what is left by those with a fixed number, in even parts.

    A run on a GPU needs one core; one that waits or is paused needs none.
    """
    at_work = [entry for entry in others if entry.state == registry.ACTIVE and entry.pid != own.pid]
    taken = sum(_needs(entry) for entry in at_work)
    rivals = [entry for entry in [*at_work, own] if entry.threads is None and entry.device == "cpu"]
    left = max(cores - taken, len(rivals))
    if own not in rivals:
        return own.threads or 1
    place = sorted((entry.order, entry.pid) for entry in rivals).index((own.order, own.pid))
    return max(1, left // len(rivals) + (place < left % len(rivals)))


def _needs(entry: Entry) -> int:
    return entry.threads or (0 if entry.device == "cpu" else 1)


class Share:
    """One worker's threads, as many as are its share now.

    Attributes:
        threads: How many it should take; None until the first look, and where it computes on another device.
    """

    def __init__(self, folder: Path) -> None:
        self.entry, self.threads = registry.me(folder), None  # type: Entry, int | None
        self._rivals, self._runs = Rivals(), 0

    def enter(self) -> None:
        """Be seen by the others."""
        registry.write(self.entry)

    def leave(self) -> None:
        """Be seen no more."""
        registry.remove(self.entry)

    def state(self, state: str) -> None:
        """What the run does now: a paused one takes no core."""
        known = registry.PAUSED if state in ("paused", "waiting") else registry.ACTIVE
        if self.entry.state not in (known, registry.WAITING):  # whose turn it is, the queue says
            self.entry.state = known
            registry.write(self.entry)

    def look(self) -> int:
        """The threads to take now."""
        here = [entry for entry in registry.entries() if entry.pid != self.entry.pid]
        at_work = [entry for entry in here if entry.state == registry.ACTIVE]
        cores = count()
        fewer = self._rivals.look([self.entry.pid, *(entry.pid for entry in here)], cores)
        self._runs = len(at_work)
        self.threads = share(self.entry, at_work, max(1, cores - fewer))
        return self.threads

    def words(self) -> dict[str, Any] | None:
        """{"threads", "cores", "runs"} while so many runs share the cores, "busy" where others do; else None."""
        if self.threads is None or self.entry.device != "cpu" or self.entry.state != registry.ACTIVE:
            return None
        busy = self.entry.threads is None and not self._runs and self.threads < count()
        if not self._runs and not busy:
            return None
        return {"threads": self.threads, "cores": count(), "runs": self._runs, **({"busy": True} if busy else {})}


class Rivals:
    """How many cores others than our runs keep busy, from one look to the next."""

    def __init__(self) -> None:
        self._last: tuple[float, float, float] | None = None
        self._signs = 0
        self.fewer = 0  # cores given up to others

    def look(self, own: list[int], cores: int) -> int:
        """Cores to leave to others now; changes only when it was seen several times in a row.

        Args:
            own: The pids of this user's workers: what they use is shared already.
            cores: Cores that this process may use.
        """
        now = (time.monotonic(), _busy(), sum(map(_used, own)))
        last, self._last = self._last, now
        if last is None or now[0] <= last[0]:
            return self.fewer
        rival = ((now[1] - last[1]) - max(0.0, now[2] - last[2])) / (now[0] - last[0])
        room = (psutil.cpu_count() or cores) - max(0.0, rival)
        wanted = cores - max(1, min(cores, int(room + SLACK)))
        self._signs = self._signs + 1 if wanted != self.fewer else 0
        if self._signs >= BUSY:
            self.fewer, self._signs = wanted, 0
        return self.fewer


def _busy() -> float:
    """Seconds of work that the whole machine has done."""
    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))


def _used(pid: int) -> float:
    """Seconds of work of a process; nothing of one that has ended."""
    try:
        used = psutil.Process(pid).cpu_times()
        return used.user + used.system
    except psutil.Error:
        return 0.0
