"""BERT against transformers', its gaps, and how its runs are taken up again; questions and their answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.films import ask
from nbmodels.data.inputs import prepare
from nbmodels.data.language import language
from nbmodels.data.open import open_data
from nbmodels.data.questions import Question, encode, prepare_questions, questions
from nbmodels.data.sentences import sentences
from nbmodels.data.text import BPE, Characters, Pretrained
from nbmodels.errors import BigModelError, DataError, InputError
from nbmodels.models.bert import BERT
from nbmodels.runs import answers, gaps
from nbmodels.runs.samples import with_gaps

transformers: Any = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {"vocab_size": 40, "max_position_embeddings": 24, "type_vocab_size": 2, "num_hidden_layers": 3}
SIZES |= {"num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
MASK, SEPARATOR = 4, 3
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "king", "queen", "good", "bad", "film", "is", "was"]
WORDS += ["who", "when", "?", ".", "##s", "##ing", "he", "she", "made", "by", "ann", "bob", "in", "rome", "paris", "to"]
WORDS += [f"w{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def published(folder: Path, kind: str, **more: Any) -> Any:
    """A tiny random BERT of transformers with its tokenizer, saved by save_pretrained; its weights are not small."""
    model = getattr(transformers, kind)(transformers.BertConfig(**SIZES, **more)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab=dict(zip(WORDS, range(40), strict=True))).save_pretrained(folder)
    return model


def ours(folder: Path, **options: Any) -> BERT:
    return BERT(vocab_size=40, sequence_length=16, pretrained=str(folder), **options).eval()


def padded_batch() -> tuple[Tensor, Tensor]:
    x = torch.randint(5, 40, (3, 16))
    x[1, 9:] = x[2, 4:] = 0
    return x, (x != 0).long()


def test_masked_logits_are_transformers(tmp_path: Path) -> None:
    theirs = published(tmp_path, "BertForMaskedLM")
    x = torch.randint(1, 40, (3, 16))
    with torch.no_grad():
        assert torch.allclose(ours(tmp_path, mask_token=MASK)(x), theirs(x).logits, atol=1e-5, rtol=1e-5)


def test_class_logits_are_transformers_with_padding(tmp_path: Path) -> None:
    theirs = published(tmp_path, "BertForSequenceClassification", num_labels=3)
    x, mask = padded_batch()
    model = ours(tmp_path, task="classification", num_classes=3, pooling="first")
    with torch.no_grad():
        assert torch.allclose(model(x), theirs(x, attention_mask=mask).logits, atol=1e-5, rtol=1e-5)


def test_tag_logits_are_transformers_with_padding(tmp_path: Path) -> None:
    theirs = published(tmp_path, "BertForTokenClassification", num_labels=5)
    x, mask = padded_batch()
    model = ours(tmp_path, task="tagging", num_classes=5)
    with torch.no_grad():
        assert torch.allclose(model(x)[x != 0], theirs(x, attention_mask=mask).logits[x != 0], atol=1e-5, rtol=1e-5)


def test_answer_logits_are_transformers_with_segments(tmp_path: Path) -> None:
    theirs = published(tmp_path, "BertForQuestionAnswering")
    x, mask = padded_batch()
    x[0, [5, 15]] = x[1, [3, 8]] = x[2, [1, 3]] = SEPARATOR
    x[:, 2:][x[:, 2:] == 0] = 0
    segments = torch.tensor([[0] * 6 + [1] * 10, [0] * 4 + [1] * 12, [0] * 2 + [1] * 14])
    model = ours(tmp_path, task="question-answering", separator=SEPARATOR)
    with torch.no_grad():
        found, right = model(x), theirs(x, attention_mask=mask, token_type_ids=segments)
    assert torch.allclose(found[..., 0][x != 0], right.start_logits[x != 0], atol=1e-5, rtol=1e-5)
    assert torch.allclose(found[..., 1][x != 0], right.end_logits[x != 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pickled", [False, True])
def test_hidden_states_and_attention_are_transformers(tmp_path: Path, pickled: bool) -> None:
    theirs = published(tmp_path, "BertModel")
    theirs.set_attn_implementation("eager")
    if pickled:  # as weights were kept before safetensors, some with TensorFlow's names
        (tmp_path / "model.safetensors").unlink()
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        state = {f"bert.{key}": value for key, value in theirs.state_dict().items()}
        for ours_, old in names.items():
            state = {key.replace(ours_, old): value for key, value in state.items()}
        torch.save(state, tmp_path / "pytorch_model.bin")
    x, mask = padded_batch()
    model = ours(tmp_path, task="classification", num_classes=3)
    with torch.no_grad():
        right = theirs(x, attention_mask=mask, output_attentions=True)
        assert torch.allclose(model.read(x)[x != 0], right.last_hidden_state[x != 0], atol=1e-5, rtol=1e-5)
        for found, weights in zip(model.encoder.attention(x, None, model.real(x)), right.attentions, strict=True):
            real = mask.bool()[:, None, :, None].expand_as(weights)
            assert torch.allclose(found[real], weights[real], atol=1e-6)


def test_bert_base_has_the_papers_parameters() -> None:
    with torch.device("meta"):
        sizes: dict[str, Any] = {"layers": 12, "heads": 12, "width": 768, "sequence_length": 512, "pooling": "first"}
        model = BERT(vocab_size=30522, task="classification", **sizes)
    count = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("head."))
    assert count == 109_482_240


@pytest.mark.parametrize("options", [{}, {"pooling": "first"}, {"task": "tagging"}])
def test_padding_does_not_change_a_result(options: dict[str, Any]) -> None:
    model = BERT(30, 16, **{"task": "classification", **options}).eval()
    x = torch.randint(1, 30, (2, 9))
    longer = torch.nn.functional.pad(x, (0, 7))
    answer = model(longer)
    assert torch.allclose(model(x), answer[:, :9] if model.task == "tagging" else answer, atol=1e-6)
    assert torch.isfinite(model(torch.zeros(2, 4, dtype=torch.long))).all()


def test_the_first_token_of_characters_is_no_padding() -> None:
    model = BERT(30, 16).eval()
    x = torch.randint(1, 30, (1, 8))
    changed = x.index_fill(1, torch.tensor([7]), 0)
    assert not torch.allclose(model(x)[:, :7], model(changed)[:, :7], atol=1e-4)


def test_places_differ_and_both_sides_are_read() -> None:
    model = BERT(30, 16, task="tagging").eval()
    same = model(torch.full((1, 4), 3))
    assert not torch.allclose(same[:, 0], same[:, 1], atol=1e-4)
    x = torch.tensor([[5, 6, 7, 8]])
    assert not torch.allclose(model(x)[:, 1], model(torch.tensor([[5, 6, 7, 9]]))[:, 1], atol=1e-5)
    assert not torch.allclose(model(x)[:, 1], model(torch.tensor([[4, 6, 7, 8]]))[:, 1], atol=1e-5)


def test_gaps_are_of_the_papers_kinds_and_shares() -> None:
    model = BERT(50, 100)
    x = torch.randint(0, 50, (400, 100))
    given, places = model.gaps(x)
    assert places.shape == (400, 15) and all(len(set(row)) == 15 for row in places.tolist())
    outside = torch.ones_like(x, dtype=torch.bool).scatter(1, places, False)
    assert torch.equal(given[outside], x[outside])
    put, was = given.gather(1, places), x.gather(1, places)
    assert (put == model.mask_token).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (put == was).float().mean().item() == pytest.approx(0.1 + 0.1 / 50, abs=0.02)
    assert model.mask_token == 50 and put.max() == 50 and model.encoder.tokens.num_embeddings == 51
    assert model(x[:1]).shape == (1, 100, 50)  # a gap is never foretold


def test_only_gaps_count_in_the_loss() -> None:
    model = BERT(50, 40).eval()
    x = torch.randint(0, 50, (4, 40))
    loss, _, count = model.answer((x, x), torch.Generator().manual_seed(5))
    given, places = model.gaps(x, torch.Generator().manual_seed(5))
    chances = model(given).log_softmax(dim=2)
    by_hand = [-chances[row, place, x[row, place]] for row in range(4) for place in places[row]]
    assert count == len(by_hand) == 24
    assert loss.item() == pytest.approx(torch.stack(by_hand).mean().item(), rel=1e-5)


def test_an_evaluation_has_the_same_gaps_every_time() -> None:
    model = BERT(50, 40).eval()
    batch = (torch.randint(0, 50, (4, 40)),) * 2
    said: list[Any] = []
    model.log = lambda name, value, **_: said.append(value.item())  # type: ignore[method-assign]
    for _ in range(2):
        model.evaluate(batch, 3, "val")
    assert said[:2] == said[2:]
    model.evaluate(batch, 4, "val")
    assert said[4:] != said[:2]


def test_tags_that_are_unknown_do_not_count() -> None:
    model = BERT(30, 16, task="tagging", num_classes=4).eval()
    x, y = torch.randint(1, 30, (2, 8)), torch.randint(0, 4, (2, 8))
    y[:, 5:] = -100
    loss, _, count = model.answer((x, y), None)
    other = torch.nn.functional.cross_entropy(model(x)[:, :5].flatten(0, 1), y[:, :5].flatten())
    assert count == 10 and loss.item() == pytest.approx(other.item(), rel=1e-5)
    assert model.answer((x, torch.full_like(y, -100)), None)[0] == 0


@pytest.mark.parametrize("task", ["tagging", "question-answering"])
def test_one_batch_is_learned(task: Any) -> None:
    model = BERT(30, 12, task=task, num_classes=4, separator=3, dropout=0.0)
    x = torch.randint(5, 30, (6, 12))
    x[:, [3, 11]] = 3
    y = torch.randint(0, 4, (6, 12))
    if task == "question-answering":
        y = torch.tensor([[4, 5], [6, 6], [7, 9], [5, 8], [10, 10], [4, 4]])
    optimizer = model.configure_optimizers()
    for _ in range(100):
        loss, right, _ = model.answer((x, y), None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert right == 1 and loss < 0.1


def test_an_answer_is_a_piece_of_the_text() -> None:
    model = BERT(30, 12, task="question-answering", separator=3)
    x = torch.tensor([[2, 9, 8, 3, 7, 6, 5, 3, 0, 0]])
    logits = torch.zeros(1, 10, 2)
    logits[0, :, 0] = torch.tensor([9.0, 9, 9, 9, 0, 1, 3, 9, 9, 9])  # what is outside of the text counts for nothing
    logits[0, :, 1] = torch.tensor([9.0, 9, 9, 9, 4, 2, 0, 9, 9, 9])
    assert model.span(logits, x).tolist() == [[4, 4]]  # 0 + 4; 1 + 4 would end before it begins


def test_a_checkpoint_brings_its_sizes(tmp_path: Path) -> None:
    """What `resume`, `test` and `run.model` do: the model again with pretrained="" and the options of the spec."""
    published(tmp_path, "BertModel")
    x, _ = padded_batch()
    for options in ({"task": "classification", "num_classes": 3, "pooling": "first"}, {"mask_token": MASK}, {}):
        more: dict[str, Any] = {"vocab_size": 40, "sequence_length": 16, **options}
        model = BERT(pretrained=str(tmp_path), **more).eval()
        again = BERT(pretrained="", **more).eval()
        again.load_state_dict(model.state_dict())
        assert again.encoder.blocks[0].heads == 4 and again.mask_token == model.mask_token
        assert torch.equal(again.eval()(x), model(x))


def test_a_run_with_published_weights_goes_on_and_answers_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbmodels.runs import folder as folders
    from nbmodels.runs.examine import examine
    from nbmodels.runs.fit import fit
    from nbmodels.runs.pulse import Pulse
    from nbmodels.runs.run import Run
    from nbmodels.spec import Spec, Training

    weights, file = tmp_path / "weights", tmp_path / "films.csv"
    weights.mkdir()
    published(weights, "BertModel")
    rows = [
        f"the film is {'good' if number % 2 else 'bad'} w{number % 10} w{number // 10},{number % 2}"
        for number in range(60)
    ]
    file.write_text("text,said\n" + "\n".join(rows) + "\n")
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path / "runs"))
    folders.set_runs_root(None)
    options = {"target": "said", "tokens": str(weights), "sequence_length": 12}
    training = Training(epochs=2, batch_size=8, seed=0, save_steps=3, device="cpu")
    spec = Spec("bert-1", "bert", str(file), {"pretrained": str(weights)}, options, training)

    made = folders.create(spec)
    fit(made, Pulse(made))
    for late in made.checkpoints()[1:]:
        late.unlink()  # as if it had been stopped early
    (weights / "model.safetensors").unlink()  # and what it was pretrained on is gone
    first = made.checkpoints()[0].name
    fit(made, Pulse(made))
    assert made.checkpoints()[-1].name != first
    model = Run(made)._load()
    assert isinstance(model, BERT) and model.encoder.tokens.weight.shape == (40, 32)
    assert model.encoder.blocks[0].heads == 4 and len(model.encoder.blocks) == 3
    chances = model.predict_step(torch.tensor([[2, 5, 11, 12, 9, 3, 0, 0, 0, 0, 0, 0]]))
    assert chances.shape == (1, 2)
    assert 0 <= examine(made)["figures"]["test/accuracy"] <= 1


def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path: Path) -> None:
    published(tmp_path, "BertModel")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"pretrained": str(tmp_path / "nothing")}, "no BERT"),
        ({"pretrained": str(tmp_path), "sequence_length": 99}, "24 tokens at most"),
        ({"pretrained": str(tmp_path), "vocab_size": 2_000, "sequence_length": 16}, "other tokens"),
        ({"width": 30, "heads": 4}, "try 3|try 5"),
        ({"task": "question-answering"}, "separator"),
    ]
    for options, words in bad:
        with pytest.raises(ValueError, match=words) as raised:
            BERT(**options)
        assert "\n" not in str(raised.value)
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="no weights"):
        BERT(pretrained=str(tmp_path), sequence_length=16)
    transformers.GPT2Config(n_layer=1).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"gpt2|no BERT"):
        BERT(pretrained=str(tmp_path), sequence_length=16)


def test_a_pretrained_tokenizers_marks_stay_when_a_text_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path, "BertModel")
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    saved["padding"] = {"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    saved["padding"] |= {"pad_type_id": 0, "pad_token": "[PAD]"}
    saved["truncation"] = {"direction": "Right", "max_length": 20, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(saved))
    words = Pretrained.find(str(tmp_path))
    assert words.encode("the king") == [2, 5, 7, 3]  # no padding of its own
    assert len(words.encode("the king " * 20)) == 42  # nor is a long text cut
    texts = ["the good film " * 5, "a bad film"] * 10
    data = sentences("own", texts, np.array([1, 0] * 10), ("bad", "good"), tokens=str(tmp_path), length=8)
    x = np.concatenate([data.train[0], data.val[0], data.test[0]])
    assert (x[:, 0] == 2).all() and ((x == 3).sum(1) == 1).all()
    assert {tuple(row) for row in x.tolist()} == {(2, 5, 9, 11, 5, 9, 11, 3), (2, 6, 10, 11, 3, 0, 0, 0)}
    again = Pretrained(data.facts.tokens["json"])  # type: ignore[index]
    assert again.encode(texts[0])[-1] == 3  # so it is for new sentences
    assert prepare(data.facts, texts[:2]).shape == (2, 8)
    assert capsys.readouterr().out == "1 of 2 texts: cut to the first 8 tokens, the model reads no more\n"


# -- what a person sees


def test_gaps_are_filled_in_the_users_words() -> None:
    data = language("own", ["the cat sat on the mat. " * 40], sequence_length=16)
    facts = data.facts
    model = BERT(facts.fills["vocab_size"], 16).eval()
    words = Characters(**{key: value for key, value in (facts.tokens or {}).items() if key != "kind"})
    chances = torch.zeros(1, 16, facts.fills["vocab_size"])
    chances[..., words.encode("a")[0]] = 0.7
    chances[..., words.encode("o")[0]] = 0.2
    model.predict_step = lambda x, batch_idx=0: chances[:, : x.shape[1]]  # type: ignore[method-assign]
    said = gaps.fill(model, facts, "the c[MASK]t s___t")
    assert said["text"] == "the cat sat"
    assert [list(gap)[:2] for gap in said["gaps"]] == [["a", "o"], ["a", "o"]] and len(said["gaps"][0]) == 5
    assert gaps.fill(model, facts, ["c___t"])[0]["text"] == "cat"
    with pytest.raises(InputError, match="no gap"):
        gaps.fill(model, facts, "the cat")
    model.predict_step = BERT.predict_step.__get__(model)  # type: ignore[method-assign]
    with pytest.raises(InputError, match="too many"):
        gaps.fill(model, facts, "the ___ sat on the mat")


def test_samples_show_gaps_and_fillings() -> None:
    data = language("own", ["the cat sat on the mat. " * 40], sequence_length=16)
    model = BERT(data.facts.fills["vocab_size"], 16).eval()
    batch = next(iter(open_batches(data)))
    given, made = model.samples(batch)  # type: ignore[misc]
    words = Characters(data.facts.tokens["characters"])  # type: ignore[index]
    text = with_gaps(given[0].tolist(), words, model.mask_token)
    assert text.count("_") == 2 and len(text) == 16 and made.max() < words.size
    seen = gaps.look(model, [batch], data.facts)
    share = torch.bincount(batch[0].flatten()).float() / batch[0].numel()
    entropy = -sum(p * math.log(p) for p in share.tolist() if p)
    assert seen["figures"]["test/unigram"] == pytest.approx(entropy, rel=1e-5)
    assert "→" in seen["texts"][0]


def open_batches(data: Any) -> Any:
    from nbmodels.data.batches import InMemory

    return InMemory(data, 4).test_dataloader()


ASKED = [
    Question(f"who made film w{number}?", f"film w{number} was made by {name} in {place}.", name, 20)
    for number, (name, place) in enumerate([("ann", "rome"), ("bob", "paris")] * 5)
]


def test_questions_become_spans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(tmp_path, "BertModel")
    for tokens in ("bpe", str(tmp_path)):
        data = questions("own", ASKED, tokens=tokens, length=40, pieces=300)
        facts = Facts.from_dict(json.loads(json.dumps(data.facts.to_dict())))
        x, y = data.train
        assert x.shape == (8, 40) and y.shape == (8, 2) and (y >= 0).all()
        assert ((x == facts.fills["separator"]).sum(1) == 2).all()
        for (text, made), each in zip(prepare_questions(facts, [q[:2] for q in ASKED]), ASKED, strict=True):
            row = (x == padded_to(made.tokens, 40)).all(1).nonzero()[0]
            for number in row:
                first, last = y[number]
                assert text[made.spans[first][0] : made.spans[last][1]] == each.answer
        assert not capsys.readouterr().out
        prepare_questions(facts, [("who?", "film " * 50), ("who " * 50, "film w1"), ASKED[0][:2]])
        assert capsys.readouterr().out == "2 of 3 texts: cut to the first 40 tokens, the model reads no more\n"
    short = encode(Pretrained.find(str(tmp_path)), ASKED[0].question, ASKED[0].text, 16)
    assert len(short.tokens) == 16 == len(short.spans) and short.tokens[-1] == 3


def padded_to(tokens: list[int], length: int) -> np.ndarray:
    return np.array(tokens + [0] * (length - len(tokens)))


def test_an_answer_beyond_what_is_read_is_wrong_not_elsewhere() -> None:
    late = [Question(q.question, "film " * 60 + q.text, q.answer, q.start + 300) for q in ASKED]
    data = questions("own", late, length=32, pieces=300)
    assert (data.train[1] == -100).all()
    model = BERT(data.facts.fills["vocab_size"], 32, task="question-answering", separator=3).eval()
    batch = (torch.from_numpy(data.train[0]).long(), torch.from_numpy(data.train[1]))
    assert model.answer(batch, None)[1] == 0
    assert answers.look(model, [batch], data.facts)["figures"]["test/f1"] == 0


def test_f1_is_of_the_tokens() -> None:
    said = torch.tensor([[4, 6], [4, 6], [9, 9], [5, 5]])
    right = torch.tensor([[4, 6], [6, 7], [4, 6], [-100, -100]])
    assert answers.overlap(said, right).tolist() == pytest.approx([1.0, 0.4, 0.0, 0.0])


def test_a_file_in_squads_form_is_data(tmp_path: Path) -> None:
    paragraphs = []
    for each in ASKED:
        right = {"question": each.question, "answers": [{"text": each.answer, "answer_start": each.start}]}
        paragraphs.append({"context": each.text, "qas": [right, {"question": "?", "is_impossible": True}]})
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"version": "v2.0", "data": [{"title": "films", "paragraphs": paragraphs}]}))
    data = open_data(str(file), {}, task="question-answering")
    facts = data.facts  # type: ignore[attr-defined]
    assert facts.task == "question-answering" and len(data.dataset.train[0]) == 8  # type: ignore[attr-defined]
    model = BERT(facts.fills["vocab_size"], 128, task="question-answering", separator=3).eval()
    said = answers.predict(model, facts, (ASKED[0].question, ASKED[0].text))
    assert isinstance(said, str) and said and said in ASKED[0].text
    pair = {"question": ASKED[1].question, "context": ASKED[1].text}
    assert answers.predict(model, facts, [pair, pair])[0] in ASKED[1].text
    for wrong in ("who made it?", [("who?",)], {"question": "who?"}):
        with pytest.raises(InputError):
            answers.predict(model, facts, wrong)
    paragraphs[0]["qas"][0]["answers"][0]["answer_start"] = 3
    file.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    with pytest.raises(DataError, match="does not begin at"):
        open_data(str(file), {})
    file.write_text('{"data": [{"paragraphs": [{"context": "a"}]}]}')
    with pytest.raises(BigModelError, match="SQuAD"):
        open_data(str(file), {})


def test_films_are_asked_for_by_name() -> None:
    asked = ask([("Heat", "1995", "Crime Drama"), ("Babe", "1994", "Comedy"), ("Fargo", "1996", "Crime")], 0)
    assert len(asked) == 6 and len({each.text for each in asked}) == 1
    for each in asked:
        assert each.text[each.start : each.start + len(each.answer)] == each.answer
    assert [each.answer for each in asked[:4]] == ["1995", "crime, drama", "1994", "comedy"]
    assert asked[0].question == "When did Heat come out?"


def test_the_films_are_in_one_split_only() -> None:
    try:
        data = open_data("films", {})
    except DataError as error:
        pytest.skip(str(error))
    facts, parts = data.facts, data.dataset  # type: ignore[attr-defined]
    words, separator = BPE(facts.tokens["json"]), facts.fills["separator"]
    found = [{tuple(row[: row.tolist().index(separator)]) for row in part[0]} for part in (parts.train, parts.test)]
    assert len(parts.train[0]) > 2_600 and not found[0] & found[1]
    x, y = parts.test
    read = [(row, a, b) for row, (a, b) in zip(x[::2], y[::2], strict=True) if a >= 0]  # the text may be cut before it
    assert len(read) > 0.95 * len(x[::2])
    years = [words.decode(row[a : b + 1].tolist()) for row, a, b in read]
    assert all(year.strip().isdigit() and len(year.strip()) == 4 for year in years)
