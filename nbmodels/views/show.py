"""A run in the output of the cell that made it: live while somebody is there to see it, static when it has ended."""

from __future__ import annotations

import sys
import threading
import uuid
from typing import Any

from nbmodels.errors import RunError
from nbmodels.runs.attended import attended
from nbmodels.runs.folder import ALIVE
from nbmodels.runs.run import Run
from nbmodels.views import report
from nbmodels.views.snapshot import snapshot

WIDGET = "application/vnd.jupyter.widget-view+json"

_shown: dict[str, int] = {}  # the run's folder -> the execution that showed it last


def show(run: Run) -> None:
    """Display a run in the current cell; a second time in the same execution does nothing.

    In a page the output is live and becomes the static one when the run ends. Where nobody is there it is the static
    one at once; in a terminal it is plain text.
    """
    if _seen(run):
        return
    view = snapshot(run.folder)
    if not _notebook():
        sys.stdout.write(report.text(view) + "\n")
    elif attended() and view["state"] in ALIVE:
        try:
            _show_live(run)
        except RunError as error:  # the view is not built: the run goes on, and its handle is not lost for that
            _display(report.bundle(view))
            sys.stderr.write(f"{error}\n")
    else:
        _display(report.bundle(view))


def _show_live(run: Run) -> None:
    from nbmodels.views.live import LiveView

    name, shown = "nbmodels-" + uuid.uuid4().hex, threading.Event()

    def end(view: dict[str, Any]) -> None:
        shown.wait(10)  # a run may end before its first display is out
        _display(report.bundle(view), display_id=name, update=True)

    live = LiveView(run, on_end=end)
    view = {**live.view, "samples": live.samples}
    # VS Code draws the first application/vnd.* that it knows: the widget goes first.
    face = {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": live.model_id}}
    _display({**face, **report.bundle(view)}, display_id=name)
    shown.set()


def _display(bundle: dict[str, Any], **how: Any) -> None:
    from IPython.display import display

    display(bundle, raw=True, **how)


def _seen(run: Run) -> bool:
    """Whether this execution has shown the run already: as the magic's display, and again as the cell's result."""
    shell = _shell()
    if shell is None:
        return False
    count, folder = shell.execution_count, str(run.folder.path)
    seen = _shown.get(folder) == count
    _shown[folder] = count
    return seen


def _notebook() -> bool:
    return hasattr(_shell(), "kernel")


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
