"""A classifier's confusion matrix with its worst mistakes beside it, as one picture."""

from __future__ import annotations

import base64
import io
from typing import Any

from torch import Tensor

MOST = 8  # mistakes shown
LEGIBLE = 12  # classes up to which names and counts are written


def draw(matrix: Tensor, names: tuple[str, ...], pictures: list[Tensor], captions: list[str]) -> str:
    """A PNG as a data URI.

    Args:
        matrix: How often class i was called class j [K, K].
        names: The classes' names.
        pictures: The mistakes [C, H, W] each; none for data that is no picture.
        captions: A line for each: what it is and what it was called.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.8) if pictures else (4.2, 3.8), layout="constrained")
    if pictures:
        halves: Any = figure.subfigures(1, 2, width_ratios=(1, 0.95))
        left, right = halves
        _mistakes(right, pictures, captions)
    _matrix((left if pictures else figure).subplots(), matrix, names)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return data_uri(buffer.getvalue())


def data_uri(png: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _matrix(axes: Any, matrix: Tensor, names: tuple[str, ...]) -> None:
    share = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    if len(names) > LEGIBLE:
        return
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for i, j in matrix.nonzero().tolist():
        colour = "white" if share[i, j] > 0.5 else "#444"
        axes.text(j, i, int(matrix[i, j]), ha="center", va="center", fontsize=6, color=colour)


def _mistakes(figure: Any, pictures: list[Tensor], captions: list[str]) -> None:
    figure.suptitle("the mistakes it was surest of", fontsize=8)
    grid = figure.subplots(2, MOST // 2).flatten()
    for place in grid:
        place.axis("off")
    for place, picture, caption in zip(grid, pictures, captions, strict=False):
        picture = picture.float() - picture.min()
        shown = (picture / picture.max().clamp(min=1e-6)).permute(1, 2, 0).squeeze(-1)
        place.imshow(shown.numpy(), cmap="gray")
        place.set_title(caption.replace(", said ", "\n→ "), fontsize=6)
