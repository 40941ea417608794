"""The run as a future: a handle on a folder that waits only for what it is asked. Imports no torch by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbmodels.errors import RunError, RunFailed
from nbmodels.runs import disk, launch, places, trust
from nbmodels.runs import folder as folders
from nbmodels.runs.attended import attended
from nbmodels.runs.folder import ALIVE, RunFolder
from nbmodels.runs.process import clock, process_started
from nbmodels.spec import Spec

if TYPE_CHECKING:
    import lightning.pytorch as L
    import pandas as pd

LOOK = 0.05  # seconds between two looks at a folder
POLITE, FIRM = 20.0, 5.0  # seconds a stop waits for the step in work, then for the signal


def train(spec: Spec, objects: dict[str, Any] | None = None, wait: bool | None = None) -> Run:
    """Start a run and return its handle at once; wait for its end when `wait` says so or nobody is there.

    Args:
        spec: What to do.
        objects: The notebook's own things the spec names: "model", "data".
        wait: None waits only where nobody can answer (nbclient, papermill, a pipe).
    """
    run = Run(folders.create(spec, launch.pickled(objects) if objects else None))
    places.note(run.folder.path.parent)
    launch.start(run.folder)
    if wait or (wait is None and not attended()):
        run.wait()
    return run


def attach(name: str) -> Run:
    """The run of that name, whoever started it."""
    return Run(folders.find(name))


class Run:
    """A training somewhere on this machine, known by its folder.

    `run.model`, `run.metrics` and `run.test()` wait for the run to end; everything else answers at once,
    `run.predict(…)` with the newest checkpoint.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.name = folder.name
        self._model: tuple[Any, Any] | None = None
        self._failed: RunFailed | None = None  # of a run that left no folder

    def __repr__(self) -> str:
        status = self.folder.status()
        known = {name: value for name, value in status.get("metrics", {}).items() if value is not None}
        figures = ", ".join(f"{name} {value:.4g}" for name, value in known.items())
        where = f"epoch {status.get('epoch', 0)} of {status.get('epochs', '?')}"
        return f"<Run {self.name}: {self.state}, {where}{', ' + figures if figures else ''}>"

    @property
    def state(self) -> str:
        """starting, waiting, running, paused, finished, stopped, failed or lost."""
        return "failed" if self._failed else self.folder.state()

    @property
    def spec(self) -> Spec:
        """What was asked."""
        return self.folder.spec()

    # -- ask

    def stop(self, wait: bool = True) -> Run:
        """End at the next step, with a checkpoint; firmer when the step does not end. Does nothing to an ended run."""
        self._ask(want="stop")
        if not wait or self._ended(POLITE):
            return self
        self._await_worker()
        if self._signal("SIGUSR2") and not self._ended(FIRM):
            self._signal("SIGKILL")
            if self._ended(FIRM) and self.state == "lost":
                self._write(lambda: self.folder.write_status(state="stopped", left=None))
        return self

    def pause(self) -> Run:
        """Give the processor back at the next step; the state stays in memory and on the disk."""
        if self.state not in ("running", "starting", "paused"):
            raise RunError(f"{self.name} is {self.state}: there is nothing to pause")
        self._ask(want="pause")
        return self

    def resume(self) -> Run:
        """Go on: at once after a pause, from the newest checkpoint after a stop, an error or a lost worker.

        One that waits for its turn becomes the next.
        """
        if self.state == "waiting":
            return self.first()
        if self.state == "finished":
            raise RunError(
                f"{self.name} has finished", f"To train it more: %bigmodel train {self.spec.model} --from {self.name}"
            )
        if not self.folder.alive():
            trust.check(self.folder)
            self._write(lambda: disk.check_room(self.folder.path))
        self._ask(want="run")
        if not self.folder.alive():
            again = {"state": "starting", "pid": None, "error": None, "why": "", "lock": None, **clock()}
            self._write(lambda: self.folder.write_status(**again))
            launch.start(self.folder)
        return self

    def first(self) -> Run:
        """Be the next to start, where the run waits for its turn."""
        if self.state != "waiting":
            raise RunError(f"{self.name} is {self.state}: it does not wait for a turn")
        self._ask(first=True)
        return self

    def trust(self) -> Run:
        """Open from now on what the run holds of a notebook, whoever made it: its code runs as you."""
        trust.trust(self.folder)
        return self

    def set_lr(self, rate: float) -> Run:
        """The rate from the next step on; what is left of the schedule falls from it and never rises above it."""
        if not 0 < rate < float("inf"):
            raise RunError(f"A learning rate is a number above 0, not {rate}")
        self._ask(lr=rate)
        return self

    # -- wait

    def wait(self, timeout: float | None = None) -> Run:
        """Return when the run has ended; RunFailed with the worker's traceback if it went wrong.

        An interrupt stops the waiting, not the run.
        """
        try:
            if not self._ended(timeout):
                raise RunError(f"{self.name} still runs after {timeout:g} s", f"To stop it: %bigmodel stop {self.name}")
        except KeyboardInterrupt:
            raise RunError(
                f"You stopped waiting; {self.name} goes on", f"To stop it: %bigmodel stop {self.name}"
            ) from None
        self._raise_if_failed()
        return self

    @property
    def metrics(self) -> pd.DataFrame:
        """Every reading as a DataFrame: step, epoch, time (seconds), lr and a column for each metric."""
        import pandas as pd

        self.wait()
        return pd.DataFrame(self.folder.metrics())

    @property
    def model(self) -> L.LightningModule:
        """The trained module, on the CPU and in evaluation mode."""
        self.wait()
        return self._load()

    def test(self) -> dict[str, Any]:
        """Figures on the held-out data: {"figures": {"test/accuracy": …}, …}; computed once for a checkpoint."""
        self.wait()
        newest = self._checkpoint_name()
        seen = self.folder.test()
        if seen.get("state") != "finished" or seen.get("checkpoint") != newest:
            trust.check(self.folder)
            self.folder.file(folders.TEST).unlink(missing_ok=True)
            launch.start(self.folder, "--test")
            seen = self._test_result()
        return seen

    def predict(self, inputs: Any, tell: Callable[[str], None] | None = None, **options: Any) -> Any:
        """What the model says of new inputs: pictures, rows, sentences or a prompt; one or several.

        While the run trains, its newest checkpoint answers.

        Args:
            inputs: An array, a file's path, a text, or a list of them.
            tell: Told a few times a second what a model that writes has written so far.
            options: For models that write: length, temperature, top_k, top_p, beam.
        """
        from nbmodels.runs.examine import predict

        while not self.folder.checkpoints() and self.folder.alive():  # it has only just begun
            time.sleep(LOOK)
        self._raise_if_failed()
        return predict(self._load(), self.folder.facts(), inputs, options, tell)

    # -- inside

    def _ask(self, **asked: Any) -> None:
        self._write(lambda: self.folder.ask(**asked))

    def _write(self, work: Callable[[], None]) -> None:
        """Write to the folder; RunError in one line where the disk does not take it."""
        try:
            work()
        except OSError as error:
            raise RunError(
                f"{self.name}: nothing can be written to its folder ({error.strerror or error})",
                "Make room, or let it be written, then try again.",
            ) from None

    def _ended(self, timeout: float | None) -> bool:
        end = time.monotonic() + timeout if timeout is not None else None
        while self.folder.state() in ALIVE:
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(LOOK)
        return True

    def _await_worker(self) -> None:
        """Wait for the pid of a worker that is slow to start."""
        while self.state == "starting" and not self.folder.status().get("pid"):
            time.sleep(LOOK)

    def _raise_if_failed(self) -> None:
        if self._failed:
            raise self._failed
        status = self.folder.status()
        state = self.folder.state(status)
        if state == "failed":
            error = status.get("error") or {}
            hint = error.get("hint") or f"Its output: {self.folder.file(folders.LOG)}"
            if status.get("discard"):  # it is said now, so the folder is of no more use
                self._failed = RunFailed(f"{self.name}: {error.get('what', 'failed')}", hint)
                folders.discard(self.folder)
            raise RunFailed(f"{self.name}: {error.get('what', 'failed')}", hint, error.get("traceback", ""))
        if not self.folder.path.is_dir():
            raise RunFailed(f"{self.name}: its folder is gone", "It was deleted, or came to nothing: train it again.")
        if state == "lost":
            raise RunFailed(
                f"{self.name}: the worker died without a word",
                f"Type: %bigmodel resume {self.name}",
                self.folder.log(20),
            )

    def _signal(self, name: str) -> bool:
        """Send the worker a signal; False where no process is surely this run's own."""
        number, pid = getattr(signal, name, None), self.folder.worker()
        if number is None or pid is None:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
        return True

    def _checkpoint_name(self) -> str:
        paths = self.folder.checkpoints()
        if not paths:
            raise RunError(f"{self.name} has no checkpoint yet", f"It was stopped early: %bigmodel resume {self.name}")
        return paths[-1].name

    def _load(self) -> L.LightningModule:
        from nbmodels.runs import build, checkpoint

        name = self._checkpoint_name()
        if self._model is None or self._model[0] != name:
            trust.check(self.folder)
            path, facts = checkpoint.newest(self.folder), self.folder.facts()
            if path is None or facts is None:
                raise RunError(f"{self.name}'s checkpoints cannot be read", "Train it again.")
            self._model = (name, build.rebuild(self.spec, facts, build.read_objects(self.folder), path).eval())
        loaded: L.LightningModule = self._model[1]
        return loaded

    def _test_result(self) -> dict[str, Any]:
        began = time.monotonic()
        while True:
            seen = self.folder.test()
            if seen.get("state") == "finished":
                return seen
            gone = seen.get("pid") and process_started(seen["pid"]) is None
            if seen.get("state") == "failed" or (gone and self.folder.test() == seen):
                error = seen.get("error") or {"what": "the worker died while testing", "hint": ""}
                raise RunFailed(f"{self.name}: {error['what']}", error["hint"], error.get("traceback", ""))
            if not seen and time.monotonic() - began > folders.START_PATIENCE:
                raise RunFailed(f"{self.name}: no worker came to test it", "", self.folder.log(20))
            time.sleep(LOOK)
