"""The queue of this machine's runs: what is more than it carries waits its turn, in order.

A run waits as its own worker, before it opens any data: so it outlives the kernel and the server, and can be stopped.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import psutil

from nbmodels.runs import registry
from nbmodels.runs.registry import ACTIVE, WAITING, Entry

A_CORE = 2  # runs a core, unless the user says how many at once
MEMORY = 700_000_000  # bytes that must be free before one more run begins
LOOK = 0.3  # seconds between two looks at the queue


def carries(device: str) -> int:
    """The runs at once that this machine carries: NBMODELS_JOBS, else two a core, or one a GPU."""
    asked = os.environ.get("NBMODELS_JOBS", "").strip()
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    from nbmodels.runs.cores import count

    return A_CORE * count() if device == "cpu" else 1


def wait(own: Entry, asked: Callable[[], str], tell: Callable[[int, int], None]) -> bool:
    """Return when it is this worker's turn.

    Args:
        own: This worker, as it stands in the registry.
        asked: What is asked of the run now: "stop" ends the waiting, "first" moves it to the front.
        tell: Told the place in the queue and how many wait, when either changes.

    Returns:
        Whether it is its turn; False where it was stopped first.
    """
    own.state, seen = WAITING, (0, 0)
    registry.write(own)
    while True:
        with registry.deciding():
            here = registry.entries()
            if asked() == "first":
                own.order = min([entry.order for entry in here if entry.state == WAITING], default=own.order) - 1
            if asked() != "stop" and admitted(own, here):
                own.state = ACTIVE
            registry.write(own)
        if own.state == ACTIVE or asked() == "stop":
            return own.state == ACTIVE
        if (place := standing(own, here)) != seen:
            tell(*place)
            seen = place
        time.sleep(LOOK)


def admitted(own: Entry, here: list[Entry]) -> bool:
    """Whether it is this worker's turn: those before it in the queue go first, as far as they may go themselves."""
    others = [entry for entry in here if entry.device == own.device and entry.pid != own.pid]
    active = sum(entry.state == ACTIVE for entry in others)
    if active and not _memory():
        return False
    for entry in _queue(own, others):
        if active < entry.jobs:
            if entry.pid == own.pid:
                return True
            active += 1
    return False


def standing(own: Entry, here: list[Entry]) -> tuple[int, int]:
    """(place, of): where this worker stands among those that wait, from 1."""
    queue = _queue(own, [entry for entry in here if entry.pid != own.pid and entry.device == own.device])
    return [entry.pid for entry in queue].index(own.pid) + 1, len(queue)


def ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    teen = place % 100 in (11, 12, 13)
    return f"{place}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"


def _queue(own: Entry, others: list[Entry]) -> list[Entry]:
    waiting = [entry for entry in others if entry.state == WAITING]
    return sorted([*waiting, own], key=lambda entry: (entry.order, entry.pid))


def _memory() -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return psutil.virtual_memory().available > MEMORY
    return True
