"""The static face of a run: HTML that stands anywhere (GitHub, nbviewer, print), its chart as SVG, plain text.

Everything that came from outside is escaped; nothing is styled that is needed to understand, for GitHub drops styles.
Imports no torch: the server gives this face too.
"""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any

from nbmodels.runs.folder import ALIVE
from nbmodels.views.chart import charts
from nbmodels.views.readings import thin
from nbmodels.views.snapshot import spread
from nbmodels.views.words import sharing, standing, state_line

LIMIT = 50_000  # bytes of a run's whole output in a notebook file
PICTURES = 20_000  # of them for samples
DOTS = {
    "starting": "#9a6700", "waiting": "#9a6700", "running": "#1a7f37", "paused": "#9a6700", "finished": "#808891",
    "stopped": "#808891", "failed": "#cf222e", "lost": "#cf222e",
}  # fmt: skip
MUTED = "color:#808891"
CARD = (
    "border:1px solid rgba(128,136,145,.35);border-radius:6px;padding:14px 16px;max-width:900px;margin:4px 0;"
    "box-sizing:border-box;font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;"
    "font-size:13px;line-height:1.45"
)
CELL = (
    "border:0;border-left:2px solid rgba(128,136,145,.35);padding:0 12px 0 10px;width:25%;"
    "text-align:left;vertical-align:top"
)
TABLE = "border:0;border-collapse:collapse;table-layout:fixed;width:100%;margin:12px 0 10px"
CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px"
BARS = "▁▂▃▄▅▆▇█"


def html(view: dict[str, Any]) -> str:
    """The run as one card of HTML, without script and without anything to fetch."""
    parts = [
        _head(view),
        _error(view),
        _notes(view),
        _progress(view),
        _figures(view),
        _chart(view),
        _samples(view),
        _foot(view),
    ]
    return f'<div style="{CARD}">{"".join(parts)}</div>'


def svg(view: dict[str, Any]) -> str:
    """The run's charts as one SVG document; empty before the first reading."""
    return charts(view["series"], view["steps"] if view["state"] in ALIVE else None)


def text(view: dict[str, Any]) -> str:
    """The run in a few lines for terminals, tests and screen readers."""
    lines = [f"{view['name']}  {view['title']}  {standing(view)}"]
    if where := state_line(view):
        lines.append("  " + where)
    lines += [f"  {note}" for note in view.get("notes", [])]
    if view["error"]:
        lines.append("  " + " ".join(filter(None, (_stop(view["error"]["what"][:500]), view["error"]["hint"][:500]))))
    known = [f"{label} {value}" for label, value in view["figures"] if value != "—"]
    if known:
        lines.append("  " + " · ".join(known))
    for name, splits in view["series"].items():
        lines += [f"  {split} {name}  {sparkline(curve[1])}" for split, curve in splits.items() if split == "train"]
    return "\n".join(lines)


def small(view: dict[str, Any]) -> dict[str, Any]:
    """The snapshot for a notebook file: without samples, traceback, options and most points of its curves."""
    series = {
        name: {split: thin(curve[0], curve[1], 60) for split, curve in splits.items()}
        for name, splits in view["series"].items()
    }
    error = view["error"] and {"what": view["error"]["what"][:500], "hint": view["error"]["hint"][:500]}
    cut = {"samples": [], "series": series, "error": error, "options": {}, "command": view["command"][:1000]}
    return {**view, **cut}


def bundle(view: dict[str, Any]) -> dict[str, Any]:
    """The MIME bundle of a run without its live face: our own type, HTML, plain text; at most 50 kB."""
    lighter: tuple[dict[str, Any], ...] = ({}, {"samples": []}, {"samples": [], "series": {}})
    for less in lighter:
        faces = _faces({**view, **less})
        if len(json.dumps(faces, ensure_ascii=False).encode()) <= LIMIT:
            break
    return faces


def _faces(view: dict[str, Any]) -> dict[str, Any]:
    kept = {key: view[key] for key in ("id", "name", "folder", "started", "version")}
    return {
        "application/vnd.nbmodels.run+json": {**kept, "snapshot": small(view)},
        "text/html": html(view),
        "text/plain": text(view),
    }


