"""The Jupyter server extension: the runs of this user over HTTP and one websocket a page, whatever a kernel does.

`routes` is the table of routes and what Jupyter loads; `handlers` parse, call and write; `desk` holds what they share:
the list of runs (`rows`), single runs (`views`), the machine (`devices`) and the TensorBoards (`boards`);
`catalogue` is what can be trained. `watch` tells a page what is new. Nothing here imports torch, and every look at a
folder happens in a thread: a slow disk must not stop the server.
"""

from __future__ import annotations


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "nbmodels.server.routes"}]
