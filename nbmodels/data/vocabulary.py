"""What the numbers of data stand for: the token, the class or the column of each row that a model has for it.

The same number is another word in another vocabulary, so whoever carries weights from one run to another goes by these
names. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

from nbmodels.data.facts import Facts
from nbmodels.data.text import BPE, SPECIAL, tokenizer
from nbmodels.errors import BigModelError

Names = Sequence[Hashable]


def tokens(facts: Facts) -> Names | None:
    """The tokens by number, of tokenizers of different kinds never equal; None where the data has no tokenizer."""
    state = facts.tokens or {}
    if state.get("kind") == "words":
        return [("words", each) for each in (*SPECIAL[:2], *(f"={word}" for word in state["words"]))]
    if state.get("kind") == "characters":
        special = SPECIAL[: state.get("reserved", 0)]
        return [("characters", each) for each in (*special, *(f"={letter}" for letter in state["characters"]))]
    return _pieces(state) if "json" in state else None


def _pieces(state: dict[str, Any]) -> Names | None:
    """Those of the library `tokenizers`: a piece says the same where model and decoder are of one kind."""
    try:
        made = tokenizer(state)
    except BigModelError:
        return None
    assert isinstance(made, BPE)
    said = json.loads(made.json)
    kind = (said["model"].get("type"), (said.get("decoder") or {}).get("type"))
    found: list[Hashable] = [("unused", number) for number in range(made.size)]
    for piece, number in made.library.get_vocab().items():
        if number < made.size:
            found[number] = (*kind, piece)
    return found


def classes(facts: Facts) -> Names | None:
    """The names of the classes, or their numbers as text where they have none; None where there are no classes."""
    if facts.classes:
        return facts.classes
    count = facts.fills.get("num_classes")
    return None if count is None else [str(number) for number in range(count)]


def columns(facts: Facts) -> Names | None:
    """The numbers of a table's row: (column, ""), or (column, value) for each value of a column of words."""
    if not facts.columns:
        return None
    return [(name, value) for name in facts.columns for value in facts.categories.get(name, [""])]
