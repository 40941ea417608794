"""What a training logged since it was read last: sums on the device, so that no step waits for a reading."""

from __future__ import annotations

from typing import Any

import torch


class Window:
    """The mean of each metric over the samples of the steps since the last reading.

    A step's values are held until the step is done: only then is its size known, and only then do they count.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._step: list[tuple[str, Any]] = []
        self._sums: dict[tuple[str, int], list[Any]] = {}  # (name, samples a batch) -> [sum, count]

    def log(self, name: str, value: Any) -> None:
        """A value of the step in work."""
        self._step.append((name, value.detach() if isinstance(value, torch.Tensor) else value))

    def close_step(self, size: int) -> None:
        """The step in work, of so many samples, is done."""
        for name, value in self._step:
            if found := self._sums.get((name, size)):
                found[0] = found[0] + value
                found[1] += 1
            else:
                self._sums[name, size] = [value, 1]
        self._step.clear()
        self.samples += size

    def drop_step(self) -> list[str]:
        """The step in work is passed over; the names of what it had logged."""
        names = [name for name, _ in self._step]
        self._step.clear()
        return names

    def read(self) -> dict[str, float]:
        """The means, each step weighed by its samples; the next window begins."""
        totals: dict[str, tuple[float, float]] = {}
        for (name, size), (total, count) in self._sums.items():
            before, weight = totals.get(name, (0.0, 0.0))
            totals[name] = (before + float(total) * size, weight + count * size)
        self._sums.clear()
        self.samples = 0
        return {name: total / weight for name, (total, weight) in totals.items()}

    def state_dict(self) -> dict[str, Any]:
        """The open window, as a checkpoint holds it."""
        sums = [[name, size, _kept(total), count] for (name, size), (total, count) in self._sums.items()]
        return {"samples": self.samples, "sums": sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the window that was open."""
        self.samples = state["samples"]
        self._sums = {(name, size): [total, count] for name, size, total, count in state["sums"]}


def _kept(total: Any) -> Any:
    return total.detach().cpu().clone() if isinstance(total, torch.Tensor) else total
