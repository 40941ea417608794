"""A real run answers new pictures as well as it did its validation pictures, whatever form they are held in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from nbmodels.data.open import open_data
from nbmodels.errors import DataError, RunFailed
from nbmodels.runs import folder as folders
from nbmodels.runs.run import train
from nbmodels.spec import Spec, Training

DIGITS = load_digits()
FORMS = {
    "floats of 0 to 16": DIGITS.images,
    "standardised": (DIGITS.images - DIGITS.images.mean()) / DIGITS.images.std(),
    "colours last, 16 bits": (DIGITS.images[..., None].repeat(3, axis=3) * 4095).astype(np.uint16),
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[None]:
    """A runs folder of the test's own."""
    folders.set_runs_root(tmp_path / "runs")
    yield
    folders.set_runs_root(None)


@pytest.mark.parametrize("form", FORMS)
def test_validation_pictures_are_answered_as_validation_found(form: str) -> None:
    pictures = FORMS[form]
    spec = Spec(name="run-1", model="cnn", data="notebook:them", training=Training(epochs=3))
    run = train(spec, {"data": (pictures, DIGITS.target)}, wait=True)
    known = open_data("notebook:them", {}, obj=(np.arange(len(pictures)).reshape(-1, 1), DIGITS.target))
    numbers = known.dataset.val[0][:, 0].astype(int)  # type: ignore[attr-defined]
    answers = run.predict(pictures[numbers])
    right = np.mean([int(answer["class"]) == DIGITS.target[n] for answer, n in zip(answers, numbers, strict=True)])
    accuracy = run.metrics["val/accuracy"].dropna().iloc[-1]
    assert accuracy > 0.7 and right == pytest.approx(accuracy, abs=0.012)  # bf16 there, 32 bits here
    assert run.predict(pictures[numbers[0]]) == answers[:1]


def test_a_run_without_its_broken_pictures_says_which_in_its_log(tmp_path: Path) -> None:
    for number in range(40):
        file = tmp_path / "them" / "ab"[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((DIGITS.images[number] * 15).astype(np.uint8)).save(file)
    (tmp_path / "them" / "a" / "06.png").write_bytes(b"no picture")
    given = {"model": "mlp", "data": str(tmp_path / "them"), "training": Training(epochs=1)}
    with pytest.raises(RunFailed, match=r"06\.png cannot be read as a picture"):
        train(Spec(name="run-1", **given), wait=True)  # type: ignore[arg-type]
    run = train(Spec(name="run-2", data_options={"skip_broken": True}, **given), wait=True)  # type: ignore[arg-type]
    line = f"Left out 1 of 40 pictures that cannot be read: {tmp_path}/them/a/06.png"
    assert line in run.folder.log(50).splitlines()
    assert run.folder.facts().notes == (line,)  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"06\.png cannot be read"):
        run.predict(tmp_path / "them")
