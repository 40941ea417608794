"""A JupyterLab server of the tests' own, and a notebook in it as a person has it: cells, outputs, buttons."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import Locator, Page, expect

from nbmodels.runs.process import process_started

TOKEN = "nbmodels"
PATIENCE = 75  # seconds for anything that has to happen: a slow machine, busy with other things
DIRECTORIES = [
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
]
NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'

expect.set_options(timeout=PATIENCE * 1000)


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until the call gives something true, and give that."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not after {seconds:g} s"
        time.sleep(0.1)
    return found


class Lab:
    """JupyterLab on a free port of loopback, everything it writes under one folder."""

    def __init__(self, root: Path, base: str = "/", extension: bool = True) -> None:
        self.root, self.runs, self.notebooks = root, root / "runs", root / "notebooks"
        self.notebooks.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base, self.extension = base, extension
        self.address = f"http://127.0.0.1:{self.port}{base}"
        self.start()

    def start(self) -> None:
        """Start the server, for the first time or again, and wait until it answers."""
        self._process = self._start()
        try:
            until(self._answers, "JupyterLab answers")
        except AssertionError as error:
            self.close()
            raise AssertionError(f"{error}\n{self.root.joinpath('lab.log').read_text()[-3000:]}") from None

    def stop(self) -> None:
        """End the server and its kernels; the runs go on."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def rest(self, method: str, path: str) -> Any:
        """Ask the server itself, as its own pages do."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(self.address + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or "null")

    def status(self, run: str) -> dict[str, Any]:
        """A run's status.json, empty before it is there."""
        try:
            return json.loads(self.runs.joinpath(run, "status.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def end_runs(self) -> None:
        """Kill the workers of this server's runs and clear them away: a test leaves nothing to the next."""
        for file in self.runs.glob("*/status.json"):
            status = self.status(file.parent.name)
            try:
                worker = psutil.Process(status.get("pid") or -1)
                if process_started(worker.pid) == status.get("process_started"):
                    worker.kill()
                    worker.wait(10)
            except (psutil.Error, ValueError):
                continue
        shutil.rmtree(self.runs, ignore_errors=True)

    def close(self) -> None:
        """End the server, its kernels and its runs."""
        self.end_runs()
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "JUPYTER", "JPY_"))}
        places = {name: str(self.root / "home" / name) for name in DIRECTORIES}
        places["XDG_STATE_HOME"] = str(self.root / "home" / "state")  # no runs of the user's in the sidebar
        environment = {**kept, **places, "NBMODELS_RUNS": str(self.runs), "OMP_NUM_THREADS": "1"}
        news = self.root / "home/JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension"
        news.mkdir(parents=True, exist_ok=True)
        news.joinpath("notification.jupyterlab-settings").write_text(NO_NEWS)
        page = self.root / "home/JUPYTER_CONFIG_DIR/labconfig"
        page.mkdir(parents=True, exist_ok=True)
        page.joinpath("page_config.json").write_text(
            json.dumps({"disabledExtensions": {"nbmodels": not self.extension}})
        )
        options = [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.notebooks}",
            f"--ServerApp.base_url={self.base}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
        ]
        with self.root.joinpath("lab.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.notebooks,
            )

    def _answers(self) -> bool:
        assert self._process.poll() is None, "JupyterLab ended: " + self.root.joinpath("lab.log").read_text()[-3000:]
        try:
            return bool(self.rest("GET", "api/status"))
        except OSError:
            return False


