"""The list of runs: a row from each status.json, kept while the file is the same, and what takes longer read aside.

A list of a thousand runs needs no YAML and no metrics: the line, the headline metric, its best value and the small
curve come from a thread of their own, living runs first, then the newest.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections import deque
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from nbmodels.errors import BigModelError
from nbmodels.runs import folder as folders
from nbmodels.runs import places
from nbmodels.runs.folder import ALIVE
from nbmodels.server.lookup import KeptFolder, Refusal, Stamp
from nbmodels.server.patience import LONG, QUICK, NotAnswering, Patience
from nbmodels.spec import NOTEBOOK, Spec
from nbmodels.views.readings import Readings, thin
from nbmodels.views.snapshot import LOWER, plain, snapshot, standing, trouble

CURVE = 32  # points of the small curve
LATER = 0.2  # seconds that the reader leaves to the answer with the list
FRESH = 1.0  # seconds for which a list will do to know who lives
LINE = 300  # characters of an error
BROKEN = (TypeError, ValueError, AttributeError, KeyError, OverflowError)  # what a foreign status.json can raise
KEYS = ("epoch", "epochs", "step", "steps", "left", "seconds", "device", "samples_per_second", "why", "queue", "cores")

Row = dict[str, Any]


class Page(KeptFolder):
    """A run as the list knows it; its samples are none of the list's business."""

    def __init__(self, place: str, path: Path, root: Path) -> None:
        super().__init__(path)
        self.id = f"{place}/{self.name}"
        self.row: Row = {}
        self.seen: Stamp = ()
        self.living, self.stale = False, True
        self._making = threading.Lock()
        self._readings: Readings | None = None
        self._status: dict[str, Any] = {}
        self._wrong: str | None = None  # with its spec.yaml
        self._figures: Row = {"metric": None, "best": None, "curve": [], "command": ""}
        folder, inside = where(path.parent, root)
        self._who = {
            "id": self.id,
            "place": place,
            "name": self.name,
            "folder": f"{folder}/{self.name}".removeprefix("./"),
            "path": None if inside is None else f"{inside}/{self.name}".removeprefix("./"),
        }

    @property
    def said(self) -> dict[str, Any]:
        """The status at the last look; the disk is not asked."""
        return self._status

    def samples(self) -> list[dict[str, Any]]:
        """None."""
        return []

    def look(self) -> None:
        """Make the row anew where status.json is another one, or its worker may have died."""
        now = self.stamp(folders.STATUS, folders.SPEC)
        if now != self.seen:
            self.seen, self._status, self.stale = now, self.status(), True
        elif not self.living:
            return
        self._make()

    def miss(self) -> None:
        """The folder does not answer: its row says so, and shows what was known of it."""
        nothing = {
            "model": "",
            "data": "",
            "title": self.name,
            **dict.fromkeys((*KEYS, "started")),
            "step": 0,
            "epoch": 0,
        }
        known = self.row or {**self._who, **nothing, **self._figures}
        self.row = {**known, "state": "lost", "error": one_line(vars(NotAnswering(self.id)))}
        self.seen, self.living = (), False  # all of it is looked at anew when it answers

    def digest(self) -> None:
        """Read the metrics and the spec: the part of the row that takes longer."""
        self.stale = False
        readings = self._readings or Readings(self, patience=0)
        readings.read()
        self._readings = readings if self.living else None
        view = snapshot(self, readings)
        self._figures = {**headline(view), "command": view["command"]}
        self._wrong = None
        try:
            self.spec()
        except BigModelError as error:
            self._wrong = one_line({"what": error.what, "hint": error.hint})
        self._make()

    def _make(self) -> None:
        with self._making:  # the list and the reader make it, each with the newest of the other's part
            try:
                self.row = {**self._who, **self._standing(), **self._figures}
            except BROKEN:
                self._status = {}  # of another version, or no status at all
                self.row = {**self._who, **self._standing(), **self._figures}
            self.living = self.row["state"] in ALIVE

    def _standing(self) -> Row:
        status = self._status
        state = str(self.state(status))
        where = standing(state, status)
        error = trouble(state, status, self.name)
        model, data = self._asked()
        return {
            "model": model.removeprefix(NOTEBOOK),
            "data": data.removeprefix(NOTEBOOK),
            "title": Spec(self.name, model, data).title if model else self.name,
            "state": state,
            "error": one_line(error) if error else self._wrong,
            **{key: where[key] for key in KEYS},
            "step": plain(where["step"]) or 0,
            "epochs": plain(where["epochs"]),
            "started": plain(status.get("started")),
        }

    def _asked(self) -> tuple[str, str]:
        """Model and data; from spec.yaml only where a status of an older version does not say them."""
        if self._status.get("model"):
            return str(self._status["model"]), str(self._status.get("data") or "")
        with contextlib.suppress(BigModelError, ValueError):
            spec = self.spec()
            return spec.model, spec.data
        return "", ""


class Walk:
    """One thread's way from page to page, and how long it has been with the one where it stands."""

    def __init__(self, todo: deque[Page]) -> None:
        self._todo, self._began = todo, time.monotonic()
        self.page: Page | None = None
        self.over = False  # others do the rest

    @property
    def rest(self) -> float:
        """Seconds that the page still has."""
        return max(0.0, self._began + QUICK - time.monotonic())

    def go(self) -> None:
        """Look at one after the other."""
        while self._todo and not self.over:
            self.page, self._began = self._todo.popleft(), time.monotonic()
            with contextlib.suppress(OSError):
                self.page.look()


