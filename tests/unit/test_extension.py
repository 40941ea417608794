"""The front end: its state tested in Node, its types, a bundle that stands alone, a build only when it is old."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

EXTENSION = Path(__file__).parents[2] / "extension"
STATIC = Path(__file__).parents[2] / "nbmodels" / "views" / "static"
needs_node = pytest.mark.skipif(
    not shutil.which("npm") or not EXTENSION.joinpath("node_modules").is_dir(),
    reason="needs Node and extension/node_modules (cd extension && npm ci)",
)
needs_bundle = pytest.mark.skipif(
    not STATIC.joinpath("live.js").is_file(), reason="needs the built front end (pip install -e .)"
)


@needs_node
@pytest.mark.parametrize("script", ["check", "test"])
def test_npm(script: str):
    done = subprocess.run(["npm", "run", script], cwd=EXTENSION, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_bundle
def test_the_bundle_stands_alone():
    code = STATIC.joinpath("live.js").read_text("utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", code)) - {"https://github.com/leeoniya/uPlot"}
    assert not addresses and "sourceMappingURL" not in code and "innerHTML" not in code.split("uPlot", 1)[0]
    assert "MIT" in code[:300] and len(code) < 120_000
    assert not re.search(r"@import|url\((?!data:)", STATIC.joinpath("live.css").read_text("utf-8"))


def test_no_data_becomes_markup():
    sources = "".join(path.read_text("utf-8") for path in EXTENSION.glob("src/**/*.ts"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\bany\b(?= *[;,)=>\]])|console\.", sources)


def hook() -> ModuleType:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", EXTENSION / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_front_end_is_built_only_when_it_is_old(tmp_path: Path):
    module = hook()
    front = module.FrontEnd.__new__(module.FrontEnd)
    front._BuildHookInterface__root = str(tmp_path)
    shutil.copytree(EXTENSION, tmp_path / "extension", ignore=shutil.ignore_patterns("node_modules", "build"))
    assert front._stale()
    static = tmp_path / "nbmodels" / "views" / "static"
    static.mkdir(parents=True)
    for name in module.BUILT:
        static.joinpath(name).write_text("built")
    later = time.time() + 10
    for name in module.BUILT:
        os.utime(static / name, (later, later))
    assert not front._stale() and front.dependencies() == []
    os.utime(tmp_path / "extension" / "src" / "state.ts", (later + 10, later + 10))
    assert front._stale()
    tmp_path.joinpath("PKG-INFO").write_text("")
    assert not front._stale()  # an sdist carries what was built