def sparkline(values: list[float | None], width: int = 24) -> str:
    """A curve as `█▆▄▃▂▁▁`."""
    known = [value for value in values if value is not None]
    known = [known[place * len(known) // width] for place in range(width)] if len(known) > width else known
    if not known:
        return ""
    low, high = min(known), max(known)
    return "".join(BARS[round((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in known)


def _head(view: dict[str, Any]) -> str:
    dot = DOTS.get(view["state"], "#808891")
    return (
        f'<div><span style="color:{dot}">●</span>&ensp;<b style="font-size:15px">{escape(view["name"])}</b>&ensp;'
        f'<span style="{MUTED}">{escape(view["title"])} · {escape(standing(view))}</span></div>'
    )


def _notes(view: dict[str, Any]) -> str:
    return "".join(f'<div style="margin:6px 0;{MUTED}">{escape(note)}</div>' for note in view.get("notes", []))


def _error(view: dict[str, Any]) -> str:
    error = view["error"]
    if not error:
        return ""
    trace = escape(_tail(error["traceback"], 3000))
    details = (
        f'<details style="margin-top:4px"><summary style="{MUTED}">traceback</summary>'
        f'<pre style="{CODE};white-space:pre-wrap;margin:4px 0 0">{trace}</pre></details>'
    )
    return (
        f'<div style="border-left:3px solid #cf222e;padding:2px 0 2px 10px;margin:10px 0">'
        f"<b>{escape(_stop(error['what'][:500]))}</b> {escape(error['hint'][:500])}{details if trace else ''}</div>"
    )


def _progress(view: dict[str, Any]) -> str:
    share = min(1.0, view["step"] / view["steps"]) if view["steps"] else 0
    colour = "#808891" if view["state"] in ("finished", "stopped") else "#2b7fd4"
    bar = (
        '<div style="height:4px;border-radius:2px;background:rgba(128,136,145,.25);margin:9px 0 4px">'
        f'<div style="height:4px;border-radius:2px;background:{colour};width:{share:.1%}"></div></div>'
    )
    return f'{bar}<div style="{MUTED}">{escape(state_line(view)) or "&nbsp;"}</div>'


def _figures(view: dict[str, Any]) -> str:
    cells = "".join(
        f'<td style="{CELL}"><span style="{MUTED};font-size:11px">{escape(label)}</span><br>'
        f'<span style="font-size:19px">{escape(value)}</span></td>'
        for label, value in view["figures"]
    )
    row = '<tr style="background:none;border:0">'
    return f'<table style="{TABLE}">{row}{cells}</tr></table>'


def _chart(view: dict[str, Any]) -> str:
    drawing = svg(view)
    if not drawing:
        return ""
    source = base64.b64encode(drawing.encode()).decode()
    alt = escape(f"curves of {view['name']}: {', '.join(view['series'])}", quote=True)
    return f'<img alt="{alt}" src="data:image/svg+xml;base64,{source}" style="max-width:100%;width:100%;display:block">'


def _samples(view: dict[str, Any]) -> str:
    shown = _that_fit([sample for sample in view["samples"] if sample["src"] or sample["text"]])
    if not shown:
        return ""
    if all(sample["src"] for sample in shown):
        caption = str(shown[-1].get("caption") or "")
        rows = "".join(
            f'<tr style="background:none"><td style="border:0;padding:2px 10px 2px 0;{MUTED};font-size:11px;'
            f'text-align:left">{escape(_when(sample))}</td>'
            f'<td style="border:0;padding:2px 0;text-align:left">'
            f'<img alt="samples of {escape(_said(sample), quote=True)}" src="{escape(sample["src"])}" '
            f'style="height:34px;max-width:100%;display:block"></td></tr>'
            for sample in shown
        )
        under = f'<div style="{MUTED};font-size:11px;margin-top:4px">{escape(caption)}</div>' if caption else ""
        return f'<table style="border:0;border-collapse:collapse;margin:10px 0 0">{rows}</table>{under}'
    texts = "".join(
        f'<div style="{MUTED};font-size:11px;margin-top:8px">{escape(_when(sample))}</div>'
        f'<pre style="{CODE};white-space:pre-wrap;margin:2px 0">{escape((sample["text"] or "")[:400])}</pre>'
        for sample in shown
    )
    return f"<div>{texts}</div>"


def _said(sample: dict[str, Any]) -> str:
    """`epoch 3: a handwritten two · the digit six`: when, and what was asked for where something was."""
    return ": ".join(filter(None, (_when(sample), sample.get("caption"))))


def _when(sample: dict[str, Any]) -> str:
    return f"epoch {sample['epoch']}" if sample["epoch"] is not None else f"step {sample['step']}"


def _that_fit(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of them, spread over the epochs, as the notebook's file can carry."""
    for most in (4, 3, 2, 1):
        shown = spread(samples, most)
        if sum(len(sample["src"] or sample["text"] or "") for sample in shown) <= PICTURES:
            return shown
    return []


def _foot(view: dict[str, Any]) -> str:
    parts = [f'<code style="{CODE};background:none">{escape(view["command"][:1000])}</code>'] if view["command"] else []
    parts += [escape(" · ".join(known))] if (known := list(filter(None, (view["device"], sharing(view))))) else []
    if view["state"] in ("stopped", "running", "paused", "waiting"):
        word = "resume" if view["state"] == "stopped" else "attach"
        parts.append(
            f'<code style="{CODE};background:none;white-space:nowrap">%bigmodel {word} {escape(view["name"])}</code>'
        )
    rule = "border-top:1px solid rgba(128,136,145,.25);margin-top:12px;padding-top:8px"
    return f'<div style="{rule};{MUTED};font-size:12px">{" &nbsp;·&nbsp; ".join(parts)}</div>' if parts else ""


def _stop(sentence: str) -> str:
    return sentence if sentence.rstrip().endswith((".", "!", "?", ":")) else sentence + "."


def _tail(words: str, most: int) -> str:
    return words if len(words) <= most else "…" + words[-most:]
