"""Elman's network and the GRU against torch's own and against their formulas; and the three as they tag and write."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.data.open import named, open_data
from nbmodels.errors import DataError
from nbmodels.models.gru import GRU
from nbmodels.models.lstm import LSTM
from nbmodels.models.recurrent import Recurrent
from nbmodels.models.rnn import RNN

ALL = [RNN, GRU, LSTM]
TORCHS: dict[Any, Any] = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}
EVERY = [
    {"task": task, "pooling": pooling, "bidirectional": bidirectional, "layers": layers}
    for task, pooling, bidirectional, layers in itertools.product(
        ["classification", "tagging"], ["max", "mean", "last"], [False, True], [1, 2]
    )
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def writer(cls: type[Recurrent], **options: Any) -> Recurrent:
    """A small language model of 20 tokens."""
    return cls(vocab_size=20, task="language-modelling", hidden=16, embedding=12, **options).eval()


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_torchs_own(cls: Any, bidirectional: bool, layers: int) -> None:
    x = torch.randint(1, 50, (4, 9))
    options = {"vocab_size": 50, "bidirectional": bidirectional, "layers": layers}
    tagger, judge = cls(**options, task="tagging").eval(), cls(**options, pooling="last").eval()
    for model in (tagger, judge):
        net = TORCHS[cls](128, 64, num_layers=layers, bidirectional=bidirectional, batch_first=True)
        with torch.no_grad():
            for theirs, ours in zip(net.parameters(), model.layers.parameters(), strict=True):
                theirs.copy_(ours)
        states, last = net(model.embedding(x))
        last = last[0] if cls is LSTM else last
        end = torch.cat(list(last[-2 if bidirectional else -1 :]), dim=1)
        assert torch.allclose(model(x), model.head(states if model is tagger else end), atol=1e-5)


def weights(model: Recurrent) -> tuple[Tensor, ...]:
    """W, U and the two biases of a model's only layer."""
    return tuple(model.layers[0].onwards.parameters())  # type: ignore[union-attr, arg-type]


def test_elmans_formula_by_hand() -> None:
    model, x = RNN(vocab_size=50, task="tagging").eval(), torch.randint(1, 50, (3, 7))
    w, u, b, c = weights(model)
    h, states = torch.zeros(3, 64), []
    for x_t in model.embedding(x).unbind(1):
        h = torch.tanh(h @ u.T + x_t @ w.T + b + c)
        states.append(h)
    assert torch.allclose(model(x), model.head(torch.stack(states, dim=1)), atol=1e-6)


def test_the_grus_formula_by_hand() -> None:
    model, x = GRU(vocab_size=50, task="tagging").eval(), torch.randint(1, 50, (3, 7))
    w, u, b, c = (part.chunk(3) for part in weights(model))
    h, states = torch.zeros(3, 64), []
    for x_t in model.embedding(x).unbind(1):
        r, z = (torch.sigmoid(x_t @ w[i].T + b[i] + h @ u[i].T + c[i]) for i in (0, 1))
        n = torch.tanh(x_t @ w[2].T + b[2] + r * (h @ u[2].T + c[2]))
        h = (1 - z) * n + z * h
        states.append(h)
    assert torch.allclose(model(x), model.head(torch.stack(states, dim=1)), atol=1e-6)


@pytest.mark.parametrize("cls", [RNN, GRU])
@pytest.mark.parametrize("options", EVERY, ids=lambda options: "-".join(map(str, options.values())))
def test_padding_never_changes_a_result(cls: Any, options: dict[str, Any]) -> None:
    model = cls(vocab_size=50, num_classes=3, **options).eval()
    texts = [torch.randint(1, 50, (length,)) for length in (1, 4, 9)]
    together = model(nn.utils.rnn.pad_sequence(texts, batch_first=True))
    longer = model(F.pad(nn.utils.rnn.pad_sequence(texts, batch_first=True), (0, 7)))
    for number, text in enumerate(texts):
        alone = model(text[None])[0]
        read = slice(0, len(text)) if options["task"] == "tagging" else slice(None)
        assert torch.allclose(together[number][read], alone, atol=1e-6)
        assert torch.allclose(longer[number][read], alone, atol=1e-6)


@pytest.mark.parametrize("cls", [RNN, GRU])
@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
def test_the_order_of_the_words_counts(cls: Any, pooling: str) -> None:
    model, x = cls(vocab_size=50, pooling=pooling).eval(), torch.randint(1, 50, (1, 8))
    assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-4)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("task", ["tagging", "language-modelling"])
