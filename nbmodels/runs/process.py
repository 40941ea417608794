"""Which process it is: a pid alone may have been given to another, and a wall clock may be set back."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def boot_id() -> str:
    """What stands for this start of the machine; empty where the system has no such thing."""
    try:
        return _BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def uptime() -> float | None:
    """Seconds since the machine started, sleep included, whatever its wall clock says; None where nothing tells."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None and boot_id() else None


def clock() -> dict[str, Any]:
    """The part of a status by which it is known how old it is, whatever becomes of the wall clock."""
    now = time.time()
    return {"heartbeat": now, "boot": boot_id(), "uptime": [now, uptime()]}


def age(status: Mapping[str, Any]) -> float:
    """Seconds since the last heartbeat of a status; on the same boot the wall clock has no say in it."""
    heartbeat, beat, now = status.get("heartbeat"), status.get("uptime"), uptime()
    if not _is_number(heartbeat):
        return float("inf")
    same = status.get("boot") == boot_id() and status.get("host") in (None, socket.gethostname())
    if same and now is not None and isinstance(beat, list) and len(beat) == 2 and beat[0] == heartbeat:
        return now - beat[1] if _is_number(beat[1]) else float("inf")
    return abs(time.time() - heartbeat)  # type: ignore[operator]


def process_started(pid: int) -> str | None:
    """A process's identity beside its pid; None where there is no such process, or only what is left of it.

    On Linux the boot's id and the clock ticks since then at which the process began: the wall clock may move. Elsewhere
    `created:` and the time of its creation, which those systems keep as it was when the process began.
    """
    if boot_id():
        return _ticks(pid)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"created:{process.create_time():.2f}"
    except (psutil.Error, ValueError, OverflowError):
        return None


def worker_pid(status: Mapping[str, Any]) -> int | None:
    """The pid that a status names, if that process is this user's, on this machine, the one meant, and not this one.

    Only such a process may be sent a signal: a status is a file that anybody may have written.
    """
    pid = status.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 1 < pid < 2**31 or pid == os.getpid():
        return None
    if status.get("host") not in (None, socket.gethostname()):
        return None
    started = status.get("process_started")
    return pid if started and process_started(pid) == started and _is_ours(pid) else None


def _ticks(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid:d}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (OSError, ValueError, TypeError):
        return None
    return None if len(fields) < 20 or fields[0] in "ZX" else f"{boot_id()}:{fields[19]}"


def _is_ours(pid: int) -> bool:
    if not hasattr(os, "getuid"):
        return True
    try:
        return psutil.Process(pid).uids().real == os.getuid()
    except psutil.Error:
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
