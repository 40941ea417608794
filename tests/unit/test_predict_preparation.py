"""A new input is prepared as training prepared its samples, whatever its type, range and neighbours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from torch.utils.data import TensorDataset

from nbmodels.data.facts import Facts
from nbmodels.data.inputs import prepare
from nbmodels.data.open import open_data
from nbmodels.errors import DataError

N, S = 12, 5
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
LAYOUTS = {  # (channels, place): from [N, C, S, S] to what a person holds
    "grey": (1, lambda x: x[:, 0]),
    "grey first": (1, lambda x: x),
    "grey last": (1, lambda x: x.transpose(0, 2, 3, 1)),
    "colours first": (3, lambda x: x),
    "colours last": (3, lambda x: x.transpose(0, 2, 3, 1)),
    "four last": (4, lambda x: x.transpose(0, 2, 3, 1)),
}
RANGES: dict[str, tuple[float, float]] = {
    "0..1": (0, 1),
    "0..16": (0, 16),
    "0..255": (0, 255),
    "0..65535": (0, 65535),
    "standardised": (-3, 3),
    "dark": (0, 2),
    "huge": (-1e6, 1e6),
}


@st.composite
def piles(draw: st.DrawFn) -> np.ndarray:
    """Pictures of any type, range and layout that a person may hold."""
    channels, place = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))]
    kind = np.dtype(draw(st.sampled_from(["?", "u1", "i1", "u2", "i4", "i8", ">u2", "f2", "f4", "f8", ">f4"])))
    low, high = RANGES[draw(st.sampled_from(sorted(RANGES)))]
    if kind.kind == "b":
        values: Any = st.booleans()
    elif kind.kind in "iu":
        info = np.iinfo(kind)
        values = st.integers(max(int(low), info.min), min(int(high), info.max))
    else:
        high = min(high, 6e4) if kind.itemsize == 2 else high
        low = max(low, -6e4) if kind.itemsize == 2 else low
        values = (
            st.floats(low, high, width=8 * kind.itemsize) if kind.itemsize > 2 else st.integers(int(low), int(high))
        )
    return place(draw(arrays.arrays(kind, (N, channels, S, S), elements=values)))


def trained(pictures: Any, **options: Any) -> Any:
    """The data as a run has it: facts as they come out of its folder, and the training loader."""
    data = open_data("notebook:it", options, batch_size=4, obj=(pictures, np.arange(len(pictures)) % 3))
    return data, Facts.from_dict(data.facts.to_dict())


def seen(data: Any) -> torch.Tensor:
    """Every sample of the three splits as the model gets it, [N, …]."""
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    return torch.cat([x for loader in loaders for x, _ in loader])


def rows(x: torch.Tensor) -> list[bytes]:
    return sorted(row.numpy().tobytes() for row in x)


@QUIET
@given(piles())
def test_every_training_picture_is_prepared_as_training_prepared_it(pictures: np.ndarray) -> None:
    data, facts = trained(pictures)
    alone = torch.cat([prepare(facts, each) for each in pictures])
    assert rows(alone) == rows(seen(data))
    assert torch.equal(prepare(facts, pictures), alone)
    assert torch.equal(prepare(facts, list(pictures)), alone)
    assert torch.equal(prepare(facts, pictures.tolist()), prepare(facts, np.array(pictures.tolist())))
    if pictures.dtype.isnative and pictures.dtype != np.uint16:
        assert torch.equal(prepare(facts, torch.from_numpy(pictures)), alone)
        assert torch.equal(prepare(facts, [torch.from_numpy(each) for each in pictures]), alone)


@QUIET
@given(piles(), piles(), st.integers(0, N - 1))
def test_an_answer_does_not_depend_on_its_neighbours(learned: np.ndarray, new: np.ndarray, number: int) -> None:
    data, facts = trained(learned)
    channels, size = facts.fills["in_channels"], facts.fills["image_size"]
    first = new if new.ndim == 3 else np.moveaxis(new, 3, 1) if new.shape[3] < S else new
    first = first.reshape(N, -1, S, S)[:, :1].repeat(channels, axis=1)
    assert first.shape[1:] == (channels, size, size)
    mates = np.stack([first[number], np.full_like(first[0], first.max()), np.zeros_like(first[0])])
    alone = prepare(facts, first[number])
    assert torch.equal(prepare(facts, mates)[0], alone[0])
    assert torch.equal(prepare(facts, list(mates))[0], alone[0])
    assert torch.equal(prepare(facts, mates[::-1].copy())[-1], alone[0])


@QUIET
@given(arrays.arrays(np.uint8, (N, S, S), elements=st.integers(0, 255)))
def test_bytes_in_any_other_type_are_the_same_picture(pictures: np.ndarray) -> None:
    data, facts = trained(pictures)
    expected = prepare(facts, pictures)
    assert rows(expected) == rows(seen(data))
    for kind in ("u2", "i4", "i8"):
        assert torch.equal(prepare(facts, pictures.astype(kind)), expected)
    bright = pictures.max(axis=(1, 2)) > 1  # a float picture of 0 and 1 only is read as black and white
    for kind in ("f2", "f4", "f8"):
        assert torch.equal(prepare(facts, pictures.astype(kind))[bright], expected[bright])
    for kind in ("f4", "f8"):
        assert torch.equal(prepare(facts, (pictures / 255).astype(kind)), expected)
    assert torch.equal(prepare(facts, expected), expected)  # what the loader gave, given back
    for each, x in zip(pictures, expected, strict=True):
        assert torch.equal(prepare(facts, Image.fromarray(each))[0], x)


def test_digits_in_every_form_people_hold_them() -> None:
    from sklearn.datasets import load_digits

    theirs, data = load_digits(), open_data("digits", {}, batch_size=64)
    facts, (kept, _) = Facts.from_dict(data.facts.to_dict()), data.dataset.test
    x = torch.cat([x for x, _ in data.test_dataloader()])
    for form in (kept, kept[:, 0], kept.astype(float), kept.astype(int), kept / 16, torch.from_numpy(kept), x):
        assert torch.equal(prepare(facts, form), x)
    assert torch.equal(torch.cat([prepare(facts, each) for each in kept[:, 0].astype(float)]), x)
    expected = prepare(facts, theirs.images)
    assert rows(expected) == rows(seen(data))
    assert torch.equal(prepare(facts, theirs.data[0].reshape(8, 8)), expected[:1])
    assert torch.equal(prepare(facts, theirs.images[0].tolist()), expected[:1])
    assert torch.equal(prepare(facts, theirs.images.astype(np.uint8)), expected)
    # a file and Pillow's picture go from black to white, whatever the units
    white = Image.new("L", (8, 8), 255)
    buffer = io.BytesIO()
    white.save(buffer, "png")
    assert prepare(facts, white).unique().tolist() == [1.0]
    assert prepare(facts, Image.new("L", (8, 8), 3)).max() < 0.02


MODES = ["1", "L", "LA", "P", "I;16", "I", "F", "RGB", "RGBA", "CMYK"]


def of_mode(mode: str, seed: int, high: float = 1.0, side: int = S) -> Image.Image:
    """A picture of one of Pillow's modes with something in it, down to its darkest values."""
    rng = np.random.RandomState(seed)
    grey = rng.random_sample((side, side)) * (0.02 if seed % 3 == 0 else 1)
    if mode == "I;16":
        return Image.fromarray((grey * 65535).astype(np.uint16))
    if mode == "I":
        return Image.fromarray((grey * 65535 * high).astype(np.int32))
    if mode == "F":
        return Image.fromarray((grey * high).astype(np.float32))
    colours = rng.randint(0, 256, (side, side, 4)).astype(np.uint8)
    if mode in ("RGBA", "CMYK"):
        return Image.fromarray(colours, mode="CMYK") if mode == "CMYK" else Image.fromarray(colours)
    if mode == "LA":
        return Image.fromarray(colours).convert("LA")
    return Image.fromarray(colours[..., :3]).convert(mode)


