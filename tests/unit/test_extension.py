"""The front end: its state tested in Node, its types, a bundle that stands alone, a build only when it is old."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "extension"
STATIC = ROOT / "nbmodels" / "views" / "static"
LAB = ROOT / "nbmodels" / "labextension"
needs_node = pytest.mark.skipif(
    not shutil.which("npm") or not EXTENSION.joinpath("node_modules").is_dir(),
    reason="needs Node and extension/node_modules (cd extension && npm ci)",
)
needs_bundle = pytest.mark.skipif(
    not STATIC.joinpath("live.js").is_file() or not LAB.joinpath("package.json").is_file(),
    reason="needs the built front end (pip install -e .)",
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


@needs_bundle
def test_the_lab_extension_is_whole_and_names_no_place():
    described = json.loads(LAB.joinpath("package.json").read_text("utf-8"))
    assert LAB.joinpath(described["jupyterlab"]["_build"]["load"]).is_file()
    assert json.loads(LAB.joinpath("install.json").read_text("utf-8"))["packageName"] == described["name"] == "nbmodels"
    assert LAB.joinpath("schemas", "nbmodels", "settings.json").is_file()
    files = [path for path in LAB.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".map"]
    assert sum(path.stat().st_size for path in files) < 400_000
    for path in files:
        text = path.read_text("utf-8")
        assert "//# sourceMappingURL" not in text and str(ROOT) not in text and "file://" not in text, path


def test_one_version_and_one_name():
    project = ROOT.joinpath("pyproject.toml").read_text("utf-8")
    described = json.loads(EXTENSION.joinpath("package.json").read_text("utf-8"))
    assert f'\nversion = "{described["version"]}"\n' in project
    assert not {"resolved"} & set(re.findall(r'"(\w+)":', EXTENSION.joinpath("package-lock.json").read_text("utf-8")))
    config = ROOT / "jupyter-config" / "jupyter_server_config.d" / "nbmodels.json"
    assert json.loads(config.read_text("utf-8")) == {"ServerApp": {"jpserver_extensions": {"nbmodels.server": True}}}


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
    later = time.time() + 10
    for name in module.BUILT:
        built = tmp_path / "nbmodels" / name
        assert front._stale()
        built.parent.mkdir(parents=True, exist_ok=True)
        built.write_text("built")
        os.utime(built, (later, later))
    assert not front._stale() and front.dependencies() == []
    for source in ("src/state.ts", "src/lab/index.ts", "schema/settings.json", "package.json", "build.mjs"):
        os.utime(tmp_path / "extension" / source, (later + 10, later + 10))
        assert front._stale(), source
        os.utime(tmp_path / "extension" / source, (later - 10, later - 10))
    os.utime(tmp_path / "extension" / "src" / "state.ts", (later + 10, later + 10))
    tmp_path.joinpath("PKG-INFO").write_text("")
    assert not front._stale()  # an sdist carries what was built


def test_every_training_option_has_a_chinese_line():
    from nbmodels.options import read_dataclass
    from nbmodels.request import COMMON
    from nbmodels.spec import Training

    said = EXTENSION.joinpath("src/words-options.ts").read_text("utf-8")
    names = [option.name for option in (*read_dataclass(Training).options, *COMMON)]
    assert [name for name in names if f"  {name}: " not in said] == []
