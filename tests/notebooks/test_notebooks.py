"""Every notebook is executed, and its checked lines say what the file says; and what the files may hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pytest

from nbmodels.errors import DataError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SIZE = 150_000  # bytes
FETCHED = {  # what they need is fetched once
    "bert": ("shakespeare", "movie-reviews"),
    "lstm": ("movie-reviews",),
    "rnn": ("movie-reviews", "shakespeare"),
    "gru": ("shakespeare", "brown"),
    "vae": ("fashion-mnist",),
    "seq2seq": ("git-messages",),
    "transformer": ("git-messages",),
}
WEIGHTS = {"mobilenet": "efficientnet-lite0", "bert": "all-minilm-l6-v2", "llm": "smollm2-135m"}
MACHINE = re.compile(r"(?<![\w:/.])/(?:home|root|Users|tmp|work|var|opt|usr|private)/[\w.-]|\b[A-Z]:\\\\")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def nbval(path: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval over a notebook in a process of its own, its runs in a folder of the test's."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "skip_compare", "--nbval"]
    command += ["--nbval-current-env", "--nbval-sanitize-with", str(HERE / "sanitize.cfg"), str(path)]
    environment = {**os.environ, "NBMODELS_RUNS": str(place / "runs"), "PYTHONPATH": str(HERE)}
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def need(path: Path) -> None:
    """Skip, by name, a notebook whose data is not here and cannot be fetched."""
    from nbmodels.data.open import named

    for reference in FETCHED.get(path.stem, ()):
        try:
            named(reference, {}).load()
        except DataError as error:
            pytest.skip(f"{path.name}: {error}")
    if path.stem in WEIGHTS:
        from nbmodels.data.weights import find_weights

        try:
            find_weights({"pretrained": WEIGHTS[path.stem]})
        except DataError as error:
            pytest.skip(f"{path.name}: {error}")


@each_notebook
def test_runs_and_says_what_it_says(path: Path, tmp_path: Path) -> None:
    need(path)
    done = nbval(path, tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_a_checked_line_that_differs_fails(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("print('learned:', False)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="learned: True\n")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "wrong.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), path)
    assert nbval(path, tmp_path).returncode == 1


@each_notebook
def test_says_that_it_learned(path: Path) -> None:
    checked = [cell for cell in code(path) if "nbval-ignore-output" not in cell["metadata"].get("tags", [])]
    said = [line for cell in checked for out in cell["outputs"] for line in text(out)]
    assert any(line.endswith(": True") for line in said), said
    assert all(len([line for out in cell["outputs"] for line in text(out)]) <= 1 for cell in checked)


@each_notebook
def test_holds_nothing_of_a_machine(path: Path) -> None:
    content = path.read_text("utf-8")
    notebook = json.loads(content)
    assert len(content.encode()) <= SIZE
    assert "widgets" not in notebook["metadata"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    found = [match for cell in code(path) for match in MACHINE.findall(json.dumps(plain(cell["outputs"])))]
    assert not found
    assert all(cell["execution_count"] for cell in code(path))
    outputs = [output for cell in code(path) for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]


@each_notebook
def test_badges_and_installation_name_the_one_repository(path: Path) -> None:
    first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
    assert [line for line in first.splitlines() if line.startswith("[![")] == badges(path.name)
    installation = "".join(code(path)[0]["source"])
    assert f'%pip install --quiet "nbmodels[text,vision] @ git+{repository()}"' in installation


def test_the_readme_has_the_quickstart_badges() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("[![")] == badges("00-quickstart.ipynb")


def badges(name: str) -> list[str]:
    """The two lines under a notebook's title."""
    slug, path = repository().removeprefix("https://github.com/"), f"notebooks/{name}"
    binder = f"https://mybinder.org/v2/gh/{slug}/HEAD?labpath={quote(path, safe='')}"
    colab = "https://colab.research.google.com"
    return [
        f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder})",
        f"[![Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{slug}/blob/HEAD/{path})",
    ]


def repository() -> str:
    """The one URL, from pyproject.toml."""
    found = re.search(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def code(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def text(output: dict[str, Any]) -> list[str]:
    """The lines of an output's plain text."""
    said = output.get("text") or output.get("data", {}).get("text/plain") or []
    return "".join(said).splitlines()


def plain(outputs: list[dict[str, Any]]) -> list[Any]:
    """Outputs without pictures: base64 may hold anything."""
    return [re.sub(r"data:image/[^\"']+|\"image/png\": \"[^\"]+\"", "", json.dumps(output)) for output in outputs]
