"""Pairs of texts: git's messages, the user's own, what is written of them and how it is judged."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nbmodels import names
from nbmodels.data import git_messages
from nbmodels.data.batches import InMemory
from nbmodels.data.git_messages import GitMessages, find_catalogue, read_catalogue
from nbmodels.data.inputs import name, prepare
from nbmodels.data.open import check_data, open_data
from nbmodels.data.pairs import pairs
from nbmodels.data.text import END, PAD, START, decoded, tokenizer
from nbmodels.errors import DataError, InputError
from nbmodels.models.seq2seq import Seq2Seq
from nbmodels.preview import samples
from nbmodels.runs import attention_map, examine, translations

SOURCES = [f"could not read file number {k}" for k in range(60)]
TARGETS = [f"无法读取第 {k} 个文件" for k in range(60)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path / "cache"))


def made(**options: Any) -> Any:
    return pairs("it", SOURCES, TARGETS, **{"pieces": 400, **options})


def said(data: Any, part: str) -> list[tuple[str, str]]:
    words, (x, y) = tokenizer(data.facts.tokens), getattr(data, part)
    return [(decoded(words, a), decoded(words, b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


def test_each_pair_begins_and_ends_as_it_should():
    data = made(length=20, target_length=30)
    (x, y), fills = data.train, data.facts.fills
    assert fills == {
        "vocab_size": fills["vocab_size"],
        "sequence_length": 20,
        "target_length": 30,
        "task": "translation",
    }
    assert 300 < fills["vocab_size"] <= 400  # so few texts have no more pairs of bytes that occur twice
    assert [len(part[0]) for part in (data.train, data.val, data.test)] == [48, 6, 6]
    assert x.shape == (48, 20) and y.shape == (48, 30) and (y[:, 0] == START).all()
    for row in (*x.tolist(), *y.tolist()):
        assert row.count(END) == 1 and set(row[row.index(END) + 1 :]) <= {PAD}
    every = [pair for part in ("train", "val", "test") for pair in said(data, part)]
    assert sorted(every) == sorted(zip(SOURCES, TARGETS, strict=True))
    batch = next(iter(InMemory(data, 4).train_dataloader()))
    assert [part.dtype for part in batch] == [torch.long, torch.long]


def test_a_pair_counts_once_and_a_source_lies_in_one_split():
    doubled = pairs("it", [*SOURCES, *SOURCES, " "], [*TARGETS, *TARGETS, "nothing"], pieces=400)
    assert sorted(said(doubled, "test")) == sorted(said(made(), "test"))
    two = pairs("it", SOURCES * 2, [*TARGETS, *SOURCES], pieces=400)
    for part in ("train", "val", "test"):
        found = [source for source, _ in said(two, part)]
        assert sorted(found) == sorted(2 * list(dict.fromkeys(found)))
    families = pairs("it", SOURCES, TARGETS, pieces=400, groups=[str(k // 10) for k in range(60)], test=0.34, val=0.34)
    tens = [{int(source.split()[-1]) // 10 for source, _ in said(families, part)} for part in ("train", "val", "test")]
    assert [len(part) for part in tens] == [2, 2, 2] and len(set.union(*tens)) == 6


def test_the_vocabulary_is_the_training_splits():
    strange = [f"{text} Ωж" if k % 2 else text for k, text in enumerate(SOURCES)]
    data = pairs("it", strange, TARGETS, pieces=400, test=0.5, val=0.0)
    alone = pairs("it", *zip(*said(data, "train"), strict=True), pieces=400, test=0.0, val=0.0)
    assert data.facts.tokens["json"] == alone.facts.tokens["json"]


def test_what_does_not_fit():
    long = "word " * 200
    translated = pairs("it", [*SOURCES, long], [*TARGETS, "字"], pieces=400, test=0.0, val=0.0)
    assert len(translated.train[0]) == 60  # half a text has no translation
    shortened = pairs("it", [*SOURCES, long], [*TARGETS, "字"], "summarisation", pieces=400, test=0.0, val=0.0)
    assert len(shortened.train[0]) == 61 and (shortened.train[0][:, -1] == END).sum() == 1
    with pytest.raises(DataError, match="No pair of it fits.*--length 4"):
        made(length=2)
    with pytest.raises(DataError, match="no pairs"):
        pairs("it", ["", "a"], ["b", " "])
    with pytest.raises(InputError, match="at least 300 pieces"):
        made(pieces=10)


def test_a_second_look_comes_from_the_cache(monkeypatch):
    first = made()
    monkeypatch.setattr("nbmodels.data.pairs.BPE.learn", None)
    assert np.array_equal(first.train[1], made().train[1])


def catalogue(file: Path, entries: dict[str, str]) -> None:
    """A .mo file, as msgfmt writes it."""
    keys = sorted(entries)
    texts = [key.encode() for key in keys] + [entries[key].encode() for key in keys]
    place, head, content = 28 + 16 * len(keys), b"", b""
    for text in texts:
        head += struct.pack("<II", len(text), place + len(content))
        content += text + b"\0"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0) + head + content)


def test_gits_catalogue_is_read(tmp_path, monkeypatch):
    file = tmp_path / "xx" / "LC_MESSAGES" / "git.mo"
    entries = {"": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n"}
    entries |= {"bad file": "坏文件", "%d file\0%d files": "%d 个文件\0%d 个文件们", "menu\x04open": "打开", "none": ""}
    catalogue(file, entries)
    assert read_catalogue(file) == {"bad file": "坏文件", "%d file": "%d 个文件", "open": "打开"}
    monkeypatch.setattr(git_messages, "locale_folders", lambda: [tmp_path / "nothing", tmp_path])
    assert find_catalogue("xx") == file
    with pytest.raises(DataError, match="no messages in 'de'.*There are xx"):
        find_catalogue("de")
    with pytest.raises(InputError, match="zh_CN"):
        find_catalogue("../../etc")
    file.write_bytes(b"no catalogue")
    with pytest.raises(DataError, match="cannot be read as a catalogue"):
        read_catalogue(file)
    file.unlink()
    with pytest.raises(DataError) as caught:
        GitMessages("xx").load()
    line = str(caught.value)
    assert str(tmp_path / "nothing") in line and "apt install git" in line and "\n" not in line


def test_gits_messages_themselves():
    try:
        data = GitMessages().load()
    except DataError as error:
        pytest.skip(error.what)
    sizes = [len(part[0]) for part in (data.train, data.val, data.test)]
    assert sum(sizes) > 5_000 and sizes[2] == pytest.approx(sum(sizes) / 10, rel=0.05)
    train, test = ({source for source, _ in said(data, part)} for part in ("train", "test"))
    assert not train & test
    words = tokenizer(data.facts.tokens)
    for x, _ in (data.train, data.test):
        assert int(x.max()) < words.size
    rows = samples(data)["rows"]
    assert len(rows) == 8 and all(" → " in text for _, text in rows)
    assert translations.tokenize([target for _, target in said(data, "test")]) == "zh"


FRAME = pd.DataFrame({"english": SOURCES, "chinese": TARGETS})


def test_the_users_own_table(tmp_path):
    FRAME.to_csv(tmp_path / "said.csv", index=False)
    for reference, obj in (("notebook:it", FRAME), (str(tmp_path / "said.csv"), None)):
        check_data(reference, {"target": "chinese"}, "translation", obj)
        data = open_data(reference, {"target": "chinese"}, task="translation", obj=obj)
        facts = data.facts
        assert facts.task == "translation" and facts.target == "chinese" and facts.columns == ("english",)
        assert facts.fills["sequence_length"] == 48
    lists = open_data("notebook:it", {}, task="summarisation", obj=(SOURCES, TARGETS))
    assert lists.facts.task == "summarisation" and lists.facts.fills["sequence_length"] == 128
    seen = names.look(names.find_data("it", {"it": FRAME}), "chinese", "translation").described.attributes
    assert seen["kind"] == "text" and seen["task"] == "translation"


@pytest.mark.parametrize(
    ("frame", "options", "match"),
    [
        (FRAME.assign(french=TARGETS), {"target": "chinese"}, "2 columns of text.*Keep two"),
        (FRAME.assign(chinese=range(60)), {"target": "chinese"}, "holds no texts"),
        (FRAME, {"target": "chinesisch"}, "no column 'chinesisch'.*chinese"),
        (FRAME, {"target": "chinese", "tokens": "words"}, "There is no kind of token.*words"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(frame, options, match):
    with pytest.raises((DataError, InputError), match=match) as caught:
        check_data("notebook:it", options, "translation", frame)
    assert "\n" not in str(caught.value)


def test_a_sentence_becomes_a_text(capsys):
    facts = made(length=12).facts
    x = prepare(facts, ["could not read", "file"])
    words = tokenizer(facts.tokens)
    assert x.shape == (2, 12) and x[1].tolist()[: len(words.encode("file")) + 1] == [*words.encode("file"), END]
    y = torch.tensor([[*words.encode("无法"), END, *words.encode("x"), 0]])
    assert name(facts, y) == ["无法"]
    assert capsys.readouterr().out == ""
    assert prepare(facts, "file " * 50)[0, -1] == END
    assert capsys.readouterr().out == "A text: cut to the first 11 tokens, the model reads no more\n"
    prepare(facts, ["file", "file " * 50])
    assert capsys.readouterr().out == "1 of 2 texts: cut to the first 11 tokens, the model reads no more\n"
    with pytest.raises(DataError, match="empty.*sentence"):
        prepare(facts, "  ".strip())


def test_one_sentence_gives_one_text_and_several_give_several():
    facts = made().facts
    model = Seq2Seq(**{key: facts.fills[key] for key in ("vocab_size", "target_length")}, width=8).eval()
    one, two = examine.predict(model, facts, "file", {}), examine.predict(model, facts, ["file", "read"], {"beam": 2})
    assert isinstance(one, str) and len(two) == 2 and all(isinstance(text, str) for text in two)
    for wrong, match in (({"top_k": 3}, "takes no --top-k.*--length, --beam"), ({"beam": 0}, "at least 1")):
        with pytest.raises(InputError, match=match):
            examine.predict(model, facts, "file", wrong)


class Copies:
    """It says what it reads, and looks at every token in its turn."""

    def predict_step(self, x: torch.Tensor, _: int) -> torch.Tensor:
        return x

    def attention(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.eye(y.shape[1])[None, :, : x.shape[1]]


@pytest.mark.parametrize(
    ("task", "figure", "rival"), [("translation", "bleu", "bleu-copy"), ("summarisation", "rouge-l", "rouge-l-lead")]
)
def test_the_look(task, figure, rival):
    pytest.importorskip("sacrebleu")
    data = made(task=task)
    seen = examine.look(Copies(), InMemory(data, 4), data.facts)  # type: ignore[arg-type]
    assert set(seen["figures"]) == {f"test/{figure}", f"test/{rival}"} and seen["picture"].startswith("data:image/png")
    source, made_, true = seen["texts"][0].split("\n")
    assert made_ == f"→ {source}" and true.startswith("= 无法")
    if task == "translation":
        assert seen["figures"]["test/bleu"] == seen["figures"]["test/bleu-copy"]


def test_the_figures_are_the_libraries_own():
    sacrebleu = pytest.importorskip("sacrebleu")
    written, true = ["无法读取 文件", "不能 打开"], ["无法读取文件", "无法打开它"]
    figures, each = translations.bleu(written, true, ["cannot read", "cannot open"])
    assert figures["test/bleu"] == sacrebleu.corpus_bleu(written, [true], tokenize="zh").score > 10
    assert figures["test/bleu-copy"] == 0 and each[0] > each[1]
    assert translations.tokenize(["un fichier"]) == "13a" and translations.tokenize(["ファイルが 読めない"]) == "char"


def test_rouge_is_the_longest_common_run_of_words_in_every_language():
    figures, each = translations.rouge(
        ["the cat sat", "猫坐着"], ["the cat lay down", "猫躺着"], ["a cat is an animal", "那只猫坐在那里"]
    )
    assert each == pytest.approx([2 * 2 / (3 + 4), 2 * 2 / (3 + 3)])
    assert figures["test/rouge-l"] == pytest.approx(sum(each) / 2)
    assert translations.lead("The cat, it sat.", 2) == "The cat" and translations.lead("那只猫", 2) == "那只"
    assert figures["test/rouge-l-lead"] == pytest.approx((2 / 8 + 2 / 7) / 2)


def test_tokens_are_drawn_as_a_person_reads_them():
    words = tokenizer(pairs("it", ["abc"] * 3 + ["abd"], ["x", "y", "z", "w"], pieces=300, val=0, test=0).facts.tokens)
    tokens = [*words.encode("a 字b"), END]
    units = list(attention_map.units(tokens, words))
    assert [name.strip() for name, _ in units][-3:] == ["字", "b", "end"]
    assert [number for _, part in units for number in range(part.start, part.stop)] == list(range(len(tokens)))
    weights = torch.rand(len(tokens), len(tokens)).softmax(1)
    table, read, written = attention_map.readable(weights, units, units)
    assert table.shape == (len(written), len(read)) and torch.allclose(table.sum(1), torch.ones(len(written)))


def test_no_boxes_are_drawn_where_no_font_has_the_letters(monkeypatch):
    from matplotlib import font_manager

    assert attention_map.fonts("cannot read") == ["DejaVu Sans"]
    found = attention_map.fonts("无法")
    assert not found or len(found) == 2
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    assert attention_map.fonts("无法") == []
    assert attention_map.draw([(torch.rand(2, 2), ["无", "法"], ["can", "not"])]).startswith("data:image/png")
