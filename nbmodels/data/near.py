"""How many test samples nearly stand in training: of their tokens, taken together, four in five are common to both.

N samples, T tokens each.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nbmodels.data.fetch import cached

ALIKE, OF = 4, 5  # of the tokens of both: Jaccard's measure, from which two texts count as nearly the same


class Near(NamedTuple):
    """Of so many samples, how many are equal to one of training, and how many more are nearly so."""

    samples: int
    equal: int
    near: int


def near_duplicates(train: np.ndarray, test: np.ndarray) -> Near:
    """Count them, once for the same data: the result is kept in the data cache.

    Args:
        train: Token numbers [N, T], padded with 0.
        test: Token numbers [N, T], padded with 0.
    """

    def make(folder: Path) -> None:
        (folder / "near.json").write_text(json.dumps(_count(train, test)))

    parts = [np.ascontiguousarray(part) for part in (train, test)]
    told = b"".join(str((part.shape, part.dtype)).encode() + part.tobytes() for part in parts)
    folder = cached(f"near-{hashlib.sha256(told).hexdigest()[:16]}", make)
    return Near(*json.loads((folder / "near.json").read_text()))


def _count(train: np.ndarray, test: np.ndarray) -> Near:
    rows = {row.tobytes() for row in train}
    equal = [row.tobytes() in rows for row in test]
    known, asked = ([{token for token in row if token} for row in part.tolist()] for part in (train, test))
    rarity = Counter(token for each in known for token in each)
    places: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(known):
        for token in _rarest(each, rarity):
            places[token].append(number)
    marks = [_marks(each) for each in known]
    near = 0
    for each, same in zip(asked, equal, strict=True):
        found = {number for token in _rarest(each, rarity) for number in places.get(token, ())} if not same else ()
        near += _stands(each, _likely(each, found, known, marks), known)
    return Near(len(test), sum(equal), near)


def _rarest(tokens: set[int], rarity: Counter[int]) -> list[int]:
    """Those of the rarest tokens of which two sets that are alike have one in common."""
    most = len(tokens) + -ALIKE * len(tokens) // OF + 1 if tokens else 0
    return sorted(tokens, key=lambda token: (rarity[token], token))[:most]


def _marks(tokens: set[int]) -> int:
    """A set of tokens as 256 bits: a bit of one that is not of the other is a token that they do not share."""
    marks = 0
    for token in tokens:
        marks |= 1 << token % 256
    return marks


def _likely(tokens: set[int], found: Iterable[int], known: list[set[int]], marks: list[int]) -> Iterator[int]:
    """Those that by their size and bits can be alike: quicker to say than what they have in common."""
    own, size = _marks(tokens), len(tokens)
    for number in found:
        other = len(known[number])
        missing = size - _least(size, other)  # so many of its tokens the other may lack
        if missing >= 0 and other >= _least(size, other) and (own & ~marks[number]).bit_count() <= missing:
            yield number


def _least(size: int, other: int) -> int:
    """How many tokens two sets of these sizes have in common at least, if they are alike."""
    return -(-ALIKE * (size + other) // (OF + ALIKE))


def _stands(tokens: set[int], likely: Iterable[int], known: list[set[int]]) -> bool:
    """Whether a set of tokens is alike to one of training."""
    return any(len(tokens & known[number]) >= _least(len(tokens), len(known[number])) for number in likely)
