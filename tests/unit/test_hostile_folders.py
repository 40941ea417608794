"""Any reader of a run's folder, any content: values of the right types, or one of our errors, and never a wait."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tornado.web import HTTPError

from nbmodels import cli, complete, pages, words
from nbmodels.data.facts import Facts
from nbmodels.errors import BigModelError
from nbmodels.runs import folder as folders
from nbmodels.runs import listing, places
from nbmodels.runs.folder import RunFolder
from nbmodels.runs.run import Run
from nbmodels.server import metrics as server_metrics
from nbmodels.server.rows import Book
from nbmodels.server.views import Views
from nbmodels.spec import Spec, Training
from nbmodels.views import report
from nbmodels.views.snapshot import snapshot

HANGS = 60.0  # seconds after which a reader waits for something that never comes
FILES = (
    "spec.yaml", "status.json", "metrics.jsonl", "samples/index.jsonl", "control.json", "facts.json", "test.json",
    "worker.log", "samples/00000010.txt", "samples/00000010.png",
)  # fmt: skip
SECRET = "root-of-all-secrets"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of runs with one good run in it, which no reader may lose."""
    place = tmp_path_factory.mktemp("hostile") / "runs"
    folders.set_runs_root(place)
    write("good-1")
    place.parent.joinpath("secret.txt").write_text(SECRET)
    yield place
    folders.set_runs_root(None)


def write(name: str) -> RunFolder:
    """A run as a worker leaves it."""
    folder = folders.create(Spec(name, "cnn", "digits", {"width": 32}, training=Training(epochs=2, lr=0.01)))
    folder.write_status(
        state="running",
        started=17e8,
        heartbeat=17e8,
        uptime=[17e8, 1.0],
        boot="",
        host=None,
        pid=4_000_000,
        process_started=1.5,
        step=20,
        steps=20,
        epoch=2.0,
        seconds=3.5,
        left=1.0,
        samples_per_second=1000.5,
        metrics={"val/loss": 0.25, "val/accuracy": 0.9},
        device="cpu",
        lr=0.01,
        memory={"process": 412_000_000, "device": None},
        error={"what": "It broke", "hint": "Mend it", "traceback": "…"},
    )
    lines = [
        {"step": step, "epoch": step / 10, "time": 0.1, "lr": 0.01, "train/loss": 1 / step} for step in range(1, 20)
    ]
    lines.append({"step": 20, "epoch": 2.0, "val/loss": 0.25, "val/accuracy": 0.9})
    folder.file("metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder.file("samples").mkdir()
    folder.file("samples/00000010.txt").write_text("once upon a time")
    folder.file("samples/00000010.png").write_bytes(b"\x89PNG not really")
    made = [{"step": 10, "epoch": 1, "file": f"00000010.{kind}", "caption": "a digit"} for kind in ("txt", "png")]
    folder.file("samples/index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in made))
    folder.file("control.json").write_text(json.dumps({"want": "pause", "lr": [0.001, 17e8]}))
    facts = Facts("digits", "image", "classification", {"in_channels": 1}, ("0", "1"), mean=(0.5,), std=(0.25,))
    folder.file("facts.json").write_text(json.dumps(facts.to_dict()))
    tested = {"state": "finished", "checkpoint": "step-00000020.ckpt", "figures": {"test/loss": 0.3}, "texts": ["no"]}
    folder.file("test.json").write_text(json.dumps({**tested, "picture": "data:image/png;base64,AAAA"}))
    folder.file("worker.log").write_text("it works\n")
    return folder


# -- what can stand in a file

numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308, -1e308, 1e-320, 10**4000])
)
texts = st.one_of(st.text(), st.text(st.characters(categories=("Cs", "Cc", "Cf"))), st.just("\x1b[2J" * 20))
names = st.one_of(
    st.sampled_from(
        [
            "state",
            "epoch",
            "epochs",
            "step",
            "steps",
            "pid",
            "host",
            "heartbeat",
            "metrics",
            "memory",
            "error",
            "what",
            "val/loss",
            "train/loss",
            "file",
            "caption",
            "want",
            "lr",
            "figures",
            "picture",
            "texts",
            "training",
            "model",
            "name",
            "data",
            "task",
            "start",
            "model_options",
            "fills",
            "classes",
            "tokens",
            "checkpoint",
            "left",
            "started",
        ]
    ),
    texts,
)
things = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
DEEP = 100_000
WHOLE: list[bytes] = [
    b"",
    b"\0" * 4096,
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b'{"metrics": ' + b"[" * 900 + b"]" * 900 + b"}\n",
    b"\xff\xfe{\0}\0",
    '{"state": "running"}'.encode("utf-16"),
    b'{"state": "\\ud800", "error": {"what": "\\udfff"}}',
    b"1e400",
    b'{"step": 1e400, "epoch": -1e400, "pid": 1e999}\n',
    b'{"step": ' + b"9" * 3000 + b', "train/loss": 1}\n' * 3,
    b'{"step": 1, "train/loss": 1e308}\n{"step": 2, "train/loss": -1e308}\n',
    b'{"step": 3, "\\ud800/loss": 1}\n',
    b"x" * 3_000_000,
    b"\n" * 1_000_000,
    b'{"file": "../../secret.txt"}\n{"file": "/etc/passwd"}\n{"file": "\\u0000.txt"}\n',
    b"a: &a [x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n",
    b"- &a [*a]\n",
    b"a: &a {b: c}\n<<: [*a, *a]\n",
    b"a: !!python/object/apply:os.system [ls]\n",
    b"? [a]\n: b\n",
    b"a: 2026-01-01\n",
    b"a: 2026-99-99\n",
    b"a: .inf\n",
    b"{" * 5000,
    b"- " * 5000,
    b"model: !!binary aGFsbG8=\n",
    b"a: 0x" + b"f" * 20_000,
    b"? " * 5000,
    b'"\\ud800": 1\n',
]


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode() + b"\n"


