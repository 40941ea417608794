"""What is left when a run has ended: a still card in the page, the static face in the file; small and harmless."""

from __future__ import annotations

import html
import json
import re

from lab import until
from playwright.sync_api import expect

LOAD = "%load_ext nbmodels"
WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = "<img src=x onerror=window.hacked=1>"
EVIL = """\
import torch, lightning.pytorch as L
class Evil(L.LightningModule):
    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10))
    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("<img src=x onerror=window.hacked=1>", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), lr=0.01)"""


def test_end_is_static_small_and_quiet(lab, notebook, picture) -> None:
    page = notebook(LOAD, "run = %bigmodel train cnn --data digits --epochs 25 --name end-1")
    page.run(0)
    page.run(1)
    view = page.view(1)
    view.at_work()
    view.wait("finished")
    expect(view.element.get_by_role("button", name="Stop")).to_have_count(0)
    until(lambda: WIDGET not in page.saved(1), "the file has the end")
    picture(page.page, "static")

    saved = page.save()
    assert "widgets" not in saved["metadata"]
    (output,) = saved["cells"][1]["outputs"]
    assert WIDGET not in output["data"]
    assert "finished" in "".join(output["data"]["text/html"])
    assert len(json.dumps(output, ensure_ascii=False).encode()) <= 50_000
    here = rf"(https?|ws)://127\.0\.0\.1:{lab.port}/|data:|blob:"
    assert not [url for url in page.requests if not re.match(here, url)]
    assert not [error for error in page.errors if re.search("nbm|anywidget|uplot|blob:", error, re.I)]


def test_hostile_metric_name_stays_text(notebook, picture) -> None:
    page = notebook(LOAD, EVIL, "run = %bigmodel train Evil --data digits --epochs 3000 --name end-2")
    page.run(0)
    page.run(1)
    page.run(2)
    view = page.view(2)
    view.at_work()
    expect(view.element).to_contain_text(HOSTILE)
    picture(page.page, "live")
    view.press("Stop")
    view.wait("stopped")
    assert page.page.evaluate("window.hacked") is None
    page.save()
    page.reload()
    view.wait("stopped")
    until(lambda: HOSTILE in "".join(page.saved(2).get("text/plain", "")), "the file has the end")
    assert html.escape(HOSTILE) in "".join(page.saved(2)["text/html"])
    assert HOSTILE not in "".join(page.saved(2)["text/html"])
    assert page.page.evaluate("window.hacked") is None
