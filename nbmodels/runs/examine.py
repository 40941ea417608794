"""A trained model on data it has not seen: the held-out figures with their picture, and new inputs."""

from __future__ import annotations

import base64
import io
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor

from nbmodels.data.facts import Facts
from nbmodels.data.inputs import name, prepare
from nbmodels.errors import RunError
from nbmodels.runs import checkpoint
from nbmodels.runs.build import build_model, read_objects
from nbmodels.runs.fit import device, open_spec_data, quiet
from nbmodels.runs.folder import RunFolder

MISTAKES = 8


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
    model = build_model(spec, facts, objects)
    path = checkpoint.newest(folder)
    if path is None:
        raise RunError(f"{folder.name} has no checkpoint yet", f"Type: %bigmodel resume {folder.name}")
    model.load_state_dict(checkpoint.load(path)["state_dict"])
    accelerator, devices = device(spec.training.device)
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=devices,  # type: ignore[arg-type]
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )
    figures = trainer.test(model, datamodule=data, verbose=False)[0]
    if not figures:
        raise RunError(f"{spec.title} has no held-out data to test on", "Give the data a test split.")
    return {"checkpoint": path.name, "figures": figures, **look(model.cpu().eval(), data, facts)}


@torch.no_grad()
def look(model: L.LightningModule, data: L.LightningDataModule, facts: Facts) -> dict[str, Any]:
    """The picture people expect of the task, and texts."""
    batches = [batch for batch in data.test_dataloader() if isinstance(batch, (list, tuple)) and len(batch) == 2]
    task = getattr(model, "task", facts.task)
    samples = getattr(model, "samples", None)
    if batches and callable(samples) and (made := samples(batches[0])) is not None:
        return _made(made, facts)
    if batches and facts.task == task == "classification":
        x, y = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        chances = torch.cat([model.predict_step(part, 0).float() for part in x.split(256)])
        return classification(x, y, chances, facts)
    return {"picture": None, "texts": []}


def classification(x: Tensor, y: Tensor, chances: Tensor, facts: Facts) -> dict[str, Any]:
    """Confusion matrix and the mistakes the model was surest of.

    Args:
        x: Inputs [B, …]; y: class numbers [B]; chances: probabilities [B, K].
    """
    said = chances.argmax(-1)
    count = chances.shape[-1]
    matrix = torch.zeros(count, count, dtype=torch.long).index_put_((y, said), torch.ones_like(y), accumulate=True)
    wrong = (said != y).nonzero().flatten()
    worst = wrong[chances[wrong].amax(-1).argsort(descending=True)][:MISTAKES].tolist()
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
    return {"picture": _draw(matrix, names, pictures, captions), "confusion": matrix.tolist(), "texts": texts}


def predict(model: L.LightningModule, facts: Facts | None, inputs: Any, options: dict[str, Any]) -> Any:
    """The model's answer in the user's words: class names with chances, numbers, pictures, or written text."""
    if facts is None:
        raise RunError("The run says nothing of its data", "Train it again.")
    x = prepare(facts, inputs)
    with torch.no_grad():
        if facts.task == "language-modelling" and hasattr(model, "generate"):
            from nbmodels.data.text import tokenizer

            words = tokenizer(facts.tokens or {})
            written = model.generate(x, **{"length": 200, **options})
            texts = [words.decode(tokens) for tokens in written.tolist()]
            return texts[0] if isinstance(inputs, str) else texts
        out = model.predict_step(x, 0) if hasattr(model, "predict_step") else model(x)
    return name(facts, out) if getattr(model, "task", facts.task) == facts.task else out


def _made(made: Any, facts: Facts) -> dict[str, Any]:
    from nbmodels.runs.samples import strip, texts

    if isinstance(made, Tensor) and made.is_floating_point():
        import matplotlib.image

        buffer = io.BytesIO()
        matplotlib.image.imsave(buffer, strip(made), format="png")
        return {"picture": _uri(buffer.getvalue()), "texts": []}
    return {"picture": None, "texts": texts(made, facts)}


def _draw(matrix: Tensor, names: tuple[str, ...], pictures: list[Tensor], captions: list[str]) -> str:
    """The confusion matrix, and the worst mistakes beside it, as a PNG data URI."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8 if pictures else 4.2, 3.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 0.95)) if pictures else (figure, None)
    axes = left.subplots()
    share = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    few = len(names) <= 12
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    if few:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        for i, row in enumerate(matrix.tolist()):
            for j, value in enumerate(row):
                if value:
                    colour = "white" if share[i, j] > 0.5 else "#444"
                    axes.text(j, i, value, ha="center", va="center", fontsize=6, color=colour)
    if right is not None:
        right.suptitle("the mistakes it was surest of", fontsize=8)
        grid = right.subplots(2, MISTAKES // 2).flatten()
        for place in grid:
            place.axis("off")
        for place, picture, caption in zip(grid, pictures, captions, strict=False):
            picture = picture.float() - picture.min()
            shown = (picture / picture.max().clamp(min=1e-6)).permute(1, 2, 0).squeeze(-1)
            place.imshow(shown.numpy(), cmap="gray")
            place.set_title(caption.replace(", said ", "\n→ "), fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return _uri(buffer.getvalue())


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
