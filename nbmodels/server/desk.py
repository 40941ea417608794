"""What the handlers share: one of each a server, and the threads that look at the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from nbmodels.server.boards import Boards
from nbmodels.server.devices import Meter
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
        self.book, self.views, self.meter, self.boards = Book(root), Views(), Meter(), Boards()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="nbmodels")

    async def aside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do work in a thread: the server answers others meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
