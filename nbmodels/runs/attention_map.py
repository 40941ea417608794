"""Where a model that writes a text looked in what it read, as a picture: a row a word written, a column a word read.

S tokens read, T tokens written.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from nbmodels.data.text import END, START, Tokenizer
from nbmodels.runs.confusion import data_uri

MOST = 18  # words a side that can be read
MAPS = 2
# Families that hold Chinese, Japanese and Korean, where one is installed; matplotlib's own font does not.
FAMILIES = ("CJK", "Source Han", "WenQuanYi", "YaHei", "SimHei", "SimSun", "PingFang", "Hiragino", "Heiti", "Songti")
FAMILIES += ("Droid Sans Fallback", "Arial Unicode", "AR PL")

Unit = tuple[str, slice]  # what a person can read, and the tokens it is made of


def picture(model: Any, sources: Sequence[Tensor], words: Tokenizer) -> str | None:
    """A PNG as a data URI: the maps of a few of the texts; None of a model without `attention(x, y)`.

    Args:
        model: Its `attention(x, y)` gives weights [1, T, S] of tokens read [1, S] and written [1, T] from START on.
        sources: Texts [S], with END; those too long to draw are left out.
        words: The tokenizer.
    """
    if not callable(getattr(model, "attention", None)):
        return None
    maps = []
    for x in sources:
        x = x[x != 0]
        said = model.predict_step(x[None], 0)[0]
        said = said[said != 0]  # [T] with END, unless it was cut
        y = torch.cat([said.new_tensor([START]), said[:-1]])
        weights = model.attention(x[None], y[None])[0].cpu()  # [T, S]
        made = readable(weights, list(units(x.tolist(), words)), list(units(said.tolist(), words)))
        if 3 <= len(made[1]) <= MOST and 3 <= len(made[2]) <= MOST:
            maps.append(made)
    return draw(maps[:MAPS]) if maps else None


def units(tokens: list[int], words: Tokenizer) -> Iterator[Unit]:
    """The tokens as a person reads them: those that are parts of one character together."""
    start = 0
    for stop in range(1, len(tokens) + 1):
        text = words.decode(tokens[start:stop])
        if "\ufffd" in text and stop - start < 4 and stop < len(tokens) and tokens[stop] > END:
            continue  # a character of several bytes, not yet whole
        yield ("end" if tokens[stop - 1] == END else text.strip() or "␣"), slice(start, stop)
        start = stop


def readable(weights: Tensor, read: list[Unit], written: list[Unit]) -> tuple[Tensor, list[str], list[str]]:
    """Weights [T, S] by tokens -> by what a person reads: what is read summed, what is written in the mean."""
    rows = torch.stack([weights[part].mean(0) for _, part in written])  # [T', S]
    table = torch.stack([rows[:, part].sum(1) for _, part in read], dim=1)  # [T', S']
    return table, [name for name, _ in read], [name for name, _ in written]


def draw(maps: list[tuple[Tensor, list[str], list[str]]]) -> str:
    """A PNG as a data URI of weights [T, S] with the names of the columns and of the rows, side by side."""
    from matplotlib.figure import Figure

    width = [max(2.4, 0.26 * len(read)) + 0.8 for _, read, _ in maps]
    height = max(2.0, *(0.24 * len(written) for _, _, written in maps)) + 0.9
    figure = Figure(figsize=(sum(width), height), layout="constrained")
    grid = figure.subplots(1, len(maps), squeeze=False, width_ratios=width)
    families = fonts("".join("".join(read + written) for _, read, written in maps))
    for axes, (weights, read, written) in zip(grid[0], maps, strict=True):
        axes.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.xaxis.tick_top()
        for place, names in ((axes.set_xticks, read), (axes.set_yticks, written)):
            # where no font has the letters: the words' places, not a row of empty boxes
            labels = names if families else [str(number) for number in range(1, len(names) + 1)]
            turn = {"rotation": 60, "ha": "left", "rotation_mode": "anchor"} if names is read else {}
            place(range(len(names)), labels, fontsize=8, parse_math=False, **turn)
        for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
            label.set_fontfamily(families or ["sans-serif"])
        axes.set_ylabel("written")
        axes.set_title("read", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return data_uri(buffer.getvalue())


def fonts(text: str) -> list[str]:
    """The font families that have all letters of a text between them; empty where none on this machine does."""
    from matplotlib import font_manager

    own = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    missing = {ord(letter) for letter in text if not own.get_char_index(ord(letter)) and not letter.isspace()}
    if not missing:
        return ["DejaVu Sans"]
    known = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for name in (name for family in FAMILIES for name in sorted(known) if family in name):
        if all(font_manager.get_font(known[name]).get_char_index(letter) for letter in missing):
            return ["DejaVu Sans", name]
    return []
