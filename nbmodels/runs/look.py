"""What there is to look at beside the figures: the samples of an epoch, and the graph."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch

from nbmodels.data.facts import Facts
from nbmodels.data.first_tensor import first_tensor
from nbmodels.runs.checkpoint import Randomness
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.samples import write_samples


class Look:
    """Makes samples and the graph; whatever it draws of the generators is given back.

    Attributes:
        batch: The first batch of the validation.
        graph_done: Whether the graph was tried.
    """

    def __init__(self, folder: RunFolder, facts: Facts, randomness: Randomness) -> None:
        self.folder, self.facts, self.randomness = folder, facts, randomness
        self.batch: Any = None
        self.graph_done = self._failed = False

    def samples(self, trainer: L.Trainer, module: L.LightningModule, epoch: int, own: bool) -> None:
        """Write what the module shows of this epoch; a user's module that cannot is no worse for it."""
        make = getattr(module, "samples", None)
        if not callable(make) or self.batch is None or self._failed:
            return
        self.randomness.leave()
        try:
            with torch.no_grad():
                made = make(self.batch)
        except Exception as error:
            if not own:
                raise
            self._failed = True
            print(f"`samples` of {type(module).__name__} fails and is not asked again: {error}")
            return
        if made is not None:  # None: nothing to look at in this task
            write_samples(self.folder, made, trainer.global_step, epoch, self.facts, trainer.logger.experiment)  # type: ignore[union-attr]

    def graph(self, trainer: L.Trainer, module: L.LightningModule, own: bool) -> None:
        """The graph, once, where it can be traced; a user's module only where it gives an example for it."""
        if self.graph_done:
            return
        self.graph_done = True
        example = module.example_input_array
        if example is None and not own:
            x = first_tensor(self.batch)
            example = None if x is None else x[:1]
        if not isinstance(example, torch.Tensor):
            return
        self.randomness.leave()
        try:
            trainer.logger.experiment.add_graph(module, module._on_before_batch_transfer(example).to(module.device))  # type: ignore[union-attr]
        except Exception as error:
            print(f"The graph cannot be traced: {error}")
