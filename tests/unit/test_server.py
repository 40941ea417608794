"""The server extension, over HTTP of a real Jupyter server: who may ask, what comes, and what bad folders do."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import psutil
import pytest

websocket = pytest.importorskip("websocket")
pytest.importorskip("jupyter_server")

from nbmodels.runs import folder as folders  # noqa: E402
from nbmodels.runs import reading  # noqa: E402
from nbmodels.runs.folder import RunFolder  # noqa: E402
from nbmodels.runs.run import train  # noqa: E402
from nbmodels.spec import Spec, Training  # noqa: E402
from nbmodels.views.readings import Readings  # noqa: E402

BENCH = Path(__file__).parents[2] / "bench" / "server.py"
PATIENCE = 120.0  # seconds; a worker takes a minute to come where many others work
HERE, ELSEWHERE = socket.gethostname(), "another-machine"


def load_bench() -> Any:
    found = importlib.util.spec_from_file_location("bench_server", BENCH)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


bench = load_bench()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    started = bench.Server(tmp_path_factory.mktemp("server"), base="/some/base/")
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _runs(server: Any) -> Iterator[None]:
    folders.set_runs_root(server.runs)
    yield
    folders.set_runs_root(None)


def until(true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not after {PATIENCE:g} s"
        time.sleep(0.05)
    return found


def make(name: str, lines: int = 10, **status: Any) -> RunFolder:
    folder = folders.create(Spec(name, "cnn", "digits", training=Training(epochs=8, lr=0.01, precision="auto")))
    bench.write_readings(folder.file(folders.METRICS), lines, 5)
    folder.write_status(**{"state": "finished", "step": lines, "steps": lines, "epoch": 8, **status})
    return folder


def row(server: Any, name: str) -> Any:
    return next((row for row in server.json("GET", "runs")["runs"] if row["name"] == name), None)


# -- who may ask


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "runs"), ("GET", "runs/0123456789ab/x"), ("GET", "runs/0123456789ab/x/metrics"),
        ("GET", "runs/0123456789ab/x/samples"), ("GET", "runs/0123456789ab/x/log"), ("GET", "models"),
        ("GET", "runs/0123456789ab/x/face"), ("POST", "runs/0123456789ab/x/control"), ("GET", "quickstart"),
        ("PATCH", "runs/0123456789ab/x"), ("DELETE", "runs/0123456789ab/x"), ("POST", "line"),
        ("POST", "tensorboard"), ("POST", "tensorboard/ping"), ("GET", "watch"),
    ],
)  # fmt: skip
def test_nobody_without_a_token(server: Any, method: str, path: str) -> None:
    assert server.ask(method, f"nbmodels/{path}", {}, headers={})[0] == 403


def test_a_socket_without_a_token_is_refused(server: Any) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(server, token="")
    assert refused.value.status_code == 403


def test_a_foreign_page_cannot_ask(server: Any) -> None:
    folder = make("mine")
    path = f"nbmodels/runs/{server.place}/mine"
    _, headers, _ = server.ask("GET", f"tree?token={bench.TOKEN}", headers={})
    cookie = cookies(server)
    assert server.ask("GET", path, headers={"Cookie": cookie, "Referer": address(server)})[0] == 200
    for method, body in (("DELETE", None), ("PATCH", {"name": "other"})):
        assert server.ask(method, path, body, {"Cookie": cookie})[0] == 403
    assert server.ask("POST", f"{path}/control", {"do": "stop"}, {"Cookie": cookie})[0] == 403
    assert folder.file(folders.SPEC).is_file() and not folder.file(folders.CONTROL).exists()
    xsrf = {"Cookie": cookie, "X-XSRFToken": SimpleCookie(cookie)["_xsrf"].value}
    assert server.ask("DELETE", path, headers=xsrf)[0] == 204


def cookies(server: Any) -> str:
    """What a browser holds that has logged in."""
    import requests

    session = requests.Session()
    session.get(f"{address(server)}login", params={"token": bench.TOKEN}, timeout=PATIENCE)
    return "; ".join(f"{each.name}={each.value}" for each in session.cookies)


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.port}{server.base}"


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", ".hidden", "a%2Fb", "..%2F..%2Foutside", "%2e%2e%2fx", "a%00b", "none", "a%5cb", "%FF"],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_no_name_leaves_the_place(server: Any, name: str, method: str) -> None:
    outside = server.root / "outside"
    for place in (outside, server.runs / ".hidden", server.runs / "plain"):
        place.mkdir(parents=True, exist_ok=True)
    outside.joinpath(folders.SPEC).write_text("model: x")
    before = sorted(path for path in server.root.glob("outside/*"))
    status, _, content = server.ask(method, f"nbmodels/runs/{server.place}/{name}", {"name": "new"})
    assert status in (400, 404)
    if name not in ("..", "%FF"):
        assert set(json.loads(content)) == {"message", "hint"}
    assert sorted(path for path in server.root.glob("outside/*")) == before
    assert (server.runs / ".hidden").is_dir() and not (server.runs / "new").exists()


@pytest.mark.parametrize("place", ["ffffffffffff", "..", "0123", "%2e%2e"])
def test_an_unknown_place(server: Any, place: str) -> None:
    assert server.ask("GET", f"nbmodels/runs/{place}/x")[0] == 404


# -- what comes


def test_a_row_says_what_the_folder_says(server: Any) -> None:
    make("said", 50, device="cpu, 2 threads", samples_per_second=8312.4, started=time.time() + 100)
    seen = until(lambda: (found := row(server, "said")) and found["metric"] and found, "the figures")
    assert server.json("GET", "runs")["runs"][0]["name"] == "said"  # the newest first
    assert (seen["id"], seen["folder"], seen["path"]) == (f"{server.place}/said", "runs/said", "runs/said")
    assert (seen["title"], seen["state"], seen["epoch"], seen["error"]) == ("cnn on digits", "finished", 8, None)
    assert (seen["metric"], seen["best"]) == ("accuracy", 0.98039) and len(seen["curve"]) == 10
    assert seen["command"] == "%bigmodel train cnn --data digits --lr 0.01"


def test_a_place_outside_the_servers_root_is_known_but_cannot_be_opened(server: Any, tmp_path: Path) -> None:
    note = server.root / "state" / "nbmodels" / "places"
    folders.set_runs_root(tmp_path)
    make("far")
    note.mkdir(parents=True, exist_ok=True)
    note.joinpath(bench.place_id(tmp_path)).write_text(str(tmp_path))
    found = row(server, "far")
    assert found and found["path"] is None and found["folder"].endswith("/far")
    assert server.json("GET", f"runs/{found['id']}")["name"] == "far"


def test_one_run_whole(server: Any) -> None:
    folder = make("whole", 50)
    folder.file(folders.LOG).write_text("one\ntwo\nthree\n")
    folder.file(folders.SAMPLES).mkdir()
    folder.file(folders.SAMPLES).joinpath("1.txt").write_text("<b>once</b>")
    folder.file(folders.SAMPLES).joinpath("index.jsonl").write_text('{"step": 1, "epoch": 1, "file": "1.txt"}\n')
    path = f"runs/{server.place}/whole"
    seen = server.json("GET", path)
    assert seen["id"] == f"{server.place}/whole" and len(seen["series"]["loss"]["val"][0]) == 10
    assert server.json("GET", f"{path}/samples")["samples"] == seen["samples"] and len(seen["samples"]) == 1
    assert server.json("GET", f"{path}/log?lines=2") == {"text": "two\nthree"}
    status, headers, face = server.ask("GET", f"nbmodels/{path}/face")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "sandbox" in headers["Content-Security-Policy"] and b"&lt;b&gt;once" in face and b"<script" not in face
    kept = server.json("GET", f"{path}/face?bundle=1")
    assert kept["application/vnd.nbmodels.run+json"]["id"] == seen["id"] and {"text/html", "text/plain"} < set(kept)


def test_metrics_come_whole_lines_after_a_byte_and_thinned(server: Any) -> None:
    folder = make("lines", 100)
    path = f"runs/{server.place}/lines/metrics"
    first = server.json("GET", path)
    assert len(first["rows"]) == 100 and first["offset"] == folder.file(folders.METRICS).stat().st_size
    with folder.file(folders.METRICS).open("a") as file:
        file.write('{"step": 101, "train/loss": NaN}\n{"step": 102, "tr')
    more = server.json("GET", f"{path}?since={first['offset']}")
    assert more["rows"] == [{"step": 101, "train/loss": None}]
    assert server.json("GET", f"{path}?since={more['offset']}") == {**more, "rows": [], "since": more["offset"]}
    few = server.json("GET", f"{path}?points=12")["rows"]
    assert len(few) == 12 and (few[0]["step"], few[-1]["step"]) == (1, 101)
    assert any("val/loss" in line for line in few)
    assert server.json("GET", f"{path}?since=999999999")["since"] == 0
    assert server.ask("GET", f"nbmodels/{path}?since=-1")[0] == 400
    assert server.ask("GET", f"nbmodels/{path}?points=x")[0] == 400


@pytest.mark.parametrize("every", [5, 1000])
def test_a_long_run_is_looked_at_first_and_read_whole_then(server: Any, monkeypatch: Any, every: int) -> None:
    monkeypatch.setattr(reading, "PIECE", 100_000)
    monkeypatch.setattr("nbmodels.views.readings.PIECE", 100_000)
    folder = make(f"long-{every}", 0)
    bench.write_readings(folder.file(folders.METRICS), 20_000, every)
    whole, quick = Readings(folder), Readings(folder, patience=0)
    assert whole.read() and quick.read() and whole.exact and not quick.exact
    assert quick.latest == whole.latest
    seen, known = quick.curves["loss"], whole.curves["loss"]
    assert seen["train"][0][0] == 1 and seen["train"][0][-1] == known["train"][0][-1]
    assert len(seen["train"][0]) > 1000 and sorted(seen["train"][0]) == seen["train"][0]
    assert every == 5 or seen["val"] == known["val"]  # validations are rare: none is missed
    with folder.file(folders.METRICS).open("a") as file:
        file.write('{"step": 20001, "train/loss": 0.125}\n')
    looks = 0
    while not quick.exact:
        assert quick.read() and quick.latest["train/loss"] == 0.125
        looks += 1
    whole.read()
    assert looks > 5 and (quick.curves, quick.latest) == (whole.curves, whole.latest)


def test_lines_are_parsed_as_one_by_one() -> None:
    good, torn = b'{"a": 1}\n{"b": NaN}\n', b'{"a": 1\n"b": 2}\n[1]\n{"c": 3}\n'
    assert reading.rows(good)[0] == {"a": 1} and len(reading.rows(good)) == 2
    assert reading.rows(torn) == [{"c": 3}] and reading.rows(b"") == []


# -- bad folders


def test_half_written_folders(server: Any) -> None:
    for name, content in (("no-status", None), ("empty-status", ""), ("half-status", '{"state": "run')):
        folder = make(name)
        folder.file(folders.STATUS).unlink()
        if content is not None:
            folder.file(folders.STATUS).write_text(content)
        seen = row(server, name)
        assert seen and seen["state"] == "lost" and seen["title"] == "cnn on digits"
        assert server.json("GET", f"runs/{seen['id']}")["state"] == "lost"
    folder = make("half-spec")
    folder.file(folders.SPEC).write_text("name: half-spec\nmod")
    assert server.json("GET", f"runs/{server.place}/half-spec")["state"] == "finished"


def test_a_run_from_a_newer_version(server: Any) -> None:
    folder = make("newer", state="hibernating", epoch={"of": 3}, heartbeat="soon", started=[1])
    folder.file(folders.SPEC).write_text(folder.file(folders.SPEC).read_text() + "warp: 9\n")
    seen = server.json("GET", f"runs/{server.place}/newer")
    assert (seen["state"], seen["command"], seen["step"]) == ("hibernating", "", 10)
    seen = row(server, "newer")
    assert (seen["state"], seen["started"], seen["title"]) == ("hibernating", None, "cnn on digits")


def test_a_pipe_in_place_of_a_file_is_not_read(server: Any) -> None:
    folder = make("piped")
    for name in (folders.STATUS, folders.METRICS, folders.LOG):
        folder.file(name).unlink(missing_ok=True)
        os.mkfifo(folder.file(name))
    assert row(server, "piped")["state"] == "lost"
    for path in ("", "/metrics", "/samples", "/log", "/face"):
        assert server.ask("GET", f"nbmodels/runs/{server.place}/piped{path}")[0] == 200
    shutil.rmtree(folder.path)


HANGING = """
import os, time
from nbmodels.server.routes import _load_jupyter_server_extension as load

