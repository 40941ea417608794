"""A text that a model writes, and whoever watches it being written."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.text import tokenizer
from nbmodels.errors import InputError

Tell = Callable[[str], None]  # is given all of the text so far
PERIOD = 0.2  # seconds between two looks at it
LENGTH = 200  # tokens, unless a person says how many
LEAST: dict[str, float] = {"length": 1, "temperature": 0, "top_k": 1, "top_p": 0, "beam": 1}  # options of `predict`
HALF = "\ufffd"  # a letter of which not all bytes are written yet


def check(model: Any, options: dict[str, Any]) -> None:
    """InputError for an option of `predict` that is none of this model's, or too small."""
    writer = getattr(model, "write", None) or getattr(model, "generate", None)
    takes = inspect.signature(writer).parameters if writer else {}
    flags = {option: "--" + option.replace("_", "-") for option in LEAST}
    for option, value in options.items():
        if option not in takes and not any(each.kind is each.VAR_KEYWORD for each in takes.values()):
            known = ", ".join(flag for each, flag in flags.items() if each in takes)
            hint = f"It takes {known}." if known else "Leave it out."
            raise InputError(f"{type(model).__name__} takes no {flags.get(option, option)} to predict", hint)
        if value is not None and value < LEAST.get(option, value):
            raise InputError(f"{flags[option]} is at least {LEAST[option]:g}, not {value:g}")


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
