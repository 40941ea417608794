"""The warm worker: a process that has torch and Lightning loaded and forks a run in milliseconds.

`python -m nbmodels.runs.warm` imports what a worker needs, writes "ready", then reads one request a line
from its standard input: {"arguments", "log", "directory", "environment", "path"}. Each is forked twice, so
the run is nobody's child, has a session of its own, and outlives this process and the kernel that started it. The
end of the input (the kernel is gone) ends this process. It never computes, starts no thread and never touches CUDA:
only then is a fork safe.

A process of our own rather than multiprocessing's fork server: that one is shared with the user's own
`multiprocessing` in the kernel, re-runs an unguarded script, and is joined at exit.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Preload, say so, then fork a run for every line of the input."""
    try:
        import nbmodels.runs.worker as worker

        worker.preload()
    except Exception:  # a broken installation: each run imports again by itself and reports what is wrong
        traceback.print_exc()
    print("ready", flush=True)
    for line in sys.stdin.buffer:
        fork(json.loads(line))


def fork(request: dict[str, Any]) -> None:
    """Start one run as a process of its own session and return at once."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    become(request)


def become(request: dict[str, Any]) -> None:
    """In the new process: its own output, directory and environment, then the worker."""
    code = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        if Path(request["directory"]).is_dir():
            os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:] = request["path"]
        from nbmodels.runs.worker import main as work

        code = work(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # nothing of the warm process's own exit is this run's to do


if __name__ == "__main__":
    main()
