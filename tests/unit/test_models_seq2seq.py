"""Seq2seq against torch's own layers and its formulas, beam search against all texts there are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nbmodels.models.beam import END, START, Beams, long
from nbmodels.models.seq2seq import Additive, Bilinear, Seq2Seq

KINDS = list(itertools.product(["gru", "lstm"], ["additive", "bilinear"], [1, 2]))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def small(**options: Any) -> Seq2Seq:
    return Seq2Seq(**{"vocab_size": 20, "target_length": 9, "width": 16, **options}).eval()


def texts(*lengths: int) -> Tensor:
    """Texts of so many tokens, END the last."""
    x = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(x, lengths, strict=True):
        row[:length] = torch.tensor([*torch.randint(4, 20, (length - 1,)).tolist(), END])
    return x


def test_additive_attention_is_bahdanaus_formula() -> None:
    score, s, h = Additive(6), torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    for b, t, j in itertools.product(range(2), range(3), range(5)):
        by_hand = score.sum.weight[0] @ torch.tanh(score.query.weight @ s[b, t] + score.key.weight @ h[b, j])
        assert score(s, score.key(h))[b, t, j].item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_bilinear_attention_is_luongs_formula() -> None:
    score, s, h = Bilinear(6), torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    for b, t, j in itertools.product(range(2), range(3), range(5)):
        by_hand = s[b, t] @ score.key.weight @ h[b, j]
        assert score(s, score.key(h))[b, t, j].item() == pytest.approx(by_hand.item(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_is_torchs_own_layers_and_the_formulas(kind: tuple[Any, ...]) -> None:
    """Each text by itself, unpadded, through torch's cells and the attention written out."""
    cell, attention, layers = kind
    model, x, y = small(cell=cell, attention=attention, layers=layers), texts(7, 4), torch.randint(4, 20, (2, 5))
    logits, weights = model(x, y), model.attention(x, y)
    for number, length in enumerate((7, 4)):
        states, end = model.encoder(model.embedding(x[number, :length]))
        ends = end if cell == "lstm" else (end,)
        start = [torch.tanh(model.bridge(h.view(layers, 2, 8).flatten(1))) for h in ends]  # both directions' last
        written, _ = model.decoder(model.embedding(y[number]), tuple(start) if cell == "lstm" else start[0])
        scores = model.score(written[None], model.score.key(states)[None])[0]
        chances = scores.exp() / scores.exp().sum(1, keepdim=True)
        assert torch.allclose(weights[number, :, :length], chances, atol=1e-6)
        mixed = torch.tanh(model.mix(torch.cat([chances @ states, written], 1)))
        assert torch.allclose(logits[number], mixed @ model.embedding.weight.T + model.bias, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_encoder_equals_torchs_packed_network(cell: str) -> None:
    model, x = small(cell=cell), texts(6, 3, 1)
    theirs = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](16, 8, bidirectional=True, batch_first=True)
    theirs.load_state_dict(model.encoder.state_dict())
    packed = pack_padded_sequence(model.embedding(x), [6, 3, 1], batch_first=True)
    assert torch.allclose(model.read(x).states, pad_packed_sequence(theirs(packed)[0], batch_first=True)[0], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_and_gets_no_attention(kind: tuple[Any, ...]) -> None:
    cell, attention, layers = kind
    model, x, y = small(cell=cell, attention=attention, layers=layers), texts(5, 8), torch.randint(4, 20, (2, 6))
    wide = torch.cat([x, torch.zeros(2, 4, dtype=torch.long)], 1)
    assert torch.allclose(model(x[:1, :5], y[:1]), model(wide, y)[:1], atol=1e-6)
    assert torch.equal(model.write(x[:1, :5])[0].nonzero(), model.write(wide)[0].nonzero())
    weights = model.attention(wide, y)
    assert torch.allclose(weights.sum(2), torch.ones(2, 6)) and weights[0, :, 5:].abs().max() == 0
    batch = (x, torch.cat([torch.full((2, 1), START), y], 1))
    padded = (wide, torch.nn.functional.pad(batch[1], (0, 3)))
    assert model.training_step(batch, 0).item() == pytest.approx(model.training_step(padded, 0).item(), abs=1e-5)


def test_what_comes_later_does_not_leak_and_the_order_matters() -> None:
    model, x, y = small(), texts(6), torch.randint(4, 20, (1, 6))
    changed = y.clone()
    changed[0, 4] = (y[0, 4] - 3) % 16 + 4
    before, after = model(x, y), model(x, changed)
    assert torch.allclose(before[:, :4], after[:, :4]) and not torch.allclose(before[:, 4:], after[:, 4:])
    turned = x.clone()
    turned[0, :2] = torch.tensor([4, 5])
    swapped = turned.clone()
    swapped[0, :2] = torch.tensor([5, 4])
    assert not torch.allclose(model(turned, y), model(swapped, y))


def test_a_beam_of_one_takes_the_likeliest_token_every_time() -> None:
    model, x = small(), texts(6, 3, 8)
    model.bias.data[END] = 1.0  # so that some end early
    said = model.write(x, beam=1)
    for number, source in enumerate(x):
        y = [START]
        while len(y) < 9 and y[-1] != END:
            logits = model(source[source != 0][None], torch.tensor([y]))[0, -1]
            logits[:END] = -torch.inf
            y.append(int(logits.argmax()))
        assert said[number][said[number] != 0].tolist() == y[1:]


def score(model: Seq2Seq, x: Tensor, text: list[int]) -> float:
    """The log of a text's chance, by its length."""
    chances = model(x, torch.tensor([[START, *text[:-1]]])).log_softmax(2)[0]
    return chances[range(len(text)), text].sum().item() / long(len(text))


def test_a_beam_wide_enough_finds_the_best_of_all_texts() -> None:
    for number in range(12):
        torch.manual_seed(number)
        model, x = small(vocab_size=6, target_length=5), torch.tensor([[4, 5, 4, END]])
        model.embedding.weight.data.mul_(8)  # sure of itself: greedy goes wrong
        bodies = (body for size in range(4) for body in itertools.product([4, 5], repeat=size))
        best = max((score(model, x, [*body, END]), [*body, END]) for body in bodies)
        wide, greedy = model.write(x, beam=40)[0].tolist(), model.write(x, beam=1)[0].tolist()
        assert wide == best[1]
        if greedy[-1] == END:
            assert score(model, x, greedy) <= best[0] + 1e-6


def test_greedy_is_sometimes_wrong_where_a_beam_is_right() -> None:
    """The first token is likelier by itself; the text that begins with the second is likelier as a whole."""
    beams, said = {}, {}
    table = torch.full((7, 7), 1e-9)
    table[START, [4, 5]] = torch.tensor([0.6, 0.4])
    table[4, [4, 5, 6, END]] = 0.25
    table[5, END] = 1.0
    for width in (1, 2):
        beams[width] = Beams(2, width, 6, torch.device("cpu"))
        while not beams[width].done:
            beams[width].grow(table.log()[beams[width].last[:, 0]])
        said[width] = beams[width].result()
    assert said[2].tolist() == [[5, END]] * 2 and said[1][0, 0] == 4


def test_texts_of_a_batch_do_not_mix_in_a_search() -> None:
    model, x = small(cell="lstm", layers=2), texts(8, 3, 5, 1)
    model.bias.data[END] = 1.5
    together = model.write(x, beam=3)
    for row, source in zip(together, x, strict=True):
        alone = model.write(source[source != 0][None], beam=3)[0]
        assert row[row != 0].tolist() == alone.tolist()
    assert together.shape[1] <= 8 and not ((together == START) | (together == 1)).any()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("attention", ["additive", "bilinear"])
def test_one_batch_is_learned_and_written(cell: Any, attention: Any) -> None:
    options = {"cell": cell, "attention": attention, "width": 32, "dropout": 0.0, "label_smoothing": 0.0}
    model, x = small(**options, lr=1e-2).train(), texts(6, 4, 5, 3)
    y = torch.zeros(4, 9, dtype=torch.long)  # each text turned round
    for row, source in zip(y, x, strict=True):
        body = source[source > END].flip(0).tolist()
        row[: len(body) + 2] = torch.tensor([START, *body, END])
    optimizer, first = model.configure_optimizers(), 0.0
    for _ in range(150):
        loss = model.training_step((x, y), 0)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first
    for beam in (1, 3):
        for said, true in zip(model.write(x, beam=beam).tolist(), y.tolist(), strict=True):
            assert [token for token in said if token] == [token for token in true if token][1:]
    assert model.training  # as it was before it wrote


def test_what_is_learned_from_is_the_mean_of_the_texts_whatever_their_length() -> None:
    model, x, y = small(dropout=0.0), texts(6, 3, 8), texts(7, 2, 4)
    y[:, 0] = START
    together = model.training_step((x, y), 0)
    alone = [model.training_step((x[i : i + 1], y[i : i + 1][:, y[i] != 0]), 0) for i in range(3)]
    assert together.item() == pytest.approx(torch.stack(alone).mean().item(), rel=1e-5)


def test_what_is_learned_is_smoothed_and_what_is_logged_is_the_plain_cross_entropy() -> None:
    model, batch = small(dropout=0.0), (texts(6, 4), torch.tensor([[START, 5, 6, END], [START, 7, END, 0]]))
    logits = model(batch[0], batch[1][:, :-1])[[0, 0, 0, 1, 1], [0, 1, 2, 0, 1]].log_softmax(1)
    plain = -logits[range(5), [5, 6, END, 7, END]].mean()
    smooth = 0.9 * plain - 0.1 * logits.mean()
    logged: dict[str, Any] = {}
    model.log = lambda name, value, batch_size: logged.update({name: (value.item(), batch_size)})  # type: ignore[method-assign, assignment]
    learned = model.training_step(batch, 0).item()
    model.validation_step(batch, 0)
    assert learned == pytest.approx(smooth.item() * 5 / 2, abs=1e-5)
    assert logged["train/loss"] == logged["val/loss"] == (pytest.approx(plain.item(), abs=1e-6), 5)


def test_an_empty_text_is_read_and_an_odd_width_is_one_line() -> None:
    model = small()
    assert torch.isfinite(model(torch.zeros(2, 3, dtype=torch.long))).all()
    assert model.write(torch.zeros(1, 1, dtype=torch.long)).shape[1] >= 1
    with pytest.raises(ValueError, match="width 15 is odd.*try 16"):
        small(width=15)
