"""Whether a person is there to press a button: decides if `train` returns at once or waits."""

from __future__ import annotations

import sys


def attended() -> bool:
    """True in a notebook page or a terminal; False under nbclient, papermill, nbval, a pipe or a cron job.

    An interactive page sends `allow_stdin` true with every cell, the tools that run notebooks send false.
    """
    shell = _shell()
    if shell is None or not hasattr(shell, "kernel"):
        return sys.stdin is not None and sys.stdin.isatty()
    kernel = shell.kernel
    try:
        parent = kernel.get_parent("shell")
    except (AttributeError, TypeError):  # ipykernel before 6
        parent = getattr(kernel, "_parent_header", {})
    return bool((parent or {}).get("content", {}).get("allow_stdin", False))


def _shell():  # type: ignore[no-untyped-def]
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
