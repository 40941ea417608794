"""The Brown corpus, npm's registry as the user has set it up, and tags said with their words."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

from nbmodels.data import brown, npm
from nbmodels.data.brown import Brown
from nbmodels.data.facts import Facts
from nbmodels.data.inputs import name, prepare
from nbmodels.data.text import Words, tokenizer
from nbmodels.errors import DataError, InputError
from nbmodels.preview import samples
from nbmodels.runs import tags

LINES = """

\tThe/at Fulton/np-tl County/nn-tl said/vbd ``/`` no/at ''/'' ./.


\tCafe/fw-nn and/or/cc it's/pps+bez --/-- ?/nil
"""


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Twenty texts of two sentences, all different, as the package has them; LINES is the first to train on."""
    starts = list(permutations(["The/at", "Fulton/np-tl", "County/nn-tl", "no/at", "said/vbd"], 3))
    others = list(permutations(["Cafe/fw-nn", "and/or/cc", "it's/pps+bez", "The/at", "no/at"], 3))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for file in [f"package/ca{number:02}" for number in range(20)] + ["package/README", "package/cats.txt"]:
            number = int(file[-2:]) - 1 if file[-2:].isdigit() else 0
            lines = LINES.replace(" ".join(starts[0]), " ".join(starts[number]))
            lines = lines.replace(" ".join(others[0]), " ".join(others[number]))
            info = tarfile.TarInfo(file)
            info.size = len(lines)
            tar.addfile(info, io.BytesIO(lines.encode("latin-1")))
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(brown, "npm_archive", lambda *package: made.getvalue())


def test_every_word_has_its_part_of_speech(corpus):
    data = Brown(length=8).load()
    (x, y), words = data.train, tokenizer(data.facts.tokens)
    assert words.decode(x[0].tolist()) == 'the fulton county said " no " .'
    assert [data.facts.classes[tag] for tag in y[0]] == ["at", "np", "nn", "vbd", '"', "at", '"', "."]
    assert words.decode(x[1].tolist()) == "cafe and/or it's -- ?"
    assert [data.facts.classes[tag] for tag in y[1][:4]] == ["nn", "cc", "pps+bez", "--"]
    assert (y[1][4:] == -100).all() and (x[1][5:] == 0).all()  # what is not tagged, and the padding
    assert [len(part[0]) for part in (data.train, data.val, data.test)] == [32, 4, 4]


def test_a_preview_says_each_word_with_its_tag(corpus):
    rows = samples(Brown(length=8).load())["rows"]
    assert rows[0] == ["", 'the/at fulton/np county/nn said/vbd "/" no/at "/" ./.']


def test_a_long_sentence_goes_on_in_the_next_row(corpus):
    data = Brown(length=3).load()
    rows = [tokenizer(data.facts.tokens).decode(row) for row in data.train[0].tolist()]
    first = rows.index("the fulton county")
    assert rows[first : first + 3] == ["the fulton county", 'said " no', '" .']
    with pytest.raises(InputError, match="at least 1 word"):
        Brown(length=0).load()


def test_the_corpus_itself():
    try:
        data = Brown().load()
    except DataError as error:
        pytest.skip(error.what)
    known = [int((y != -100).sum()) for _, y in (data.train, data.val, data.test)]
    assert sum(known) == 1_161_035 and known[2] / sum(known) == pytest.approx(0.1, abs=0.01)
    assert len(data.facts.classes) == 187 and data.facts.classes[:3] == ("nn", "in", "at")
    for x, y in (data.train, data.val, data.test):
        assert x.shape == y.shape and not (y[x == 0] != -100).any() and int(x.max()) < data.facts.fills["vocab_size"]
    x, y = data.train
    table = np.zeros((data.facts.fills["vocab_size"], 187), dtype=int)
    np.add.at(table, (x[y != -100], y[y != -100]), 1)
    x, y = data.test
    share = (table.argmax(1)[x] == y)[y != -100].mean()
    assert 0.85 < share < 0.90  # what a network has to beat: the commonest tag of every word


