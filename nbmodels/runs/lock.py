"""One writer a folder: a lock of the operating system, held by the worker as long as it lives.

flock where the system has it (over NFS it is a lock of the server), LockFileEx on Windows: both end with the process,
whatever ends it. Where a file system has no locks, `take` says so and the worker goes by the process's identity alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PATIENCE = 1.0  # seconds: somebody who only looks whether the lock is held holds it for a moment

_held: dict[Path, FileLock] = {}  # a lock is given up when nothing refers to it any more


def take(file: Path) -> bool | None:
    """Hold the lock until `release` or the end of this process.

    Returns:
        Whether it is held now; None where this file system has no locks.
    """
    lock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=PATIENCE, poll_interval=0.02)
    except Timeout:
        return False
    except (OSError, NotImplementedError):
        return None
    _held[file] = lock
    return True


def release(file: Path) -> None:
    """Give up a lock that this process holds."""
    if lock := _held.pop(file, None):
        lock.release()


def held(file: Path) -> bool | None:
    """Whether some process holds the lock; None where that cannot be told."""
    if file in _held:
        return True
    try:
        number = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        return _shared(number) if fcntl else _refused(file)
    finally:
        os.close(number)  # and with it a shared lock: two who look do not take each other for a worker


def _shared(number: int) -> bool | None:
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _refused(file: Path) -> bool | None:
    lock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return None
    lock.release()
    return False
