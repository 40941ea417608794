"""The server extension's two figures: a list of 1,000 runs, and a run of 1,000,000 logged lines.

Both are asked for the first time, over HTTP of a real Jupyter server in its own process, whose folders are temporary.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nbmodels.runs import folder as folders
from nbmodels.runs.places import place_id
from nbmodels.spec import Spec, Training

CONFIG = Path(__file__).parents[1] / "jupyter-config" / "jupyter_server_config.d" / "nbmodels.json"
TOKEN = "a-token-of-the-bench"
PATIENCE = 60.0  # seconds for a server to start
RUNS, LINES, EPOCH = 1_000, 1_000_000, 10_000


class Server:
    """A Jupyter server with our extension on a free port of loopback; everything it writes is under one folder.

    Args:
        root: The folder; `runs/` in it is where its runs are.
        base: Its base URL.
        options: Further options of the command line.
    """

    def __init__(self, root: Path, base: str = "/", options: tuple[str, ...] = ()) -> None:
        self.root, self.runs, self.base = root, root / "runs", base
        root.joinpath("config", CONFIG.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(CONFIG, root / "config" / CONFIG.parent.name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._log = root.joinpath("server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *self._options(), *options],
            cwd=root, env=self._environment(), stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self._wait()

    @property
    def place(self) -> str:
        """The id of its place of runs."""
        return place_id(self.runs)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request with the token (or with other headers): status, headers and content of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {"Authorization": f"token {TOKEN}"} if headers is None else headers
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, f"{self.base}{path}", content, sent)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The content of an answer that must be a yes."""
        status, _, content = self.ask(method, f"nbmodels/{path}", body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {content.decode()}")
        return json.loads(content) if content else None

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def _options(self) -> list[str]:
        return [
            "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}", f"--ServerApp.base_url={self.base}",
            f"--ServerApp.root_dir={self.root}", "--ServerApp.terminals_enabled=False",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        own = {"NBMODELS_RUNS": "runs", "XDG_STATE_HOME": "state", "IPYTHONDIR": "ipython", "OMP_NUM_THREADS": "1"}
        own |= {f"JUPYTER_{word}_DIR": word.lower() for word in ("CONFIG", "DATA", "RUNTIME")}
        folders_ = {key: value if value.isdigit() else str(self.root / value) for key, value in own.items()}
        return {**os.environ, **folders_}

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self.ask("GET", "api")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        self.close()
        raise RuntimeError(self.root.joinpath("server.log").read_text()[-3000:])


def make_runs(count: int) -> None:
    """Runs that have ended, each with a spec, a status and fifty readings."""
    for number in range(count):
        spec = Spec(f"cnn-{number + 1}", "cnn", "digits", training=Training(epochs=8, lr=0.001 + number / 1e6))
        folder = folders.create(spec)
        folder.write_status(
            state="finished", step=360, steps=360, epoch=8.0, seconds=3.2, samples_per_second=8312.4, device="cpu",
            pid=4_000_000 + number, process_started=1.0, memory={"process": 412_000_000},
            metrics={"val/loss": 0.1, "val/accuracy": 0.97},
        )  # fmt: skip
        write_readings(folder.file(folders.METRICS), 50, 10)


def make_long(lines: int) -> None:
    """A run that has ended, with many readings."""
    folder = folders.create(Spec("long", "cnn", "digits", training=Training(epochs=lines // EPOCH or 1)))
    folder.write_status(state="finished", step=lines, steps=lines, epoch=lines / EPOCH, seconds=1e4)
    write_readings(folder.file(folders.METRICS), lines, EPOCH)


def write_readings(path: Path, lines: int, epoch: int) -> None:
    """So many lines as a worker writes them, the last of each epoch a validation."""
    with path.open("w", encoding="utf-8") as file:
        for step in range(1, lines + 1):
            head = f'{{"step": {step}, "epoch": {step / epoch:.6f}, "time": {step / 100:.3f}, "lr": 0.001, '
            if step % epoch == 0:
                file.write(f'{head}"val/loss": {1 + 9 / step:.7f}, "val/accuracy": {1 - 1 / (1 + step):.7f}}}\n')
            else:
                file.write(f'{head}"train/loss": {1 + 10 / step:.12f}}}\n')


def figures() -> dict[str, float]:
    """Seconds, each in a server that has just started and was asked nothing before."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for name, make, path in (
            ("list of 1,000 runs", lambda: make_runs(RUNS), "runs"),
            ("run of 1,000,000 lines", lambda: make_long(LINES), "runs/{place}/long"),
        ):
            root = Path(place, name.replace(" ", "-").replace(",", ""))
            folders.set_runs_root(root / "runs")
            make()
            server = Server(root)
            try:
                began = time.perf_counter()
                answer = server.json("GET", path.format(place=server.place))
                found[name] = time.perf_counter() - began
                assert len(answer["runs"]) == RUNS if "runs" in answer else answer["series"]["loss"]["train"]
            finally:
                server.close()
                folders.set_runs_root(None)
    return found


def main() -> None:
    """Measure and print."""
    for name, seconds in figures().items():
        print(f"{name}: {seconds * 1000:.0f} ms")


if __name__ == "__main__":
    main()
