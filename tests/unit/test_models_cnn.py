"""The CNN against the network that the tutorials write: ReLU first, then pooling, channels first in memory."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from nbmodels.models.cnn import CNN, plan


def tutorial(model: CNN, padding: str) -> nn.Sequential:
    """The classic of the tutorials for 28×28, with the weights of `model`."""
    side = 7 if padding == "same" else 3
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=padding), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * side * side, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    with torch.no_grad():
        for theirs, ours in zip(net.parameters(), model.parameters(), strict=True):
            theirs.copy_(ours)
    return net


def gradients(net: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
    nn.functional.cross_entropy(net(x), y).backward()
    return [p.grad for p in net.parameters() if p.grad is not None]


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_it_is_the_tutorials_network_with_the_same_gradients(padding: str) -> None:
    torch.manual_seed(0)
    model = CNN(padding=padding)  # type: ignore[arg-type]
    reference = tutorial(model, padding)
    x, y = torch.randn(6, 1, 28, 28), torch.randint(0, 10, (6,))
    assert torch.allclose(model(x), reference(x), atol=1e-5)
    for ours, theirs in zip(gradients(model, x, y), gradients(reference, x, y), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_channels_lie_last_in_memory_also_in_a_copy() -> None:
    model = copy.deepcopy(CNN(in_channels=3))
    pictures = model.convolutions(torch.rand(2, 3, 28, 28).contiguous(memory_format=torch.channels_last))
    assert pictures.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("side", "padding", "expected"),
    [
        (28, "valid", ([True, True, False], 3)),
        (28, "same", ([True, True, False], 7)),
        (8, "valid", ([False, False, False], 2)),
        (8, "same", ([True, True, False], 2)),
        (10, "valid", ([False, True, False], 1)),
        (7, "valid", ([False, False, False], 1)),
        (1, "same", ([False, False, False], 1)),
    ],
)
def test_pooling_is_left_out_where_nothing_would_remain(side: int, padding: str, expected: object) -> None:
    assert plan(side, 3, padding) == expected


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("side", [7, 8, 9, 11, 16, 25, 28, 31, 32, 64])
def test_every_size_gives_logits(side: int, padding: str) -> None:
    model = CNN(in_channels=3, image_size=side, num_classes=4, padding=padding)  # type: ignore[arg-type]
    assert model(torch.rand(2, 3, side, side)).shape == (2, 4)


def test_too_small_a_picture_is_said_in_one_line() -> None:
    with pytest.raises(
        ValueError, match=r"^3 convolutions .* at least 7×7 pixels, these have 6×6; try padding='same'$"
    ):
        CNN(image_size=6)


def test_moving_a_picture_changes_the_answer_and_order_in_the_batch_does_not() -> None:
    torch.manual_seed(0)
    model = CNN().eval()
    x = torch.rand(4, 1, 28, 28)
    assert not torch.allclose(model(x), model(x.roll(3, dims=3)), atol=1e-3)
    assert torch.allclose(model(x.flip(0)), model(x).flip(0), atol=1e-5)