def hang(path, dir_fd=None, follow_symlinks=True, stat=os.stat):
    while "away" in str(path) and os.path.exists("hang"):
        time.sleep(0.05)
    return stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

def _load_jupyter_server_extension(app):
    os.stat = hang  # as a network disk that does not answer: every look at such a folder waits
    load(app)
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Any]:
    """A server for which some folders do not answer as long as a file named `hang` is there."""
    root = tmp_path / "hanging"
    root.mkdir()
    root.joinpath("hang_looks.py").write_text(HANGING)
    config = root / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True)
    config.joinpath("hang.json").write_text('{"ServerApp": {"jpserver_extensions": {"hang_looks": true}}}')
    old = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{root}{os.pathsep}{old}"
    folders.set_runs_root(root / "runs")
    try:
        started = bench.Server(root)
    finally:
        os.environ["PYTHONPATH"] = old
    yield started
    root.joinpath("hang").unlink(missing_ok=True)
    started.close()


def test_folders_that_do_not_answer_stop_nobody_else(hanging: Any) -> None:
    for number in range(12):
        make(f"away-{number}")
    make("here")
    assert {row["state"] for row in hanging.json("GET", "runs")["runs"]} == {"finished"}
    hanging.root.joinpath("hang").touch()
    place = f"nbmodels/runs/{hanging.place}"
    with ThreadPoolExecutor(40) as others:
        asked = [
            others.submit(hanging.ask, "GET", f"{place}/away-{number % 12}{path}")
            for number in range(40)
            for path in [("", "/metrics", "/log", "/face")[number % 4]]
        ]
        rows = {row["name"]: row for row in hanging.json("GET", "runs")["runs"]}
        assert len(rows) == 13 and "does not answer" in rows["away-0"]["error"]
        assert hanging.ask("GET", "api")[0] == 200 and hanging.json("GET", "models")["models"]
        answers = [each.result(PATIENCE) for each in asked]
    assert {status for status, _, _ in answers} == {503}
    assert all("does not answer" in json.loads(content)["message"] for _, _, content in answers)
    rows = {row["name"]: row for row in hanging.json("GET", "runs")["runs"]}
    threads = psutil.Process(hanging._process.pid).num_threads()
    assert threads < 60 and rows["here"]["title"] == "cnn on digits"
    hanging.root.joinpath("hang").unlink()
    until(lambda: all(row["state"] == "finished" for row in hanging.json("GET", "runs")["runs"]), "all answer again")
    assert hanging.ask("GET", f"{place}/away-3")[0] == 200


