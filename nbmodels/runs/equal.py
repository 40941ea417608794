"""The run that is the same training already: an equal spec but for the name, equal objects, data that has not changed.

Asked before a training starts, so it compares text: of a thousand runs, only one whose spec is equal is read further.
Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import pickletools
import re
from collections.abc import Callable
from pathlib import Path

from nbmodels.runs import reading
from nbmodels.runs.folder import ALIVE, OBJECTS, SPEC, RunFolder, runs_root
from nbmodels.runs.listing import listed
from nbmodels.spec import Spec

SPARE = 1_000_000  # bytes by which equal objects may differ in length
LARGE = 20_000_000  # bytes of objects above which they are compared as they are
ENTRIES = 2_000  # of a folder of data that are looked at
_OF_THIS_KERNEL = re.compile(r"[0-9a-f]{32}|ipykernel_\d+")  # cloudpickle's mark of a class, the name of a cell's file


def find_equal(spec: Spec, objects: Callable[[], bytes] | None = None) -> RunFolder | None:
    """The newest run that is alive or has finished and would be trained again by this spec; None where there is none.

    Args:
        spec: What is asked for; its name does not count.
        objects: Pickles the notebook's own things; called only where all else is equal.
    """
    wanted, mine = _text(spec.to_yaml()), b""
    for folder in listed(runs_root()).runs:
        with contextlib.suppress(Exception):  # whatever is wrong with it, it is not the same
            text = reading.read_bytes(folder.path, SPEC, most=reading.SMALL).decode("utf-8")
            if _text(text) != wanted or not _stands(folder, spec):
                continue
            if objects is None:
                return folder
            mine = mine or objects()
            theirs = reading.read_bytes(folder.path, OBJECTS, most=len(mine) + SPARE)
            if fingerprint(theirs) == fingerprint(mine):
                return folder
    return None


def _stands(folder: RunFolder, spec: Spec) -> bool:
    """Whether there is something to attach to, of data as it is now."""
    status = folder.status()
    state, began = folder.state(status), status.get("started", 0)
    return state in (*ALIVE, "waiting", "finished") and not _changed(spec.data, began)


def sentence(folder: RunFolder, style: str) -> str:
    """One line about it: what it is, how to see it, how to be asked nothing the next time."""
    state = folder.state()
    is_ = "has finished" if state == "finished" else f"is {state}"
    once = "once=True" if style == "python" else "--once"
    see = "see" if state == "finished" else "watch"
    return (
        f"{folder.name} is the same training and {is_}. To {see} it: %bigmodel attach {folder.name}. "
        f"{once} attaches instead of training again."
    )


def fingerprint(objects: bytes) -> str:
    """What pickled objects are, whichever kernel pickled them."""
    found = hashlib.sha256()
    if len(objects) > LARGE:
        found.update(objects)
        return found.hexdigest()
    for code, value, _ in pickletools.genops(objects):
        if code.name == "FRAME":  # lengths
            continue
        found.update(code.name.encode())
        if isinstance(value, (bytes, bytearray)):
            found.update(value)
        elif value is not None:
            found.update(_OF_THIS_KERNEL.sub("", str(value)).encode("utf-8", "replace"))
    return found.hexdigest()


def _text(spec: str) -> str:
    """A spec without its first line, the name."""
    return spec.partition("\n")[2] if spec.startswith("name:") else spec


def _changed(data: str, since: float) -> bool:
    """Whether a file of data, or a folder's list of files, was written after a time; False for data by name."""
    path = Path(data)
    if not path.is_absolute():
        return False
    try:
        inside = itertools.islice(path.rglob("*"), ENTRIES) if path.is_dir() else iter(())
        return any(each.stat().st_mtime > since for each in itertools.chain((path,), inside))
    except OSError:
        return True
