"""A run as one JSON object, from its folder alone: what every face of it draws. Imports no torch."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

from nbmodels.errors import BigModelError
from nbmodels.models import MODELS
from nbmodels.options import read_source
from nbmodels.runs.folder import ALIVE, RunFolder
from nbmodels.runs.places import place_id
from nbmodels.runs.reading import open_file, read_bytes
from nbmodels.spec import NOTEBOOK, Spec
from nbmodels.views import command
from nbmodels.views.readings import Curve, Readings, thin
from nbmodels.views.words import EXPLAINED, figure, size

POINTS = 300  # of one curve
CHARTS = 4
SAMPLES = 6  # of all epochs: the first, the last, and between them
PICTURE = 60_000  # bytes of one strip; a larger one is left in the folder
TEXT = 600  # characters of one text
CHANGES = 20  # of the learning rate: the newest
COMING = 40  # points of the rate still to come
CAPTION = 400  # characters of what was asked for
WHY = 120  # characters of a reason
NOTES, NOTE = 3, 300  # lines of how the data was read, and characters of one
MOST = 10**9  # of cores, runs and places: more is a mistake
LOWER = ("loss", "perplexity", "mse", "mae", "error")  # metrics that are better when they are lower


def snapshot(folder: RunFolder, readings: Readings | None = None) -> dict[str, Any]:
    """Where the run stands now, whole, as plain JSON values (no NaN).

    Args:
        folder: The run's folder.
        readings: Its curves as far as they were read; a watcher hands in its own so that nothing is read twice.

    Returns:
        id, name, title, model, data, started, state (`lost` included), why, queue, cores, error, notes, epoch (from 1),
        epochs, step, steps, left, seconds, samples_per_second, memory, device, lr, metric, figures, series, samples,
        options, command, folder, version, changes ({step, old, new} of the learning rate), coming ([step, rate], …).
    """
    readings = readings or Readings(folder)
    readings.read()
    status, spec = folder.status(), _spec(folder)
    state = folder.state(status)
    metric, changes = _metric(spec, readings), folder.changes()
    rates = [each for each in changes if each["option"] == "lr"]
    return {
        "id": f"{place_id(folder.path.parent)}/{folder.name}",
        "name": folder.name,
        "folder": _place(folder.path),
        "started": plain(status.get("started")),
        **_asked(spec, folder.name, changes),
        "changes": [{key: each[key] for key in ("step", "old", "new")} for each in rates[-CHANGES:]],
        "coming": _coming(status.get("coming")),
        "state": state,
        "error": trouble(state, status, folder.name),
        "notes": _notes(status.get("notes")),
        **standing(state, status),
        "metric": metric,
        "figures": _figures(metric, status, readings.latest),
        "series": _series(metric, readings.curves),
        "samples": _samples(folder.samples()),
        "version": status.get("version"),
    }


def _place(path: Path) -> str:
    """The folder as seen from the notebook: a shared notebook names no place of the machine it ran on."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def _spec(folder: RunFolder) -> Spec | None:
    try:
        return folder.spec()
    except BigModelError:  # a folder half copied still has curves to show
        return None


def _notes(notes: Any) -> list[str]:
    """Lines of how the data was read, such as which files were left out."""
    return [note[:NOTE] for note in notes[:NOTES] if isinstance(note, str)] if isinstance(notes, list) else []


