"""The routes over HTTP: parse, call in a thread, write. Token, cookie and XSRF are Jupyter's own."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from nbmodels.errors import BigModelError, DataError, InputError
from nbmodels.runs.trust import Untrusted
from nbmodels.server import catalogue, change, metrics
from nbmodels.server.desk import Desk
from nbmodels.server.lookup import Refusal, find
from nbmodels.server.patience import NotAnswering
from nbmodels.views import report

BOARDS = "TensorBoard"  # they share a lock: one on a folder that does not answer holds the others, and nobody else
T = TypeVar("T")


class Handler(APIHandler):
    """What every route has: the desk, work in a thread, and errors as {"message", "hint"}."""

    auth_resource = "nbmodels"

    @property
    def desk(self) -> Desk:
        """What the handlers share."""
        desk: Desk = self.settings["nbmodels"]
        return desk

    async def aside(self, work: Callable[..., T], *arguments: Any, about: str | None = None) -> T:
        """Do work in a thread; an error of ours is an answer. `about` names the one folder that the work looks into."""
        try:
            return await self.desk.aside(work, *arguments, about=about)
        except NotAnswering as error:
            raise Refusal(503, error.what, error.hint) from None
        except (InputError, DataError) as error:
            raise Refusal(400, error.what, error.hint) from None
        except Untrusted as error:  # the page asks its reader, and says "trust" then
            raise Refusal(409, error.what, error.hint, trust=True) from None
        except BigModelError as error:  # the run cannot do it as it stands, or an optional part is missing
            raise Refusal(409, error.what, error.hint) from None
        except (FileNotFoundError, NotADirectoryError):
            raise Refusal(404, "It is gone", "It was renamed or deleted.") from None
        except OSError as error:
            raise Refusal(409, f"The disk refuses: {error.strerror or error}") from None

    async def write_json(self, work: Callable[..., Any], *arguments: Any, about: str | None = None) -> None:
        """Do work in a thread and write what it gives."""
        self.finish(await self.aside(lambda: json.dumps(work(*arguments), ensure_ascii=False), about=about))

    def body(self, **kinds: type | tuple[type, ...]) -> list[Any]:
        """These fields of the JSON object in the request; Refusal 400 where one is of another kind."""
        try:
            found = json.loads(self.request.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refusal(400, "The request takes a JSON object")
        for name, kind in kinds.items():
            if not isinstance(found.get(name), kind):
                raise Refusal(400, f"{name!r} is missing or of another kind")
        return [found.get(name) for name in kinds]

    def number(self, name: str, otherwise: int, most: int) -> int:
        """A whole number of the query, not above `most`; Refusal 400 for anything else."""
        text = self.get_query_argument(name, str(otherwise))
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise Refusal(400, f"{name} takes a whole number, not {text[:40]!r}", f"Try: {name}={otherwise}")
        return min(int(text), most)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """One line and what to do next."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if isinstance(error, Refusal):
            said = {"message": error.message, "hint": error.hint, **error.more}
            self.finish(json.dumps(said, ensure_ascii=False))
        else:
            known = getattr(error, "log_message", None) if status_code < 500 else None
            self.finish(json.dumps({"message": known or self._reason, "hint": ""}))


class Runs(Handler):
    """Every run of this user."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """The rows."""
        await self.write_json(lambda: {"runs": self.desk.book.rows()})


class OneRun(Handler):
    """One run: the whole of it, its name, its end."""

    @authenticated
    @authorized
    async def get(self, place: str, name: str) -> None:
        """The snapshot."""
        await self.write_json(lambda: _whole(self.desk, place, name), about=f"{place}/{name}")

    @authenticated
    @authorized
    async def patch(self, place: str, name: str) -> None:
        """Another name."""
        (new,) = self.body(name=str)

        await self.aside(lambda: change.rename(find(place, name), new), about=f"{place}/{name}")
        await self.write_json(self.desk.book.row, place, new)

    @authenticated
    @authorized
    async def delete(self, place: str, name: str) -> None:
        """Take it away."""
        await self.aside(lambda: change.delete(find(place, name)), about=f"{place}/{name}")
        self.set_status(204)
        self.finish()


class Metrics(Handler):
    """A run's readings."""

    @authenticated
    @authorized
    async def get(self, place: str, name: str) -> None:
        """The lines after a byte, thinned."""
        since = self.number("since", 0, 2**60)
        points = max(2, self.number("points", 2000, metrics.MOST))
        about = f"{place}/{name}"
        await self.write_json(lambda: metrics.metrics(find(place, name), since, points), about=about)


