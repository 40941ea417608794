"""A widget is heard after the page it was moved from has gone: a real kernel, spoken to as JupyterLab does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

PATIENCE = 60  # seconds
WIDGETS = {
    "a slider in a box": """
import ipywidgets
from nbmodels.views.comms import hear
widget = ipywidgets.IntSlider()
hear(ipywidgets.VBox([widget]))
""",
    "the form": """
get_ipython().run_line_magic("load_ext", "nbmodels")
widget = get_ipython().run_line_magic("bigmodel", "panel cnn --data digits")._fields["epochs"].widget
""",
    "the walk": """
import torch
from nbmodels.models.autoencoder import Autoencoder
from nbmodels.views.latent import Walk
widget = Walk(Autoencoder(), torch.rand(9, 1, 28, 28)).way
""",
}


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        if "kernel subshells" not in ask(client, "kernel_info_request", {}, "shell").get("supported_features", []):
            pytest.skip("this ipykernel has no subshells")
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def ask(client: BlockingKernelClient, what: str, content: dict[str, Any], channel: str) -> dict[str, Any]:
    """Send a request and give its reply's content."""
    message = client.session.msg(what, content)
    sender = getattr(client, f"{channel}_channel")
    sender.send(message)
    while (reply := sender.get_msg(timeout=PATIENCE))["parent_header"].get("msg_id") != message["header"]["msg_id"]:
        pass
    return reply["content"]


def value(client: BlockingKernelClient, expression: str) -> str:
    """What a cell says an expression is."""
    wanted = {"code": "", "user_expressions": {"it": expression}, "allow_stdin": False}
    return ask(client, "execute_request", wanted, "shell")["user_expressions"]["it"]["data"]["text/plain"]


def move(client: BlockingKernelClient, comm: str, to: int) -> None:
    """A new page, from which the widget is moved, and which then goes: a subshell's life."""
    subshell = ask(client, "create_subshell_request", {}, "control")["subshell_id"]
    update = {"comm_id": comm, "data": {"method": "update", "state": {"value": to}, "buffer_paths": []}}
    message = client.session.msg("comm_msg", update)
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    while True:  # idle is said once it has been handled, or refused: no such subshell
        said = client.iopub_channel.get_msg(timeout=PATIENCE)
        mine = said["parent_header"].get("msg_id") == message["header"]["msg_id"]
        if mine and said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
            break
    ask(client, "delete_subshell_request", {"subshell_id": subshell}, "control")


@pytest.mark.parametrize("code", WIDGETS.values(), ids=WIDGETS)
def test_a_widget_hears_a_second_page(kernel: BlockingKernelClient, code: str) -> None:
    done = ask(kernel, "execute_request", {"code": code, "allow_stdin": False}, "shell")
    assert done["status"] == "ok", done
    comm = value(kernel, "widget.comm.comm_id").strip("'")
    move(kernel, comm, 5)
    assert float(value(kernel, "widget.value")) == 5
    move(kernel, comm, 7)
    assert float(value(kernel, "widget.value")) == 7
