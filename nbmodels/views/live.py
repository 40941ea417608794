"""The live face of a run: an anywidget that draws the snapshot, and a thread that looks at the folder for it.

Imported only when a run is shown: it needs ipywidgets and anywidget, nothing else of ours does.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nbmodels.errors import BigModelError, RunError
from nbmodels.runs.folder import ALIVE
from nbmodels.runs.run import Run
from nbmodels.runs.trust import Untrusted
from nbmodels.views.comms import hear
from nbmodels.views.readings import Readings
from nbmodels.views.snapshot import snapshot

STATIC = Path(__file__).parent / "static"
PERIOD = 0.2  # seconds between two looks: no eye follows more than five pictures a second
BEAT = 3  # seconds
REST = 1.0  # seconds between two looks at a run that stands still


def asset(name: str) -> str:
    """A file of the front end's bundle; RunError says how to build it where it is not there."""
    try:
        return STATIC.joinpath(name).read_text("utf-8")
    except OSError:
        raise RunError(
            f"The live view is not built (no {name} in nbmodels/views/static)",
            "In a checkout type: pip install -e .   or, with Node: cd extension && npm ci && npm run build",
        ) from None


class LiveView(anywidget.AnyWidget):
    """A run as it is now, with its buttons.

    Traits:
        view: The snapshot without its samples.
        samples: The snapshot's samples; apart, so that pictures travel once and not five times a second.
        lang: `en`, `zh`, or empty for the page's own.

    Messages in: {"do": "stop" | "pause" | "resume" | "first" | "lr", "value": number, "trust": bool};
    out: {"error": one line}, with "trust": true where the same message with "trust": true would do.
    """

    _esm = traitlets.Unicode("").tag(sync=True)  # filled in __init__: importing this file needs no built bundle
    _css = traitlets.Unicode("").tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    samples: Any = traitlets.List().tag(sync=True)
    lang = traitlets.Unicode("").tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)  # moves while the kernel lives: a page cannot see otherwise that it died

    def __init__(self, run: Run, lang: str = "", on_end: Callable[[dict[str, Any]], None] | None = None) -> None:
        self._run, self._on_end, self._readings = run, on_end, Readings(run.folder)
        self._watching, self._looking, self._closed = threading.Lock(), threading.Lock(), threading.Event()
        first = snapshot(run.folder, self._readings)
        samples = first.pop("samples")
        super().__init__(view=first, samples=samples, lang=lang, _esm=asset("live.js"), _css=asset("live.css"))
        self.on_msg(self._asked)
        hear(self)
        self.watch()

    def __repr__(self) -> str:
        return f"<LiveView {self._run.name}: {self.view.get('state')}>"

    def watch(self) -> None:
        """Follow the folder from a thread until the run has ended; does nothing where one follows already."""
        if self.view["state"] in ALIVE and self._watching.acquire(blocking=False):
            threading.Thread(target=self._watch, name=f"watch-{self._run.name}", daemon=True).start()

    def close(self) -> None:
        """Stop following, and take the view off the page."""
        self._closed.set()
        super().close()

    def _watch(self) -> None:
        try:
            while not self._closed.wait(REST if self.view["state"] in ("paused", "waiting") else PERIOD):
                self._look()
                self.beat = int(time.time()) // BEAT
                if self.view["state"] not in ALIVE:
                    break
        finally:
            self._watching.release()
        if self._on_end and not self._closed.is_set():
            with contextlib.suppress(Exception):  # a kernel on its way out takes no more output; a thread never prints
                self._on_end({**self.view, "samples": self.samples})

    def _look(self) -> None:
        """Send what changed, in one message; a folder that is gone or a page that left is no matter."""
        with contextlib.suppress(OSError, ValueError, BigModelError), self._looking:
            seen = snapshot(self._run.folder, self._readings)
            samples = seen.pop("samples")
            with self.hold_sync():
                self.view, self.samples = seen, samples

    def _asked(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """A button was pressed: may come in any thread, so it only writes what is asked into the folder."""
        try:
            self._do(content.get("do"), content.get("value"), content.get("trust") is True)
        except Untrusted as error:
            self.send({"error": str(error), "trust": True})
        except (BigModelError, OSError, ValueError, TypeError) as error:
            self.send({"error": str(error)})

    def _stop(self) -> None:
        """In a thread of its own: a step that does not end is waited for before it is ended by force."""
        try:
            self._run.stop()
        except (BigModelError, OSError) as error:
            self.send({"error": str(error)})

    def _do(self, what: Any, value: Any, trust: bool = False) -> None:
        if what == "stop":
            threading.Thread(target=self._stop, name=f"stop-{self._run.name}", daemon=True).start()
        elif what == "pause":
            self._run.pause()
        elif what == "resume":
            (self._run.trust() if trust else self._run).resume()
            self._look()
            self.watch()
        elif what == "first":
            self._run.first()
            self._look()
        elif what == "lr":
            self._run.set_lr(float(value))
