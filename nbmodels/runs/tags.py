"""What a model that tags every token gets wrong: the commonest tags confused, and the words that are hardest.

N tokens, K tags.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.inputs import class_name
from nbmodels.runs.confusion import LEGIBLE, MOST, draw


@torch.no_grad()
def look(model: Any, batches: Any, facts: Facts) -> dict[str, Any]:
    """The confusion matrix of the commonest tags, and the words taken for something else most often.

    Args:
        model: Its `predict_step` gives chances [B, T, K].
        batches: Tokens [B, T] and their tags [B, T], -100 where there is none.
        facts: What the data is.
    """
    x, y, said = (torch.cat(part) for part in zip(*(_answers(model, *batch) for batch in batches), strict=True))
    count = int(torch.cat([y, said]).max()) + 1
    matrix = torch.bincount(y * count + said, minlength=count**2).view(count, count)
    common = matrix.sum(1).argsort(descending=True)[:LEGIBLE]
    names = tuple(class_name(facts, number) for number in common.tolist())
    return {
        "picture": draw(matrix[common][:, common], names, [], []),
        "confusion": matrix.tolist(),
        "texts": hardest(x, y, said, facts) if facts.tokens else [],
    }


def hardest(x: Tensor, y: Tensor, said: Tensor, facts: Facts) -> list[str]:
    """`that  (cs, said dt: 52 times)`: the mistakes made most often, of token numbers and tags [N] each."""
    from nbmodels.data.text import tokenizer

    words = tokenizer(facts.tokens or {})
    wrong = zip(*(part[y != said].tolist() for part in (x, y, said)), strict=True)
    return [
        f"{words.decode([token])}  ({class_name(facts, true)}, said {class_name(facts, other)}: {count:,} times)"
        for (token, true, other), count in Counter(wrong).most_common(MOST)
    ]


def _answers(model: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, their tags and what the model says of them [N] each, of those that have a tag."""
    x, y = x.cpu(), y.cpu()
    known = y != -100
    return x[known], y[known], model.predict_step(x, 0).argmax(-1)[known]
