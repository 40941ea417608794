"""A text that is shown while it is written: one output in a page, what is new in a terminal, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from nbmodels.views.writing import Tell, Written, watched


def write(tell: Tell) -> str:
    for text in ("a", "a cat", "a cat s"):
        tell(text)
    return "a cat s"


@pytest.fixture
def shell() -> Iterator[Any]:
    shell = InteractiveShell.instance()
    yield shell
    shell.__dict__.pop("kernel", None)
    InteractiveShell.clear_instance()


def test_a_page_has_one_output_that_grows(shell: Any) -> None:
    shell.kernel = object()
    with capture_output() as said:
        text = watched(write)
    assert text == "a cat s" and not said.stdout
    assert [output.data["text/plain"] for output in said.outputs] == ["a", "a cat", "a cat s"]
    assert len({output.transient["display_id"] for output in said.outputs}) == 1
    assert [output.update for output in said.outputs] == [False, True, True]


def test_the_result_of_the_cell_is_not_shown_again_but_that_of_another_is(shell: Any) -> None:
    shell.kernel = object()
    with capture_output():
        text = watched(write)
    with capture_output() as said:
        assert shell.display_formatter.format(text) == ({}, {})
    assert not said.outputs
    shell.execution_count += 1
    with capture_output() as said:
        shell.display_formatter.format(text)
    assert [output.data for output in said.outputs] == [{"text/plain": "'a cat s'"}]


def test_a_terminal_gets_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    text = watched(write)
    assert isinstance(text, Written) and capsys.readouterr().out == text == "a cat s"


def test_what_is_no_text_is_given_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    gaps = {"text": "to be", "gaps": []}
    assert watched(lambda tell: gaps) is gaps and not capsys.readouterr().out
