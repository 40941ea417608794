"""What a data set is, without its tensors: enough to size a model, prepare new inputs and name outputs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["image", "table", "text"]
Task = Literal[
    "classification",
    "regression",
    "autoencoding",
    "tagging",
    "language-modelling",
    "masked-language-modelling",
    "translation",
    "summarisation",
    "question-answering",
    "text-to-image",
]
MASKED = "masked-language-modelling"
WRITTEN = ("translation", "summarisation")  # tasks whose answer is a text


@dataclass(frozen=True)
class Facts:
    """Plain values only: it is written to the run's folder as JSON, and no torch is needed to read it.

    Attributes:
        name: The data set's name, path, or the notebook variable's name.
        kind: `image`: x is [B, C, H, W]; `table`: x is [B, F]; `text`: x is [B, T] token numbers (0 pads).
        task: What y is: a class number [B], numbers [B, K], the next tokens [B, T], a tag a step [B, T], another text
            [B, T'] that begins with START and ends with END, the first and last token of the answer [B, 2], or a
            picture [B, C, H, W].
        fills: Values for the model's `__init__` parameters of the same name, unless the user gave one:
            in_channels, image_size, in_features, num_classes, out_features, vocab_size, sequence_length,
            target_length, mask_token, separator, task.
        classes: The names of the classes, by number; of text-to-image: words of which every caption holds one.
        columns: The names of a table's columns, as the user's own table has them.
        categories: The values of each column of words; such a column becomes one 0/1 column a value.
        scale: x is divided by it first: 255 for pictures of bytes; other than 1 only where x was whole numbers.
        black: What a black pixel is in x, before `scale`: one number, or one a channel; empty: 0.
        white: What a white pixel is in x, likewise; empty: the scale.
        mean: Subtracted from x (a number a channel, or a number of a table's row) after `scale`; empty: nothing.
        std: x is divided by it, after the mean; empty: nothing.
        target: What y is called.
        tokens: The tokenizer's state: `{"kind": "words" | "characters" | "bpe", ...}`.
        notes: Lines that a person should see of how the data was read, such as which files were left out.
    """

    name: str
    kind: Kind
    task: Task
    fills: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    categories: dict[str, list[str]] = field(default_factory=dict)
    scale: float = 1.0
    black: tuple[float, ...] = ()
    white: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    target: str = ""
    tokens: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Facts:
        """Read what `to_dict` gave, also after a way through JSON; what another version says more is passed over."""
        lists = ("classes", "columns", "black", "white", "mean", "std", "notes")
        known = {each.name for each in dataclasses.fields(cls)}
        plain: dict[str, Any] = {
            key: tuple(value) if key in lists else value for key, value in values.items() if key in known
        }
        return cls(**plain)


def task_of(task: str, tasks: tuple[str, ...]) -> str:
    """What a model for these tasks learns from data of that task: a text can also be learned by filling its gaps."""
    return MASKED if task == "language-modelling" and task not in tasks and MASKED in tasks else task
