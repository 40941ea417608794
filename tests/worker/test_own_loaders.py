"""Whatever Lightning takes, a user's own module may be given here: counted, recorded, and gone on with exactly."""

from __future__ import annotations

import importlib.util
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import own_loaders
import pytest
from forked import Workers
from test_own_record import reference_of, same

from nbmodels.errors import DataError
from nbmodels.names import streams
from nbmodels.runs import folder as folders
from nbmodels.runs.fit import fit
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.launch import pickled
from nbmodels.runs.pulse import Pulse
from nbmodels.runs.run import Run
from nbmodels.spec import Spec, Training

HERE = Path(__file__).parent
NEEDS = {"hugging face": "datasets", "encoding": "transformers"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("runs")
    folders.set_runs_root(path)
    yield path
    folders.set_runs_root(None)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def make(run: str, data: Any, model: Any = own_loaders.Module, name: str = "notebook:M", **asked: Any) -> RunFolder:
    objects = pickled({"model": model, "data": data})
    training = Training(device="cpu", threads=1, **{"epochs": 3, "save_steps": 2, **asked})
    return folders.create(Spec(run, name, "notebook:d", training=training), objects)


@pytest.mark.parametrize("name", own_loaders.LOADERS)
def test_every_make_of_loader_trains_and_goes_on_exactly(name: str, place: Path, workers: Workers) -> None:
    if (needs := NEEDS.get(name)) and not importlib.util.find_spec(needs):
        pytest.skip(f"needs {needs}")
    made = own_loaders.LOADERS[name]()
    assert streams(made)
    rows = reference_of(own_loaders.Module, own_loaders.LOADERS[name](), place, name)
    steps = max(int(row["step"]) for row in rows) + 1
    folder = make(name.replace(" ", "-"), made)
    chance = random.Random(name)
    assert workers.work(folder, kill=chance.randint(2, steps // 2)) == -signal.SIGKILL, folder.log()
    assert workers.work(folder, stop=chance.randint(steps // 2 + 1, steps - 2)) == 0, folder.log()
    assert workers.work(folder) == 0, folder.log()
    assert folder.state() == "finished"
    same(folder, rows)
    assert folder.status()["samples_per_second"] > 0
    facts = folder.facts()
    assert facts is not None


@pytest.mark.parametrize("name", ["dictionaries", "list", "state"])
def test_our_own_models_ask_for_pairs_in_one_line(name: str, place: Path) -> None:
    folder = make(f"ours-{name}", own_loaders.LOADERS[name](), name="mlp")
    with pytest.raises(DataError, match=r"take \(x, y\)"):
        fit(folder, Pulse(folder))


def test_held_out_figures_of_several_loaders(place: Path, workers: Workers) -> None:
    train, val = own_loaders.LOADERS["several"]()
    folder = make("tested", (train, val, [val[0], {"a": val[1]}["a"]]), epochs=1)
    assert workers.work(folder) == 0, folder.log()
    figures = Run(folder).test()["figures"]
    assert set(figures) == {"test_loss/dataloader_idx_0", "test_loss/dataloader_idx_1"}


def test_a_dataset_in_all_but_name_is_split_as_any(place: Path, workers: Workers) -> None:
    folder = make("map", own_loaders.MapOnly(), epochs=1, batch_size=4)
    assert workers.work(folder) == 0, folder.log()
    assert len([row for row in folder.metrics() if "train_loss_step" in row]) == 8  # 32 of 40 to train on
    assert any("val_loss" in row for row in folder.metrics())


@pytest.mark.skipif(not importlib.util.find_spec("datasets"), reason="needs datasets")
def test_the_splits_of_a_hugging_face_dictionary(place: Path, workers: Workers) -> None:
    import datasets

    whole = own_loaders.hugging_face()
    folder = make("splits", datasets.DatasetDict({"train": whole, "validation": whole, "test": whole}), epochs=1)
    assert workers.work(folder) == 0, folder.log()
    assert [row for row in folder.metrics() if "val_loss" in row]


def test_what_is_in_memory_is_no_stream() -> None:
    import numpy as np
    import pandas as pd
    import torch

    arrays = np.zeros((3, 2)), [1, 2, 3]
    for each in (
        arrays,
        pd.DataFrame({"a": [1]}),
        torch.zeros(3),
        {"x": arrays[0]},
        ["a", "b"],
        "text",
        range(3),
        {},
        [],
    ):
        assert not streams(each)
