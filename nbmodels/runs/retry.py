"""--retries: a run that the system ended goes on by itself from its last checkpoint.

The worker's process then stays behind as a supervisor that computes nothing, and what trains is its child.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from nbmodels.errors import BigModelError
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.pulse import BY_SYSTEM

REST = 1.0  # seconds before the next try


def supervise(folder: RunFolder, train: Callable[[RunFolder], int]) -> int:
    """Train in a child process, again after each end that nobody asked for, as often as the spec's `retries` says."""
    try:
        retries = folder.spec().training.retries
    except BigModelError:
        retries = 0
    if not retries or not hasattr(os, "fork"):
        return train(folder)
    told: list[int] = []  # signals that this process was sent: the system wants all of the run to end
    for attempt in range(retries + 1):
        code = _child(folder, train, told)
        if told or not _ended_by_system(folder):
            return code
        if attempt < retries:
            print(f"The system ended the worker: retry {attempt + 1} of {retries}.", flush=True)
            folder.write_status(state="starting", pid=None, error=None)
            time.sleep(REST)
    return code


def _child(folder: RunFolder, train: Callable[[RunFolder], int], told: list[int]) -> int:
    """Train in a child; its exit code. What this process is told to, the child is told too."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = train(RunFolder(folder.path))
        finally:
            os._exit(code)

    def pass_on(number: int, _: Any) -> None:
        told.append(number)
        os.kill(child, number)

    for name in ("SIGTERM", "SIGUSR1"):
        signal.signal(getattr(signal, name), pass_on)
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _ended_by_system(folder: RunFolder) -> bool:
    """Whether the worker was killed, or told to end, and nobody had asked the run to stop."""
    status, asked = folder.status(), folder.control()["want"]
    killed, told = folder.state(status) == "lost", status.get("why") == BY_SYSTEM and status.get("state") == "stopped"
    return asked != "stop" and (killed or told)
