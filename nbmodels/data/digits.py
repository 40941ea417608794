"""Handwritten digits, 8×8, out of scikit-learn's own wheel: always there, no download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from nbmodels.data.dataset import DataSet, cut, even_order
from nbmodels.data.facts import Facts


class Digits:
    """Handwritten digits that ship with scikit-learn.

    The test part of the UCI "Optical Recognition of Handwritten Digits" set: x [N, 1, 8, 8] bytes,
    0 to 16 as scikit-learn gives them, y [N] the digit. 1,257 to train, 180 to validate, 360 to test,
    every part with its share of each digit.

    Args:
        augment: Move each training picture by up to one pixel, at random.
    """

    kind = "image"
    task = "classification"
    size = "1,797 pictures, 8×8 grey, 10 digits"
    licence = "CC BY 4.0 (UCI Machine Learning Repository)"
    source = "ships inside scikit-learn"
    ships = True

    def __init__(self, augment: bool = False) -> None:
        self.augment = augment

    def load(self) -> DataSet:
        """The three splits, in about 20 ms."""
        table = _table()
        pictures = table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = table[:, -1].astype(np.int64)
        facts = Facts(
            name="digits",
            kind="image",
            task="classification",
            fills={"in_channels": 1, "image_size": 8, "in_features": 64, "num_classes": 10, "task": "classification"},
            classes=tuple("0123456789"),
            scale=16.0,
        )
        augment = None
        if self.augment:
            from nbmodels.data.augment import ShiftFlip

            augment = ShiftFlip(shift=1, flip=False)
        return DataSet(facts, *cut(pictures, labels, even_order(labels), val=180, test=360), augment)


def _table() -> np.ndarray:
    """[1797, 65]: 64 values and the digit. Read from scikit-learn's file: importing scikit-learn takes a second."""
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin if package and package.origin else "").parent / "datasets/data/digits.csv.gz"
    if file.is_file():
        return np.loadtxt(file, delimiter=",", dtype=np.int64)
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    return np.column_stack((pictures, labels)).astype(np.int64)