def test_a_typed_sentence_is_cut_as_the_corpus_is():
    words = Words(["the"], brown.PATTERN)
    text = "Mr. Smith didn't say: \"The U.S. grew 3.5% to $1,000 -- well-known, isn't it?\""
    cut = "mr. smith didn't say : \" the u.s. grew 3.5% to $1,000 -- well-known , isn't it ? \""
    assert " ".join(words.pieces(text)) == cut
    assert tokenizer(words.state).pieces(text) == words.pieces(text)


def test_tags_are_said_with_their_words():
    state = Words(["dogs", "bark"]).state
    fills = {"sequence_length": 4, "num_classes": 2}
    facts = Facts("t", "text", "tagging", fills, ("noun", "verb"), tokens=state)
    sentences = ["Dogs bark", "cats bark too loud today"]
    assert prepare(facts, sentences).tolist() == [[2, 3, 0, 0], [1, 3, 1, 1]]
    chances = torch.eye(2)[torch.tensor([[0, 1, 0, 0], [0, 1, 0, 0]])]
    first, second = name(facts, chances, sentences)
    assert first == [("dogs", "noun"), ("bark", "verb")]
    assert second == [("cats", "noun"), ("bark", "verb"), ("too", "noun"), ("loud", "noun")]
    assert name(facts, chances) == [["noun", "verb", "noun", "noun"]] * 2


def test_the_hardest_words_are_counted():
    class Says:
        def predict_step(self, x: torch.Tensor, _: int) -> torch.Tensor:
            return torch.eye(2)[torch.zeros_like(x)]

    facts = Facts("t", "text", "tagging", {}, ("noun", "verb"), tokens=Words(["dogs", "bark"]).state)
    x, y = torch.tensor([[2, 3, 3, 0], [3, 2, 0, 0]]), torch.tensor([[0, 1, 1, -100], [1, 0, -100, -100]])
    seen = tags.look(Says(), [(x, y)], facts)
    assert seen["confusion"] == [[2, 0], [3, 0]] and seen["picture"].startswith("data:image/png")
    assert seen["texts"] == ["bark  (verb, said noun: 3 times)"]


class Answer:
    """What a web session gives, as much as is asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.headers = content, {"content-length": str(len(content))}

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None: ...

    def raise_for_status(self) -> None: ...

    def json(self) -> Any:
        return json.loads(self.content)

    def iter_content(self, _: int) -> list[bytes]:
        return [self.content]


def test_the_archive_comes_from_the_users_registry_and_is_checked(monkeypatch):
    asked = []

    class Session:
        def get(self, url: str, **_: Any) -> Answer:
            asked.append(url)
            said = json.dumps({"dist": {"tarball": "https://files.example.org/a.tgz"}}).encode()
            return Answer(b"archive" if url.endswith("tgz") else said)

    monkeypatch.setattr(npm, "npm_settings", lambda: {"registry": "https://npm.example.org/"})
    monkeypatch.setattr(npm, "web_session", lambda settings: Session())
    with pytest.raises(DataError, match="SHA-256"):
        npm.npm_archive("a", "1.0.0", "0" * 64)
    assert asked == ["https://npm.example.org/a/1.0.0", "https://files.example.org/a.tgz"]


def test_the_environment_wins_over_npm_and_npms_own_over_nothing(monkeypatch):
    monkeypatch.setattr(npm, "_npm_says", lambda: {"registry": "https://said.example.org/", "cafile": "/ca.pem"})
    monkeypatch.delenv("npm_config_registry", raising=False)
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    assert npm.npm_settings() == {"registry": "https://said.example.org/", "cert": "/ca.pem"}
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://me:secret@env.example.org")
    assert npm.npm_settings()["registry"] == "https://me:secret@env.example.org"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///nowhere")
    with pytest.raises(DataError, match="no web address"):
        npm.npm_settings()
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    monkeypatch.setattr(npm, "_npm_says", dict)
    with pytest.raises(DataError, match="no npm here .*npm_config_registry"):
        npm.npm_settings()


def test_no_registry_is_one_line_without_the_password(tmp_path, monkeypatch):
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(npm, "npm_settings", lambda: {"registry": "http://me:secret@127.0.0.1:9"})
    with pytest.raises(DataError) as caught:
        Brown().load()
    said = str(caught.value)
    assert "brown" in said and "127.0.0.1 (no connection)" in said and "bigmodel data brown" in said
    assert "secret" not in said and "\n" not in said and not list(tmp_path.iterdir())
