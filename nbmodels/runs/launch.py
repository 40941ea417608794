"""Starting a worker: through the warm process where there is one, else as a fresh one. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from nbmodels.errors import InputError
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder

LARGE = 200_000_000  # bytes of notebook objects above which a copy is worth a warning

_warm: subprocess.Popen[bytes] | None = None


def start(folder: RunFolder, *arguments: str) -> None:
    """Start a worker on a run's folder; extra arguments as `python -m nbmodels.runs.worker` takes them."""
    words = [str(folder.path), *arguments]
    if _warm is not None and _warm.poll() is None and _ask_warm(folder, words):
        return
    with folder.file(folders.LOG).open("ab") as log:
        subprocess.Popen(
            _command("nbmodels.runs.worker:run", *words),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment(),
        )  # fmt: skip


def warm() -> None:
    """Start the warm process in the background, once; returns in milliseconds. Nothing where there is no fork."""
    global _warm
    if not hasattr(os, "fork") or (_warm is not None and _warm.poll() is None):
        return
    _warm = subprocess.Popen(
        _command("nbmodels.runs.warm:main"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, env=_environment(),
    )  # fmt: skip


def wait_warm() -> None:
    """Block until the warm process is ready (benchmarks and tests; a run never needs it)."""
    if _warm is not None and _warm.stdout is not None:
        _warm.stdout.readline()


def _ask_warm(folder: RunFolder, words: list[str]) -> bool:
    request = {
        "arguments": words,
        "log": str(folder.file(folders.LOG)),
        "directory": str(Path.cwd()),
        "environment": _environment(),
        "path": _path(),
    }
    assert _warm is not None and _warm.stdin is not None
    with contextlib.suppress(OSError):  # it died: the caller starts a fresh process instead
        _warm.stdin.write(json.dumps(request).encode() + b"\n")
        _warm.stdin.flush()
        return True
    return False


def _command(reference: str, *words: str) -> list[str]:
    """Call a function, `module:function`, with the modules that the notebook itself can import."""
    module, _, function = reference.partition(":")
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path[:] = {_path()!r}; from {module} import {function}; {function}()",
        *words,
    ]


def _path() -> list[str]:
    return [str(Path(place).absolute()) for place in sys.path]


def _environment() -> dict[str, str]:
    """The kernel's own, without what belongs to the kernel: a worker draws no inline figures."""
    return {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "JPY_PARENT_PID")}


def pickled(objects: dict[str, Any]) -> bytes:
    """The notebook's objects by value; InputError names the part that cannot travel."""
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(objects)
    except Exception as error:
        raise InputError(
            f"{_culprit(objects)} cannot be sent to the worker ({_first_line(error)})",
            "Make it inside the model or the data instead of outside.",
        ) from None
    if len(content) > LARGE:
        warnings.warn(f"The run's objects take {len(content) / 1e6:,.0f} MB; they are copied once.", stacklevel=3)
    return content


def _culprit(objects: dict[str, Any]) -> str:
    """The name of the global that does not pickle, as the user wrote it."""
    import cloudpickle

    for what, value in objects.items():
        functions = [f for f in vars(value).values() if hasattr(f, "__globals__")] if hasattr(value, "__dict__") else []
        for function in functions:
            for name in function.__code__.co_names:
                try:
                    cloudpickle.dumps(function.__globals__.get(name))
                except Exception:
                    return f"The global {name!r}, used by {function.__qualname__},"
        if len(objects) > 1:
            try:
                cloudpickle.dumps(value)
            except Exception:
                return f"The {what}"
    return f"The {next(iter(objects))}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