def folder_of(place: Path, modes: list[str], high: float = 1.0, side: int = S) -> list[Path]:
    files = []
    for number in range(2 * N):
        mode = modes[number % len(modes)]
        ending = "tif" if mode in ("F", "I", "CMYK") else "png"
        files.append(place / "ab"[number // N] / f"{number:02}.{ending}")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        of_mode(mode, number, high, side).save(files[-1])
    return files


@pytest.mark.parametrize("side", [S, 9])
@pytest.mark.parametrize(
    ("modes", "high"),
    [
        *(([mode], 1.0) for mode in MODES),
        *((modes, 1.0) for modes in (["L", "I;16"], ["RGB", "I;16"], ["L", "RGBA", "P"], ["F", "L"])),
        (["F"], 200.0),
        (["I"], 0.003),
        (["I"], 200.0),
    ],
)
def test_a_file_is_prepared_as_it_was_trained_on(tmp_path: Path, modes: list[str], high: float, side: int) -> None:
    files = folder_of(tmp_path / "pictures", modes, high, side)
    data = open_data(str(tmp_path / "pictures"), {"image_size": S}, batch_size=8)
    facts = Facts.from_dict(data.facts.to_dict())
    expected = torch.cat([prepare(facts, str(file)) for file in files])
    assert rows(expected) == rows(seen(data))
    assert expected.std() > 0.08, "the range is lost"
    assert torch.equal(prepare(facts, str(tmp_path / "pictures")), expected)
    assert torch.equal(prepare(facts, [Image.open(file) for file in files]), expected)
    assert torch.equal(prepare(facts, [files[1], Image.open(files[0])])[1], expected[0])
    decoded = [np.asarray(Image.open(file)) for file in files]
    if side == S and modes not in (["1"], ["P"], ["LA"], ["CMYK"], ["RGBA"], ["L", "RGBA", "P"], ["RGB", "I;16"]):
        assert torch.equal(prepare(facts, decoded), expected)


def test_a_16_bit_png_is_grey_and_not_white_and_a_float_tiff_not_black(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, S * S).reshape(S, S)
    for mode, kind, full in (("I;16", np.uint16, 65535), ("F", np.float32, 1)):
        place = tmp_path / mode[0]
        place.mkdir()
        for number in range(6):
            Image.fromarray((ramp * full).astype(kind)).save(place / f"{number}.{'png' if full > 1 else 'tif'}")
        x = seen(open_data(str(place), {}, batch_size=3))
        assert np.allclose(x[0, 0], ramp, atol=1e-4)
        grey = Facts("g", "image", "classification", {"in_channels": 1, "image_size": S}, scale=255.0)
        assert np.allclose(prepare(grey, place / f"0.{'png' if full > 1 else 'tif'}")[0, 0], ramp, atol=1e-4)


def test_standardised_floats_take_a_picture_from_black_to_white() -> None:
    bytes_ = np.random.RandomState(0).randint(0, 256, (N, 3, S, S)).astype(np.uint8)
    bytes_[0], bytes_[1] = 0, 255
    mean, std = np.array([0.5, 0.4, 0.3]).reshape(3, 1, 1), np.array([0.2, 0.25, 0.3]).reshape(3, 1, 1)
    data, facts = trained((bytes_ / 255 - mean) / std)
    expected = prepare(facts, (bytes_ / 255 - mean) / std)
    assert rows(expected) == rows(seen(data))
    pictures = [Image.fromarray(each.transpose(1, 2, 0)) for each in bytes_]
    assert torch.allclose(prepare(facts, pictures), expected, atol=1e-5)
    assert torch.allclose(prepare(facts, bytes_), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["0..1", "standardised", "0..16", "bytes"])
def test_what_a_dataset_of_the_users_own_gives_is_taken_as_it_is(kind: str) -> None:
    bytes_ = torch.randint(0, 256, (N, 3, S, S), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    bytes_[0], bytes_[1] = 0, 255
    x = {"0..1": bytes_ / 255, "standardised": (bytes_ / 255 - 0.5) / 0.25, "0..16": bytes_ / 16, "bytes": bytes_}[kind]
    data: Any = open_data("notebook:it", {}, batch_size=4, obj=TensorDataset(x, torch.arange(N) % 3))
    facts = Facts.from_dict(data.facts.to_dict())
    assert rows(prepare(facts, x)) == rows(seen(data).float())
    assert torch.equal(prepare(facts, [each.numpy() for each in x]), x.float())
    if kind != "0..16":
        pictures = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in bytes_]
        near = 0.05 if kind == "standardised" else 1e-5  # a stream's range is that of its first batch
        assert torch.allclose(prepare(facts, pictures), x.float(), atol=near)


def test_the_facts_of_an_older_run_still_open() -> None:
    old = {"name": "x", "kind": "image", "task": "classification", "scale": 16.0, "of another version": 1}
    facts = Facts.from_dict({**old, "fills": {"in_channels": 1, "image_size": S}})
    assert prepare(facts, np.full((S, S), 16, np.uint8)).unique().tolist() == [1.0]


def test_pictures_of_several_sizes_go_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    facts = trained(np.random.RandomState(0).randint(0, 256, (N, S, S)).astype(np.uint8))[1]
    given_ = [
        of_mode("L", 1, side=9),
        np.zeros((S, S), np.uint8),
        of_mode("I;16", 2, side=7),
        np.zeros((6, 4, 3), "u1"),
    ]
    together = prepare(facts, given_)
    assert torch.equal(together, torch.cat([prepare(facts, each) for each in given_]))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.full((S, S), np.nan), "Input 2 of 3 has 25 cells"),
        (np.zeros((S + 1, S)), r"Input 2 of 3 is of shape \(1, 6, 5\)"),
        ("no-such.png", "no file no-such.png"),
        (np.array([["a"]]), "Input 2 of 3 holds no pixels"),
    ],
)
def test_a_bad_one_of_several_is_named(bad: Any, said: str) -> None:
    facts = trained(np.random.RandomState(0).rand(N, S, S))[1]
    good = np.zeros((S, S))
    with pytest.raises(DataError, match=said) as caught:
        prepare(facts, [good, bad, good])
    assert "\n" not in str(caught.value)
    if getattr(bad, "shape", 0) == (S, S):
        with pytest.raises(DataError, match="picture 2 of 3"):
            prepare(facts, np.stack([good, bad, good]))


