"""Tokenizers: text to token numbers and back. The state of each is plain JSON and lives in `Facts.tokens`.

0 pads and 1 stands for what is unknown wherever sentences are padded; a text for language modelling has neither. A text
that is to be written, such as a translation, begins with 2 and ends with 3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nbmodels.errors import DataError, MissingExtra

PAD, UNKNOWN, START, END = 0, 1, 2, 3
SPECIAL = ("<pad>", "<unknown>", "<start>", "<end>")
LETTERS = 40  # of a token at most, where it is to count
WORD = re.compile(r"\w+(?:'\w+)?|[!?.,:;()*]")


class Tokenizer(Protocol):
    """What all have in common: `tokenizer(t.state)` is as good as `t`."""

    size: int

    @property
    def state(self) -> dict[str, Any]:
        """Plain JSON."""
        ...

    def pieces(self, text: str) -> list[str]:
        """What a text is cut into, one piece a token number."""
        ...

    def encode(self, text: str) -> list[int]:
        """The token numbers of a text."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of token numbers; padding says nothing."""
        ...


def tokenizer(state: dict[str, Any]) -> Tokenizer:
    """The tokenizer whose state this is.

    Raises:
        DataError: It is no tokenizer's state.
        MissingExtra: BPE without the library `tokenizers`.
    """
    kinds: dict[Any, Any] = {"words": Words, "characters": Characters, "bpe": BPE, "pretrained": Pretrained}
    if state.get("kind") not in kinds:
        raise DataError("The data has no tokenizer", "Train on a text data set.")
    return kinds[state["kind"]](**{key: value for key, value in state.items() if key != "kind"})


