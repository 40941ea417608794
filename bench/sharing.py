"""Runs that share the cores: steps a second in all, of two and four at once and of one beside busy processes."""

from __future__ import annotations

import multiprocessing
import statistics
import time

from nbmodels.runs.run import Run, train
from nbmodels.spec import Spec, Training

SETTLE, SECONDS = 4.0, 8.0  # until every run has its share of the cores; then they are counted


def figures(turns: int = 3) -> dict[str, float]:
    """Ratios to one run alone, in turns of one process; the medians."""
    found: dict[str, list[float]] = {}
    for turn in range(turns):
        alone = steps(f"alone-{turn}", 1)
        for name, count, busy in (("two", 2, 0), ("four", 4, 0), ("beside two busy", 1, 2)):
            ratio = steps(f"{name.replace(' ', '-')}-{turn}", count, busy) / alone
            found.setdefault(name, []).append(ratio)
            print(f"{name}: {ratio:.2f} of one alone ({alone:.0f} steps/s)", flush=True)
    return {name: statistics.median(ratios) for name, ratios in found.items()}


def steps(name: str, count: int, busy: int = 0) -> float:
    """Steps a second that so many runs make in all, with so many busy processes beside them."""
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(busy)]
    for other in others:
        other.start()
    training = Training(epochs=1000, jobs=count)
    runs = [train(Spec(f"{name}-{n}", "cnn", "fashion-mnist", training=training), wait=False) for n in range(count)]
    try:
        while not all(done(run) for run in runs):
            time.sleep(0.05)
        time.sleep(SETTLE)
        before, began = sum(map(done, runs)), time.monotonic()
        time.sleep(SECONDS)
        return (sum(map(done, runs)) - before) / (time.monotonic() - began)
    finally:
        for run in runs:
            run.stop(wait=False)
        for run in runs:
            run.stop()
        for other in others:
            other.terminate()
            other.join()


def done(run: Run) -> int:
    """Steps so far."""
    return int(run.folder.status().get("step") or 0)


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass
