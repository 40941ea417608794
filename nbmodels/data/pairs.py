"""Texts with a text each as a data set: translations, summaries, whatever the language.

N pairs, S tokens of a source, T tokens of its target.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from nbmodels.data.dataset import DataSet, Split
from nbmodels.data.facts import Facts
from nbmodels.data.fetch import cached
from nbmodels.data.split import TRAIN, apart, normalised, ordered, rows_of, split, together
from nbmodels.data.text import BPE, END, START, decoded, padded, tokenizer
from nbmodels.errors import DataError, InputError

Task = Literal["translation", "summarisation"]
PARTS = ("train", "val", "test")
SMALLEST = "A vocabulary has at least 300 pieces, a source 2 tokens and a target 3"
Shape = tuple[Task, int, int, int]  # the task, pieces of the vocabulary, tokens of a source and of a target


def pairs(
    name: str,
    sources: Sequence[str],
    targets: Sequence[str],
    task: Task = "translation",
    pieces: int = 3_000,
    length: int = 48,
    target_length: int = 48,
    val: float = 0.1,
    test: float = 0.1,
    groups: Sequence[str] | None = None,
    target: str = "",
) -> DataSet:
    """Texts and their answers -> x [N, S], each with END; y [N, T], each from START to END; both padded with 0.

    Both share one vocabulary of byte pairs, learned on the training split. A pair that occurs twice counts once.
    Sources that are equal but for case, marks and spaces lie in one split, and so do those that become equal tokens. A
    source that is too long for S is cut to be summarised; a translation of half a text is none: that pair is left out,
    as is a target too long for T.

    Args:
        name: What to call the data.
        sources: What is read, N of them.
        targets: What is to be written of each.
        task: translation or summarisation.
        pieces: Size of the vocabulary, at least 300.
        length: S, tokens of a source with its END, at least 2.
        target_length: T, tokens of a target with START and END, at least 3.
        val: Share to validate on, in [0, 1).
        test: Share to test on, in [0, 1).
        groups: What each pair belongs to: pairs of one group lie in one split too.
        target: What the targets are called.

    Raises:
        DataError: There are too few pairs, or none fits.
    """
    if pieces < 300 or length < 2 or target_length < 3:
        raise InputError(SMALLEST, "Type: --pieces 3000 --length 48 --target-length 48")
    content, belongs = _belonging(sources, targets, groups)
    to_test = round(len(content) * test)
    part = split(belongs, round(len(content) * (test + val)) - to_test, to_test)
    if not (part == TRAIN).any():
        raise DataError(f"{name} has no pairs of texts to learn from", "Give it more, or smaller shares held out.")
    folder = _kept(content, belongs, part, (task, pieces, length, target_length))
    words = tokenizer(json.loads((folder / "tokenizer.json").read_text()))
    train, middle, last = (_read(folder / f"{name}.npz") for name in PARTS)
    if not len(train[0]):
        raise DataError(f"No pair of {name} fits", f"Type: --length {2 * length} --target-length {2 * target_length}")
    fills = {"vocab_size": words.size, "sequence_length": length, "target_length": target_length, "task": task}
    return DataSet(Facts(name, "text", task, fills, target=target, tokens=words.state), train, middle, last)


def _belonging(
    sources: Sequence[str], targets: Sequence[str], groups: Sequence[str] | None
) -> tuple[list[tuple[str, str]], np.ndarray]:
    """The pairs, each once and none empty, and the group of each [N]."""
    belongs: dict[tuple[str, str], str] = {}
    for source, target, group in zip(sources, targets, groups or sources, strict=True):
        pair = source.strip(), target.strip()
        if all(pair):
            belongs.setdefault(pair, group.strip())
    content = list(belongs)
    return content, together(belongs.values(), [normalised(source) for source, _ in content])


def _kept(content: list[tuple[str, str]], belongs: np.ndarray, part: np.ndarray, shape: Shape) -> Path:
    """The folder of the cache with the tokenizer and the encoded parts, made on first use."""
    task, pieces, length, target_length = shape

    def make(folder: Path) -> None:
        learned = (text for number in ordered(part)[TRAIN] for text in content[number])
        words = BPE.learn(learned, pieces, special=True)
        (folder / "tokenizer.json").write_text(json.dumps(words.state))
        x, y, fits = _encoded(content, words, task == "summarisation", length, target_length)
        final = np.full(len(content), -1)
        read = (normalised(decoded(words, row)) for row in x[fits].tolist())
        final[fits] = apart(part[fits], belongs[fits], rows_of(x[fits]), read)
        for name, numbers in zip(PARTS, ordered(final), strict=True):
            np.savez(folder / f"{name}.npz", x=x[numbers], y=y[numbers])

    told = json.dumps(["apart-2", *shape, content, belongs.tolist(), part.tolist()])
    return cached(f"pairs-{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}", make)


def _encoded(
    content: list[tuple[str, str]], words: BPE, cut: bool, length: int, target_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [N, S] and y [N, T] of the pairs, and which of them fit [N]."""
    rows = [(words.encode(source), words.encode(target)) for source, target in content]
    fits = [len(y) <= target_length - 2 and (cut or len(x) < length) for x, y in rows]
    x = [[*source[: length - 1], END] for source, _ in rows]
    y = [[START, *target, END] for _, target in rows]
    return padded(x, length, words.size), padded(y, target_length, words.size), np.array(fits, dtype=bool)


def _read(file: Path) -> Split:
    with np.load(file) as arrays:
        return arrays["x"], arrays["y"]
