"""The sidebar of runs: what it shows, what can be done from it while the kernel is busy, and that it asks first."""

from __future__ import annotations

import json
import math
import re
import socket
import time
from pathlib import Path
from typing import Any

from lab import until
from playwright.sync_api import Locator, Page, expect

LOAD = "%load_ext nbmodels"
TRAIN = "run = %bigmodel train cnn --data digits --epochs 3000 --schedule constant --name {}"
EVIL = "<img src=x onerror=alert(1)>"


class Side:
    """The sidebar, as it stands in the page."""

    def __init__(self, page: Page) -> None:
        self.page, self.element = page, page.locator(".nbm-sidebar")
        page.evaluate("jupyterapp.commands.execute('nbmodels:show-runs')")
        self.element.wait_for()

    def row(self, name: str) -> Locator:
        """The row of a run."""
        named = self.page.locator(".nbm-row-name").get_by_text(name, exact=True)
        return self.element.locator(".nbm-row").filter(has=named)

    def wait(self, name: str, state: str) -> None:
        """Wait until the row shows the state."""
        expect(self.row(name)).to_have_attribute("data-state", state)

    def menu(self, name: str, entry: str) -> None:
        """Choose an entry of the row's menu."""
        self.row(name).click(button="right")
        self.page.locator(".nbm-menu").get_by_text(entry, exact=True).click()


def write(runs: Path, name: str, **changes: Any) -> Path:
    """A finished run, its folder written by hand; `changes` are data, metric, options, ago, status."""
    data, metric = changes.get("data", "digits"), changes.get("metric", "accuracy")
    folder = runs / name
    folder.mkdir(parents=True)
    training = {"epochs": 2, **changes.get("options", {})}
    spec = {"name": name, "model": "mlp", "data": data, "model_options": {}, "training": training}
    folder.joinpath("spec.yaml").write_text(json.dumps(spec))
    now = time.time() - changes.get("ago", 60)
    status = {"name": name, "model": "mlp", "data": data, "state": "finished", "started": now, "heartbeat": now}
    status |= {"host": socket.gethostname(), "epoch": 2, "epochs": 2, "step": 80, "steps": 80, "seconds": 9.0}
    status |= changes.get("status", {})
    folder.joinpath("status.json").write_text(json.dumps(status))
    readings = [
        {"step": step, "train/loss": 2 * math.exp(-step / 30), f"val/{metric}": 1 - math.exp(-step / 30)}
        for step in range(10, 90, 10)
    ]
    folder.joinpath("metrics.jsonl").write_text("".join(json.dumps(reading) + "\n" for reading in readings))
    return folder


def test_stop_from_the_sidebar_while_a_cell_blocks_the_kernel(lab, notebook, picture) -> None:
    page = notebook(LOAD, TRAIN.format("side-1"), "import time; time.sleep(300)")
    side = Side(page.page)
    page.run(0)
    page.run(1)
    side.wait("side-1", "running")
    expect(side.row("side-1")).to_contain_text("cnn · digits")
    side.row("side-1").locator(".nbm-spark polyline").first.wait_for(state="attached")
    seen = side.row("side-1").inner_text()
    until(lambda: side.row("side-1").inner_text() != seen, "the row moves")
    page.start(2)
    until(lambda: page.prompt(2).inner_text().strip() == "[*]:", "the cell blocks the kernel")
    expect(side.element.locator(".nbm-device-foot")).to_contain_text("side-1")
    picture(page.page, "running")

    side.menu("side-1", "Pause the run")
    side.wait("side-1", "paused")
    side.menu("side-1", "Resume the run")
    side.wait("side-1", "running")
    side.menu("side-1", "Stop the run")
    side.wait("side-1", "stopped")
    until(lambda: lab.status("side-1")["state"] == "stopped", "the worker stops")
    assert page.prompt(2).inner_text().strip() == "[*]:"
    expect(side.element.locator("[aria-live]")).to_contain_text("side-1: stopped")
    assert not page.errors


def test_open_rename_and_delete_with_the_keyboard(lab, notebook) -> None:
    write(lab.runs, "keys-1", ago=10)
    write(lab.runs, "keys-2", ago=20)
    page = notebook("1 + 1")
    side = Side(page.page)
    keyboard = page.page.keyboard
    side.element.get_by_label("Filter the runs").fill("keys")
    expect(side.element.locator(".nbm-row")).to_have_count(2)
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(side.row("keys-1")).to_have_attribute("aria-selected", "true")
    keyboard.press("ArrowDown")
    expect(side.row("keys-2")).to_have_attribute("aria-selected", "true")
    keyboard.press("Enter")
    expect(page.page.locator(".nbm-tab .nbm-name")).to_have_text("keys-2")
    expect(page.page.locator(".nbm-tab .nbm")).to_have_attribute("data-state", "finished")

    side.row("keys-2").click()
    keyboard.press("F2")
    dialog = page.page.locator(".jp-Dialog")
    dialog.get_by_role("textbox").fill("../out")
    dialog.get_by_role("button", name="Rename").click()
    expect(dialog).to_contain_text("cannot be a run's name")  # the server's own words
    dialog.get_by_role("button").last.click()
    side.row("keys-2").click()
    keyboard.press("F2")
    dialog.get_by_role("textbox").fill("keys-new")
    dialog.get_by_role("button", name="Rename").click()
    expect(side.row("keys-new")).to_have_attribute("aria-selected", "true")
    expect(side.row("keys-2")).to_have_count(0)
    assert lab.runs.joinpath("keys-new", "spec.yaml").is_file()

    side.row("keys-new").click()
    keyboard.press("Delete")
    dialog.get_by_role("button", name="Cancel").click()
    assert lab.runs.joinpath("keys-new").is_dir()
    expect(side.row("keys-new")).to_be_visible()
    side.menu("keys-new", "Delete the run…")
    dialog.get_by_role("button", name="Delete").click()
    expect(side.row("keys-new")).to_have_count(0)
    until(lambda: not lab.runs.joinpath("keys-new").exists(), "the folder is gone")


