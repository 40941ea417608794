"""The worker's pulse: one thread that writes the heartbeat and reads what is asked, five times a second."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

import psutil

from nbmodels.runs.folder import CONTROL, RunFolder, process_started

PERIOD = 0.2  # seconds; the viewers draw no faster
HEARTBEAT = 1.0  # seconds between writes when nothing changed


class Pulse:
    """Shared between the training thread, which calls `tell`, and the pulse's own, which writes.

    Attributes:
        want: "run", "pause" or "stop", as control.json says now.
        lr: (the learning rate asked for last, when it was asked), or None.
        woken: Set when something was asked, so a paused run wakes at once.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.want, self.woken = folder, "run", threading.Event()
        self.lr: tuple[float, float] | None = None
        self._status: dict[str, Any] = {}
        self._changed, self._written, self._control_seen = False, 0.0, -1
        self._lock, self._over = threading.Lock(), threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self) -> None:
        """Write who works here, then beat until `end`."""
        pid = os.getpid()
        self._status = self.folder.status()
        self._read_control()
        self.tell(pid=pid, process_started=process_started(pid), host=socket.gethostname(), error=None)
        self.write()
        self._thread.start()

    def tell(self, **changes: Any) -> None:
        """Change the status; it reaches the file at the next beat."""
        with self._lock:
            self._status.update(changes)
            self._changed = True

    def get(self, key: str, default: Any = None) -> Any:
        """What the status says now."""
        return self._status.get(key, default)

    def write(self) -> None:
        """Put the status in the file now."""
        with self._lock:
            now = time.time()
            memory = {**self._status.get("memory", {}), "process": self._process.memory_info().rss}
            self._status.update(heartbeat=now, memory=memory)
            self._changed, self._written = False, now
            self.folder.write_status(**self._status)

    def end(self, **changes: Any) -> None:
        """The last word of the run: nothing is written after it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.tell(**changes)
        self.write()

    def _beat(self) -> None:
        while not self._over.wait(PERIOD):
            self._read_control()
            if self._changed or time.time() - self._written > HEARTBEAT:
                with contextlib.suppress(OSError):  # a full disk must not end the training; the next beat may pass
                    self.write()

    def _read_control(self) -> None:
        try:
            seen = self.folder.file(CONTROL).stat().st_mtime_ns
        except OSError:
            return
        if seen != self._control_seen:
            self._control_seen = seen
            asked = self.folder.control()
            self.want, self.lr = asked["want"], tuple(asked["lr"]) if asked["lr"] else None
            self.woken.set()
