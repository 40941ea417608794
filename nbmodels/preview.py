"""A few samples of a data set as JSON: `python -m nbmodels.preview NAME`, so that the kernel loads no data.

It prints {"picture": a PNG as a data URI, "rows": [[label, sample]…], "near": how many test samples stand in training}
or {"error": why not}.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import sys
from typing import Any

from nbmodels.data import DATA
from nbmodels.data.facts import WRITTEN
from nbmodels.errors import BigModelError

MANY = 8
LONG = 160  # characters of a text


def main(name: str) -> None:
    """Print the samples of a data set of the table."""
    module, _, cls = DATA[name].partition(":")
    try:
        dataset = getattr(importlib.import_module(module), cls)().load()
        seen = samples(dataset)
    except BigModelError as error:
        seen = {"error": str(error)}
    print(json.dumps(seen))


def samples(dataset: Any) -> dict[str, Any]:
    """The first few of the training part, each with its label; of texts also how many of the test stand in training."""
    said = alike(dataset)
    return {**shown(dataset), **({"near": said} if said else {})}


def alike(dataset: Any) -> str:
    """How many test samples are equal to one of training, or nearly; nothing where x is no pile of texts."""
    facts, (train, _), (test, _) = dataset.facts, dataset.train, dataset.test
    made = facts.task == "text-to-image" and facts.classes  # its captions are few sentences, the same in every split
    if facts.kind != "text" or getattr(train, "ndim", 1) != 2 or not len(test) or made:
        return ""
    from nbmodels.data.near import near_duplicates

    found = near_duplicates(train, test)
    return (
        f"Of {found.samples:,} test samples {found.equal:,} are equal to one of training, and {found.near:,} nearly: "
        "four in five of their tokens are the same."
    )


def shown(dataset: Any) -> dict[str, Any]:
    """The first few of the training part, each with its label."""
    facts, (x, y) = dataset.facts, dataset.train
    if facts.kind == "image":
        return {"picture": picture(x[:MANY], [label(facts, each) for each in y[:MANY]] if y is not None else [])}
    if facts.kind == "table":
        return {"rows": [[label(facts, y[i]), ", ".join(f"{n:.4g}" for n in x[i])] for i in range(MANY)]}
    from nbmodels.data.text import tokenizer

    words = tokenizer(facts.tokens or {})
    if facts.task == "text-to-image":
        said = [[str(i + 1), words.decode(row.tolist())] for i, row in enumerate(x[:MANY])]
        return {"picture": picture(y[:MANY], [number for number, _ in said]), "rows": said}
    if getattr(x, "ndim", 1) == 1:
        return {"rows": [["", words.decode(x[:400].tolist())[: 2 * LONG]]]}
    if facts.task == "tagging":
        return {"rows": [["", tagged(facts, words, x[i].tolist(), y[i].tolist())] for i in range(min(MANY, len(x)))]}
    if facts.task in WRITTEN:
        pairs = zip(x[:MANY].tolist(), y[:MANY].tolist(), strict=True)
        return {"rows": [["", " → ".join(words.decode(row)[:LONG] for row in pair)] for pair in pairs]}
    if facts.task == "question-answering":
        return {"rows": [asked(facts, words, *row) for row in zip(x[:MANY].tolist(), y[:MANY].tolist(), strict=True)]}
    texts = [words.decode([token for token in row.tolist() if token])[:LONG] for row in x[:MANY]]
    return {"rows": [[label(facts, y[i]) if y is not None else "", text] for i, text in enumerate(texts)]}


def asked(facts: Any, words: Any, tokens: list[int], answer: list[int]) -> tuple[str, str]:
    """A question's right answer, and the question."""
    first, last = answer
    question = words.decode(tokens[1 : tokens.index(facts.fills["separator"])])
    return words.decode(tokens[first : last + 1]).strip() if first >= 0 else "", question


def tagged(facts: Any, words: Any, tokens: list[int], tags: list[int]) -> str:
    """`the/at jury/nn`: the tokens that have a tag, each with it."""
    pairs = [(words.decode([t]), facts.classes[k]) for t, k in zip(tokens, tags, strict=True) if k >= 0]
    return " ".join(f"{word}/{tag}" for word, tag in pairs)[: 2 * LONG]


def label(facts: Any, value: Any) -> str:
    """A class's name, or the number."""
    if getattr(value, "ndim", 0):
        return ", ".join(f"{each:.4g}" for each in value)
    return facts.classes[int(value)] if facts.classes else f"{float(value):.4g}"


def picture(x: Any, labels: list[str]) -> str:
    """Pictures [N, C, H, W] side by side under their labels, as a PNG data URI."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4), layout="constrained")
    for i, axes in enumerate(figure.subplots(1, len(x))):
        axes.imshow(x[i].transpose(1, 2, 0), cmap="gray")
        axes.set_title(labels[i] if labels else "", fontsize=8)
        axes.axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    main(sys.argv[1])
