"""When a callback is called: some of ours wait until all of a step, or of an epoch, is done.

Lightning calls `on_train_batch_end` before the module's own hook and before the step's row is logged, and
`on_train_epoch_end` before the epoch's row. A checkpoint written then would know of neither, and a run that goes on
from it would leave them out. Callbacks with `late = True` get these two calls afterwards, from `runs.fit_loop`.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L


def is_late(callback: L.Callback) -> bool:
    """Whether its two hooks wait."""
    return bool(getattr(callback, "late", False))


def early(callbacks: list[L.Callback]) -> list[Any]:
    """The callbacks as Lightning is to see them during a step: those that wait do not hear of its end."""
    return [_Waits(callback) if is_late(callback) else callback for callback in callbacks]


class _Waits:
    """A late callback without the two hooks that wait."""

    def __init__(self, callback: L.Callback) -> None:
        self._callback = callback

    def __getattr__(self, name: str) -> Any:
        return getattr(self._callback, name)

    def on_train_batch_end(self, *_: Any) -> None:
        """Later."""

    def on_train_epoch_end(self, *_: Any) -> None:
        """Later."""
