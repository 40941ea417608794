"""The GPT against attention written by hand and transformers' GPT-2, and what a language model must not do."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from nbmodels import words
from nbmodels.data.text import BPE, Pretrained
from nbmodels.errors import InputError
from nbmodels.models import gpt2
from nbmodels.models.draw import draw
from nbmodels.models.gpt import GPT, Attention
from nbmodels.models.gru import GRU
from nbmodels.models.linear import Linear
from nbmodels.runs import folder as folders
from nbmodels.runs.run import Run
from nbmodels.runs.writing import check


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
    assert torch.allclose(layer(x)[0], attention_by_hand(layer, x), atol=1e-6)


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
    assert draw(logits, 0.0).item() == 1
    assert {draw(logits, top_k=2, generator=generator).item() for _ in range(100)} == {1, 3}
    assert draw(logits, top_k=1, generator=generator).item() == 1
    drawn = torch.cat([draw(logits.expand(1000, -1), generator=generator) for _ in range(20)]).flatten()
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert torch.allclose(shares, logits.softmax(dim=1)[0], atol=0.02)


@pytest.mark.parametrize(("width", "heads", "nearest"), [(100, 3, "2 or 4"), (128, 5, "4 or 8"), (7, 2, "1 or 7")])
def test_heads_that_do_not_divide_the_width_are_said_in_one_line(width: int, heads: int, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"^width {width} cannot be shared by {heads} heads; try {nearest}$"):
        GPT(width=width, heads=heads)


def test_too_long_a_text_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match="9 tokens are too many for a sequence_length of 8"):
        GPT(sequence_length=8)(torch.zeros(1, 9, dtype=torch.long))


def test_the_nucleus_is_as_few_tokens_as_have_the_chance() -> None:
    chances = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.7, 0.1, 0.1, 0.1]])
    generator = torch.Generator().manual_seed(0)

    def drawn(top_p: float, top_k: int | None = None) -> list[set[int]]:
        rows = torch.cat([draw(chances.log(), 1.0, top_k, top_p, generator) for _ in range(300)], dim=1)
        return [set(row.tolist()) for row in rows]

    assert drawn(0.6) == [{1, 3}, {0}]
    assert drawn(0.8)[0] == {1, 3, 2}
    assert drawn(0.01) == [{1}, {0}]  # the likeliest always stays
    assert drawn(1.0) == [{0, 1, 2, 3}] * 2
    assert drawn(0.6, top_k=2) == [{1}, {0}]  # of what top_k leaves, 0.5 of 0.75 is two thirds


@pytest.mark.parametrize("length", [5, 30])
@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": 0.9, "top_p": 0.9}, {"top_k": 5}])
def test_the_text_is_the_same_with_and_without_the_cache(length: int, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=50, sequence_length=12, width=32, layers=3)
    for beginning in (1, 4, 12, 20):  # also past the window, which slides then
        start = torch.randint(0, 50, (2, beginning))
        texts = [
            model.generate(start, length, **options, generator=torch.Generator().manual_seed(1), cache=cache)
            for cache in (True, False)
        ]
        assert torch.equal(*texts)


def test_reading_on_is_reading_at_once_and_the_cache_is_used() -> None:
    torch.manual_seed(0)
    model = GPT(vocab_size=50, sequence_length=16).eval()
    x = torch.randint(0, 50, (2, 16))
    first, memory = model.read(x[:, :5])
    second, memory = model.read(x[:, 5:12], memory)
    third, memory = model.read(x[:, 12:], memory)
    assert torch.allclose(torch.cat([first, second, third], dim=1), model(x), atol=1e-5)
    assert {part.shape[2] for pair in memory for part in pair} == {16}
    with pytest.raises(ValueError, match="17 tokens are too many"):
        model.read(x[:, :1], memory)
    read: list[int] = []
    model.blocks[0].register_forward_hook(lambda module, given, made: read.append(given[0].shape[1]))
    model.generate(x[:, :6], 5)
    assert read == [6, 1, 1, 1, 1]


# -- GPT-2 itself


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of chance with a tokenizer, as transformers writes both."""
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("tiny-gpt2")
    sizes = {"vocab_size": 300, "n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 4}
    config = GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    network = GPT2LMHeadModel(config)
    for parameter in network.parameters():  # far from GPT-2's small start, biases too
        torch.nn.init.normal_(parameter, std=0.3)
    network.save_pretrained(place)
    made = BPE.learn(["the cat sat on the mat and the dog sat on the cat " * 3], 300)
    PreTrainedTokenizerFast(tokenizer_object=made.library).save_pretrained(place)
    return place


def reference(place: Path) -> Any:
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(place).eval()


def test_the_same_weights_give_transformers_logits_and_text(published: Path) -> None:
    ours, theirs = GPT(pretrained=str(published), sequence_length=8).eval(), reference(published)
    x = torch.randint(0, 300, (2, 20))
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x).logits, atol=1e-5)
    text = theirs.generate(x[:1, :7], max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert torch.equal(ours.generate(x[:1, :7], 20, temperature=0.0), text)


def test_every_tensor_has_its_one_place(published: Path) -> None:
    ours, theirs = GPT(pretrained=str(published), sequence_length=8), reference(published)
    state, renamed = ours.state_dict(), gpt2.renamed(theirs.state_dict())
    assert set(renamed) == set(state)
    assert sum(p.numel() for p in ours.parameters()) == theirs.num_parameters()
    name = "blocks.1.attention.query_key_value.weight"
    assert torch.equal(state[name], theirs.state_dict()["transformer.h.1.attn.c_attn.weight"].T)
    assert ours.hparams["layers"] == 3 and ours.hparams["sequence_length"] == 32 and ours.hparams["lr"] == 5e-5


def test_gpt2_small_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        model = GPT(vocab_size=50_257, sequence_length=1_024, layers=12, heads=12, width=768)
    assert sum(p.numel() for p in model.parameters()) == 124_439_808


def test_weights_that_do_not_fit_are_said_in_one_line(published: Path, tmp_path: Path) -> None:
    source = str(published)
    with pytest.raises(ValueError, match="knows 300 tokens and the data has 301"):
        GPT(vocab_size=301, sequence_length=8, pretrained=source)
    with pytest.raises(ValueError, match="looks back on 32 tokens"):
        GPT(sequence_length=33, pretrained=source)
    with pytest.raises(ValueError, match="^there is no folder or file /nowhere/at/all[^\n]*$"):
        GPT(pretrained="/nowhere/at/all")
    with pytest.raises(ValueError, match="holds no model that transformers can read[^\n]*$"):
        GPT(pretrained=str(tmp_path))
    for odd in ({"n_inner": 48}, {"activation_function": "relu"}, {"model_type": "bert"}):
        config = SimpleNamespace(**{**reference(published).config.to_dict(), **odd})
        with pytest.raises(ValueError, match="other is .*, not GPT-2 as published"):
            gpt2.sizes(config, "other", 300, 8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path / "cache"))
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path
    folders.set_runs_root(None)


