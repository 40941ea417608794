"""What a model that fills gaps says: texts with gaps beside what it put there, and the likeliest fillings of a gap.

G gaps of a text, V tokens.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from nbmodels.data.facts import Facts
from nbmodels.data.text import BPE, Pretrained, Tokenizer, tokenizer
from nbmodels.errors import InputError
from nbmodels.runs.samples import pairs, texts

GAP = re.compile(r"\[MASK\]|_{3,}")
LIKELY = 5  # fillings that are named


@torch.no_grad()
def look(model: Any, batches: Any, facts: Facts) -> dict[str, Any]:
    """Filled texts; and `test/unigram`: the nats a gap costs who knows no more than how often each token is.

    Args:
        model: Its `samples` gives texts with gaps and the same filled in.
        batches: Tokens [B, T] and anything.
        facts: What the data is.
    """
    given, made = model.samples(batches[0])
    counts = torch.bincount(torch.cat([x.flatten() for x, _ in batches])).float()
    share = counts[counts > 0] / counts.sum()
    entropy = -(share * share.log()).sum().item()
    return {
        "picture": None,
        "texts": pairs(texts(given, facts), texts(made, facts)),
        "figures": {"test/unigram": entropy},
    }


@torch.no_grad()
def fill(model: Any, facts: Facts, inputs: Any) -> Any:
    """Texts with `[MASK]` or `___` -> of each the `text` filled in, and the likeliest tokens of its `gaps`.

    Args:
        model: It gives the chances [1, T, V] of tokens [1, T]; `mask_token` is its gap.
        facts: What it was trained on.
        inputs: A text, or several.

    Raises:
        InputError: A text has no gap, or is too long.
    """
    words = tokenizer(facts.tokens or {})
    made = [_fill(model, words, str(text)) for text in ([inputs] if isinstance(inputs, str) else inputs)]
    return made[0] if isinstance(inputs, str) else made


def _fill(model: Any, words: Tokenizer, text: str) -> dict[str, Any]:
    x = torch.tensor([_encode(words, text, model.mask_token)])
    gaps = (x[0] == model.mask_token).nonzero().flatten()
    if not len(gaps):
        raise InputError(f"There is no gap in {text!r}", "Type [MASK] or ___ where a token is missing.")
    try:
        chances = model.predict_step(x)[0, gaps]  # [G, V]
    except ValueError as error:
        raise InputError(str(error)) from None
    best = chances.topk(min(LIKELY, chances.shape[1]))
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    likely = [{_name(words, k): round(p, 4) for k, p in zip(*row, strict=True)} for row in rows]
    return {"text": words.decode(x[0].index_copy(0, gaps, best.indices[:, 0]).tolist()), "gaps": likely}


def _encode(words: Tokenizer, text: str, mask: int) -> list[int]:
    if isinstance(words, Pretrained):
        return words.encode(GAP.sub("[MASK]", text))  # with its own marks around the text
    tokens: list[int] = []
    for number, part in enumerate(GAP.split(text)):
        before = part.rstrip(" ") if isinstance(words, BPE) else part  # to a piece belongs the space before it
        tokens += [mask] * bool(number) + words.encode(before)
    return tokens


def _name(words: Tokenizer, token: int) -> str:
    """One token as a person reads it; a piece inside a word begins with ##."""
    return str(words.library.id_to_token(token)) if isinstance(words, Pretrained) else words.decode([token])
