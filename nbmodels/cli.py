"""The command `bigmodel`: the same words in a terminal.

`--json` prints one JSON object or array. What was typed wrong is one line on the error output and exit code 2; a run
that failed, exit code 1. Ctrl-C stops watching, never the run.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from nbmodels import line
from nbmodels.errors import BigModelError, DataError, InputError
from nbmodels.runs.attended import attended
from nbmodels.runs.folder import ALIVE
from nbmodels.runs.run import Run
from nbmodels.runs.typed import harmless
from nbmodels.views import report
from nbmodels.views.snapshot import snapshot
from nbmodels.views.words import state_line

LOOK = 0.3  # seconds between two looks at a run


def main(words: Sequence[str] | None = None) -> int:
    """Do the words of the command line; the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    as_json = "--json" in words
    try:
        result = act([word for word in words if word != "--json"], quiet=as_json)
        print(json.dumps(plain(result), ensure_ascii=False) if as_json else harmless(text(result)))
    except BigModelError as error:
        print(harmless(terminal(str(error))), file=sys.stderr)
        return 2 if isinstance(error, (InputError, DataError)) else 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0


def act(words: Sequence[str], quiet: bool = False) -> Any:
    """Do the words; a run that is trained or attached to in a terminal is watched to its end."""
    asked = line.parse(words, {})
    name = asked.word.name
    if name == "predict" and not asked.wants_help:
        return asked.word.handler({}, **asked.places, **asked.options, stream=not quiet)
    if asked.wants_help or name not in ("train", "attach", "resume"):
        return line.do(words, {})
    wait = asked.options.pop("wait", None)
    if name == "train":
        asked.options["wait"] = False
    run: Run = asked.word.handler({}, **asked.places, **asked.options)
    if wait is None:
        wait = not attended() if name == "train" else name == "attach" and not quiet
    if not wait:
        return run
    return run.wait() if quiet or not sys.stdout.isatty() else watch(run)


def watch(run: Run) -> Run:
    """One line that moves until the run ends; Ctrl-C ends the watching only. RunFailed if the run fails."""
    try:
        while run.state in ALIVE:
            view = snapshot(run.folder)
            sys.stdout.write(f"\r\x1b[K{run.name}: {run.state} · {state_line(view)}")
            sys.stdout.flush()
            time.sleep(LOOK)
    except KeyboardInterrupt:
        sys.stdout.write(f"\n{run.name} goes on. To see it again: bigmodel attach {run.name}\n")
        return run
    sys.stdout.write("\r\x1b[K")
    return run.wait()


def text(result: Any) -> str:
    """What a terminal shows."""
    if isinstance(result, Run):
        more = f"\nTo watch it: bigmodel attach {result.name}" if result.folder.alive() else ""
        return report.text(snapshot(result.folder)) + more
    if type(result).__name__ == "Written":  # it stands there already
        return ""
    if pictures := drawn(result):
        many = "A picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
        return f"{many}, for a notebook to show; --json gives the PNG as a data URI."
    return terminal(repr(result) if not isinstance(result, str) else result)


def plain(result: Any) -> Any:
    """What `--json` prints: the run's object, a page's values, or a prediction as plain values."""
    if isinstance(result, Run):
        return result.folder.summary()
    if pictures := drawn(result):
        return pictures if isinstance(result, list) else pictures[0]
    result = getattr(result, "data", result) if type(result).__name__ == "Shown" else result
    return result.tolist() if hasattr(result, "tolist") else result


def drawn(result: Any) -> list[str]:
    """The pictures of a prediction as data URIs; none where it is something else."""
    each = result if isinstance(result, list) else [result]
    if not all(hasattr(one, "_repr_png_") for one in each):
        return []
    return ["data:image/png;base64," + base64.b64encode(one._repr_png_()).decode() for one in each]


def terminal(said: str) -> str:
    """The same words without the notebook's percent signs."""
    return said.replace("%bigmodel", "bigmodel").replace("%pip", "pip")


if __name__ == "__main__":
    sys.exit(main())
