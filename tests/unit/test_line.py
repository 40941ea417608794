"""The grammar: what is typed becomes a Spec, or one line that says what to type."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbmodels import line, names, request
from nbmodels.errors import BigModelError, DataError, InputError, UnknownName
from nbmodels.line import WORDS
from nbmodels.models import MODELS
from nbmodels.spec import Spec
from nbmodels.views import command


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def spec(text: str, namespace: dict[str, Any] | None = None, body: str | None = None) -> Spec:
    """The Spec of a `train` line, which is not started."""
    return both(text, namespace, body)[0]


def both(text: str, namespace: dict[str, Any] | None = None, body: str | None = None) -> tuple[Spec, dict[str, Any]]:
    asked = line.parse(line.split(text), namespace or {}, body)
    options = {name: value for name, value in asked.options.items() if name not in ("data", "wait")}
    model = asked.places["model"]
    return request.build_spec(model, asked.options.get("data"), options, namespace or {}, "flag")


# -- the table


@pytest.mark.parametrize("word", WORDS.values(), ids=lambda word: word.name)
def test_every_word_has_a_handler_that_takes_and_reads_all_it_offers(word: line.Word) -> None:
    taken = inspect.signature(word.handler).parameters
    offered = [*(place.name for place in word.places), *(option.name for option in word.options)]
    if not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        assert set(offered) <= set(taken)
        assert set(taken) - {"namespace", *offered} <= {"model"}  # help also says it of one model
    read = {node.id for node in ast.walk(ast.parse(inspect.getsource(word.handler))) if isinstance(node, ast.Name)}
    assert set(taken) - {"namespace"} <= read, "an option that nobody reads"


def test_the_words_are_those_of_the_design() -> None:
    expected = "help models info data train panel runs attach stop pause resume tensorboard test predict"
    assert list(WORDS) == expected.split()


@pytest.mark.parametrize("word", WORDS)
def test_help_after_any_word(word: str) -> None:
    for asked in ([word, "--help"], [word, "-h"], ["help", word]):
        assert word in repr(line.do(asked, {}))


@pytest.mark.parametrize("model", MODELS)
def test_help_after_any_model_lists_every_option(model: str) -> None:
    said = repr(line.do(["train", model, "--help"], {}))
    for option in names.find_model(model, {}).described.options:
        assert option.flag in said
    assert model in repr(line.do(["help", model], {}))


# -- what is typed


def test_a_line_becomes_a_spec() -> None:
    found = spec("train cnn --data digits --epochs 3 --lr 1e-3 --channels 8,16 --name first --seed=7")
    assert (found.name, found.model, found.data) == ("first", "cnn", "digits")
    assert found.model_options == {"lr": 0.001, "channels": (8, 16)}
    assert (found.training.epochs, found.training.seed, found.training.lr) == (3, 7, None)
    assert found.training.batch_size == names.find_model("cnn", {}).described.attributes["recipe"]["batch_size"]
    assert Spec.from_yaml(found.to_yaml()).model == "cnn"


def test_a_model_may_have_other_defaults_for_another_task():
    written, told = spec("train rnn --data shakespeare").training, spec("train rnn --data movie-reviews").training
    own = names.find_model("rnn", {}).described.attributes
    assert (written.epochs, written.lr) == tuple(own["recipe_for"]["language-modelling"].values())
    assert (told.epochs, told.lr) == (own["recipe"]["epochs"], None)
    asked = spec("train rnn --data shakespeare --lr 0.003 --epochs 2")
    assert asked.training.epochs == 2 and asked.training.lr is None and asked.model_options["lr"] == 0.003
    assert command.of(spec("train rnn --data shakespeare")) == "%bigmodel train rnn --data shakespeare"


def test_pretrained_weights_bring_their_tokens():
    assert spec("train gpt --data shakespeare --pretrained gpt2").data_options == {"tokens": "gpt2"}
    assert spec("train gpt --data shakespeare --pretrained gpt2 --tokens bpe").data_options == {"tokens": "bpe"}
    assert spec("train gpt --data shakespeare").data_options == {}
    assert spec("train vgg --data fashion-mnist --pretrained vgg11").data_options == {}


def test_without_data_or_name_the_model_chooses() -> None:
    found = spec("train cnn")
    assert (found.name, found.data, found.model_options) == ("cnn-1", "digits", {})


@pytest.mark.parametrize(
    "text",
    [
        "train cnn --batch-size 64 --compile",
        "train cnn --batch_size=64 --compile true",
        "train --compile cnn --batch-size 64",
        "train --batch-size 64 --compile yes cnn",
        "train cnn --compile --batch-size '64'  # as usual",
        "train cnn --batch-size 6.4e1 --compile=true",
    ],
)
def test_many_ways_to_type_the_same(text: str) -> None:
    training = spec(text).training
    assert (training.batch_size, training.compile) == (64, True)


def test_no_means_false_and_wait_is_not_the_specs() -> None:
    assert spec("train cnn --no-compile").training.compile is False
    assert line.parse(["train", "cnn", "--wait"], {}).options == {"wait": True}
    assert line.parse(["train", "cnn", "--no-wait"], {}).options == {"wait": False}


def test_a_negative_number_is_a_value() -> None:
    with pytest.raises(InputError, match="above 0.*'-1'"):
        spec("train cnn --lr -1")


def test_a_cell_holds_options() -> None:
    body = "data: digits\nepochs: 2\nchannels: [8, 16]\nlr: 1e-3\nprecision: 32\ncompile: no\nbatch-size: 16\n"
    found = spec("train cnn --seed 1", body=body)
    assert found.model_options == {"channels": (8, 16), "lr": 0.001}
    assert (found.training.epochs, found.training.seed, found.training.precision) == (2, 1, "32")
    assert found.training.batch_size == 16


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("epochs: 3\nepochs: 4", "twice"),
        ("seed: 3", "in the line and in the cell"),
        ("- epochs", "no list of options"),
        ("epochs: [", "not YAML"),
        ("epoch: 3", "Did you mean --epochs"),
        ("epochs: three", "whole number"),
        ("2026-01-01: 3", "no option"),
    ],
)
def test_a_cell_that_is_wrong(body: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        spec("train cnn --seed 1", body=body)


def test_an_empty_cell_is_no_option() -> None:
    assert spec("train cnn", body="\n# nothing yet\n").model_options == {}


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trian cnn", "Did you mean train"),
        ("cnn --epochs 3", "Type: %bigmodel train cnn"),
        ("train", "train needs a model. Type: %bigmodel train cnn"),
        ("train cnm", "Did you mean cnn"),
        ("train cnn digits", "Type: --data digits"),
        ("train cnn --data digit", "Did you mean digits"),
        ("train cnn --epoch 3", "Did you mean --epochs"),
        ("train cnn --batchsize 3", "Did you mean --batch-size"),
        ("train cnn --learning-rate 3", "Did you mean --lr"),
        ("train cnn --zzzzz 3", "Type: %bigmodel train cnn --help"),
        ("train cnn -e 3", "no option"),
        ("train cnn --epochs", "--epochs needs a value. Type: --epochs 3"),
        ("train cnn --epochs 3 --epochs 4", "twice"),
        ("train cnn --epochs 3 --no-epochs", "no option"),
        ("train cnn --padding sme", "Type: --padding same"),
        ("train transformer --rotary maybe", "--rotary takes true or false, not 'maybe'"),
        ("train cnn --dropout 1", "at least 0 and below 1"),
        ("train cnn --optimizer Adamm", "Type: --optimizer adam"),
        ("train cnn --device gpu0", "no device 'gpu0'. Type: --device auto, cpu, cuda"),
        ("train cnn --name ../up", "cannot be a run's name"),
        ("train cnn --name 'x", "quote is not closed"),
        ("train cnn --from nothing", "no run 'nothing'"),
        ("train cnn --from nothing.ckpt", "no checkpoint"),
        ("train cnn --task classify", "Type: --task classification"),
        ("train gpt --data digits", "gpt takes text for language-modelling; digits is pictures \\[N, C, H, W\\]"),
        ("train gru --data movie-reviews --task language-modelling", "movie-reviews is text for classification"),
        ("train gru --data shakespeare --task tagging", "shakespeare is text for language-modelling"),
        ("runs all", "no place for 'all'"),
        ("runs --epochs 3", "no option"),
        ("attach nothing", "no run 'nothing'"),
        ("predict", "predict needs a run"),
        ("predict x", "predict needs a input|needs an input"),
        ("data digit", "Did you mean digits"),
        ("info", "info needs a model"),
    ],
)
def test_a_mistake_is_one_line_with_what_to_type(text: str, said: str, runs: Path) -> None:
    with pytest.raises(BigModelError, match=said) as error:
        line.do(line.split(text), {})
    assert "\n" not in str(error.value)
    assert not runs.exists(), "nothing may be written for a line that is wrong"


def test_typos_of_every_option_are_found(runs: Path) -> None:
    for name, (_, option) in request.options_for(*_cnn_on_digits()).items():
        if len(name) < 5:
            continue
        for typo in (option.flag[:-1], option.flag + "s", option.flag[:3] + option.flag[4:]):
            with pytest.raises(InputError, match="Did you mean|Type: %bigmodel train cnn --help"):
                spec(f"train cnn {typo} 3")


def _cnn_on_digits() -> tuple[names.Thing, names.Thing]:
    return names.find_model("cnn", {}), names.find_data("digits", {})


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="prices.csv"):
        spec(f"train mlp --data {tmp_path}/price.csv")


# -- the notebook's own


def test_a_class_of_the_notebook_trains_by_name() -> None:
    import torch

    class Net(torch.nn.Module):
        """Mine.

        Args:
            width: How wide, at least 1.
        """

        def __init__(self, width: int = 4, num_classes: int = 10) -> None:
            super().__init__()

    found, objects = both("train Net --data digits --width 8 --task classification", {"Net": Net})
    assert (found.model, found.model_options, found.task) == ("notebook:Net", {"width": 8}, "classification")
    assert objects == {"model": Net}
    with pytest.raises(UnknownName, match="Did you mean Net"):
        spec("train Ned --data digits", {"Net": Net})
    with pytest.raises(InputError, match="Net needs data"):
        spec("train Net", {"Net": Net})
    with pytest.raises(InputError, match="--width takes"):
        spec("train Net --data digits --width 0", {"Net": Net})
    with pytest.raises(InputError, match="no model: it is a int"):
        spec("train x --data digits", {"x": 3})


def test_a_required_option_must_be_given() -> None:
    import torch

    class Net(torch.nn.Module):
        def __init__(self, width: int, num_classes: int) -> None:
            super().__init__()

    with pytest.raises(InputError, match="Net needs width. Type: --width"):
        spec("train Net --data digits", {"Net": Net})
    assert spec("train Net --data digits --width 3", {"Net": Net}).model_options == {"width": 3}


def test_variables_of_the_notebook_are_data() -> None:
    import numpy as np

    X, y = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"), np.arange(60) % 3
    namespace = {"X": X, "y": y, "where": "digits"}
    found, objects = both("train mlp --data X,y", namespace)
    assert found.data == "notebook:X,y"
    assert objects["data"][0] is X and objects["data"][1] is y
    assert both("train mlp", namespace, "data: [X, y]")[0].data == "notebook:X,y"
    assert spec("train cnn --data where", namespace).data == "digits"
    with pytest.raises(UnknownName, match="no variable 'Y'. Did you mean y"):
        spec("train mlp --data X,Y", namespace)
    with pytest.raises(
        InputError, match=r"cnn takes pictures \[N, C, H, W\] .*; X,y is tables \[N, F\] of shape \(60, 4\)"
    ):
        spec("train cnn --data X,y", namespace)
    with pytest.raises(DataError, match="60"):
        spec("train mlp --data X,short", {**namespace, "short": y[:50]})
    with pytest.raises(DataError, match="(?i)nan|finite"):
        spec("train mlp --data Z,y", {**namespace, "Z": X * np.nan})
    by_value, objects = request.build_spec("mlp", (X, y), {"epochs": 2}, namespace)
    assert by_value.data == "notebook:X,y" and objects["data"][1] is y


def test_text_in_a_variable_is_data_and_a_path_in_a_variable_is_followed(tmp_path: Path) -> None:
    prose = "The quick brown fox jumps over the lazy dog. " * 200
    (tmp_path / "prose.txt").write_text(prose)
    found, objects = both("train gpt --data prose", {"prose": prose})
    assert found.data == "notebook:prose" and objects == {"data": prose}
    assert spec("train gpt --data place", {"place": str(tmp_path / "prose.txt")}).data == str(tmp_path / "prose.txt")
    assert spec("train gpt --data place", {"place": tmp_path / "prose.txt"}).data == str(tmp_path / "prose.txt")
    by_value, objects = request.build_spec("lstm", (["so good", "so bad"] * 40, [1, 0] * 40), {}, {})
    assert by_value.data == "notebook:data" and len(objects["data"][0]) == 80


def test_a_dataframe_needs_its_target_and_takes_options() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": range(60), "b": range(60), "price": [float(i) * 1.5 for i in range(60)]})
    found, objects = both("train linear --data frame --target price --val 0.2", {"frame": frame})
    assert found.data_options == {"target": "price", "val": 0.2} and objects["data"] is frame
    for text, said in (("", "which column"), ("--target prise", "Type: --target price|Did you mean price")):
        with pytest.raises(DataError, match=said):
            spec(f"train linear --data frame {text}", {"frame": frame})


def test_a_loader_of_torch_is_data() -> None:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.rand(20, 4), torch.arange(20) % 2))
    assert both("train mlp --data loader --val 0.2", {"loader": loader})[1]["data"] is loader
    with pytest.raises(InputError, match="no option --target"):
        spec("train mlp --data loader --target y", {"loader": loader})


def test_python_spells_its_errors_as_python() -> None:
    with pytest.raises(InputError, match="epochs takes a whole number of at least 1, not 'three'. Type: epochs=3"):
        request.build_spec("cnn", "digits", {"epochs": "three"}, {})
    with pytest.raises(InputError, match="no option epoch. Did you mean epochs"):
        request.build_spec("cnn", "digits", {"epoch": 3}, {})


# -- light


def test_parsing_imports_no_torch_and_takes_milliseconds() -> None:
    code = """if True:
        import sys, time
        from nbmodels import line, names, request
        def parse():
            asked = line.parse(line.split("train cnn --data digits --epochs 3 --lr 1e-3"), {})
            return request.build_spec("cnn", "digits", {"epochs": "3"}, {}, "flag")
        parse()
        began = time.perf_counter()
        for _ in range(20):
            parse()
        print((time.perf_counter() - began) / 20, "torch" in sys.modules, "pandas" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, torch, pandas = done.stdout.split()
    assert (torch, pandas) == ("False", "False")
    assert float(took) < 0.1


def test_a_hundred_words_are_parsed_quickly() -> None:
    began = time.perf_counter()
    for _ in range(100):
        line.parse(["train", "cnn", "--epochs", "3"], {})
    assert time.perf_counter() - began < 2.0
