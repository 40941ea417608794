"""`%bigmodel` and `%%bigmodel`: split the words, do them, give back something that can be displayed."""

from __future__ import annotations

import os
import threading
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from traitlets import Int, Unicode, observe

from nbmodels.runs import folder, launch


@magics_class
class BigModel(Magics):
    """The words of nbmodels in a notebook; `%bigmodel help` lists them."""

    runs = Unicode("", help="The folder of the runs; empty means NBMODELS_RUNS, else ./runs.").tag(config=True)

    jobs = Int(0, min=0, help="Runs at once on this machine; 0 means as many as it carries.").tag(config=True)

    @observe("jobs")
    def _limit(self, change: Any) -> None:
        os.environ["NBMODELS_JOBS"] = str(change["new"] or "")  # a worker has the kernel's environment

    @observe("runs")
    def _move(self, change: Any) -> None:
        folder.set_runs_root(change["new"] or None)

    @line_cell_magic
    def bigmodel(self, line: str, cell: str | None = None) -> Any:
        """`%bigmodel WORD …`; with %% the cell holds the options, one a line: `epochs: 3`."""
        from nbmodels import line as lines

        namespace = self.shell.user_ns if self.shell else {}
        result = lines.do(lines.split(line), namespace, cell)
        if type(result).__name__ == "Run":
            show(result)  # here, since `run = %bigmodel train …` displays nothing by itself
        return result


def show(run: Any) -> None:
    """Draw a run in the cell; loaded when the first run is shown."""
    from nbmodels.views.show import show

    show(run)


def register_display(shell: Any) -> None:
    """Let this IPython draw a Run wherever one is displayed."""
    formatter = shell.display_formatter.ipython_display_formatter
    formatter.for_type_by_name("nbmodels.runs.run", "Run", show)


def load(shell: Any) -> None:
    """What `%load_ext nbmodels` does; a second time it changes nothing."""
    if not any(isinstance(each, BigModel) for each in shell.configurables):
        shell.register_magics(BigModel(shell=shell))
    register_display(shell)
    launch.warm()
    threading.Thread(target=_complete, args=(shell,), name="nbmodels-complete", daemon=True).start()


def _complete(shell: Any) -> None:
    """Reading the tables takes a quarter of a second once: not while the cell waits."""
    from nbmodels import complete, tooltip

    complete.register(shell)
    tooltip.register(shell)
    complete.warm()
