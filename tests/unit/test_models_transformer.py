"""Attention, layers and positions against torch's own and the paper's formulas; and what a transformer promises."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.attention import DecoderLayer, EncoderLayer, MultiHead, attention, shares, sinusoids, turned
from nbmodels.models.transformer import END, PAD, START, Transformer

SMALL: dict[str, Any] = {"vocab_size": 20, "target_length": 9, "layers": 2, "heads": 2, "width": 16, "num_classes": 3}
WRITING = ("translation", "summarisation")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def small(**options: Any) -> Transformer:
    return Transformer(**{**SMALL, **options}).eval()


def texts(count: int = 4, length: int = 7) -> Tensor:
    """Tokens [count, length] that are no padding, the first START."""
    made = torch.randint(4, 20, (count, length))
    made[:, 0] = START
    return made


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_torchs_and_the_formula(masked: bool) -> None:
    q, k, v = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 6, 8), torch.randn(2, 3, 6, 8)
    seen = torch.rand(2, 1, 5, 6) > 0.4 if masked else None
    if seen is not None:
        seen[..., 0] = True
    ours = attention(q, k, v, seen)
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) / 8**0.5
    if seen is not None:
        scores[~seen.expand_as(scores)] = -math.inf
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    assert torch.allclose(ours, F.scaled_dot_product_attention(q, k, v, attn_mask=seen), atol=1e-6)
    assert torch.allclose(ours, torch.einsum("bhts,bhsd->bhtd", weights, v), atol=1e-6)
    assert torch.allclose(shares(q, k, seen).sum(-1), torch.ones(2, 3, 5))


def test_the_positions_are_the_papers() -> None:
    table = sinusoids(50, 12)
    for place, i in itertools.product((0, 1, 7, 49), range(6)):
        angle = place / 10_000 ** (2 * i / 12)
        assert table[place, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
        assert table[place, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)
    assert not torch.allclose(table[0], table[1], atol=0.1)
    assert torch.allclose(sinusoids(5, 12, first=45), table[45:])
    assert sinusoids(4, 7).shape == (4, 7)


def test_what_is_turned_sees_how_far_apart_it_stands() -> None:
    q, k = torch.randn(8), torch.randn(8)
    rate = 100 ** (-torch.arange(4) * 2 / 8)
    for first, second in ((0, 0), (3, 1), (40, 2)):
        angles = torch.polar(torch.ones(4), (first - second) * rate)  # the formula with complex numbers
        pairs = [torch.view_as_complex(each.view(4, 2)) for each in (q, k)]
        expected = (pairs[0] * angles * pairs[1].conj()).real.sum()
        for shift in (0, 7):
            fit = turned(q[None], first + shift)[0] @ turned(k[None], second + shift)[0]
            assert fit.item() == pytest.approx(expected.item(), abs=1e-4)


def test_turned_heads_see_the_order_and_others_do_not() -> None:
    x = torch.randn(1, 6, 16)
    for rotary in (False, True):
        layer = MultiHead(16, 2, rotary)
        assert torch.allclose(layer(x.flip(1), x.flip(1)), layer(x, x).flip(1), atol=1e-4) is not rotary
        q, k = (layer.split(made) for made in (layer.query(x), layer.key(x)))
        q, k = (turned(q), turned(k)) if rotary else (q, k)
        assert torch.allclose(layer.shares(x, x), shares(q, k))
    with pytest.raises(ValueError, match="a head of 5 numbers cannot be turned in pairs; try width 18"):
        MultiHead(15, 3, rotary=True)


def copy_attention(theirs: nn.MultiheadAttention, ours: MultiHead) -> None:
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight for part in parts]).detach()
    theirs.in_proj_bias.data = torch.cat([part.bias for part in parts]).detach()
    theirs.out_proj.load_state_dict(ours.project.state_dict())


def copy_rest(theirs: Any, ours: Any) -> None:
    theirs.linear1.load_state_dict(ours.dense.expand.state_dict())
    theirs.linear2.load_state_dict(ours.dense.project.state_dict())
    for number, residual in enumerate(ours.residuals, start=1):
        getattr(theirs, f"norm{number}").load_state_dict(residual.norm.state_dict())


def randomised(layer: nn.Module) -> nn.Module:
    """With biases and norms that are not the identity: what is left out would be seen."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer.eval()