def test_nothing_outside_the_folder_is_served(server: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("secret.txt").write_text("a-secret")
    folder = make("leaky")
    folder.file(folders.SAMPLES).mkdir()
    lines = [{"step": 1, "epoch": 1, "file": name} for name in ("00000001.txt", "../../secret.txt", "/etc/passwd")]
    folder.file(folders.SAMPLES).joinpath("index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder.file(folders.SAMPLES).joinpath("00000001.txt").symlink_to(tmp_path / "secret.txt")
    for name in (folders.LOG, folders.METRICS, folders.TEST):
        folder.file(name).unlink(missing_ok=True)
        folder.file(name).symlink_to(tmp_path / "secret.txt")
    for path in ("", "/metrics", "/samples", "/log", "/face"):
        status, _, content = server.ask("GET", f"nbmodels/runs/{server.place}/leaky{path}")
        assert status == 200 and b"a-secret" not in content and b"root:" not in content


def test_a_long_log_is_read_from_its_end(server: Any) -> None:
    folder = make("talkative")
    with folder.file(folders.LOG).open("wb") as file:
        file.truncate(3_000_000_000)  # more than is read, and a hole on the disk
        file.seek(0, 2)
        file.write(b"".join(b"line %d\n" % number for number in range(100)))
    began = time.monotonic()
    text = server.json("GET", f"runs/{server.place}/talkative/log?lines=3")["text"]
    assert text.splitlines() == ["line 97", "line 98", "line 99"] and time.monotonic() - began < 20


@pytest.mark.parametrize(
    "status",
    [
        {"pid": 2**22 + 1, "process_started": 1.0, "host": HERE},
        {"pid": os.getpid(), "process_started": 1.0, "host": HERE},
        {"pid": 1, "process_started": 1.0, "host": ELSEWHERE, "heartbeat": time.time() - 3600},
        {"pid": None, "host": HERE, "heartbeat": time.time() - 3600},
    ],
    ids=["gone", "reused", "another host", "never came"],
)
def test_a_worker_that_died_without_a_word(server: Any, status: dict[str, Any], request: Any) -> None:
    name = "died-" + request.node.callspec.id.replace(" ", "-")
    make(name, state="running", **status)
    seen = row(server, name)
    assert seen and seen["state"] == "lost" and seen["error"].endswith(f"%bigmodel resume {name}")
    whole = server.json("GET", f"runs/{seen['id']}")
    assert whole["state"] == "lost" and f"resume {name}" in whole["error"]["hint"]


# -- change


def living(name: str) -> RunFolder:
    """A run whose worker is this process."""
    here = folders.process_started(os.getpid())
    return make(name, state="running", pid=os.getpid(), process_started=here, host=HERE, heartbeat=time.time())


def refused(server: Any, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str]]:
    status, _, content = server.ask(method, f"nbmodels/{path}", body)
    return status, json.loads(content or "{}")


def test_a_living_run_keeps_its_name_and_its_folder(server: Any) -> None:
    folder = living("alive")
    path = f"runs/{server.place}/alive"
    assert refused(server, "DELETE", path)[0] == 409
    status, error = refused(server, "PATCH", path, {"name": "other"})
    assert status == 409 and "stop alive" in error["hint"] and folder.file(folders.SPEC).is_file()
    folder.write_status(state="finished")


def test_rename(server: Any) -> None:
    make("old")
    make("taken")
    path = f"runs/{server.place}/old"
    status, error = refused(server, "PATCH", path, {"name": "taken"})
    assert status == 409 and "taken-2" in error["hint"]
    for name in ("../out", ".x", "", "a/b", "x" * 100):
        status, error = refused(server, "PATCH", path, {"name": name})
        assert status == 400 and error["hint"]
    assert refused(server, "PATCH", path, {"name": 3})[0] == 400
    assert refused(server, "PATCH", path, ["new"])[0] == 400
    assert server.json("PATCH", path, {"name": "new"})["id"] == f"{server.place}/new"
    assert refused(server, "GET", path)[0] == 404
    renamed = RunFolder(server.runs / "new")
    assert renamed.spec().name == renamed.status()["name"] == "new"


def test_delete(server: Any) -> None:
    make("going")
    assert server.json("DELETE", f"runs/{server.place}/going") is None
    assert refused(server, "GET", f"runs/{server.place}/going")[0] == 404 and row(server, "going") is None
    until(lambda: not list(server.runs.glob("*going*")) + list(server.runs.glob(".going*")), "the folder is gone")


def test_wrong_words(server: Any) -> None:
    make("ended")
    path = f"runs/{server.place}/ended/control"
    assert refused(server, "POST", path, {"do": "fly"})[0] == 400
    assert refused(server, "POST", path, {"do": "lr", "value": -1})[0] == 400
    assert refused(server, "POST", path, {"do": "lr"})[0] == 400
    assert refused(server, "POST", path, b"{not json")[0] == 400
    assert refused(server, "POST", path, {"do": "pause"})[0] == 409
    status, error = refused(server, "POST", path, {"do": "resume"})
    assert status == 409 and "has finished" in error["message"]


def test_a_real_worker_obeys(server: Any) -> None:
    spec = Spec("obeys", "linear", "digits", training=Training(epochs=5000, batch_size=32))
    folder = train(spec, wait=False).folder
    path = f"runs/{server.place}/obeys"

    def ask(do: str, **more: Any) -> Any:
        return server.json("POST", f"{path}/control", {"do": do, **more})["state"]

    def seen(true: Callable[[dict[str, Any]], Any], what: str) -> None:
        until(lambda: true(server.json("GET", path)), what)

    seen(lambda view: view["state"] == "running" and view["step"] > 10, "it trains")
    with connected(server, {"devices": True}) as told:
        uses = until(lambda: [each for each in told()["devices"]["runs"] if each["name"] == "obeys"], "the meter")
        assert uses[0]["memory"] > 1e6 and uses[0]["id"] == f"{server.place}/obeys"
    assert ask("lr", value=0.0123) == "running"
    seen(lambda view: view["lr"] and view["lr"] <= 0.0123, "the learning rate")
    ask("pause")
    seen(lambda view: view["state"] == "paused", "it pauses")
    assert refused(server, "DELETE", path)[0] == 409
    ask("resume")
    seen(lambda view: view["state"] == "running", "it goes on")
    began = time.monotonic()
    ask("stop")
    assert time.monotonic() - began < 2
    seen(lambda view: view["state"] == "stopped", "it stops")
    step = folder.status()["step"]
    assert ask("resume") == "starting"
    assert ask("resume") in ("starting", "running")  # pressed twice: one worker
    seen(lambda view: view["state"] == "running" and view["step"] > step, "it goes on from its checkpoint")
    psutil.Process(folder.status()["pid"]).kill()
    seen(lambda view: view["state"] == "lost", "its worker is missed")


def test_anothers_code_is_asked_about(server: Any) -> None:
    spec = Spec("foreign", "notebook:Net", "digits", training=Training(epochs=1))
    folder = folders.create(spec, pickle.dumps({"model": None}))  # this process has another home than the server
    folder.write_status(state="stopped")
    path = f"runs/{server.place}/foreign/control"
    status, said = refused(server, "POST", path, {"do": "resume"})
    assert (status, said["trust"]) == (409, True) and "foreign" in said["message"] and "--trust" in said["hint"]
    assert folder.status()["state"] == "stopped" and not folder.file(folders.CONTROL).exists()
    assert refused(server, "POST", path, {"do": "resume", "trust": "yes"})[0] == 400
    assert server.json("POST", path, {"do": "resume", "trust": True})["state"] in ("starting", "running")
    until(lambda: folder.state() == "failed", "it is no model, so its worker fails")
    assert "trust" not in folder.status()["error"]["what"]


# -- the catalogue, the line, the quickstart


def test_the_catalogue(server: Any) -> None:
    found = server.json("GET", "models")
    cnn = next(model for model in found["models"] if model["name"] == "cnn")
    assert "fashion-mnist" in cnn["data"] and "pydoc" not in cnn["data"] and cnn["recipe"]["epochs"] == 8
    assert "num_classes" not in [option["name"] for option in cnn["options"]]
    batch = next(option for option in found["training"] if option["name"] == "batch_size")
    assert (batch["short"], batch["low"], batch["high"], batch["optional"]) == ("int", 1, None, False)
    assert [option["name"] for option in found["common"]] == ["data", "name", "from", "task"]
    assert {each["name"] for each in found["data"]} >= {"digits", "pydoc"}


@pytest.mark.parametrize(
    ("options", "data", "line"),
    [
        ({}, "digits", "%bigmodel train cnn --data digits"),
        ({"epochs": "8", "lr": "1e-2", "seed": ""}, None, "%bigmodel train cnn --data digits --lr 0.01"),
        ({"augment": "1", "channels": "8, 9"}, "digits", "%bigmodel train cnn --data digits --augment --channels 8,9"),
        ({"name": "mine"}, "my_images", "%bigmodel train cnn --data my_images --name mine"),
        ({}, "my data/x.csv", "%bigmodel train cnn --data 'my data/x.csv'"),
    ],
)  # fmt: skip
def test_a_forms_line(server: Any, options: dict[str, str], data: str | None, line: str) -> None:
    assert server.json("POST", "line", {"model": "cnn", "data": data, "options": options}) == {"line": line}


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"options": {"epochs": "0"}}, "--epochs 1"), ({"options": {"epohcs": "3"}}, "--epochs"),
        ({"options": {"name": "../x"}}, "--name"), ({"model": "cnm"}, "cnn"), ({"data": "pydoc"}, "digits"),
    ],
)  # fmt: skip
def test_a_line_that_would_not_do(server: Any, asked: dict[str, Any], hint: str) -> None:
    status, error = refused(server, "POST", "line", {"model": "cnn", "data": "digits", "options": {}, **asked})
    assert status == 400 and error["message"] and hint in error["hint"]


