"""What a run was asked to do: model, data, options. Frozen, checked, to and from YAML; imports no torch."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from nbmodels import values
from nbmodels.errors import InputError

NOTEBOOK = "notebook:"  # a reference to an object of the notebook, kept in the run's objects.pkl


@dataclass(frozen=True)
class Training:
    """How to train, whatever the model.

    Args:
        epochs: Passes over the training data, at least 1.
        batch_size: Samples a step, at least 1.
        lr: Learning rate, above 0; empty means the model's own.
        optimizer: The optimiser; empty means the model's own.
        schedule: How the learning rate moves over the run; empty means the model's own.
        weight_decay: Decay of the weights a step, at least 0; empty means the optimiser's own.
        clip: Largest norm of the gradient, above 0; empty means no limit.
        precision: Number format: 32-bit floats, or mixed with bfloat16 or float16; auto takes bf16 where it is native.
        device: Where to train: auto, cpu, cuda, cuda:1, mps.
        seed: Seed of every random choice, at least 0.
        limit: Train on so many samples only, at least 1; empty means all.
        freeze: Train the head alone; the body keeps the weights that it starts with.
        unfreeze_at: Freeze the body before this epoch only, at least 1; empty means that --freeze is to the end.
        compile: Compile the model with torch.compile first.
        save_steps: Steps between two checkpoints, at least 1.
        save_seconds: Seconds between two checkpoints, above 0; whichever comes first.
        skip_nan: Batches with a loss that is not finite to pass over, at least 0.
        threads: Threads on the processor, at least 1; empty means this run's share of the cores, whoever else works.
        deterministic: Deterministic algorithms only, and as many threads as at the first start: the same to the bit.
        jobs: Runs at once on this machine, at least 1; more wait their turn; empty means as many as it carries.
        retries: Times to go on by itself when the system has ended the run, at least 0.
    """

    epochs: int = 3
    batch_size: int = 32
    lr: float | None = None
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] | None = None
    schedule: Literal["constant", "linear", "cosine", "one-cycle"] | None = None
    weight_decay: float | None = None
    clip: float | None = None
    precision: Literal["32", "bf16", "16", "auto"] = "32"
    device: str = "auto"
    seed: int = 0
    limit: int | None = None
    freeze: bool = False
    unfreeze_at: int | None = None
    compile: bool = False
    save_steps: int = 1000
    save_seconds: float = 60.0
    skip_nan: int = 0
    threads: int | None = None
    deterministic: bool = False
    jobs: int | None = None
    retries: int = 0


def check_device(name: str) -> str:
    """The device's name, if one can be called so; whether it is there, the worker sees."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise InputError(f"There is no device {name!r}", "Type: --device auto, cpu, cuda, cuda:0 or mps")
    return name


@dataclass(frozen=True)
class Spec:
    """One run, whole: `Spec.from_yaml(spec.to_yaml()) == spec`.

    `model` and `data` are a name of their table, an absolute path (data), or `notebook:NAME` for an object
    that travels pickled beside the spec. `start` is the run or checkpoint whose weights are loaded first.
    """

    name: str
    model: str
    data: str
    model_options: dict[str, Any] = field(default_factory=dict)
    data_options: dict[str, Any] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    task: str | None = None
    start: str | None = None

    @property
    def title(self) -> str:
        """`cnn on fashion-mnist`, as people say it."""
        data = self.data.removeprefix(NOTEBOOK).rstrip("/").rpartition("/")[2]
        return f"{self.model.removeprefix(NOTEBOOK)} on {data}"

    def to_yaml(self) -> str:
        """The spec as YAML, its fields in their written order."""
        return yaml.safe_dump(_plain(dataclasses.asdict(self)), sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str) -> Spec:
        """Read what `to_yaml` wrote; InputError names a field that this version does not know."""
        try:
            if not values.plain(fields := values.read_yaml(text)):
                raise ValueError("it holds something else than numbers, texts and lists of them")
            training = Training(**_typed(Training, fields["training"]))
            return cls(**{**_typed(cls, {**fields, "training": training}), "training": training})
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise InputError(
                f"spec.yaml cannot be read: {str(error)[:200]}",
                "It is half written, or comes from a newer version: %pip install -U nbmodels",
            ) from None


def _typed(kind: type, fields: dict[str, Any]) -> dict[str, Any]:
    """Each field as its annotation names it, what a later version may have added as it is; ValueError names one."""
    hints, found = _hints(kind), {}
    for name, value in fields.items():
        hint = hints.get(name)
        try:
            as_it_is = hint is None or dataclasses.is_dataclass(hint) or (isinstance(value, str) and hint is str)
            found[name] = value if as_it_is else values.convert(value, hint)
        except ValueError:
            raise ValueError(f"{name} is no {values.name(hint)}: {str(value)[:60]!r}") from None
    return found


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down: YAML's safe form knows no tuple."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
