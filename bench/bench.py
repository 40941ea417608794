"""The figures of the README, measured here: `make bench`. Ratios are taken in one run, in turns.

Each training runs in a process of its own, ours through the worker (live folder, TensorBoard, checkpoints), the
hand-written loops as anyone would write them in a script.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import server
import sharing
from jupyter_client.manager import start_new_kernel

from nbmodels.runs import folder as folders
from nbmodels.runs import launch
from nbmodels.runs.run import train
from nbmodels.spec import Spec, Training

LOOPS = Path(__file__).with_name("loops.py")
README = Path(__file__).parent.parent / "README.md"


def kernel_figures() -> dict[str, float]:
    """Seconds of %load_ext, and milliseconds of `1 + 1` while a run trains: median and 99th percentile."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        execute(client, "import time; _t = time.perf_counter()")
        execute(client, "get_ipython().run_line_magic('load_ext', 'nbmodels'); _d = time.perf_counter() - _t")
        loaded = float(execute(client, "_d"))
        execute(client, "run = get_ipython().run_line_magic('bigmodel', 'train cnn --data fashion-mnist --epochs 100')")
        while float(execute(client, "run.folder.status().get('step', 0)")) < 1:
            time.sleep(0.1)
        waits = []
        for _ in range(300):
            began = time.perf_counter()
            assert execute(client, "1 + 1") == "2"
            waits.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
        execute(client, "run.stop()")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    waits.sort()
    return {"load_ext": loaded, "p50": waits[150], "p99": waits[297]}


def execute(client: object, code: str) -> str:
    """Run a cell in the kernel and return its result as text."""
    result = []

    def keep(message: dict) -> None:
        if message["msg_type"] == "execute_result":
            result.append(message["content"]["data"]["text/plain"])
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))

    client.execute_interactive(code, output_hook=keep, timeout=120)  # type: ignore[attr-defined]
    return result[0] if result else ""


def first_step(times: int) -> float:
    """Seconds from the call of `train` to the end of the first training step, warm; the median."""
    seconds = []
    for number in range(times):
        began = time.time()
        run = train(Spec(f"first-{number}", "cnn", "digits", training=Training(epochs=1)), wait=False)
        run.wait()
        seconds.append(run.folder.status()["first_step"] - began)
    return statistics.median(seconds)


def ours(model: str, batch: int, epochs: int, limit: int, precision: Literal["32", "auto"], name: str) -> float:
    """Samples a second of a training through the worker."""
    training = Training(epochs=epochs, batch_size=batch, limit=limit, precision=precision)
    run = train(Spec(name, model, "fashion-mnist", training=training), wait=False).wait()
    return float(run.folder.status()["samples_per_second"])


def loop(kind: str, model: str, batch: int, epochs: int, limit: int) -> float:
    """Samples a second of a hand-written loop, in a process of its own."""
    words = [sys.executable, str(LOOPS), kind, model, str(batch), str(epochs), str(limit)]
    return float(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))


def speed(model: str, batch: int, turns: int, epochs: int, limit: int) -> dict[str, float]:
    """Median ratios of the worker to the same model in a hand-written loop, and (cnn) to the plain network.

    The hand-written loops are in 32-bit floats. Against the same model ours is too; against the plain network it is
    as shipped, in bf16 where the processor has it. Long enough, some ten seconds, that the first steps, which set up
    threads and memory, do not count.
    """
    kinds: dict[str, Literal["32", "auto"]] = {"same": "32", "plain": "auto"} if model == "cnn" else {"same": "32"}
    found: dict[str, list[float]] = {}
    for turn in range(turns):
        for kind, precision in kinds.items():
            through = ours(model, batch, epochs, limit, precision, f"{model}-{kind}-{turn}")
            by_hand = loop(kind, model, batch, epochs, limit)
            print(f"{model}: ours in {precision} {through:.0f} samples/s, {kind} by hand {by_hand:.0f}", flush=True)
            found.setdefault(kind, []).append(through / by_hand)
    return {kind: statistics.median(ratios) for kind, ratios in found.items()}


def table(rows: list[tuple[str, str, str]]) -> str:
    """A Markdown table."""
    head = "| figure | aim | measured |\n|---|---|---|\n"
    return head + "\n".join(f"| {what} | {aim} | {got} |" for what, aim, got in rows) + "\n"


def main() -> None:
    """Measure everything, print the table, and put it in the README with --write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["NBMODELS_RUNS"] = place
        folders.set_runs_root(place)
        kernel = kernel_figures()
        launch.warm()
        launch.wait_warm()
        step = first_step(asked.turns)
        cnn = speed("cnn", 32, asked.turns, 1, 30_000)
        autoencoder = speed("autoencoder", 256, asked.turns, 5, 60_000)
        shared = sharing.figures()
    lab = server.figures()
    rows = [
        ("`%load_ext nbmodels`", "≤ 0.3 s", f"{kernel['load_ext']:.2f} s"),
        ("Enter → end of the first training step, warm (cnn, digits)", "≤ 0.5 s", f"{step:.2f} s"),
        ("`1 + 1` in the kernel while a run trains, 99th percentile", "≤ 100 ms", f"{kernel['p99']:.0f} ms"),
        (
            "the Lab's server lists 1,000 runs, asked for the first time",
            "≤ 0.3 s",
            f"{lab['list of 1,000 runs']:.2f} s",
        ),
        (
            "it opens a run of 1,000,000 logged lines, the first time",
            "≤ 0.5 s",
            f"{lab['run of 1,000,000 lines']:.2f} s",
        ),
        ("cnn, batch 32: the same model in a hand-written loop", "≥ 0.90", f"{cnn['same']:.2f}"),
        ("cnn, batch 32, as shipped: the plain network, DataLoader and loop in 32 bits", "≥ 2", f"{cnn['plain']:.2f}"),
        ("autoencoder, batch 256: the same model in a hand-written loop", "≥ 0.87", f"{autoencoder['same']:.2f}"),
        ("cnn: steps of two runs at once, of one alone", "≥ 1.0", f"{shared['two']:.2f}"),
        ("cnn: steps of four runs at once, of one alone", "≥ 0.9", f"{shared['four']:.2f}"),
        ("cnn: steps of a run beside two busy processes, of one alone", "≥ 0.25", f"{shared['beside two busy']:.2f}"),
    ]
    text = table(rows)
    print(text)
    if asked.write:
        readme = README.read_text("utf-8")
        before, rest = readme.split("<!-- bench: made by `make bench` -->\n")
        after = rest.split("<!-- /bench -->")[1]
        README.write_text(f"{before}<!-- bench: made by `make bench` -->\n{text}<!-- /bench -->{after}", "utf-8")


if __name__ == "__main__":
    main()
