"""The magic in a real IPython shell: what it shows, what it refuses, what it completes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbmodels import magic, words
from nbmodels.errors import InputError
from nbmodels.runs import folder, launch
from nbmodels.runs.run import Run


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    patch = pytest.MonkeyPatch()
    patch.setattr(launch, "warm", lambda: None)
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "nbmodels")
    yield shell
    patch.undo()
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Runs are written, but no worker is started and none is waited for."""
    found: list[Any] = []
    monkeypatch.setattr(launch, "start", lambda folder, *words: found.append(folder))
    monkeypatch.setattr(Run, "wait", lambda self, timeout=None: self)
    monkeypatch.setattr(magic, "show", lambda run: None)
    return found


def test_a_page_has_html_and_text(shell: InteractiveShell) -> None:
    for text in ("", "help", "models", "info cnn", "data", "runs", "train --help"):
        page = shell.run_line_magic("bigmodel", text)
        bundle, _ = shell.display_formatter.format(page)
        assert bundle["text/html"].startswith("<") and bundle["text/plain"]


def test_info_shows_the_formula_and_what_the_data_sets(shell: InteractiveShell) -> None:
    bundle, _ = shell.display_formatter.format(shell.run_line_magic("bigmodel", "info cnn"))
    assert "$$" in bundle["text/html"] and "--channels" in bundle["text/plain"]
    assert "parameters" in bundle["text/plain"] and "The data sets --in-channels" in bundle["text/plain"]


def test_a_mistake_is_one_line(shell: InteractiveShell) -> None:
    done = shell.run_cell("%bigmodel train cnn --epochs three")
    assert isinstance(done.error_in_exec, InputError)
    assert done.error_in_exec._render_traceback_() == [
        "InputError: --epochs takes a whole number of at least 1, not 'three'. Type: --epochs 3"
    ]
    assert done.error_in_exec.__suppress_context__ or done.error_in_exec.__context__ is None


def test_run_equals_train_gives_the_run(shell: InteractiveShell, started: list[Any], runs: Path) -> None:
    assert shell.run_cell("run = %bigmodel train cnn --data digits --epochs 2 --name first").success
    run = shell.user_ns["run"]
    assert isinstance(run, Run) and run.name == "first" and len(started) == 1
    assert run.spec.training.epochs == 2 and run.folder.path.parent == runs
    assert shell.run_line_magic("bigmodel", "attach run") is run
    assert shell.run_line_magic("bigmodel", "attach").name == "first"
    assert "first" in repr(shell.run_line_magic("bigmodel", "runs"))


def test_a_cell_of_options_trains(shell: InteractiveShell, started: list[Any]) -> None:
    run = shell.run_cell_magic("bigmodel", "train cnn --name celled", "data: digits\nchannels: [8, 16]\nepochs: 4\n")
    assert run.spec.training.epochs == 4 and run.spec.model_options["channels"] == [8, 16]


def test_a_class_and_arrays_of_the_notebook(shell: InteractiveShell, started: list[Any]) -> None:
    shell.run_cell("import torch, numpy as np\nX = np.random.rand(40, 4).astype('float32')\ny = np.arange(40) % 2")
    shell.run_cell(
        "class Net(torch.nn.Sequential):\n"
        "    def __init__(self, in_features: int = 4, num_classes: int = 2, width: int = 5):\n"
        "        super().__init__(torch.nn.Linear(in_features, width), torch.nn.Linear(width, num_classes))"
    )
    run = shell.run_line_magic("bigmodel", "train Net --data X,y --width 6 --task classification")
    assert (run.spec.model, run.spec.data, run.spec.model_options) == ("notebook:Net", "notebook:X,y", {"width": 6})
    assert (run.folder.path / "objects.pkl").is_file()


def test_a_data_set_shows_samples(shell: InteractiveShell) -> None:
    digits = shell.run_line_magic("bigmodel", "data digits")._repr_html_()
    assert "data:image/png;base64," in digits and "CC BY" in digits and len(digits) < 50_000
    assert "a few samples" in repr(shell.run_line_magic("bigmodel", "data pydoc"))


