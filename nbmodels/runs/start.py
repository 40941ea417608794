"""`--from`: the weights of another run, each row under the name of what it is for.

Token 5 of one vocabulary is another word than token 5 of another, and so with classes and columns: copied by number,
an embedding's rows would be other words' and a head's other classes'. So the rows are carried by name. Which tensors
have such rows is found by building the model once more with one token, class or column more, without memory for it.
"""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from nbmodels.data import vocabulary
from nbmodels.data.facts import Facts
from nbmodels.errors import BigModelError, RunError
from nbmodels.models import MODELS
from nbmodels.runs import checkpoint
from nbmodels.runs.build import build_model, load_class, parameters
from nbmodels.runs.folder import CHECKPOINTS, RunFolder
from nbmodels.spec import NOTEBOOK, Spec

KINDS: dict[str, tuple[str, Callable[[Facts], vocabulary.Names | None]]] = {  # what, by the option that counts it
    "vocab_size": ("tokens", vocabulary.tokens),
    "num_classes": ("classes", vocabulary.classes),
    "in_features": ("columns", vocabulary.columns),
}
Axes = dict[str, dict[int, str]]  # by tensor: which of its dimensions counts what


class Move(NamedTuple):
    """Where rows stand there and here, side by side, and how many have names there and here."""

    old: list[int]
    new: list[int]
    olds: int
    news: int


def start_from(model: nn.Module, spec: Spec, facts: Facts, objects: dict[str, Any], runs: Path) -> None:
    """Copy the weights that `spec.start` (a run in `runs`, or a .ckpt file) has, wherever name and shape fit.

    Rows of tokens, classes and columns go by their names; those that are not known there stay fresh, and the log says
    how many.

    Raises:
        RunError: There is no checkpoint, or it is another model's.
    """
    start = str(spec.start)
    path = Path(start) if start.endswith(".ckpt") else checkpoint.newest(RunFolder(runs / start))
    if path is None:
        raise RunError(f"{start} has no checkpoint", f"Type: %bigmodel resume {start}")
    try:
        weights = checkpoint.load(path)["state_dict"]
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise RunError(f"{path} is no checkpoint: {error}") from None
    own, there, lines = model.state_dict(), facts_of(path), []
    moves = differences(there[0], facts, there[1] == (spec.task or facts.task)) if there else {}
    if not there:
        lines.append(f"Nothing beside {path.name} says which tokens and classes it knows: rows are taken by number")
    axes = find_axes(model, spec, facts, objects, moves)
    made = {name: carry(value, own[name], axes.get(name, {}), moves) for name, value in weights.items() if name in own}
    same = {name: value for name, value in made.items() if value is not None}
    if not same:
        raise RunError(f"{start} is another model: none of its weights fits", "Choose a run of the same model.")
    model.load_state_dict(same, strict=False)
    print(f"{len(same)} of {len(own)} tensors come from {start}")
    for line in lines + [sentence(kind, move) for kind, move in moves.items() if counts(axes, kind)]:
        print(line)


def facts_of(path: Path) -> tuple[Facts, str] | None:
    """What the run of a checkpoint knew of its data, and its task; None of a file that lies elsewhere."""
    folder = RunFolder(path.parent.parent)
    try:
        facts = folder.facts() if path.parent.name == CHECKPOINTS else None
        return None if facts is None else (facts, folder.spec().task or facts.task)
    except (BigModelError, ValueError, TypeError, KeyError, AttributeError, OSError):
        return None


def differences(old: Facts, new: Facts, same_task: bool) -> dict[str, Move | None]:
    """By option: how rows move, where the names differ; None where nobody can say, and no row is carried.

    The classes of another task are others, whatever their names.
    """
    found: dict[str, Move | None] = {}
    for option, (_, names) in KINDS.items():
        before, after = names(old), names(new)
        if option == "num_classes" and not same_task:
            found[option] = None
        elif before is None or after is None:
            if before is not after:
                found[option] = None
        elif list(before) != list(after):
            number = {name: place for place, name in enumerate(before)}
            shared = [(number[name], place) for place, name in enumerate(after) if name in number]
            found[option] = Move([a for a, _ in shared], [b for _, b in shared], len(before), len(after))
    return found


