"""TensorBoard's event files, written straight into the run's folder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger

from nbmodels.runs.disk import Disk
from nbmodels.runs.folder import RunFolder

POINTS = 1000  # of a curve: TensorBoard itself keeps no more
CSV_ROWS = 100  # rows after which Lightning's CSVLogger saves
FLUSH = 0.2  # seconds between two flushes


class Board(TensorBoardLogger):
    """Event files, and the ear for what a user's own module logs.

    Hyperparameters are written once, at the end, with the final metrics.

    Args:
        folder: The run's folder.
        options: What was asked, for TensorBoard's table.
        disk: Holds the training where there is no room.
    """

    def __init__(self, folder: RunFolder, options: dict[str, Any], disk: Disk | None = None) -> None:
        super().__init__(folder.path, name="", version="", default_hp_metric=False)
        self.options, self.disk = options, disk
        self.listen: Callable[[Mapping[str, Any], int], bool] | None = None
        self.closed: Callable[[], bool] = lambda: False
        self._flushed, self._rows = 0.0, 0

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:  # type: ignore[override]
        """What Lightning, or a user's module, gives its logger; after a stop's checkpoint nothing is taken any more."""
        if self.closed():
            return
        if self.listen is None:
            super().log_metrics(metrics, step)
            return
        step = self._rows if step is None else step  # as Lightning's CSVLogger counts what has none
        self._rows = 0 if (step + 1) % CSV_ROWS == 0 else self._rows + 1
        if self.listen(metrics, step) or shown(step):
            self._add(metrics, step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Left to `finish`: TensorBoard's table wants the figures with them."""

    def save(self) -> None:
        """Flush, five times a second at most; Lightning would also write the options, which spec.yaml holds."""
        self._rows = 0
        if time.monotonic() - self._flushed > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Everything that was given is in the files."""
        if self.disk:
            self.disk.room()
        self.experiment.flush()
        self._flushed = time.monotonic()

    def finish(self, metrics: dict[str, float]) -> None:
        """Write the row of TensorBoard's hyperparameter table."""
        from torch.utils.tensorboard.summary import hparams

        plain = {k: v if isinstance(v, (bool, int, float)) else str(v) for k, v in self.options.items()}
        known = {name: math.nan if value is None else value for name, value in metrics.items()}
        numbers = {name: value for name, value in known.items() if isinstance(value, (int, float))}
        for summary in hparams(plain, numbers):
            self.experiment._get_file_writer().add_summary(summary)
        self.flush()

    def _add(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """The numbers among the values; what else a module logs is in metrics.jsonl."""
        for name, value in metrics.items():
            value = value.item() if hasattr(value, "item") and getattr(value, "size", 1) != 0 else value
            if isinstance(value, (bool, int, float)):
                self.experiment.add_scalar(name, value, step)


def shown(step: int) -> bool:
    """Whether a step is one of the thousand or so that a curve is drawn from: every one, then every 2nd, 4th, …"""
    return step % (1 << (step // POINTS).bit_length()) == 0
