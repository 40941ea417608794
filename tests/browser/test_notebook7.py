"""The same extension in Notebook 7: the output is drawn from the server and outlives the kernel."""

from __future__ import annotations

import contextlib
import re

import nbformat
import pytest
from lab import TOKEN, View, until
from playwright.sync_api import Page, expect

pytest.importorskip("notebook", minversion="7", reason="needs Notebook 7: pip install 'notebook>=7'")

KEYS = 5  # seconds after which keys that did nothing are pressed again: the page was not ready for them
TRAIN = "run = %bigmodel train cnn --data digits --epochs 3000 --schedule constant --name seven-1"


def run(page: Page, place: int) -> None:
    """Run a cell with the keys, as a person does, and wait for its end."""
    prompt = page.locator(".jp-InputPrompt").nth(place)

    def begun() -> bool:
        page.locator(".jp-Notebook .jp-Cell").nth(place).click()
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text("[ ]:", timeout=KEYS * 1000)
        return prompt.inner_text() != "[ ]:"

    until(begun, f"cell {place} begins")
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))


def test_a_run_is_live_and_outlives_its_kernel(lab, browser, picture) -> None:
    written = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(each) for each in ("%load_ext nbmodels", TRAIN)]
    )
    written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(written, lab.notebooks / "seven.ipynb")
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error.message} {error.stack}"))
    try:
        page.goto(f"{lab.address}notebooks/seven.ipynb?token={TOKEN}")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached")
        for place in range(2):
            run(page, place)
        view = View(page.locator(".jp-Notebook .nbm"))
        view.at_work()
        picture(page, "running")
        sessions = lab.rest("GET", "api/sessions")
        kernel = next(each["kernel"]["id"] for each in sessions if each["path"] == "seven.ipynb")
        lab.rest("DELETE", f"api/kernels/{kernel}")
        view.moves()
        view.press("Stop")
        until(lambda: lab.status("seven-1")["state"] == "stopped", "the worker stops")
        expect(view.element).to_have_attribute("data-state", "stopped")
        assert not [error for error in errors if "extensions/nbmodels" in error], errors
    finally:
        context.close()
        lab.end_runs()
