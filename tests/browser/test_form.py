"""The form: change a field, press Start, and the run is what the form said."""

from __future__ import annotations

import re

import yaml
from lab import until
from playwright.sync_api import expect


def test_form_starts_what_it_says(lab, notebook, picture) -> None:
    page = notebook("%load_ext nbmodels", "%bigmodel panel cnn --data digits")
    page.run(0)
    page.run(1)
    form = page.cell(1)
    form.get_by_label("epochs", exact=True).wait_for()
    picture(page.page, "drawn")

    rate = form.get_by_label("lr", exact=True)
    rate.fill("fast")
    rate.press("Tab")
    start = form.get_by_role("button", name="Start")
    start.click()
    wrong = form.locator("span", has_text=re.compile("fast"))
    expect(wrong).to_have_count(1)
    assert "\n" not in wrong.inner_text()
    assert not list(lab.runs.glob("*/spec.yaml"))
    picture(page.page, "wrong")

    rate.fill("0.002")
    rate.press("Tab")
    epochs = form.get_by_label("epochs", exact=True)
    epochs.fill("2345")
    epochs.press("Tab")
    expect(form).to_contain_text("--epochs 2345")
    start.click()
    page.view(1).at_work()
    spec = until(lambda: next(lab.runs.glob("*/spec.yaml"), None), "a run")
    training = yaml.safe_load(spec.read_text("utf-8"))["training"]
    assert training["epochs"] == 2345
    assert 0.002 in (training["lr"], yaml.safe_load(spec.read_text("utf-8"))["model_options"].get("lr"))
