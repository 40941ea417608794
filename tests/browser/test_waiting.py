"""Runs that wait, share cores, were changed or are not trusted: what sidebar and card say, and what they ask."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect
from test_accessible import serious
from test_sidebar import Side, write

QUEUED = {
    "state": "waiting",
    "why": "2nd of 3",
    "queue": {"place": 2, "of": 3},
    "step": 0,
    "steps": None,
    "epoch": 0,
}
FIRST = {"why": "1st of 3", "queue": {"place": 1, "of": 3}}
HELD = {"state": "waiting", "why": "the disk is full", "step": 40, "epoch": 1}
RULE = "From the next step on; what is left of the schedule falls from it and never rises above it."


@pytest.fixture
def living(lab) -> Iterator[Callable[..., None]]:  # type: ignore[no-untyped-def]
    """Writes a run of another machine, or other words of it; such a run lives as long as its heart beats."""
    runs: dict[str, dict[str, Any]] = {}
    lock, over = threading.Lock(), threading.Event()

    def say(name: str, **changes: Any) -> None:
        with lock:
            file = lab.runs / name / "status.json"
            runs[name] = {**json.loads(file.read_text()), "host": "elsewhere", "heartbeat": time.time(), **changes}
            part = file.with_suffix(".part")
            part.write_text(json.dumps(runs[name]))
            part.replace(file)

    def beat() -> None:
        while not over.wait(5):
            for name in [*runs]:
                say(name)

    def make(name: str, **status: Any) -> None:
        if name not in runs:
            write(lab.runs, name, ago=60 + len(runs))
        say(name, **status)

    beating = threading.Thread(target=beat)
    beating.start()
    yield make
    over.set()
    beating.join()


def listen(page: Page, *replies: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page asks of runs, each answered with the next reply (409 where it says trust), the last one again."""
    asked: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "{}"))
        reply = replies[min(len(asked), len(replies)) - 1]
        route.fulfill(status=409 if "trust" in reply else 200, json=reply)

    page.route(re.compile("/nbmodels/runs/.*/control"), answer)
    return asked


def add(context: BrowserContext, name: str, **more: Any) -> None:
    """Everything that the server says of the run in pages to come says this too."""

    def through(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def patch(message: str | bytes) -> None:
            said = json.loads(message)
            if said.get("view", {}).get("name") == name:
                said["view"] |= more
            socket.send(json.dumps(said))

        server.on_message(patch)

    context.route_web_socket(re.compile("/nbmodels/watch"), through)


def test_the_queue_in_sidebar_and_card(living, notebook, picture) -> None:
    living("queued", **QUEUED)
    living("next", **{**QUEUED, **FIRST})
    living("held", **HELD)
    page = notebook("1 + 1")
    asked = listen(page.page, {"state": "waiting"})
    side = Side(page.page)
    expect(side.row("queued")).to_contain_text("waiting, 2nd of 3")
    expect(side.row("held")).to_contain_text("waiting: the disk is full")
    expect(side.element.locator(".nbm-count")).to_have_text("3 waiting · 3 in all")
    side.row("next").click(button="right")
    expect(page.page.locator(".nbm-menu").get_by_text("Stop the run", exact=True)).to_be_visible()
    expect(page.page.locator(".nbm-menu").get_by_text("Start next", exact=True)).to_be_hidden()
    page.page.keyboard.press("Escape")
    side.menu("queued", "Start next")
    side.row("queued").dblclick()
    card = page.page.locator(".nbm-tab .nbm")
    expect(card.locator(".nbm-progress")).to_have_text("waiting, 2nd of 3")
    expect(card.get_by_label("learning rate")).to_be_hidden()
    picture(page.page, "queued")
    card.get_by_role("button", name="Start next", exact=True).click()
    expect(card.get_by_role("button", name="Moving up…")).to_be_disabled()
    expect(card.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    assert asked == [{"do": "first"}, {"do": "first"}]
    living("queued", **FIRST)
    expect(card.locator(".nbm-buttons")).to_have_text("Stop")
    side.row("held").dblclick()
    held = page.page.locator(".nbm-tab .nbm", has_text="held")
    expect(held.locator(".nbm-progress")).to_contain_text("waiting: the disk is full · epoch 2 of 2 · step 40 of 80")
    expect(held.locator(".nbm-buttons")).to_have_text("Stop")
    picture(page.page, "held")
    assert not page.errors


def test_the_rate_to_come_and_the_cores_that_are_shared(living, lab, notebook, picture) -> None:
    running = {"state": "running", "step": 40, "epoch": 1, "left": 12, "device": "cpu, 1 thread", "lr": 0.01}
    living("shared", **running, cores={"threads": 1, "cores": 2, "runs": 1})
    write(lab.runs, "other", ago=70)
    page = notebook("1 + 1")
    changes = [{"step": 30, "old": 0.003, "new": 0.01}]
    add(page.page.context, "shared", changes=changes, coming=[[40, 0.01], [60, 0.006], [80, 0]])
    page = page.twin()
    side = Side(page.page)
    side.row("shared").dblclick()
    card = page.page.locator(".nbm-tab .nbm")
    expect(card.locator(".nbm-foot")).to_contain_text("cpu, 1 thread · sharing 2 cores with 1 run")
    expect(card.get_by_role("img", name="rate to come, from 0.01 to 0", exact=True)).to_be_visible()
    expect(card.get_by_text(RULE)).to_be_hidden()
    picture(page.page, "calm")
    rate = card.get_by_label("learning rate")
    rate.fill("0.02")
    expect(card.get_by_text(RULE)).to_be_visible()
    expect(rate).to_have_accessible_description(RULE)
    for theme in ("Light", "Dark"):
        page.page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
        expect(page.page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {theme}")
        page.page.wait_for_timeout(500)  # colours move for a moment
        rate.focus()
        picture(page.page, theme.lower())
        assert serious(page) == [], theme
    side.row("shared").click()
    side.row("other").click(modifiers=["ControlOrMeta"])
    side.element.get_by_role("button", name="Compare", exact=True).click()
    row = page.page.locator(".nbm-compare-table tr", has_text="changed during the run")
    expect(row).to_contain_text(re.compile("differs.*lr: 0.003 → 0.01 at step 30.*—"))
    picture(page.page, "compared")
    page.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    assert not page.errors


def test_a_run_from_elsewhere_is_resumed_once_it_is_trusted(lab, notebook, picture) -> None:
    write(lab.runs, "foreign", status={"state": "stopped", "why": "stopped by the system", "step": 40, "epoch": 1})
    page = notebook("1 + 1")
    refusal = {"message": "foreign came from elsewhere", "hint": "…", "trust": True}
    asked = listen(page.page, refusal, refusal, {"state": "starting"})
    side = Side(page.page)
    expect(side.row("foreign")).to_contain_text("stopped by the system")
    side.row("foreign").dblclick()
    card = page.page.locator(".nbm-tab .nbm")
    dialog = page.page.locator(".jp-Dialog")
    card.get_by_role("button", name="Resume").click()
    expect(dialog).to_contain_text("Trust foreign?")
    expect(dialog).to_contain_text("pickled elsewhere. Opening it runs their code.")
    picture(page.page, "asked")
    dialog.get_by_role("button", name="Cancel").click()
    expect(card.get_by_role("button", name="Resume")).to_be_enabled()
    side.menu("foreign", "Resume the run")
    dialog.get_by_role("button", name="Trust").click()
    expect(dialog).to_have_count(0)
    assert asked == [{"do": "resume"}, {"do": "resume"}, {"do": "resume", "trust": True}]
