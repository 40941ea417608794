"""The page of the threat model: each of its claims names a test that exists; and two that stand nowhere else."""

from __future__ import annotations

import ast
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from nbmodels import cli
from nbmodels.runs import folder as folders
from nbmodels.spec import Spec
from nbmodels.views import report
from nbmodels.views.snapshot import snapshot

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"


def claims() -> list[tuple[str, str]]:
    """(claim, test) of each row of the page's first table."""
    table = PAGE.read_text("utf-8").split("## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    return [(claim.strip(), test.strip(" `")) for claim, test in rows]


def test_the_page_has_claims() -> None:
    assert len(claims()) > 15 and len({claim for claim, _ in claims()}) == len(claims())


@pytest.mark.parametrize(("claim", "test"), claims())
def test_every_claim_has_its_test(claim: str, test: str) -> None:
    file, _, name = test.partition("::")
    defined = [
        node.name for node in ast.parse((ROOT / file).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    assert re.fullmatch(r"test_\w+", name) and name in defined, f"{claim}: there is no {test}"


class Trap:
    """Leaves a folder where it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    import torch

    from nbmodels.runs import checkpoint

    torch.save({"state_dict": {}, "hyper_parameters": {"lr": Trap(tmp_path / "trap")}}, tmp_path / "step-00000001.ckpt")
    for read in (checkpoint.load, checkpoint.hyperparameters):
        with pytest.raises(pickle.UnpicklingError):
            read(tmp_path / "step-00000001.ckpt")
    assert not (tmp_path / "trap").exists()


def test_a_runs_words_are_only_words(tmp_path: Path, capsys: Any) -> None:
    folders.set_runs_root(tmp_path / "runs")
    try:
        evil = "<script>alert(1)</script>\x1b]0;title\x07\x1b[2J\x9b31m"
        folder = folders.create(Spec("loud", evil, evil))
        folder.write_status(state="failed", device=evil, error={"what": evil, "hint": evil, "traceback": evil})
        folder.file(folders.METRICS).write_text(
            '{"step": 1, "val/<script>\\u001b[2J": 1.0}\n{"step": 2, "train/loss": 1}\n'
        )
        assert cli.main(["runs"]) == 0 and cli.main(["attach", "loud", "--trust"]) in (0, 1)
        said = "".join(capsys.readouterr())
        assert "loud" in said and not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said)
        faces = [
            report.html(snapshot(folder)),
            report.svg(snapshot(folder)),
            report.bundle(snapshot(folder))["text/html"],
        ]
        assert not any("<script" in face for face in faces)
    finally:
        folders.set_runs_root(None)
