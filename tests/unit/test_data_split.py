"""What is equal, or belongs together, lies in one split: named sets, the user's own, and whatever else."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbmodels.data import DATA
from nbmodels.data.dataset import any_order, cut, even_order
from nbmodels.data.files import Files
from nbmodels.data.open import check_data, named, open_data
from nbmodels.data.pairs import pairs
from nbmodels.data.questions import Question, questions
from nbmodels.data.sentences import sentences
from nbmodels.data.split import TEST, TRAIN, VAL, apart, normalised, ordered, split, together
from nbmodels.data.text import UNKNOWN, tokenizer
from nbmodels.errors import DataError
from nbmodels.preview import samples

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SETS = [name for name in DATA if name not in ("digits", "fashion-mnist", "captioned-digits", "pydoc", "shakespeare")]


def plain(text: str) -> str:
    """A judge's own idea of what two equal texts have in common: no case, no marks, single spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(" " if unicodedata.category(c)[0] in "PSZ" else c for c in text)
    return re.sub(r"\s+", " ", bare).strip() or text


def parts(data: Any) -> list[Any]:
    return [part[0] for part in (data.train, data.val, data.test)]


def assert_apart(data: Any) -> None:
    """No row of validation or test stands in an earlier split: neither as tokens nor as what a person reads."""
    words, earlier, earlier_said = tokenizer(data.facts.tokens), set[bytes](), set[str]()
    for x in parts(data):
        rows = {row.tobytes() for row in x if data.facts.task != "text-to-image" or UNKNOWN not in row}
        said = {plain(words.decode(row)) for row in x.tolist() if UNKNOWN not in row}
        assert not rows & earlier
        assert not said & earlier_said
        earlier |= rows
        earlier_said |= said


@pytest.mark.parametrize("name", SETS)
def test_no_source_of_a_named_set_is_in_two_splits(name: str) -> None:
    try:
        data = named(name, {}).load()
    except DataError as error:
        pytest.skip(error.what)
    assert_apart(data)
    sizes = [len(x) for x in parts(data)]
    assert min(sizes[1:]) > 0.07 * sum(sizes)


WORDS = st.sampled_from(
    ["a", "b", "c", "A", "B", "C,", "aa", "b!", "ｂ", "ä", "Ä.", "ﬁ", "FI", "ß", "ss", "é", "é", "—", "…", "猫", "犬"]
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), min_size=12, max_size=60)


