"""New inputs for a trained model, prepared as its training data was; and its answers in the user's words.

B inputs at once.
"""

from __future__ import annotations

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
from nbmodels.data.text import END, Pretrained, Tokenizer, beginning, decoded, padded, say_cut, tokenizer
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
        if inputs is None or facts.tokens is None or _numbers(inputs) is not None:
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
    numbers = _numbers(inputs)
    if numbers is not None:
        return numbers
    if facts.tokens is None:
        raise DataError(
            "The model was trained on token numbers, and words cannot be made of them", "Give whole numbers."
        )
    words, texts = tokenizer(facts.tokens), _texts(inputs, facts)
    if facts.task == "language-modelling":
        rows = [words.encode(text) for text in texts]
        return _beginnings([row or words.encode("\n") or [0] for row in rows])  # nothing to begin with: begin a line
    length = facts.fills["sequence_length"]
    if facts.task == "text-to-image":
        check_captions(words, texts, length)
    elif facts.task in WRITTEN:
        return _sources(words, texts, length)
    rows = [words.encode(text if facts.task == "tagging" else beginning(words, text, length)) for text in texts]
    say_cut([_is_cut(words, text, row, length) for text, row in zip(texts, rows, strict=True)], length)
    return torch.from_numpy(padded(rows, length, words.size)).long()


def _is_cut(words: Tokenizer, text: str, row: list[int], length: int) -> bool:
    if isinstance(words, Pretrained):  # it cuts a text itself, before its last mark
        return words.cuts(text)
    return len(row) > length or len(beginning(words, text, length)) < len(text)


def _numbers(inputs: Any) -> Tensor | None:
    """Token numbers that a person made, of one text or several; None of words."""
    if isinstance(inputs, str) or not len(inputs) or (isinstance(inputs, (list, tuple)) and isinstance(inputs[0], str)):
        return None
    if hasattr(inputs, "columns"):
        return None
    array = as_array(inputs, "The input")
    if array.dtype.kind in "bfc":
        raise DataError(f"The input holds {array.dtype}, and token numbers are whole", "Give texts, or whole numbers.")
    if array.dtype.kind not in "iu":
        return None
    made = torch.from_numpy(array.astype(np.int64))
    return made[None] if made.ndim == 1 else made


def _sources(words: Tokenizer, texts: list[str], length: int) -> Tensor:
    """Texts to be translated or summed up, each with END, as `pairs` cuts them."""
    rows = [words.encode(text.strip()) for text in texts]
    if not all(rows):
        which = next(number for number, row in enumerate(rows, start=1) if not row)
        raise DataError(
            "The text is empty" if len(rows) == 1 else f"Text {which} of {len(rows)} is empty", "Give a sentence."
        )
    say_cut([len(row) >= length for row in rows], length - 1)
    return torch.from_numpy(padded([[*row[: length - 1], END] for row in rows], length, words.size)).long()


def _beginnings(rows: list[list[int]]) -> Tensor:
    """What several texts begin with, each of so many tokens: [B, T]."""
    if len({len(row) for row in rows}) > 1:
        lengths = " and ".join(str(len(row)) for row in rows[:2])
        raise DataError(f"The beginnings are of {lengths} tokens", "Give one at a time, or equally long ones.")
    return torch.tensor(rows)


def _texts(inputs: Any, facts: Facts | None = None) -> list[str]:
    """One text or several, also as the column of a frame that the training data's texts came from."""
    if facts and facts.columns and hasattr(inputs, "columns") and facts.columns[0] in inputs:
        inputs = inputs[facts.columns[0]]
    return [inputs] if isinstance(inputs, str) else [str(text) for text in inputs]
