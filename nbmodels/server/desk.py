"""What the handlers share: one of each a server, and the threads that look at the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from nbmodels.server.boards import Boards
from nbmodels.server.devices import Meter
from nbmodels.server.patience import Patience
from nbmodels.server.rows import Book
from nbmodels.server.views import Views

THREADS = 8  # looks at the disk at once
T = TypeVar("T")


class Desk:
    """The list of runs, single runs, the machine's meter and the TensorBoards of one server.

    Args:
        root: The folder that the server shows.
    """

    def __init__(self, root: Path) -> None:
        self.patience = Patience()
        self.book, self.views, self.meter, self.boards = Book(root, self.patience), Views(), Meter(), Boards()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="nbmodels")

    async def aside(self, work: Callable[..., T], *arguments: Any, about: str | None = None) -> T:
        """Do work in a thread: the server answers others meanwhile.

        What looks into one folder says so with `about`, and gets a thread of its own: one that may never come back.
        """
        if about is not None:
            return await self.patience.look_aside(about, work, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
