"""The user's own data: every form of it, and one clear line for everything that is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from nbmodels.data.facts import Facts
from nbmodels.data.inputs import name, prepare
from nbmodels.data.open import check_data, open_data
from nbmodels.errors import DataError, InputError, UnknownName

RNG = np.random.RandomState(0)
X = RNG.rand(100, 5).astype(np.float32)
Y = np.arange(100) % 3
PICTURES = RNG.randint(0, 256, (60, 12, 12)).astype(np.uint8)
FRAME = pd.DataFrame(
    {"size": RNG.rand(100) * 9 + 50, "place": ["north", "south", "east", "west"] * 25, "sold": [True, False] * 50}
)
PRICED = FRAME.assign(price=FRAME["size"] * 2.5)
SENTENCES = [f"a {'good' if k % 2 else 'bad'} film number {k} of them all" for k in range(60)]


def opened(obj: object, task: str | None = None, **options: object):
    check_data("notebook:it", options, task, obj)
    return open_data("notebook:it", options, batch_size=10, task=task, obj=obj)


def first(obj: object, task: str | None = None, **options: object):
    data = opened(obj, task, **options)
    return data.facts, *next(iter(data.train_dataloader()))


FORMS = {
    "tuple": (X, Y),
    "list": [X, Y],
    "tensors": (torch.from_numpy(X), torch.from_numpy(Y)),
    "lists": (X.tolist(), Y.tolist()),
    "column": (X, Y[:, None]),
    "words": (X, np.array(["a", "b", "c"])[Y]),
    "objects": (X, np.array(["a", "b", "c"], dtype=object)[Y]),
    "dict": {"X": X, "y": Y},
    "bunch": {"data": X, "target": Y, "target_names": ["a", "b", "c"]},
    "series": (pd.DataFrame(X), pd.Series(Y)),
    "keras": ((X[:80], Y[:80]), (X[80:], Y[80:])),
    "split": (X[:80], X[80:], Y[:80], Y[80:]),
    "named": {"train": (X[:60], Y[:60]), "val": (X[60:80], Y[60:80]), "test": (X[80:], Y[80:])},
    "dataset": TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
    "loader": DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=10),
    "two": (
        TensorDataset(torch.from_numpy(X[:80]), torch.from_numpy(Y[:80])),
        TensorDataset(torch.from_numpy(X[80:]), torch.from_numpy(Y[80:])),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_with_classes(form):
    facts, x, y = first(FORMS[form])
    assert (facts.kind, facts.task) == ("table", "classification")
    assert facts.fills == {"in_features": 5, "num_classes": 3, "task": "classification"}
    assert x.shape == (10, 5) and x.dtype == torch.float32 and y.dtype == torch.long and y.shape == (10,)
    assert Facts.from_dict(facts.to_dict()) == facts


def test_arrays_are_taken_as_they_are_and_split_by_class():
    data = opened((X, Y))
    assert [len(data.dataset.train[0]), len(data.dataset.val[0]), len(data.dataset.test[0])] == [80, 10, 10]
    together = np.concatenate([part[0] for part in (data.dataset.train, data.dataset.val, data.dataset.test)])
    assert np.array_equal(np.sort(together, axis=0), np.sort(X, axis=0))
    assert np.bincount(data.dataset.val[1]).tolist() in ([3, 3, 4], [3, 4, 3], [4, 3, 3])


def test_splits_that_the_user_gives_are_kept():
    data = opened({"train": (X[:60], Y[:60]), "val": (X[60:80], Y[60:80]), "test": (X[80:], Y[80:])})
    assert np.array_equal(data.dataset.test[0], X[80:]) and np.array_equal(data.dataset.val[1], Y[60:80])


@pytest.mark.parametrize("y", [X[:, 0], X[:, :1], Y.astype(np.float64)])
def test_amounts_are_a_regression(y):
    facts, _, given = first((X, y))
    assert facts.task == "regression" and facts.fills["out_features"] == 1
    assert given.shape == (10, 1) and given.dtype == torch.float32


def test_the_task_wins_over_the_type_of_y():
    assert first((X, Y), "regression")[0].fills == {"in_features": 5, "out_features": 1, "task": "regression"}
    facts, _, y = first((X, Y.astype(float)), "classification")
    assert facts.classes == ("0.0", "1.0", "2.0") and y.dtype == torch.long
    assert first((X, X[:, :2]))[0].fills["out_features"] == 2


@pytest.mark.parametrize("pictures", [PICTURES, PICTURES[:, None], PICTURES[..., None], PICTURES.astype(np.int64)])
def test_pictures_of_bytes_become_floats_of_0_to_1(pictures):
    facts, x, _ = first((pictures, np.arange(60) % 2))
    assert facts.fills == {
        "in_channels": 1,
        "image_size": 12,
        "in_features": 144,
        "num_classes": 2,
        "task": "classification",
    }
    assert x.shape == (10, 1, 12, 12) and 0.9 < x.max() <= 1 and facts.scale == 255


def test_colours_last_come_first_and_floats_are_taken_as_they_are():
    facts, x, _ = first((RNG.randn(30, 8, 8, 3), np.arange(30) % 2))
    assert facts.fills["in_channels"] == 3 and x.shape == (10, 3, 8, 8) and x.min() < -1


def test_x_alone_is_reconstructed():
    facts, x, y = first(PICTURES)
    assert facts.task == "autoencoding" and torch.equal(x, y)
    assert first(FRAME, "autoencoding")[0].fills == {"in_features": 6, "task": "autoencoding"}


def test_a_frame_is_standardised_its_words_become_columns_and_new_rows_go_the_same_way():
    data = opened(PRICED, target="price")
    facts, train = data.facts, data.dataset.train
    assert facts.task == "regression" and facts.target == "price" and facts.columns == ("size", "place", "sold")
    assert facts.categories == {"place": ["east", "north", "south", "west"]} and facts.fills["in_features"] == 6
    everything = np.concatenate([train[0], data.dataset.val[0], data.dataset.test[0]])
    assert abs(everything[:, 0].mean()) < 1e-5 and abs(everything[:, 0].std() - 1) < 1e-4
    assert set(np.unique(everything[:, 1:5])) == {0.0, 1.0}
    again = prepare(Facts.from_dict(facts.to_dict()), PRICED.drop(columns="price"))
    assert np.allclose(np.sort(again.numpy(), axis=0), np.sort(everything, axis=0), atol=1e-6)
    row = {"size": 55.0, "place": "west", "sold": True}
    assert torch.equal(prepare(facts, row), prepare(facts, [row])) and prepare(facts, row).shape == (1, 6)
    assert torch.equal(prepare(facts, row), prepare(facts, np.array([[55.0, "west", True]], dtype=object)))
    with pytest.raises(DataError, match="no column 'place'"):
        prepare(facts, {"size": 1.0, "sold": True})


def test_words_to_predict_are_classes_by_name():
    facts, _, _ = first(FRAME, target="place")
    assert facts.classes == ("east", "north", "south", "west")
    chances = torch.tensor([[0.1, 0.2, 0.6, 0.1]])
    assert name(facts, chances)[0]["class"] == "south" and name(facts, chances)[0]["chance"] == 0.6


def test_sentences_with_classes(capsys):
    facts, x, y = first((SENTENCES, [k % 2 for k in range(60)]), sequence_length=6)
    assert facts.task == "classification" and facts.kind == "text" and x.shape == (10, 6) and x.dtype == torch.long
    assert prepare(facts, "good unheardof").tolist() == [[*prepare(facts, "good")[0, :1].tolist(), 1, 0, 0, 0, 0]]
    assert prepare(facts, "good " * 7).shape == (1, 6)
    assert capsys.readouterr().out == "A text: cut to the first 6 tokens, the model reads no more\n"
    by_column = first(pd.DataFrame({"text": SENTENCES, "label": [k % 2 for k in range(60)]}), target="label")[0]
    assert by_column.kind == "text" and by_column.columns == ("text",)


def test_one_long_text_is_modelled():
    facts, x, y = first("To be, or not to be. " * 200, sequence_length=16)
    assert facts.task == "language-modelling" and x.shape == (10, 16) and torch.equal(x[:, 1:], y[:, :-1])
    assert name(facts, prepare(facts, "not to")) == ["not to"]


def test_token_numbers():
    facts, x, _ = first((RNG.randint(0, 40, (50, 7)), np.arange(50) % 2), tokens="numbers")
    assert facts.kind == "text" and x.dtype == torch.long and facts.fills["sequence_length"] == 7


class Broken(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, number: int):
        raise KeyError("no such file")


def wrong(value: float, at: tuple[int, int] = (4, 2)) -> np.ndarray:
    x = X.copy()
    x[at] = value
    return x


WRONG = {
    "unequal": ((X, Y[:90]), r"X has 100 rows and y has 90 \(shapes \(100, 5\) and \(90,\)\)"),
    "nan": ((wrong(np.nan), Y), r"X has 1 cell that is empty or not finite.*\[4, 2\]"),
    "infinite": ((wrong(np.inf), Y), "not finite"),
    "nan-y": ((X, wrong(np.nan)[:, 2]), "y has 1 cell"),
    "empty": ((X[:0], Y[:0]), "it is empty"),
    "no-columns": ((X[:, :0], Y), r"\(100, 0\)"),
    "objects": ((np.array([[1, None]] * 100, dtype=object), Y), "Python objects"),
    "mixed": ((X, np.array([1, "a"] * 50, dtype=object)), "mixes kinds of objects"),
    "one-class": ((X, np.zeros(100, int)), "one class only"),
    "many-classes": ((np.tile(X, (3, 1)), np.arange(300)), r"300 different values.*--task regression"),
    "ragged": (([[1, 2], [3]], [0, 1]), "different lengths"),
    "no-data": (object(), "which is no data"),
    "none": (None, "holds None"),
    "oblong": ((np.zeros((10, 8, 6)), np.arange(10) % 2), "8×6"),
    "deep": ((np.zeros((10, 2, 2, 2, 2)), np.arange(10) % 2), r"\(10, 2, 2, 2, 2\)"),
    "y-deep": ((X, np.zeros((100, 2, 2))), r"\(100, 2, 2\)"),
    "splits": (((X, Y), (X[:, :3], Y)), r"\(5,\).*\(3,\)"),
    "broken": (Broken(), "KeyError"),
    "no-samples": (TensorDataset(torch.zeros(0, 3)), "empty"),
    "frame-without-target": (PRICED, "--target price"),
    "empty-frame": (PRICED[:0], "empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_before_the_run(case):
    obj, said = WRONG[case]
    with pytest.raises(DataError, match=said) as caught:
        check_data("notebook:it", {}, None, obj)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError):
        open_data("notebook:it", {}, obj=obj)


def test_a_column_that_is_not_there_names_the_nearest():
    with pytest.raises(DataError, match="no column 'prise'.*Did you mean price.*--target price"):
        check_data("notebook:it", {"target": "prise"}, None, PRICED)


def test_empty_cells_of_a_frame_name_the_column():
    holes = PRICED.astype({"place": object}).copy()
    holes.loc[3, "place"] = None
    with pytest.raises(DataError, match="column place has 1 empty cell"):
        check_data("notebook:it", {"target": "price"}, None, holes)
    holes = PRICED.copy()
    holes.loc[3, "size"] = np.nan
    with pytest.raises(DataError, match="column size"):
        check_data("notebook:it", {"target": "price"}, None, holes)


def test_a_column_that_only_names_the_rows_is_left_out():
    facts, x, _ = first(PRICED.assign(id=[f"r{k}" for k in range(100)]), target="price")
    assert "id" not in facts.columns and x.shape[1] == 6


def test_names_and_options():
    with pytest.raises(UnknownName, match="Did you mean digits"):
        check_data("digit", {})
    with pytest.raises(InputError, match="colour"):
        check_data("digits", {"colour": 1})
    with pytest.raises(InputError, match="nothing to train on"):
        check_data("notebook:it", {"val": 0.6, "test": 0.5}, None, (X, Y))
    with pytest.raises(InputError, match="takes no --target"):
        check_data("notebook:it", {"target": "a"}, None, FORMS["dataset"])


def folder_of_pictures(root: Path, classes: tuple[str, ...] = ("cat", "dog"), mode: str = "RGB") -> Path:
    for k in range(24):
        place = root / classes[k % len(classes)] if classes else root
        place.mkdir(parents=True, exist_ok=True)
        pixels = RNG.randint(0, 256, (20, 24, 3) if mode == "RGB" else (20, 24)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{k}.png")
    return root


def test_a_folder_of_pictures_by_class(tmp_path):
    path = str(folder_of_pictures(tmp_path / "pets"))
    check_data(path, {"image_size": 16})
    data = open_data(path, {"image_size": 16}, batch_size=8)
    x, _ = next(iter(data.train_dataloader()))
    assert data.facts.classes == ("cat", "dog") and x.shape == (8, 3, 16, 16) and data.facts.name == "pets"
    file = next(Path(path).rglob("*.png"))
    assert prepare(data.facts, str(file)).shape == (1, 3, 16, 16)
    assert prepare(data.facts, path).shape == (24, 3, 16, 16)


def test_a_flat_folder_of_grey_pictures_is_reconstructed(tmp_path):
    data = open_data(str(folder_of_pictures(tmp_path, (), "L")), {})
    assert data.facts.task == "autoencoding" and data.facts.fills["in_channels"] == 1
    assert data.facts.fills["image_size"] == 20


def test_csv_and_text_files(tmp_path):
    table, text, sentences = tmp_path / "homes.csv", tmp_path / "book.txt", tmp_path / "said.tsv"
    PRICED.to_csv(table, index=False)
    text.write_text("What a piece of work is a man! " * 100, encoding="utf-8")
    pd.DataFrame({"text": SENTENCES, "label": ["good", "bad"] * 30}).to_csv(sentences, index=False, sep="\t")
    assert open_data(str(table), {"target": "price"}).facts.columns == ("size", "place", "sold")
    assert open_data(str(text), {"sequence_length": 16}).facts.task == "language-modelling"
    assert open_data(str(sentences), {"target": "label"}).facts.classes == ("bad", "good")
    facts = open_data(str(table), {"target": "price"}).facts
    assert prepare(facts, str(table)).shape == (100, 6)


def test_what_is_wrong_with_files(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa" * 10)
    PRICED.to_csv(tmp_path / "homes.csv", index=False)
    only = folder_of_pictures(tmp_path / "only", ("cat",))
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "a.png").write_bytes(b"no picture")
    cases = [
        ("home.csv", {}, "Did you mean .*homes.csv"),
        ("empty", {}, "holds no picture"),
        ("empty.csv", {}, "is empty"),
        ("bad.txt", {}, "UTF-8"),
        ("homes.csv", {}, "--target price"),
        ("homes.csv", {"target": "prize"}, "Did you mean price"),
        (only.name, {}, "one sub-folder only"),
        (torn.name, {}, "cannot be read as a picture"),
    ]
    for file, options, said in cases:
        with pytest.raises(DataError, match=said):
            check_data(str(tmp_path / file), options)


def test_pictures_of_another_shape_say_both():
    facts = opened((PICTURES, np.arange(60) % 2)).facts
    with pytest.raises(DataError, match=r"\(1, 9, 9\).*\(1, 12, 12\)"):
        prepare(facts, np.zeros((2, 9, 9)))
    assert prepare(facts, PICTURES[0]).shape == (1, 1, 12, 12)
    assert torch.equal(prepare(facts, PICTURES[:2]), prepare(facts, PICTURES[:2] / 255.0).float())


def test_a_data_module_of_the_users_own():
    import lightning.pytorch as L

    class Mine(L.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(TensorDataset(torch.rand(20, 3, 8, 8), torch.arange(20) % 4), batch_size=5)

    facts = opened(Mine()).facts
    assert facts.kind == "image" and facts.fills["num_classes"] == 4 and facts.fills["in_channels"] == 3


def test_a_dataset_is_as_exact_to_resume_as_arrays():
    one, other = (opened(FORMS["dataset"]).train_dataloader() for _ in range(2))
    running = iter(one)
    next(running), next(running)
    other.load_state_dict(one.state_dict())
    assert all(torch.equal(a[0], b[0]) for a, b in zip(running, other, strict=True))


def test_looking_at_arrays_and_frames_imports_no_torch():
    code = (
        "import sys, numpy as np, pandas as pd; from nbmodels.data.open import check_data\n"
        "check_data('notebook:a', {}, None, (np.zeros((20, 3)), np.arange(20) % 2))\n"
        "check_data('notebook:b', {'target': 'b'}, None, pd.DataFrame({'a': [1., 2.] * 9, 'b': [0, 1] * 9}))\n"
        "check_data('digits', {})\ncheck_data('pydoc', {})\ncheck_data('movie-reviews', {})\n"
        "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