class Book:
    """Every run of every place that this user has; `rows()` looks at the disk, from any thread.

    Args:
        root: The folder that the server shows.
    """

    def __init__(self, root: Path, patience: Patience | None = None) -> None:
        self._root, self._patience = root, patience or Patience()
        self._pages: dict[str, Page] = {}
        self._looked = -FRESH
        self._looking, self._work = threading.Lock(), threading.Event()
        self._reader: threading.Thread | None = None

    def rows(self) -> list[Row]:
        """Every run's row, the newest first."""
        return [page.row for page in self.pages()]

    def row(self, place: str, name: str) -> Row:
        """One run's row as it is now; Refusal 404 where there is none."""
        for page in self.pages():
            if page.id == f"{place}/{name}":
                return page.row
        raise Refusal(404, f"There is no run {name!r}", "It was renamed or deleted.")

    def living(self) -> list[Page]:
        """The runs with a worker behind them, as of a second ago at most."""
        pages = self.pages() if time.monotonic() - self._looked > FRESH else list(self._pages.values())
        return [page for page in pages if page.living]

    def pages(self) -> list[Page]:
        """Look at every folder; what takes longer is begun and not waited for, and so is what does not answer."""
        with self._looking:
            found: dict[str, Page] = {}
            for place, root in places.noted().items():
                found |= self._pages_of(place, root)
            self._pages, self._looked = found, time.monotonic()
            self._read_aside()
        return sorted(found.values(), key=_made, reverse=True)

    def _pages_of(self, place: str, root: Path) -> dict[str, Page]:
        try:
            names = self._patience.look(place, _folders, root, seconds=QUICK)
        except OSError:
            return {}
        except NotAnswering:  # the whole place: as far as it was known
            names = [page.name for page in self._pages.values() if page.id.startswith(f"{place}/")]
        pages = [self._pages.get(f"{place}/{name}") or Page(place, root / name, self._root) for name in names]
        missed = self._look_at(deque(page for page in pages if not self._patience.silent(page.id)))
        for page in pages:
            if page.id in missed or self._patience.silent(page.id):
                page.miss()
        return {page.id: page for page in pages if page.row and (page.seen == () or page.seen[1] is not None)}

    def _look_at(self, todo: deque[Page]) -> set[str]:
        """Look at pages one after the other, in one thread as long as all answer; the ids of those that do not."""
        missed: set[str] = set()
        while todo:
            walk = Walk(todo)
            try:
                answer = self._patience.begin(todo[0].id, walk.go)
            except NotAnswering:  # too many of this place are waited for already
                return {*missed, *(page.id for page in todo)}
            while not wait([answer], max(walk.rest, 0.01)).done:
                if walk.rest <= 0 and walk.page is not None:
                    walk.over = True
                    self._patience.leave(walk.page.id, answer)
                    missed.add(walk.page.id)
                    break
        return missed

    def _read_aside(self) -> None:
        if any(page.stale for page in self._pages.values()):
            self._work.set()
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="nbmodels-rows", daemon=True)
                self._reader.start()

    def _read(self) -> None:
        """Digest what is stale, as long as the server lives; half of the time it leaves to others."""
        while self._work.wait():
            self._work.clear()
            time.sleep(LATER)
            while stale := [page for page in self._pages.values() if page.stale]:
                page, began = max(stale, key=lambda page: (page.living, _made(page))), time.monotonic()
                with contextlib.suppress(OSError, BigModelError, *BROKEN):
                    self._patience.look(page.id, page.digest, seconds=LONG)
                time.sleep(min(1.0, time.monotonic() - began))


def headline(view: dict[str, Any]) -> Row:
    """The metric a run is judged by, its best value, and its curve in a few points."""
    metric = view["metric"]
    splits = view["series"].get(metric) or {}
    steps, values = splits.get("val") or splits.get("train") or ([], [])
    known = [value for value in values if value is not None]
    better = min if any(word in (metric or "") for word in LOWER) else max
    return {"metric": metric, "best": better(known) if known else None, "curve": thin(steps, values, CURVE)[1]}


def one_line(error: dict[str, str]) -> str:
    """What went wrong and what to do, in one line."""
    what, hint = (" ".join(error[key].split())[:LINE] for key in ("what", "hint"))
    return f"{what}{'' if what.endswith(('.', '!', '?')) else '.'} {hint}".strip()


@functools.lru_cache(64)
def where(place: Path, root: Path) -> tuple[str, str | None]:
    """A folder as people say it, and as the Lab's file browser can open it (None where it cannot)."""
    if place.is_relative_to(root):
        inside = place.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in place.relative_to(root).parts)
        return inside, None if hidden else inside
    home = Path.home()
    return f"~/{place.relative_to(home).as_posix()}" if place.is_relative_to(home) else str(place), None


def _folders(root: Path) -> list[str]:
    with os.scandir(root) as found:
        return [each.name for each in found if folders.NAME.fullmatch(each.name) and each.is_dir()]


def _made(page: Page) -> float:
    started = page.row.get("started")
    written = page.seen[1][0] / 1e9 if page.seen and page.seen[1] else 0.0
    return started if isinstance(started, (int, float)) else written
