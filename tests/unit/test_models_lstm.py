"""The LSTM against torch's own, and what padding must not do."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.lstm import LSTM

EVERY = [
    {"task": task, "pooling": pooling, "bidirectional": bidirectional, "layers": layers}
    for task, pooling, bidirectional, layers in itertools.product(
        ["classification", "tagging"], ["max", "mean", "last"], [False, True], [1, 2]
    )
]


def reference(model: LSTM, x: Tensor, bidirectional: bool, layers: int) -> tuple[Tensor, Tensor]:
    """States [B, T, D·H] and last states [D, B, H] of torch's LSTM with the model's weights."""
    net = nn.LSTM(128, 64, num_layers=layers, bidirectional=bidirectional, batch_first=True)
    with torch.no_grad():
        for theirs, ours in zip(net.parameters(), model.layers.parameters(), strict=True):
            theirs.copy_(ours)
    states, (last, _) = net(model.embedding(x))
    return states, last


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_torchs_lstm(bidirectional: bool, layers: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(1, 50, (4, 9))
    options = {"vocab_size": 50, "bidirectional": bidirectional, "layers": layers}
    tagger = LSTM(**options, task="tagging").eval()  # type: ignore[arg-type]
    states, _ = reference(tagger, x, bidirectional, layers)
    assert torch.allclose(tagger(x), tagger.head(states), atol=1e-5)
    judge = LSTM(**options, pooling="last").eval()  # type: ignore[arg-type]
    _, last = reference(judge, x, bidirectional, layers)
    directions = 2 if bidirectional else 1
    assert torch.allclose(judge(x), judge.head(torch.cat(list(last[-directions:]), dim=1)), atol=1e-5)


@pytest.mark.parametrize("options", EVERY, ids=lambda options: "-".join(map(str, options.values())))
def test_padding_never_changes_a_result(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = LSTM(vocab_size=50, num_classes=3, **options).eval()  # type: ignore[arg-type]
    texts = [torch.randint(1, 50, (length,)) for length in (1, 4, 9)]
    together = model(nn.utils.rnn.pad_sequence(texts, batch_first=True))
    longer = model(F.pad(nn.utils.rnn.pad_sequence(texts, batch_first=True), (0, 7)))
    for number, text in enumerate(texts):
        alone = model(text[None])[0]
        read = slice(0, len(text)) if options["task"] == "tagging" else slice(None)
        assert torch.allclose(together[number][read], alone, atol=1e-6)
        assert torch.allclose(longer[number][read], alone, atol=1e-6)


def test_an_empty_text_has_an_answer_that_padding_does_not_change() -> None:
    for bidirectional in (False, True):
        model = LSTM(vocab_size=5, bidirectional=bidirectional).eval()
        short, long = (model(torch.zeros(1, length, dtype=torch.long)) for length in (1, 6))
        assert torch.isfinite(short).all() and torch.allclose(short, long, atol=1e-6)


@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
def test_the_order_of_the_words_counts(pooling: str) -> None:
    torch.manual_seed(0)
    model = LSTM(vocab_size=50, pooling=pooling).eval()  # type: ignore[arg-type]
    x = torch.randint(1, 50, (1, 8))
    assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-4)


def test_a_tag_knows_the_words_before_it_and_backwards_those_after_it() -> None:
    torch.manual_seed(0)
    x = torch.randint(1, 50, (1, 8))
    changed = x.clone()
    changed[0, 5] = x[0, 5] % 49 + 1
    one_way = LSTM(vocab_size=50, task="tagging").eval()
    both_ways = LSTM(vocab_size=50, task="tagging", bidirectional=True).eval()
    assert torch.allclose(one_way(x)[:, :5], one_way(changed)[:, :5], atol=1e-6)
    assert not torch.allclose(one_way(x)[:, 5:], one_way(changed)[:, 5:], atol=1e-4)
    assert not torch.allclose(both_ways(x)[:, :5], both_ways(changed)[:, :5], atol=1e-4)


def test_tags_of_minus_100_do_not_count() -> None:
    torch.manual_seed(0)
    model = LSTM(vocab_size=50, num_classes=4, task="tagging").eval()
    x, y = torch.randint(1, 50, (2, 6)), torch.randint(0, 4, (2, 6))
    y[:, 3:] = -100
    by_hand = F.cross_entropy(model(x)[:, :3].reshape(-1, 4), y[:, :3].reshape(-1))
    assert torch.allclose(model.training_step((x, y), 0), by_hand, atol=1e-6)


def test_word_dropout_hides_whole_words() -> None:
    torch.manual_seed(0)
    model = LSTM(vocab_size=50, word_dropout=0.5)
    vectors = model.word_dropout(model.embedding(torch.randint(1, 50, (4, 20))))
    hidden = (vectors == 0).all(dim=2)
    assert 0.2 < hidden.float().mean() < 0.8 and ((vectors == 0).any(dim=2) == hidden).all()


def test_the_forget_gate_starts_open() -> None:
    model = LSTM(vocab_size=5)
    biases = [p for name, p in model.layers.named_parameters() if "bias" in name]
    assert torch.equal(sum(biases)[64:128], torch.ones(64))  # type: ignore[index]