def test_the_quickstart_has_no_outputs(server: Any) -> None:
    notebook = server.json("GET", "quickstart")
    assert notebook["nbformat"] == 4 and not any(cell.get("outputs") for cell in notebook["cells"])


# -- the websocket


def connect(server: Any, token: str) -> Any:
    url = f"ws://127.0.0.1:{server.port}{server.base}nbmodels/watch"
    return websocket.create_connection(url, timeout=20, header=[f"Authorization: token {token}"] if token else [])


class connected:
    """One page's socket: entering gives a call that gives the next message."""

    def __init__(self, server: Any, wish: dict[str, Any]) -> None:
        self.socket = connect(server, bench.TOKEN)
        self.wish(**wish)

    def wish(self, **wish: Any) -> None:
        self.socket.send(json.dumps({"period": 0.2, **wish}))

    def __enter__(self) -> Any:
        return lambda: json.loads(self.socket.recv())

    def __exit__(self, *_: Any) -> None:
        self.socket.close()


def of(next_message: Callable[[], Any], true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The next message of which something is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if true(message := next_message()):
            return message
    raise AssertionError("no such message")


def test_a_page_hears_of_runs(server: Any) -> None:
    make("still")
    until(lambda: row(server, "still")["metric"], "all that is known of it")
    folder, name = living("heard"), "heard"
    page = connected(server, {"runs": True})
    with page as told:
        first = told()
        assert first["all"] and name in [row["name"] for row in first["runs"]]
        folder.write_status(step=77, heartbeat=time.time())
        news = of(told, lambda message: any(row["step"] == 77 for row in message["runs"]))
        assert not news["all"] and news["gone"] == []
        folder.write_status(pid=2**22 + 1)  # the worker dies
        news = of(told, lambda message: any(row["name"] == name and row["state"] == "lost" for row in message["runs"]))
        assert "still" not in [row["name"] for row in news["runs"]]  # what has not changed is not sent
        server.json("DELETE", f"runs/{server.place}/{name}")
        assert of(told, lambda message: message["gone"])["gone"] == [f"{server.place}/{name}"]
        page.socket.send("nonsense")
        page.socket.send("[1]")
        page.wish(runs=True, views=[7, "x/y"], period="fast")
        assert of(told, lambda message: "missing" in message)["id"] == "x/y"
        page.wish(runs=False)
        page.wish(runs=True)
        assert of(told, lambda message: "runs" in message)["all"]  # all anew


def test_a_view_moves_and_goes_missing(server: Any) -> None:
    folder, run = living("viewed"), f"{server.place}/viewed"
    page = connected(server, {"views": [run]})
    with page as told:
        first = told()
        assert first["id"] == run and first["view"]["state"] == "running" and first["samples"] == []
        with folder.file(folders.METRICS).open("a") as file:
            file.write('{"step": 11, "train/loss": 0.5}\n{"step": 12, "tra')
        news = of(told, lambda message: message["view"]["series"]["loss"]["train"][0][-1] == 11)
        assert "samples" not in news
        folder.file(folders.STATUS).write_text("")
        assert of(told, lambda message: message["view"]["state"] == "lost")
        shutil.rmtree(folder.path)
        assert of(told, lambda message: message.get("missing")) == {"id": run, "missing": True}
        make("viewed", 3, started=5.0)  # another run of that name
        again = of(told, lambda message: "view" in message and message["view"]["state"] == "finished")
        assert again["view"]["started"] == 5.0 and again["view"]["series"]["loss"]["train"][0] == [1, 2, 3]
        page.wish(views=[])
        page.wish(views=[run])
        assert of(told, lambda message: "view" in message)["samples"] == []  # all anew


def test_two_pages_hear_independently(server: Any) -> None:
    one, two = make("one"), make("two")
    first = connected(server, {"views": [f"{server.place}/one"]})
    second = connected(server, {"views": [f"{server.place}/two"], "devices": True})
    with first as told, second as other:
        assert told()["view"]["name"] == "one"
        assert of(other, lambda message: "view" in message)["view"]["name"] == "two"
        one.write_status(step=5)
        assert told()["view"]["step"] == 5
        two.write_status(step=6)
        assert of(other, lambda message: "view" in message)["view"]["step"] == 6
        machine = of(other, lambda message: "devices" in message)["devices"]
        assert machine["cpu"]["cores"] >= 1 and machine["cpu"]["memory_total"] > machine["cpu"]["memory_used"] > 0
        assert isinstance(machine["gpus"], list)


# -- TensorBoard


def test_tensorboard_on_demand_and_never_stale(server: Any) -> None:
    folder = make("boarded")
    run = {"id": f"{server.place}/boarded", "place": None}
    found = server.json("POST", "tensorboard", run)
    status, _, page = server.ask("GET", found["path"])
    assert status == 200 and b"TensorBoard" in page
    assert server.json("POST", "tensorboard", run) == found  # it lives: the same
    assert server.json("POST", "tensorboard/ping", {"key": found["key"]}) is None
    mine = [each for each in psutil.process_iter(["cmdline"]) if str(folder.path) in (each.info["cmdline"] or [])]
    mine[0].kill()
    until(lambda: refused(server, "POST", "tensorboard/ping", {"key": found["key"]})[0] == 404, "its end is seen")
    again = server.json("POST", "tensorboard", run)
    assert again["key"] != found["key"] and server.ask("GET", again["path"])[0] == 200
    shutil.rmtree(folder.path)
    assert refused(server, "POST", "tensorboard/ping", {"key": again["key"]})[0] == 404
    assert refused(server, "POST", "tensorboard", run)[0] == 404
    assert refused(server, "POST", "tensorboard", {"id": None, "place": "ffffffffffff"})[0] == 404


def test_tensorboard_that_nobody_looks_at_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbmodels.server import boards

    ended: list[Path] = []
    monkeypatch.setattr(boards.board, "port", lambda folder: 1234)
    monkeypatch.setattr(boards.board, "running", lambda folder: 1234)
    monkeypatch.setattr(boards.board, "end", ended.append)
    folders.set_runs_root(tmp_path)
    room = boards.Boards()
    key = room.open(None, None)["key"]
    monkeypatch.setattr(boards, "IDLE", 0.05)
    room.ping(key)
    time.sleep(0.1)
    with pytest.raises(boards.Refusal):
        room.ping(key)
    assert ended == [tmp_path]


def test_the_server_imports_nothing_heavy() -> None:
    code = (
        "import sys, nbmodels.server, nbmodels.server.routes\n"
        "from nbmodels.server.catalogue import catalogue, line\n"
        "catalogue(), line('cnn', 'digits', {})\n"
        "heavy = ('torch', 'lightning', 'pandas', 'matplotlib', 'sklearn', 'ipywidgets')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
