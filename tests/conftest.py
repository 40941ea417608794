"""What holds for every test."""

from __future__ import annotations

import os
import tempfile

import pytest

# Read when torch is loaded: tests share the cores with the workers they start (see the README's figures).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The runs of the tests are none that this user would look for.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="nbmodels-state-")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, a file stays in one, as its fixtures expect; every notebook goes alone."""
    for item in items:
        if item.path.parent.name != "notebooks":
            item.add_marker(pytest.mark.xdist_group(item.path.name))
