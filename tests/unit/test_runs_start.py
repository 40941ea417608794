"""`--from`: what a run takes from another goes by the names of tokens, classes and columns, whatever their numbers."""

from __future__ import annotations

import dataclasses
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nbmodels.data.facts import Facts
from nbmodels.data.text import BPE, Characters, Tokenizer, Words
from nbmodels.errors import RunError
from nbmodels.models import MODELS
from nbmodels.options import read_source
from nbmodels.runs.build import build_model
from nbmodels.runs.checkpoint import PARTS
from nbmodels.runs.folder import FACTS, RunFolder
from nbmodels.runs.start import start_from
from nbmodels.spec import Spec

SMALL: dict[str, dict[str, Any]] = {
    "seq2seq": {"width": 16},
    "transformer": {"width": 16, "heads": 2},
    "bert": {"width": 16, "heads": 2},
    "gpt": {"width": 16, "heads": 2, "layers": 1},
    "dalle": {"width": 16, "codes": 8, "channels": 8, "layers": 1},
    **{name: {"embedding": 16, "hidden": 16} for name in ("rnn", "gru", "lstm")},
    "vgg": {"width": 4, "dense": 8},
    "resnet": {"width": 4},
    "mobilenet": {"width": 0.1},
}
TEXT_TASKS = [
    (name, task)
    for name in MODELS
    if name != "llm" and "text" in read_source(MODELS[name]).attributes["accepts"]
    for task in read_source(MODELS[name]).attributes["tasks"]
]
CLASSES = ("cat", "dog", "emu", "fox")
WORDS = [a + b for a in string.ascii_lowercase[:7] for b in string.ascii_lowercase[:4]]


def text_facts(task: str, words: Tokenizer, classes: tuple[str, ...] = CLASSES) -> Facts:
    fills = {"vocab_size": words.size, "sequence_length": 12, "target_length": 12, "num_classes": len(classes)}
    fills |= {"task": "language-modelling" if task.startswith("masked") else task}
    fills |= {"separator": 3} if task == "question-answering" else {}
    known = classes if task in ("classification", "tagging") else ()
    return Facts("texts", "text", fills["task"], fills, known, tokens=words.state)


def built(name: str, facts: Facts, objects: dict[str, Any] | None = None, **spec: Any) -> tuple[Spec, Any]:
    asked = Spec("run-2", name, facts.name, SMALL.get(name, {}), **spec)
    return asked, build_model(asked, facts, objects or {})


def written(place: Path, model: nn.Module, spec: Spec, facts: Facts | None) -> Path:
    """A run of the past."""
    folder = RunFolder(place / "runs" / "run-1")
    (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder.path / "spec.yaml").write_text(spec.to_yaml())
    if facts is not None:
        folder.file(FACTS).write_text(json.dumps(facts.to_dict()))
    path = folder.path / "checkpoints" / "step-00000001.ckpt"
    torch.save({**{key: kind() for key, kind in PARTS.items()}, "state_dict": model.state_dict()}, path)
    return path


def shaken(model: nn.Module) -> nn.Module:
    """Every weight another, so that no row equals another's."""
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.3)
    return model.eval()


