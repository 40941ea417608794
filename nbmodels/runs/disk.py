"""A disk that takes nothing: the training is held at its step until there is room, and nothing of it is lost."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from nbmodels.runs.pulse import Pulse
from nbmodels.runs.signals import StopNow

FULL, LOCKED, AWAY = "the disk is full", "the folder cannot be written", "the folder cannot be reached"
_TROUBLES = {
    FULL: (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)),
    LOCKED: (errno.EROFS, errno.EACCES, errno.EPERM),
    AWAY: (errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ENODEV, getattr(errno, "ESTALE", errno.EIO)),
}
ROOM = 256_000  # bytes that must be free before event files are written: their writer is a thread that dies of less
NEEDED = 64_000  # bytes that a folder must take before a worker is started on it
LOOK = 0.5  # seconds between two tries

T = TypeVar("T")


def check_room(folder: Path) -> None:
    """OSError where a folder takes no more files: no worker need be started on it."""
    probe = folder / f".room.{os.getpid()}-{threading.get_ident()}.part"
    try:
        probe.write_bytes(bytes(NEEDED))
    finally:
        probe.unlink(missing_ok=True)


def trouble(error: BaseException) -> str:
    """What is wrong with the disk, in words; empty where it is something else."""
    for cause in causes(error):
        for what, numbers in _TROUBLES.items():
            if isinstance(cause, OSError) and cause.errno in numbers:
                return what
    return ""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of, each once: torch hides a full disk behind an error of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


class Disk:
    """Writes to the run's folder, and holds the training where that cannot be.

    Args:
        pulse: Tells that the run waits, and why; ends the waiting when the run is to stop.
        folder: The run's folder.
    """

    def __init__(self, pulse: Pulse, folder: Path) -> None:
        self.pulse, self.folder, self.held_seconds = pulse, folder, 0.0

    def write(self, work: Callable[[], T]) -> T:
        """What `work` gives, tried again until the disk takes it; StopNow when the run is to stop meanwhile."""
        began, state = time.monotonic(), self.pulse.get("state")
        while True:
            try:
                made = work()
            except (OSError, RuntimeError) as error:
                if not (why := trouble(error)):
                    raise
                if self.pulse.want == "stop":
                    raise StopNow from None
                self.pulse.tell(state="waiting", why=why)
                time.sleep(LOOK)
                continue
            if self.pulse.get("state") == "waiting":
                self.pulse.tell(state=state, why="")
                self.held_seconds += time.monotonic() - began
            return made

    def room(self) -> None:
        """Return when there is room for what the event files take."""
        self.write(self._check)

    def _check(self) -> None:
        if hasattr(os, "statvfs"):
            free = os.statvfs(self.folder)
            if free.f_bavail * free.f_frsize < ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
