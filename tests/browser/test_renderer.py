"""The output of a train cell, drawn from the server: it lives on whatever becomes of the page and of the kernel."""

from __future__ import annotations

import json
import re
import shutil

import nbformat
import pytest
from lab import Notebook, until
from playwright.sync_api import expect

LOAD = "%load_ext nbmodels"
TRAIN = "run = %bigmodel train cnn --data digits --epochs {epochs} --schedule constant --name {name}"
RUN = "application/vnd.nbmodels.run+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = "<img src=x onerror=window.hacked=1>"


def trained(notebook, name: str, *more: str, epochs: int = 3000):
    """A notebook whose second cell trains."""
    page = notebook(LOAD, TRAIN.format(name=name, epochs=epochs), *more)
    page.run(0)
    page.run(1)
    return page


def stored(page) -> str:
    """The state of the run that the file tells of."""
    return page.saved(1).get(RUN, {}).get("snapshot", {}).get("state", "")


def harmless(lab, page) -> None:
    """No error in the console, no dialog, nothing asked of another machine."""
    here = rf"(https?|ws)://127\.0\.0\.1:{lab.port}/|data:|blob:"
    assert not [url for url in page.requests if not re.match(here, url)]
    assert not page.errors
    expect(page.page.locator(".jp-Dialog")).to_have_count(0)


def test_reload_while_a_cell_blocks_the_kernel(lab, notebook, picture) -> None:
    page = trained(notebook, "render-1", "import time; time.sleep(120)")
    view = page.view(1)
    view.at_work()
    until(lambda: stored(page), "the document is saved when the train cell is done")
    page.start(2)
    until(lambda: page.prompt(2).inner_text().strip() == "[*]:", "the kernel is busy")

    page.reload(busy=True)
    view.at_work()
    picture(page.page, "reloaded")
    view.press("Pause")
    view.wait("paused")
    view.press("Stop")
    view.wait("stopped")
    until(lambda: stored(page) == "stopped", "the file tells the end, though the kernel could not")
    assert WIDGET not in page.saved(1)
    assert "stopped" in "".join(page.saved(1)["text/html"])
    harmless(lab, page)
    lab.rest("POST", f"api/kernels/{page.kernel()}/interrupt")


def test_restart_of_the_kernel(lab, notebook) -> None:
    page = trained(notebook, "render-2")
    view = page.view(1)
    view.at_work()
    lab.rest("POST", f"api/kernels/{page.kernel()}/restart")
    view.moves()
    view.press("Stop")
    view.wait("stopped")
    until(lambda: stored(page) == "stopped", "the file tells the end")


def test_restart_of_the_server(lab, notebook, picture) -> None:
    page = trained(notebook, "render-8")
    view = page.view(1)
    view.at_work()
    lab.stop()
    line = view.element.locator(".nbm-quiet")
    expect(line).to_contain_text("no word from the server")
    expect(view.element.get_by_role("button", name="Stop")).to_be_hidden()
    picture(page.page, "gone")
    lab.start()
    view.moves()
    expect(line).to_be_hidden()
    expect(view.element.get_by_role("button", name="Stop")).to_be_visible()


def test_second_tab(lab, notebook, picture) -> None:
    page = trained(notebook, "render-3")
    page.view(1).at_work()
    until(lambda: stored(page), "the document is saved")
    twin = page.twin()
    twin.view(1).at_work()
    page.view(1).moves()
    picture(twin.page, "twin")
    twin.view(1).press("Stop")
    for each in (page, twin):
        each.view(1).wait("stopped")
    until(lambda: stored(page) == "stopped", "one of them writes the end")
    written = page.file.stat().st_mtime
    page.page.wait_for_timeout(8_000)
    assert page.file.stat().st_mtime == written, "the other does not"
    for each in (page, twin):
        harmless(lab, each)


def test_the_end_is_saved_after_a_reload(lab, notebook, picture) -> None:
    page = trained(notebook, "render-4", epochs=40)
    page.view(1).at_work()
    until(lambda: stored(page), "the document is saved")
    page.reload()
    view = page.view(1)
    view.wait("finished")
    until(lambda: stored(page) == "finished", "the file tells the end")
    assert "widgets" not in json.loads(page.file.read_text("utf-8"))["metadata"]
    assert len(json.dumps(page.saved(1), ensure_ascii=False).encode()) <= 50_000
    page.reload()
    view.wait("finished")
    expect(view.element.locator(".nbm-quiet")).to_be_hidden()
    picture(page.page, "tomorrow")
    harmless(lab, page)


