"""Linear, MLP and autoencoder against the same mathematics written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from nbmodels.models.autoencoder import Autoencoder
from nbmodels.models.linear import Linear
from nbmodels.models.mlp import MLP
from nbmodels.models.own import Own
from nbmodels.models.r_squared import RSquared


def train(model: Linear | MLP, batch: tuple[Tensor, Tensor], steps: int) -> float:
    optimizer = model.configure_optimizers()
    loss = torch.zeros(())
    for index in range(steps):
        loss = model.training_step(batch, index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_linear_is_one_affine_map_of_the_flattened_picture() -> None:
    torch.manual_seed(0)
    model = Linear(in_features=64, num_classes=3)
    nn.init.normal_(model.network.weight)
    x = torch.rand(5, 1, 8, 8)
    assert torch.allclose(model(x), x.flatten(1) @ model.network.weight.T + model.network.bias, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e5])
def test_linear_regression_finds_the_least_squares_solution_in_any_unit(unit: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 3)
    y = (x @ torch.tensor([[1.0, 0.5], [-2.0, 0.0], [0.3, 1.0]]) + 7 + 0.1 * torch.randn(200, 2)) * unit
    model = Linear(in_features=3, task="regression", out_features=2, lr=3e-2)
    train(model, (x, y), 600)
    exact = torch.linalg.lstsq(torch.cat([x, torch.ones(200, 1)], 1), y).solution
    assert torch.allclose(model(x), torch.cat([x, torch.ones(200, 1)], 1) @ exact, atol=2e-2 * unit)
    assert model.metric == "mae"


@pytest.mark.parametrize("cls", [Linear, MLP])
def test_a_target_that_never_changes_is_no_trap(cls: type[Linear | MLP]) -> None:
    model = cls(in_features=3, task="regression")
    assert train(model, (torch.randn(8, 3), torch.full((8, 1), 4.0)), 50) < 0.5
    assert torch.isfinite(model(torch.randn(2, 3))).all()


@pytest.mark.parametrize("cls", [Linear, MLP])
def test_targets_without_a_column_are_not_compared_all_with_all(cls: type[Linear | MLP]) -> None:
    torch.manual_seed(0)
    model = cls(in_features=3, task="regression")
    x, y = torch.randn(8, 3), torch.randn(8)
    assert torch.allclose(model.training_step((x, y), 0), F.mse_loss(model(x)[:, 0], y) / y.var(correction=0))


def test_the_unit_is_measured_once_and_travels_with_the_weights() -> None:
    model = MLP(in_features=3, task="regression")
    model.training_step((torch.randn(8, 3), 100 + torch.randn(8, 1)), 0)
    center = model.center.clone()
    model.training_step((torch.randn(8, 3), 500 + torch.randn(8, 1)), 0)
    copy = MLP(in_features=3, task="regression")
    copy.load_state_dict(model.state_dict())
    assert torch.equal(model.center, center) and torch.equal(copy.center, center)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh", "sigmoid"])
def test_mlp_is_the_formula(activation: str) -> None:
    torch.manual_seed(0)
    model = MLP(in_features=6, num_classes=3, hidden=(5, 4), activation=activation)  # type: ignore[arg-type]
    x = torch.randn(7, 6)
    weights = [module for module in model.modules() if isinstance(module, nn.Linear)]
    h = x
    for layer in weights[:-1]:
        h = getattr(torch if activation in ("tanh", "sigmoid") else F, activation)(h @ layer.weight.T + layer.bias)
    assert torch.allclose(model(x), h @ weights[-1].weight.T + weights[-1].bias, atol=1e-6)


def test_mlp_without_hidden_layers_is_linear() -> None:
    assert sum(p.numel() for p in MLP(hidden=()).parameters()) == 7_850


def test_dropout_works_in_training_only() -> None:
    torch.manual_seed(0)
    model, x = MLP(in_features=6, dropout=0.5), torch.randn(4, 6)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_autoencoder_is_two_dense_layers_and_mirrors_its_widths() -> None:
    torch.manual_seed(0)
    model = Autoencoder()
    x = torch.rand(3, 1, 28, 28)
    first, last = (module for module in model.modules() if isinstance(module, nn.Linear))
    by_hand = last(F.gelu(first(x.flatten(1)))).view(3, 1, 28, 28)
    assert torch.allclose(model(x), by_hand, atol=1e-6)
    deep = Autoencoder(in_channels=3, image_size=8, hidden=(50, 20))
    shapes = [tuple(p.shape) for p in deep.parameters() if p.dim() == 2]
    assert shapes == [(50, 192), (20, 50), (50, 20), (192, 50)]
    assert deep.encode(torch.rand(2, 3, 8, 8)).shape == (2, 20)


def test_autoencoder_squeezes_small_pictures_too_and_shows_each_above_its_reconstruction() -> None:
    model = Autoencoder(image_size=8)
    x = torch.rand(12, 1, 8, 8)
    assert model.encode(x).shape == (12, 21)
    samples = model.samples((x, torch.zeros(12)))
    assert samples.shape == (8, 1, 16, 8) and torch.equal(samples[:, :, :8], x[:8])
    assert samples.min() >= 0 and samples.max() <= 1


# -- R² beside the mean absolute error


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(2, 40), st.integers(1, 3), st.integers(1, 40), st.sampled_from([0.0, 1e-3, 1.0, 2000.0, 1e5]),
    st.booleans(), st.integers(0, 1000),
)  # fmt: skip
def test_r_squared_is_scikit_learns_over_any_batches(
    rows: int, outputs: int, batch: int, offset: float, constant: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(rows, outputs, generator=generator) + offset
    if constant:
        y[:, 0] = offset
    predicted = y + 0.3 * torch.randn(rows, outputs, generator=generator)
    if seed % 3 == 0:
        predicted[:, 0] = y[:, 0]
    found = RSquared()
    for part in zip(predicted.split(batch), y.split(batch), strict=True):
        found.add(*part)
    share = found.compute()
    assert share is not None and share.item() == pytest.approx(r2_score(y.double(), predicted.double()), abs=1e-5)


def models(x: Tensor, outputs: int) -> list[L.LightningModule]:
    sizes: dict[str, Any] = {"in_features": x.shape[1], "task": "regression", "out_features": outputs}
    return [Linear(**sizes), MLP(**sizes, hidden=(8,)), Own(nn.Linear(x.shape[1], outputs), "regression")]


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("number", range(3))
def test_every_regression_logs_r_squared_of_the_whole_split(number: int, outputs: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(45, 3)
    y = x[:, :outputs] * 3 + 20 + torch.randn(45, outputs)
    model = models(x, outputs)[number]
    data = DataLoader(TensorDataset(x, y), batch_size=8)  # 45: the last batch is smaller
    trainer = L.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False,
                        enable_model_summary=False, default_root_dir=tmp_path, enable_checkpointing=False)  # fmt: skip
    trainer.fit(model, data, data)
    assert "val/r2" in trainer.callback_metrics and "train/r2" not in trainer.callback_metrics
    for _ in range(2):  # a second test counts nothing twice
        logged = trainer.test(model, data, verbose=False)[0]
        assert {"test/loss", "test/mae", "test/r2"} == set(logged)
        predicted = model.eval()(x).detach()
        assert logged["test/r2"] == pytest.approx(r2_score(y.double(), predicted.double()), abs=1e-5)


def test_nothing_is_said_of_a_single_row_nor_of_classes(tmp_path: Path) -> None:
    x, quiet = torch.randn(1, 3), {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(accelerator="cpu", default_root_dir=tmp_path, **quiet)  # type: ignore[arg-type]
    for model, y in [*((model, torch.randn(1, 1)) for model in models(x, 1)), (Linear(3), torch.tensor([1]))]:
        assert "test/r2" not in trainer.test(model, DataLoader(TensorDataset(x, y)), verbose=False)[0]
