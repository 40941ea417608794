"""The runs of a folder: those that can be read, the newest first, and in one line those that cannot.

One folder that is damaged, half copied or made to harm takes nothing from the others.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from nbmodels.errors import BigModelError
from nbmodels.runs.run_folder import NAME, SPEC, RunFolder

NAMED = 5  # folders named in the one line
SAID = 160  # characters of what is wrong with one

_verdicts: dict[Path, tuple[tuple[int, ...], str]] = {}  # what was wrong with a spec.yaml, as it was then


@dataclass
class Listing:
    """Runs, the newest first; `strays` says of every other folder with a spec.yaml what is wrong with it."""

    runs: list[RunFolder] = field(default_factory=list)
    strays: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The strays in one line; empty where there is none."""
        if not self.strays:
            return ""
        named = [f"{name} ({what})" for name, what in list(self.strays.items())[:NAMED]]
        more = len(self.strays) - len(named)
        are = "1 folder here is no run" if len(self.strays) == 1 else f"{len(self.strays)} folders here are no runs"
        return f"{are} that can be read: {', '.join(named)}{f' and {more} more' if more else ''}"


def listed(root: Path) -> Listing:
    """Every run of a folder of runs; never an error of a single one."""
    found, times = Listing(), {}
    try:
        names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    except OSError:
        return found
    for name in names:
        path = root / name
        seen = _stamp(path)
        if seen is None:
            continue
        if what := _wrong(path, seen):
            found.strays[ascii(name)[1:-1][:64]] = what
        else:
            times[name] = seen[0]
            found.runs.append(RunFolder(path))
    found.runs.sort(key=lambda run: times[run.name], reverse=True)
    return found


def _stamp(path: Path) -> tuple[int, ...] | None:
    """When its spec.yaml was written, and which file that is; None for a folder without one."""
    try:
        seen = path.joinpath(SPEC).lstat()
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino, stat.S_IFMT(seen.st_mode)


def _wrong(path: Path, seen: tuple[int, ...]) -> str:
    """What makes it no run; empty where it is one. A file that was looked at before is not read again."""
    if not NAME.fullmatch(path.name) or path.name.endswith("."):
        return "no run can be named so"
    known = _verdicts.get(path)
    if known is None or known[0] != seen:
        known = _verdicts[path] = (seen, _read(path))
    return known[1]


def _read(path: Path) -> str:
    try:
        RunFolder(path).spec()
    except BigModelError as error:
        what = " ".join(error.what.removeprefix(f"{path.name}'s ").split())
        return what if len(what) <= SAID else what[: SAID - 1] + "…"
    return ""
