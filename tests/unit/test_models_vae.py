"""The variational autoencoder against torch's distributions, and what a latent space must be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from nbmodels.models.vae import VAE, divergence

BODIES = ["dense", "convolutional"]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def parts(model: VAE, x: Tensor) -> dict[str, float]:
    """What a training step logs."""
    logged: dict[str, float] = {}
    model.log = lambda name, value, batch_size: logged.update({name: float(value)})  # type: ignore[assignment]
    model.training_step((x, torch.zeros(len(x))), 0)
    return logged


def test_the_divergence_is_the_closed_form() -> None:
    mean, log_variance = torch.randn(50, 7), torch.randn(50, 7)
    bell = Independent(Normal(torch.zeros(7), torch.ones(7)), 1)
    cloud = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    assert torch.allclose(divergence(mean, log_variance), kl_divergence(cloud, bell), atol=1e-5)
    assert divergence(torch.zeros(1, 7), torch.zeros(1, 7)).item() == 0


@pytest.mark.parametrize("body", BODIES)
def test_the_loss_is_the_negative_evidence_bound_of_one_draw(body: Any) -> None:
    """By torch's distributions, on black and white pictures, with the same noise."""
    model, x = VAE(image_size=8, body=body, code=5), torch.rand(6, 1, 8, 8).round()
    torch.manual_seed(3)
    logged = parts(model, x)
    mean, log_variance = model.distribution(x)
    cloud = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(3)
    code = mean + cloud.stddev * torch.randn_like(mean)
    likelihood = Bernoulli(logits=model.decoder(code)).log_prob(x).sum((1, 2, 3)).mean().item()
    kl = kl_divergence(cloud, Normal(0.0, 1.0)).sum(1).mean().item()
    assert logged["train/reconstruction"] == pytest.approx(-likelihood, rel=1e-5)
    assert logged["train/kl"] == pytest.approx(kl, rel=1e-4)
    assert logged["train/loss"] == pytest.approx(kl - likelihood, rel=1e-5)


def test_a_grey_pixel_is_the_chance_of_a_white_one() -> None:
    """The figure of grey pictures is the mean over black and white ones drawn from them."""
    logits, grey = torch.randn(1, 64), torch.rand(1, 64)
    ours = nn.functional.binary_cross_entropy_with_logits(logits, grey, reduction="sum")
    drawn = torch.bernoulli(grey.expand(20_000, -1))
    theirs = -Bernoulli(logits=logits).log_prob(drawn).sum(1).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-2)


def test_beta_weighs_the_divergence_alone() -> None:
    x = torch.rand(4, 1, 8, 8)
    for beta in (0.0, 1.0, 4.0):
        logged = parts(VAE(image_size=8, beta=beta), x)
        assert logged["train/loss"] == pytest.approx(logged["train/reconstruction"] + beta * logged["train/kl"])


def test_the_gradient_passes_the_draw() -> None:
    model = VAE(image_size=8, beta=0.0)
    model.training_step((torch.rand(4, 1, 8, 8), torch.zeros(4)), 0).backward()  # type: ignore[no-untyped-call]
    last = [module for module in model.encoder.modules() if isinstance(module, nn.Linear)][-1]
    mean, spread = last.weight.grad.chunk(2)  # type: ignore[union-attr]
    assert mean.abs().sum() > 0 and spread.abs().sum() > 0


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 8), (1, 25), (2, 5)])
def test_it_paints_pictures_of_the_size_it_was_given(body: Any, channels: int, side: int) -> None:
    model, x = VAE(channels, side, body=body, code=3).eval(), torch.rand(2, channels, side, side)
    assert model(x).shape == x.shape and model.encode(x).shape == (2, 3)
    assert model.predict_step(x).min() >= 0 and model.predict_step(x).max() <= 1


def test_a_picture_too_small_for_its_convolutions_is_said_in_one_line() -> None:
    with pytest.raises(
        ValueError, match="^3 convolutions halve a picture of 7×7 pixels to nothing; give fewer hidden$"
    ):
        VAE(image_size=7, body="convolutional", hidden=(8, 8, 8))


@pytest.mark.parametrize("body", BODIES)
def test_one_batch_is_learned_by_heart_pixel_by_pixel(body: Any) -> None:
    model, x = VAE(image_size=8, body=body, lr=5e-3), torch.rand(8, 1, 8, 8).round()
    optimizer: Any = model.configure_optimizers()
    for index in range(400):
        loss = model.training_step((x, torch.zeros(8)), index)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert (model(x).round() == x).float().mean() > 0.99


def test_a_walk_goes_straight_from_code_to_code() -> None:
    model = VAE(image_size=8, code=4).eval()
    start, end = torch.randn(2, 4)
    way = model.walk(start, end, 5)
    assert way.shape == (5, 1, 8, 8)
    assert torch.allclose(way[[0, 2, 4]], model.decode(torch.stack([start, (start + end) / 2, end])), atol=1e-6)


def test_samples_show_the_picture_its_reconstruction_and_one_out_of_nothing() -> None:
    model, x = VAE(image_size=8).eval(), torch.rand(12, 1, 8, 8)
    state = torch.get_rng_state()
    samples = model.samples((x, torch.zeros(12)))
    assert samples.shape == (8, 1, 24, 8) and samples.min() >= 0 and samples.max() <= 1
    assert torch.equal(samples[:, :, :8], x[:8]) and torch.allclose(samples[:, :, 8:16], model(x[:8]), atol=1e-6)
    assert torch.equal(samples, model.samples((x, torch.zeros(12))))  # the same codes every epoch
    assert torch.equal(state, torch.get_rng_state())


def test_draws_are_as_many_as_asked_and_repeat_with_a_seed() -> None:
    model = VAE(image_size=8)
    first, again, other = (model.draw(3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (3, 1, 8, 8) and torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("body", ["dense", "convolutional"])
@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
def test_no_gradient_of_the_divergence_is_lost_in_bfloat16(body: Any, scale: float) -> None:
    """Codes near the middle: there e to the logarithm of the variance is one in bfloat16, and the pull is gone."""
    torch.manual_seed(0)
    model, x = VAE(image_size=16, body=body, code=50), torch.rand(64, 1, 16, 16)
    with torch.no_grad():
        for weight in model.encoder[-1].parameters():
            weight.mul_(scale)
    pulls: list[torch.Tensor] = []
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            handle = model.encoder.register_full_backward_pre_hook(lambda _, given: pulls.append(given[0].float()))
            divergence(*model.distribution(x)).mean().backward()
            handle.remove()
    whole, rounded = pulls
    assert (rounded == 0).float().mean() < 0.001 and (whole == 0).float().mean() < 0.001
    assert torch.allclose(rounded, whole, rtol=0.05, atol=0.05 * whole.abs().mean().item())
