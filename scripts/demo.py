"""Execute a notebook from a clean kernel, print what it says it reached, and write it as HTML beside it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter


def main(path: Path) -> None:
    """Execute `path`; the committed notebook itself is left as it is."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as runs:  # so that every demo makes its first run
        os.environ["NBMODELS_RUNS"] = runs
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": path.parent}}).execute()
    html, _ = HTMLExporter().from_notebook_node(notebook)
    target = path.with_suffix(".html")
    target.write_text(html, "utf-8")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = [line for output in outputs for line in output.get("text", "").splitlines() if "accuracy" in line]
    print(*said, sep="\n")
    print(f"The executed notebook: {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
