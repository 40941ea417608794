"""A learning rate typed while a run goes on: it holds from the next step on, and nothing rises above it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as schedulers
from torch.utils.data import DataLoader, TensorDataset

from nbmodels.runs import control, fit, launch
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.pulse import Pulse
from nbmodels.spec import Spec, Training
from nbmodels.views.snapshot import snapshot

STEPS = 24  # two epochs of twelve
RATES: list[list[float]] = []  # of every update, by group
OWN: list[list[float]] = []  # what stood in the groups between the updates


class Seen(torch.optim.SGD):
    """Writes down the rates that an update is done with."""

    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure else None
        RATES.append([float(group["lr"]) for group in self.param_groups])
        super().step()
        return loss


class Module(L.LightningModule):
    """Two groups, the second at a tenth of the first's rate."""

    def __init__(self, scheduler: Callable[[Any], Any] | None, manual: bool = False) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1))
        self.scheduler, self.automatic_optimization = scheduler, not manual

    def training_step(self, batch: Any, number: int) -> Any:
        loss = self.layers(batch[0]).tanh().mean()
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.lr_schedulers().step()
        return loss

    def validation_step(self, batch: Any, number: int) -> None:
        self.log("val_loss", self.layers(batch[0]).square().mean())

    def on_train_batch_end(self, *_: Any) -> None:
        OWN.append([float(group["lr"]) for group in self.optimizers(use_pl_optimizer=False).param_groups])

    def configure_optimizers(self) -> Any:
        groups = [{"params": self.layers[0].parameters()}, {"params": self.layers[1].parameters(), "lr": 1e-5}]
        optimizer = Seen(groups, lr=1e-4)
        if self.scheduler is None:
            return optimizer
        made = self.scheduler(optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": made if isinstance(made, dict) else {"scheduler": made, "interval": "step"},
        }


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folders.set_runs_root(tmp_path / "runs")
    yield
    folders.set_runs_root(None)


def trained(
    module: L.LightningModule, typed: dict[int, float], stop: int | None = None, **training: Any
) -> tuple[RunFolder, Pulse]:
    """A run in this process; `typed` are the rates that are typed after so many steps."""
    RATES.clear()
    OWN.clear()
    data = DataLoader(TensorDataset(torch.ones(24, 3)), 2)
    objects = launch.pickled({"model": module, "data": (data, data)})
    name = folders.free_name("run")
    asked = Training(epochs=2, device="cpu", threads=1, **training)
    folder = folders.create(Spec(name, "notebook:m", "notebook:d", training=asked), objects)
    return folder, go(folder, typed, stop)


def go(folder: RunFolder, typed: dict[int, float], stop: int | None = None) -> Pulse:
    stock = control.Control.on_train_batch_end

    def hook(self: Any, trainer: Any, *rest: Any) -> None:
        step = trainer.fit_loop.total_batch_idx + 1
        if step in typed:
            self.pulse.lr = (typed[step], time.time())
        if step == stop:
            self.pulse.want = "stop"
        stock(self, trainer, *rest)

    control.Control.on_train_batch_end = hook  # type: ignore[method-assign]
    pulse = Pulse(folder)
    pulse._read_control = lambda: None  # type: ignore[method-assign]
    pulse.start()
    try:
        fit.fit(folder, pulse)
    finally:
        control.Control.on_train_batch_end = stock  # type: ignore[method-assign]
        pulse.end(state="stopped" if stop else "finished")
    return pulse


def expected(own: list[float], typed: dict[int, float]) -> list[float]:
    """The rule, written down once more."""
    rates, now, peak = [], None, 0.0
    for step, rate in enumerate(own):
        if step in typed:
            now, peak = typed[step], 0.0
        peak = max(peak, rate)
        rates.append(rate if now is None else now * rate / peak if peak else now)
    return rates


def a_warm_up(step: int) -> float:
    return min(step / 8, 1.0) * (1 - step / (STEPS + 1))


