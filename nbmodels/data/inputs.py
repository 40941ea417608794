"""New inputs for a trained model, prepared as its training data was; and its answers in the user's words.

B inputs at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbmodels.data.captions import check_captions
from nbmodels.data.facts import WRITTEN, Facts
from nbmodels.data.picture_inputs import prepare_pictures
from nbmodels.data.pictures import Drawings
from nbmodels.data.row_inputs import prepare_rows
from nbmodels.data.shapes import as_array
from nbmodels.data.text import END, Pretrained, decoded, padded, say_cut, tokenizer
from nbmodels.errors import DataError


def prepare(facts: Facts, inputs: Any) -> Tensor:
    """What a person gives -> what the model takes, on the CPU; one input becomes a batch of one.

    Each input is prepared by itself, by what the facts say and as training prepared its samples. An array is in the
    training data's own units (0 to 16 for digits); a picture's file and Pillow's picture carry their own range, from
    black to white. Only where the type differs (floats for a model of whole numbers, …) `pixels.white_of` decides.

    Args:
        facts: What the model was trained on.
        inputs: Pictures: arrays, Pillow's pictures, files or a folder. A table: rows as arrays, dicts, a DataFrame or
            a CSV.
            Text: a sentence or several, or what the text to be written begins with, or captions to draw.

    Returns:
        Floats [B, C, H, W] or [B, F], or token numbers [B, T].

    Raises:
        DataError: They are of another shape or kind than the training data; both are said.
    """
    if facts.kind == "image":
        return prepare_pictures(facts, inputs)
    return _text(facts, inputs) if facts.kind == "text" else prepare_rows(facts, inputs)


def name(facts: Facts, outputs: Tensor, inputs: Any = None) -> Any:
    """What the model answered, in plain Python: one entry an input.

    Args:
        facts: What the model was trained on.
        outputs: Class probabilities or scores [B, K], amounts [B, K], reconstructions, token numbers [B, T], or
            pictures [B, C, H, W] that a text asked for.
        inputs: What a person gave, so that each tag is said with its word.

    Returns:
        Classes: dicts of `class`, `chance` and the `chances` of the likeliest five. Amounts: a number, or a list
        of K. Token numbers: texts. Tags: a list of class names, or of pairs (word, class name). Pictures that a text
        asked for: Pillow's. Else nested lists.
    """
    outputs = outputs.detach().cpu()
    if facts.task == "classification" and outputs.ndim == 2 and outputs.is_floating_point():
        return [_class(facts, row) for row in _chances(outputs)]
    if facts.task == "tagging":
        tags = outputs.argmax(-1) if outputs.is_floating_point() else outputs
        rows = [[class_name(facts, tag) for tag in row] for row in tags.tolist()]
        if inputs is None or isinstance(inputs, Tensor) or facts.tokens is None:
            return rows
        words = tokenizer(facts.tokens)
        pieces = [words.pieces(text) for text in _texts(inputs)]
        return [list(zip(text, row, strict=False)) for text, row in zip(pieces, rows, strict=True)]
    if facts.task == "language-modelling" and not outputs.is_floating_point():
        words = tokenizer(facts.tokens or {})
        return [words.decode(row) for row in outputs.tolist()]
    if facts.task in WRITTEN and not outputs.is_floating_point():
        words = tokenizer(facts.tokens or {})
        return [decoded(words, row) for row in outputs.tolist()]
    if facts.task == "text-to-image" and outputs.ndim == 4:
        return Drawings.of(outputs.float().numpy())
    if facts.task == "regression" and outputs.ndim == 2 and outputs.shape[1] == 1:
        return [float(value) for value in outputs[:, 0]]
    return outputs.tolist()


def class_name(facts: Facts, number: int) -> str:
    """The name of a class, or its number where it has none."""
    return facts.classes[number] if number < len(facts.classes) else str(number)


def _class(facts: Facts, chances: Tensor) -> dict[str, Any]:
    best = chances.topk(min(5, len(chances)))
    likely = {class_name(facts, int(k)): round(float(p), 4) for p, k in zip(best.values, best.indices, strict=True)}
    first = next(iter(likely))
    return {"class": first, "chance": likely[first], "chances": likely}


def _chances(outputs: Tensor) -> Tensor:
    """Probabilities as they are; scores through a softmax."""
    outputs = outputs.float()
    are = bool((outputs >= 0).all()) and torch.allclose(outputs.sum(-1), torch.ones(len(outputs)), atol=1e-2)
    return outputs if are else outputs.softmax(-1)


def _text(facts: Facts, inputs: Any) -> Tensor:
    if isinstance(inputs, Tensor) and not inputs.is_floating_point():
        return inputs[None] if inputs.ndim == 1 else inputs  # token numbers already
    if facts.tokens is None:
        raise DataError(
            "The model was trained on token numbers, and words cannot be made of them", "Give a tensor of them."
        )
    words, texts = tokenizer(facts.tokens), _texts(inputs)
    rows = [words.encode(text) for text in texts]
    if facts.task == "language-modelling":
        return _beginnings([row or words.encode("\n") or [0] for row in rows])  # nothing to begin with: begin a line
    length = facts.fills["sequence_length"]
    if facts.task == "text-to-image":
        check_captions(words, texts, length)
    elif facts.task in WRITTEN:
        if not all(rows):
            raise DataError("The text is empty", "Give a sentence.")
        say_cut([len(row) >= length for row in rows], length - 1)
        rows = [[*row[: length - 1], END] for row in rows]
    else:
        pairs = zip(rows, texts, strict=True)  # a pretrained tokenizer cuts a text itself, before its last mark
        say_cut(
            [len(row) > length or isinstance(words, Pretrained) and words.cuts(text) for row, text in pairs], length
        )
    return torch.from_numpy(padded(rows, length, words.size)).long()


def _beginnings(rows: list[list[int]]) -> Tensor:
    """What several texts begin with, each of so many tokens: [B, T]."""
    if len({len(row) for row in rows}) > 1:
        lengths = " and ".join(str(len(row)) for row in rows[:2])
        raise DataError(f"The beginnings are of {lengths} tokens", "Give one at a time, or equally long ones.")
    return torch.tensor(rows)


def _texts(inputs: Any) -> list[str]:
    return [inputs] if isinstance(inputs, str) else [str(text) for text in inputs]
