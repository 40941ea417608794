"""What each model reaches, measured here: `make results` trains them all and writes the README's table."""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import tempfile
from pathlib import Path

import nbmodels
from nbmodels.runs import folder as folders
from nbmodels.runs import launch

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- results: made by `make results` -->\n", "<!-- /results -->"

# The line, the figure of the test, and what it has to reach (the published or agreed figure).
LINES = [
    ("linear --data fashion-mnist", "test/accuracy", "≥ 0.83"),
    ("mlp --data fashion-mnist", "test/accuracy", "≥ 0.883"),
    ("cnn --data digits", "test/accuracy", "≥ 0.96"),
    ("cnn --data fashion-mnist --epochs 4", "test/accuracy", "≥ 0.895"),
    ("cnn --data fashion-mnist --padding same --epochs 4", "test/accuracy", "≥ 0.914"),
    ("vgg", "test/accuracy", "≥ 0.92"),
    ("resnet", "test/accuracy", "≥ 0.92"),
    ("mobilenet", "test/accuracy", "≥ 0.90"),
    ("autoencoder --data fashion-mnist --epochs 5 --batch-size 256 --lr 0.001", "test/loss", "≤ 0.01"),
    ("vae --data fashion-mnist", "test/loss", "≤ 245"),
    ("rnn --data movie-reviews", "test/accuracy", "≥ 0.68"),
    ("gru --data movie-reviews", "test/accuracy", "≥ 0.74"),
    ("lstm --data movie-reviews", "test/accuracy", "≥ 0.74"),
    ("lstm --data chinese-reviews", "test/accuracy", "≥ 0.82"),
    ("lstm --data brown --bidirectional true --epochs 3", "test/accuracy", "≥ 0.93"),
    ("rnn --data shakespeare", "test/loss", "< 2.020 (trigrams)"),
    ("gru --data shakespeare", "test/loss", "< 2.020 (trigrams)"),
    ("lstm --data shakespeare", "test/loss", "< 2.020 (trigrams)"),
    ("seq2seq", "test/bleu", "> 11.4 (copy)"),
    ("seq2seq --data git-messages --language fr", "test/bleu", "> 22.9 (copy)"),
    ("transformer", "test/bleu", "≥ seq2seq's"),
    ("transformer --data git-messages --language fr", "test/bleu", "≥ seq2seq's"),
    ("transformer --data debian-descriptions", "test/rouge-l", "> 0.226 (the first words)"),
    ("transformer --data movie-reviews", "test/accuracy", "–"),
    ("bert --sequence-length 32", "test/loss", "≤ unigram − 1 nat"),
    ("bert --data movie-reviews --pretrained all-minilm-l6-v2", "test/accuracy", "≥ 0.80"),
    ("gpt --data pydoc", "test/loss", "≤ 2"),
    (
        "gpt --data shakespeare --layers 4 --heads 4 --width 128 --sequence-length 64 --batch-size 12 --limit 24000 "
        "--epochs 1",
        "val/loss",
        "≤ 1.956 (nanoGPT, bench/nanogpt.py)",
    ),
    ("llm --data pydoc --limit 160", "test/loss", "< test/published_loss"),
    ("dalle --data captioned-digits", "test/recognised", "≥ 0.80"),
]


def measure(line: str, figure: str, seed: int) -> tuple[float, float, float]:
    """(the test's figure, seconds of training, megabytes of the worker) of one line with one seed."""
    model, *words = shlex.split(line)
    options = dict(zip((word.removeprefix("--") for word in words[::2]), words[1::2], strict=True))
    run = nbmodels.train(model, seed=seed, wait=True, **options)
    status = run.folder.status()
    figures = {**status["metrics"], **run.test()["figures"]}  # val/… are the run's own
    return figures[figure], status["seconds"], status["memory"]["process"] / 1e6


def row(line: str, figure: str, aim: str, seeds: int) -> str:
    """The line's row of the table, trained with so many seeds."""
    figures, seconds, memory = zip(*(measure(line, figure, seed) for seed in range(seeds)), strict=True)
    spread = f"± {statistics.stdev(figures):.4f}" if seeds > 1 else "–"
    cells = (f"`{line}`", figure, aim, f"{statistics.mean(figures):.4f}", spread, seeds)
    return f"| {' | '.join(map(str, cells))} | {statistics.median(seconds):.0f} | {max(memory):.0f} MB |"


def table(rows: dict[str, str]) -> str:
    """The rows in their order, of the lines that were ever measured."""
    known = [rows[line] for line, _, _ in LINES if line in rows]
    heads = "| line | figure | aim | mean | spread | seeds | seconds | memory |"
    return "\n".join([heads, "|" + "---|" * 8, *known]) + "\n"


def written() -> dict[str, str]:
    """The rows of the README by their lines: what is not measured now stays as it was."""
    inside = README.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    return {each.split("`")[1]: each for each in inside.splitlines() if each.startswith("| `")}


def main() -> None:
    """Train the lines with every seed; print each row; --write puts it in the README at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", help="this line; may be given several times")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["NBMODELS_RUNS"] = place
        folders.set_runs_root(place)
        launch.warm()
        launch.wait_warm()
        for line, figure, aim in LINES:
            if asked.only and line not in asked.only:
                continue
            made = row(line, figure, aim, asked.seeds)
            print(made, flush=True)
            if asked.write:
                before, rest = README.read_text("utf-8").split(BEGIN)
                text = table({**written(), line: made})
                README.write_text(before + BEGIN + text + END + rest.split(END, 1)[1], "utf-8")


if __name__ == "__main__":
    main()
