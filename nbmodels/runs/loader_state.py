"""Where a data loader stands in the middle of an epoch, so that a run goes on with the very next batch.

A loader with `state_dict` and `load_state_dict` says so itself. Of any other the generators' states are kept as they
were when its order was drawn; its batches are then drawn again from there, and those seen already are passed over.
"""

from __future__ import annotations

import copy
from typing import Any

from torch.utils.data import DataLoader

from nbmodels.data.batches import Batches
from nbmodels.runs.checkpoint import generators, set_generators

TURNS = 1000  # times in an epoch that a shorter loader may begin anew and each of its orders be drawn again


class LoaderState:
    """Of the training's loaders, those of a `CombinedLoader` each by itself."""

    def __init__(self) -> None:
        self._iterator: dict[str, Any] = {}  # the generators before the epoch's iterator was made
        self._turns: dict[int, dict[str, Any]] = {}  # and before the fetches in which an order was drawn
        self._before: list[Any] | None = None  # the loaders' states, where those of now are another moment's
        self._last: dict[str, Any] = {}  # and the generators then
        self._loaded: dict[str, Any] = {}

    def epoch_begins(self, loop: Any) -> None:
        """The epoch's iterator is about to be made."""
        if not _exact(loop):
            self._iterator, self._turns, self._before, self._last = generators(), {}, None, {}

    def fetches(self, loop: Any, fetcher: Any, seen: int) -> None:
        """Batch number `seen` is about to be asked for."""
        if _exact(loop):
            return
        ahead = fetcher.length is None
        if ahead and _stateful(loop):
            self._before = copy.deepcopy(_states(loop))
        elif ahead or not seen or _turns(fetcher, seen):
            self._last = generators()
            if not seen or (not ahead and len(self._turns) < TURNS):
                self._turns[seen] = self._last

    def state_dict(self, loop: Any) -> dict[str, Any]:
        """What is needed to come back to here; nothing of Lightning's own entries where they are right."""
        if loop._combined_loader is None or _exact(loop):
            return {}
        states = _states(loop) if self._before is None else self._before
        if _stateful(loop):
            return {"combined_loader": states, "consumed": _consumed(loop)}
        again = {"iterator": self._iterator, "turns": self._turns, "last": self._last, "states": states}
        return {"combined_loader": [], "again": again}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep it until the loaders are there."""
        self._loaded = state

    def resume(self, loop: Any, fetcher: Any, seen: int, trained: bool) -> None:
        """Bring the loaders to where they stood.

        Args:
            loop: The fit loop.
            fetcher: Lightning's, which holds the iterator.
            seen: Batches of this epoch that were trained on.
            trained: Whether that was all of them.
        """
        kept, self._loaded = self._loaded, {}
        states, again = kept.get("combined_loader", []), kept.get("again", {})
        if trained or not seen:
            _between(loop, fetcher, states or again.get("states", []))
            self._before = states or again.get("states")  # a checkpoint before the next epoch says the same
            if not trained:
                self.epoch_begins(loop)
                iter(fetcher)
        elif _stateful(loop) and states:
            loop._combined_loader._load_state_dicts(states)
            iter(fetcher)
            if kept.get("consumed"):
                loop._combined_loader._iterator._consumed = list(kept["consumed"])
        elif again:
            self._fetch_again(loop, fetcher, again, seen)
        else:
            iter(fetcher)

    def _fetch_again(self, loop: Any, fetcher: Any, again: dict[str, Any], seen: int) -> None:
        count = "1 batch" if seen == 1 else f"{seen:,} batches"
        print(f"The data loader keeps no state: {count} of this epoch fetched again and passed over.", flush=True)
        self._iterator, self._turns, self._last = again["iterator"], again["turns"], again["last"]
        set_generators(self._iterator)
        iter(fetcher)
        for number in range(seen):
            drawn = self._turns.get(number)
            if fetcher.length is None and number == seen - 1:
                drawn = self._last  # in this call the batch after it is read ahead, which is trained on
            if drawn:
                set_generators(drawn)
            try:
                next(fetcher)
            except StopIteration:
                print(f"The data loader gives only {number:,} batches now.", flush=True)
                return
        self._go_on(loop, again["states"])

    def _go_on(self, loop: Any, states: list[Any]) -> None:
        """Those among the loaders that say where they stand go on from there."""
        loader = loop._combined_loader
        if states:
            loader._load_state_dicts(states)
            for number, each in enumerate(loader.flattened):
                if _says(each):
                    loader._iterator.iterators[number] = iter(each)

    def count(self, fetcher: Any, seen: int) -> None:
        """Set right how many batches were fetched: Lightning counts those seen on top of those fetched again."""
        if fetcher.length is not None:
            fetcher.fetched = seen
            fetcher.done = fetcher.fetched >= fetcher.length


def _between(loop: Any, fetcher: Any, states: list[Any]) -> None:
    """Bring those that say where they stand to where they stood between two epochs.

    torch's own begin anew in any case. A loader that an epoch left in the middle of its batches is brought there, for
    it would go on with the rest of them where it has just been told so.
    """
    saying = [each for each in loop._combined_loader.flattened if _says(each)]
    for loader, state in zip(saying, states, strict=False):
        if not isinstance(loader, DataLoader):
            loader.load_state_dict(state)
            if fetcher.length and hasattr(loader, "__len__") and fetcher.length % max(1, len(loader)):
                next(iter(loader), None)


def _turns(fetcher: Any, seen: int) -> bool:
    """Whether a shorter loader begins anew in this fetch, or may: it draws its order then."""
    loader = fetcher.combined_loader
    if len(loader.flattened) < 2 or loader._mode != "max_size_cycle":
        return False
    return any(not hasattr(each, "__len__") or seen % max(1, len(each)) == 0 for each in loader.flattened)


def _says(loader: Any) -> bool:
    return hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


def _stateful(loop: Any) -> bool:
    """Whether every loader keeps its state."""
    loader = loop._combined_loader
    return loader is not None and all(map(_says, loader.flattened))


def _exact(loop: Any) -> bool:
    """Whether every loader is one of ours: they draw from generators of their own and are never read ahead."""
    loader = loop._combined_loader
    return loader is not None and all(isinstance(each, Batches) for each in loader.flattened)


def _states(loop: Any) -> list[Any]:
    states: list[Any] = loop._combined_loader._state_dicts()
    return states


def _consumed(loop: Any) -> list[bool]:
    """Which loaders have come to their end once: the epoch is over when all have."""
    return list(getattr(loop._combined_loader._iterator, "_consumed", ()))
