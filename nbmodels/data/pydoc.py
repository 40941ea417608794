"""English prose that is inside every Python: the help texts of the language."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nbmodels.data.dataset import DataSet
from nbmodels.data.language import language


class Pydoc:
    """Python's own help texts, to model English with.

    The topics behind `help("...")`, about 470,000 characters of technical prose; a little different in each
    version of Python. The end of every topic is held out.

    Args:
        sequence_length: Tokens of a window, at least 1.
        tokens: What a token is: characters, bpe, or the pretrained model whose tokenizer to use.
        pieces: Size of the BPE vocabulary, at least 300.
    """

    kind = "text"
    task = "language-modelling"
    size = "470,000 characters of English"
    licence = "PSF-2.0"
    source = "ships inside Python (pydoc_data.topics)"
    ships = True

    def __init__(
        self,
        sequence_length: int = 64,
        tokens: Literal["characters", "bpe"] | str = "characters",
        pieces: int = 2_000,
    ) -> None:
        self.sequence_length, self.tokens, self.pieces = sequence_length, tokens, pieces

    def load(self) -> DataSet:
        """The three splits, one row of tokens each, in about 50 ms."""
        from pydoc_data.topics import topics

        texts = [topics[name] for name in sorted(topics)]
        mixed = [texts[number] for number in np.random.RandomState(0).permutation(len(texts))]
        return language("pydoc", mixed, self.tokens, self.sequence_length, self.pieces)
