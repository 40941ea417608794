"""Questions about texts, each answered by a piece of its text, as a data set; and new ones for a trained model.

x [N, T]: START question SEPARATOR text SEPARATOR, padded with 0; y [N, 2]: the first and the last token of the answer,
-100 where it lies beyond the T tokens that are read. A pretrained tokenizer's [CLS] and [SEP] stand for the two marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbmodels.data import weights
from nbmodels.data.dataset import DataSet
from nbmodels.data.facts import Facts
from nbmodels.data.split import TRAIN, apart, as_they_lie, normalised, ordered, rows_of, split, taken, together
from nbmodels.data.text import BPE, END, START, Pretrained, known, padded, say_cut, tokenizer
from nbmodels.errors import DataError, InputError

WHOLE = 1 << 30  # tokens: more than any text has
FORM = "Give a question and its text: predict RUN QUESTION TEXT, or {'question': …, 'text': …}."


class Question(NamedTuple):
    """A question, the text, and the answer: a piece of the text and where it begins in it."""

    question: str
    text: str
    answer: str
    start: int


class Encoded(NamedTuple):
    """Token numbers, and of each token of the text its first character and the one after its last; else (0, 0)."""

    tokens: list[int]
    spans: list[tuple[int, int]]


def questions(
    name: str,
    asked: Sequence[Question],
    tokens: str = "bpe",
    length: int = 128,
    pieces: int = 2_000,
    val: float = 0.1,
    test: float = 0.1,
) -> DataSet:
    """Questions -> x [N, T], y [N, 2]; a text with all its questions is in one split only, as are equal ones.

    Args:
        name: What to call the data.
        asked: The questions, N of them.
        tokens: What a token is: bpe, or the pretrained model whose tokenizer to use.
        length: T, the tokens that are read of a question and its text together, at least 16.
        pieces: Size of a BPE vocabulary, at least 300.
        val: Share of the texts to validate on, in [0, 1).
        test: Share of the texts to test on, in [0, 1).

    Raises:
        DataError: There are no questions.
    """
    if length < 16 or pieces < 300:
        raise InputError("A question and its text take at least 16 tokens, a BPE vocabulary at least 300 pieces")
    if not asked:
        raise DataError(f"{name} has no question with an answer", "Give it some.")
    asked, belongs, part = _parts(asked, val, test)
    words = BPE.learn((f"{q.question}\n{q.text}" for q, p in zip(asked, part, strict=True) if p == TRAIN), pieces, True)
    if tokens != "bpe":
        words = Pretrained.find(weights.find(tokens))
    x, y = _encoded(asked, words, length)
    numbers = as_they_lie(apart(part, belongs, rows_of(x)))
    facts = Facts(
        name=name,
        kind="text",
        task="question-answering",
        fills={
            **known(words),
            "sequence_length": length,
            "separator": marks(words)[1],
            "task": "question-answering",
        },
        tokens=words.state,
    )
    return DataSet(facts, *taken(x, y, numbers))


def marks(words: BPE) -> tuple[int, int]:
    """The tokens that begin a question, and end it and its text."""
    if not isinstance(words, Pretrained):
        return START, END
    found = [words.library.token_to_id(mark) for mark in ("[CLS]", "[SEP]")]
    if None in found:
        raise DataError("That tokenizer has no [CLS] and [SEP] to put around a question", "Choose a BERT's, or bpe.")
    return found[0], found[1]


def encode(words: BPE, question: str, text: str, length: int) -> Encoded:
    """A question (at most half of the tokens) and as much of its text as fits into `length` tokens."""
    start, separator = marks(words)
    asked = words.library.encode(question, add_special_tokens=False).ids[: length // 2]
    read = words.library.encode(text, add_special_tokens=False)
    room = length - len(asked) - 3
    spans = [(a + len(text[a:b]) - len(text[a:b].lstrip()), b) for a, b in read.offsets[:room]]  # no space before
    tokens = [start, *asked, separator, *read.ids[:room], separator]
    return Encoded(tokens, [(0, 0)] * (len(asked) + 2) + spans + [(0, 0)])


def prepare_questions(facts: Facts, inputs: Any) -> list[tuple[str, Encoded]]:
    """What a person asks -> the text and the tokens of each question.

    Args:
        facts: What the model was trained on.
        inputs: A question and its text, a dict of `question` and `text` (or `context`), or a list of either.

    Raises:
        InputError: It is none of these.
    """
    cut = tokenizer(facts.tokens or {})
    assert isinstance(cut, BPE)
    length = facts.fills["sequence_length"]
    asked = list(_asked(inputs))
    say_cut([len(encode(cut, *each, length=WHOLE).tokens) > length for each in asked], length)
    return [(text, encode(cut, question, text, length)) for question, text in asked]


def squad(content: Any, name: str) -> list[Question]:
    """The questions of a file in SQuAD's form (version 1 or 2); those without an answer are left out.

    Raises:
        DataError: It is of another form.
    """
    found = []
    try:
        for paragraph in (part for article in content["data"] for part in article["paragraphs"]):
            for each in paragraph["qas"]:
                if each.get("is_impossible") or not each["answers"]:
                    continue
                answer = each["answers"][0]
                text, start = answer["text"], answer["answer_start"]
                if paragraph["context"][start : start + len(text)] != text:
                    raise DataError(f"{name}: {text!r} does not begin at character {start}", "Mend answer_start.")
                found.append(Question(each["question"], paragraph["context"], text, start))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is not in SQuAD's form: {error} is missing or no such thing", SHAPE) from None
    return found


SHAPE = "It is {'data': [{'paragraphs': [{'context', 'qas': [{'question', 'answers': [{'text', 'answer_start'}]}]}]}]}."


def is_squad(content: Any) -> bool:
    """Whether something read from JSON looks like SQuAD's form."""
    data = content.get("data") if isinstance(content, dict) else None
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def _parts(asked: Sequence[Question], val: float, test: float) -> tuple[list[Question], np.ndarray, np.ndarray]:
    """The questions, text by text in a fixed random order; the group of each [N], and its part [N].

    Each part has one text at least where there are three and it is wanted.
    """
    by_text: dict[str, list[Question]] = {}
    for each in asked:
        by_text.setdefault(each.text, []).append(each)
    texts = list(by_text)
    held, to_test = (max(1, round(share * len(texts))) if share and len(texts) > 2 else 0 for share in (val, test))
    groups = together(normalised(text) for text in texts)
    part = split(groups, held, to_test)
    order = np.concatenate(ordered(part))
    counts = [len(by_text[texts[number]]) for number in order]
    found = [each for number in order for each in by_text[texts[number]]]
    return found, np.repeat(groups[order], counts), np.repeat(part[order], counts)