# -- rows and texts


@QUIET
@given(st.data())
def test_a_row_of_a_table_is_prepared_as_it_was_trained_on(data: st.DataObject) -> None:
    count, codes = 20, st.sampled_from([1, 2.5, "1", "a", "Ä b", True])
    frame = pd.DataFrame(
        {
            "size": data.draw(arrays.arrays(np.float64, count, elements=st.floats(-1e6, 1e6))),
            "rooms": data.draw(arrays.arrays(np.int64, count, elements=st.integers(-100, 100))),
            "sold": data.draw(arrays.arrays(bool, count)),
            "code": pd.Series(
                ["word", *data.draw(st.lists(codes, min_size=count - 1, max_size=count - 1))], dtype=object
            ),
            "day": pd.to_datetime(data.draw(arrays.arrays(np.int32, count, elements=st.integers(0, 10**9))), unit="s"),
            "price": np.arange(count) % 2,
        }
    )
    opened = open_data("notebook:it", {"target": "price"}, obj=frame)
    facts, x = Facts.from_dict(opened.facts.to_dict()), frame.drop(columns="price")
    alone = torch.cat([prepare(facts, x.iloc[k : k + 1]) for k in range(count)])
    assert rows(alone) == rows(seen(opened))
    assert torch.equal(prepare(facts, x), alone)
    assert torch.equal(prepare(facts, x[list(x)[::-1]]), alone)
    records = x.to_dict("records")
    assert torch.equal(prepare(facts, records), alone)
    assert torch.equal(torch.cat([prepare(facts, record) for record in records]), alone)
    assert torch.equal(torch.cat([prepare(facts, x.iloc[k]) for k in range(count)]), alone)


