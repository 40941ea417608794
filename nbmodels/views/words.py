"""Numbers as people read them: a figure, a time, a size. Every static face uses these; the live one has its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

EXPLAINED = ("waiting", "paused", "stopped", "lost", "failed")  # states that have a reason
PLACE = re.compile(r"\d{1,7}(?:st|nd|rd|th) of \d{1,7}")  # a place in the queue, as a reason says it


def figure(value: float | None) -> str:
    """Three figures or so: `0.894`, `241.7`, `8,312`, `1.2e-05`; `—` where there is none."""
    if value is None:
        return "—"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-3:
        return f"{value:.2g}"
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
    return f"{value:,.{decimals}f}"


def duration(seconds: float | None) -> str:
    """`18 s`, `2 min`, `1 h 5 min`, `3 d 2 h`; empty where it is not known."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < 9.95:
        return f"{seconds:.0f} s" if seconds == round(seconds) else f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    big, small, names = (minutes // 60, minutes % 60, "h min")
    if big >= 48:
        big, small, names = (big // 24, big % 24, "d h")
    first, second = names.split()
    return f"{big} {first} {small} {second}" if small else f"{big} {first}"


def size(count: float | None) -> str:
    """Bytes as `412 MB` or `1.2 GB` (powers of ten); `—` where there is none."""
    if not count:
        return "—"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            number = count / scale
            return f"{number:.1f} {unit}" if unit == "GB" and number < 100 else f"{number:.0f} {unit}"
    return f"{count:.0f} B"


def ordinal(place: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`, `22nd`."""
    ones = 0 if place % 100 in (11, 12, 13) else place % 10
    return f"{place}{({1: 'st', 2: 'nd', 3: 'rd'}).get(ones, 'th')}"


def standing(view: Mapping[str, Any]) -> str:
    """A state and its reason: `waiting, 2nd of 3`, `waiting: the disk is full`, `stopped by the system`, `paused`."""
    state, why, queue = str(view["state"]), str(view.get("why") or "").strip(), view.get("queue")
    if state == "waiting" and queue:
        return f"{state}, {ordinal(queue['place'])} of {queue['of']}"
    if not why or state not in EXPLAINED:
        return state
    if PLACE.fullmatch(why):
        return f"{state}, {why}" if state == "waiting" else state  # a run that waits no more has no place
    return why if why.split()[0] == state else f"{state}: {why}"


def sharing(view: Mapping[str, Any]) -> str:
    """`sharing 2 cores with 1 run`, `1 of 2 cores: others are busy`; empty for a run that is alone."""
    cores = view.get("cores")
    if not cores:
        return ""
    count, runs = cores["cores"], cores["runs"]
    machine = f"{count:,} core{'' if count == 1 else 's'}"
    if runs:
        return f"sharing {machine} with {runs:,} run{'' if runs == 1 else 's'}"
    return f"{cores['threads']:,} of {machine}: others are busy" if cores.get("busy") else ""


def state_line(view: dict) -> str:
    """Where a run stands, in one line: `epoch 2 of 3 · step 640 of 1,407 · 18 s left`."""
    step, steps = view["step"], view["steps"]
    begun = step or view["state"] != "waiting"  # in the queue it is in no epoch yet
    parts = [f"epoch {view['epoch']} of {view['epochs']}"] if begun and view["epoch"] and view["epochs"] else []
    if step:
        parts.append(f"step {step:,} of {steps:,}" if steps and steps != step else f"{step:,} steps")
    if view["state"] == "running" and (left := duration(view["left"])):
        parts.append(f"{left} left")
    elif took := duration(view["seconds"]) if step else "":
        parts.append(took)
    return " · ".join(parts)
