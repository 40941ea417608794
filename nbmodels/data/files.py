"""The user's own files: a folder of pictures, a CSV, a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbmodels.data.arrays import Arrays
from nbmodels.data.dataset import DataSet
from nbmodels.data.npz import ARRAYS, check_size, read_arrays
from nbmodels.data.picture_folder import read_folder
from nbmodels.data.pictures import find_pictures
from nbmodels.data.questions import SHAPE, Question, is_squad, questions, squad
from nbmodels.errors import DataError, UnknownName, nearest

TABLES = {".csv": ",", ".tsv": "\t"}
TEXTS = frozenset({".txt", ".md", ".rst", ".py", ".tex", ".html", ".json", ".log", ""})


class Files:
    """Your own files: a folder of pictures, a CSV, or a text.

    A folder of sub-folders of pictures: each sub-folder is a class. A folder of pictures: they are reconstructed.
    A .csv or .tsv with its target column: a table, or sentences where a column holds such. Any other text file:
    one long text to model. A .json in SQuAD's form: questions to answer.

    Args:
        target: The column of a CSV that is to be predicted.
        image_size: Pixels a side of the pictures, at least 1; empty means the first one's, or 64 if fewer.
        standardise: Subtract a table's mean and divide by its spread.
        val: Share of the samples to validate on, in [0, 1).
        test: Share of the samples to test on, in [0, 1).
        tokens: What a token of a text is; empty means words for sentences, characters for one long text.
        sequence_length: Tokens that are read of a text at once, at least 1; empty means 40, or 64 of one long text.
        group: Column of a CSV whose equal values stay in one split; empty means equal texts or rows do.
        skip_broken: Train without the pictures that cannot be read, and say how many and which they are.
    """

    ships = False

    def __init__(
        self,
        target: str | None = None,
        image_size: int | None = None,
        standardise: bool = True,
        val: float = 0.1,
        test: float = 0.1,
        tokens: Literal["words", "characters", "bpe"] | None = None,
        sequence_length: int | None = None,
        group: str | None = None,
        skip_broken: bool = False,
    ) -> None:
        self.image_size, self.skip_broken = image_size, skip_broken
        self.arrays = Arrays(target, standardise, val, test, tokens, sequence_length, group)

    def load(self, path: str, task: str | None = None) -> DataSet:
        """The three splits of what lies at `path`; DataError when nothing usable does."""
        place, name = _place(path), Path(path).name
        self._check_group(place)
        if (asked := read_questions(place)) is not None:
            return self._questions(name, asked)
        if not place.is_dir():
            return self.arrays.load(name, read_file(place), task)
        pictures, left_out = self._folder(place)
        made = self.arrays.load(name, pictures, task)
        if not left_out:
            return made
        print(left_out, flush=True)  # the worker's log
        return replace(made, facts=replace(made.facts, notes=(left_out,)))

    def check(self, path: str, task: str | None = None) -> None:
        """Raise what `load` would, without reading every picture."""
        place = _place(path)
        self._check_group(place)
        if read_questions(place) is not None:
            return
        if task == "question-answering":
            raise DataError(f"{place} holds no questions", SHAPE)
        if not place.is_dir():
            self.arrays.check(place.name, read_file(place), task)
            return
        files, classes = find_pictures(place)
        _several(place, classes)
        if not self.skip_broken:
            read_folder(files[:1], self.image_size)

    def _check_group(self, place: Path) -> None:
        if self.arrays.group is not None and place.suffix.lower() not in {*TABLES, ".npz"}:
            raise DataError(f"{place.name} has no column {self.arrays.group!r}", "--group takes a column of a CSV.")

    def _questions(self, name: str, asked: list[Question]) -> DataSet:
        """Questions, cut as the options say."""
        arrays = self.arrays
        if arrays.tokens in ("words", "characters"):
            raise UnknownName("kind of token of questions", arrays.tokens, ("bpe",), "Or a pretrained model's.")
        length = arrays.sequence_length or 128
        return questions(name, asked, arrays.tokens or "bpe", length, val=arrays.val, test=arrays.test)

    def _folder(self, folder: Path) -> tuple[Any, str]:
        """Pictures [N, C, S, S] with their classes, or alone; and a line on those that were left out, or nothing."""
        files, classes = find_pictures(folder)
        _several(folder, classes)
        pixels, read, left_out = read_folder(files, self.image_size, self.skip_broken)
        if not classes:
            return pixels, left_out
        classes = [classes[number] for number in read]
        _several(folder, classes)
        return (pixels, np.array(classes)), left_out


def _place(path: str) -> Path:
    """The path, if something is there; DataError names the nearest that is."""
    place = Path(path).expanduser()
    if place.exists():
        return place
    around = [other.name for other in place.parent.iterdir()] if place.parent.is_dir() else []
    close = nearest(place.name, around)
    hint = f"Did you mean {place.parent / close}?" if close else f"It was looked for from {Path.cwd()}."
    raise DataError(f"There is no file or folder {path}", hint)


def _several(folder: Path, classes: list[str]) -> None:
    if classes and len(set(classes)) < 2:
        raise DataError(
            f"{folder} has one sub-folder only ({classes[0]})",
            "Make one sub-folder a class, or give the sub-folder itself.",
        )


def read_questions(file: Path) -> list[Question] | None:
    """The questions of a .json in SQuAD's form; None of any other file."""
    if file.suffix.lower() != ".json" or not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or not in UTF-8: a text as any
        return None
    return squad(content, file.name) if is_squad(content) else None


def read_file(file: Path, words: Sequence[str] = ()) -> Any:
    """A CSV as a DataFrame, .npy and .npz as arrays, anything else as text.

    Args:
        file: What to read.
        words: Columns of a CSV that hold words, even if these few look like numbers.

    Raises:
        DataError: It is not there, is empty or broken, or would not fit into memory.
    """
    if not file.exists():
        raise DataError(f"There is no file {file}")
    if not file.stat().st_size:
        raise DataError(f"{file} is empty", "Give it content.")
    if file.suffix.lower() in ARRAYS:
        return read_arrays(file)
    check_size(file, file.stat().st_size)
    separator = TABLES.get(file.suffix.lower())
    if separator:
        return _table(file, separator, words)
    if file.suffix.lower() not in TEXTS:
        raise DataError(f"{file} is no kind of file that can be read", "Give a folder of pictures, .csv, .npz or .txt.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8", "Save it as UTF-8 first.") from None


def _table(file: Path, separator: str, words: Sequence[str]) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(file, sep=separator, skipinitialspace=True, dtype=dict.fromkeys(words, str))
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file} cannot be read as a table: {str(error).splitlines()[0]}", "Mend that line.") from None
