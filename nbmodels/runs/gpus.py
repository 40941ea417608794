"""How many GPUs there are, without torch and without touching them."""

from __future__ import annotations

import contextlib
import functools
import platform


@functools.cache
def count() -> int:
    """NVIDIA's GPUs by their driver; none where there is no driver."""
    with contextlib.suppress(Exception):  # no package, no driver, no permission: then there is nothing to count
        import pynvml

        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    return 0


def has_mps() -> bool:
    """Whether this may be a Mac whose GPU torch can use."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"
