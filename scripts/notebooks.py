"""Execute every notebook from a clean kernel and keep its outputs: small, static, with no path of this machine.

    python scripts/notebooks.py [NOTEBOOK…]

A notebook that fails, or whose outputs must not be kept, is left as it was.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
LIMIT = 150_000  # bytes of one notebook
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(paths: list[Path]) -> None:
    """Execute these notebooks, or all of them, one after another."""
    for path in paths or sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        text = executed(path)
        path.write_text(text, "utf-8")
        print(f"{path.name}: {time.monotonic() - began:.0f} s, {len(text.encode()) / 1000:.0f} kB", flush=True)


def executed(path: Path) -> str:
    """The notebook with fresh outputs, as it is kept; SystemExit says why they cannot be kept."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="nbmodels-") as place:
        # Runs and IPython's history go elsewhere: nothing of the person who executes a lesson belongs into it.
        environment = {**os.environ, "NBMODELS_RUNS": f"{place}/runs", "IPYTHONDIR": f"{place}/ipython"}
        environment.update(COLUMNS="100", LINES="24")
        resources = {"metadata": {"path": str(path.parent)}}
        client = NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False, resources=resources)
        client.execute(env=environment)
        notebook.metadata = nbformat.from_dict(METADATA)
        text: str = nbformat.writes(without(f"{place}/", notebook)) + "\n"
    refuse(path, text, notebook)
    return text


def without(prefix: str, value: Any) -> Any:
    """The value, all the way down, with a folder of this machine cut off the paths in it."""
    if isinstance(value, dict):
        for key in value:
            value[key] = without(prefix, value[key])
        return value
    if isinstance(value, list):
        return [without(prefix, each) for each in value]
    return value.replace(prefix, "") if isinstance(value, str) else value


def refuse(path: Path, text: str, notebook: Any) -> None:
    """SystemExit where the notebook is too large, shows a warning, or names a folder of this machine."""
    if len(text.encode()) > LIMIT:
        raise SystemExit(f"{path.name} has {len(text.encode()):,} bytes; the limit is {LIMIT:,}")
    places = [str(FOLDER.parent), str(Path.home()), sys.prefix, tempfile.gettempdir()]
    for place in places:
        if f"{place}/" in text:
            raise SystemExit(f"{path.name} names {place}, a folder of this machine")
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise SystemExit(f"{path.name}, cell {number}, says on stderr: {output['text']}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
