"""Curves as an SVG picture, drawn by hand: it stands in a page that runs no script. Imports nothing heavy."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from nbmodels.views.readings import Curve, thin
from nbmodels.views.words import figure

WIDTH, HEIGHT = 372, 190  # of one chart
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 26, 22  # around the drawing
POINTS = 110  # of one curve: a static picture has about three hundred pixels
# Chosen to be read on white and on a dark page alike: a picture cannot know which it stands on.
BLUE, ORANGE, GREY, LINE = "#2b7fd4", "#d9662b", "#808891", "#80889140"
FONT = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"


def charts(series: dict[str, dict[str, Curve]], steps: int | None = None, across: int = 2) -> str:
    """All charts of a run in one `<svg>`, `across` a row; empty where there is nothing to draw yet.

    `steps` is how many there will be; None for a run that has ended, whose axis ends with its curves.
    """
    drawn = [(name, splits) for name, splits in series.items() if any(any_values(c) for c in splits.values())]
    if not drawn:
        return ""
    across, end = min(across, len(drawn)), last_step(series, steps)
    width = WIDTH * (across if len(drawn) > 1 else 2) + (16 if across > 1 else 0)
    each = (width - 16 * (across - 1)) / across
    height = HEIGHT * math.ceil(len(drawn) / across) + 22
    parts = [
        f'<g transform="translate({place % across * (each + 16):g},{place // across * HEIGHT})">'
        f"{chart(name, splits, end, each)}</g>"
        for place, (name, splits) in enumerate(drawn)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" '
        f'viewBox="0 0 {width:g} {height}" font-family="{FONT}" font-size="11">'
        f"{''.join(parts)}{_legend(height - 8, series)}</svg>"
    )


def chart(name: str, splits: dict[str, Curve], end: float, width: float = WIDTH) -> str:
    """One chart: title, newest figure, grid, curves. `end` is the last step of its axis."""
    known = [value for _, values in splits.values() for value in values if value is not None]
    low, high, marks = scale(min(known), robust_high(known))
    plot = Plot(width, end, low, high)
    lead = splits.get("val") or splits["train"]
    newest = next((value for value in reversed(lead[1]) if value is not None), None)
    parts = [
        f'<text x="0" y="12" fill="{GREY}">{escape(name.replace("_", " "))}</text>',
        f'<text x="{width - RIGHT:g}" y="12" text-anchor="end" font-weight="700" fill="{GREY}">{figure(newest)}</text>',
        *(plot.grid(mark) for mark in marks),
        f'<text x="{LEFT}" y="{HEIGHT - 6}" fill="{GREY}" font-size="10">0</text>',
        f'<text x="{width - RIGHT:g}" y="{HEIGHT - 6}" text-anchor="end" fill="{GREY}" font-size="10">'
        f"step {end:,.0f}</text>",
    ]
    if "train" in splits:
        parts.append(plot.line(splits["train"], f'stroke="{BLUE}" stroke-width="1.4"'))
    if "val" in splits:
        parts.append(plot.line(splits["val"], f'stroke="{ORANGE}" stroke-width="1.5" stroke-dasharray="5 3"'))
        parts.append(plot.dots(splits["val"]))
    return "".join(parts)


class Plot:
    """Where a step and a value lie on one chart."""

    def __init__(self, width: float, end: float, low: float, high: float) -> None:
        self.width, self.end, self.low, self.high = width, end, low, high

    def x(self, step: float) -> float:
        """Pixels from the left."""
        return LEFT + (self.width - LEFT - RIGHT) * step / self.end

    def y(self, value: float) -> float:
        """Pixels from the top; a value outside the axis lies on its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def grid(self, mark: float) -> str:
        """One line of the grid with its number."""
        y = self.y(mark)
        return (
            f'<path d="M{LEFT} {y:.1f}H{self.width - RIGHT:g}" stroke="{LINE}"/>'
            f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end" fill="{GREY}" font-size="10">{mark:.6g}</text>'
        )

    def line(self, curve: Curve, style: str) -> str:
        """The curve, broken where a value is no number."""
        path, pen = [], "M"
        for step, value in zip(*thin(*curve, POINTS), strict=True):
            path.append("" if value is None else f"{pen}{self.x(step):.1f} {self.y(value):.1f}")
            pen = "M" if value is None else "L"
        return f'<path d="{"".join(path)}" fill="none" stroke-linejoin="round" {style}/>'

    def dots(self, curve: Curve) -> str:
        """A point for each value, where they are few enough to be told apart."""
        steps, values = thin(*curve, POINTS)
        if len(steps) > 25:
            return ""
        points = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        return "".join(
            f'<circle cx="{self.x(step):.1f}" cy="{self.y(value):.1f}" r="2.4" fill="{ORANGE}"/>'
            for step, value in points
        )


def scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """An axis that holds both ends: its own ends, and three to six round marks on it."""
    if not high > low:
        low, high = low - (abs(low) or 1) * 0.5, low + (abs(low) or 1) * 0.5
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    unit = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)
    first, last = math.floor(low / unit + 1e-9), math.ceil(high / unit - 1e-9)
    marks = [number * unit for number in range(first, last + 1)]
    return marks[0], marks[-1], marks


def last_step(series: dict[str, dict[str, Curve]], steps: int | None) -> float:
    """Where the axis ends: for a young run a half, a quarter … of its steps, so that the curves fill the chart."""
    drawn = max((curve[0][-1] for splits in series.values() for curve in splits.values() if curve[0]), default=0) or 1
    end: float = max(steps or 0, drawn)
    while end / 2 > drawn * 1.1:
        end /= 2
    return math.ceil(end)


def robust_high(values: list[float]) -> float:
    """The top of the axis: the highest value, unless a few first steps tower over all the rest."""
    order = sorted(values)
    usual, top = order[int(0.97 * (len(order) - 1))], order[-1]
    spread = usual - order[0]
    few = len(order) < 20  # of a young run, the first values are the curve
    return top if few or top - order[0] <= 4 * spread or not spread else usual + 0.5 * spread


def any_values(curve: Any) -> bool:
    """Whether a curve has a number in it."""
    return any(value is not None for value in curve[1])


def _legend(y: float, series: dict[str, dict[str, Curve]]) -> str:
    splits = {split for curves in series.values() for split in curves}
    parts, x = [], 0
    for split, word, style in (
        ("train", "train", f'stroke="{BLUE}" stroke-width="2"'),
        ("val", "validation", f'stroke="{ORANGE}" stroke-width="2" stroke-dasharray="5 3"'),
    ):
        if split in splits:
            parts.append(f'<path d="M{x} {y - 4}h18" {style}/><text x="{x + 24}" y="{y}" fill="{GREY}">{word}</text>')
            x += 72
    return "".join(parts)