def find_axes(model: nn.Module, spec: Spec, facts: Facts, objects: dict[str, Any], options: Iterable[str]) -> Axes:
    """Which dimensions of the model's tensors count what, for these options."""
    axes: Axes = {}
    for option in options:
        size = spec.model_options.get(option, facts.fills.get(option))
        if not isinstance(size, int):
            continue
        found = _by_twins(spec, facts, objects, option, size)
        if found is None:
            found = _by_layers(model, option, size) if spec.model.startswith(NOTEBOOK) else {}
        for name, axis in found.items():
            axes.setdefault(name, {})[axis] = option
    return axes


def _by_twins(spec: Spec, facts: Facts, objects: dict[str, Any], option: str, size: int) -> dict[str, int] | None:
    """By tensor, the dimension that is longer in the same model with one more of that; None where there is no such.

    Published weights are left out: of them it is the sizes that are theirs, and the names of the tensors are the same.
    """
    cls = objects["model"] if spec.model.startswith(NOTEBOOK) else load_class(MODELS[spec.model])
    if not inspect.isclass(cls) or option not in parameters(cls):
        return None
    given = {name: value for name, value in spec.model_options.items() if name != "pretrained"}
    twins = [dataclasses.replace(spec, model_options={**given, option: size + more}) for more in (0, 1)]
    for place in ("meta", "cpu"):  # some models look at their own numbers while they are built
        try:
            with isolate_rng(), torch.device(place):
                small, large = (build_model(twin, facts, objects).state_dict() for twin in twins)
        except Exception:  # whatever a user's own class raises
            continue
        pairs = {name: zip(value.shape, large[name].shape, strict=True) for name, value in small.items()}
        longer = {name: [axis for axis, (a, b) in enumerate(pair) if a != b] for name, pair in pairs.items()}
        return {name: found[0] for name, found in longer.items() if found}
    return None


def _by_layers(model: nn.Module, option: str, size: int) -> dict[str, int]:
    """Of a network that has the number written into it: embeddings, the inputs of the first layer, the last layer."""
    layers = [(name, part) for name, part in model.named_modules() if any(True for _ in part.parameters(recurse=False))]
    found: dict[str, int] = {}
    if option == "in_features":
        found |= {f"{name}.weight": 1 for name, part in layers[:1] if getattr(part, "in_features", None) == size}
    if option == "vocab_size":
        found |= {f"{name}.weight": 0 for name, part in layers if getattr(part, "num_embeddings", None) == size}
    if option in ("vocab_size", "num_classes"):
        for name, part in layers[-1:]:
            weights = part.named_parameters(name, recurse=False)
            found |= {key: 0 for key, weight in weights if weight.dim() and len(weight) == size}
    return found


def carry(old: Tensor, fresh: Tensor, axes: dict[int, str], moves: dict[str, Move | None]) -> Tensor | None:
    """The tensor here with what it takes from there; None where it takes nothing."""
    if not axes:
        return old if old.shape == fresh.shape else None
    if old.dim() != fresh.dim():
        return None
    takes, puts = [], []
    for axis, (before, after) in enumerate(zip(old.shape, fresh.shape, strict=True)):
        move = moves[axes[axis]] if axis in axes else Move([], [], 0, 0)
        if move is None:
            return None
        spare = before - move.olds  # rows that no name has: of BERT's own gap
        if spare < 0 or after < move.news or (axis not in axes and before != after):
            return None
        rest = range(spare if spare == after - move.news else 0)
        takes.append(torch.tensor([*move.old, *(move.olds + row for row in rest)], dtype=torch.long))
        puts.append(torch.tensor([*move.new, *(move.news + row for row in rest)], dtype=torch.long))
    if not all(len(places) for places in puts):
        return None
    made = fresh.detach().cpu().clone()
    made[_grid(puts)] = old[_grid(takes)].to(made.dtype)
    return made


def _grid(places: list[Tensor]) -> tuple[Tensor, ...]:
    """Rows and columns as an index of their crossings."""
    return tuple(torch.meshgrid(*places, indexing="ij"))


def counts(axes: Axes, option: str) -> bool:
    """Whether the model has anything that counts it."""
    return any(option in each.values() for each in axes.values())


def sentence(option: str, move: Move | None) -> str:
    """What became of the rows: `Of 9,400 tokens 8,100 are known there: their rows go by name, the others are fresh`."""
    what = KINDS[option][0]
    if move is None:
        return f"The {what} there are not those here: what counts them is fresh"
    return f"Of {move.news:,} {what} {len(move.new):,} are known there: their rows go by name, the others are fresh"