def test_a_step_sees_the_past_and_only_backwards_the_future(cls: Any, task: str) -> None:
    x = torch.randint(1, 50, (1, 8))
    changed = x.clone()
    changed[0, 5] = x[0, 5] % 49 + 1
    one_way = cls(vocab_size=50, task=task, layers=2).eval()
    assert torch.allclose(one_way(x)[:, :5], one_way(changed)[:, :5], atol=1e-6)
    assert all(not torch.allclose(one_way(x)[:, t], one_way(changed)[:, t], atol=1e-5) for t in (5, 6, 7))
    both_ways = cls(vocab_size=50, task="tagging", bidirectional=True).eval()
    assert not torch.allclose(both_ways(x)[:, :5], both_ways(changed)[:, :5], atol=1e-5)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("task", ["tagging", "language-modelling"])
def test_one_batch_of_steps_is_learned_by_heart(cls: Any, task: str) -> None:
    model = cls(vocab_size=20, num_classes=5, task=task, hidden=64, lr=1e-2).eval()  # no dropout
    x = torch.randint(1, 20, (8, 12))
    batch = (x, x.roll(-1, 1)) if task == "language-modelling" else (x, torch.randint(0, 5, x.shape))
    optimizer, losses = model.configure_optimizers(), []
    for index in range(150):
        loss = model.training_step(batch, index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("cls", ALL)
def test_a_language_model_has_no_padding(cls: Any) -> None:
    """Token 0 is a character like any other: it has a vector, that vector is learned, and order counts at it too."""
    model = writer(cls)
    assert model.embedding.padding_idx is None and model.head.out_features == 20
    x = torch.tensor([[0, 0, 3, 0]])
    model.training_step((x, x), 0).backward()  # type: ignore[no-untyped-call]
    grad = model.embedding.weight.grad
    assert grad is not None and grad[0].abs().sum() > 0
    assert not torch.allclose(model(x)[:, 0], model(x)[:, 1], atol=1e-4)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("layers", [1, 2])
def test_to_read_on_from_memory_is_to_read_it_all(cls: Any, layers: int) -> None:
    model, x = writer(cls, layers=layers), torch.randint(0, 20, (3, 12))
    first, memory = model.read(x[:, :5])
    second, memory = model.read(x[:, 5:6], memory)
    third, _ = model.read(x[:, 6:], memory)
    assert torch.allclose(torch.cat([first, second, third], dim=1), model(x), atol=1e-6)


@pytest.mark.parametrize("cls", ALL)
def test_writing_token_by_token_is_what_the_whole_text_would_say(cls: Any) -> None:
    model, start = writer(cls), torch.randint(0, 20, (2, 3))
    text = model.generate(start, 15, temperature=0)
    assert text.shape == (2, 18) and torch.equal(text[:, :3], start)
    assert torch.equal(text[:, 3:], model(text).argmax(2)[:, 2:-1])


@pytest.mark.parametrize("cls", ALL)
def test_writing_repeats_with_a_seed_and_leaves_global_chance_alone(cls: Any) -> None:
    model, start = writer(cls).train(), torch.randint(0, 20, (2, 3))
    state = torch.get_rng_state()
    texts = [model.generate(start, 20, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(texts[0], texts[1]) and not torch.equal(texts[0], texts[2])
    assert model.samples((start, start)).shape == (2, 201)  # type: ignore[union-attr]
    assert torch.equal(state, torch.get_rng_state()) and model.training


def test_only_a_language_model_gives_samples_and_it_reads_one_way() -> None:
    assert GRU(vocab_size=20).samples((torch.ones(2, 4, dtype=torch.long), torch.zeros(2))) is None
    with pytest.raises(ValueError, match="^a language model that reads backwards sees the future; leave out bidir"):
        RNN(task="language-modelling", bidirectional=True)


def test_an_evaluation_counts_tokens_not_batches() -> None:
    """A batch with few known tags weighs little, and one with none nothing at all."""
    model = GRU(vocab_size=50, num_classes=4, task="tagging").eval()
    x, y = torch.randint(1, 50, (6, 5)), torch.randint(0, 4, (6, 5))
    y[2:4, 1:], y[4:] = -100, -100
    logged: list[tuple[str, float, int]] = []
    model.log = lambda name, value, batch_size: logged.append((name, float(value.detach()), batch_size))  # type: ignore[assignment]
    for number in range(3):
        model.validation_step((x[2 * number : 2 * number + 2], y[2 * number : 2 * number + 2]), number)
    assert [size for _, _, size in logged] == [10, 10, 2, 2]
    mean = sum(value * size for name, value, size in logged if name == "val/loss") / 12
    assert mean == pytest.approx(F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item(), rel=1e-5)


def test_the_gates_start_open_and_elmans_matrix_keeps_lengths() -> None:
    _, _, bias, _ = weights(GRU(vocab_size=5))
    assert torch.equal(bias, torch.cat([torch.zeros(64), torch.ones(64), torch.zeros(64)]))
    _, matrix, _, _ = weights(RNN(vocab_size=5))
    assert torch.allclose(matrix @ matrix.T, torch.eye(64), atol=1e-5)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_dropout_changes_no_mean_of_what_is_judged(cls: Any, pooling: str, rate: float) -> None:
    """Dropped before the pooling, the largest state was another in training (.47) than afterwards (.29)."""
    model, x = cls(vocab_size=50, pooling=pooling, word_dropout=0.0, dropout=rate), torch.randint(1, 50, (64, 20))
    nn.init.normal_(model.embedding.weight)
    seen: list[Tensor] = []
    model.head.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    for _ in range(60):
        model(x)
    model.eval()(x)
    trained, after = torch.stack(seen[:-1]), seen[-1]
    assert trained.mean().item() == pytest.approx(after.mean().item(), abs=0.03 * after.abs().mean().item())
    assert ((trained == 0).float().mean() - rate).abs() < 0.02
    assert torch.allclose(trained[trained != 0], (after.expand_as(trained) / (1 - rate))[trained != 0], atol=1e-5)


@pytest.mark.parametrize("cls", ALL)
def test_each_tags_state_and_each_layers_is_dropped_by_itself(cls: Any) -> None:
    model = cls(vocab_size=50, task="tagging", layers=2, word_dropout=0.0, dropout=0.5)
    seen: list[Tensor] = []
    for part in (model.head, model.layers[1]):
        part.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    model(torch.randint(1, 50, (16, 20)))
    assert all(0.4 < (part == 0).float().mean() < 0.6 for part in seen) and len(seen) == 2


def test_what_dropout_is_when_nobody_says() -> None:
    judge, tells = GRU(), writer(GRU)
    assert (judge.word_dropout.p, judge.dropout.p, judge.width) == (0.3, 0.5, 64)
    assert GRU(task="tagging").word_dropout.p == 0.1
    assert (tells.word_dropout.p, tells.dropout.p) == (0, 0)
    assert GRU(task="language-modelling", dropout=0.2).dropout.p == 0.2


def test_perplexity_is_of_all_tokens() -> None:
    model = writer(RNN)
    model.heard = [(torch.tensor(1.0), 30), (torch.tensor(3.0), 10)]
    assert float(model.perplexity()) == pytest.approx(math.exp(1.5))


def lean(counts: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Chances [N, V] of counts [N, V], leaning on others where little was seen (Witten and Bell, 1991)."""
    often, kinds = counts.sum(1, keepdims=True), (counts > 0).sum(1, keepdims=True)
    return np.where(often > 0, (counts + kinds * on) / np.maximum(often + kinds, 1), on)


def trigrams(train: np.ndarray, test: np.ndarray, size: int) -> float:
    """Nats a token of a smoothed trigram model that has counted all of `train`, on `test`."""
    train, test = train.astype(np.int64), test.astype(np.int64)
    single = np.bincount(train, minlength=size) + 1.0
    pairs = np.bincount(train[:-1] * size + train[1:], minlength=size**2).reshape(size, size)
    threes = np.bincount((train[:-2] * size + train[1:-1]) * size + train[2:], minlength=size**3)
    double = lean(pairs, single / single.sum())
    triple = lean(threes.reshape(size**2, size), np.tile(double, (size, 1)))
    assert np.allclose(triple.sum(1), 1)
    return float(-np.log(triple[test[:-2] * size + test[1:-1], test[2:]]).mean())


def test_it_foretells_shakespeare_better_than_trigrams_do() -> None:
    """600 small batches of an Elman network of 128, a fifth of the text, against trigrams of all of it."""
    try:
        whole = named("shakespeare", {}).load()
    except DataError as error:
        pytest.skip(error.what)
    size = whole.facts.fills["vocab_size"]
    table = trigrams(whole.train[0], whole.test[0], size)
    assert 1.9 < table < 2.1
    data = open_data("shakespeare", {}, batch_size=32, limit=600 * 32)
    model = RNN(vocab_size=size, task="language-modelling", hidden=128, lr=1e-2)
    optimizer: Any = model.configure_optimizers()
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=600)
    for index, batch in enumerate(data.train_dataloader()):
        loss = model.training_step(batch, index)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        losses = [(model.judge(batch)[0].item(), len(batch[0])) for batch in data.test_dataloader()]
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    assert mean < table
