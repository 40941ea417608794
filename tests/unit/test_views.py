"""The faces of a run, from its folder alone: true to it, small, safe, and drawn without torch."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbmodels import pages
from nbmodels.errors import RunError
from nbmodels.option import make
from nbmodels.runs import folder as folders
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.run import Run
from nbmodels.shown import Table
from nbmodels.spec import Spec, Training
from nbmodels.views import command, report
from nbmodels.views.chart import last_step, scale
from nbmodels.views.readings import KEPT, Readings, split_name, thin
from nbmodels.views.snapshot import CAPTION, SAMPLES, TEXT, reason, snapshot, spread
from nbmodels.views.words import duration, figure, sharing, size, standing, state_line

NUMBERS = st.integers(-2, 9) | st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5)
JSON = NUMBERS | st.text() | st.lists(NUMBERS, max_size=3) | st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3)
QUEUE = JSON | st.fixed_dictionaries({"place": NUMBERS, "of": NUMBERS})
CORES = JSON | st.fixed_dictionaries({"threads": NUMBERS, "cores": NUMBERS, "runs": NUMBERS, "busy": JSON})
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBMODELS_RUNS", str(tmp_path / "runs"))


def make_run(rows: list[dict], name: str = "cnn-1", model: str = "cnn", data: str = "digits", **status) -> RunFolder:
    folder = folders.create(Spec(name, model, data, training=Training(epochs=8, lr=0.01, precision="auto")))
    write_rows(folder, rows)
    folder.write_status(**{"state": "finished", "step": 100, "steps": 100, "epoch": 8, "seconds": 3.2, **status})
    return folder


def write_rows(folder: RunFolder, rows: list[dict]) -> None:
    with folder.file(folders.METRICS).open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def training(count: int) -> list[dict]:
    return [{"step": n, "epoch": n / 10, "time": n, "lr": 0.01, "train/loss": 2 / n} for n in range(1, count + 1)]


def add_sample(folder: RunFolder, epoch: int, content: bytes, ending: str = "png", caption: str = "") -> None:
    place = folder.file(folders.SAMPLES)
    place.mkdir(exist_ok=True)
    place.joinpath(f"{epoch:08d}.{ending}").write_bytes(content)
    with place.joinpath("index.jsonl").open("a") as index:
        said = {"caption": caption} if caption else {}
        index.write(json.dumps({"step": epoch, "epoch": epoch, "file": f"{epoch:08d}.{ending}", **said}) + "\n")


def weight(bundle: dict) -> int:
    return len(json.dumps(bundle, ensure_ascii=False).encode())


def test_a_snapshot_says_what_the_folder_says():
    rows = [*training(20), {"step": 20, "epoch": 1, "time": 3, "val/loss": 0.5, "val/accuracy": 0.9}]
    memory = {"process": 412e6, "device": None}
    view = snapshot(make_run(rows, samples_per_second=8312.4, memory=memory, device="cpu, 2 threads"))
    assert (view["name"], view["title"], view["state"], view["metric"]) == (
        "cnn-1", "cnn on digits", "finished", "accuracy",
    )  # fmt: skip
    assert view["series"]["loss"]["val"] == ([20], [0.5])
    assert len(view["series"]["loss"]["train"][0]) == 20
    assert view["figures"] == [
        ["val accuracy", "0.900"], ["val loss", "0.500"], ["samples / s", "8,312"], ["memory", "412 MB"],
    ]  # fmt: skip
    assert view["command"] == "%bigmodel train cnn --data digits --lr 0.01"  # the model's own recipe needs no typing
    json.dumps(view, allow_nan=False)


def test_numbers_that_are_none_reach_no_json():
    nan, inf = float("nan"), float("inf")
    rows = [{"step": 1, "train/loss": 1.0}, {"step": 2, "train/loss": nan}, {"step": 3, "train/loss": inf}]
    view = snapshot(make_run([*rows, {"step": 4, "train/loss": 2.0}], samples_per_second=nan, left=inf))
    assert view["series"]["loss"]["train"][1] == [1.0, None, None, 2.0]
    json.dumps(view, allow_nan=False)
    assert "NaN" not in json.dumps(report.bundle(view))


def test_a_loss_that_is_nan_is_said():
    view = snapshot(make_run([{"step": 1, "train/loss": float("nan")}]))
    assert ["train loss", "NaN"] in view["figures"]
    assert report.svg(view) == ""  # nothing can be drawn, and nothing breaks


@pytest.mark.parametrize("rows", [[], [{"step": 0}], [{"no": "step"}], [{"step": 1, "train/loss": 1.0}]])
def test_a_run_that_has_hardly_begun_has_every_face(rows: list[dict]):
    view = snapshot(make_run(rows, state="starting", heartbeat=time.time(), step=0, steps=None, epoch=0))
    assert view["state"] == "starting"
    assert "cnn-1" in report.html(view) and "cnn-1" in report.text(view)


def test_what_was_left_out_of_the_data_is_said_in_every_face():
    left_out = "Left out 4 of 30 pictures that cannot be read: <a>.png, b.png, c.png and 1 more"
    view = snapshot(make_run(training(3), notes=[left_out, 7, "x" * 5000]))
    assert view["notes"][0] == left_out and len(view["notes"]) == 2
    assert left_out in report.text(view) and "&lt;a&gt;.png" in report.html(view)
    assert snapshot(make_run([], name="cnn-2", notes="hostile"))["notes"] == []


def test_an_empty_folder_has_every_face(tmp_path: Path):
    view = snapshot(RunFolder(tmp_path))
    assert view["state"] == "lost" and tmp_path.name in report.html(view)


def test_a_worker_that_is_gone_is_lost():
    view = snapshot(make_run(training(3), state="running", pid=2**22 + 1, process_started=1.0))
    assert view["state"] == "lost"
    assert "resume cnn-1" in report.text(view) and "resume cnn-1" in report.html(view)


QUEUED = {"state": "waiting", "why": "2nd of 3", "queue": {"place": 2, "of": 3}, "step": 0, "steps": None, "epoch": 0}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (QUEUED, "waiting, 2nd of 3"),
        ({**QUEUED, "why": None, "queue": {"place": 11, "of": 22}}, "waiting, 11th of 22"),
        ({"state": "waiting", "why": "the disk is full"}, "waiting: the disk is full"),
        ({"state": "stopped", "why": "stopped by the system"}, "stopped by the system"),
        ({"state": "stopped", "why": "2nd of 3"}, "stopped"),
        ({"state": "finished", "why": "the disk is full"}, "finished"),
    ],
)
def test_every_face_says_why_a_run_stands_still(status: dict, said: str):
    folder = make_run(training(3), heartbeat=time.time(), **status)
    view = snapshot(folder)
    assert f"cnn on digits  {said}\n" in report.text(view) + "\n"
    assert f"cnn on digits · {said}</span>" in report.html(view)
    (table,) = pages.runs([folder]).parts
    assert isinstance(table, Table) and table.rows[0][2] == said
    assert view["why"] is None or view["why"] == status["why"]
    json.dumps(report.bundle(view), allow_nan=False)


def test_the_widget_moves_a_run_to_the_front_and_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch):
    from nbmodels.views.live import LiveView

    asked: list[str] = []
    monkeypatch.setattr(Run, "first", lambda run: asked.append(run.name), raising=False)
    view = LiveView(Run(make_run([], heartbeat=time.time(), **QUEUED)))
    told: list[dict] = []
    monkeypatch.setattr(view, "send", told.append)
    view._asked(None, {"do": "first"}, None)
    assert asked == ["cnn-1"] and view.view["queue"] == {"place": 2, "of": 3} and not told

    def refuse(run: Run) -> None:
        raise RunError(f"{run.name} waits no more", "It runs.")

    monkeypatch.setattr(Run, "first", refuse, raising=False)
    view._asked(None, {"do": "first"}, None)
    assert "waits no more" in told[0]["error"]
    view.close()


def test_a_run_in_the_queue_is_in_no_epoch_yet():
    assert state_line(snapshot(make_run([], heartbeat=time.time(), **QUEUED))) == ""
    held = snapshot(make_run([], name="b", heartbeat=time.time(), state="waiting", why="the disk is full", seconds=9))
    assert state_line(held) == "epoch 8 of 8 · 100 steps · 9 s"


def test_shared_cores_are_said_while_the_run_lives():
    cores = {"threads": 1, "cores": 2, "runs": 1}
    alive = {"state": "starting", "heartbeat": time.time(), "device": "cpu"}
    assert "cpu · sharing 2 cores with 1 run<" in report.html(snapshot(make_run([], name="a", cores=cores, **alive)))
    crowded = {"threads": 1, "cores": 2, "runs": 0, "busy": True}
    assert "1 of 2 cores: others are busy" in report.html(snapshot(make_run([], name="b", cores=crowded, **alive)))
    assert "sharing" not in report.html(snapshot(make_run([], name="c", cores=cores)))


@settings(deadline=None)
@given(
    st.sampled_from(["waiting", "paused", "stopped", "running", "finished", "lost", "failed", "constructor"]),
    st.fixed_dictionaries({}, optional={"why": JSON, "queue": QUEUE, "cores": CORES}),
)
def test_whatever_the_folder_says_the_reason_can_be_drawn(state: str, status: dict):
    found = reason(state, status)
    assert set(found) == {"why", "queue", "cores"}
    assert found["why"] is None or (0 < len(found["why"]) <= 120 and "\n" not in found["why"])
    assert found["queue"] is None or 1 <= found["queue"]["place"] <= found["queue"]["of"]
    for words in (standing, sharing):
        said = words({"state": state, **found})
        assert "\n" not in said and len(said) < 160


def test_an_error_is_shown_once_and_whole():
    error = {"what": "the loss is not finite", "hint": "Try: --lr 1e-4", "traceback": "Traceback\nValueError: x"}
    view = snapshot(make_run(training(3), state="failed", error=error))
    card = report.html(view)
    assert card.count("the loss is not finite") == 1 and "--lr 1e-4" in card and "ValueError: x" in card
    assert "the loss is not finite. Try: --lr 1e-4" in report.text(view)


def test_nothing_from_outside_becomes_markup():
    error = {"what": EVIL, "hint": EVIL, "traceback": EVIL}
    rows = [{"step": 1, f"train/{EVIL}": 1.0, "train/loss": 1.0}, {"step": 2, f"val/{EVIL}": 1.0}]
    folder = make_run(rows, model=f"notebook:{EVIL}", data=f"/tmp/{EVIL}", state="failed", error=error, device=EVIL)
    add_sample(folder, 1, EVIL.encode(), "txt")
    view = snapshot(folder)
    card = report.html(view)
    assert card.count("&lt;img src=x") >= 6
    tags = re.findall(r"<(\w+)", card)
    assert set(tags) <= {"div", "span", "b", "table", "tr", "td", "br", "img", "pre", "code", "details", "summary"}
    assert all(source.startswith("data:image/") for source in re.findall(r'<img[^>]* src="([^"]*)"', card))
    assert "<img" not in drawing(card)


def drawing(card: str) -> str:
    found = re.search(r"data:image/svg\+xml;base64,([^\"]+)", card)
    assert found
    return base64.b64decode(found[1]).decode()


def test_a_long_run_stays_small():
    rows = [
        {"step": n, "train/loss": 2.3456789 / n, "train/accuracy": n / 50_001, "lr": 0.01, **validated(n)}
        for n in range(1, 50_001)
    ]
    folder = make_run(rows, step=50_000, steps=50_000)
    for epoch in range(1, 40):
        add_sample(folder, epoch, bytes(9000))
    view = snapshot(folder)
    assert all(len(curve[0]) <= 300 for splits in view["series"].values() for curve in splits.values())
    assert len(view["samples"]) == SAMPLES and [view["samples"][i]["epoch"] for i in (0, -1)] == [1, 39]
    assert weight(report.bundle(view)) <= report.LIMIT
    assert 'alt="samples of epoch 39"' in report.html(view)


def validated(step: int) -> dict:
    return {"val/loss": 1.0, "val/accuracy": 0.5} if step % 100 == 0 else {}


def test_what_was_asked_for_stands_under_the_pictures():
    folder = make_run(training(2), name="dalle-1")
    for epoch in (1, 2):
        add_sample(folder, epoch, b"PNG", caption="a three · " + EVIL)
    view = snapshot(folder)
    assert [sample["caption"] for sample in view["samples"]] == ["a three · " + EVIL] * 2
    page = report.html(view)
    assert 'alt="samples of epoch 2: a three · &lt;img src=x onerror=alert(1)&gt;"' in page
    assert page.count(">a three · &lt;img") == 1 and EVIL not in page  # once, and only as text
    add_sample(folder, 3, b"PNG", caption="x" * 1000)
    assert len(snapshot(folder)["samples"][-1]["caption"]) == CAPTION
    plain = make_run(training(2))
    add_sample(plain, 1, b"PNG")
    assert 'alt="samples of epoch 1"' in report.html(snapshot(plain))


def test_many_metrics_long_texts_and_errors_stay_small():
    rows = [{"step": n, **{f"train/metric_{i}": n * i * 1.23456 for i in range(30)}} for n in range(1, 500)]
    error = {"what": "x" * 9999, "hint": "y" * 9999, "traceback": "z" * 99_999}
    folder = make_run(rows, state="failed", error=error)
    for epoch in range(1, 9):
        add_sample(folder, epoch, "长".encode() * 99_999, "txt")
    view = snapshot(folder)
    assert all(len(sample["text"]) <= TEXT + 1 for sample in view["samples"])
    assert weight(report.bundle(view)) <= report.LIMIT


def test_thinning_keeps_ends_extremes_and_gaps():
    values: list[float | None] = [1.0] * 10_000
    values[1234], values[8765], values[0], values[-1] = 99.0, -99.0, 5.0, 7.0
    steps = [float(n) for n in range(10_000)]
    kept_steps, kept = thin(steps, values, 100)
    assert len(kept) <= 100 and kept[0] == 5.0 and kept[-1] == 7.0
    assert kept[kept_steps.index(1234)] == 99.0 and kept[kept_steps.index(8765)] == -99.0
    assert thin(steps[:50], values[:50], 100) == (steps[:50], values[:50])
    gone: list[float | None] = [None] * 10_000
    assert set(thin(steps, gone, 100)[1]) == {None}


def test_thinning_again_and_again_stays_even():
    steps: list[float] = []
    values: list[float | None] = []
    for n in range(40_000):
        steps.append(n)
        values.append(float(n % 7))
        if len(steps) > 2 * KEPT:
            steps, values = thin(steps, values, KEPT)
    halves = [sum(1 for step in thin(steps, values, 300)[0] if low <= step < low + 20_000) for low in (0, 20_000)]
    assert abs(halves[0] - halves[1]) < 30


def test_readings_take_in_only_what_is_new():
    folder = make_run(training(5))
    readings = Readings(folder)
    assert readings.read() and not readings.read()
    with folder.file(folders.METRICS).open("a") as file:
        file.write('{"step": 6, "train/loss"')  # still being written
    assert not readings.read()
    with folder.file(folders.METRICS).open("a") as file:
        file.write(": 0.25}\n")
    assert readings.read() and readings.curves["loss"]["train"][0][-1] == 6


def test_a_resumed_run_forgets_what_its_checkpoint_does_not_know():
    folder = make_run(training(10))
    readings = Readings(folder)
    readings.read()
    folder.file(folders.METRICS).write_text("")
    write_rows(folder, training(4))
    readings.read()
    assert readings.curves["loss"]["train"][0] == [1, 2, 3, 4]
    write_rows(folder, [{"step": 3, "train/loss": 9.0}])  # cut and grown between two looks
    readings.read()
    assert readings.curves["loss"]["train"] == ([1, 2, 3], [2.0, 1.0, 9.0])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("val/loss", ("val", "loss")), ("train_acc", ("train", "acc")), ("validation/f1", ("val", "f1")),
        ("loss", ("train", "loss")), ("test/loss", None), ("my_loss", ("train", "my_loss")),
    ],
)  # fmt: skip
def test_names_of_metrics(key: str, found: tuple[str, str] | None):
    assert split_name(key) == found


def test_the_line_that_trains_again():
    assert command.line("cnn", "my data", {"batch_size": 64, "channels": (32, 64), "augment": True, "x": None}) == (
        "%bigmodel train cnn --data 'my data' --batch-size 64 --channels 32,64 --augment --x none"
    )


def test_words_for_numbers():
    assert [figure(n) for n in (0.8941, 241.71, 8312.4, 0.000012, None, float("nan"))] == [
        "0.894", "241.7", "8,312", "1.2e-05", "—", "NaN",
    ]  # fmt: skip
    assert [duration(n) for n in (1.23, 18, 150, 3900, 200_000, None)] == [
        "1.2 s", "18 s", "2 min", "1 h 5 min", "2 d 7 h", "",
    ]  # fmt: skip
    assert [size(n) for n in (412e6, 1.25e9, None)] == ["412 MB", "1.2 GB", "—"]


def test_where_a_run_stands():
    view = {"state": "running", "step": 640, "steps": 1407, "epoch": 2, "epochs": 3, "left": 18.0, "seconds": 9}
    assert state_line(view) == "epoch 2 of 3 · step 640 of 1,407 · 18 s left"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.28, 2.4), (-5, 5), (3.0, 3.0), (0, 0), (1e-9, 1e9)])
def test_an_axis_holds_its_values(low: float, high: float):
    bottom, top, marks = scale(low, high)
    assert bottom <= low and top >= high and bottom < top and 2 <= len(marks) <= 8


def test_a_young_run_fills_its_chart():
    curves = {"loss": {"train": ([1.0, 100.0], [1.0, 2.0])}}
    assert last_step(curves, 16_000) == 125 and last_step(curves, 100) == 100 and last_step(curves, None) == 100


def test_spread_keeps_first_and_last():
    assert spread(list(range(10)), 4) == [0, 3, 6, 9] and spread([1, 2], 4) == [1, 2] and spread([1, 2], 1) == [2]


def test_the_static_face_loads_nothing_heavy():
    code = (
        "import sys, nbmodels.views.report, nbmodels.views.snapshot, nbmodels.views.show\n"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'sklearn', 'ipywidgets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_fields_fit_their_options():
    widgets = pytest.importorskip("ipywidgets")
    from nbmodels.errors import InputError
    from nbmodels.views.fields import Field

    number = Field(make("epochs", int, 3, "At least 1."), 3, 3)
    assert isinstance(number.widget, widgets.BoundedIntText) and not number.changed
    number.widget.value = 5
    assert number.changed and number.value == 5
    rate = Field(make("lr", float | None, None, "Above 0."), None, None)
    assert rate.value is None
    rate.widget.value = "1e-3"
    assert rate.value == 1e-3
    rate.widget.value = "-1"
    with pytest.raises(InputError, match="above 0"):
        _ = rate.value


def test_the_form_follows_the_data_unless_a_field_was_changed():
    from nbmodels import words

    panel = words.panel({}, "rnn")
    assert panel.line == "%bigmodel train rnn --data movie-reviews"
    panel._choice.value = "shakespeare"
    assert panel._fields["epochs"].value == 1 and panel._fields["lr"].value == 0.01
    assert panel.line == "%bigmodel train rnn --data shakespeare"
    panel._fields["epochs"].widget.value = 4
    panel._data_fields["tokens"].widget.value = "bpe"
    assert panel.line == "%bigmodel train rnn --data shakespeare --epochs 4 --tokens bpe"
    panel._choice.value = "movie-reviews"
    assert panel._fields["epochs"].value == 4 and panel._fields["lr"].value == 0.002
    panel._fields["lr"].widget.value = "much"  # cannot be read: the other data comes all the same, and it stays
    panel._choice.value = "shakespeare"
    assert panel._fields["lr"].widget.value == "much" and "sequence_length" in panel._data_fields
