"""The learning rate still to come: the model's schedulers run ahead on copies, which leaves the training alone."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import lightning.pytorch as L
import torch

POINTS = 40  # of the curve that is drawn
MOST = 20_000  # steps of a scheduler that are run ahead


def coming(trainer: L.Trainer, typed: float, peak: float) -> list[list[float]]:
    """[[step, rate], …] from now to the end, at most 40 points.

    Args:
        trainer: In training.
        typed: The rate that was typed.
        peak: The highest of the schedule's own rates since then.
    """
    total = trainer.estimated_stepping_batches
    step = trainer.global_step
    if not trainer.optimizers or total == float("inf") or total <= step:
        return []
    own = float(trainer.optimizers[0].param_groups[0]["lr"])
    try:
        rates = _ahead(trainer, int(total) - step)
    except Exception:  # a scheduler of the user's that cannot be copied, or asks for what only a training has
        rates = []
    rates = rates or [own] * (int(total) - step)
    points, wanted = [], {round(k * (len(rates) - 1) / (POINTS - 1)) for k in range(POINTS)}
    for number, rate in enumerate(rates):
        peak = max(peak, rate)
        if number in wanted:
            points.append([step + number, typed * (rate / peak) if peak > 0 else typed])
    return points


def _ahead(trainer: L.Trainer, steps: int) -> list[float]:
    """The schedule's own rate of each of the next steps, as far as it is quick to see; empty where nobody can tell."""
    real = trainer.optimizers[0]
    configs = [each for each in trainer.lr_scheduler_configs if each.scheduler.optimizer is real]
    if not trainer.lightning_module.automatic_optimization or any(each.reduce_on_plateau for each in configs):
        return []
    stand_in = _stand_in(real)
    keep = {id(each): each for each in (trainer, trainer.lightning_module)}
    copies = [(each, copy.deepcopy(each.scheduler, {**keep, id(real): stand_in})) for each in configs]
    if not copies:
        return []
    loop = trainer.fit_loop.epoch_loop
    batches: float = trainer.num_training_batches
    batch: float
    batch, epoch = loop.batch_progress.current.ready, trainer.current_epoch
    every = trainer.accumulate_grad_batches
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no optimiser has stepped
        for _ in range(min(steps, MOST)):
            rates.append(float(stand_in.param_groups[0]["lr"]))
            batch = min(batch + every, batches) if batches != float("inf") else batch + every
            ends = batch >= batches
            for config, scheduler in copies:
                due = batch if config.interval == "step" else epoch + 1
                if (config.interval == "step" or ends) and due % config.frequency == 0:
                    scheduler.step()
            batch, epoch = (0, epoch + 1) if ends else (batch, epoch)
    return rates


def _stand_in(real: torch.optim.Optimizer) -> Any:
    """An optimiser with the same groups and nothing in them."""
    made = torch.optim.SGD([torch.zeros(1)], lr=0.0)
    made.param_groups = [
        {**{key: copy.copy(value) for key, value in group.items() if key != "params"}, "params": [torch.zeros(1)]}
        for group in real.param_groups
    ]
    made.defaults = dict(real.defaults)
    return made
