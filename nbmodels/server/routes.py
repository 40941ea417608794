"""The table of routes, and how Jupyter loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join

from nbmodels.server import handlers, watch
from nbmodels.server.desk import Desk

RUN = r"runs/(?P<place>[0-9a-f]{12})/(?P<name>[^/]+)"

ROUTES: tuple[tuple[str, type], ...] = (
    (r"runs", handlers.Runs),
    (RUN, handlers.OneRun),
    (RUN + r"/metrics", handlers.Metrics),
    (RUN + r"/samples", handlers.Samples),
    (RUN + r"/log", handlers.Log),
    (RUN + r"/face", handlers.Face),
    (RUN + r"/control", handlers.Control),
    (r"models", handlers.Models),
    (r"line", handlers.Line),
    (r"quickstart", handlers.Quickstart),
    (r"tensorboard", handlers.TensorBoard),
    (r"tensorboard/ping", handlers.Ping),
    (r"watch", watch.Watch),
)


def _load_jupyter_server_extension(app: Any) -> None:
    """Add the routes under `BASE/nbmodels/`; Jupyter calls this when it starts."""
    web = app.web_app
    web.settings["nbmodels"] = Desk(Path(app.root_dir or ".").expanduser().absolute())
    base = url_path_join(web.settings["base_url"], "nbmodels")
    web.add_handlers(".*$", [(url_path_join(base, pattern), handler) for pattern, handler in ROUTES])
