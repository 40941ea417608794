"""What a model that answers questions says: pieces of the texts, beside the right ones.

B questions, T tokens of a question and its text.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.questions import prepare_questions
from nbmodels.data.text import padded, tokenizer

SHOWN = 8


@torch.no_grad()
def look(model: Any, batches: Any, facts: Facts) -> dict[str, Any]:
    """Questions with the answers given; and `test/f1`, the mean overlap of the answers given with the right ones.

    Args:
        model: Its `predict_step` gives the first and last token of the answer [B, 2].
        batches: Tokens [B, T] and the right first and last [B, 2], -100 where the answer is not in what is read.
        facts: What the data is.
    """
    x, y = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
    said = torch.cat([model.predict_step(part, 0) for part in x.split(64)])
    words, separator = tokenizer(facts.tokens or {}), facts.fills["separator"]
    texts = []
    for tokens, right, given in zip(x[:SHOWN].tolist(), y[:SHOWN].tolist(), said[:SHOWN].tolist(), strict=True):
        question = words.decode(tokens[1 : tokens.index(separator)])
        answers = [words.decode(tokens[a : b + 1]).strip() if a >= 0 else "beyond the text" for a, b in (given, right)]
        texts.append(f"{question}\n→ {answers[0]}" + (f"  (right: {answers[1]})" if given != right else ""))
    return {"picture": None, "texts": texts, "figures": {"test/f1": overlap(said, y).mean().item()}}


def overlap(said: Tensor, right: Tensor) -> Tensor:
    """F1 of the tokens of two spans [B, 2] each: the harmonic mean of precision and recall [B]."""
    first, last = torch.maximum(said[:, 0], right[:, 0]), torch.minimum(said[:, 1], right[:, 1])
    common = (last - first + 1).clamp(min=0) * (right[:, 0] >= 0)
    lengths = (said[:, 1] - said[:, 0] + 1) + (right[:, 1] - right[:, 0] + 1)
    return 2 * common / lengths


@torch.no_grad()
def predict(model: Any, facts: Facts, inputs: Any) -> Any:
    """The answers to one question and its text (a text) or to several (a list), in the text's own letters."""
    made = prepare_questions(facts, inputs)
    x = torch.from_numpy(padded([each.tokens for _, each in made], facts.fills["sequence_length"], 2**31)).long()
    said = model.predict_step(x, 0).tolist()
    found = [text[each.spans[a][0] : each.spans[b][1]] for (text, each), (a, b) in zip(made, said, strict=True)]
    several = isinstance(inputs, (list, tuple)) and not all(isinstance(part, str) for part in inputs)
    return found if several else found[0]
