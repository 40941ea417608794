"""A text that a model writes, and whoever watches it being written."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.text import tokenizer

Tell = Callable[[str], None]  # is given all of the text so far
PERIOD = 0.2  # seconds between two looks at it
LENGTH = 200  # tokens, unless a person says how many
HALF = "\ufffd"  # a letter of which not all bytes are written yet


def write(model: Any, facts: Facts, x: Tensor, options: dict[str, Any], tell: Tell | None = None) -> list[str]:
    """The beginnings [B, T] gone on with, as texts.

    Args:
        model: It has `generate`, and `write` where its text can be watched.
        facts: What it was trained on.
        x: Token numbers.
        options: Of its `generate`.
        tell: Told a few times a second what is written so far, of a text that comes alone; an interrupt then ends the
            writing and keeps what is written.
    """
    words, options = tokenizer(facts.tokens or {}), {"length": LENGTH, **options}
    if tell is None or len(x) > 1 or not hasattr(model, "write"):
        texts = [words.decode(tokens) for tokens in model.generate(x, **options).tolist()]
        if tell is not None and len(texts) == 1:
            tell(texts[0])
        return texts
    tokens, due = x[0].tolist(), 0.0
    try:
        for new in model.write(x, **options):
            tokens.append(int(new))
            if time.monotonic() >= due:
                tell(words.decode(tokens).rstrip(HALF))
                due = time.monotonic() + PERIOD
    except KeyboardInterrupt:
        pass
    text = words.decode(tokens)
    tell(text)
    return [text]
