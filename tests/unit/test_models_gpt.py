"""The GPT against attention written by hand, and what a language model must not do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nbmodels.models.gpt import GPT, Attention, draw


def attention_by_hand(layer: Attention, x: Tensor) -> Tensor:
    """softmax(QKᵀ/√d + M)V, head after head."""
    _, length, width = x.shape
    size = width // layer.heads
    q, k, v = (x @ layer.query_key_value.weight.T + layer.query_key_value.bias).split(width, dim=2)
    mask = torch.full((length, length), -math.inf).triu(1)
    heads = []
    for part in (slice(head * size, (head + 1) * size) for head in range(layer.heads)):
        scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(size) + mask
        heads.append(scores.softmax(dim=2) @ v[..., part])
    return torch.cat(heads, dim=2) @ layer.project.weight.T + layer.project.bias


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_the_papers_formula(heads: int) -> None:
    torch.manual_seed(0)
    layer, x = Attention(32, heads, 0.0).eval(), torch.randn(3, 10, 32)
    assert torch.allclose(layer(x), attention_by_hand(layer, x), atol=1e-6)


def test_the_future_does_not_leak() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=20, sequence_length=16).eval()
    x = torch.randint(0, 20, (2, 16))
    for place in (1, 7, 15):
        changed = x.clone()
        changed[:, place] = (x[:, place] + 1) % 20
        assert torch.allclose(model(x)[:, :place], model(changed)[:, :place], atol=1e-6)
        assert not torch.allclose(model(x)[:, place:], model(changed)[:, place:], atol=1e-4)


def test_the_same_token_at_another_place_is_another_thing() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=20, sequence_length=16).eval()
    logits = model(torch.full((1, 2), 3))
    assert not torch.allclose(logits[:, 0], logits[:, 1], atol=1e-4)


def test_swapped_tokens_of_the_past_change_the_present() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=20, sequence_length=16).eval()
    x = torch.tensor([[1, 2, 3, 4]])
    assert not torch.allclose(model(x)[:, -1], model(x[:, [1, 0, 2, 3]])[:, -1], atol=1e-5)


def test_the_head_is_the_embedding_and_the_start_is_gpt2s() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=500, sequence_length=64, layers=8)
    assert len([p for p in model.parameters() if p.shape == (500, 128)]) == 1
    for name, p in model.named_parameters():
        if p.dim() == 2:
            expected = 0.02 / math.sqrt(16) if name.endswith("project.weight") else 0.02
            assert p.detach().std().item() == pytest.approx(expected, rel=0.05)
        elif name.endswith("bias"):
            assert not p.any()


def test_only_matrices_decay_and_every_parameter_is_learned_once() -> None:
    model = GPT()
    decaying, free = model.configure_optimizers().param_groups
    assert decaying["weight_decay"] > 0 and free["weight_decay"] == 0
    assert {p.dim() for p in decaying["params"]} == {2} and {p.dim() for p in free["params"]} == {1}
    assert len(decaying["params"]) + len(free["params"]) == len(list(model.parameters()))


def test_writing_goes_on_past_the_window_repeats_with_a_seed_and_leaves_global_chance_alone() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=20, sequence_length=8)
    start = torch.randint(0, 20, (2, 3))
    state = torch.get_rng_state()
    texts = [model.generate(start, 20, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert texts[0].shape == (2, 23) and torch.equal(texts[0][:, :3], start)
    assert torch.equal(texts[0], texts[1]) and not torch.equal(texts[0], texts[2])
    assert torch.equal(state, torch.get_rng_state()) and model.training
    assert model.samples((start, start)).shape == (2, 201)


def test_the_drawing_of_a_token() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0]])
    generator = torch.Generator().manual_seed(0)
    assert draw(logits, 0.0, None, None).item() == 1
    assert {draw(logits, 1.0, 2, generator).item() for _ in range(100)} == {1, 3}
    assert draw(logits, 1.0, 1, generator).item() == 1
    drawn = torch.cat([draw(logits.expand(1000, -1), 1.0, None, generator) for _ in range(20)]).flatten()
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert torch.allclose(shares, logits.softmax(dim=1)[0], atol=0.02)


@pytest.mark.parametrize(("width", "heads", "nearest"), [(100, 3, "2 or 4"), (128, 5, "4 or 8"), (7, 2, "1 or 7")])
def test_heads_that_do_not_divide_the_width_are_said_in_one_line(width: int, heads: int, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"^width {width} cannot be shared by {heads} heads; try {nearest}$"):
        GPT(width=width, heads=heads)


def test_too_long_a_text_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match="9 tokens are too many for a sequence_length of 8"):
        GPT(sequence_length=8)(torch.zeros(1, 9, dtype=torch.long))