def started(place: Path, name: str, old: Facts, new: Facts, objects: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """A model of old data, and one of new data that starts from it."""
    spec, before = built(name, old, objects)
    written(place, shaken(before), spec, old)
    spec, after = built(name, new, objects, start="run-1")
    start_from(after, spec, new, objects or {}, place / "runs")
    return before.eval(), after.eval()


def shuffled(items: Any, seed: int) -> list[Any]:
    made = list(items)
    random.Random(seed).shuffle(made)
    return made


def asked(name: str, task: str, tokens: Tensor) -> tuple[Tensor, ...]:
    if name in ("seq2seq", "transformer") and task != "classification":
        return tokens, tokens[:, :5]
    return (tokens,)


def by_name(logits: Tensor, numbers: list[int]) -> Tensor:
    """Logits in the order of the old run's names."""
    return logits.index_select(-1, torch.tensor(numbers))


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000))
@pytest.mark.parametrize(("name", "task"), TEXT_TASKS)
def test_a_permuted_vocabulary_and_permuted_classes_say_the_same_of_the_same_text(
    name: str, task: str, tmp_path: Path, seed: int
) -> None:
    torch.manual_seed(seed)
    mark = WORDS[:2] if task == "question-answering" else []  # number 3 is the separator here and there
    first, second = (Words([*mark, *shuffled(WORDS[len(mark) :], seed + more)]) for more in (0, 1))
    old = text_facts(task, first)
    new = text_facts(task, second, tuple(shuffled(CLASSES, seed + 2)))
    before, after = started(tmp_path, name, old, new)
    words = [[*shuffled(WORDS[2:], seed + 3)[:3], *mark[1:], *shuffled(WORDS[2:], seed + 4)[:5]] for _ in range(3)]
    there, here = (torch.tensor([t.encode(" ".join(text)) for text in words]) for t in (first, second))
    with torch.no_grad():
        expected, found = before(*asked(name, task, there)), after(*asked(name, task, here))
    if new.classes:
        found = by_name(found, [new.classes.index(each) for each in old.classes])
    elif found.shape[-1] == second.size:
        found = by_name(found, [0, 1, *(second.numbers[word] for word in first.words)])
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["characters", "reserved", "bpe"])
def test_every_tokenizer_is_carried_by_its_pieces(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    text, other = "the cat sat on the mat and ran after a rat " * 3, "a dog ran on and on, the cat sat " * 3
    if kind == "bpe":
        pytest.importorskip("tokenizers")
        first, second = (BPE.learn([each], 280) for each in (text, other))
    else:
        reserved = 2 if kind == "reserved" else 0
        first, second = (Characters.learn([each], reserved) for each in (text, other + "z"))
    old, new = (text_facts("language-modelling", words) for words in (first, second))
    before, after = started(tmp_path, "gpt", old, new)
    pieces = {number: piece for piece, number in _table(second).items()}
    table = _table(first)
    for number, piece in pieces.items():
        same = piece in table and torch.equal(after.tokens.weight[number], before.tokens.weight[table[piece]])
        assert same == (piece in table), piece


def _table(words: Any) -> dict[str, int]:
    if isinstance(words, BPE):
        return dict(words.library.get_vocab())
    return {**{f"special {number}": number for number in range(words.reserved)}, **words.numbers}


def test_tokens_of_another_kind_are_left_fresh_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    letters, words = Characters("abcdefgh"), Words(list("abcdef"))  # 8 tokens each: the shapes are the same
    old, new = (text_facts("language-modelling", each) for each in (letters, words))
    _, fresh = built("gpt", new)
    before, after = started(tmp_path, "gpt", old, new)
    assert not torch.isin(after.tokens.weight, before.tokens.weight).any()
    assert float(after.tokens.weight.std()) == pytest.approx(float(fresh.tokens.weight.std()), rel=0.3)
    assert torch.equal(after.norm.weight, before.norm.weight)
    assert "Of 8 tokens 0 are known there" in capsys.readouterr().out


def test_equal_tokens_and_classes_copy_all_to_the_bit_and_draw_nothing(tmp_path: Path) -> None:
    facts = text_facts("classification", Words(WORDS))
    before, after = started(tmp_path, "gru", facts, facts)
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    spec, model = built("gru", text_facts("classification", Words(WORDS[::-1])), start="run-1")
    torch.manual_seed(7)
    state = torch.get_rng_state()
    start_from(model, spec, text_facts("classification", Words(WORDS[::-1])), {}, tmp_path / "runs")
    assert torch.equal(state, torch.get_rng_state()), "what a run draws does not depend on where it starts"


@pytest.mark.parametrize("name", ["cnn", "vgg", "resnet", "mobilenet", "mlp", "linear"])
@pytest.mark.parametrize("new", [CLASSES[::-1], ("dog", "gnu", "cat"), ("ant", "bee", "cow", "dog", "emu")])
def test_a_head_of_pictures_goes_by_the_names_of_the_classes(name: str, new: tuple[str, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    fills = {"in_channels": 1, "image_size": 8, "in_features": 64}
    facts = [Facts("x", "image", "classification", {**fills, "num_classes": len(c)}, c) for c in (CLASSES, new)]
    before, after = started(tmp_path, name, *facts)
    x = torch.rand(3, 1, 8, 8)
    expected, found = before(x), after(x)
    for number, each in enumerate(new):
        if each in CLASSES:
            assert torch.allclose(found[:, number], expected[:, CLASSES.index(each)], atol=1e-5)
        else:
            assert not torch.isclose(found[:, number, None], expected).all(0).any()


@pytest.mark.parametrize("name", ["mlp", "linear"])
def test_a_table_goes_by_the_names_of_its_columns(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    rows = [("size", "colour", "age"), ("age", "colour", "size")]
    values = [["red", "blue"], ["blue", "green", "red"]]
    facts = [
        Facts("t", "table", "regression", {"in_features": 2 + len(v), "out_features": 1, "task": "regression"},
              columns=columns, categories={"colour": v})
        for columns, v in zip(rows, values, strict=True)
    ]  # fmt: skip
    before, after = started(tmp_path, name, *facts)
    old = torch.tensor([[1.5, 1.0, 0.0, 30.0], [2.5, 0.0, 1.0, 10.0]])  # size, red, blue, age
    new = torch.tensor([[30.0, 0.0, 0.0, 1.0, 1.5], [10.0, 1.0, 0.0, 0.0, 2.5]])  # age, blue, green, red, size
    assert torch.allclose(before(old), after(new), atol=1e-5)


def test_the_same_numbers_of_another_task_are_no_classes_of_this_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    old, new = text_facts("tagging", Words(WORDS)), text_facts("classification", Words(WORDS))
    before, after = started(tmp_path, "lstm", old, new)
    assert torch.equal(before.embedding.weight, after.embedding.weight)
    assert before.head.weight.shape == after.head.weight.shape
    assert not torch.isin(after.head.weight, before.head.weight).any()


class Written(nn.Module):
    """A network with its sizes written into it, as in a notebook; a layer inside is as wide as there are classes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 4)
        self.inside = nn.Linear(4, 4)
        self.out = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.inside(self.embedding(x).mean(1)).tanh())


@pytest.mark.parametrize("instance", [False, True])
def test_a_network_of_the_notebook_is_carried_by_name_too(instance: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = Words(WORDS), Words(WORDS[::-1])
    old, new = text_facts("classification", first), text_facts("classification", second, CLASSES[::-1])
    spec, before = built("notebook:Written", old, {"model": Written() if instance else Written})
    written(tmp_path, shaken(before), spec, old)
    objects = {"model": Written() if instance else Written}
    spec, after = built("notebook:Written", new, objects, start="run-1")
    start_from(after, spec, new, objects, tmp_path / "runs")
    text = " ".join(WORDS[3:9])
    there, here = (torch.tensor([words.encode(text)]) for words in (first, second))
    assert torch.allclose(before(there), after(here).flip(1), atol=1e-6)


def test_a_checkpoint_file_is_known_by_the_run_around_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    old, new = (text_facts("classification", Words(words)) for words in (WORDS, WORDS[::-1]))
    spec, before = built("gru", old)
    path = written(tmp_path, shaken(before), spec, old)
    spec, after = built("gru", new, start=str(path))
    start_from(after, spec, new, {}, tmp_path)
    assert torch.equal(after.embedding.weight[2:].flip(0), before.embedding.weight[2:])
    alone = tmp_path / "alone.ckpt"
    alone.write_bytes(path.read_bytes())
    capsys.readouterr()
    start_from(after, dataclasses.replace(spec, start=str(alone)), new, {}, tmp_path)
    assert torch.equal(after.embedding.weight, before.embedding.weight)
    assert "rows are taken by number" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 3}', '{"tokens": "x"}', "\x00"])
def test_broken_facts_beside_a_checkpoint_are_no_trap(content: str, tmp_path: Path) -> None:
    facts = text_facts("classification", Words(WORDS))
    spec, before = built("gru", facts)
    path = written(tmp_path, before, spec, facts)
    (path.parent.parent / FACTS).write_text(content)
    spec, after = built("gru", facts, start=str(path))
    start_from(after, spec, facts, {}, tmp_path)
    assert torch.equal(after.embedding.weight, before.embedding.weight)


def test_another_model_is_refused_in_one_line(tmp_path: Path) -> None:
    facts = text_facts("classification", Words(WORDS))
    spec, before = built("transformer", facts)
    written(tmp_path, before, spec, facts)
    spec, after = built("gru", dataclasses.replace(facts), start="run-1")
    with pytest.raises(RunError, match="another model") as refused:
        parts = {key: kind() for key, kind in PARTS.items()}
        torch.save({**parts, "state_dict": {"nothing": torch.zeros(1)}}, next((tmp_path / "runs").rglob("*.ckpt")))
        start_from(after, spec, facts, {}, tmp_path / "runs")
    assert "\n" not in str(refused.value)
