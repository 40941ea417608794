"""Whether the run's folder is still where the worker found it: moved, deleted, or on a disk that is away for now."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE, MOVED, DELETED, AWAY = "here", "moved", "deleted", "away"


class FolderWatch:
    """Keeps the folder open, so that it is known by what it is and not by its name.

    Attributes:
        moved_to: Where it is now, once it was moved and the system can tell.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.moved_to = path, None  # type: Path, Path | None
        self._open: int | None = None
        self._who = _who(path)
        if hasattr(os, "O_DIRECTORY"):
            self._open = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def look(self) -> str:
        """HERE, MOVED (`moved_to` says where to), DELETED, or AWAY: neither, but it cannot be reached."""
        try:
            if _who(self._path) == self._who:
                return HERE
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a network folder that does not answer
            return AWAY
        if self._open is None:
            return DELETED
        try:
            if os.fstat(self._open).st_nlink == 0:
                return DELETED
        except OSError:
            return AWAY
        self.moved_to = self._find()
        return MOVED if self.moved_to else AWAY

    def _find(self) -> Path | None:
        """The folder's path as the system knows it now; None where it has none, as on a disk that was unmounted."""
        assert self._open is not None
        try:
            if sys.platform == "darwin":
                import fcntl

                path = Path(os.fsdecode(fcntl.fcntl(self._open, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")))
            else:
                path = Path(f"/proc/self/fd/{self._open}").readlink()
            return path if _who(path) == self._who else None
        except OSError:
            return None


def _who(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
