"""A text as a data set for language modelling, whatever the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from nbmodels.data import weights
from nbmodels.data.dataset import DataSet
from nbmodels.data.facts import Facts
from nbmodels.data.fetch import cached
from nbmodels.data.text import BPE, Characters, Pretrained, Tokenizer, known, smallest, tokenizer
from nbmodels.errors import DataError, InputError

Unit = Literal["characters", "bpe"] | str


def language(
    name: str,
    texts: Sequence[str],
    tokens: Unit = "characters",
    sequence_length: int = 64,
    pieces: int = 2_000,
    val: float = 0.05,
    test: float = 0.05,
) -> DataSet:
    """Texts -> tokens to learn from; the end of each text is held out, so that every part has something of each.

    Args:
        name: What to call the data.
        texts: The texts; a new line is put between two.
        tokens: What a token is: characters, bpe, or the pretrained model whose tokenizer to use.
        sequence_length: Tokens of a window, at least 1.
        pieces: Size of a BPE vocabulary, at least 300.
        val: Share of each text to validate on, in [0, 1).
        test: Share of each text to test on, in [0, 1).

    Raises:
        DataError: There is no text.
    """
    if sequence_length < 1 or pieces < 300:
        raise InputError("A window has at least 1 token and a BPE vocabulary at least 300 pieces")
    if not any(text.strip() for text in texts):
        raise DataError(f"{name} is empty", "Give it a text.")
    parts = ["\n".join(part) for part in zip(*(_ends(text, val, test) for text in texts), strict=True)]
    words, encoded = _encoded(parts, tokens, pieces)
    facts = Facts(
        name=name,
        kind="text",
        task="language-modelling",
        fills={
            **known(words),
            "sequence_length": sequence_length,
            "task": "language-modelling",
        },
        tokens=words.state,
    )
    train, middle, last = ((part, None) for part in encoded)
    return DataSet(facts, train, middle, last)


def _ends(text: str, val: float, test: float) -> tuple[str, str, str]:
    """(train, val, test): the last shares of a text are val and test."""
    first, second = round(len(text) * (1 - val - test)), round(len(text) * (1 - test))
    return text[:first], text[first:second], text[second:]


def _encoded(parts: Sequence[str], tokens: Unit, pieces: int) -> tuple[Tokenizer, list[np.ndarray]]:
    """The tokenizer learned from all parts (characters) or from the first (BPE), and each part as token numbers."""
    if tokens == "characters":
        words = Characters.learn(parts)  # of all parts: a rare character may stand in the held-out ones only
        return words, [_characters(part, words) for part in parts]

    source = tokens if tokens == "bpe" else weights.find(tokens)

    def make(folder: Path) -> None:
        made = BPE.learn(parts[0].splitlines(keepends=True), pieces) if tokens == "bpe" else Pretrained.find(source)
        (folder / "tokenizer.json").write_text(json.dumps(made.state))
        for number, part in enumerate(parts):
            np.save(folder / f"{number}.npy", smallest(made.encode(part), made.size))

    made_by = [str(pieces)] if tokens == "bpe" else [source]
    key = hashlib.sha256("\0".join((*made_by, *parts)).encode()).hexdigest()[:16]
    folder = cached(f"bpe-{key}", make)
    state = json.loads((folder / "tokenizer.json").read_text())
    return tokenizer(state), [np.load(folder / f"{number}.npy") for number in range(len(parts))]


def _characters(text: str, words: Characters) -> np.ndarray:
    """`words.encode` for a long text: a table look-up over code points instead of a loop."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    known = np.frombuffer(words.characters.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    numbers = np.zeros(int(known.max()) + 1, dtype=np.uint8 if words.size <= 256 else np.int16)
    numbers[known] = np.arange(words.size)
    return numbers[points]