KINDS: dict[str, Any] = {
    "none": None,
    "warm-up": lambda o: schedulers.LambdaLR(o, a_warm_up),
    "one-cycle": lambda o: schedulers.OneCycleLR(o, [0.1, 0.01], total_steps=STEPS),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, STEPS),
    "restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5),
    "exponential": lambda o: schedulers.ExponentialLR(o, 0.8),
    "step": lambda o: schedulers.StepLR(o, 5, 0.3),
    "cyclic": lambda o: schedulers.CyclicLR(o, 1e-4, 1e-2, step_size_up=4, cycle_momentum=False),
    "chained": lambda o: schedulers.ChainedScheduler(
        [schedulers.LinearLR(o, 0.1, total_iters=6), schedulers.ExponentialLR(o, 0.9)]
    ),
    "sequence": lambda o: schedulers.SequentialLR(
        o, [schedulers.ConstantLR(o, 0.2, 4), schedulers.ExponentialLR(o, 0.9)], [6]
    ),
    "by epoch": lambda o: {"scheduler": schedulers.ExponentialLR(o, 0.5), "interval": "epoch"},
    "plateau": lambda o: {
        "scheduler": schedulers.ReduceLROnPlateau(o, patience=0, threshold=1e9),
        "monitor": "val_loss",
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rule_holds_for_every_kind_of_schedule_and_none_is_disturbed(kind: str) -> None:
    trained(Module(KINDS[kind]), {})
    own, between = [list(rates) for rates in RATES], [list(rates) for rates in OWN]
    typed = {5: 0.01, 15: 3e-6}
    folder, pulse = trained(Module(KINDS[kind]), typed)
    assert [rates[0] for rates in RATES] == pytest.approx(expected([rates[0] for rates in own], typed), rel=1e-9)
    for rates, theirs in zip(RATES, own, strict=True):
        if theirs[0]:
            assert rates[1] / rates[0] == pytest.approx(theirs[1] / theirs[0])
    assert between == OWN  # what a schedule computes from, and a checkpoint holds, is its own at all times
    changes = folder.changes()
    assert [(row["step"], row["new"], row["option"]) for row in changes] == [(5, 0.01, "lr"), (15, 3e-6, "lr")]
    assert changes[0]["old"] == pytest.approx(own[5][0])
    assert "--lr 3e-06" in snapshot(folder)["command"]


@pytest.mark.parametrize("kind", ["warm-up", "one-cycle", "exponential", "restarts", "by epoch", "sequence", "none"])
def test_what_is_drawn_as_coming_is_what_comes(kind: str) -> None:
    seen: list[Any] = []
    stock = Pulse.tell

    def tell(self: Pulse, **changes: Any) -> None:
        seen.extend([changes["coming"]] if changes.get("coming") else [])
        stock(self, **changes)

    Pulse.tell = tell  # type: ignore[method-assign]
    try:
        trained(Module(KINDS[kind]), {5: 0.01})
    finally:
        Pulse.tell = stock  # type: ignore[method-assign]
    assert len(seen) == 1 and seen[0][0][0] == 5 and seen[0][-1][0] == STEPS - 1
    for step, rate in seen[0]:
        assert rate == pytest.approx(RATES[step][0], rel=1e-6), step


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 10)), min_size=STEPS + 1, max_size=STEPS + 1),
    typed=st.dictionaries(st.integers(1, STEPS - 2), st.floats(1e-8, 10), min_size=1, max_size=3),
    stop=st.integers(1, STEPS - 2),
)
def test_any_schedule_any_rates_also_over_a_stop(own: list[float], typed: dict[int, float], stop: int) -> None:
    if stop == STEPS // 2 or stop in typed:
        stop += 1 if stop + 1 not in typed and stop + 1 != STEPS // 2 else -stop
    folder, _ = trained(Module(lambda o: schedulers.LambdaLR(o, lambda step: own[step])), typed, stop or None)
    if stop:
        go(folder, {step: rate for step, rate in typed.items() if step > stop})
    wanted = expected([1e-4 * rate for rate in own[:STEPS]], typed)
    assert [rates[0] for rates in RATES] == pytest.approx(wanted, rel=1e-9)
    for step, rate in typed.items():
        later = [other for other in typed if other > step]
        until = min(later, default=STEPS)
        assert max(rates[0] for rates in RATES[step:until]) <= rate * (1 + 1e-12)
    assert [row["step"] for row in folder.changes()] == sorted(typed)


def test_a_module_that_optimises_by_itself() -> None:
    trained(Module(KINDS["exponential"], manual=True), {5: 0.01})
    assert [rates[0] for rates in RATES[5:]] == pytest.approx([0.01 * 0.8**n for n in range(STEPS - 5)])
    assert all(rates[1] / rates[0] == pytest.approx(0.1) for rates in RATES)


def test_in_the_lean_loop_too() -> None:
    asked = Training(epochs=2, limit=200, schedule="one-cycle", lr=1e-3, device="cpu", threads=1)
    folder = folders.create(Spec("lean", "mlp", "digits", training=asked))
    go(folder, {2: 0.5})
    rows = [row["lr"] for row in folder.metrics() if "lr" in row and row["step"] > 2]
    assert rows and max(rows) <= 0.5 and rows[-1] < 0.01 and math.isclose(folder.status()["lr"], rows[-1])