def test_compare_two_runs(lab, notebook, picture) -> None:
    write(lab.runs, "left", options={"lr": 0.01})
    write(lab.runs, "right", options={"lr": 0.1})
    page = notebook("1 + 1")
    side = Side(page.page)
    side.row("left").click()
    side.row("right").click(modifiers=["ControlOrMeta"])
    side.element.get_by_role("button", name="Compare", exact=True).click()
    compared = page.page.locator(".nbm-compare")
    expect(compared.locator(".nbm-compare-legend li")).to_have_count(2)
    expect(compared.locator(".nbm-chart .u-over")).to_have_count(2)
    differing = compared.locator("tr.nbm-differs")
    expect(differing).to_have_count(1)
    expect(differing).to_contain_text(re.compile("lr.*differs.*0.01.*0.1"))
    expect(compared.locator("tr", has_text="epochs")).not_to_have_class(re.compile("nbm-differs"))
    picture(page.page, "light")
    page.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    expect(page.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    page.page.wait_for_timeout(1000)
    picture(page.page, "dark")
    page.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    expect(page.page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    assert not page.errors


def test_hostile_data_stays_text(lab, notebook) -> None:
    write(lab.runs, "evil", data=EVIL, metric=EVIL)
    write(lab.runs, "evil-2", data=EVIL, metric=EVIL, options={"lr": 0.1})
    page = notebook("1 + 1")
    asked: list[str] = []
    page.page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    side = Side(page.page)
    expect(side.row("evil")).to_contain_text(EVIL)
    side.row("evil").dblclick()
    expect(page.page.locator(".nbm-tab .nbm-title")).to_contain_text(EVIL)
    expect(page.page.locator(".nbm-tab .nbm-chart")).to_have_count(2)
    side.row("evil").click()
    side.row("evil-2").click(modifiers=["ControlOrMeta"])
    side.element.get_by_role("button", name="Compare", exact=True).click()
    expect(page.page.locator(".nbm-compare-table")).to_contain_text(EVIL)
    expect(page.page.locator("img[src=x]")).to_have_count(0)
    assert not asked


def test_train_again_writes_a_cell(lab, notebook) -> None:
    write(lab.runs, "again", options={"lr": 0.02})
    page = notebook("1 + 1")
    side = Side(page.page)
    side.row("again").locator(".nbm-spark polyline").first.wait_for(state="attached")  # the server has read it
    side.menu("again", "Train this again (copy as a cell)")
    expect(page.cell(1)).to_contain_text(LOAD)
    expect(page.cell(2)).to_contain_text("run = %bigmodel train mlp --data digits")
    expect(page.cell(2)).to_contain_text("--lr 0.02")
    assert page.outputs(2) == []


def test_open_the_folder_of_a_run_that_the_file_browser_can_reach(lab, notebook) -> None:
    place = "%load_ext nbmodels\n%config BigModel.runs = 'here'"
    page = notebook(place, "run = %bigmodel train linear --epochs 1 --wait --name inside")
    write(lab.runs, "outside")
    page.run(0)
    page.run(1)
    side = Side(page.page)
    side.row("outside").click(button="right")
    entry = page.page.locator(".nbm-menu .lm-Menu-item", has_text="Open the run's folder")
    expect(entry).to_have_attribute("aria-disabled", "true")
    page.page.keyboard.press("Escape")
    side.menu("inside", "Open the run's folder")
    expect(page.page.locator(".jp-DirListing-item", has_text="spec.yaml")).to_be_visible()


def test_a_thousand_runs_are_a_window_of_rows(lab, notebook) -> None:
    for number in range(1000):
        write(lab.runs, f"many-{number:04}", ago=100 + number)
    page = notebook("1 + 1")
    side = Side(page.page)
    side.element.get_by_label("Filter the runs").fill("many")
    side.row("many-0000").click()
    page.page.keyboard.press("End")
    expect(side.row("many-0999")).to_have_attribute("aria-selected", "true")
    expect(side.row("many-0999")).to_have_attribute("aria-rowindex", "1000")
    assert side.element.locator(".nbm-row").count() < 60
    frames = page.page.evaluate(
        """() => new Promise(done => {
            const list = document.querySelector('.nbm-list'), began = performance.now(); let worst = 0, last = began
            const step = now => {
                worst = Math.max(worst, now - last); last = now; list.scrollTop -= 600
                now - began < 1500 ? requestAnimationFrame(step) : done(worst)
            }
            requestAnimationFrame(step)
        })"""
    )
    assert frames < 400, f"a frame of {frames:.0f} ms while scrolling"
