"""Where a data loader stands in the middle of an epoch, so that a run goes on with the very next batch.

A loader with `state_dict` and `load_state_dict` says so itself. Of any other the generators' states are kept as they
were when the epoch began; its batches are then drawn again from there, and those seen already are passed over.
"""

from __future__ import annotations

import copy
from typing import Any

from torch.utils.data import DataLoader

from nbmodels.data.batches import Batches
from nbmodels.runs.checkpoint import generators, set_generators


class LoaderState:
    """Of the training's loaders, those of a `CombinedLoader` each by itself."""

    def __init__(self) -> None:
        self._begun: dict[str, Any] = {}  # as the epoch began: the generators, before the iterator and the first batch
        self._before: list[Any] | None = None  # loaders that are read ahead: their states before the batch in work
        self._loaded: dict[str, Any] = {}

    def epoch_begins(self, loop: Any) -> None:
        """The epoch's iterator is about to be made."""
        self._before = None
        if _exact(loop):
            return
        self._begun = {"iterator": generators(), "first": None, "loaders": copy.deepcopy(_states(loop))}

    def fetches(self, loop: Any, fetcher: Any, seen: int) -> None:
        """The next batch is about to be asked for."""
        if _exact(loop):
            return
        if not seen and self._begun:
            self._begun["first"] = generators()
        if fetcher.length is None and _stateful(loop):
            self._before = copy.deepcopy(_states(loop))

    def state_dict(self, loop: Any) -> dict[str, Any]:
        """What is needed to come back to here; nothing of Lightning's own entries where they are right."""
        if loop._combined_loader is None or _exact(loop):
            return {}
        if _stateful(loop):
            return {} if self._before is None else {"combined_loader": self._before}
        return {"combined_loader": [], "begun": self._begun}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep it until the loaders are there."""
        self._loaded = {"states": state.get("combined_loader", []), "begun": state.get("begun", {})}

    def resume(self, loop: Any, fetcher: Any, seen: int, trained: bool) -> None:
        """Bring the loaders to where they stood.

        Args:
            loop: The fit loop.
            fetcher: Lightning's, which holds the iterator.
            seen: Batches of this epoch that were trained on.
            trained: Whether that was all of them.
        """
        kept, self._loaded = self._loaded, {}
        states, begun = kept.get("states", []), kept.get("begun", {})
        if _stateful(loop) and states:
            if seen or not any(isinstance(each, DataLoader) for each in loop._combined_loader.flattened):
                loop._combined_loader._load_state_dicts(states)
            iter(fetcher)
        elif begun and seen and not trained:
            self._replay(loop, fetcher, begun, seen)
        else:
            self.epoch_begins(loop)
            iter(fetcher)

    def _replay(self, loop: Any, fetcher: Any, begun: dict[str, Any], seen: int) -> None:
        count = "1 batch" if seen == 1 else f"{seen:,} batches"
        print(f"The data loader keeps no state: {count} of this epoch fetched again and passed over.")
        self._begun = begun
        if begun["loaders"]:
            loop._combined_loader._load_state_dicts(copy.deepcopy(begun["loaders"]))
        set_generators(begun["iterator"])
        iter(fetcher)
        if begun["first"] is not None:
            set_generators(begun["first"])
        for number in range(seen):
            try:
                next(fetcher)
            except StopIteration:
                print(f"The data loader gives only {number:,} batches now.")
                return

    def count(self, fetcher: Any, seen: int) -> None:
        """Set right how many batches were fetched: Lightning counts those seen on top of those fetched again."""
        if fetcher.length is not None:
            fetcher.fetched = seen
            fetcher.done = fetcher.fetched >= fetcher.length


def _stateful(loop: Any) -> bool:
    """Whether every loader keeps its state."""
    loader = loop._combined_loader
    return loader is not None and all(hasattr(each, "state_dict") and hasattr(each, "load_state_dict")
                                      for each in loader.flattened)  # fmt: skip


def _exact(loop: Any) -> bool:
    """Whether every loader is one of ours: they draw from generators of their own and are never read ahead."""
    loader = loop._combined_loader
    return loader is not None and all(isinstance(each, Batches) for each in loader.flattened)


def _states(loop: Any) -> list[Any]:
    states: list[Any] = loop._combined_loader._state_dicts()
    return states