def fine_tuned(place: Path, model: str, source: Path, **options: Any) -> Run:
    """A run in a folder of the test's, trained in this process; its text is cut by the published tokenizer."""
    from nbmodels import request
    from nbmodels.runs.fit import fit
    from nbmodels.runs.pulse import Pulse

    text = place / "story.txt"
    text.write_text("the dog sat on the mat and the cat sat on the dog\n" * 60)
    asked = {"pretrained": str(source), "sequence_length": 8, "batch_size": 8, "device": "cpu", "epochs": 1, **options}
    spec, _ = request.build_spec(model, str(text), asked, {})
    assert spec.data_options["tokens"] == str(source)
    folder = folders.create(spec)
    pulse = Pulse(folder)
    pulse.tell(state=fit(folder, pulse))
    pulse.write()
    return Run(folder)


def again(run: Run, **training: Any) -> None:
    """Go on with the run, as its worker would."""
    import dataclasses

    from nbmodels.runs.fit import fit
    from nbmodels.runs.pulse import Pulse

    spec = run.spec
    longer = dataclasses.replace(spec, training=dataclasses.replace(spec.training, **training))
    run.folder.file(folders.SPEC).write_text(longer.to_yaml())
    pulse = Pulse(run.folder)
    pulse.tell(state=fit(run.folder, pulse))
    pulse.write()


