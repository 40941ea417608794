"""Single runs, as their cards draw them: the snapshot is made anew only when something in the folder has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from nbmodels.errors import BigModelError
from nbmodels.runs import folder as folders
from nbmodels.server.lookup import KeptFolder, find_id, unreadable
from nbmodels.server.rows import BROKEN
from nbmodels.views.readings import Readings
from nbmodels.views.snapshot import snapshot

KEPT = 48  # runs whose curves are kept in memory
PATIENCE = 0.1  # seconds of reading at one look: a long run is whole after a few dozen of them
WATCHED = (folders.STATUS, folders.METRICS, folders.SPEC, f"{folders.SAMPLES}/index.jsonl")


class View:
    """One run: `look()` gives its snapshot without samples, and the samples; the same objects while nothing changed."""

    def __init__(self, folder: KeptFolder) -> None:
        self._folder, self._readings = folder, Readings(folder, PATIENCE)
        self._looking = threading.Lock()
        self._seen: Any = None
        self._view: dict[str, Any] = {}
        self._samples: list[dict[str, Any]] = []

    def look(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Where the run stands now; RunError for a folder that this version cannot read."""
        with self._looking:
            try:
                # The state too: a worker that died changes no file.
                now = (self._folder.stamp(*WATCHED), self._folder.state())
                if now != self._seen or not self._readings.exact:
                    view = snapshot(self._folder, self._readings)
                    samples = view.pop("samples")
                    self._view = view if view != self._view else self._view
                    self._samples = samples if samples != self._samples else self._samples
                    self._seen = now
            except BigModelError:
                raise
            except BROKEN as error:
                raise unreadable(self._folder, error) from None
            return self._view, self._samples


class Views:
    """The runs that were looked at last, from any thread."""

    def __init__(self) -> None:
        self._views: OrderedDict[str, tuple[tuple[int, Any], View]] = OrderedDict()
        self._keeping = threading.Lock()

    def look(self, run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The snapshot without samples, and the samples, of `PLACE/NAME`; Refusal or InputError where there is none."""
        folder = find_id(run)
        # Another run may have taken the name since.
        same = (folder.path.stat().st_ino, folder.status().get("started"))
        with self._keeping:
            known = self._views.get(run)
            view = known[1] if known and known[0] == same else View(folder)
            self._views[run] = (same, view)
            self._views.move_to_end(run)
            while len(self._views) > KEPT:
                self._views.popitem(last=False)
        return view.look()
