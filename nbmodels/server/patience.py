"""Looks at folders that may never answer: each in a thread that is waited for so long and no longer.

A disk of a network that hangs cannot be interrupted, and neither can a thread that reads it. So such a thread is left
behind, its folder is out of the way until the thread comes back by itself, and only so many are ever left behind.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from nbmodels.errors import RunError

QUICK = 2.0  # seconds for a folder in a list of many
LONG = 10.0  # seconds for what was asked of a single run
MOST_HERE, MOST = 4, 32  # threads left behind: at one folder of runs, in all
T = TypeVar("T")


class NotAnswering(RunError):
    """A folder whose disk does not answer."""

    def __init__(self, key: str) -> None:
        name = key.rpartition("/")[2] or "This folder"
        super().__init__(f"{name} does not answer", "Its disk may be away; it comes back by itself when that does.")


class Patience:
    """The threads that look at folders, from any thread. A folder is known by a key, `PLACE/NAME` or `PLACE`."""

    def __init__(self) -> None:
        self._left: dict[Future[Any], str] = {}
        self._lock = threading.Lock()

    def silent(self, key: str) -> bool:
        """Whether a thread still waits for this folder, or too many for others of its place."""
        place = key.partition("/")[0]
        with self._lock:
            left = list(self._left.values())
        here = sum(each.partition("/")[0] == place for each in left)
        return key in left or place in left or here >= MOST_HERE or len(left) >= MOST

    def begin(self, key: str, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start a look in a thread of its own; NotAnswering where an earlier one still waits."""
        if self.silent(key):
            raise NotAnswering(key)
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # so that nobody can call it off

        def do() -> None:
            try:
                answer.set_result(work(*arguments))
            except BaseException as error:
                answer.set_exception(error)
            with self._lock:
                self._left.pop(answer, None)

        threading.Thread(target=do, name=f"nbmodels-look-{key}", daemon=True).start()
        return answer

    def leave(self, key: str, answer: Future[Any]) -> None:
        """Wait no longer: the folder is out of the way until its thread comes back."""
        with self._lock:
            if not answer.done():
                self._left[answer] = key

    def look(self, key: str, work: Callable[..., T], *arguments: Any, seconds: float = LONG) -> T:
        """Do work in a thread of its own and wait so long; NotAnswering after that."""
        answer = self.begin(key, work, *arguments)
        if not wait([answer], seconds).done:
            self.leave(key, answer)
            raise NotAnswering(key)
        return answer.result()

    async def look_aside(self, key: str, work: Callable[..., T], *arguments: Any, seconds: float = LONG) -> T:
        """The same, while the server does other things."""
        answer = self.begin(key, work, *arguments)
        waiting = asyncio.wrap_future(answer)
        await asyncio.wait([waiting], timeout=seconds)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        self.leave(key, answer)
        raise NotAnswering(key)