@QUIET
@given(TEXTS, st.integers(0, 99))
def test_texts_that_are_equal_but_for_case_and_marks_lie_in_one_split(texts: list[str], seed: int) -> None:
    labels = np.random.RandomState(seed).randint(0, 2, len(texts))
    for tokens in ("words", "characters"):
        data = sentences("it", texts, labels, ("a", "b"), tokens, length=3)
        assert sum(map(len, parts(data))) == len(texts)
        rows = [{row.tobytes() for row in x if UNKNOWN not in row} for x in parts(data)]
        assert not (rows[0] & rows[1] or rows[0] & rows[2] or rows[1] & rows[2])
    groups = together(map(normalised, texts))
    part = split(groups, len(texts) // 5, len(texts) // 5, labels)
    belongs = [{plain(text) for text, p in zip(texts, part, strict=True) if p == name} for name in (TRAIN, VAL, TEST)]
    assert not (belongs[0] & belongs[1] or belongs[0] & belongs[2] or belongs[1] & belongs[2])


@QUIET
@given(st.lists(st.text(max_size=8), min_size=2, max_size=30))
def test_normalised_texts_are_equal_wherever_a_judge_says_so(texts: list[str]) -> None:
    for text in texts:
        assert normalised(text) == normalised(text.swapcase().swapcase()) or text.swapcase().swapcase() != text
        for other in (f" {text}\n", unicodedata.normalize("NFKC", text), plain(text)):
            if re.search(r"[^\W_]", text):
                assert normalised(other) == normalised(text)


@QUIET
@given(
    st.lists(st.integers(0, 12), min_size=3, max_size=80),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
    st.booleans(),
)
def test_a_group_lies_in_one_split_and_none_is_empty_that_need_not_be(
    groups: list[int], val: float, test: float, classes: bool
) -> None:
    numbers, n = together(groups), len(groups)
    labels = np.arange(n) % 3 if classes else None
    held = round(n * val), round(n * test)
    part = split(numbers, *held, labels)
    for group in set(groups):
        assert len({int(p) for p, g in zip(part, groups, strict=True) if g == group}) == 1
    counts, distinct = Counter(part.tolist()), len(set(groups))
    assert counts[TRAIN] > 0
    assert counts[TEST] > 0 or not held[1] or distinct < 2
    assert counts[VAL] > 0 or not held[0] or distinct < 3
    smallest = min(Counter(groups).values())
    assert counts[TEST] <= max(held[1], smallest if held[1] else 0)
    assert np.array_equal(part, split(numbers, *held, labels))
    assert sorted(np.concatenate(ordered(part, labels)).tolist()) == list(range(n))


@pytest.mark.parametrize("labels", [None, np.arange(100) % 7])
def test_samples_without_mates_are_split_as_they_always_were(labels: Any) -> None:
    x, y = np.arange(100), np.arange(100)
    order = any_order(100) if labels is None else even_order(labels)
    part = split(x, 10, 20, labels)
    for (old, _), new in zip(cut(x, y, order, 10, 20), ordered(part, labels), strict=True):
        assert np.array_equal(old, new)


def test_what_becomes_equal_by_way_of_others_lies_in_the_first_split() -> None:
    part = apart(np.array([TRAIN, VAL, TEST, TEST, VAL]), ["a", "b", "b", "c", "d"], [1, 2, 3, 4, 4])
    assert part.tolist() == [TRAIN, VAL, VAL, VAL, VAL]
    assert apart(np.array([TEST, VAL, TRAIN]), ["a", "a", "b"], [1, 2, 2]).tolist() == [TRAIN, TRAIN, TRAIN]


@QUIET
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=20, max_size=60), st.integers(4, 8))
@pytest.mark.parametrize("task", ["translation", "summarisation"])
def test_sources_of_pairs_lie_in_one_split(tmp_path: Path, task: Any, rows: list[tuple[str, ...]], length: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBMODELS_DATA", str(tmp_path))
        sources = [" ".join(row) for row in rows]
        try:
            data = pairs("it", sources, [f"{row[0]} {n % 3}" for n, row in enumerate(rows)], task, 300, length, 40)
        except DataError:
            return  # none fits
    rows_ = [{row.tobytes() for row in x} for x in parts(data)]
    assert not (rows_[0] & rows_[1] or rows_[0] & rows_[2] or rows_[1] & rows_[2])


def test_questions_about_texts_that_are_equal_or_cut_to_be_lie_in_one_split() -> None:
    texts = [
        f"The cat number {k % 15} sat on the mat. " + "So it was told to us. " * 30 + f"End {k}." for k in range(60)
    ]
    asked = [Question("Who sat?", text, "cat", 4) for text in texts]
    data = questions("it", asked, length=32, pieces=300)
    rows = [{row.tobytes() for row in x} for x in parts(data)]
    assert not (rows[0] & rows[1] or rows[0] & rows[2] or rows[1] & rows[2])


# -- the user's own


def frame(count: int = 120) -> pd.DataFrame:
    rng = np.random.RandomState(0)
    return pd.DataFrame(
        {
            "patient": [f"p{number // 6}" for number in range(count)],
            "age": rng.rand(count),
            "pressure": rng.rand(count),
            "ill": rng.randint(0, 2, count),
        }
    )


def patients(data: Any, of: pd.DataFrame) -> list[set[str]]:
    """Who is in each split, found by the ages."""
    facts, dataset = data.facts, data.dataset
    age = {round((value - facts.mean[0]) / facts.std[0], 4): who for value, who in zip(of.age, of.patient, strict=True)}
    return [{age[round(float(row[0]), 4)] for row in x} for x in parts(dataset)]


@pytest.mark.parametrize("form", ["frame", "columns", "csv"])
def test_a_group_of_rows_lies_in_one_split_and_is_no_feature(tmp_path: Path, form: str) -> None:
    rows = frame()
    rows.to_csv(tmp_path / "ill.csv", index=False)
    reference, obj = {
        "frame": ("notebook:it", rows),
        "columns": ("notebook:it", {key: rows[key].to_numpy() for key in rows}),
        "csv": (str(tmp_path / "ill.csv"), None),
    }[form]
    check_data(reference, {"target": "ill", "group": "patient"}, None, obj)
    data: Any = open_data(reference, {"target": "ill", "group": "patient"}, obj=obj)
    assert data.facts.columns == ("age", "pressure")
    who = patients(data, rows)
    assert [len(part) for part in who] == [16, 2, 2] and len(set.union(*who)) == 20
    with pytest.raises(DataError, match="no column 'patent'. Did you mean patient.*--group patient"):
        check_data(reference, {"target": "ill", "group": "patent"}, None, obj)


def test_a_group_of_texts_lies_in_one_split(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"text": [f"a film, the {k}th" for k in range(80)], "who": [k // 8 for k in range(80)], "y": [0, 1] * 40}
    )
    data: Any = open_data("notebook:it", {"target": "y", "group": "who"}, obj=rows)
    assert data.facts.kind == "text" and data.facts.columns == ("text",)
    words = tokenizer(data.facts.tokens)
    assert [len(x) for x in parts(data.dataset)] == [64, 8, 8] and words.size > 2


@pytest.mark.parametrize(
    ("obj", "options", "said"),
    [
        ((np.zeros((9, 2)), np.arange(9) % 2), {"group": "who"}, "--group takes a column"),
        ("a long text " * 90, {"group": "who"}, "no column 'who'"),
        (frame().assign(patient=None), {"group": "patient", "target": "ill"}, "column patient has empty cells"),
        (frame(), {"group": "ill", "target": "ill"}, "--group and --target"),
    ],
)
def test_a_group_that_cannot_be_is_one_line(obj: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        check_data("notebook:it", options, None, obj)
    assert "\n" not in str(caught.value)


def test_a_folder_has_no_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'who'"):
        Files(group="who").load(str(tmp_path))


def test_equal_pictures_lie_in_one_split_but_rows_of_few_values_stand_for_themselves() -> None:
    rng = np.random.RandomState(0)
    pictures = rng.randint(0, 256, (80, 6, 6)).astype(np.uint8)
    pictures = np.concatenate([pictures, pictures[:30]])
    data: Any = open_data("notebook:it", {}, obj=(pictures, rng.randint(0, 2, 110)))
    rows = [{row.tobytes() for row in x} for x in parts(data.dataset)]
    assert not (rows[0] & rows[1] or rows[0] & rows[2] or rows[1] & rows[2])
    dice = rng.randint(1, 3, (300, 2))
    sizes = [len(x) for x in parts(open_data("notebook:it", {}, obj=(dice, rng.randint(0, 2, 300))).dataset)]  # type: ignore
    assert sizes == [240, 30, 30]


def test_sentences_that_the_user_has_split_stay_so() -> None:
    texts = [f"film {k % 10} of {k // 10 % 4}" if k < 40 else f"{k % 10} film {k // 10 % 4}" for k in range(60)]
    y = [k % 2 for k in range(60)]
    obj = {"train": (texts[:40], y[:40]), "test": (texts[40:], y[40:])}
    data: Any = open_data("notebook:it", {"tokens": "characters"}, obj=obj)
    words = tokenizer(data.facts.tokens)
    said = [words.decode(row) for row in data.dataset.test[0].tolist()]
    assert said == texts[40:]
    assert [len(x) for x in parts(data.dataset)] == [36, 4, 20]


# -- near-duplicates


def test_near_duplicates_are_counted() -> None:
    texts = [" ".join(f"w{(7 * k + j) % 97}" for j in range(10)) for k in range(90)]
    near = [f"{text} again" for text in texts[:20]]
    data = sentences("it", texts + near, np.arange(110) % 2, ("a", "b"), length=12)
    said = samples(data)["near"]
    assert re.fullmatch(r"Of \d+ test samples 0 are equal to one of training, and \d+ nearly\b.*", said)
    x = [[set(row[row > 0].tolist()) for row in part] for part in parts(data)]
    expected = sum(any(5 * len(a & b) >= 4 * len(a | b) for b in x[0]) for a in x[2])
    assert f"and {expected} nearly" in said and expected > 0
    assert json.dumps(said)
