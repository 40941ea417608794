"""Real worker processes for tests, forked from one that has torch loaded: a kill in each costs no new start of Python.

As a program it reads requests, one a line: {"folder", "kill", "stop", "part", "delay"}; for each it forks a worker,
waits for its end, and writes how it ended. Nothing is computed before the fork.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nbmodels.runs.folder import RunFolder

HERE = Path(__file__).parent


class Workers:
    """The process that forks; `work` runs a worker on a folder to its end."""

    def __init__(self) -> None:
        program = f"import sys; sys.path[:0] = [{str(HERE)!r}, *{sys.path!r}]; import forked; forked.main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def work(self, folder: RunFolder, **how: Any) -> int:
        """Train, or go on: the exit code, below 0 for a signal.

        Args:
            folder: The run's folder.
            how: kill or stop: at this batch of the whole run; part: the hook of Control in which; delay: the seconds
                after which it is killed wherever it is.
        """
        assert self._process.stdin and self._process.stdout
        if folder.status().get("pid"):
            folder.write_status(state="starting", pid=None, lock=None, heartbeat=time.time())
        self._process.stdin.write(json.dumps({"folder": str(folder.path), **how}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Read requests until there are no more."""
    from nbmodels.runs import worker

    worker.preload()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
        status = os.waitpid(child, 0)[1]
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _become(asked: dict[str, Any]) -> None:
    import torch

    code = 1
    try:
        log = os.open(str(Path(asked["folder"]) / "worker.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        torch.set_num_threads(1)
        _disturb(asked)
        from nbmodels.runs import worker

        code = worker.main([asked["folder"]])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _disturb(asked: dict[str, Any]) -> None:
    from nbmodels.runs import control

    kill, stop, part = asked.get("kill"), asked.get("stop"), asked.get("part", "on_train_batch_end")
    stock = getattr(control.Control, part)

    def hook(self: Any, trainer: Any, module: Any, *rest: Any) -> Any:
        batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        if kill is not None and batches >= kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if stop is not None and batches >= stop:
            control.GRACE = -1
            self.pulse.want = "stop"
        return stock(self, trainer, module, *rest)

    setattr(control.Control, part, hook)
    if delay := asked.get("delay"):
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()


if __name__ == "__main__":
    main()