contents = st.one_of(st.binary(max_size=200), st.sampled_from(WHOLE), st.builds(dumped, things))


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """The real content with one thing in it changed: a value, a byte, its end."""
    how = draw(st.sampled_from(["value", "byte", "cut"]))
    place = draw(st.integers(0, max(0, len(original) - 1)))
    if how == "cut":
        return original[:place]
    if how == "byte":
        return original[:place] + draw(st.binary(max_size=3)) + original[place + 1 :]
    lines = original.split(b"\n")
    number = draw(st.integers(0, len(lines) - 1))
    try:
        found = json.loads(lines[number])
    except ValueError:  # YAML, or no object at all
        head, colon, _ = lines[number].partition(b": ")
        lines[number] = head + colon + dumped(draw(things)).strip()
        return b"\n".join(lines)
    lines[number] = dumped(replaced(draw, found)).strip()
    return b"\n".join(lines)


def replaced(draw: st.DrawFn, value: Any) -> Any:
    """The value with one of its parts, at any depth, changed for anything."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: replaced(draw, value[key])}
    return draw(things)


# -- what stands in a file's place


def link_out(path: Path) -> None:
    path.symlink_to(path.parents[2] / "secret.txt" if path.parent.name != "samples" else path.parents[3] / "secret.txt")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8_000_000_000)


PLACES: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link out": link_out,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "8 GB of zeros": sparse,
}


# -- every reader


def readers(folder: RunFolder) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Whatever reads a folder, and everything that is drawn from it."""
    for name in ("status", "state", "alive", "spec", "facts", "metrics", "samples", "checkpoints", "log", "test"):
        yield name, getattr(folder, name)
    yield "summary", lambda: sound(folder.summary())
    yield "control", folder.control
    yield "repr", lambda: repr(Run(folder))
    yield "snapshot", lambda: sound(snapshot(folder))
    for face in (report.html, report.text, report.svg, report.bundle, report.small):
        yield face.__name__, lambda face=face: sound(face(snapshot(folder)))
    yield "the test's page", lambda: repr(pages.test({"name": "x"}, {"figures": {}, **folder.test()}))
    yield "the server's rows", lambda: sound(book(folder))
    yield "the server's view", lambda: sound(Views().look(f"{places.place_id(folder.path.parent)}/{folder.name}"))
    yield "the server's metrics", lambda: sound(server_metrics.metrics(folder, 0, 50))
    yield "the runs", lambda: listed(folder)
    yield "completion", lambda: kept(complete.complete("%bigmodel attach ", {}))
    yield "the command", command
    yield "the newest run", lambda: words.find_run(None, {}).folder.spec()


