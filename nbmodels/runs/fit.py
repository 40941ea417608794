"""The training itself: a spec's model and data in an ordinary Lightning Trainer."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch

from nbmodels.data.facts import Facts
from nbmodels.data.loaders import check_pairs
from nbmodels.data.open import open_data
from nbmodels.errors import InputError
from nbmodels.runs import checkpoint, rewind
from nbmodels.runs.build import arrange_optimizer, build_model, read_objects
from nbmodels.runs.checkpoint import AtomicIO, Randomness, Saver
from nbmodels.runs.control import Control
from nbmodels.runs.disk import Disk
from nbmodels.runs.finite import Finite
from nbmodels.runs.fit_loop import FitLoop
from nbmodels.runs.folder import FACTS, METRICS, RunFolder
from nbmodels.runs.freeze import Freeze
from nbmodels.runs.json_file import write_json
from nbmodels.runs.learning_rate import LearningRate
from nbmodels.runs.pulse import Pulse
from nbmodels.runs.record import Board, Recorder
from nbmodels.runs.start import start_from
from nbmodels.runs.threads import Threads
from nbmodels.spec import NOTEBOOK, Spec, Training, check_device

PRECISIONS = {"32": ("32-true", "32-bit"), "bf16": ("bf16-mixed", "bf16"), "16": ("16-mixed", "16-bit")}


def fit(folder: RunFolder, pulse: Pulse) -> str:
    """Train the run of a folder, from its newest checkpoint if it has one.

    Returns:
        The state at the end: "finished" or "stopped".
    """
    quiet()
    spec, objects = folder.spec(), read_objects(folder)
    L.seed_everything(spec.training.seed, workers=True, verbose=False)
    data = open_spec_data(spec, objects)
    write_json(folder.file(FACTS), data.facts.to_dict())  # type: ignore[attr-defined]
    pulse.tell(notes=list(data.facts.notes))  # type: ignore[attr-defined]
    resume = go_back(folder)
    if spec.model.startswith(NOTEBOOK):  # as a script would: the seed, then the model
        L.seed_everything(spec.training.seed, workers=True, verbose=False)
    model = build_model(spec, data.facts, objects, resume)  # type: ignore[attr-defined]
    checkpoint.check_hyperparameters(model)
    if checkpoint.ours(model):
        check_pairs(data.facts, not spec.model.startswith(NOTEBOOK))  # type: ignore[attr-defined]
    if spec.start and not resume:
        start_from(model, spec, data.facts, objects, folder.path.parent)  # type: ignore[attr-defined]
    training = settle(spec.training)
    arrange_optimizer(model, training)
    disk = Disk(pulse, folder.path)
    options = {**spec.model_options, **dataclasses.asdict(spec.training), "model": spec.model, "data": spec.data}
    board = Board(folder, options, disk)
    callbacks, control = make_callbacks(folder, pulse, data.facts, training, disk)  # type: ignore[attr-defined]
    board.closed = lambda: control.saver.closed
    trainer = make_trainer(folder, training, board, callbacks)
    if not checkpoint.ours(model):
        trainer.log_every_n_steps = 1  # type: ignore[attr-defined]
    subject = torch.compile(model) if training.compile else model
    trainer.fit(subject, datamodule=data, ckpt_path=resume, weights_only=True)  # type: ignore[arg-type]
    return "stopped" if control.stopped else "finished"


def go_back(folder: RunFolder) -> Path | None:
    """The checkpoint to go on from, with the folder as it was then; without one, the folder of a run that begins."""
    resume = checkpoint.newest(folder)
    for name in checkpoint.put_aside(folder, resume):
        print(f"{name} cannot be read: the run goes on from {resume.name if resume else 'its beginning'}.")
    for said in rewind.rewind(folder, recorded(resume) if resume else {}):
        print(f"{said}; the run goes on without.")
    return resume


def recorded(path: Path) -> dict[str, Any]:
    """Where the folder's files stood at a checkpoint; of an older version's only metrics.jsonl is known."""
    state = checkpoint.load(path)["callbacks"].get("Recorder", {})
    return state.get("marks") or {"lines": {METRICS: state.get("offset", 0)}}


def make_callbacks(
    folder: RunFolder, pulse: Pulse, facts: Facts, training: Training, disk: Disk
) -> tuple[list[L.Callback], Control]:
    """What records, guards, changes and ends a training, in the order in which they are called."""
    saver = Saver(folder, training.save_steps, training.save_seconds, disk)
    control, randomness = Control(pulse, saver), Randomness()
    recorder = Recorder(folder, pulse, facts, randomness, lambda: control.paused_seconds, disk)
    guard = Finite(training.skip_nan, recorder.window.drop_step)
    saver.checks.append(guard.check)
    callbacks: list[L.Callback] = [randomness, guard, recorder, LearningRate(folder, pulse, disk), control, saver]
    if training.freeze or training.unfreeze_at is not None:
        callbacks.append(Freeze(training.unfreeze_at))
    callbacks.append(Threads(pulse, disk, lambda trainer: device_words(trainer, training)))
    return callbacks, control


def open_spec_data(spec: Spec, objects: dict[str, Any]) -> L.LightningDataModule:
    """The spec's data, ready to train on."""
    training = spec.training
    return open_data(
        spec.data,
        spec.data_options,
        batch_size=training.batch_size,
        seed=training.seed,
        limit=training.limit,
        task=spec.task,
        obj=objects.get("data"),
    )