class Samples(Handler):
    """What a run's model made."""

    @authenticated
    @authorized
    async def get(self, place: str, name: str) -> None:
        """As in the snapshot."""
        about = f"{place}/{name}"
        await self.write_json(lambda: {"samples": self.desk.views.look(about)[1]}, about=about)


class Log(Handler):
    """What a run's worker printed."""

    @authenticated
    @authorized
    async def get(self, place: str, name: str) -> None:
        """The last lines."""
        lines = max(1, self.number("lines", 200, 10_000))
        await self.write_json(lambda: {"text": find(place, name).log(lines)}, about=f"{place}/{name}")


class Face(Handler):
    """A run as a page without script; with ?bundle=1 as the outputs that a notebook keeps: {MIME type: data}."""

    @property
    def content_security_policy(self) -> str:
        """Nothing runs, nothing is fetched."""
        own = "sandbox; img-src data:; style-src 'unsafe-inline'"
        return f"{super().content_security_policy}; {own}"

    @authenticated
    @authorized
    async def get(self, place: str, name: str) -> None:
        """The static face."""
        view = await self.aside(_whole, self.desk, place, name, about=f"{place}/{name}")
        if self.get_query_argument("bundle", ""):
            self.finish(json.dumps(report.bundle(view), ensure_ascii=False))
        else:
            self.finish(_page(view), set_content_type="text/html; charset=UTF-8")


def _page(view: dict[str, Any]) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(view["name"])}</title>'
        f'<body style="margin:16px">{report.html(view)}</body></html>'
    )


class Control(Handler):
    """What is asked of a run."""

    @authenticated
    @authorized
    async def post(self, place: str, name: str) -> None:
        """Stop, pause, resume, or another learning rate."""
        do, value, trust = self.body(do=str, value=object, trust=(bool, type(None)))
        await self.write_json(
            lambda: {"state": change.control(find(place, name), do, value, trust=bool(trust))}, about=f"{place}/{name}"
        )


class Models(Handler):
    """What can be trained."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """The catalogue."""
        await self.write_json(catalogue.catalogue)


class Line(Handler):
    """A form's line."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Checked as the kernel will check it."""
        model, data, options = self.body(model=str, data=(str, type(None)), options=dict)
        typed = {str(name): text if isinstance(text, str) else json.dumps(text) for name, text in options.items()}
        await self.write_json(lambda: {"line": catalogue.line(model, data, typed)})


class Quickstart(Handler):
    """The first notebook."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """As JSON."""
        await self.write_json(catalogue.quickstart)


class TensorBoard(Handler):
    """TensorBoard on demand."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Start it, or find the one that runs."""
        text = (str, type(None))
        run, place = self.body(id=text, place=text)
        await self.write_json(self.desk.boards.open, run, place, about=BOARDS)


class Ping(Handler):
    """Somebody looks at a TensorBoard."""

    _track_activity = False  # an open tab is nobody at work: an idle server may still be culled

    @authenticated
    @authorized
    async def post(self) -> None:
        """Keep it."""
        (key,) = self.body(key=str)
        await self.aside(self.desk.boards.ping, key, about=BOARDS)
        self.set_status(204)
        self.finish()


def _whole(desk: Desk, place: str, name: str) -> dict[str, Any]:
    view, samples = desk.views.look(f"{place}/{name}")
    return {**view, "samples": samples}
