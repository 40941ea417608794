"""Sentences with a class each as a data set, whatever the language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from nbmodels.data import weights
from nbmodels.data.dataset import DataSet, cut, even_order
from nbmodels.data.facts import Facts
from nbmodels.data.text import Characters, Pretrained, Tokenizer, Words, beginning, known, padded
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
) -> DataSet:
    """Texts and class numbers -> x [N, T] padded with 0 at the end, y [N]; the vocabulary is the training split's.

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
    """
    if length < 1 or vocabulary < 1:
        raise InputError("A sentence has at least 1 token, and so has a vocabulary", "Type: --length 40")
    order = even_order(labels)
    held = round(len(texts) * val), round(len(texts) * test)
    words = _tokenizer(tokens, (texts[number] for number in order[sum(held) :]), length, vocabulary)
    x = padded([words.encode(beginning(words, text, length)) for text in texts], length, words.size)
    facts = Facts(
        name=name,
        kind="text",
        task="classification",
        fills={
            **known(words),
            "num_classes": len(classes),
            "sequence_length": length,
            "task": "classification",
        },
        classes=classes,
        tokens=words.state,
    )
    return DataSet(facts, *cut(x, labels.astype(np.int64), order, *held))


def _tokenizer(tokens: Unit, learned: Iterable[str], length: int, vocabulary: int) -> Tokenizer:
    """The tokenizer that is asked for, its vocabulary of the texts to learn from unless it is a pretrained one's."""
    if tokens == "words":
        return Words.learn(learned, vocabulary)
    if tokens == "characters":
        return Characters.learn(learned, reserved=2, most=vocabulary, least=2)
    return Pretrained.find(weights.find(tokens), length)
