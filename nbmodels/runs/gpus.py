"""How many GPUs there are, without torch and without touching them."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import platform
import re
from pathlib import Path

from nbmodels.errors import RunError


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


def check_here(device: str) -> None:
    """RunError for a device that surely is not on this machine; what cannot be told without torch, the worker sees."""
    kind, _, number = device.partition(":")
    if kind == "cuda" and (_cuda_build() is False or 0 < count() <= int(number or 0)):
        have = f"{count()} GPU{'s' * (count() != 1)}"
        raise RunError(f"This machine has no {device} device ({have} that torch can use)", "Type: --device auto")
    if kind == "mps" and platform.system() != "Darwin":
        raise RunError("This machine has no mps device: it is Apple's", "Type: --device auto")


def _cuda_build() -> bool | None:
    """Whether torch was built for GPUs, as its version file says; None where that cannot be told."""
    found = importlib.util.find_spec("torch")
    try:
        text = Path(str(found and found.origin)).with_name("version.py").read_text("utf-8")
    except OSError:
        return None
    said = re.findall(r"^(?:cuda|hip)\b.*= *(.*)$", text, re.MULTILINE)
    return any(value.strip() != "None" for value in said) if said else None
