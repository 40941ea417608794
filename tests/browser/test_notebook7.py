"""The same extension in Notebook 7: the output is drawn from the server and outlives the kernel."""

from __future__ import annotations

import nbformat
import pytest
from lab import TOKEN, View, until
from playwright.sync_api import expect

pytest.importorskip("notebook", minversion="7", reason="needs Notebook 7: pip install 'notebook>=7'")

TRAIN = "run = %bigmodel train cnn --data digits --epochs 3000 --schedule constant --name seven-1"


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
        page.locator(".jp-Notebook .jp-Cell").first.click()
        for place in range(2):
            page.keyboard.press("Shift+Enter")
            expect(page.locator(".jp-InputPrompt").nth(place)).to_have_text(f"[{place + 1}]:")
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
