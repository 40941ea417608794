"""The user's own data in memory: arrays, tensors, frames, sentences, a text, in every form people keep them.

N samples. Imports neither torch nor pandas: the kernel looks at the data with it before a run exists.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np

from nbmodels.data.dataset import DataSet, Split
from nbmodels.data.facts import WRITTEN, Facts
from nbmodels.data.language import language
from nbmodels.data.pairs import pairs
from nbmodels.data.pictures import channels_first, picture_facts
from nbmodels.data.pixels import stored
from nbmodels.data.sentences import sentences
from nbmodels.data.shapes import Parts, Values, unpack
from nbmodels.data.split import TEST, TRAIN, VAL, Numbers, equal_rows, normalised, ordered, split, taken, together
from nbmodels.data.table import check_finite, spread, table_facts, table_numbers
from nbmodels.data.target import answers, class_fills
from nbmodels.errors import DataError, InputError, UnknownName


class Arrays:
    """Your own arrays, frames, sentences or text, out of the notebook.

    `(X, y)`; `X` alone to reconstruct; `((X, y), (X_test, y_test))`; a dict of `X` and `y`, of columns, or of
    `train`, `val` and `test`; a DataFrame with its target column; sentences with their classes; one long text.
    X [N, F] is a table, [N, H, W], [N, C, H, W] or [N, H, W, C] pictures. Whole numbers, words and truth values
    in y are classes, other numbers are amounts; for the tasks translation and summarisation y holds texts. A
    DataFrame's columns are standardised and its words become one 0/1 column a value (columns of more than 50 words
    are left out); arrays are taken as they are.

    Args:
        target: The column of a DataFrame that is to be predicted.
        standardise: Subtract a table's mean and divide by its spread; empty means yes for a DataFrame, no for arrays.
        val: Share of the samples to validate on, in [0, 1).
        test: Share of the samples to test on, in [0, 1).
        tokens: What a token of a text is; empty means words for sentences, characters for one long text; numbers
            means that X [N, T] holds token numbers already, 0 for padding.
        sequence_length: Tokens that are read of a text at once, at least 1; empty means 40, or 64 of one long text.
        group: Column whose equal values stay in one split, such as a patient's; empty means equal texts or rows do.
    """

    ships = False

    def __init__(
        self,
        target: str | None = None,
        standardise: bool | None = None,
        val: float = 0.1,
        test: float = 0.1,
        tokens: Literal["words", "characters", "bpe", "numbers"] | None = None,
        sequence_length: int | None = None,
        group: str | None = None,
    ) -> None:
        if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
            raise InputError(f"Shares of {val} and {test} leave nothing to train on", "Type: --val 0.1 --test 0.1")
        self.target, self.standardise, self.val, self.test = target, standardise, val, test
        self.tokens, self.sequence_length, self.group = tokens, sequence_length, group

    def load(self, name: str, obj: Any, task: str | None = None) -> DataSet:
        """The three splits of an object of the notebook called `name`; DataError when it cannot be used."""
        if isinstance(obj, str):
            return self._text(name, obj)
        parts = unpack(name, obj, self.target, task, self.group)
        if isinstance(parts.x, list):
            return self._sentences(name, parts, task)
        facts, x, y = self.read(name, parts, task)
        return DataSet(facts, *self._split(x, y, parts, facts))

    def check(self, name: str, obj: Any, task: str | None = None) -> None:
        """Raise what `load` would, without copying the samples."""
        if isinstance(obj, str):
            self._text(name, obj, check=True)
            return
        parts = unpack(name, obj, self.target, task, self.group)
        if isinstance(parts.x, list):
            self._sentences(name, parts, task)
        else:
            self.read(name, parts, task)

    def read(self, name: str, parts: Parts, task: str | None) -> tuple[Facts, np.ndarray, np.ndarray | None]:
        """(facts, x, y) of pictures or a table, not yet split; y is None where x is its own answer."""
        said, y, fills = "autoencoding", None, {"task": "autoencoding"}
        classes: tuple[str, ...] = ()
        if parts.y is not None:
            said, y, classes = answers(parts.y, task, parts.target or "y")
            classes = parts.classes if len(parts.classes) == len(classes) else classes
            fills = class_fills(said, y, classes)
        known: dict[str, Any] = {"name": name, "task": said, "classes": classes, "target": parts.target}
        if isinstance(parts.x, np.ndarray) and parts.x.ndim > 2:
            x, values = stored(channels_first(parts.x, name if parts.bare else "X"))
            made = picture_facts(x)
            return Facts(**known, **values, **made | {"fills": made["fills"] | fills}), x, y
        if self.tokens == "numbers":
            return self._numbers(parts.x, y, known, fills)
        facts, x = self._table(parts.x, known)
        return replace(facts, fills={"in_features": x.shape[1], **fills}), x, y

    def _numbers(
        self, x: Values, y: np.ndarray | None, known: dict[str, Any], fills: dict[str, Any]
    ) -> tuple[Facts, np.ndarray, np.ndarray | None]:
        """Token numbers [N, T] as the user made them."""
        if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind not in "iu" or x.min() < 0:
            raise DataError("X holds no token numbers", "Give whole numbers of at least 0, [N, T], padded with 0.")
        shape = {"vocab_size": int(x.max()) + 1, "sequence_length": x.shape[1]}
        return Facts(kind="text", **known, fills={**shape, **fills}), x.astype(np.int64), y

    def _table(self, values: Values, known: dict[str, Any]) -> tuple[Facts, np.ndarray]:
        if isinstance(values, dict):
            found = table_facts(values, self.standardise is not False)
            facts = Facts(kind="table", **known, **found)
            return facts, table_numbers(facts, values)
        assert isinstance(values, np.ndarray)
        x = values[:, None] if values.ndim == 1 else values
        if x.dtype.kind not in "biuf":
            raise DataError(
                f"X holds {_kind(x)}, and a table of an array needs numbers", "Give a DataFrame, or X.astype(float)."
            )
        check_finite(x, "X")
        found = spread(x.astype(np.float64)) if self.standardise else {}
        facts = Facts(kind="table", fills={"in_features": x.shape[1]}, **known, **found)
        return facts, table_numbers(facts, x)

    def _split(self, x: np.ndarray, y: np.ndarray | None, parts: Parts, facts: Facts) -> tuple[Split, Split, Split]:
        """Train, val and test: as the user gave them; what was not given is cut from the training samples."""
        first, last = dict(parts.spans)["train"]
        groups = equal_rows(x[first:last]) if parts.groups is None else together(parts.groups[first:last].tolist())
        labels = y if facts.task == "classification" else None
        return taken(x, y, self._numbers_of(parts, groups, labels))

    def _numbers_of(self, parts: Parts, groups: np.ndarray, labels: np.ndarray | None) -> Numbers:
        """The samples of each part; `groups` are those of the training samples that the user gave, `labels` of all."""
        spans = dict(parts.spans)
        first, last = spans["train"]
        left, held = last - first, {}
        for name, share in (("test", self.test), ("val", self.val)):
            wanted = share and left > 2 and name not in spans
            held[name] = max(1, round(share * (last - first))) if wanted else 0
            left -= held[name]
        labels = None if labels is None else labels[first:last]
        numbers = ordered(split(groups, held["val"], held["test"], labels), labels)
        made = [first + each for each in numbers]
        for place, name in ((VAL, "val"), (TEST, "test")):
            if name in spans:
                made[place] = np.arange(*spans[name])
        return made[TRAIN], made[VAL], made[TEST]

    def _text(self, name: str, text: str, check: bool = False) -> DataSet:
        if self.group is not None:
            raise DataError(f"{name} is one text and has no column {self.group!r}", "Leave out --group.")
        if self.tokens in ("words", "numbers"):
            raise UnknownName("kind of token of one long text", self.tokens, ("characters", "bpe"))
        tokens, length = cast(Any, self.tokens or "characters"), self.sequence_length or 64
        if check and tokens != "bpe":  # a pretrained tokenizer takes seconds to read, and torch with it
            tokens = "characters"
        return language(name, [text], tokens, length, val=self.val, test=self.test)

    def _sentences(self, name: str, parts: Parts, task: str | None) -> DataSet:
        assert isinstance(parts.x, list)
        if parts.y is None:
            return self._text(name, "\n".join(parts.x))
        if task in WRITTEN:
            return self._pairs(name, parts, cast(Any, task))
        said, y, classes = answers(parts.y, task, parts.target or "y")
        if said != "classification":
            raise DataError(
                f"{name} has sentences and amounts, and sentences need classes", "Type: --task classification"
            )
        if self.tokens in ("bpe", "numbers"):
            raise UnknownName("kind of token of sentences", self.tokens, ("words", "characters"))
        tokens, length = cast(Any, self.tokens or "words"), self.sequence_length or 40
        numbers = None
        if len(parts.spans) > 1:  # the user has split them
            first, last = dict(parts.spans)["train"]
            groups = together(map(normalised, parts.x[first:last]))
            numbers = self._numbers_of(parts, groups, y)
        given = None if parts.groups is None else parts.groups.tolist()
        shares: Any = {"val": self.val, "test": self.test, "groups": given, "numbers": numbers}
        made = sentences(name, parts.x, y, classes, tokens, length, **shares)
        return replace(made, facts=replace(made.facts, target=parts.target, columns=parts.columns))

    def _pairs(self, name: str, parts: Parts, task: Literal["translation", "summarisation"]) -> DataSet:
        """Texts with a text each, to translate or to summarise them."""
        if self.tokens not in (None, "bpe"):
            raise UnknownName("kind of token of texts to be written", self.tokens, ("bpe",))
        assert isinstance(parts.x, list) and parts.y is not None
        if any(not isinstance(text, str) for text in parts.y.tolist()):
            raise DataError(f"{parts.target or 'y'} holds no texts", f"A {task} needs a text a row.")
        length = self.sequence_length or (48 if task == "translation" else 128)
        said: list[str] = parts.y.tolist()
        groups = None if parts.groups is None else parts.groups.tolist()
        options: Any = {"length": length, "val": self.val, "test": self.test, "target": parts.target, "groups": groups}
        made = pairs(name, parts.x, said, task, **options)
        return replace(made, facts=replace(made.facts, columns=parts.columns))


def _kind(values: np.ndarray) -> str:
    """What an array holds, in words."""
    return "Python objects (dtype object)" if values.dtype == object else f"values of dtype {values.dtype}"
