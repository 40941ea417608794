"""Completion: from the text before the cursor to the words that may stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbmodels import complete as completion
from nbmodels.complete import complete
from nbmodels.data import DATA
from nbmodels.line import WORDS
from nbmodels.models import MODELS
from nbmodels.spec import Spec


class Run:
    """Stands for a run that a variable holds."""


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.yaml").write_text(Spec(name, "cnn", "digits").to_yaml())


def namespace() -> dict[str, Any]:
    import numpy as np

    return {"X": np.zeros(3), "y": [1], "run": Run(), "n": 3, "_hidden": np.zeros(1)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%bigmodel ", list(WORDS)),
        ("%bigmodel tr", ["train"]),
        ("run = %bigmodel tr", ["train"]),
        ("x = 3\nrun = %bigmodel tr", ["train"]),
        ("%%bigmodel tr", ["train"]),
        ("%bigmodel train ", list(MODELS)),
        ("%bigmodel train c", ["cnn"]),
        ("%bigmodel info aut", ["autoencoder"]),
        ("%bigmodel help att", ["attach"]),
        ("%bigmodel train cnn --epo", ["--epochs"]),
        ("%bigmodel train cnn --pad", ["--padding"]),
        ("%bigmodel train gpt --pad", []),
        ("%bigmodel train cnn --epochs 3 --epo", []),
        ("%bigmodel train cnn --padding ", ["valid", "same"]),
        ("%bigmodel train cnn --padding=s", ["same"]),
        ("%bigmodel train cnn --optimizer ada", ["adam", "adamw"]),
        ("%bigmodel train cnn --epochs ", ["3"]),
        ("%bigmodel train cnn --comp", ["--compile"]),
        ("%bigmodel train cnn --no-w", ["--no-wait"]),
        ("%bigmodel train cnn --data ", [*DATA, "X", "y"]),
        ("%bigmodel train cnn --data fash", ["fashion-mnist"]),
        ("%bigmodel train mlp --data X,", [*DATA, "X", "y"]),
        ("%bigmodel train cnn --data digits --aug", ["--augment"]),
        ("%bigmodel train cnn --from ", ["first", "second", "run"]),
        ("%bigmodel attach sec", ["second"]),
        ("%bigmodel stop ru", ["run"]),
        ("%bigmodel predict first ", ["X", "y"]),
        ("%bigmodel predict first X --len", ["--length"]),
        ("%bigmodel data pyd", ["pydoc"]),
        ("%%bigmodel train cnn\nepo", ["epochs:"]),
        ("%%bigmodel train cnn\nepochs: 3\npadding: ", ["valid", "same"]),
        ("%%bigmodel train cnn\ndata: dig", ["digits"]),
        ("bigmodel tr", []),
        ("print('%bigmodel tr", []),
        ("%bigmodels tr", []),
        ("%bigmodel nothing ", []),
        ("%bigmodel train nothing --epo", ["--epochs"]),
        ("%bigmodel runs ", []),
    ],
)
def test_what_may_stand_there(text: str, expected: list[str]) -> None:
    assert sorted(complete(text, namespace())) == sorted(expected)


def test_what_is_completed_is_accepted() -> None:
    for model in complete("%bigmodel train ", {}):
        flags = complete(f"%bigmodel train {model} --", {})
        assert "--epochs" in flags and "--lr" in flags and "--help" in flags


@pytest.mark.parametrize(
    "text", ["%bigmodel train cnn --data '", "%%bigmodel\n", "%bigmodel \x00", "%bigmodel train = -"]
)
def test_it_never_raises(text: str) -> None:
    complete(text, {"strange": type("Strange", (), {"__getattr__": lambda self, name: 1 / 0})()})


def test_the_word_under_the_cursor() -> None:
    assert completion.fragment("%bigmodel train cnn --data X,y") == "y"
    assert completion.fragment("%bigmodel train cnn --data=dig") == "dig"
    assert completion.fragment("%bigmodel ") == ""