class Notebook:
    """One notebook in one page; cells are counted from 0."""

    def __init__(self, lab: Lab, page: Page, name: str, sources: list[str]) -> None:
        self.lab, self.page, self.name = lab, page, f"{name}.ipynb"
        self.file = lab.notebooks / self.name
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._listen()
        written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(written, self.file)
        self.open()

    # -- the page

    def open(self) -> None:
        """Open the notebook, for the first time or again, and wait until its kernel is there."""
        self.page.goto(f"{self.lab.address}lab/tree/{self.name}?token={TOKEN}&reset")
        self._ready()

    def twin(self) -> Notebook:
        """The same notebook in a second tab."""
        other = copy.copy(self)
        other.page, other.errors, other.requests = self.page.context.new_page(), [], []
        other._listen()
        other.open()
        return other

    def reload(self, busy: bool = False) -> None:
        """F5; a page whose kernel is busy is there before its kernel is."""
        self.page.reload()
        if busy:
            self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        else:
            self._ready()

    def command(self, name: str) -> None:
        """Have the Lab do one of its commands, without waiting for its end."""
        self.page.evaluate("name => { jupyterapp.commands.execute(name) }", name)

    def save(self) -> dict[str, Any]:
        """Save the document and give what is in the file."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
        return json.loads(self.file.read_text("utf-8"))

    def saved(self, place: int) -> dict[str, Any]:
        """The bundle of a cell's first output as the file has it; empty where there is none, or half a file."""
        try:
            outputs = json.loads(self.file.read_text("utf-8"))["cells"][place]["outputs"]
        except ValueError:
            return {}
        return outputs[0].get("data", {}) if outputs else {}

    def close(self) -> None:
        """Shut the kernel down and leave."""
        for kernel in self._kernels():
            self.lab.rest("DELETE", f"api/kernels/{kernel}")
        self.page.close()

    # -- cells

    def start(self, place: int) -> None:
        """Run a cell and do not wait."""
        self.page.evaluate(
            """place => {
                const notebook = jupyterapp.shell.currentWidget.content
                notebook.deselectAll()
                notebook.activeCellIndex = place
                jupyterapp.commands.execute('notebook:run-cell')
            }""",
            place,
        )

    def run(self, place: int) -> str:
        """Run a cell, wait for its end, and give what it said as text."""
        self.start(place)
        expect(self.prompt(place)).to_have_text(re.compile(r"\[\d+\]:"))
        return self.text(place)

    def cell(self, place: int) -> Locator:
        """The cell in the page."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place)

    def prompt(self, place: int) -> Locator:
        """What stands before the cell: `[*]:` while it runs, `[3]:` afterwards."""
        return self.cell(place).locator(".jp-InputPrompt")

    def outputs(self, place: int) -> list[dict[str, Any]]:
        """The cell's outputs as the page holds them."""
        outputs = "place => jupyterapp.shell.currentWidget.content.widgets[place].model.outputs.toJSON()"
        return self.page.evaluate(outputs, place)

    def text(self, place: int) -> str:
        """The plain text of the cell's outputs, errors and printed lines too."""
        return "\n".join(map(_text, self.outputs(place)))

    def view(self, place: int) -> View:
        """The live view in a cell."""
        return View(self.cell(place).locator(".nbm"))

    # -- the kernel

    def kernel(self) -> str:
        """The id of this notebook's kernel."""
        return self._kernels()[0]

    def idle(self) -> None:
        """Wait until the kernel waits."""
        status = ".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status=idle]"
        self.page.locator(status).wait_for(state="attached")

    def _listen(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("pageerror", lambda error: self.errors.append(f"{error.message} {error.stack}"))
        self.page.on("console", lambda said: self.errors.append(_said(said)) if said.type == "error" else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda opened: self.requests.append(opened.url))

    def _kernels(self) -> list[str]:
        sessions = self.lab.rest("GET", "api/sessions")
        return [each["kernel"]["id"] for each in sessions if each["path"] == self.name]

    def _ready(self) -> None:
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        # A cell that is run before the session stands makes the Lab ask for a kernel.
        session = "window.jupyterapp?.shell.currentWidget?.context?.sessionContext"
        self.page.wait_for_function(
            f"{session}?.isReady && {session}.session?.kernel?.connectionStatus === 'connected'"
        )
        self.idle()


class View:
    """The live view of a run, as it stands in the page."""

    def __init__(self, element: Locator) -> None:
        self.element = element

    def wait(self, state: str) -> None:
        """Wait until the view shows this state."""
        expect(self.element).to_have_attribute("data-state", state)

    def at_work(self) -> None:
        """Wait until curves are drawn and the view moves."""
        self.wait("running")
        self.element.locator(".nbm-chart .u-over").first.wait_for()
        self.moves()

    @property
    def step(self) -> int:
        """The step that the view shows; 0 before the first."""
        found = re.search(r"step ([\d,]+) of|([\d,]+) steps", self.progress)
        return int((found[1] or found[2]).replace(",", "")) if found else 0

    @property
    def progress(self) -> str:
        """`paused · epoch 2 of 3 · step 640 of 1,407`."""
        return self.element.locator(".nbm-progress").inner_text()

    def moves(self) -> None:
        """Wait until the step that is shown is another one."""
        seen = self.step
        until(lambda: self.step > seen, f"the view moves on from step {seen}")

    def press(self, button: str) -> None:
        """Press one of its buttons."""
        self.element.get_by_role("button", name=button, exact=True).click()


def _said(message: Any) -> str:
    return f"{message.text} ({message.location.get('url', '')})"


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        lines = "\n".join(output["traceback"])
    elif output["output_type"] == "stream":
        lines = _joined(output["text"])
    else:
        lines = _joined(output.get("data", {}).get("text/plain", ""))
    return re.sub(r"\x1b\[[\d;]*m", "", lines).strip()


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
