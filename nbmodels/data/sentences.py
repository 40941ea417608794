"""Sentences with a class each as a data set, whatever the language."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal

import numpy as np

from nbmodels.data import weights
from nbmodels.data.dataset import DataSet
from nbmodels.data.facts import Facts
from nbmodels.data.split import TEST, VAL, Numbers, apart, normalised, ordered, rows_of, split, taken, together
from nbmodels.data.text import UNKNOWN, Characters, Pretrained, Tokenizer, Words, beginning, known, padded
from nbmodels.errors import InputError

Unit = Literal["words", "characters"] | str


def sentences(
    name: str,
    texts: Sequence[str],
    labels: np.ndarray,
    classes: tuple[str, ...],
    tokens: Unit = "words",
    length: int = 40,
    vocabulary: int = 10_000,
    val: float = 0.1,
    test: float = 0.1,
    groups: Iterable[Hashable] | None = None,
    numbers: Numbers | None = None,
) -> DataSet:
    """Texts and class numbers -> x [N, T] padded with 0 at the end, y [N]; the vocabulary is the training split's.

    Texts that are equal but for case, marks and spaces lie in one split, and so do those that become equal tokens.

    Args:
        name: What to call the data.
        texts: The sentences, N of them.
        labels: The class of each [N].
        classes: The names of the classes.
        tokens: What a token is: words, characters, or the pretrained model whose tokenizer to use.
        length: T, the tokens that are read of a sentence, at least 1.
        vocabulary: The most tokens that get a number, at least 1.
        val: Share to validate on, in [0, 1).
        test: Share to test on, in [0, 1).
        groups: What each text belongs to: texts of one group lie in one split too.
        numbers: The texts of train, val and test where the user has split them; None: they are split here.
    """
    if length < 1 or vocabulary < 1:
        raise InputError("A sentence has at least 1 token, and so has a vocabulary", "Type: --length 40")
    keys = [[normalised(text) for text in texts], *([groups] if groups is not None else [])]
    belongs = together(*keys)
    part = split(belongs, round(len(texts) * val), round(len(texts) * test), labels)
    learned = (ordered(part, labels) if numbers is None else numbers)[0]
    words = _tokenizer(tokens, (texts[number] for number in learned), length, vocabulary)
    x = padded([words.encode(beginning(words, text, length)) for text in texts], length, words.size)
    if numbers is None:
        numbers = ordered(_apart(part, belongs, x, words), labels)
    fills = {"num_classes": len(classes), "sequence_length": length, "task": "classification"}
    facts = Facts(name, "text", "classification", {**known(words), **fills}, classes, tokens=words.state)
    return DataSet(facts, *taken(x, labels.astype(np.int64), numbers))


def _apart(part: np.ndarray, belongs: np.ndarray, x: np.ndarray, words: Tokenizer) -> np.ndarray:
    """The part [N] of each text, those that became equal tokens, but for marks, in the first of their parts.

    Where that leaves less than half of what was held out, texts with unknown words count as different: there are few
    words that are known, and what is equal is only what is not.
    """
    read = [normalised(words.decode(row)) for row in x.tolist()]
    made = apart(part, belongs, rows_of(x), read)
    if all(2 * (made == name).sum() >= (part == name).sum() for name in (VAL, TEST)):
        return made
    whole = (x != UNKNOWN).all(axis=1)
    sure = [key if known else number for number, (key, known) in enumerate(zip(read, whole, strict=True))]
    return apart(part, belongs, sure)


def _tokenizer(tokens: Unit, learned: Iterable[str], length: int, vocabulary: int) -> Tokenizer:
    """The tokenizer that is asked for, its vocabulary of the texts to learn from unless it is a pretrained one's."""
    if tokens == "words":
        return Words.learn(learned, vocabulary)
    if tokens == "characters":
        return Characters.learn(learned, reserved=2, most=vocabulary, least=2)
    return Pretrained.find(weights.find(tokens), length)
