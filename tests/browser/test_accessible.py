"""What axe-core finds in our panels, in every theme; and every word of them in Chinese."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe

LOAD = "%load_ext nbmodels"
TRAIN = "run = %bigmodel train linear --data digits --epochs 3 --name {} --wait"
OURS = {"include": [[".nbm-lab"], [".nbm"]]}
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


def open_all(page, run: str) -> None:
    """The sidebar, the run in a tab of its own beside the notebook, and an output."""
    page.run(0)
    page.run(1)
    page.command("nbmodels:show-runs")
    row = page.page.get_by_text(run, exact=True).first
    expect(row).to_be_visible()


def serious(page) -> list[str]:
    """The serious findings in our panels: rule, elements."""
    found = Axe().run(page.page, context=OURS).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0].get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_no_serious_violation_in_any_theme(notebook, picture) -> None:
    page = notebook(LOAD, TRAIN.format("axe-1"))
    open_all(page, "axe-1")
    for theme in THEMES:
        page.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        page.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        page.page.wait_for_timeout(500)  # colours move for a moment
        picture(page.page, theme.replace(" ", "-").lower())
        assert serious(page) == [], theme
    page.command("nbmodels:train")
    expect(page.page.get_by_role("combobox", name="model")).to_be_visible()
    picture(page.page, "form")
    assert serious(page) == []
    page.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")


def test_everything_speaks_chinese(notebook, picture) -> None:
    page = notebook(LOAD, TRAIN.format("zh-1"))
    settings = "jupyterapp.serviceManager.settings.save('nbmodels:settings', JSON.stringify({}))"
    page.page.evaluate(settings.replace("{}", "{ language: 'zh' }"))
    page.reload()
    try:
        open_all(page, "zh-1")
        expect(page.view(1).element).to_contain_text("已完成")
        page.command("nbmodels:train")
        expect(page.page.get_by_text("训练模型").first).to_be_visible()
        expect(page.page.get_by_text("遍历训练数据的次数，至少 1。")).to_be_visible()
        picture(page.page, "form")
    finally:
        page.page.evaluate(settings)
