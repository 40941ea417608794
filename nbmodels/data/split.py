"""Training, validation and test samples: what is equal, or belongs together, lies in one split. Imports no torch.

N samples.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from nbmodels.data.dataset import Split, any_order, even_order

TRAIN, VAL, TEST = 0, 1, 2
MARKS = re.compile(r"[\W_]+")
Numbers = tuple[np.ndarray, np.ndarray, np.ndarray]  # of the samples of train, val and test


def normalised(text: str) -> str:
    """What two texts that say the same have in common: letters and figures, without case, marks and white space.

    A text without any is itself, but for white space.
    """
    folded = text.lower()
    if not text.isascii():
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return MARKS.sub("", folded) or "".join(text.split())


def together(*keys: Iterable[Hashable]) -> np.ndarray:
    """Groups [N]: samples that share a value of any of the keys, also by way of others, have one number.

    Args:
        keys: Of each sample a value, N of them.
    """
    columns = [list(key) for key in keys]
    if len(columns) == 1:
        seen: dict[Hashable, int] = {}
        return np.array([seen.setdefault(value, number) for number, value in enumerate(columns[0])], dtype=np.int64)
    parent = list(range(len(columns[0])))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for column in columns:
        first: dict[Hashable, int] = {}
        for number, value in enumerate(column):
            one, other = root(number), root(first.setdefault(value, number))
            parent[max(one, other)] = min(one, other)
    return np.array([root(number) for number in range(len(parent))], dtype=np.int64)


def split(groups: np.ndarray, val: int, test: int, labels: np.ndarray | None = None) -> np.ndarray:
    """The part [N] of each sample, `TRAIN`, `VAL` or `TEST`; a group lies in one.

    The groups come in a fixed random order, of which the test takes those that fit into its share, then validation;
    each takes the smallest at least, as long as one is left to train on. Where no sample has a mate this is the order
    itself, cut.

    Args:
        groups: What each sample belongs to [N], as `together` gives it.
        val: Samples to validate on.
        test: Samples to test on.
        labels: The class of each sample [N]: every part has its share of each as well as groups allow.
    """
    order = any_order(len(groups)) if labels is None else even_order(labels)
    _, first, numbers, sizes = np.unique(groups[order], return_index=True, return_inverse=True, return_counts=True)
    part = np.full(len(sizes), TRAIN)
    left = np.argsort(first).tolist()  # the groups, as their first samples come
    for name, held in ((TEST, test), (VAL, val)):
        room, some = held, list[int]()
        for group in left:
            if sizes[group] <= room and len(some) + 1 < len(left):
                some.append(group)
                room -= sizes[group]
        if held and not some and len(left) > 1:
            some = [min(left, key=lambda group: sizes[group])]
        part[some] = name
        gone = set(some)
        left = [group for group in left if group not in gone]
    made = np.empty(len(groups), dtype=np.int64)
    made[order] = part[numbers.reshape(-1)]
    return made


def apart(part: np.ndarray, *keys: Iterable[Hashable]) -> np.ndarray:
    """The part [N] of each sample, so that samples which share a value of any key lie in the first of their parts.

    It is for what is known only when a tokenizer has learned from the training part: texts that become equal tokens.
    """
    groups = together(*keys)
    lowest = np.full(len(part), TEST)
    np.minimum.at(lowest, groups, part)
    return np.asarray(lowest[groups])


def rows_of(x: np.ndarray) -> list[bytes]:
    """A digest of each sample [N], by which equal ones are found."""
    if not len(x):
        return []
    whole = np.ascontiguousarray(x).reshape(len(x), -1)
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in whole]


def ordered(part: np.ndarray, labels: np.ndarray | None = None) -> Numbers:
    """The numbers of the samples of train, val and test, each in the fixed order that `split` goes by."""
    order = any_order(len(part)) if labels is None else even_order(labels)
    train, val, test = (order[part[order] == name] for name in (TRAIN, VAL, TEST))
    return train, val, test


def as_they_lie(part: np.ndarray) -> Numbers:
    """The numbers of the samples of train, val and test, each in their own order."""
    train, val, test = (np.flatnonzero(part == name) for name in (TRAIN, VAL, TEST))
    return train, val, test


def equal_rows(x: np.ndarray) -> np.ndarray:
    """Groups [N] of equal samples of a table or of pictures.

    Where more than half of them have a twin, samples are combinations of few values, and each stands for itself.
    """
    groups = together(rows_of(x))
    distinct = len(np.unique(groups))
    return groups if 2 * distinct > len(groups) else np.arange(len(groups))


def taken(x: Any, y: Any, numbers: Numbers) -> tuple[Split, Split, Split]:
    """(x, y) of train, val and test; y None stays so."""
    train, val, test = ((x[part], None if y is None else y[part]) for part in numbers)
    return train, val, test