def test_attention_begins_by_handing_on_what_it_looks_at() -> None:
    torch.manual_seed(0)
    layer, read = MultiHead(16, 4), torch.randn(2, 1, 16)
    layer.hand_on()
    assert torch.allclose(layer(torch.randn(2, 5, 16), read), read.expand(2, 5, 16), atol=1e-5)
    assert torch.allclose(Transformer(width=16, heads=4).decoder[0].cross(read, read), read, atol=1e-5)


OPTIONS: dict[str, Any] = {"dim_feedforward": 64, "dropout": 0.0, "batch_first": True}


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_an_encoder_layer_is_torchs(norm: Any) -> None:
    ours: Any = randomised(EncoderLayer(16, 4, norm, 0.1))
    theirs = nn.TransformerEncoderLayer(16, 4, norm_first=norm == "pre", **OPTIONS).eval()
    copy_attention(theirs.self_attn, ours.attention)
    copy_rest(theirs, ours)
    x, padding = torch.randn(3, 6, 16), torch.arange(6) >= torch.tensor([[6], [4], [1]])
    made, expected = ours(x, ~padding[:, None, None]), theirs(x, src_key_padding_mask=padding)
    assert torch.allclose(made[~padding], expected[~padding], atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_decoder_layer_is_torchs(norm: Any) -> None:
    ours: Any = randomised(DecoderLayer(16, 4, norm, 0.1))
    theirs = nn.TransformerDecoderLayer(16, 4, norm_first=norm == "pre", **OPTIONS).eval()
    copy_attention(theirs.self_attn, ours.attention)
    copy_attention(theirs.multihead_attn, ours.cross)
    copy_rest(theirs, ours)
    y, read, padding = torch.randn(3, 5, 16), torch.randn(3, 6, 16), torch.arange(6) >= torch.tensor([[6], [4], [1]])
    past = torch.ones(5, 5, dtype=torch.bool).tril()
    made = ours(y, read, past, ~padding[:, None, None])
    expected = theirs(y, read, tgt_mask=~past, memory_key_padding_mask=padding)
    assert torch.allclose(made, expected, atol=1e-5)
    _, theirs_shares = theirs.multihead_attn(y, read, read, key_padding_mask=padding, average_attn_weights=False)
    assert torch.allclose(ours.cross.shares(y, read, ~padding[:, None, None]), theirs_shares, atol=1e-6)


def test_the_base_model_has_the_papers_parameters() -> None:
    with torch.device("meta"):  # nothing is stored
        base = Transformer(vocab_size=37_000, width=512, heads=8, layers=6, norm="post")
    count = sum(parameter.numel() for parameter in base.parameters())
    assert count == 63_082_496  # the paper rounds its base model to 65 million
    encoder = 4 * (512 * 512 + 512) + 512 * 2048 + 2048 + 2048 * 512 + 512 + 2 * 2 * 512
    decoder = encoder + 4 * (512 * 512 + 512) + 2 * 512
    assert count == 37_000 * 512 + 6 * (encoder + decoder)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("task", ["translation", "classification"])
def test_padding_never_changes_a_result(task: Any, norm: Any) -> None:
    model, y = small(task=task, norm=norm), texts(3)
    rows = [torch.randint(4, 20, (length,)) for length in (1, 4, 9)]
    together = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    for batch in (together, F.pad(together, (0, 5))):
        made = model(batch, y)
        for number, row in enumerate(rows):
            assert torch.allclose(made[number], model(row[None], y[number : number + 1])[0], atol=1e-5)
    if task == "translation":
        alone = [model.write(row[None])[0] for row in rows]
        for row, written in zip(alone, model.write(F.pad(together, (0, 5))), strict=True):
            assert torch.equal(row, written[: len(row)]) and not written[len(row) :].any()


def test_the_mean_of_a_text_leaves_its_padding_out() -> None:
    model, x = small(task="classification"), torch.tensor([[5, 6, 7, 0, 0]])
    read, _ = model.encode(x)
    assert model.head is not None
    assert torch.allclose(model(x), model.head(read[:, :3].mean(dim=1)), atol=1e-6)
    assert torch.isfinite(model(torch.zeros(2, 5, dtype=torch.long))).all()  # an empty sentence


def test_the_future_does_not_leak() -> None:
    model, x, y = small(), texts(1, 6), texts(1, 8)
    changed = y.clone()
    changed[0, 5] = 4 + (y[0, 5] - 3) % 16
    before, after = model(x, y), model(x, changed)
    assert torch.allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert all(not torch.allclose(before[:, t], after[:, t], atol=1e-4) for t in (5, 6, 7))


@pytest.mark.parametrize("task", ["translation", "classification"])
def test_the_order_of_the_words_counts(task: Any) -> None:
    model, x = small(task=task), torch.tensor([[5, 6, 7, 8, 9]])
    assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-4)
    same = torch.full((1, 4), 5)  # one word four times: only its place differs
    read, _ = model.encode(same)
    assert not torch.allclose(read[0, 0], read[0, 1], atol=1e-2)


