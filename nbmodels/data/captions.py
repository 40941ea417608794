"""Pictures with a caption each as a data set, whatever the pictures show.

N pictures, T tokens of a caption, C channels, S side of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbmodels.data.dataset import DataSet
from nbmodels.data.facts import Facts
from nbmodels.data.split import TRAIN, apart, normalised, ordered, split, taken, together
from nbmodels.data.text import UNKNOWN, Characters, Tokenizer, Words, padded
from nbmodels.errors import DataError


def captioned(
    name: str,
    captions: Sequence[str],
    pictures: np.ndarray,
    labels: np.ndarray | None,
    scale: float,
    val: int,
    test: int,
    characters: bool = False,
    classes: tuple[str, ...] = (),
) -> DataSet:
    """Captions and pictures -> x [N, T] padded with 0, y [N, C, S, S]; the vocabulary is the training part's.

    Captions that are equal but for case, marks and spaces lie in one split, unless they are made to be the same.

    Args:
        name: What to call the data.
        captions: A text each, N of them.
        pictures: Bytes [N, C, S, S].
        labels: What each picture shows [N], so that every part has its share of each; None: no such thing is known.
        scale: A white pixel's value.
        val: Pictures to validate on.
        test: Pictures to test on.
        characters: Whether a token is a character, not a word.
        classes: Words of which every caption holds exactly one, where it is so: what the picture shows. Such captions
            are few, and the same in every split.
    """
    belongs = np.arange(len(captions)) if classes else together(map(normalised, captions))
    part = split(belongs, val, test, labels)
    learned = [captions[number] for number in ordered(part, labels)[TRAIN]]
    words = Characters.learn(learned, reserved=2) if characters else Words.learn(learned, least=1)
    rows = [words.encode(caption) for caption in captions]
    length = max(map(len, rows))
    fills = {"in_channels": pictures.shape[1], "image_size": pictures.shape[2], "task": "text-to-image"}
    fills |= {"vocab_size": words.size, "sequence_length": length}
    facts = Facts(name, "text", "text-to-image", fills, classes, scale=scale, tokens=words.state)
    x = padded(rows, length, words.size)
    if not classes:
        part = apart(part, belongs, [n if UNKNOWN in row else tuple(row) for n, row in enumerate(rows)])
    return DataSet(facts, *taken(x, pictures, ordered(part, labels)))


def check_captions(words: Tokenizer, captions: Sequence[str], length: int) -> None:
    """Whether a model can draw these captions of at most `length` tokens.

    Raises:
        DataError: One is empty or too long, or has a word that no caption had which it learned from.
    """
    known = [words.decode([number]) for number in range(UNKNOWN + 1, min(words.size, UNKNOWN + 9))]
    some = f"Some that it knows: {', '.join(known)}."
    for caption in captions:
        tokens = words.encode(caption)
        if not tokens:
            raise DataError(f"{caption!r} says nothing to draw", some)
        if len(tokens) > length:
            unit = "characters" if isinstance(words, Characters) else "words"
            raise DataError(f"{caption!r} has {len(tokens)} {unit}, and the model reads {length}", "Say it shorter.")
        new = [piece for piece, token in zip(words.pieces(caption), tokens, strict=True) if token == UNKNOWN]
        if new:
            raise DataError(f"No caption that the model learned from has {', '.join(map(repr, new))} in it", some)
