"""TensorBoard through the Jupyter server of a user who lives under a prefix, bound to loopback."""

from __future__ import annotations

import re

import psutil
import pytest
from playwright.sync_api import expect

pytest.importorskip("jupyter_server_proxy", reason="needs jupyter-server-proxy: pip install jupyter-server-proxy")


@pytest.fixture(scope="module")
def base_url() -> str:
    return "/user/me/"


def test_tensorboard_under_a_prefix(lab, notebook) -> None:
    train = "run = %bigmodel train mlp --data digits --epochs 1 --wait"
    page = notebook("%load_ext nbmodels", train, "%bigmodel tensorboard")
    page.run(0)
    page.run(1)
    page.run(2)
    frame = page.cell(2).locator("iframe")
    path = re.fullmatch(r"/user/me/proxy/(\d+)/", frame.get_attribute("src") or "")
    assert path, frame.get_attribute("src")
    inside = frame.content_frame
    expect(inside.locator("body")).to_contain_text("TensorBoard")
    listening = {
        each.laddr.ip
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == int(path[1])
    }
    assert listening == {"127.0.0.1"}
    here = f"127.0.0.1:{lab.port}"
    assert not [url for url in page.requests if not re.match(rf"(https?|ws)://{here}/|data:|blob:", url)]
