"""What a model that writes a text of a text reaches: BLEU of translations, ROUGE-L of summaries, and what to read.

N texts.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.text import decoded, tokenizer
from nbmodels.errors import MissingExtra
from nbmodels.runs import attention_map

WORST, TYPICAL = 4, 6  # texts shown
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
KANA = "\u3040-\u30ff"
WORD = re.compile(rf"[{HAN}{KANA}]|[^\W{HAN}{KANA}]+")  # for ROUGE: a character of Chinese or Japanese is a word


@torch.no_grad()
def look(model: Any, batches: Any, facts: Facts) -> dict[str, Any]:
    """Figures of all that is written for the test's texts beside a baseline's, texts to read, a map of attention.

    Args:
        model: Its `predict_step` gives the tokens written [B, T'], END after the last.
        batches: Tokens of the sources [B, S] and of their references [B, T].
        facts: What the data is.
    """
    if not facts.tokens:  # numbers of the user's own, of which no words can be made
        return {"picture": None, "texts": []}
    words = tokenizer(facts.tokens)
    sources: list[str] = []
    references: list[str] = []
    written: list[str] = []
    x: list[Tensor] = []
    for source, target in batches:
        source = source.cpu()
        said = model.predict_step(source, 0)
        if said.is_floating_point():  # a model of the user's that writes no text
            return {"picture": None, "texts": []}
        x += list(source)
        for texts, tokens in ((sources, source), (references, target), (written, said)):
            texts += [decoded(words, row) for row in tokens.tolist()]
    judge = bleu if facts.task == "translation" else rouge
    figures, scores = judge(written, references, sources)
    order = sorted(range(len(scores)), key=lambda number: scores[number])
    middle = [order[len(order) * place // (TYPICAL + 1)] for place in range(1, TYPICAL + 1)]
    shown = list(dict.fromkeys(middle + order[:WORST]))
    texts = [f"{sources[i]}\n→ {written[i]}\n= {references[i]}" for i in shown]
    return {"figures": figures, "texts": texts, "picture": attention_map.picture(model, [x[i] for i in middle], words)}


def bleu(written: list[str], references: list[str], sources: list[str]) -> tuple[dict[str, float], list[float]]:
    """BLEU of the whole [0, 100], of the sources taken for the answers, and of each text [N].

    Papineni et al. 2002, as sacrebleu computes it (Post 2018): comparable between papers.
    """
    try:
        import sacrebleu
    except ImportError:
        raise MissingExtra("BLEU", "text") from None
    cut = tokenize(references)
    whole = {
        name: sacrebleu.corpus_bleu(said, [references], tokenize=cut).score
        for name, said in (("test/bleu", written), ("test/bleu-copy", sources))
    }
    pairs = zip(written, references, strict=True)
    return whole, [sacrebleu.sentence_bleu(said, [true], tokenize=cut).score for said, true in pairs]


def tokenize(texts: list[str]) -> str:
    """How sacrebleu should cut these texts into words: Japanese by characters, Chinese by `zh`, else by `13a`."""
    whole = "".join(texts)
    han, kana = (len(re.findall(f"[{letters}]", whole)) for letters in (HAN, KANA))
    if kana > 0.1 * len(whole):
        return "char"
    return "zh" if han > 0.1 * len(whole) else "13a"


def rouge(written: list[str], references: list[str], sources: list[str]) -> tuple[dict[str, float], list[float]]:
    """ROUGE-L (F1) in [0, 1], of the whole, of the sources' first words, and of each text [N]. Lin 2004.

    The baseline takes the first words of a source, as many as a reference has in the mean.
    """
    from torchmetrics.functional.text.rouge import rouge_score

    def scores(said: list[str]) -> list[float]:
        options: Any = {"rouge_keys": "rougeL", "normalizer": str.lower, "tokenizer": WORD.findall}
        pairs = zip(said, references, strict=True)
        return [float(rouge_score(one, true, **options)["rougeL_fmeasure"]) for one, true in pairs]

    many = round(sum(len(WORD.findall(text)) for text in references) / max(1, len(references)))
    each = scores(written)
    first = scores([lead(text, many) for text in sources])
    count = max(1, len(references))
    return {"test/rouge-l": sum(each) / count, "test/rouge-l-lead": sum(first) / count}, each


def lead(text: str, many: int) -> str:
    """The first so many words of a text, as it writes them."""
    ends = [word.end() for word in WORD.finditer(text)][:many]
    return text[: ends[-1]] if ends else ""