def test_step_by_step_with_the_cache_is_all_at_once() -> None:
    model, x, y = small(), texts(3, 6), texts(3, 8)
    read, seen = model.encode(x)
    kept: dict[Any, Any] = {}
    steps = [model.decode(y[:, t : t + 1], read, seen, t, kept) for t in range(8)]
    assert torch.allclose(model.next(torch.cat(steps, dim=1)), model(x, y), atol=1e-5)


def plain(model: Transformer, x: Tensor) -> Tensor:
    """Greedy writing without a cache, the whole text read anew for every token."""
    y = torch.full((len(x), 1), START)
    while y.shape[1] < model.target_length:
        logits = model(x, y)[:, -1]
        logits[:, :END] = -math.inf  # padding, the unknown and START are not written
        ended = (y == END).any(dim=1, keepdim=True)
        y = torch.cat([y, logits.argmax(dim=1, keepdim=True).masked_fill(ended, PAD)], dim=1)
    return y[:, 1:]


def test_greedy_text_is_the_same_with_and_without_the_cache() -> None:
    model, x = learned(), texts(6, 6)
    written = model.write(x)
    expected = plain(model, x)
    assert torch.equal(F.pad(written, (0, expected.shape[1] - written.shape[1])), expected)
    for row in written.tolist():
        end = row.index(END) if END in row else len(row)
        assert not set(row[:end]) & {PAD, 1, START} and not any(row[end + 1 :])


def every_text(length: int, tokens: range) -> list[list[int]]:
    """All texts of up to so many tokens before END."""
    return [[*text, END] for size in range(length) for text in itertools.product(tokens, repeat=size)]


def test_a_wide_beam_finds_the_likeliest_text_of_all() -> None:
    model, x = small(vocab_size=7, target_length=4), torch.randint(4, 7, (5, 4))
    nn.init.normal_(model.tokens.weight, std=1.0)  # sure of itself, so that texts differ
    candidates = every_text(3, range(4, 7))
    for row, best in zip(x, model.write(x, beam=40), strict=True):
        scores = []
        for text in candidates:
            chances = model(row[None], torch.tensor([[START, *text[:-1]]]))[0]
            total = chances.log_softmax(dim=1)[torch.arange(len(text)), text].sum().item()
            scores.append(total / ((5 + len(text)) / 6) ** 0.6)
        likeliest = candidates[max(range(len(scores)), key=scores.__getitem__)]
        assert [token for token in best.tolist() if token] == likeliest


@pytest.mark.parametrize("beam", [1, 3])
def test_the_model_keeps_as_many_texts_as_it_is_told(beam: int) -> None:
    model, x = learned(), texts(6, 6)
    model.beam = beam
    assert torch.equal(model.predict_step(x), model.write(x, beam=beam))
    assert model.write(x, beam=beam).shape[1] > 2 and model.write(x, beam=beam, length=2).shape[1] == 2