class Words:
    """Lower-cased words and marks, the most frequent first.

    Args:
        words: The vocabulary; the first word is token 2.
        pattern: What a word is, as a regular expression; None: letters and digits, or one of the common marks.
    """

    def __init__(self, words: Sequence[str], pattern: str | None = None) -> None:
        self.words, self.pattern = list(words), pattern
        self.cut = re.compile(pattern) if pattern else WORD
        self.size = len(self.words) + 2
        self.numbers = {word: number for number, word in enumerate(self.words, start=2)}

    @classmethod
    def learn(cls, texts: Iterable[str], most: int = 10_000, least: int = 2) -> Words:
        """The `most` frequent words of the texts that occur at least `least` times."""
        counts = Counter(chain.from_iterable(WORD.findall(text.lower()) for text in texts))
        return cls([word for word, count in counts.most_common(most) if count >= least])

    @property
    def state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": "words", "words": self.words, **({"pattern": self.pattern} if self.pattern else {})}

    def pieces(self, text: str) -> list[str]:
        """The words, lower-cased."""
        return self.cut.findall(text.lower())

    def encode(self, text: str) -> list[int]:
        """A number a word; 1 for a word that is not in the vocabulary."""
        return [self.numbers.get(word, UNKNOWN) for word in self.pieces(text)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The words, with a space between; ? for the unknown."""
        return " ".join("?" if token == UNKNOWN else self.words[token - 2] for token in tokens if token != PAD)


class Characters:
    """One token a character.

    Args:
        characters: The vocabulary, as one string.
        reserved: 2 where 0 pads and 1 is unknown; 0 in a text for language modelling: unknown ones are left out.
    """

    def __init__(self, characters: str, reserved: int = 0) -> None:
        self.characters, self.reserved = characters, reserved
        self.size = len(characters) + reserved
        self.numbers = {character: number for number, character in enumerate(characters, start=reserved)}

    @classmethod
    def learn(cls, texts: Iterable[str], reserved: int = 0, most: int | None = None, least: int = 1) -> Characters:
        """The characters that occur at least `least` times, at most the `most` frequent; in their own order."""
        if most is None and least == 1:
            return cls("".join(sorted(set().union(*texts))), reserved)  # ten times as fast on a long text
        counts = Counter(chain.from_iterable(texts))
        kept = [character for character, count in counts.most_common(most) if count >= least]
        return cls("".join(sorted(kept)), reserved)

    @property
    def state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": "characters", "characters": self.characters, "reserved": self.reserved}

    def pieces(self, text: str) -> list[str]:
        """The characters; without those that are left out."""
        return [character for character in text if self.reserved or character in self.numbers]

    def encode(self, text: str) -> list[int]:
        """A number a character."""
        return [self.numbers.get(character, UNKNOWN) for character in self.pieces(text)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The characters; � for the unknown."""
        shown = {PAD: "", UNKNOWN: "\ufffd"} if self.reserved else {}
        return "".join(shown[t] if t in shown else self.characters[t - self.reserved] for t in tokens)


class BPE:
    """Byte-level pairs (Sennrich, Haddow, Birch, arXiv:1508.07909), by the library `tokenizers`.

    Args:
        json: The library's own description of a tokenizer.
    """

    def __init__(self, json: str) -> None:
        self.json = json
        self.library = _tokenizers().Tokenizer.from_str(json)
        self.size: int = self.library.get_vocab_size()

    @classmethod
    def learn(cls, texts: Iterable[str], pieces: int = 2_000, special: bool = False) -> BPE:
        """A vocabulary of `pieces` tokens, the 256 bytes among them, so that nothing is unknown.

        Args:
            texts: What to learn from.
            pieces: Tokens in all.
            special: Whether the first four are PAD, UNKNOWN, START and END, which `decode` leaves out.
        """
        library = _tokenizers()
        made = library.Tokenizer(library.models.BPE())
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = library.decoders.ByteLevel()
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        first = list(SPECIAL) if special else []
        trainer = library.trainers.BpeTrainer(
            vocab_size=pieces, initial_alphabet=alphabet, special_tokens=first, show_progress=False
        )
        made.train_from_iterator(texts, trainer)
        return cls(made.to_str())

    @property
    def state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": "bpe", "json": self.json}

    def pieces(self, text: str) -> list[str]:
        """The pieces, in the library's letters for bytes."""
        return list(self.library.encode(text).tokens)

    def encode(self, text: str) -> list[int]:
        """A number a piece."""
        return list(self.library.encode(text).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """The pieces joined."""
        return str(self.library.decode(list(tokens)))


class Pretrained(BPE):
    """The tokenizer of published weights, with the marks that it puts around a text, such as BERT's [CLS] and [SEP]."""

    @classmethod
    def find(cls, source: str, length: int | None = None) -> Pretrained:
        """That of a folder as transformers writes it, of a .gguf file, or of a name on Hugging Face's hub.

        Args:
            source: The folder, or the name.
            length: Tokens to cut a text to, so that the mark at its end stays; None: it is not cut.

        Raises:
            DataError: There is none.
            MissingExtra: The library `transformers` is not here.
        """
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtra("A pretrained tokenizer", "text") from None
        place = Path(source).expanduser()
        packed = [place] if place.suffix == ".gguf" else sorted(place.glob("*.gguf")) if place.is_dir() else []
        folder, more = (packed[0].parent, {"gguf_file": packed[0].name}) if packed else (place, {})
        try:
            where = str(folder) if place.exists() else source
            library = AutoTokenizer.from_pretrained(where, **more).backend_tokenizer
        except Exception as error:  # the hub's client has a dozen kinds
            where = "there" if place.exists() else "in a folder of that name or on Hugging Face's hub"
            raise DataError(
                f"There is no tokenizer {source!r} {where} ({type(error).__name__})",
                "Give a folder that holds tokenizer.json; or words, characters or bpe.",
            ) from None
        library.no_padding()  # it may have been saved with a length of its own
        library.no_truncation()
        if length is not None:
            library.enable_truncation(max(length, 1 + library.num_special_tokens_to_add(False)))
        return cls(library.to_str())

    @property
    def state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": "pretrained", "json": self.json}

    def cuts(self, text: str) -> bool:
        """Whether `encode` leaves out the end of a text, for it is longer than the `length` asked for."""
        return bool(self.library.encode(text).overflowing)

    @property
    def mask(self) -> int | None:
        """The token that stands for a gap, where there is one."""
        number: int | None = self.library.token_to_id("[MASK]")
        return number


def known(words: Tokenizer) -> dict[str, Any]:
    """What a model has to know of the tokens, as `Facts.fills`: how many there are, and which is a gap, if one is."""
    gap = {"mask_token": words.mask} if isinstance(words, Pretrained) else {}
    return {"vocab_size": words.size, **gap}


def smallest(numbers: Sequence[int] | np.ndarray, size: int) -> np.ndarray:
    """Token numbers below `size` in the smallest type that torch can index: bytes where they fit."""
    return np.asarray(numbers, dtype=np.uint8 if size <= 256 else np.int16 if size <= 32_768 else np.int32)


def padded(rows: Sequence[Sequence[int]], length: int, size: int) -> np.ndarray:
    """[N, length]: each row cut at `length`, or filled up with 0 at its end."""
    table = np.zeros((len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        part = row[:length]
        table[number, : len(part)] = part
    return smallest(table, size)


def beginning(words: Tokenizer, text: str, length: int) -> str:
    """As much of a text as its first `length` tokens can need; what follows would be cut off in any case."""
    return text[: length if isinstance(words, Characters) else LETTERS * length]


def say_cut(too_long: Sequence[bool], length: int) -> None:
    """Say in one line which of the texts that a person gave are cut, and to how many tokens; nothing if none is."""
    count = sum(too_long)
    if count:
        what = "A text" if len(too_long) == 1 else f"{count:,} of {len(too_long):,} texts"
        print(f"{what}: cut to the first {length:,} tokens, the model reads no more")


def until_end(tokens: Sequence[int]) -> list[int]:
    """The tokens of a written text before its first END, without START and padding."""
    tokens = list(tokens)
    whole = tokens[: tokens.index(END)] if END in tokens else tokens
    return [token for token in whole if token not in (PAD, START)]


def decoded(words: Tokenizer, tokens: Sequence[int]) -> str:
    """What a written text says, up to its END."""
    return words.decode(until_end(tokens)).strip()


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise MissingExtra("BPE tokens", "text") from None
    return tokenizers
