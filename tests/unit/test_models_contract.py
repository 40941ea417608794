"""What every model file promises: it stands alone, counts as written, learns, and tells the truth in its literals."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from nbmodels.errors import InputError
from nbmodels.models import MODELS
from nbmodels.options import read_source
from nbmodels.request import build_spec
from nbmodels.runs.freeze import Freeze, head, within

Batch = tuple[Tensor, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


TASKS = [(name, task) for name in MODELS for task in read_source(MODELS[name]).attributes["tasks"]]


def load(name: str) -> type[L.LightningModule]:
    module, _, cls = MODELS[name].partition(":")
    loaded: type[L.LightningModule] = getattr(importlib.import_module(module), cls)
    return loaded


def path(name: str) -> Path:
    file = importlib.import_module(MODELS[name].partition(":")[0]).__file__
    assert file
    return Path(file)


SIZES: dict[str, dict[str, Any]] = {
    "linear": {"in_features": 64},
    "mlp": {"in_features": 64},
    "cnn": {"image_size": 8},
    "vgg": {"image_size": 8, "width": 8, "dense": 32, "dropout": 0.0},
    "resnet": {"image_size": 8, "width": 8},
    "mobilenet": {"image_size": 8, "width": 0.25, "dropout": 0.0},
    "autoencoder": {"image_size": 8},
    "vae": {"image_size": 8},
    "rnn": {"vocab_size": 30, "num_classes": 3},
    "gru": {"vocab_size": 30, "num_classes": 3},
    "lstm": {"vocab_size": 30, "num_classes": 3},
    "seq2seq": {"vocab_size": 11, "target_length": 9, "width": 32, "dropout": 0.0, "label_smoothing": 0.0},
    "bert": {"vocab_size": 11, "sequence_length": 16},
    "gpt": {"vocab_size": 11, "sequence_length": 16},
    "transformer": {"vocab_size": 11, "target_length": 9, "width": 32, "dropout": 0.0, "label_smoothing": 0.0},
    "llm": {"vocab_size": 11, "sequence_length": 16, "lora": 0},
    "dalle": {"codes": 16, "channels": 16, "layers": 1, "width": 16},
}
# Nothing without published weights, so their file stands alone with a small model's; test_models_llm counts the large.
PUBLISHED = ("llm",)
WRITE = ("gpt", "llm")
PAIRS = ("seq2seq", "transformer")


@pytest.fixture(scope="session", autouse=True)
def published(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small model of chance, as transformers writes it, for those that take nothing else."""
    from transformers import GPT2Config, GPT2LMHeadModel

    place = tmp_path_factory.mktemp("published")
    sizes = {"vocab_size": 11, "n_positions": 64, "n_embd": 64, "n_layer": 2, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(place)
    for name in PUBLISHED:
        SIZES[name]["pretrained"] = str(place)
    return str(place)


RECURRENT = ("rnn", "gru", "lstm")


def batch_for(name: str, size: int = 8) -> Batch:
    if name in RECURRENT:
        return torch.randint(1, 30, (size, 12)), torch.randint(0, 3, (size,))
    if name in PAIRS:  # 2 begins and 3 ends a text
        start, end = torch.full((size, 1), 2), torch.full((size, 1), 3)
        texts = torch.randint(4, 11, (size, 7))
        return torch.cat([texts, end], 1), torch.cat([start, texts.flip(1), end], 1)
    if name in (*WRITE, "bert"):
        tokens = torch.randint(0, 11, (size, 17))
        return tokens[:, :-1], tokens[:, 1:]
    if name == "dalle":
        return torch.randint(1, 30, (size, 8)), torch.rand(size, 1, 8, 8).round()
    if name == "vae":  # black and white: even a perfect model pays for a grey pixel
        return torch.rand(size, 1, 8, 8).round(), torch.randint(0, 10, (size,))
    return torch.rand(size, 1, 8, 8), torch.randint(0, 10, (size,))


def model_for(name: str, task: str, **more: Any) -> L.LightningModule:
    """A small model for one of its tasks."""
    takes = {"task": task} if "task" in read_source(MODELS[name]) else {}
    mark = {"separator": 3} if task == "question-answering" else {}
    return load(name)(**{**SIZES[name], **takes, **mark, **more})


def task_batch(name: str, task: str, size: int = 8) -> Batch:
    """A batch of one of its tasks."""
    x, y = batch_for(name, size)
    if name in (*RECURRENT, "bert"):
        x = torch.randint(1, 11, (size, 12))
    if task == "regression":
        return x, torch.rand(size, 1)
    if task == "question-answering":
        return x.index_fill(1, torch.tensor([4]), 3), torch.randint(5, 12, (size, 2)).sort(dim=1).values
    if task == "tagging":
        return x, torch.randint(0, 2, x.shape)
    if task == "language-modelling" and name in RECURRENT:
        return x, x.roll(-1, 1)
    return (x, torch.randint(0, 2, (size,))) if task == "classification" and x.dtype == torch.long else (x, y)


def trained(model: L.LightningModule, batches: list[Batch], place: Path, **options: Any) -> L.Trainer:
    """An epoch of these batches, validated on the same."""
    data = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = L.Trainer(accelerator="cpu", default_root_dir=place, **{"max_epochs": 1, **quiet, **options})
    trainer.fit(model, data, data)
    return trainer


@pytest.mark.parametrize("name", [name for name in MODELS if name not in PUBLISHED])
def test_the_parameters_are_as_many_as_the_docstring_says(name: str) -> None:
    doc = ast.get_docstring(ast.parse(path(name).read_text()))
    written = re.search(r"([\d,]+) parameters at the defaults", doc or "")
    assert written
    assert sum(p.numel() for p in load(name)().parameters()) == int(written[1].replace(",", ""))


@pytest.mark.parametrize("name", MODELS)
def test_the_file_stands_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / f"copied_{name}.py"
    imports = re.compile(r"from nbmodels\.models\.(\w+) import")
    monkeypatch.syspath_prepend(tmp_path)
    left, copied = [(path(name), copy)], set()
    while left:  # what several share is copied with them, and what that shares
        file, to = left.pop()
        source = file.read_text()
        for shared in set(imports.findall(source)) - copied:
            copied.add(shared)
            left.append((file.parent / f"{shared}.py", tmp_path / f"{shared}.py"))
            monkeypatch.delitem(sys.modules, shared, raising=False)
        to.write_text(imports.sub(r"from \1 import", source))
        assert "nbmodels" not in to.read_text()
    spec = importlib.util.spec_from_file_location(copy.stem, copy)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = {"pretrained": SIZES[name]["pretrained"]} if name in PUBLISHED else {}
    model = getattr(module, load(name).__name__)(**given)
    outputs = model(model.example_input_array)
    assert torch.isfinite(outputs).all()


@pytest.mark.parametrize("name", MODELS)
def test_the_class_attributes_are_literals_and_the_docstring_has_every_option(name: str) -> None:
    cls = load(name)
    tree = ast.parse(path(name).read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    names = {}
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = ast.literal_eval(node.value)
    assert {"accepts", "tasks", "metric", "default_data", "recipe", "paper", "formula"} <= set(names)
    assert {"epochs", "batch_size", "schedule"} <= set(names["recipe"])
    init = next(node for node in body.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    options = [argument.arg for argument in init.args.args[1:]]
    documented = re.findall(r"^    (\w+): ", (ast.get_docstring(body) or "").partition("Args:\n")[2], re.MULTILINE)
    assert documented == options


@pytest.mark.parametrize("name", MODELS)
def test_one_batch_is_learned_by_heart(name: str) -> None:
    rates = {**dict.fromkeys((*WRITE, "transformer"), 3e-3), "bert": 1e-3}
    model = load(name)(**SIZES[name], lr=rates.get(name, 1e-2))
    if name in RECURRENT:
        model.eval()  # dropout would keep it from it; the gradient flows all the same
    optimizer: Any = model.configure_optimizers()
    batch = batch_for(name)
    losses = []
    for index in range(150 if name != "bert" else 300):  # other gaps every time
        loss: Any = model.training_step(batch, index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    bound = (
        0.1 if name in ("mlp", "cnn", "vgg", "resnet", "mobilenet", *WRITE, *PAIRS, *RECURRENT) else 0.5
    )  # a linear map and a narrow code have less room
    assert losses[-1] < bound * losses[0]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("autoencoder", "vae", "dalle")])
def test_the_first_guess_is_no_worse_than_chance(name: str) -> None:
    """An initialisation that is right starts near the uniform guess: the logarithm of the number of classes."""
    model = load(name)(**SIZES[name]).eval()
    classes = {**dict.fromkeys(RECURRENT, 3), **dict.fromkeys((*WRITE, *PAIRS, "bert"), 11)}.get(name, 10)
    logged: dict[str, Any] = {}
    model.log = lambda figure, value, **_: logged.update({figure: value})  # type: ignore[method-assign, assignment]
    model.training_step(batch_for(name, 64), 0)
    assert float(logged["train/loss"]) == pytest.approx(math.log(classes), rel=0.2)


@pytest.mark.parametrize("name", MODELS)
def test_a_trainer_fits_and_tests_it(name: str, tmp_path: Path) -> None:
    model = load(name)(**SIZES[name])
    batches = [batch_for(name) for _ in range(2)]
    trainer = trained(model, batches, tmp_path)
    assert {"train/loss", "val/loss", f"val/{model.metric}"} <= set(trainer.callback_metrics)
    trainer.test(model, DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert {"test/loss", f"test/{model.metric}"} <= set(trainer.callback_metrics)
    if name in WRITE:
        metrics = trainer.callback_metrics
        assert float(metrics["test/perplexity"]) == pytest.approx(math.exp(float(metrics["test/loss"])), rel=1e-5)


OBJECTIVES: list[dict[str, Any]] = [
    {},
    {"label_smoothing": 0.2},
    {"beta": 3.0},
]  # what is learned from may be more than what is logged


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize(("name", "task"), TASKS)
def test_training_and_validation_log_the_same_quantities(name: str, task: str, objective: dict[str, Any]) -> None:
    if any(option not in read_source(MODELS[name]) for option in objective):
        return
    model = model_for(name, task, **objective).eval()
    if name == "dalle" and objective:  # one whose transformer no longer finds all codes as likely
        torch.nn.init.normal_(model.head.weight)  # type: ignore[union-attr, arg-type]
    batch, logged = task_batch(name, task), {}
    model.log = lambda figure, value, **_: logged.update({figure: float(value)})  # type: ignore[method-assign, assignment]
    for step in (model.training_step, model.validation_step, model.test_step):
        torch.manual_seed(0)  # the same gaps of BERT, the same codes of a VAE
        step(batch, 0)  # type: ignore[operator]
    assert {"train/loss", "val/loss", "test/loss"} <= set(logged)
    for figure, value in logged.items():
        for stage in ("val", "test") if figure.startswith("train/") else ():
            assert logged[figure.replace("train", stage)] == pytest.approx(value, rel=1e-6), figure


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_losses_are_whole_floats_in_mixed_precision(name: str, task: str) -> None:
    """bfloat16 keeps three digits: a sum over many, a logarithm or an exponential in it is no figure to show."""
    model, batch = model_for(name, task).eval(), task_batch(name, task)
    logged: dict[str, Any] = {}
    model.log = lambda figure, value, **_: logged.update({figure: value})  # type: ignore[method-assign, assignment]
    with torch.autocast("cpu", torch.bfloat16):
        loss: Any = model.training_step(batch, 0)
        model.validation_step(batch, 0)
    assert loss.dtype == torch.float32
    assert {figure: value.dtype for figure, value in logged.items() if value.dtype != torch.float32} == {}


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn", "vgg", "resnet", "mobilenet", *RECURRENT])
def test_predictions_are_probabilities(name: str) -> None:
    model = load(name)(**SIZES[name]).eval()
    chances = model.predict_step(batch_for(name)[0])
    assert torch.allclose(chances.sum(dim=1), torch.ones(8)) and (chances >= 0).all()


# -- the head: what learns alone when the body is frozen


def layers_of(name: str, task: str) -> tuple[str, ...]:
    told = read_source(MODELS[name]).attributes["head_layers"]
    layers: tuple[str, ...] = told[task] if isinstance(told, dict) else told
    return layers


HEADED = [(name, task, {}) for name, task in TASKS if layers_of(name, task)]
HEADED.append(("bert", "classification", {"pooling": "first"}))


@pytest.mark.parametrize(("name", "task", "options"), HEADED)
def test_frozen_exactly_the_head_changes(
    name: str, task: str, options: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, batches = model_for(name, task, **options), [task_batch(name, task) for _ in range(3)]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parts = head(model)
    trained(model, batches, tmp_path, callbacks=[Freeze(None)])
    after = model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert all(within(key, parts) for key in changed), "of the body, its norms' running statistics too"
    weights = {key: weight for key, weight in model.named_parameters() if within(key, parts)}
    assert weights and set(weights) <= changed
    assert len(weights) < len(list(model.parameters())), "a head is less than all"
    said = f"{sum(w.numel() for w in weights.values()):,} of {sum(w.numel() for w in model.parameters()):,} parameters"
    assert said in capsys.readouterr().out
    assert all(weight.requires_grad for weight in model.parameters()), "afterwards the model is as it was"


@pytest.mark.parametrize(("name", "task", "options"), HEADED)
def test_let_go_the_body_changes_as_well(name: str, task: str, options: dict[str, Any], tmp_path: Path) -> None:
    model, batches = model_for(name, task, **options), [task_batch(name, task) for _ in range(3)]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parts = head(model)
    trained(model, batches, tmp_path, callbacks=[Freeze(1)], max_epochs=2)
    after = model.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before if not within(key, parts))


@pytest.mark.parametrize("asked", [{"freeze": True}, {"unfreeze_at": 1}, {"freeze": True, "unfreeze_at": 2}])
@pytest.mark.parametrize(("name", "task"), [pair for pair in TASKS if not layers_of(*pair)])
def test_without_a_head_one_line_refuses_before_anything_is_written(
    name: str, task: str, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"task": task} if "task" in read_source(MODELS[name]) else {}
    data = {"summarisation": "debian-descriptions"}.get(task)
    with pytest.raises(InputError, match=f"{name} has no head to train alone") as refused:
        build_spec(name, data, {**asked, **options}, {})
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no head"):  # of a checkpoint's or a notebook's own instance, too
        head(model_for(name, task))