def test_a_code_with_noughts_before_it_stays_a_word_in_a_file_of_one_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"code": ["01", "02", "x"] * 10, "a": range(30), "y": [0, 1, 1] * 10})
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame[:1].to_csv(tmp_path / "one.csv", index=False)
    facts = open_data(str(tmp_path / "all.csv"), {"target": "y"}).facts
    assert torch.equal(prepare(facts, str(tmp_path / "one.csv")), prepare(facts, str(tmp_path / "all.csv"))[:1])


def test_a_word_never_trained_on_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"place": ["east", "west"] * 10, "a": range(20), "y": [0, 1] * 10})
    facts = open_data("notebook:it", {"target": "y"}, obj=frame).facts
    assert prepare(facts, {"place": "north", "a": 1})[0, :2].tolist() == [0, 0]
    assert capsys.readouterr().out == "place: 'north' was never trained on, and counts as no value at all\n"
    with pytest.raises(DataError, match="Row 2 of 2 has no column 'a'"):
        prepare(facts, [{"place": "east", "a": 1}, {"place": "east"}])


@QUIET
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=90),
        min_size=12,
        max_size=12,
    )
)
@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_a_text_is_prepared_as_it_was_trained_on(tokens: str, texts: list[str]) -> None:
    texts = [f"{text} of {number}" for number, text in enumerate(texts)]
    opened = open_data(
        "notebook:it", {"tokens": tokens, "sequence_length": 2}, obj=(texts, [k % 2 for k in range(len(texts))])
    )
    alone = torch.cat([prepare(opened.facts, text) for text in texts])
    assert rows(alone) == rows(seen(opened))
    assert torch.equal(prepare(opened.facts, texts), alone)
    assert torch.equal(prepare(opened.facts, pd.Series(texts)), alone)


def test_token_numbers_are_taken_in_the_form_they_were_trained_in() -> None:
    numbers = np.random.RandomState(0).randint(0, 40, (20, 7))
    opened = open_data("notebook:it", {"tokens": "numbers"}, obj=(numbers, np.arange(20) % 2))
    for form in (numbers, torch.from_numpy(numbers), numbers.tolist()):
        assert rows(prepare(opened.facts, form)) == rows(seen(opened))
    assert prepare(opened.facts, numbers[0]).shape == (1, 7)
