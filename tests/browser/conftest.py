"""One JupyterLab a file, one Chromium for all, and a picture of every page at its test's end in artifacts/browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"))), None
)
PICTURES = Path(__file__).parents[2] / "artifacts" / "browser"
SIZE = {"width": 1200, "height": 1100}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser every test of this folder is skipped, and says why; with one it has a second chance.

    A page, a server, a kernel and a worker share two cores: what fails twice is broken, what fails once was late.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="needs a browser: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def base_url() -> str:
    """Where the server lives; a file of tests may say otherwise."""
    return "/"


@pytest.fixture(scope="module")
def extension() -> bool:
    """Whether the Lab has our extension; a file of tests may say otherwise."""
    return True


@pytest.fixture(scope="module")
def lab(browser: object, base_url: str, extension: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A server for the file's tests, its folders its own."""
    pytest.importorskip("jupyterlab", reason="needs JupyterLab: pip install jupyterlab")
    from lab import Lab

    started = Lab(tmp_path_factory.mktemp("lab"), base_url, extension)
    yield started
    started.close()


@pytest.fixture
def notebook(request: pytest.FixtureRequest, browser, lab) -> Iterator[Callable[..., object]]:  # type: ignore[no-untyped-def]
    """Opens a notebook of the given cells; at the end it is pictured and closed, and its runs are ended."""
    from lab import Notebook

    name = re.sub(r"^test_", "", request.node.name)
    context, opened = browser.new_context(viewport=SIZE, locale="en-GB"), []

    def open_notebook(*cells: str) -> Notebook:
        opened.append(Notebook(lab, context.new_page(), name, list(cells)))
        return opened[-1]

    try:
        yield open_notebook
    finally:
        for page in context.pages:
            page.screenshot(path=PICTURES / f"{name}.png")
        for each in opened:
            each.close()
        context.close()
        lab.end_runs()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps a picture of a page in the middle of a test."""

    def take(page, moment: str) -> None:  # type: ignore[no-untyped-def]
        page.screenshot(path=PICTURES / f"{re.sub('^test_', '', request.node.name)}-{moment}.png")

    return take
