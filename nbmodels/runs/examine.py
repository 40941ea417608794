"""A trained model on data it has not seen: the held-out figures with their picture, and new inputs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor

from nbmodels.data import imagenet
from nbmodels.data.facts import MASKED, WRITTEN, Facts
from nbmodels.data.inputs import name, prepare
from nbmodels.data.loaders import as_pair, is_pair, leaves
from nbmodels.errors import InputError, RunError, UnknownName
from nbmodels.models import MODELS
from nbmodels.runs import answers, checkpoint, drawings, gaps, tags, translations, writing
from nbmodels.runs.build import build_model, load_class, parameters, read_objects, rebuild
from nbmodels.runs.confusion import MOST, data_uri, draw
from nbmodels.runs.fit import device, open_spec_data, quiet
from nbmodels.runs.folder import RunFolder
from nbmodels.spec import Spec

LOOKS: dict[str, Callable[[Any, Any, Facts], dict[str, Any]]] = {  # the tasks that have a picture of their own
    "tagging": tags.look,
    "translation": translations.look,
    "summarisation": translations.look,
    "question-answering": answers.look,
}


def examine(folder: RunFolder) -> dict[str, Any]:
    """Test the newest checkpoint.

    Returns:
        checkpoint: its name; figures: {"test/loss": …}; picture: a PNG as a data URI or None (a confusion
        matrix with the worst mistakes, or reconstructions); texts: mistakes or written text.
    """
    quiet()
    spec, objects = folder.spec(), read_objects(folder)
    L.seed_everything(spec.training.seed, verbose=False)
    data = open_spec_data(spec, objects)
    facts: Facts = data.facts  # type: ignore[attr-defined]
    path = checkpoint.newest(folder)
    if path is None:
        raise RunError(f"{folder.name} has no checkpoint yet", f"Type: %bigmodel resume {folder.name}")
    model = rebuild(spec, facts, objects, path)
    accelerator, devices = device(spec.training.device)
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=devices,  # type: ignore[arg-type]
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )
    figures: dict[str, Any] = {}
    for each in trainer.test(model, datamodule=data, verbose=False):  # one of each test loader
        figures |= each
    if not figures:
        raise RunError(f"{spec.title} has no held-out data to test on", "Give the data a test split.")
    try:
        seen = look(model.cpu().eval(), data, facts)
    except Exception as error:
        if checkpoint.ours(model):
            raise
        print(f"There is no picture of {type(model).__name__}: {error}")  # a user's module need not do as ours do
        seen = {"picture": None, "texts": []}
    return {"checkpoint": path.name, **seen, "figures": {**figures, **seen.get("figures", {})}}


@torch.no_grad()
def look(model: L.LightningModule, data: L.LightningDataModule, facts: Facts) -> dict[str, Any]:
    """The picture people expect of the task, and texts; figures where they are of what the model says, such as BLEU."""
    batches = [pair for batch in _batches(data) if is_pair(pair := as_pair(batch))]
    task, samples = getattr(model, "task", facts.task), getattr(model, "samples", None)
    nothing: dict[str, Any] = {"picture": None, "texts": []}
    if not batches:
        return nothing
    if task == MASKED and callable(samples):
        return gaps.look(model, batches, facts)
    if task == facts.task == "text-to-image":
        return drawings.look(model, batches, data, facts)
    if task == facts.task and task in LOOKS:
        return LOOKS[task](model, batches, facts)
    if callable(samples) and (made := samples(batches[0])) is not None:
        return _made(made, facts)
    if task == facts.task == "classification":
        x, y = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        chances = torch.cat([model.predict_step(part, 0).float() for part in x.split(256)])
        return classification(x, y, chances, facts)
    return nothing


def _batches(data: L.LightningDataModule) -> Iterator[Any]:
    """The batches of the test loaders; of several the first one's."""
    loader = leaves(data.test_dataloader())
    yield from loader[0] if loader else ()


