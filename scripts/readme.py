"""The README's table of models, made from their signatures: `python scripts/readme.py` writes it."""

from __future__ import annotations

from pathlib import Path

from nbmodels.models import MODELS
from nbmodels.options import read_source
from nbmodels.values import show

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- models: made by `make readme` from the signatures -->\n", "<!-- /models -->"


def table() -> str:
    """One row a model: what it is, what it learns from when nothing is said, its options with their defaults."""
    rows = ["| model | what it is | default data | options |", "|---|---|---|---|"]
    for name, reference in MODELS.items():
        described = read_source(reference)
        options = ", ".join(
            f"`{option.flag} {show(option.default)}`".replace(" `", "`") for option in described.options
        )
        rows.append(
            f"| `{name}` | {described.title.rstrip('.')} | {described.attributes['default_data']} | {options} |"
        )
    return "\n".join(rows) + "\n"


def written() -> str:
    """The README with the table as it should be."""
    before, rest = README.read_text("utf-8").split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    README.write_text(written(), "utf-8")
