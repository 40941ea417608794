"""From a place and a name in a request to a run's folder: nothing of the request reaches the disk unchecked."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from nbmodels.errors import BigModelError, RunError
from nbmodels.runs import folder as folders
from nbmodels.runs import places
from nbmodels.runs.folder import RunFolder
from nbmodels.spec import Spec

Stamp = tuple[tuple[int, ...] | None, ...]


class Refusal(HTTPError):
    """An answer that is no: its status, one line, and what to do instead."""

    def __init__(self, status: int, message: str, hint: str = "", **more: Any) -> None:
        super().__init__(status)
        self.message, self.hint, self.more = message, hint, more


class KeptFolder(RunFolder):
    """A run as a server reads it: spec.yaml parsed once, and what a newer version wrote of it does no harm."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self._spec: Spec | None = None
        self._spec_stamp: Stamp = ()

    def spec(self) -> Spec:
        """What was asked, parsed anew only when the file is another one."""
        now = self.stamp(folders.SPEC)
        if self._spec is None or now != self._spec_stamp:
            self._spec, self._spec_stamp = super().spec(), now
        return self._spec

    def stamp(self, *names: str) -> Stamp:
        """When each file was written, how long it is and which one it is; None for one that is not there."""
        return tuple(self._stamp(name) for name in names)

    def _stamp(self, name: str) -> tuple[int, ...] | None:
        try:
            seen = self.file(name).stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_size, seen.st_ino


def find(place: str, name: str) -> KeptFolder:
    """The run of that name in that place; Refusal 404 where there is none, InputError for what can be no name."""
    root = places.root_of(place)
    if root is None:
        raise Refusal(404, "There is no such folder of runs", "It was moved, or belongs to another user.")
    folder = KeptFolder(root / folders.check_name(name))
    if not folder.file(folders.SPEC).is_file():
        raise Refusal(404, f"There is no run {name!r}", "It was renamed or deleted.")
    return folder


def find_id(run: str) -> KeptFolder:
    """The same for `PLACE/NAME`."""
    place, _, name = run.partition("/")
    return find(place, name)


def unreadable(folder: RunFolder, error: Exception) -> BigModelError:
    """The error for a folder that does not hold what this version knows."""
    said = str(error).split("\n")[0] or type(error).__name__
    return RunError(
        f"{folder.name} cannot be read: {said}", "It may come from a newer version: %pip install -U nbmodels"
    )