def command() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert cli.main(["runs", "--json"]) == 0
    kept([run["name"] for run in json.loads(said.getvalue())])


def sound(value: Any) -> Any:
    """It can be sent to a page: JSON without NaN, whole characters."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def book(folder: RunFolder) -> list[Any]:
    found = Book(folder.path.parent)
    found.rows()
    for page in found.pages():
        with contextlib.suppress(BigModelError):
            page.digest()
    kept([row["name"] for row in found.rows()])
    return found.rows()


def kept(names: list[str]) -> None:
    assert "good-1" in names


def listed(folder: RunFolder) -> None:
    found = listing.listed(folder.path.parent)
    kept([run.name for run in found.runs])
    there = os.path.lexists(folder.file("spec.yaml"))
    assert (folder.name in found.strays) == (there and folder.name not in [run.name for run in found.runs])
    shown = words.runs({})
    assert "good-1" in repr(shown) and "good-1" in shown._repr_html_()
    assert all(name in repr(shown).replace("\n", " ") for name in found.strays)


def read_all(folder: RunFolder, capsys: Any = None) -> None:
    """Call every reader in a thread that is waited for; anything but our own errors fails."""
    trouble: list[str] = []

    def work() -> None:
        for name, read in readers(folder):
            try:
                read()
            except (BigModelError, HTTPError):
                pass
            except BaseException as error:
                trouble.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        done.set()

    done = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    assert done.wait(HANGS), "a reader waits for ever"
    assert not trouble, trouble


@contextlib.contextmanager
def damaged() -> Iterator[RunFolder]:
    folder = write("bad-1")
    try:
        yield folder
    finally:
        shutil.rmtree(folder.path)


SOME = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SOME
@given(st.sampled_from(FILES), contents)
def test_any_bytes(root: Path, file: str, content: bytes) -> None:
    with damaged() as folder:
        folder.file(file).write_bytes(content)
        read_all(folder)


@pytest.mark.parametrize("file", FILES[:7])
def test_every_known_way(root: Path, file: str) -> None:
    with damaged() as folder:
        for content in WHOLE:
            folder.file(file).write_bytes(content)
            read_all(folder)


@settings(SOME, max_examples=150)
@given(st.sampled_from(FILES[:8]), st.data())
def test_real_content_with_one_thing_changed(root: Path, file: str, data: st.DataObject) -> None:
    with damaged() as folder:
        folder.file(file).write_bytes(data.draw(mutated(folder.file(file).read_bytes())))
        read_all(folder)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("file", [*FILES, "samples", "checkpoints"])
def test_something_else_in_its_place(root: Path, file: str, place: str) -> None:
    with damaged() as folder:
        target = folder.file(file)
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        PLACES[place](target)
        read_all(folder)
        faces = json.dumps([snapshot(folder), folder.log(), folder.metrics(), folder.test()])
        assert SECRET not in faces and "root:" not in faces


@SOME
@given(st.binary(min_size=1, max_size=40))
@example(b"two words")
@example(b"\xff\xfe")
@example(b"cnn-\xb2")
@example(b"a\n%bigmodel stop")
@example(b"`rm`")
def test_any_name_of_a_folder(root: Path, name: bytes) -> None:
    target = root / os.fsdecode(name.replace(b"/", b"").replace(b"\0", b"") or b"x")
    if os.path.lexists(target):
        return
    with damaged() as folder:
        folder.path.rename(target)
        try:
            found = listing.listed(root)
            kept([run.name for run in found.runs])
            found.line.encode()
            sound(Book(root).rows())
            folders.free_name("cnn")
            words.runs({})._repr_html_().encode()
            command()
        finally:
            target.rename(folder.path)


def test_a_bad_folder_is_named_in_one_line(root: Path, capsys: Any) -> None:
    with damaged() as folder:
        folder.file("spec.yaml").write_text("name: [")
        assert cli.main(["runs"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "1 folder here is no run that can be read: bad-1 (spec.yaml cannot be read" in said and "good-1" in said
        assert words.find_run(None, {}).name == "good-1"
