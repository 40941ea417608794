"""Pictures with a caption each as a data set, whatever the pictures show.

N pictures, T tokens of a caption, C channels, S side of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbmodels.data.dataset import DataSet, cut
from nbmodels.data.facts import Facts
from nbmodels.data.text import UNKNOWN, Characters, Tokenizer, Words, padded
from nbmodels.errors import DataError


def captioned(
    name: str,
    captions: Sequence[str],
    pictures: np.ndarray,
    order: np.ndarray,
    scale: float,
    val: int,
    test: int,
    characters: bool = False,
    classes: tuple[str, ...] = (),
) -> DataSet:
    """Captions and pictures -> x [N, T] padded with 0, y [N, C, S, S]; the vocabulary is the training part's.

    Args:
        name: What to call the data.
        captions: A text each, N of them.
        pictures: Bytes [N, C, S, S].
        order: The samples' order: the first `test` of it are to test, the next `val` to validate.
        scale: A white pixel's value.
        val: Pictures to validate on.
        test: Pictures to test on.
        characters: Whether a token is a character, not a word.
        classes: Words of which every caption holds exactly one, where it is so: what the picture shows.
    """
    learned = [captions[number] for number in order[test + val :]]
    words = Characters.learn(learned, reserved=2) if characters else Words.learn(learned, least=1)
    rows = [words.encode(caption) for caption in captions]
    length = max(map(len, rows))
    facts = Facts(
        name=name,
        kind="text",
        task="text-to-image",
        fills={
            "vocab_size": words.size,
            "sequence_length": length,
            "in_channels": pictures.shape[1],
            "image_size": pictures.shape[2],
            "task": "text-to-image",
        },
        classes=classes,
        scale=scale,
        tokens=words.state,
    )
    return DataSet(facts, *cut(padded(rows, length, words.size), pictures, order, val, test))


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
