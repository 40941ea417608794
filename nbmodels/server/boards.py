"""TensorBoards on demand: started when a tab asks, ended when nobody looks any more, never shown when stale."""

from __future__ import annotations

import importlib.util
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from nbmodels.errors import MissingExtra
from nbmodels.runs import places
from nbmodels.runs.folder import runs_root
from nbmodels.server.lookup import Refusal, find_id
from nbmodels.views import board

IDLE = 300.0  # seconds without a ping; a tab in the background pings once a minute at best
SWEEP = 15.0  # seconds between two looks


@dataclass
class Shown:
    """A TensorBoard in some tab."""

    folder: Path
    inode: int  # of the folder: another one of the same name is other runs
    port: int
    pinged: float


class Boards:
    """The TensorBoards of this server, from any thread; one a folder."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self._changing = threading.Lock()
        self._sweeper: threading.Thread | None = None

    def open(self, run: str | None, place: str | None) -> dict[str, str]:
        """A TensorBoard on a run, a place, or this server's own place: where it is, and the key to ping it with."""
        if importlib.util.find_spec("jupyter_server_proxy") is None:
            raise MissingExtra("Showing TensorBoard in a page", "lab")
        folder = find_id(run).path if run else _place(place)
        if not folder.is_dir():
            raise Refusal(404, "There is no run here yet", "Type: %bigmodel train cnn")
        with self._changing:
            self._end_stale()
            for key, shown in self._shown.items():
                if shown.folder == folder:
                    shown.pinged = time.monotonic()
                    return {"path": f"proxy/{shown.port}/", "key": key}
            port, key = board.port(folder), uuid.uuid4().hex
            self._shown[key] = Shown(folder, folder.stat().st_ino, port, time.monotonic())
            self._watch()
            return {"path": f"proxy/{port}/", "key": key}

    def ping(self, key: str) -> None:
        """Somebody looks at it; Refusal 404 when it is gone."""
        with self._changing:
            self._end_stale()
            if key not in self._shown:
                raise Refusal(404, "This TensorBoard has ended", "Open it again.")
            self._shown[key].pinged = time.monotonic()

    def _end_stale(self) -> None:
        for key, shown in list(self._shown.items()):
            idle = time.monotonic() - shown.pinged > IDLE
            if idle or not _same(shown) or board.running(shown.folder) != shown.port:
                board.end(shown.folder)
                del self._shown[key]

    def _watch(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweep, name="nbmodels-boards", daemon=True)
            self._sweeper.start()

    def _sweep(self) -> None:
        while True:
            time.sleep(SWEEP)
            with self._changing:
                self._end_stale()


def _same(shown: Shown) -> bool:
    try:
        return shown.folder.stat().st_ino == shown.inode
    except OSError:
        return False


def _place(place: str | None) -> Path:
    if place is None:
        return runs_root()
    if root := places.root_of(place):
        return root
    raise Refusal(404, "There is no such folder of runs", "It was moved, or belongs to another user.")