def learned() -> Transformer:
    """A model that has learned a few steps of turning a text round, so that what it writes has an end."""
    return copy.deepcopy(taught())


@functools.cache
def taught() -> Transformer:
    model = Transformer(**{**SMALL, "dropout": 0.0, "lr": 5e-3})
    optimizer = model.configure_optimizers()
    for index in range(60):
        x = torch.randint(4, 20, (16, 4))
        y = torch.cat([torch.full((16, 1), START), x.flip(1), torch.full((16, 1), END)], dim=1)
        loss = model.training_step((x, y), index)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("task", ["translation", "summarisation", "classification"])
def test_one_batch_is_learned_by_heart_and_written(task: Any, norm: Any) -> None:
    # eval, so no dropout; after the sums the norm has no warm-up here, and wants the smaller step that goes without
    model = small(task=task, norm=norm, label_smoothing=0.0, lr=3e-3 if norm == "pre" else 1e-3)
    x = F.pad(torch.randint(4, 20, (8, 6)), (0, 3))
    y = torch.randint(0, 3, (8,)) if task == "classification" else F.pad(texts(8, 7), (0, 2))
    if task in WRITING:
        y[:, 6] = END
    optimizer, losses = model.configure_optimizers(), []
    for index in range(200):
        loss = model.training_step((x, y), index)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    if task in WRITING:
        assert torch.equal(model.predict_step(x), y[:, 1:7])
    else:
        assert torch.equal(model.predict_step(x).argmax(dim=1), y)


def test_the_loss_is_torchs_with_label_smoothing_and_a_long_text_counts_for_more() -> None:
    model, x, y = small(label_smoothing=0.1), texts(5, 6), F.pad(texts(5, 7), (0, 4))
    y[2, 4:] = PAD
    logged: dict[str, float] = {}
    model.log = lambda name, value, batch_size=1: logged.update({name: float(value)})  # type: ignore[method-assign, assignment]
    loss = model.training_step((x, y), 0)
    logits, answers = model(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten()
    expected = F.cross_entropy(logits, answers, ignore_index=PAD, label_smoothing=0.1, reduction="sum") / 5
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert logged["train/loss"] == pytest.approx(F.cross_entropy(logits, answers, ignore_index=PAD).item(), rel=1e-5)
    known = answers != PAD
    right = (logits.argmax(dim=1) == answers)[known].float().mean().item()
    assert logged["train/accuracy"] == pytest.approx(right)
    alone = [model.training_step((x[i : i + 1], y[i : i + 1][:, y[i] != PAD]), 0).item() for i in range(5)]
    assert loss.item() == pytest.approx(sum(alone) / 5, rel=1e-5)


def test_the_map_of_attention_is_what_the_last_layer_takes_of_the_source() -> None:
    model, x, y = small(), F.pad(texts(3, 5), (0, 2)), texts(3, 6)
    seen: list[Tensor] = []
    last: Any = model.decoder[-1]
    last.cross.register_forward_hook(lambda part, given, _: seen.append(part.shares(*given[:3])))
    model(x, y)
    looks = model.attention(x, y)
    assert looks.shape == (3, 6, 7) and torch.allclose(looks, seen[0].mean(dim=1), atol=1e-6)
    assert torch.allclose(looks.sum(dim=2), torch.ones(3, 6)) and not looks[:, :, 5:].any()
    assert torch.allclose(model.looks(x, y).mean(dim=1), looks)


def test_samples_are_what_was_read_and_what_was_written() -> None:
    model, x = learned(), texts(6, 6)
    made = model.samples((x, x))
    assert made is not None and torch.equal(made[0], x[:4]) and torch.equal(made[1], model.write(x[:4]))
    assert small(task="classification").samples((x, x)) is None


def test_a_width_that_heads_cannot_share_is_one_line() -> None:
    with pytest.raises(ValueError, match="width 16 cannot be shared by 5 heads; try 4 or 8"):
        small(heads=5)
