"""From the launcher: the form and its line, the notebook that it writes, the quickstart, TensorBoard in a tab."""

from __future__ import annotations

import json

import psutil
import pytest
from lab import until
from playwright.sync_api import expect
from test_sidebar import LOAD, Side


def card(page, name: str) -> None:
    """Press a card of the launcher."""
    page.command("launcher:create")
    page.page.locator(".jp-LauncherCard").filter(has_text=name).click()


def test_train_from_the_launcher(lab, notebook, picture) -> None:
    page = notebook("1 + 1")
    side = Side(page.page)
    card(page, "Train a model")
    form = page.page.locator(".nbm-form")
    line = form.locator(".nbm-form-line")
    form.get_by_label("model", exact=True).select_option("mlp")
    expect(form.get_by_label("data", exact=True)).to_have_value("digits")
    expect(line).to_have_text("run = %bigmodel train mlp --data digits")
    form.get_by_label("lr").fill("fast")
    wrong = form.locator(".nbm-field", has=page.page.get_by_label("lr")).get_by_role("alert")
    expect(wrong).to_contain_text("--lr takes a number")
    expect(form.get_by_role("button", name="Run in a new notebook")).to_be_disabled()
    picture(page.page, "wrong")
    form.get_by_label("lr").fill("0.01")
    form.get_by_label("epochs").fill("2")
    form.get_by_text("More of the training").click()
    form.get_by_label("name", exact=True).fill("from-form")
    expect(line).to_contain_text("--epochs 2")
    expect(line).to_contain_text("--name from-form")
    expect(form.get_by_role("button", name=f"Run in {page.name}")).to_be_visible()
    picture(page.page, "form")
    form.get_by_role("button", name="Run in a new notebook").click()

    cells = page.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
    expect(cells.nth(0)).to_contain_text(LOAD)
    expect(cells.nth(1)).to_contain_text("run = %bigmodel train mlp --data digits")
    until(lambda: lab.status("from-form").get("state") == "finished", "the run ends")
    side.wait("from-form", "finished")
    for kernel in lab.rest("GET", "api/kernels"):
        lab.rest("DELETE", f"api/kernels/{kernel['id']}")


def test_run_in_the_notebook_at_hand(lab, notebook) -> None:
    page = notebook("1 + 1")
    card(page, "Train a model")
    form = page.page.locator(".nbm-form")
    form.get_by_label("model", exact=True).select_option("linear")
    form.get_by_label("epochs").fill("1")
    form.get_by_role("button", name=f"Run in {page.name}").click()
    expect(page.cell(1)).to_contain_text(LOAD)
    expect(page.cell(2)).to_contain_text("run = %bigmodel train linear --data digits --epochs 1")
    until(lambda: lab.status("linear-1").get("state") == "finished", "the run ends")
    expect(page.cell(2)).to_contain_text("linear-1")


def test_the_quickstart_is_put_beside_the_others_once(lab, notebook) -> None:
    page = notebook("1 + 1")
    file = lab.notebooks / "nbmodels-quickstart.ipynb"
    card(page, "nbmodels quickstart")
    until(file.is_file, "the quickstart is written")
    page.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(2).wait_for()
    cells = json.loads(file.read_text("utf-8"))["cells"]
    assert any("%load_ext nbmodels" in "".join(cell["source"]) for cell in cells)
    assert not any(cell.get("outputs") for cell in cells)
    page.command("nbmodels:quickstart")
    expect(page.page.locator(".jp-Dialog")).to_have_count(0)
    assert len(list(lab.notebooks.glob("nbmodels-quickstart*"))) == 1


def test_tensorboard_tab_shows_the_run(lab, notebook) -> None:
    pytest.importorskip("jupyter_server_proxy", reason="needs jupyter-server-proxy: pip install jupyter-server-proxy")
    page = notebook(LOAD, "run = %bigmodel train mlp --data digits --epochs 1 --name board-1 --wait")
    page.run(0)
    page.run(1)
    side = Side(page.page)
    side.menu("board-1", "TensorBoard of the run")
    frame = page.page.locator("iframe.nbm-board")
    inside = frame.content_frame.locator("body")
    expect(inside).to_contain_text("TensorBoard")
    expect(inside).to_contain_text("accuracy")

    # One that has died is not shown: it is started again when one comes back to the tab.
    old = frame.get_attribute("src") or ""
    psutil.Process(listener(old)).kill()
    page.page.get_by_role("tab", name=page.name).click()
    page.page.get_by_role("tab", name="TensorBoard: board-1").click()
    expect(frame).not_to_have_attribute("src", old)
    expect(inside).to_contain_text("accuracy")


def test_tensorboard_of_all_runs(lab, notebook) -> None:
    pytest.importorskip("jupyter_server_proxy", reason="needs jupyter-server-proxy: pip install jupyter-server-proxy")
    train = "%bigmodel train linear --epochs 1 --wait --name all-{}"
    page = notebook(LOAD, train.format(1), train.format(2))
    card(page, "TensorBoard")
    tab = page.page.locator(".nbm-board-tab")
    expect(tab).to_contain_text("There is no run here yet")  # said in the tab itself
    page.page.get_by_role("tab", name=page.name).click()
    for cell in range(3):
        page.run(cell)
    page.page.get_by_role("tab", name="TensorBoard: all runs").click()
    tab.get_by_role("button", name="Try again").click()
    inside = tab.locator("iframe").content_frame.locator("body")
    expect(inside).to_contain_text("all-1")
    expect(inside).to_contain_text("all-2")


def listener(address: str) -> int:
    """The process that listens on the port of a proxied address."""
    port = int(address.rstrip("/").rsplit("/", 1)[1])
    connections = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    return next(each.pid for each in connections if each.laddr.port == port and each.pid)