def make_trainer(folder: RunFolder, training: Training, board: Any, callbacks: list[L.Callback]) -> L.Trainer:
    """A Trainer on the asked device, with everything off that a folder does not need."""
    accelerator, devices = device(training.device)
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=devices,  # type: ignore[arg-type]
        precision=PRECISIONS[training.precision][0],  # type: ignore[arg-type]
        max_epochs=training.epochs,
        gradient_clip_val=training.clip,
        deterministic=training.deterministic or None,
        callbacks=callbacks,
        plugins=[AtomicIO()],
        logger=board,
        default_root_dir=folder.path,
        log_every_n_steps=10**9,  # the recorder reads; Lightning's own log of a step costs four times as much
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )
    trainer.fit_loop = FitLoop(trainer)
    return trainer


def device(name: str) -> tuple[str, list[int] | int]:
    """Lightning's accelerator and devices for `auto`, `cpu`, `cuda`, `cuda:1`, `mps`; InputError if it is not here."""
    kind, _, number = check_device(name).partition(":")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here[kind]:
        raise InputError(f"This machine has no {kind} device", "Type: --device auto")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise InputError(
            f"This machine has {torch.cuda.device_count()} GPU(s), {name} is none", "Type: --device cuda:0"
        )
    return ("gpu" if kind == "cuda" else kind), ([int(number)] if number else 1)


def settle(training: Training) -> Training:
    """The training with `--precision auto` decided: bf16 where the device multiplies bf16 by itself, else 32.

    An emulated bf16 is slower than 32-bit floats. An older torch, which cannot tell what the processor does, and
    Apple's devices stay with 32.
    """
    if training.precision != "auto":
        return training
    kind, _ = device(training.device)
    if kind == "gpu":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if kind == "cpu" else {}
        native = bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    return dataclasses.replace(training, precision="bf16" if native else "32")


def device_words(trainer: L.Trainer, training: Training) -> str:
    """`cpu, 2 threads, bf16`, as the foot of the view says it."""
    root = trainer.strategy.root_device
    name = torch.cuda.get_device_name(root) if root.type == "cuda" else root.type
    count = torch.get_num_threads()
    threads = f", {count} thread{'s' * (count > 1)}" if root.type == "cpu" else ""
    return f"{name}{threads}, {PRECISIONS[training.precision][1]}"


def quiet() -> None:
    """Only what matters goes to the log: no tips, no advice on loaders that we chose on purpose."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*GPU available but not used.*",
        ".*isinstance.*LeafSpec.*",
        ".*smaller than the logging interval.*",
        ".*your dataloader is not resumable.*",  # runs/loader_state.py brings it to where it stood
        ".*in eval mode at the start of training.*",  # what is frozen on purpose
    ):
        warnings.filterwarnings("ignore", message)
    with contextlib.suppress(RuntimeError):  # a user's DataLoader with workers forks here as it would in a script
        torch.multiprocessing.set_start_method("fork")
