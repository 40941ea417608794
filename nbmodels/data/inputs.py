"""New inputs for a trained model, prepared as its training data was; and its answers in the user's words.

B inputs at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbmodels.data.batches import affine
from nbmodels.data.captions import check_captions
from nbmodels.data.facts import WRITTEN, Facts
from nbmodels.data.pictures import Drawings, channels_first, find_pictures, fit, open_picture
from nbmodels.data.shapes import as_array
from nbmodels.data.table import columns_of, table_numbers
from nbmodels.data.text import END, Pretrained, decoded, padded, say_cut, tokenizer
from nbmodels.errors import DataError


def prepare(facts: Facts, inputs: Any) -> Tensor:
    """What a person gives -> what the model takes, on the CPU; one input becomes a batch of one.

    Args:
        facts: What the model was trained on.
        inputs: Pictures: arrays or files or a folder. A table: rows as arrays, dicts, a DataFrame or a CSV.
            Text: a sentence or several, or what the text to be written begins with, or captions to draw.

    Returns:
        Floats [B, C, H, W] or [B, F], or token numbers [B, T].

    Raises:
        DataError: They are of another shape or kind than the training data; both are said.
    """
    if facts.kind == "image":
        return _pictures(facts, inputs)
    return _text(facts, inputs) if facts.kind == "text" else _rows(facts, inputs)


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


def _pictures(facts: Facts, inputs: Any) -> Tensor:
    channels, size = facts.fills["in_channels"], facts.fills["image_size"]
    if isinstance(inputs, (str, Path)) or (
        isinstance(inputs, (list, tuple)) and inputs and isinstance(inputs[0], (str, Path))
    ):
        paths = [Path(part).expanduser() for part in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
        files = [file for path in paths for file in (find_pictures(path)[0] if path.is_dir() else [path])]
        x = _fitted([open_picture(file) for file in files], size, channels)
    elif photographs := _photographs(inputs, size, channels):
        x = _fitted(photographs, size, channels)
    else:
        x = as_array(inputs, "The input")
        if x.ndim == 2 or (x.ndim == 3 and 1 < channels in (x.shape[0], x.shape[2])):
            x = x[None]  # one picture
        x = channels_first(x, "the input")
    if x.shape[1:] != (channels, size, size):
        raise DataError(
            f"The input is of shape {x.shape[1:]} and the model takes {(channels, size, size)}",
            "Resize it, or give the picture's file.",
        )
    made = torch.from_numpy(np.array(x)).float()
    if made.max() > facts.scale:  # a picture's usual bytes, whatever the training data's were
        made = made / 255
    elif x.dtype == np.uint8 or made.max() > 1:  # floats of 0 to 1 are scaled already
        made = made / facts.scale
    factor, offset = affine(Facts(**{**facts.__dict__, "scale": 1.0}), made)
    made = made if factor is None else made * factor
    return made if offset is None else made + offset


def _photographs(inputs: Any, size: int, channels: int) -> list[Any]:
    """Bytes [H, W], [H, W, 3] or [H, W, 4], or a list of such, as Pillow's pictures; empty where they fit, or are none.

    One that has the model's shape already is none: it is taken as it is.
    """
    several = isinstance(inputs, (list, tuple)) and bool(inputs)
    arrays = [np.asarray(each) for each in (inputs if several else [inputs]) if hasattr(each, "dtype")]
    if not arrays or (several and len(arrays) < len(inputs)):
        return []
    shapes = {(size, size), (size, size, channels), (channels, size, size)}
    photographs = [x.dtype == np.uint8 and (x.ndim == 2 or (x.ndim == 3 and x.shape[2] in (3, 4))) for x in arrays]
    if not all(photographs) or all(x.shape in shapes for x in arrays):
        return []
    from PIL import Image

    return [Image.fromarray(x) for x in arrays]


def _fitted(pictures: list[Any], size: int, channels: int) -> np.ndarray:
    """Pillow's pictures as bytes [B, C, S, S]; what had to be changed of them is said in one line."""
    mode = "L" if channels == 1 else "RGB"
    changed = [picture for picture in pictures if picture.size != (size, size) or picture.mode != mode]
    if changed:
        wide, high = changed[0].size
        what = f"A picture of {wide}×{high}" if len(pictures) == 1 else f"{len(changed)} of {len(pictures)} pictures"
        print(f"{what}: the middle square, resized to {size}×{size}, {'grey' if channels == 1 else 'in colours'}")
    return np.stack([fit(picture, size, channels) for picture in pictures])


def _rows(facts: Facts, inputs: Any) -> Tensor:
    if isinstance(inputs, (str, Path)):
        from nbmodels.data.files import read_file

        inputs = read_file(Path(inputs).expanduser())
    if isinstance(inputs, dict) and not hasattr(next(iter(inputs.values()), None), "__len__"):
        inputs = {key: [value] for key, value in inputs.items()}
    if isinstance(inputs, dict) or hasattr(inputs, "iloc"):
        return torch.from_numpy(table_numbers(facts, columns_of(inputs)))
    if isinstance(inputs, (list, tuple)) and inputs and isinstance(inputs[0], dict):
        return torch.from_numpy(
            table_numbers(facts, columns_of({key: [row[key] for row in inputs] for key in inputs[0]}))
        )
    array = as_array(inputs, "The input")
    if array.ndim == 1:
        array = array[:, None] if facts.fills["in_features"] == 1 else array[None]
    if facts.categories or (facts.columns and array.shape[-1] == len(facts.columns)):
        if array.ndim != 2 or array.shape[1] != len(facts.columns):
            raise DataError(f"The input is of shape {array.shape} and the model takes {', '.join(facts.columns)}")
        columns = {key: array[:, number] for number, key in enumerate(facts.columns)}
        return torch.from_numpy(table_numbers(facts, columns))
    return torch.from_numpy(table_numbers(facts, array))


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
