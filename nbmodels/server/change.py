"""What a request may change: what is asked of a run, its name, and whether it is there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import threading
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from nbmodels.errors import BigModelError, InputError
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.run import Run
from nbmodels.server.lookup import Refusal

GONE = ".deleted"  # how the name of a folder ends that is on its way out
_resuming: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)  # two presses start one worker


def control(folder: RunFolder, do: Any, value: Any, trust: bool = False) -> str:
    """Ask a run to stop, pause, resume, go first in the queue or change its learning rate; its state just after.

    It is never waited for. A run that holds another person's code resumes only with `trust`, which is remembered;
    Untrusted otherwise.
    """
    run = Run(RunFolder(folder.path))  # as it is: what is not known here is written back as it was
    if do == "stop":
        threading.Thread(target=_stop, args=(run,), name=f"stop-{run.name}", daemon=True).start()
    elif do == "pause":
        run.pause()
    elif do == "resume":
        with _resuming[folder.path]:
            (run.trust() if trust else run).resume()
    elif do == "first":
        run.first()
    elif do == "lr":
        run.set_lr(_rate(value))
    else:
        raise Refusal(400, f"Nothing to do: {do!r}", 'Say {"do": "stop"}, "pause", "resume", "first" or "lr".')
    return run.state


def rename(folder: RunFolder, name: str) -> None:
    """Give a run another name; Refusal 409 while a worker is behind it or where the name is taken."""
    root, target = folder.path.parent, folder.path.parent / folders.check_name(name)
    if target == folder.path:
        return
    _check_ended(folder, "renamed")
    if target.exists() or target.is_symlink():
        raise Refusal(409, f"There is a run named {name!r} already", f"Try: {_free(root, name)}")
    folder.path.rename(target)
    _say_name(RunFolder(target), name)


def delete(folder: RunFolder) -> None:
    """Take a run away: out of sight at once, off the disk in a thread. Refusal 409 while a worker is behind it."""
    _check_ended(folder, "deleted")
    root = folder.path.parent
    folder.path.rename(root / f".{folder.name}.{uuid.uuid4().hex[:8]}{GONE}")
    threading.Thread(target=_sweep, args=(root,), name=f"delete-{folder.name}", daemon=True).start()


def _stop(run: Run) -> None:
    """In a thread of its own: a step that does not end is waited for before it is ended by force."""
    with contextlib.suppress(BigModelError, OSError):
        run.stop()


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise Refusal(
            400, f"A learning rate is a number above 0, not {str(value)[:40]}", 'Say {"do": "lr", "value": 1e-4}.'
        )
    return float(value)


def _check_ended(folder: RunFolder, what: str) -> None:
    if folder.alive():
        raise Refusal(409, f"{folder.name} still runs, it cannot be {what}", f"First: %bigmodel stop {folder.name}")


def _sweep(root: Path) -> None:
    """Remove what was deleted, and what a server that ended too early left behind."""
    for path in root.glob(f".*{GONE}"):
        if path.is_symlink():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _say_name(folder: RunFolder, name: str) -> None:
    """The name in the files; spec.yaml keeps its time, by which lists are sorted, and its words if it is foreign."""
    if folder.status():
        folder.write_status(name=name)
    with contextlib.suppress(BigModelError, ValueError, OSError):
        file = folder.file(folders.SPEC)
        text, times = dataclasses.replace(folder.spec(), name=name).to_yaml(), file.stat()
        part = file.with_name(f".{file.name}.part")
        part.write_text(text, "utf-8")
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        part.replace(file)


def _free(root: Path, name: str) -> str:
    number = 2
    while (root / f"{name}-{number}").exists():
        number += 1
    with contextlib.suppress(InputError):
        return folders.check_name(f"{name}-{number}")
    return "another name"
