"""What every data set's `load()` gives: facts and three splits, whole in memory; imports no torch until asked.

N samples; images [N, C, H, W] bytes or floats; tables [N, F] floats; sentences [N, T] token numbers (0 pads);
a text for language modelling is one row of token numbers [N].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbmodels.data.facts import Facts

Split = tuple[Any, Any]  # (x, y), arrays or tensors; y is None where the sample is its own answer


@dataclass(frozen=True)
class DataSet:
    """A data set in memory.

    Attributes:
        facts: What it is, as plain values.
        train: (x, y) to learn from; y is None for autoencoding and for language modelling.
        val: (x, y) looked at after every epoch; may be empty.
        test: (x, y) held out until the end; may be empty.
        augment: Changes a training batch [B, C, H, W] at random; draws from the generator it is given.
    """

    facts: Facts
    train: Split
    val: Split
    test: Split
    augment: Callable[[Any, Any], Any] | None = None


def even_order(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """An order of the samples in which every beginning holds the classes in their proportions.

    So any cut of it is a stratified split, and its first so many are a fair small set. It uses NumPy's
    `RandomState`, whose stream is promised never to change: the splits are the same everywhere.

    Args:
        labels: The class of each sample [N], anything that sorts.
        seed: Seed of the order.
    """
    rng = np.random.RandomState(seed)
    shuffled = rng.permutation(len(labels))
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    grouped = shuffled[np.argsort(numbers[shuffled], kind="stable")]
    first = np.repeat(np.cumsum(counts) - counts, counts)
    place = (np.arange(len(labels)) - first + rng.random_sample(len(labels))) / np.repeat(counts, counts)
    return grouped[np.argsort(place, kind="stable")]


def any_order(length: int, seed: int = 0) -> np.ndarray:
    """A fixed random order of `length` samples that have no classes."""
    return np.random.RandomState(seed).permutation(length)


def cut(x: Any, y: Any, order: np.ndarray, val: int, test: int) -> tuple[Split, Split, Split]:
    """(train, val, test) by an order: the first `test` samples, the next `val`, and the rest to train on."""
    parts = order[test + val :], order[test : test + val], order[:test]
    train, middle, last = ((x[part], None if y is None else y[part]) for part in parts)
    return train, middle, last