def _encoded(asked: Sequence[Question], words: BPE, length: int) -> tuple[np.ndarray, np.ndarray]:
    rows, y = [], np.full((len(asked), 2), -100, dtype=np.int64)
    for number, each in enumerate(asked):
        made = encode(words, each.question, each.text, length)
        rows.append(made.tokens)
        end = each.start + len(each.answer)
        inside = [place for place, (a, b) in enumerate(made.spans) if a < b and a < end and b > each.start]
        if inside and made.spans[inside[-1]][1] >= end:
            y[number] = inside[0], inside[-1]
    return padded(rows, length, words.size), y


def _asked(inputs: Any) -> Iterator[tuple[str, str]]:
    if isinstance(inputs, dict):
        inputs = [inputs]
    elif isinstance(inputs, (list, tuple)) and len(inputs) == 2 and all(isinstance(each, str) for each in inputs):
        inputs = [tuple(inputs)]
    if isinstance(inputs, str):
        raise InputError("A question needs a text that answers it", FORM)
    for each in inputs:
        pair = (each.get("question"), each.get("text", each.get("context"))) if isinstance(each, dict) else tuple(each)
        if len(pair) != 2 or not all(isinstance(part, str) and part.strip() for part in pair):
            raise InputError(f"{each!r} is no question with its text", FORM)
        yield pair