def _coming(rates: Any) -> list[list[float]]:
    """[[step, rate], …] of the learning rate still to come; what is none of these is left out."""
    found: list[Any] = [plain(pair) for pair in rates] if isinstance(rates, list) and len(rates) <= COMING else []
    return [pair for pair in found if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _asked(spec: Spec | None, name: str, changes: list[dict[str, Any]]) -> dict[str, Any]:
    if spec is None:
        return {"title": name, "model": "", "data": "", "options": {}, "command": ""}
    return {
        "title": spec.title,
        "model": spec.model.removeprefix(NOTEBOOK),
        "data": spec.data.removeprefix(NOTEBOOK),
        "options": plain(command.now(spec, changes)),
        "command": command.of(spec, changes),
    }


def standing(state: str, status: dict[str, Any]) -> dict[str, Any]:
    """How far the run is: step, steps, epoch, epochs, left, seconds, speed, lr, memory, device; and `reason`."""
    epochs, done = status.get("epochs"), status.get("epoch") or 0
    working = math.floor(done) + 1 if state in (*ALIVE, "failed", "lost") else math.ceil(done)
    numbers = ("step", "steps", "left", "seconds", "samples_per_second", "lr")
    return {
        **{key: plain(status.get(key)) for key in numbers},
        "step": status.get("step") or 0,
        "epoch": min(working, epochs) if epochs else working,
        "epochs": epochs,
        "left": plain(status.get("left")) if state == "running" else None,
        "memory": plain(status.get("memory") or {}),
        "device": str(status.get("device") or ""),
        **reason(state, status),
    }


def reason(state: str, status: dict[str, Any]) -> dict[str, Any]:
    """Why the run stands as it does; each part None where it is not known, or says what cannot be.

    Returns:
        why (a short line, for a state that needs one), queue (of a run that waits: {"place", "of"}, from 1), cores (of
        one that lives: {"threads", "cores", "runs"}, "busy": True where others than our runs keep them busy).
    """
    queue = _numbers(status.get("queue"), place=1, of=1)
    cores = _numbers(status.get("cores"), threads=1, cores=1, runs=0)
    if cores and status["cores"].get("busy") is True:
        cores |= {"busy": True}
    return {
        "why": _why(status.get("why")) if state in EXPLAINED else None,
        "queue": queue if state == "waiting" and queue and queue["place"] <= queue["of"] else None,
        "cores": cores if state in ALIVE else None,
    }


def _why(why: Any) -> str | None:
    return (" ".join(why.split())[:WHY].strip() or None) if isinstance(why, str) else None


def _numbers(value: Any, **least: int) -> dict[str, int] | None:
    """The named whole numbers of a dictionary; None unless each is there and not below its least."""
    found = {key: value.get(key) for key in least} if isinstance(value, dict) else {}
    sound = {key: n for key, n in found.items() if type(n) is int and least[key] <= n <= MOST}
    return sound if len(sound) == len(least) else None


def trouble(state: str, status: dict[str, Any], name: str) -> dict[str, str] | None:
    """What went wrong, in one line, what to type next, and the worker's traceback."""
    if state == "lost":
        hint = f"%bigmodel resume {name}"
        return {"what": "The worker is gone without a word", "hint": f"To go on: {hint}", "traceback": ""}
    error = status.get("error")
    if not error or state != "failed":
        return None
    return {key: str(error.get(key) or "") for key in ("what", "hint", "traceback")}


def _metric(spec: Spec | None, readings: Readings) -> str | None:
    """The headline: what the model's file names, else the first thing besides the loss that is validated."""
    if spec and spec.model in MODELS:
        named = read_source(MODELS[spec.model]).attributes.get("metric")
        if named in readings.curves:
            return str(named)
    others = [name for name in readings.curves if name != "loss"]
    validated = [name for name in others if "val" in readings.curves[name]]
    return next(iter(validated + others), "loss" if "loss" in readings.curves else None)


def _figures(metric: str | None, status: dict[str, Any], latest: dict[str, float | None]) -> list[list[str]]:
    """The four figures on top: [label, text]."""
    wanted = ["val/" + metric] if metric and metric != "loss" else []
    wanted += ["val/loss", "train/loss"]
    if latest and not any(key.startswith("val/") for key in latest):  # nothing is validated
        wanted = [key.replace("val/", "train/") for key in wanted]
    wanted = list(dict.fromkeys(wanted))[:2]
    shown = [[key.replace("/", " ").replace("_", " "), figure(latest.get(key))] for key in wanted]
    memory = status.get("memory") or {}
    held = memory.get("device") or memory.get("process")
    return [
        *shown,
        ["samples / s", figure(_whole(plain(status.get("samples_per_second"))))],
        ["device memory" if memory.get("device") else "memory", size(held)],
    ]


def _whole(value: float | None) -> float | None:
    return round(value) if value and value >= 100 else value


def _series(metric: str | None, curves: dict[str, dict[str, Curve]]) -> dict[str, dict[str, Curve]]:
    order = [name for name in dict.fromkeys(("loss", metric, *sorted(curves))) if name in curves]
    return {
        str(name): {split: _rounded(thin(*curve, POINTS)) for split, curve in curves[name].items()}
        for name in order[:CHARTS]
    }


def _rounded(curve: Curve) -> Curve:
    """Five figures are more than a screen can show."""
    return list(curve[0]), [None if value is None else float(f"{value:.5g}") for value in curve[1]]


def _samples(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shown = [
        {
            "epoch": row.get("epoch"),
            "step": row.get("step"),
            "caption": str(row["caption"])[:CAPTION] if row.get("caption") else None,
            **_sample(row["file"]),
        }
        for row in spread(rows, SAMPLES)
    ]
    return [sample for sample in shown if sample["src"] or sample["text"]]


def spread(rows: list[Any], most: int) -> list[Any]:
    """At most `most` of the rows: the first, the last, and as even as can be between them."""
    if len(rows) <= most:
        return rows
    if most < 2:
        return rows[-most:] if most else []
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def _sample(file: Path) -> dict[str, str | None]:
    try:
        inside = (file.parent.parent, file.parent.name, file.name)
        if file.suffix == ".png":
            picture = base64.b64encode(read_bytes(*inside, most=PICTURE)).decode()
            return {"src": "data:image/png;base64," + picture, "text": None}
        with open_file(*inside) as opened:
            text = opened.read(4 * TEXT).decode("utf-8", "replace")
        return {"src": None, "text": text if len(text) <= TEXT else text[:TEXT] + "…"}
    except OSError:
        return {"src": None, "text": None}


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite become None, tuples lists, anything else text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
