"""TensorBoard on the runs, inline: bound to loopback, seen through the Jupyter server that shows the page.

The process is started by the kernel, on a port the system picks, and ends with it: it waits on a pipe that the
kernel holds. `python -m nbmodels.views.board FOLDER` is that process.
"""

from __future__ import annotations

import html
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from nbmodels.errors import MissingExtra, RunError

HEIGHT = 720  # pixels
LOOPBACK = "127.0.0.1"

_boards: dict[Path, tuple[subprocess.Popen[str], int]] = {}


@dataclass(frozen=True)
class Board:
    """A TensorBoard that runs: `address` is for the page that shows it, `port` is on loopback."""

    folder: Path
    port: int
    address: str

    def __repr__(self) -> str:
        return f"TensorBoard on {self.folder.name}: {self.address}"

    def _repr_html_(self) -> str:
        source = html.escape(self.address, quote=True)
        return f'<iframe src="{source}" title="TensorBoard" width="100%" height="{HEIGHT}" frameborder="0"></iframe>'


def tensorboard(folder: Path) -> Any:
    """Show TensorBoard on a folder of runs or on one run; one process a folder is kept and reused.

    Returns:
        A Board to display; in Colab its own inline frame is shown and None comes back.

    Raises:
        RunError: There is nothing to show yet, or TensorBoard did not start.
        MissingExtra: The page's server has no way to show it.
    """
    if not folder.is_dir():
        raise RunError(f"There is no run in {folder} yet", "Type: %bigmodel train cnn")
    if "google.colab" in sys.modules:
        from tensorboard import notebook

        return notebook.start(f"--logdir {json.dumps(str(folder))}")
    number = port(folder)
    return Board(folder, number, page_address(number))


def port(folder: Path) -> int:
    """The port of loopback where TensorBoard shows a folder, started where none runs; RunError if it does not start."""
    return running(folder) or _start(folder)


def running(folder: Path) -> int | None:
    """The port of the TensorBoard on a folder, None where there is none or its process has ended."""
    process, number = _boards.get(folder, (None, 0))
    return number if process and process.poll() is None else None


def end(folder: Path) -> None:
    """End the TensorBoard on a folder; does nothing where there is none."""
    process, _ = _boards.pop(folder, (None, 0))
    if process is None:
        return
    process.terminate()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.wait()


def page_address(port: int) -> str:
    """Where the page finds a port of this machine's loopback.

    TENSORBOARD_PROXY_URL if set (`%PORT%` in it); else jupyter-server-proxy under the base URL of the Jupyter server
    that started this kernel (JupyterHub's and Binder's prefix included); without a server, the port itself.
    """
    if pattern := os.environ.get("TENSORBOARD_PROXY_URL"):
        return pattern.replace("%PORT%", str(port))
    base = os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or _server_base()
    if base is None:
        return f"http://{LOOPBACK}:{port}/"
    if importlib.util.find_spec("jupyter_server_proxy") is None:
        raise MissingExtra("Showing TensorBoard in a page", "lab")
    return f"{base.rstrip('/')}/proxy/{port}/"


def _server_base() -> str | None:
    """The base URL of the server that is this kernel's parent: Jupyter leaves a file with its pid in the name."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdigit():
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        info = json.loads(Path(jupyter_runtime_dir(), f"jpserver-{parent}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    base: str | None = info.get("base_url")
    return base


def _start(folder: Path) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "nbmodels.views.board", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line.isdigit():
        raise RunError("TensorBoard did not start", f"See why: python -m tensorboard.main --logdir {folder}")
    _boards[folder] = (process, int(line))
    return int(line)


def main() -> None:
    """Serve a folder on loopback, print the port, and end when the input ends."""
    from tensorboard import program

    board = program.TensorBoard()
    board.configure(argv=["tensorboard", "--logdir", sys.argv[1], "--host", LOOPBACK, "--port", "0"])
    print(urlparse(board.launch()).port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
