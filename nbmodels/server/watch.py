"""The websocket: a page says what it wishes to see, and hears what has changed since it last heard of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from nbmodels.errors import BigModelError
from nbmodels.server.desk import Desk
from nbmodels.server.patience import NotAnswering
from nbmodels.server.rows import Row

SHORTEST, LONGEST = 0.2, 10.0  # seconds between two looks
MOST = 64  # runs watched by one page
VIEW = 3.0  # seconds for a look at one of them

Message = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a page wants to hear of."""

    runs: bool = False
    devices: bool = False
    views: tuple[str, ...] = ()
    period: float = 1.0

    @classmethod
    def read(cls, message: str | bytes) -> Wish:
        """The wish in a message; ValueError where there is none."""
        said = json.loads(message)
        if not isinstance(said, dict):
            raise ValueError("a wish is an object")
        views, period = said.get("views"), said.get("period", cls.period)
        period = float(period) if isinstance(period, (int, float)) else cls.period
        return cls(
            runs=bool(said.get("runs")),
            devices=bool(said.get("devices")),
            views=tuple(dict.fromkeys(each for each in views if isinstance(each, str)))[:MOST]
            if isinstance(views, list)
            else (),
            period=min(max(period, SHORTEST), LONGEST),
        )

    @property
    def things(self) -> set[str]:
        """Everything wished for, by name; a run's id has a slash in it."""
        return {name for name in ("runs", "devices") if getattr(self, name)} | set(self.views)


class Ear:
    """One page: what it last heard, and so what is news to it. One `news()` at a time, in any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rows: dict[str, Row] | None = None
        self._views: dict[str, tuple[Any, Any] | None] = {}  # None: it knows that the run is missing
        self._devices: dict[str, Any] = {}

    def news(self, wish: Wish, forgotten: set[str]) -> list[str]:
        """The messages for this page, as JSON; what it has forgotten meanwhile comes whole."""
        found: list[Message] = []
        self._rows = None if "runs" in forgotten else self._rows
        self._devices = {} if "devices" in forgotten else self._devices
        self._views = {run: seen for run, seen in self._views.items() if run not in forgotten}
        with contextlib.suppress(OSError):  # a disk that is away for a moment
            found += self._of_runs() if wish.runs else []
        for run in wish.views:
            found += self._of_view(run)
        with contextlib.suppress(OSError):
            found += self._of_devices() if wish.devices else []
        return [json.dumps(message, ensure_ascii=False) for message in found]

    def _of_runs(self) -> list[Message]:
        rows, known = {row["id"]: row for row in self._desk.book.rows()}, self._rows
        self._rows = rows
        if known is None:
            return [{"runs": list(rows.values()), "gone": [], "all": True}]
        changed = [row for run, row in rows.items() if row != known.get(run)]
        gone = [run for run in known if run not in rows]
        return [{"runs": changed, "gone": gone, "all": False}] if changed or gone else []

    def _of_view(self, run: str) -> list[Message]:
        try:
            view, samples = self._desk.patience.look(run, self._desk.views.look, run, seconds=VIEW)
        except NotAnswering:  # it may come back: what the page shows stays
            return []
        except (HTTPError, BigModelError, FileNotFoundError, NotADirectoryError):
            known = self._views.get(run, ())
            self._views[run] = None
            return [] if known is None else [{"id": run, "missing": True}]
        except OSError:
            return []
        old_view, old_samples = self._views.get(run) or (None, None)
        self._views[run] = view, samples
        message: Message = {"id": run}
        message |= {} if view is old_view or view == old_view else {"view": view}
        message |= {} if samples is old_samples or samples == old_samples else {"samples": samples}
        return [message] if len(message) > 1 else []

    def _of_devices(self) -> list[Message]:
        seen, known = self._desk.meter.read(self._desk.book.living()), self._devices
        self._devices = seen
        return [{"devices": seen}] if seen != known else []


class Watch(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """The route `watch`: one socket a page."""

    auth_resource = "nbmodels"

    def set_default_headers(self) -> None:
        """None: they make no sense for a websocket."""

    def get_compression_options(self) -> Any:
        """As the server is configured."""
        return self.settings.get("websocket_compression_options", None)

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket."""
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", self.auth_resource)
        if not (await allowed if asyncio.iscoroutine(allowed) else allowed):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Begin to look; nothing is sent before a wish."""
        super().open(*args, **kwargs)
        self._wish, self._changed = Wish(), asyncio.Event()
        self._forgotten: set[str] = set()  # wished for no more, even if only between two looks
        self._looking = asyncio.ensure_future(self._look())

    def on_message(self, message: str | bytes) -> None:
        """A page's wish; what is none is left out."""
        with contextlib.suppress(ValueError):
            wish = Wish.read(message)
            self._forgotten |= self._wish.things - wish.things
            self._wish = wish
            self._changed.set()

    def on_close(self) -> None:
        """Look no more."""
        self._looking.cancel()
        super().on_close()

    async def _look(self) -> None:
        desk: Desk = self.settings["nbmodels"]
        ear = Ear(desk)
        while True:
            self._changed.clear()
            try:
                forgotten, self._forgotten = self._forgotten, set()
                for message in await desk.aside(ear.news, self._wish, forgotten):
                    await self.write_message(message)
            except WebSocketClosedError:
                return
            except Exception:  # one look that goes wrong must not silence the page for good
                self.log.warning("A look at the runs went wrong", exc_info=True)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._wish.period)
