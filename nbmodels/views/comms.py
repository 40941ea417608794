"""Widgets that a page still reaches after it was reloaded.

JupyterLab sends what its widgets say through a subshell of the kernel, and takes that down with the page. ipykernel
7.4 remembers for each widget the subshell of the message during which it last spoke, and leads to it whatever the page
says next: after a reload that is one which is gone, and the widget hears nothing more.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets


def hear(widget: widgets.Widget) -> None:
    """Have the kernel handle what this widget's page says, and its children's, where the page sent it.

    Does nothing under an ipykernel that does so by itself, and where there is no kernel.
    """
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = _as_sent
    for child in getattr(widget, "children", ()):
        hear(child)


def _as_sent(_: Any, subshell: str | None) -> str | None:
    return subshell
