"""Real workers that start from another run, whole or with the body held still."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import nbmodels
from nbmodels.errors import InputError
from nbmodels.runs import checkpoint, launch
from nbmodels.runs import folder as folders
from nbmodels.runs.run import Run


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """One warm process for the file."""
    launch.warm()


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[Path]:
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path / "runs"
    folders.set_runs_root(None)


def weights(run: Run) -> dict[str, torch.Tensor]:
    path = checkpoint.newest(run.folder)
    assert path is not None
    found: dict[str, torch.Tensor] = checkpoint.load(path)["state_dict"]
    return found


def log(run: Run) -> str:
    return (run.folder.path / "worker.log").read_text("utf-8")


def texts(classes: dict[str, str], count: int, more: str = "") -> tuple[list[str], list[str]]:
    """Texts of a few words, half of them of their class."""
    drawn, common = random.Random(0), [*["the", "a", "of", "in", "on"], *more.split()]
    labels = [drawn.choice(list(classes)) for _ in range(count)]
    return [" ".join(drawn.choices(classes[each].split(), k=3) + drawn.choices(common, k=4)) for each in labels], labels


def test_a_run_on_other_texts_and_classes_starts_with_what_the_first_knows() -> None:
    classes = {"rain": "wet cloud drop grey", "sun": "warm bright clear gold"}
    first = nbmodels.train("gru", data=texts(classes, 400), epochs=3, wait=True)
    wider = {"fog": "dim blur haze", **classes, "zephyr": "mild soft breath"}
    data = texts(wider, 600, "here there wind wind wind")
    second = nbmodels.train("gru", data=data, epochs=1, lr=1e-9, from_=first.name, wait=True)
    old, new = first.folder.facts(), second.folder.facts()
    assert old and new and old.classes == ("rain", "sun") and new.classes == ("fog", "rain", "sun", "zephyr")
    from nbmodels.data.text import tokenizer

    words = [tokenizer(facts.tokens or {}) for facts in (old, new)]
    seen = [torch.tensor([each.encode("the wet cloud of gold on bright")]) for each in words]
    assert not torch.equal(*seen)
    with torch.no_grad():
        before, after = first.model.eval()(seen[0]), second.model.eval()(seen[1])
    assert torch.allclose(before, after[:, 1:3], atol=1e-4)
    assert "Of 4 classes 2 are known there" in log(second) and " tokens " in log(second)


def test_only_the_head_learns_in_a_real_run_and_a_notebooks_class_says_which_it_is() -> None:
    first = nbmodels.train("cnn", data="digits", limit=300, epochs=1, wait=True)
    second = nbmodels.train("cnn", data="digits", limit=300, epochs=2, from_=first.name, freeze=True, wait=True)
    before, after = weights(first), weights(second)
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"head.weight", "head.bias"}
    assert "Only head learns: 650 of " in log(second)

    class Net(nn.Module):
        head_layers = ("classify", "scale")

        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Linear(32, 10)
            self.scale = nn.Parameter(torch.ones(10))
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32))
            self.body[1].bias.requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classify(self.body(x).relu()) * self.scale

    options: dict[str, Any] = {"data": "digits", "limit": 300, "wait": True}
    third = nbmodels.train(Net, epochs=1, **options)
    fourth = nbmodels.train(Net, epochs=2, from_=third.name, freeze=True, **options)
    before, after = weights(third), weights(fourth)
    learned = {name for name in before if not torch.equal(before[name], after[name])}
    assert learned == {"network.classify.weight", "network.classify.bias", "network.scale"}
    fifth = nbmodels.train(Net, epochs=2, from_=third.name, unfreeze_at=1, **options)
    after = weights(fifth)
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert still == {"network.body.1.bias"}, "what the class itself holds still stays so"


@pytest.mark.parametrize("line", [{"freeze": True}, {"unfreeze_at": 1}])
@pytest.mark.parametrize("model", ["gpt", "llm", "dalle", "seq2seq", "transformer", "vae", "autoencoder", "linear"])
def test_a_model_without_a_head_is_refused_and_no_folder_is_written(
    model: str, line: dict[str, Any], place: Path
) -> None:
    with pytest.raises(InputError, match="no head to train alone"):
        nbmodels.train(model, wait=True, **line)
    assert not place.exists() or not list(place.iterdir())