def test_a_run_of_published_weights_needs_them_only_to_begin(published: Path, place: Path) -> None:
    source = shutil.copytree(published, place / "source")
    run = fine_tuned(place, "gpt", source)
    assert isinstance(Pretrained.find(str(source)), Pretrained)
    shutil.rmtree(source)
    model: Any = run.model
    assert len(model.blocks) == 3 and model.positions.num_embeddings == 32
    begun = GPT(pretrained=str(published), sequence_length=8)
    moved = [p for p, q in zip(model.parameters(), begun.parameters(), strict=True) if not torch.equal(p, q)]
    assert moved and all(
        torch.allclose(p, q, atol=0.1) for p, q in zip(model.parameters(), begun.parameters(), strict=True)
    )
    again(run, epochs=2)
    assert run.folder.status()["epoch"] == 2
    assert run.predict("the cat", length=12, top_p=0.9).startswith("the cat")


# -- a text that is seen while it is written


def test_what_is_written_is_told_on_the_way_and_kept_when_interrupted(published: Path, place: Path) -> None:
    run, told = fine_tuned(place, "gpt", published), []
    whole = run.predict("the cat", length=12, temperature=1e-6)
    assert run.predict("the cat", told.append, length=12, temperature=1e-6) == whole == told[-1]
    assert len(told) > 1 and whole.startswith(told[0])

    def interrupt(text: str) -> None:
        told.append(text)
        if len(told) == 1:
            raise KeyboardInterrupt

    told.clear()
    part = run.predict("the cat", interrupt, length=12, temperature=1e-6)
    assert part == told[-1] and whole.startswith(part) and len(part) < len(whole)


def test_a_line_shows_its_text_once(published: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nbmodels import cli

    run = fine_tuned(place, "gpt", published)
    line = ["predict", run.name, "the cat", "--length", "9", "--temperature", "0.000001", "--top-p", "0.9"]
    capsys.readouterr()
    assert cli.main(line) == 0
    text = capsys.readouterr().out.removesuffix("\n")
    assert text == run.predict("the cat", length=9, temperature=1e-6)
    assert cli.main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == text
    assert words.predict({}, run.name, ["the cat"], stream=False, length=9, temperature=1e-6) == text
    assert not capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["0", "1.1"])
def test_a_share_that_is_none_is_refused(wrong: str) -> None:
    from nbmodels.errors import InputError
    from nbmodels.line import do

    with pytest.raises(InputError, match="--top-p takes a number"):
        do(["predict", "gpt-1", "x", "--top-p", wrong], {})


def test_the_recurrent_networks_write_from_the_nucleus_too() -> None:
    torch.manual_seed(0)
    model = GRU(vocab_size=12, task="language-modelling")
    start = torch.randint(0, 12, (2, 3))
    likeliest = model.generate(start, 10, temperature=0.0)
    assert torch.equal(model.generate(start, 10, top_p=1e-6), likeliest)
    parts = list(model.write(start, 10, temperature=0.0))
    assert torch.equal(torch.cat([start, *parts], dim=1), likeliest) and model.training


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam": 4}, "GPT takes no --beam to predict. It takes --length, --temperature, --top-k, --top-p."),
        ({"length": 0}, "--length is at least 1, not 0"),
        ({"temperature": -1.0}, "--temperature is at least 0, not -1"),
    ],
)
def test_an_option_of_predict_that_is_not_its_own_is_one_line(options: dict[str, float], said: str) -> None:
    with pytest.raises(InputError) as refused:
        check(GPT(), options)
    assert str(refused.value) == said
    check(GPT(), {"length": 1, "temperature": 0.0, "top_k": 1, "top_p": 0.5})


def test_a_model_that_writes_nothing_takes_no_options() -> None:
    with pytest.raises(InputError, match="Linear takes no --length to predict. Leave it out."):
        check(Linear(), {"length": 5})


def test_the_likeliest_token_stays_whatever_top_p_is() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 0.0]])
    assert draw(logits, top_p=0.0).flatten().tolist() == [1, 0]
