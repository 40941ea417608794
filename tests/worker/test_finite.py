"""A loss that is no number ends the training there, or its batch is passed over; no checkpoint holds such weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import lightning.pytorch as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from nbmodels.errors import RunError
from nbmodels.runs import checkpoint, fit, launch
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.pulse import Pulse
from nbmodels.runs.run import Run
from nbmodels.spec import Spec, Training


class Module(L.LightningModule):
    """Its loss goes wrong at the batches that are named, in the way that is named."""

    bad: ClassVar[dict[int, str]] = {}

    def __init__(self, manual: bool = False) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
        self.automatic_optimization = not manual

    def training_step(self, batch: Any, number: int) -> Any:
        loss = self.second(self.first(batch[0])).square().mean()
        what = self.bad.get(self.trainer.fit_loop.total_batch_idx + 1, "")
        if what == "weight":
            with torch.no_grad():
                self.second.weight[0, 2] = float("inf")
            loss = self.second(self.first(batch[0])).square().mean()
        elif what:
            loss = loss * float(what)
        self.log("train_loss", loss)
        if self.automatic_optimization:
            return loss
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return None

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), 0.01, weight_decay=0.1)


class Nothing(Module):
    def training_step(self, batch: Any, number: int) -> None:
        self.log("train_loss", self.first(batch[0]).mean())


class Validated(Module):
    def validation_step(self, batch: Any, number: int) -> None:
        self.log("val_loss", float("nan"))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folders.set_runs_root(tmp_path / "runs")
    yield
    folders.set_runs_root(None)
    Module.bad = {}


def make(module: L.LightningModule | None, bad: dict[int, str], **training: Any) -> RunFolder:
    Module.bad = bad
    asked = Training(epochs=2, device="cpu", threads=1, **training)
    name = folders.free_name("run")
    if module is None:
        return folders.create(Spec(name, "mlp", "digits", training=asked))
    data = DataLoader(TensorDataset(torch.arange(72.0).reshape(24, 3) / 72), 2, shuffle=True)
    objects = launch.pickled({"model": module, "data": (data, data)})
    return folders.create(Spec(name, "notebook:m", "notebook:d", training=asked), objects)


def go(folder: RunFolder) -> None:
    pulse = Pulse(folder)
    pulse.start()
    state = "failed"
    try:
        state = fit.fit(folder, pulse)
    finally:
        pulse.end(state=state)


def sound(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows, if everything that is written is JSON, and every checkpoint is finite."""
    for path in (folder.file(folders.METRICS), folder.file(folders.STATUS)):
        assert b"NaN" not in path.read_bytes() and b"Infinity" not in path.read_bytes()
    for path in folder.checkpoints():
        kept = checkpoint.load(path)
        assert all(bool(value.isfinite().all()) for value in kept["state_dict"].values())
        for state in kept["optimizer_states"][0]["state"].values():
            assert all(bool(value.isfinite().all()) for value in state.values())
    return [json.loads(line) for line in folder.file(folders.METRICS).read_text().splitlines()]


@pytest.mark.parametrize("what", ["nan", "inf", "-inf", "weight"])
@pytest.mark.parametrize("manual", [False, True])
def test_the_first_loss_that_is_no_number_stops_the_run(what: str, manual: bool) -> None:
    folder = make(Module(manual), {8: what}, save_steps=3)
    with pytest.raises(RunError, match=r"step 8 \(batch 8 of epoch 1\).*--clip 1") as caught:
        go(folder)
    assert ("second.weight" if what == "weight" else "first.weight") in str(caught.value)
    assert folder.checkpoints()[-1].name == "step-00000006.ckpt"
    assert [row["step"] for row in sound(folder)] == list(range(7))
    assert Run(folder)._load() is not None


@pytest.mark.parametrize("batches", [{3: "nan"}, {3: "nan", 20: "inf"}, {1: "-inf", 2: "nan"}])
def test_so_many_batches_are_passed_over_and_change_nothing(batches: dict[int, str]) -> None:
    before: dict[int, torch.Tensor] = {}
    stock = Module.training_step

    def training_step(self: Any, batch: Any, number: int) -> Any:
        before[self.trainer.fit_loop.total_batch_idx + 1] = self.first.weight.detach().clone()
        return stock(self, batch, number)

    Module.training_step = training_step  # type: ignore[method-assign]
    try:
        folder = make(Module(), batches, skip_nan=2)
        go(folder)
        for batch in batches:
            assert torch.equal(before[batch], before[batch + 1])
        assert not torch.equal(before[10], before[11])
        kept = checkpoint.load(folder.checkpoints()[-1])
        assert kept["callbacks"]["Finite"]["skipped"] == len(batches)
        rows = sound(folder)
        assert [row["step"] for row in rows if row["train_loss"] is None] == [batch - 1 for batch in batches]
        with pytest.raises(RunError, match="step 11"):
            go(make(Module(), {3: "nan", 4: "nan", 11: "inf"}, skip_nan=2))
    finally:
        Module.training_step = stock  # type: ignore[method-assign]


@pytest.mark.parametrize("skip", [0, 1])
def test_an_architecture_of_the_table_in_the_lean_loop(skip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbmodels.models.mlp import MLP

    stock = MLP.training_step

    def training_step(self: Any, batch: Any, number: int) -> Any:
        loss = stock(self, batch, number)
        return loss * float("nan") if self.trainer.global_step == 5 and number == 5 else loss

    monkeypatch.setattr(MLP, "training_step", training_step)
    folder = make(None, {}, save_steps=3, skip_nan=skip, limit=500)
    if skip:
        go(folder)
        rows = sound(folder)
        assert all(row["train/loss"] is not None for row in rows if "train/loss" in row)
        assert sum(row.get("samples", 0) for row in rows) == 1000
        return
    with pytest.raises(RunError, match=r"step 6 \(batch 6 of epoch 1\)"):
        go(folder)
    rows = sound(folder)
    assert rows[-1]["step"] == 6 and rows[-1]["train/loss"] is None
    assert folder.checkpoints()[-1].name == "step-00000003.ckpt"


def test_a_module_that_gives_no_loss_says_so() -> None:
    with pytest.raises(RunError, match="return loss"):
        go(make(Nothing(), {}))


def test_a_validation_may_be_no_number() -> None:
    folder = make(Validated(), {})
    go(folder)
    assert [row["val_loss"] for row in sound(folder) if "val_loss" in row] == [None, None]


def test_weights_that_are_infinite_on_purpose_are_no_fault() -> None:
    module = Module()
    module.mask = torch.nn.Parameter(torch.full((2,), float("-inf")), requires_grad=False)  # type: ignore[assignment]
    folder = make(module, {})
    go(folder)
    assert folder.checkpoints()


class Lazy(Module):
    """Its first layer takes its size from the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.LazyLinear(4)


def test_weights_that_are_not_there_yet_are_no_trouble() -> None:
    folder = make(Lazy(), {})
    go(folder)
    assert folder.state() == "finished" and sound(folder)
    with pytest.raises(RunError, match="no number|nan"):
        go(make(Lazy(), {3: "nan"}))
