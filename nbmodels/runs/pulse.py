"""The worker's pulse: one thread that writes the heartbeat and reads what is asked, five times a second.

Once a second it also looks whether the folder is where it was, and how many cores are this run's share.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import psutil

from nbmodels.runs import control_file, json_file, registry
from nbmodels.runs.cores import Share
from nbmodels.runs.folder import CONTROL, STATUS, RunFolder
from nbmodels.runs.folder_watch import DELETED, MOVED, FolderWatch
from nbmodels.runs.process import clock, process_started

PERIOD = 0.2  # seconds; the viewers draw no faster
HEARTBEAT = 1.0  # seconds between writes when nothing changed
GRACE = 6.0  # seconds that a step may take after the system has told the worker to end: docker stop kills after ten
BY_SYSTEM, MOVED_AWAY, DELETED_AWAY = "stopped by the system", "the folder was moved", "the folder was deleted"


class Pulse:
    """Shared between the training thread, which calls `tell`, and the pulse's own, which writes.

    Attributes:
        want: "run", "pause" or "stop", as control.json says now, or as the system has told.
        lr: (the learning rate asked for last, when it was asked), or None.
        first: When the run was asked to be the first of the queue, or None.
        share: The cores that this run takes.
        gone: Whether the folder is: then there is nothing to write to.
        woken: Set when something was asked, so a paused run wakes at once.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.woken = folder, threading.Event()
        self.lr: tuple[float, float] | None = None
        self.first: float | None = None
        self.share, self.gone = Share(folder.path), False
        self._asked, self._why = "run", ""
        self._status: dict[str, Any] = {}
        self._changed, self._written, self._control_seen, self._looked = False, 0.0, -1, 0.0
        self._told_at: float | None = None
        self._lock, self._over = threading.Lock(), threading.Event()
        self._process, self._watch = psutil.Process(), FolderWatch(folder.path)
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self.interrupt: Callable[[], None] = lambda: None  # has the main thread leave a step that does not end

    @property
    def want(self) -> str:
        """What is asked; once the system, or a folder that is gone, has ended the run, nothing else counts."""
        return "stop" if self._why else self._asked

    @want.setter
    def want(self, asked: str) -> None:
        self._asked = asked

    @property
    def why(self) -> str:
        """Why the run ends, where nobody asked for it by hand."""
        return self._why

    def start(self, **status: Any) -> None:
        """Write who works here, then beat until `end`."""
        pid = os.getpid()
        self._status = self.folder.status()
        control_file.prepare(self.folder.path, CONTROL)
        self._read_control()
        who = {"pid": pid, "process_started": process_started(pid), "host": socket.gethostname()}
        self.tell(**who, error=None, why="", queue=None, cores=None, **status)
        self.share.enter()
        self.write()
        self._thread.start()

    def tell(self, **changes: Any) -> None:
        """Change the status; it reaches the file at the next beat."""
        with self._lock:
            self._status.update(changes)
            self._changed = True
        if "state" in changes:
            self.share.state(changes["state"])

    def get(self, key: str, default: Any = None) -> Any:
        """What the status says now."""
        return self._status.get(key, default)

    def write(self) -> None:
        """Put the status in the file now; a disk that takes nothing is tried again at the next beat."""
        with self._lock:
            memory = {**self._status.get("memory", {}), "process": self._process.memory_info().rss}
            self._status.update(memory=memory, **clock())
            self._changed, self._written = False, time.monotonic()
            status = {**self.folder.status(), **self._status}
        if self.gone:
            return
        try:
            json_file.put_json(self.folder.file(STATUS), status)
        except OSError:
            self._changed = True

    def end(self, **changes: Any) -> None:
        """The last word of the run: nothing is written after it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.tell(**changes, cores=None, queue=None)
        self.write()
        self.share.leave()

    def end_by_system(self) -> None:
        """The system has told the worker to end."""
        self._end(BY_SYSTEM)

    def watch_folder(self) -> None:
        """Look whether the folder is where it was; one that was moved or deleted ends the run."""
        found = self._watch.look()
        if found == MOVED and self._watch.moved_to:
            self.folder.path = self._watch.moved_to  # what is still to be said is said there
            print(f"The folder was moved to {self.folder.path}: the training ends.", flush=True)
            self._end(MOVED_AWAY)
        elif found == DELETED:
            self.gone = True
            self._end(DELETED_AWAY)

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._told_at = self._told_at or time.monotonic()
        self.woken.set()

    def _beat(self) -> None:
        """A beat that fails says so in the log, and the next one comes."""
        said = ""
        while not self._over.wait(PERIOD):
            try:
                self._look()
            except Exception:
                if (text := traceback.format_exc()) != said:
                    print(text, flush=True)
                said = text

    def _look(self) -> None:
        self._read_control()
        now = time.monotonic()
        if now - self._looked > HEARTBEAT:
            self._looked = now
            self.watch_folder()
            if self.share.entry.state != registry.WAITING:
                self.share.look()
            if (cores := self.share.words()) != self.get("cores"):
                self.tell(cores=cores)
        if self._changed or now - self._written > HEARTBEAT:
            self.write()
        if self._told_at and now - self._told_at > GRACE:
            self._told_at = None
            self.interrupt()

    def _read_control(self) -> None:
        try:
            seen = self.folder.file(CONTROL).stat().st_mtime_ns
        except OSError:
            return
        if seen == self._control_seen:
            return
        self._control_seen = seen
        asked, bad = control_file.read(self.folder.path, CONTROL)
        if bad:
            print(f"{bad}: it is passed over.", flush=True)
        self._asked, self.lr, self.first = asked["want"], tuple(asked["lr"]) if asked["lr"] else None, asked["first"]
        self.woken.set()
