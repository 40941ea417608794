"""Pictures that a text asked for: drawn beside real ones, and judged by a classifier that knows only real ones.

N pictures, C channels, S side.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbmodels.data.batches import InMemory
from nbmodels.data.facts import Facts
from nbmodels.data.text import tokenizer
from nbmodels.runs.confusion import data_uri

JUDGED = 400  # captions that are drawn to be judged
LEARNED = 5_000  # real pictures that the judge learns from: more take it minutes
ROWS, DRAWN = 10, 4  # captions in the picture, and drawings of each


@torch.no_grad()
def look(model: Any, batches: Any, data: Any, facts: Facts) -> dict[str, Any]:
    """A row a caption: the real picture, and what is drawn; how many are recognised, where captions name classes.

    Args:
        model: Its `generate` takes captions [N, T] and a generator.
        batches: Held-out captions [B, T] and their real pictures [B, C, S, S].
        data: The LightningDataModule. The judge learns its whole training part, also under --limit.
        facts: What the data is; its `classes` are words of which each caption holds one.
    """
    chance = torch.Generator().manual_seed(0)
    captions, real = _joined(batches)
    if facts.classes:
        return _judged(model, captions, real, data, facts, chance)
    learned, shown = (part[: ROWS // 2] for part in _joined(data.train_dataloader()))
    held, pictures = captions[: ROWS // 2], real[: ROWS // 2]
    notes = ["learned from"] * len(learned) + ["held out"] * len(held)  # one sees what is known by heart
    return _sheet(model, torch.cat([learned, held]), torch.cat([shown, pictures]), notes, facts, chance)


def _joined(batches: Any) -> tuple[Tensor, Tensor]:
    """Captions [N, T] and pictures [N, C, S, S] of all batches."""
    captions, pictures = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
    return captions, pictures


def _judged(
    model: Any, captions: Tensor, real: Tensor, data: Any, facts: Facts, chance: torch.Generator
) -> dict[str, Any]:
    """How many drawings of the captions are recognised, and a row for each class."""
    whole = InMemory(data.dataset) if isinstance(data, InMemory) else data
    learned, shown = _joined(whole.train_dataloader())
    classes, known = classes_of(captions, facts), classes_of(learned, facts)
    judge = classifier(shown[known >= 0][:LEARNED], known[known >= 0][:LEARNED])
    there = (classes >= 0).nonzero().flatten()
    asked = there[:JUDGED]
    right = judge(model.generate(captions[asked], generator=chance)) == classes[asked]
    figures = {
        "test/recognised": float(right.float().mean()),
        "test/classifier": float((judge(real[there]) == classes[there]).float().mean()),
    }
    numbers = classes[asked].unique()[:ROWS]
    first = torch.stack([(classes == number).nonzero()[0, 0] for number in numbers])
    each = [right[classes[asked] == number] for number in numbers]
    notes = [f"{int(of.sum())} of {len(of)} recognised" for of in each]
    return {"figures": figures, **_sheet(model, captions[first], real[first], notes, facts, chance)}


def classes_of(captions: Tensor, facts: Facts) -> Tensor:
    """The class [N] of captions [N, T]: the one whose name is among the words; -1 where that is not one."""
    words = tokenizer(facts.tokens or {})
    numbers = {name: number for number, name in enumerate(facts.classes)}
    found = []
    for row in captions.tolist():
        named = [numbers[piece] for piece in words.pieces(words.decode(row)) if piece in numbers]
        found.append(named[0] if len(named) == 1 else -1)
    return torch.tensor(found)


def classifier(pictures: Tensor, classes: Tensor) -> Any:
    """A support vector machine that learned real pictures [N, C, S, S]; it takes pictures and gives classes [N]."""
    from sklearn.svm import SVC

    machine = SVC().fit(pictures.flatten(1).numpy(), classes.numpy())
    return lambda drawn: torch.from_numpy(machine.predict(drawn.flatten(1).float().numpy()))


def _sheet(
    model: Any, captions: Tensor, real: Tensor, notes: list[str], facts: Facts, chance: torch.Generator
) -> dict[str, Any]:
    """The picture, a row a caption, and the captions with their notes as texts."""
    from nbmodels.runs.samples import texts

    drawn = model.generate(captions.repeat_interleave(DRAWN, 0), generator=chance).unflatten(0, (-1, DRAWN))
    said = texts(captions, facts)
    lines = [f"{row}. {text}  ({note})" for row, (text, note) in enumerate(zip(said, notes, strict=True), start=1)]
    # Few machines have a font for every script: what is not Latin stands in the lines beneath
    names = [text if text.isascii() else f"{row}." for row, text in enumerate(said, start=1)]
    return {"picture": _grid(torch.cat([real[:, None], drawn], 1), names), "texts": lines}


def _grid(pictures: Tensor, names: list[str]) -> str:
    """Rows of pictures [R, M, C, S, S], the real one first, under a name each, as a PNG data URI."""
    from matplotlib.figure import Figure
    from PIL import Image

    rows, columns = pictures.shape[:2]
    figure = Figure(figsize=(1.6 + 0.62 * columns, 0.62 * rows + 0.3), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False)
    shown = pictures.clamp(0, 1).movedim(2, 4).squeeze(4).numpy()
    for row, (line, name) in enumerate(zip(places, names, strict=True)):
        for column, place in enumerate(line):
            place.imshow(np.asarray(shown[row, column]), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            place.set(xticks=[], yticks=[])
        line[0].set_ylabel("\n".join(_wrapped(name)), rotation=0, ha="right", va="center", fontsize=7)
    places[0][0].set_title("real", fontsize=8)
    places[0][1].set_title("drawn", fontsize=8, loc="left")
    drawn, kept = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=72)
    # 128 colours do, and a notebook's file stays small
    Image.open(drawn).convert("RGB").quantize(128).save(kept, "png", optimize=True)
    return data_uri(kept.getvalue())


def _wrapped(name: str) -> list[str]:
    import textwrap

    return textwrap.wrap(name, 22)