def classification(x: Tensor, y: Tensor, chances: Tensor, facts: Facts) -> dict[str, Any]:
    """Confusion matrix and the mistakes the model was surest of.

    Args:
        x: Inputs [B, …]; y: class numbers [B]; chances: probabilities [B, K].
    """
    said = chances.argmax(-1)
    count = chances.shape[-1]
    matrix = torch.zeros(count, count, dtype=torch.long).index_put_((y, said), torch.ones_like(y), accumulate=True)
    wrong = (said != y).nonzero().flatten()
    worst = wrong[chances[wrong].amax(-1).argsort(descending=True)][:MOST].tolist()
    names = facts.classes or tuple(str(number) for number in range(count))
    captions = [f"{names[int(y[i])]}, said {names[int(said[i])]}" for i in worst]
    texts = []
    if facts.kind == "text" and facts.tokens:
        from nbmodels.data.text import tokenizer

        words = tokenizer(facts.tokens)
        texts = [
            f"{words.decode([t for t in x[i].tolist() if t])}  ({c})" for i, c in zip(worst, captions, strict=True)
        ]
    pictures = [x[i] for i in worst] if facts.kind == "image" else []
    return {"picture": draw(matrix, names, pictures, captions), "confusion": matrix.tolist(), "texts": texts}


def predict(
    model: Any,
    facts: Facts | None,
    inputs: Any,
    options: dict[str, Any],
    tell: writing.Tell | None = None,
) -> Any:
    """The model's answer in the user's words: class names with chances, numbers, pictures, or written text.

    `tell` is told of a written text what there is of it so far.
    """
    if facts is None:
        raise RunError("The run says nothing of its data", "Train it again.")
    writing.check(model, options)
    if not isinstance(inputs, Tensor) and getattr(model, "task", None) == MASKED:
        return gaps.fill(model, facts, inputs)
    if not isinstance(inputs, Tensor) and facts.task == "question-answering":
        return answers.predict(model, facts, inputs)
    x = prepare(facts, inputs)
    with torch.no_grad():
        if facts.task == "language-modelling" and hasattr(model, "generate"):
            texts = writing.write(model, facts, x, options, tell)
            return texts[0] if isinstance(inputs, str) else texts
        if facts.task == "text-to-image" and hasattr(model, "generate"):
            made = name(facts, model.generate(x, **options))
            return made[0] if isinstance(inputs, str) else made
        if facts.task in WRITTEN and hasattr(model, "write"):
            out = model.write(x, **options)
        else:
            out = model.predict_step(x, 0) if hasattr(model, "predict_step") else model(x)
    made = name(facts, out, inputs) if getattr(model, "task", facts.task) == facts.task else out
    return made[0] if facts.task in WRITTEN and isinstance(inputs, str) else made


def recall(name: str, pretrained: str, inputs: Any) -> Any:
    """What pretrained weights say of new inputs, before any training of one's own.

    Args:
        name: A model of the table.
        pretrained: Its `--pretrained`: a file, or the name of published weights.
        inputs: As `predict` takes them.
    """
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    cls = load_class(MODELS[name])
    if "pretrained" not in parameters(cls) or "image" not in cls.accepts:
        raise InputError(f"{name} has no pretrained weights that could answer", f"Type: %bigmodel train {name}")
    known = imagenet.facts()
    model = build_model(Spec(name, name, known.name, {"pretrained": pretrained}), known, {}).eval()
    return predict(model, known, inputs, {})


def _made(made: Any, facts: Facts) -> dict[str, Any]:
    from nbmodels.runs.samples import pairs, strip, texts, write_png

    given, made = made if isinstance(made, tuple) else (None, made)
    captions = [] if given is None else texts(given, facts)
    if isinstance(made, Tensor) and made.is_floating_point():
        buffer = io.BytesIO()
        write_png(buffer, strip(made))
        return {"picture": data_uri(buffer.getvalue()), "texts": captions}
    return {"picture": None, "texts": pairs(captions, texts(made, facts))}
