"""The house itself: imports run one way, nothing heavy is loaded early, the README says what the code says."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "nbmodels"
# A room may import those before it, and itself.
ROOMS = ["errors", "values", "spec", "option", "options", "models", "data", "runs", "views", "server"]
SURFACES = ["names", "request", "line", "shown", "preview", "pages", "words"]
SURFACES += ["complete", "tooltip", "magic", "cli", "__init__"]
FILES = sorted(PACKAGE.rglob("*.py"))


def room(module: str) -> str:
    """`nbmodels.runs.folder` -> `runs`."""
    return (module.split(".") + ["__init__"])[1]


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports when it is loaded: not inside functions, not for types only."""
    found: set[str] = set()
    body: list[ast.stmt] = list(ast.parse(path.read_text("utf-8")).body)
    while body:
        node = body.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            body += node.body + node.orelse
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if node.module == "nbmodels" else node.module for alias in node.names
            }
    return {name for name in found if name.startswith("nbmodels")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    order = ROOMS + SURFACES
    own = room("nbmodels." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    assert own in order, f"{own} has no place in the order of the rooms"
    # facts, which every room speaks of, and the two tables are plain words: the folder and the options read them
    plain = {"nbmodels.data.facts", "nbmodels.data", "nbmodels.models"}
    for name in imported(path) - plain:
        assert order.index(room(name)) <= order.index(own), f"{own} imports {name}"


def test_launch_starts_the_worker_and_never_imports_it() -> None:
    assert not {"nbmodels.runs.worker", "nbmodels.runs.fit"} & imported(PACKAGE / "runs" / "launch.py")


def test_no_room_without_a_noun() -> None:
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "base", "core", "misc")]


@pytest.mark.parametrize(
    "module", ["nbmodels", "nbmodels.magic", "nbmodels.line", "nbmodels.words", "nbmodels.cli", "nbmodels.views.report"]
)
def test_the_kernel_imports_no_torch(module: str) -> None:
    heavy = "('torch', 'lightning', 'pandas', 'sklearn', 'matplotlib', 'ipywidgets')"
    program = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_readme_says_what_the_signatures_say() -> None:
    spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "readme.py")
    assert spec and spec.loader
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    assert readme.written() == readme.README.read_text("utf-8"), "type: make readme"


def test_every_word_is_in_the_readme() -> None:
    from nbmodels.line import WORDS

    text = (ROOT / "README.md").read_text("utf-8")
    assert [word for word in WORDS if f"`{word}" not in text] == []