def test_run_deleted_under_the_view(lab, notebook, picture) -> None:
    page = trained(notebook, "render-5")
    view = page.view(1)
    view.at_work()
    view.press("Stop")
    view.wait("stopped")
    until(lambda: stored(page) == "stopped", "the file tells the end")
    shutil.rmtree(lab.runs / "render-5")
    line = view.element.locator(".nbm-quiet")
    expect(line).to_contain_text("not on this server any more")
    expect(view.element.get_by_role("button", name="Resume")).to_be_hidden()
    page.reload()
    expect(line).to_contain_text("what was saved with the notebook")
    expect(view.element.locator(".nbm-chart .u-over").first).to_be_visible()
    picture(page.page, "saved")
    harmless(lab, page)


def test_another_run_of_the_same_name(lab, notebook) -> None:
    page = trained(notebook, "render-6", "run.stop()", TRAIN.format(name="render-6", epochs=3000))
    page.view(1).at_work()
    page.run(2)
    until(lambda: stored(page) == "stopped", "the file tells the end")
    shutil.rmtree(lab.runs / "render-6")
    page.run(3)
    page.view(3).at_work()
    expect(page.view(1).element.locator(".nbm-quiet")).to_contain_text("not on this server")
    page.view(1).wait("stopped")


def test_untrusted_and_hostile_outputs(lab, notebook, picture) -> None:
    splits = {"train": [[1, 2, 3], [3, 2, 1]]}
    snapshot = {"name": HOSTILE, "title": HOSTILE, "state": "running", "step": 3, "steps": 9, "command": HOSTILE}
    snapshot |= {"figures": [[HOSTILE, HOSTILE]], "series": {HOSTILE: splits}, "error": {"what": HOSTILE}}
    snapshot |= {"samples": [{"epoch": 1, "step": 1, "src": "https://example.org/x.png"}]}
    whole = {"id": "0123456789ab/x", "name": "x", "started": 1.0, "snapshot": snapshot}
    page = notebook("1", "2", "3")
    page.page.goto("about:blank")
    page.requests.clear()
    written = nbformat.read(page.file, 4)
    half = {**whole, "snapshot": {"state": "running", "series": 3}}
    for cell, data in zip(written.cells, (whole, half, [7]), strict=True):
        cell.outputs = [nbformat.v4.new_output("display_data", {RUN: data, "text/plain": "as text"})]
    nbformat.write(written, page.file)

    page.open()
    view = page.view(0)
    view.wait("running")
    expect(view.element.locator(".nbm-quiet")).to_contain_text("not trusted")
    assert view.element.inner_text().count(HOSTILE) >= 4
    expect(view.element.get_by_role("button", name="Stop")).to_be_hidden()
    page.view(1).wait("running")
    expect(page.cell(2)).to_contain_text("no run that can be read")
    picture(page.page, "untrusted")
    assert page.page.evaluate("window.hacked") is None
    asked = [url for url in page.requests if "/nbmodels/runs/" in url]
    assert not asked
    harmless(lab, page)


def test_a_file_changed_on_disk_is_not_overwritten(lab, notebook) -> None:
    page = trained(notebook, "render-7")
    page.view(1).at_work()
    until(lambda: stored(page), "the document is saved")
    page.page.wait_for_timeout(1_500)  # clocks of file systems are coarse
    other = nbformat.read(page.file, 4)
    other.metadata["mine"] = True
    nbformat.write(other, page.file)
    page.view(1).press("Stop")
    page.view(1).wait("stopped")
    page.page.wait_for_timeout(8_000)
    assert "mine" in nbformat.read(page.file, 4).metadata
    harmless(lab, page)


@pytest.mark.parametrize("name", ["Untitled", "read-only"])
def test_saving_asks_nothing(lab, browser, name: str) -> None:
    context = browser.new_context(locale="en-GB")
    written: list[str] = []

    def locked(route) -> None:
        """A server on which nobody may write, as one that runs under another account."""
        if route.request.method == "PUT":
            written.append(route.request.url)
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "writable": False})

    try:
        page = context.new_page()
        if name == "read-only":
            page.route("**/api/contents/*.ipynb?*", locked)
        opened = Notebook(lab, page, name, [LOAD, TRAIN.format(name=f"quiet-{name.lower()}", epochs=2)])
        opened.run(0)
        opened.run(1)
        opened.view(1).wait("finished")
        if name == "Untitled":
            until(lambda: stored(opened) == "finished", "the file tells the end")
        page.wait_for_timeout(3_000)  # the renderer's own time to save in is two seconds
        assert not written
        harmless(lab, opened)
        opened.close()
    finally:
        context.close()
        lab.end_runs()
