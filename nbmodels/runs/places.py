"""Where this user has runs: every folder of runs leaves its name in the user's state folder, so that a server finds it.

A run is known to the world by `<place id>/<name>`: the id says which folder it is and tells nobody its path.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from platformdirs import user_state_path

from nbmodels.runs.folder import runs_root


def place_id(root: Path) -> str:
    """Twelve hexadecimal digits that stand for a folder of runs."""
    return hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:12]


def note(root: Path) -> None:
    """Remember a folder of runs; a home that cannot be written is no reason not to train."""
    with contextlib.suppress(OSError):
        file = _notes() / place_id(root)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_text(str(root.absolute()), "utf-8")


def known() -> dict[str, Path]:
    """id -> folder of runs, this process's own first; only those that are there, each under its own id."""
    return {place: root for place, root in noted().items() if root.is_dir()}


def noted() -> dict[str, Path]:
    """The same without a look at the folders themselves, whose disks may be away."""
    own = runs_root()
    found = {place_id(own): own}
    with contextlib.suppress(OSError):
        for file in sorted(_notes().iterdir()):
            with contextlib.suppress(OSError, ValueError):
                root = Path(file.read_text("utf-8"))
                if file.name == place_id(root):
                    found[file.name] = root
    return found


def root_of(place: str) -> Path | None:
    """The folder of runs of that id, where it is there."""
    root = noted().get(place)
    return root if root is not None and root.is_dir() else None


def _notes() -> Path:
    return user_state_path("nbmodels") / "places"
