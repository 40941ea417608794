"""In the editor: the Lab's own completer and its tooltip know our words."""

from __future__ import annotations

from playwright.sync_api import expect


def typed(page, place: int, text: str):
    """Type into a cell, without running it."""
    cell = page.cell(place).locator(".cm-content")
    cell.click()
    page.page.keyboard.press("ControlOrMeta+a")
    page.page.keyboard.type(text)
    return cell


def test_tab_completes_words_models_and_values(notebook, picture) -> None:
    page = notebook("%load_ext nbmodels", "")
    page.run(0)
    cell, menu = typed(page, 1, "%bigmodel tra"), page.page.locator(".jp-Completer:visible")
    page.page.keyboard.press("Tab")
    expect(menu).to_contain_text("train")
    page.page.keyboard.press("Enter")
    expect(cell).to_have_text("%bigmodel train")

    for text, offered in (("%bigmodel train ", "autoencoder"), ("%bigmodel train cnn --padding ", "same")):
        typed(page, 1, text)
        page.page.keyboard.press("Tab")
        expect(menu).to_contain_text(offered)
        picture(page.page, text.split()[-1])
        page.page.keyboard.press("Escape")


def test_shift_tab_says_what_a_model_is(notebook, picture) -> None:
    page = notebook("%load_ext nbmodels", "")
    page.run(0)
    typed(page, 1, "%bigmodel train cnn")
    page.page.keyboard.press("Shift+Tab")
    expect(page.page.locator(".jp-Tooltip")).to_contain_text("Convolutional network for pictures")
