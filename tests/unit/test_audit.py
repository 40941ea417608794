"""The audit of what is installed: a hole fails it, a database that is out of reach does not and is said."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit.py"


@pytest.fixture
def audit() -> Any:
    found = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_out_of_reach_it_says_so_and_passes() -> None:
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env={**os.environ, **nowhere}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and "cannot be reached" in done.stdout


def test_a_known_hole_fails(audit: Any, monkeypatch: Any, capsys: Any) -> None:
    hole = {"id": "CVE-2025-32434", "fix_versions": ["2.6.0"], "description": ""}
    report = {
        "dependencies": [{"name": "torch", "version": "2.5.1", "vulns": [hole]}, {"name": "x", "skip_reason": ""}]
    }
    monkeypatch.setattr(audit, "reachable", lambda: True)
    monkeypatch.setattr(audit, "audit", lambda: report)
    assert audit.main() == 1 and capsys.readouterr().out == "torch 2.5.1: CVE-2025-32434, mended in 2.6.0\n"
    monkeypatch.setattr(audit, "audit", lambda: {"dependencies": [{"name": "x", "version": "1", "vulns": []}]})
    assert audit.main() == 0
