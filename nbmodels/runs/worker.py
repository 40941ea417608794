"""The worker: from a run's folder to a trained model, with nobody watching.

    python -m nbmodels.runs.worker FOLDER          train, or go on from the newest checkpoint
    python -m nbmodels.runs.worker FOLDER --test   the held-out figures, into test.json

All it knows is in the folder, and all it says goes there. Whatever goes wrong, an import included, becomes
data in the folder; the traceback is printed too, to worker.log.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from nbmodels.errors import BigModelError
from nbmodels.runs.folder import TEST, RunFolder
from nbmodels.runs.json_file import write_json
from nbmodels.runs.pulse import Pulse

NICE = 5  # the kernel and the page come first when all want the processor; alone, a run gets all of it
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt
FULL = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: list[str] | None = None) -> int:
    """Work on the folder that the arguments name; the exit code says whether it went well."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0].startswith("-"):
        print("Type: python -m nbmodels.runs.worker FOLDER [--test]", file=sys.stderr)
        return 2
    folder = RunFolder(words[0])
    return test(folder) if "--test" in words else train(folder)


def preload() -> None:
    """Import everything a run needs; called by the warm process, computes nothing."""
    import importlib

    for module in ("torch.utils.tensorboard", "nbmodels.data.open", "nbmodels.runs.fit", "nbmodels.models.cnn"):
        importlib.import_module(module)


def train(folder: RunFolder) -> int:
    """Train, and leave the last word in status.json."""
    if folder.alive() and folder.status().get("pid"):
        print(f"{folder.name} is being trained already", file=sys.stderr)
        return 2
    with contextlib.suppress(AttributeError, OSError):  # no such thing on Windows
        os.nice(NICE)
    keep_memory()
    pulse = Pulse(folder)
    pulse.start()
    stop_now: type[BaseException] = KeyboardInterrupt
    try:
        from nbmodels.runs.control import StopNow
        from nbmodels.runs.fit import fit

        stop_now = StopNow
        _listen(pulse, StopNow)
        state = fit(folder, pulse)
        pulse.end(state=state, left=0.0 if state == "finished" else None)
        return 0
    except stop_now:
        pulse.end(state="stopped", left=None)
        return 0
    except BaseException as error:
        traceback.print_exc()
        pulse.end(state="failed", left=None, error=as_data(error))
        return 1


def test(folder: RunFolder) -> int:
    """Evaluate on the held-out data, and leave the figures in test.json."""
    write_json(folder.file(TEST), {"state": "running", "pid": os.getpid()})
    try:
        from nbmodels.runs.examine import examine

        write_json(folder.file(TEST), {"state": "finished", **examine(folder)})
        return 0
    except BaseException as error:
        traceback.print_exc()
        write_json(folder.file(TEST), {"state": "failed", "error": as_data(error)})
        return 1


def keep_memory() -> None:
    """Let the C library keep what a step frees for the next step, instead of giving it back page by page.

    glibc maps a large block anew each time and the kernel zeroes its pages: up to 1,800 faults and a quarter of the
    processor's time in a step of cnn at batch 32, none with these two settings. The peak of memory is the same.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 1 << 30) or libc.mallopt(MMAP_THRESHOLD, 1 << 25)  # the most that older ones take
        libc.mallopt(TRIM_THRESHOLD, 1 << 30)


def _listen(pulse: Pulse, stop_now: type[BaseException]) -> None:
    """A polite end of the process is a stop with a checkpoint; the second signal does not wait for the step."""

    def polite(*_: Any) -> None:
        pulse.want = "stop"

    def at_once(*_: Any) -> None:
        raise stop_now

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, polite)
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, at_once)


def as_data(error: BaseException) -> dict[str, Any]:
    """An error as JSON: what, hint, and the worker's traceback."""
    text = "".join(traceback.format_exception(error))
    if isinstance(error, BigModelError):
        return {"what": error.what, "hint": error.hint, "traceback": ""}  # it says all there is to say
    what, hint = _explain(error)
    return {"what": what, "hint": hint, "traceback": text}


def _explain(error: BaseException) -> tuple[str, str]:
    """The errors people really meet, in plain words."""
    first = (str(error).strip().split("\n") or [""])[0]
    if isinstance(error, MemoryError) or "out of memory" in first.lower() or "can't allocate memory" in first:
        return "The device is out of memory", "Try a smaller --batch-size, or --precision bf16."
    if shapes := re.search(r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", first):
        _, got, wants, _ = shapes.groups()
        return f"A layer wants {wants} features and is given {got}", "Look at the model's sizes beside the data's."
    if any(isinstance(cause, OSError) and cause.errno in FULL for cause in _causes(error)):
        return "The disk is full", "Make room, then resume the run."
    return f"{type(error).__name__}: {first}" if first else type(error).__name__, ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of: torch hides a full disk behind an error of its own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    sys.exit(main())
