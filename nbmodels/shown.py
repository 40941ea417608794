"""What a word gives back when it is not a run: the same content as text, as HTML and as plain values.

A `Shown` is a list of parts: headings, paragraphs, lines of code, formulas, tables and pictures. The notebook draws
the HTML, a terminal and a screen reader get the text, `--json` the values.
"""

from __future__ import annotations

import html
import itertools
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

NARROW = 36  # columns of a cell, but for the last of a row


@dataclass(frozen=True)
class Table:
    """Rows under their heads; a column of `code` is set in the fixed-width face."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: Sequence[int] = (0,)

    def text(self, width: int) -> str:
        """Columns side by side, long cells wrapped; the last column takes the rest of the width."""
        rows = [list(self.heads), *map(list, self.rows)]
        widths = [min(max(1, *(_wide(row[i]) for row in rows)), NARROW) for i in range(len(self.heads) - 1)]
        widths.append(max(width - sum(widths) - 2 * len(widths), 24))
        return "\n".join(_row(row, widths) for row in rows)

    def html(self) -> str:
        """A plain table, its text left-aligned."""
        cell = '<{0} style="text-align:left">{1}</{0}>'
        heads = "".join(cell.format("th", html.escape(head)) for head in self.heads)
        body = "".join(
            f"<tr>{''.join(cell.format('td', self._cell(i, text)) for i, text in enumerate(row))}</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, column: int, text: str) -> str:
        return _code(text) if column in self.code and text else html.escape(text)


@dataclass(frozen=True)
class Part:
    """One part of another kind: heading, prose, code, formula (LaTeX) or picture (a data URI)."""

    kind: str
    content: str

    def text(self, width: int) -> str:
        """As a terminal shows it; a picture is left out."""
        if self.kind == "picture":
            return ""
        if self.kind == "prose":
            return "\n\n".join(textwrap.fill(" ".join(each.split()), width) for each in self.content.split("\n\n"))
        return {"heading": "{}", "code": "  {}", "formula": "  {}"}[self.kind].format(self.content)

    def html(self) -> str:
        """As a notebook shows it."""
        safe = html.escape(self.content)
        if self.kind == "prose":
            return "".join(f"<p>{_ticks(each)}</p>" for each in safe.split("\n\n"))
        return {
            "heading": f"<h4>{_ticks(safe)}</h4>",
            "code": f"<pre><code>{safe}</code></pre>",
            "formula": f"<p>$${safe}$$</p>",
            "picture": f'<p><img src="{safe}" alt="samples"></p>',
        }[self.kind]


@dataclass(frozen=True)
class Shown:
    """Something to look at; `data` is the same as JSON values."""

    parts: Sequence[Part | Table]
    data: Any = field(default=None)

    def __repr__(self) -> str:
        width = min(shutil.get_terminal_size((100, 24)).columns, 110)
        return "\n\n".join(text for part in self.parts if (text := part.text(width)))

    def _repr_html_(self) -> str:
        return "\n".join(part.html() for part in self.parts)


def line(text: str, data: Any = None) -> Shown:
    """One line of prose."""
    return Shown([Part("prose", text)], data)


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def _ticks(safe: str) -> str:
    """`code` between backticks as code."""
    pieces = safe.split("`")
    if len(pieces) % 2 == 0:
        return safe
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _wide(text: str) -> int:
    """Columns in a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = itertools.zip_longest(*cells, fillvalue="")
    padded = ("  ".join(c + " " * (w - _wide(c)) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)
