"""The worker: from a run's folder to a trained model, with nobody watching.

    python -m nbmodels.runs.worker FOLDER          train, or go on from the newest checkpoint
    python -m nbmodels.runs.worker FOLDER --test   the held-out figures, into test.json

All it knows is in the folder, and all it says goes there. Whatever goes wrong, an import included, becomes
data in the folder; the traceback is printed too, to worker.log.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import time
import traceback
import typing
from typing import Any

from nbmodels.errors import BigModelError, DataError, InputError
from nbmodels.runs import cores, disk, lock, queue, retry, signals
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import LOCK, TEST, RunFolder
from nbmodels.runs.json_file import write_json
from nbmodels.runs.pulse import MOVED_AWAY, Pulse
from nbmodels.spec import Training

NICE = 1  # the kernel and the page come first, and a busy neighbour still leaves a run a good part of a core
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt
SHOWN = 5.0  # seconds for which whoever watches can see why a run came to nothing


def main(arguments: list[str] | None = None) -> int:
    """Work on the folder that the arguments name; the exit code says whether it went well."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0].startswith("-"):
        print("Type: python -m nbmodels.runs.worker FOLDER [--test]", file=sys.stderr)
        return 2
    folder = RunFolder(words[0])
    return test(folder) if "--test" in words else retry.supervise(folder, train)


def preload() -> None:
    """Import everything a run needs; called by the warm process, computes nothing."""
    import importlib

    for module in ("torch.utils.tensorboard", "nbmodels.data.open", "nbmodels.runs.fit", "nbmodels.models.cnn"):
        importlib.import_module(module)


def train(folder: RunFolder) -> int:
    """Train, and leave the last word in status.json."""
    if folder.alive() and folder.status().get("pid") or (lock.take(folder.file(LOCK)) is False):
        print(f"{folder.name} is being trained already", file=sys.stderr)
        return 2
    with contextlib.suppress(AttributeError, OSError):  # no such thing on Windows
        os.nice(NICE)
    keep_memory()
    pulse = Pulse(folder)
    signals.listen(pulse)
    pulse.interrupt = signals.interrupt
    if lock.held(folder.file(LOCK)) is not True:
        print("This file system has no locks: the worker is known by its process alone.", flush=True)
    try:
        pulse.start(lock=lock.held(folder.file(LOCK)), state="starting", discard=False)
        state = _work(folder, pulse)
        pulse.end(state=state, left=0.0 if state == "finished" else None, why=pulse.why if state == "stopped" else "")
        return 0
    except signals.StopNow:
        pulse.end(state="stopped", left=None, why=pulse.why)
        return 0
    except BaseException as error:
        return _failed(folder, pulse, error)


def _work(folder: RunFolder, pulse: Pulse) -> str:
    """Wait for a turn, then train; the state at the end."""
    training = folder.spec().training
    entry = pulse.share.entry
    entry.device, entry.threads = _place(training.device), _threads(folder, training)
    entry.jobs = training.jobs or queue.carries(entry.device)

    def asked() -> str:
        if pulse.first and pulse.first != first[0]:
            first[0] = pulse.first
            return "first"
        return pulse.want

    def tell(place: int, of: int) -> None:
        pulse.tell(state="waiting", why=f"{queue.ordinal(place)} of {of}", queue={"place": place, "of": of})

    first = [pulse.first]
    if not queue.wait(entry, asked, tell):
        return "stopped"
    pulse.tell(state="starting", why="", queue=None)
    pulse.share.look()
    from nbmodels.runs.fit import fit

    return fit(folder, pulse)


def _threads(folder: RunFolder, training: Training) -> int | None:
    """The fixed number of threads: as asked, or where results are to be the same again, as at the first start."""
    if training.threads or not training.deterministic:
        return training.threads
    before = folder.status().get("threads")
    return before if isinstance(before, int) and before > 0 else cores.count()


def _place(device: str) -> str:
    """What a run takes a place of, as far as can be told without torch: the processor, or a GPU."""
    if device == "cpu":
        return "cpu"
    if device != "auto":
        return f"{device}:0" if device == "cuda" else device
    from nbmodels.runs.gpus import count

    return "cuda:0" if count() else "cpu"


def _failed(folder: RunFolder, pulse: Pulse, error: BaseException) -> int:
    """Say what went wrong; a run that came to nothing for a reason of its line leaves no folder behind."""
    pulse.watch_folder()  # what failed may be that it is not there any more
    if pulse.gone or pulse.why == MOVED_AWAY:
        pulse.end(state="stopped", left=None, why=pulse.why)
        return 1
    traceback.print_exc()
    discard = isinstance(error, (InputError, DataError)) and not pulse.get("first_step") and not folder.checkpoints()
    pulse.end(state="failed", left=None, error=as_data(error), discard=discard)
    if discard:
        lock.release(folder.file(LOCK))
        time.sleep(SHOWN)
        folders.discard(folder)
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
    if what := disk.trouble(error):
        return what.capitalize(), "Make room, or let it be written, then resume the run."
    return f"{type(error).__name__}: {first}" if first else type(error).__name__, ""


def run() -> typing.NoReturn:
    """`main` as a process of its own, which ends when that is done, whatever threads a library has left waiting."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
