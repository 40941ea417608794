"""Shift-Tab: what stands under the cursor is explained, and what is not ours is left to IPython."""

from __future__ import annotations

import pytest

from nbmodels.tooltip import about

LINE = "run = %bigmodel train cnn --data fashion-mnist --batch-size 64"
CELL = "%%bigmodel train gpt\nepochs: 3\ndata: pydoc"


@pytest.mark.parametrize(
    ("code", "word", "says"),
    [
        (LINE, "bigmodel", "attach [RUN]"),
        (LINE, "train", "%bigmodel train MODEL"),
        (LINE, "cnn", "cnn: Convolutional network for pictures"),
        (LINE, "fashion-mnist", "70,000"),
        (LINE, "--batch-size", "--batch-size"),
        ("x = 1\n" + LINE, "cnn", "cnn: Convolutional network for pictures"),
        (CELL, "gpt", "gpt: "),
        (CELL, "epochs", "--epochs"),
        (CELL, "pydoc", "pydoc: "),
    ],
)
@pytest.mark.parametrize("inside", ["start", "end"])
def test_what_is_ours_is_explained(code: str, word: str, says: str, inside: str) -> None:
    place = code.index(word) + (1 if inside == "start" else len(word))
    found = about(code, place, {})
    assert found is not None and says in repr(found)


@pytest.mark.parametrize("code", ["train = 3", "print(cnn)", "%bigmodel nothing", "%bigmodel train cnn --nothing", ""])
def test_the_rest_is_not(code: str) -> None:
    assert about(code, len(code), {}) is None


def test_a_model_of_the_notebook_is_explained() -> None:
    from torch import nn

    class Net(nn.Module):
        """A net of mine."""

        def __init__(self, width: int = 3) -> None:
            super().__init__()

    found = about("%bigmodel train Net", 19, {"Net": Net})
    assert found is not None and "--width" in repr(found)


def test_a_kernel_answers_with_it() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive("%load_ext nbmodels\nimport time; time.sleep(1)", timeout=60)
        said = client.inspect("%bigmodel train cnn", 18, reply=True, timeout=30)["content"]
        assert said["found"] and "Convolutional" in said["data"]["text/plain"]
        assert "<h4>" in said["data"]["text/html"]
        assert client.inspect("print", 3, reply=True, timeout=30)["content"]["found"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
