"""The same view where the Lab has no extension of ours, as in Colab and VS Code: an anywidget, through the kernel."""

from __future__ import annotations

import re

import pytest
from lab import until
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def extension() -> bool:
    return False


def test_the_widget_obeys_before_and_after_a_reload(lab, notebook, picture) -> None:
    train = "run = %bigmodel train cnn --data digits --epochs 3000 --schedule constant --name widget-1"
    page = notebook("%load_ext nbmodels", train, "type(run.model).__name__, run.state")
    page.run(0)
    page.run(1)
    view = page.view(1)
    view.at_work()
    assert page.page.locator("#jp-left-stack .nbm-lab").count() == 0, "the Lab's extension is off"
    view.press("Pause")
    view.wait("paused")
    until(lambda: lab.status("widget-1")["state"] == "paused", "the worker pauses")
    view.press("Resume")
    view.wait("running")
    rate = view.element.get_by_label("learning rate")
    rate.fill("0.0005")
    rate.press("Enter")
    until(lambda: lab.status("widget-1").get("lr") == 0.0005, "the worker takes the new learning rate")
    picture(page.page, "running")

    page.save()
    page.reload()
    view.at_work()
    view.press("Stop")
    until(lambda: lab.status("widget-1")["state"] == "stopped", "the worker stops")
    expect(page.cell(1)).to_contain_text(re.compile("stopped"))
    assert page.run(2) == "('CNN', 'stopped')"
