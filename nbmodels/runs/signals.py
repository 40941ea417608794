"""What the system tells a worker: to end (with a checkpoint), or that its terminal is gone (which is no matter)."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from nbmodels.runs.pulse import Pulse

ENDS = ("SIGTERM", "SIGUSR1")  # docker stop, shutdown, a preempted machine; Slurm's warning before it


class StopNow(BaseException):
    """Raised in the main thread by a signal when a step takes too long to wait for."""


def listen(pulse: Pulse) -> None:
    """Take the signals for our own; Lightning puts handlers of its own there, so this is called again after it has."""

    def end(*_: Any) -> None:
        pulse.end_by_system()
        if pulse.get("state") in ("starting", "waiting"):  # there is nothing yet that could be saved
            raise StopNow

    def at_once(*_: Any) -> None:
        raise StopNow

    for name in ENDS:
        _set(name, end)
    _set("SIGUSR2", at_once)
    for name in ("SIGINT", "SIGHUP"):
        _set(name, signal.SIG_IGN)


def interrupt() -> None:
    """From a thread: have the main thread leave what it does, by StopNow."""
    number = getattr(signal, "SIGUSR2", None)
    if number is not None:
        os.kill(os.getpid(), number)


def _set(name: str, handler: Any) -> None:
    number = getattr(signal, name, None)
    if number is not None:
        with contextlib.suppress(ValueError):  # not the main thread: a test that trains in its own
            signal.signal(number, handler)
