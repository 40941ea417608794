"""The live view in a real JupyterLab: it moves while the kernel is free, obeys its buttons, and survives F5."""

from __future__ import annotations

import re

from lab import until
from playwright.sync_api import expect

LOAD = "%load_ext nbmodels"
TIMED = """\
import time; began = time.time()
run = %bigmodel train cnn --data digits --epochs 3000 --schedule constant --name {}
took = time.time() - began"""


def test_cell_returns_at_once_and_buttons_work(lab, notebook, picture) -> None:
    page = notebook(LOAD, TIMED.format("live-1"), "1 + 1", "round(took, 2)")
    page.run(0)
    page.run(1)
    view = page.view(1)
    view.at_work()
    picture(page.page, "running")

    before = view.step
    assert page.run(2) == "2"
    view.moves()
    assert view.step > before
    assert float(page.run(3)) < 3, "`train` gives the cell back at once"

    view.press("Pause")
    view.wait("paused")
    until(lambda: lab.status("live-1")["state"] == "paused", "the worker pauses")
    stood = lab.status("live-1")["step"]
    expect(view.element.locator(".nbm-progress")).to_contain_text("paused")
    picture(page.page, "paused")
    view.press("Resume")
    view.wait("running")
    until(lambda: view.step > stood, "the view goes on after the pause")

    rate = view.element.get_by_label("learning rate")
    rate.fill("0.0005")
    rate.press("Enter")
    until(lambda: lab.status("live-1").get("lr") == 0.0005, "the worker takes the new learning rate")
    rate.blur()
    expect(rate).to_have_value("0.0005")


def test_a_wrong_learning_rate_is_refused_in_place(lab, notebook) -> None:
    page = notebook(LOAD, TIMED.format("live-2"))
    page.run(0)
    page.run(1)
    view = page.view(1)
    view.at_work()
    rate = view.element.get_by_label("learning rate")
    rate.fill("fast")
    rate.press("Enter")
    expect(view.element.locator(".nbm-note")).to_have_text("a number above 0")
    assert lab.status("live-2")["lr"] != "fast"
    view.moves()


def test_reload_in_the_middle_then_stop(lab, notebook, picture) -> None:
    page = notebook(LOAD, TIMED.format("live-3"), "type(run.model).__name__, run.state")
    page.run(0)
    page.run(1)
    page.view(1).at_work()
    page.save()

    page.reload()
    view = page.view(1)
    view.at_work()
    picture(page.page, "reloaded")
    view.press("Stop")
    until(lambda: lab.status("live-3")["state"] == "stopped", "the worker stops")
    expect(page.cell(1)).to_contain_text(re.compile("stopped"))
    assert page.run(2) == "('CNN', 'stopped')"