def test_without_a_name_the_only_run_alive_is_meant(
    shell: InteractiveShell, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no run here yet. Type: %bigmodel train cnn"):
        shell.run_line_magic("bigmodel", "stop")
    for name in ("first", "second"):
        shell.run_line_magic("bigmodel", f"train cnn --name {name}")
    with pytest.raises(InputError, match="2 runs are alive. Name one: "):
        shell.run_line_magic("bigmodel", "pause")
    folder.find("first").write_status(state="finished")
    assert "second pauses" in repr(shell.run_line_magic("bigmodel", "pause"))
    assert folder.find("second").control()["want"] == "pause"


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        (["x"], "image", 7),
        (["5.1", "3.5"], "table", [5.1, 3.5]),
        (["[5.1,3.5]"], "table", [5.1, 3.5]),
        (["so", "good"], "text", "so good"),
        (["so good", "so bad"], "text", ["so good", "so bad"]),
        (["a.png", "b.png"], "image", ["a.png", "b.png"]),
    ],
)
def test_what_is_typed_after_predict(typed: list[str], kind: str, expected: Any) -> None:
    assert words.read_inputs(typed, kind, {"x": 7}) == expected


def test_the_panel_starts_what_train_would(shell: InteractiveShell, started: list[Any]) -> None:
    panel = shell.run_line_magic("bigmodel", "panel cnn --epochs 2 --name formed")
    assert "train cnn" in panel.line and "--epochs 2" in panel.line
    run = panel._start_run(panel.values)
    assert (run.name, run.spec.training.epochs, run.spec.data) == ("formed", 2, "digits")
    with pytest.raises(InputError, match="gpt takes text"):
        shell.run_line_magic("bigmodel", "panel gpt --data digits")


def test_python_is_the_same_grammar(started: list[Any]) -> None:
    import nbmodels

    run = nbmodels.train("cnn", data="digits", epochs=3, channels=(8, 16), name="python", wait=False)
    assert run.spec.training.epochs == 3 and nbmodels.attach("python").name == "python"
    with pytest.raises(InputError, match="Type: epochs=3"):
        nbmodels.train("cnn", epochs="three")
    with pytest.raises(InputError, match="There is a run named 'python' already"):
        nbmodels.train("cnn", name="python")
    assert nbmodels.Run is Run and nbmodels.__version__
    with pytest.raises(AttributeError):
        _ = nbmodels.nothing


def test_config_moves_the_runs(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.run_line_magic("config", f"BigModel.runs = '{tmp_path}/elsewhere'")
    assert folder.runs_root() == tmp_path / "elsewhere"
    shell.run_line_magic("config", "BigModel.runs = ''")
    assert folder.runs_root() == tmp_path / "runs"


def test_loading_twice_changes_nothing(shell: InteractiveShell) -> None:
    from nbmodels import complete

    magic.load(shell)
    complete.register(shell)
    complete.register(shell)
    assert sum(isinstance(each, magic.BigModel) for each in shell.configurables) == 1
    assert sum("nbmodels" in str(each) for each in shell.Completer.custom_matchers) <= 1


def test_tab_completes_in_line_and_cell(shell: InteractiveShell) -> None:
    from IPython.core.completer import provisionalcompleter

    from nbmodels import complete

    complete.register(shell)

    def tab(text: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, len(text)))
        return [text[: each.start] + each.text for each in found]

    assert tab("%bigmodel tra") == ["%bigmodel train"]
    assert tab("run = %bigmodel train cnn --epo") == ["run = %bigmodel train cnn --epochs"]
    assert tab("%%bigmodel train cnn\nepo") == ["%%bigmodel train cnn\nepochs:"]
    assert tab("x = 1\nrun = %bigmodel info lin") == ["x = 1\nrun = %bigmodel info linear"]
    assert tab("%bigmodel train cnn --padding=sa") == ["%bigmodel train cnn --padding=same"]


def test_loading_is_light() -> None:
    code = """if True:
        import sys, time
        from IPython.core.interactiveshell import InteractiveShell
        from nbmodels.runs import launch
        launch.warm = lambda: None
        shell = InteractiveShell.instance()
        began = time.perf_counter()
        shell.run_line_magic("load_ext", "nbmodels")
        took = time.perf_counter() - began
        shell.run_line_magic("bigmodel", "models")
        shell.run_line_magic("bigmodel", "train cnn --help")
        heavy = [name for name in ("torch", "pandas", "matplotlib", "sklearn", "lightning") if name in sys.modules]
        print(took, heavy)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, _, heavy = done.stdout.strip().rpartition("\n")[2].partition(" ")
    assert heavy == "[]"
    assert float(took) < 1.0  # 0.05 s where it was measured
