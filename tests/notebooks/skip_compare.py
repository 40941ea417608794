"""A pytest plugin for nbval (`-p skip_compare`): a run's own faces hold times and are not compared; text is."""

from __future__ import annotations

from typing import Any

FACES = ("application/vnd.nbmodels.run+json", "text/html", "image/png", "stderr")


def pytest_collectstart(collector: Any) -> None:
    """Tell nbval's collector of a notebook what to leave out."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += FACES
