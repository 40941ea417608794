"""From a spec to what trains: the model sized by its data, its weights, its optimiser and schedule."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from nbmodels.data.facts import Facts, task_of
from nbmodels.data.weights import find_weights
from nbmodels.errors import InputError
from nbmodels.models import MODELS
from nbmodels.runs import checkpoint, trust
from nbmodels.runs.folder import RunFolder
from nbmodels.spec import NOTEBOOK, Spec, Training

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
WARM_UP = 0.05  # of all steps, for linear and cosine
RISE, START, END = 0.3, 1 / 25, 1 / 250_000  # of one-cycle: PyTorch's defaults


def read_objects(folder: RunFolder) -> dict[str, Any]:
    """The notebook's own things of a run; Untrusted where this user has neither made nor trusted them."""
    return trust.load(folder)


def build_model(spec: Spec, facts: Facts, objects: dict[str, Any], saved: Path | None = None) -> L.LightningModule:
    """The model with its options, the rest filled from the data; InputError when they cannot be together.

    `saved` is a checkpoint that will be loaded into it. What it was pretrained on is then not read (and may be gone):
    sizes that came from there are in the checkpoint's hyperparameters. Only a model that `keeps_pretrained` reads it
    again: its checkpoints hold what it learned beside those weights.
    """
    model = objects["model"] if spec.model.startswith(NOTEBOOK) else load_class(MODELS[spec.model])
    if inspect.isclass(model):
        names = parameters(model)
        fills = {name: value for name, value in facts.fills.items() if name in names}
        if "task" in fills:
            fills["task"] = task_of(fills["task"], getattr(model, "tasks", ()))
        task = {"task": spec.task} if spec.task and "task" in names else {}
        options = {**fills, **task, **spec.model_options}
        if spec.model in MODELS:
            kept = checkpoint.hyperparameters(saved) if saved and "pretrained" in names else {}
            options |= {name: value for name, value in kept.items() if name in names and name != "pretrained"}
            options = find_weights(options, saved is None or getattr(model, "keeps_pretrained", False))
        try:
            model = model(**{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})
        except ValueError as error:
            raise InputError(f"{spec.title}: {error}") from error
    if isinstance(model, L.LightningModule):
        return model
    from nbmodels.models.own import Own

    rate = {"lr": spec.training.lr} if spec.training.lr else {}
    return Own(model, spec.task or facts.task, **rate)


def rebuild(spec: Spec, facts: Facts, objects: dict[str, Any], path: Path) -> L.LightningModule:
    """The model of a checkpoint, with its weights."""
    model = build_model(spec, facts, objects, path)
    model.load_state_dict(checkpoint.load(path)["state_dict"])
    return model


def load_class(reference: str) -> Any:
    """The class a table's `module:Class` names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def parameters(cls: type) -> set[str]:
    """The names of a class's `__init__` parameters, those of its bases too where it passes `**kwargs` on."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in vars(base):
            if base is nn.Module or base is L.LightningModule:
                break
            signature = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
            names |= {p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
            if not any(p.kind is p.VAR_KEYWORD for p in signature):
                break
    return names - {"self"}


def arrange_optimizer(model: L.LightningModule, training: Training) -> None:
    """Let the user's optimiser, learning rate, decay and schedule win over the model's own."""
    asked = (training.optimizer, training.lr, training.weight_decay, training.schedule, training.clip)
    if all(value is None for value in asked) or not model.automatic_optimization:
        return
    own: Callable[[], Any] = model.configure_optimizers

    def configure() -> Any:
        made = own()
        if not isinstance(made, torch.optim.Optimizer):
            if training.optimizer or training.schedule:
                raise InputError("The model chooses its own schedule", "Leave out --optimizer and --schedule.")
            return made
        optimizer = _change_optimizer(made, training)
        if training.schedule in (None, "constant"):
            return optimizer
        steps = int(model.trainer.estimated_stepping_batches)
        scheduler = LambdaLR(optimizer, lambda step: SCHEDULES[training.schedule](step / max(steps, 1)))  # type: ignore[index]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    model.configure_optimizers = configure  # type: ignore[method-assign]


def _change_optimizer(made: torch.optim.Optimizer, training: Training) -> torch.optim.Optimizer:
    """The model's parameter groups under the optimiser, rate and decay that the user asked for."""
    if training.optimizer:
        keys = ("params", "lr", "weight_decay")
        groups = [{key: group[key] for key in keys if key in group} for group in made.param_groups]
        made = OPTIMIZERS[training.optimizer](groups, lr=made.defaults["lr"])
    decayed = [group for group in made.param_groups if group.get("weight_decay")] or made.param_groups
    for group in decayed if training.weight_decay is not None else ():
        group["weight_decay"] = training.weight_decay  # a group that the model leaves undecayed stays so
    for group in made.param_groups:
        group["lr"] = group["lr"] if training.lr is None else training.lr
    if training.clip is not None and training.precision != "32" and made.defaults.get("fused"):
        # Lightning clips no fused optimiser under mixed precision: the same one, step by step
        groups = [{key: value for key, value in group.items() if key != "fused"} for group in made.param_groups]
        made = type(made)(groups, **{**made.defaults, "fused": False})
    return made


def _linear(done: float) -> float:
    return done / WARM_UP if done < WARM_UP else max(0.0, (1 - done) / (1 - WARM_UP))


def _cosine(done: float) -> float:
    return (
        done / WARM_UP if done < WARM_UP else (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP)))) / 2
    )


def _one_cycle(done: float) -> float:
    """Smith and Topin, arXiv:1708.07120: up to the full rate, then down to almost nothing."""
    low, high, part = (START, 1.0, done / RISE) if done < RISE else (1.0, END, min(1.0, (done - RISE) / (1 - RISE)))
    return low + (high - low) * (1 - math.cos(math.pi * part)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"linear": _linear, "cosine": _cosine, "one-cycle": _one_cycle}
