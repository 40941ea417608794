"""What each word does: one function of the word's own name, from the places and options of `line.WORDS`.

Every one gives back something that can be displayed: a `Run`, a widget, or a `Shown`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbmodels import names, pages, request, shown
from nbmodels.errors import InputError
from nbmodels.option import Style
from nbmodels.runs import equal, launch, listing, typed
from nbmodels.runs import folder as folders
from nbmodels.runs import run as handles
from nbmodels.runs.attended import attended
from nbmodels.runs.run import Run
from nbmodels.shown import Shown

Namespace = Mapping[str, Any]


def help(namespace: Namespace, word: str | None = None, model: str | None = None) -> Shown:
    """The words in one screen; one word; or what `train` takes for one model."""
    if word is None:
        return pages.words()
    if word in names.models(namespace):
        return pages.word("train", namespace, word)
    return pages.word(word, namespace, model)


def models(namespace: Namespace) -> Shown:
    """The table of models."""
    return pages.models(namespace)


def info(namespace: Namespace, model: str) -> Shown:
    """One model."""
    return pages.model(names.find_model(model, namespace))


def data(namespace: Namespace, data: str | None = None) -> Shown:
    """The table of data sets, or one with a few samples."""
    return pages.data_sets() if data is None else pages.data_set(names.find_data(data, namespace))


def train(
    namespace: Namespace,
    model: Any,
    wait: bool | None = None,
    style: Style = "flag",
    once: bool = False,
    **options: Any,
) -> Run:
    """Start a run, options as typed; wait for its end where that is asked for, or nobody could press a button.

    Where the same training is there already, one line says so; with `once` that run is given instead.
    """
    spec, objects = request.build_spec(model, options.pop("data", None), options, namespace, style)
    same = equal.find_equal(spec, (lambda: launch.pickled(objects)) if objects else None)
    if same is not None and once:
        run = Run(same)
    else:
        if same is not None:
            say(equal.sentence(same, style))
        run = handles.train(spec, objects, wait=False)
    if wait or (wait is None and not attended()):
        if attended():  # live while it is waited for; where nobody looks, its end is shown
            from nbmodels.views import show

            show.show(run)
        run.wait()
    return run


def say(sentence: str) -> None:
    """Print a line: in the cell where there is one, else where it mixes with nothing that a program reads."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        print(sentence)
    else:
        print(typed.harmless(sentence.replace("%bigmodel", "bigmodel")), file=sys.stderr)


def panel(namespace: Namespace, model: str, **options: Any) -> Any:
    """The form, filled with the options that were typed; its button starts a run as `train` does."""
    from nbmodels.views import form

    found = names.find_model(model, namespace)
    data = names.find_data(options.pop("data", None) or request.default_data(found), namespace)
    chosen = request.sort_options(found, data, options, "flag")
    request.check_fit(found, data, chosen["common"].get("task"))

    def start(typed: dict[str, Any]) -> Run:
        more = {**chosen["common"], **typed}
        spec, objects = request.build_spec(model, more.pop("data"), more, namespace)
        return handles.train(spec, objects, wait=False)

    described = {data.name: data.described, **request.data_for(found)}
    inside = {"data": data.name, **chosen["training"], **chosen["model"], **chosen["data"]}
    filled = [name for name in request.FILLED if name not in chosen["model"]]
    return form.panel(model, found.described, described, start, inside, filled)


def runs(namespace: Namespace) -> Shown:
    """The runs of this place, the newest first."""
    found = listing.listed(folders.runs_root())
    return pages.runs(found.runs, found.line)


def attach(namespace: Namespace, run: str | None = None, trust: bool = False) -> Run:
    """A run, whoever started it."""
    return _trusted(find_run(run, namespace), trust)


def stop(namespace: Namespace, run: str | None = None) -> Shown:
    """End a run at its next step."""
    found = find_run(run, namespace, alive=True)
    if not found.folder.alive():
        return shown.line(f"{found.name} has ended already: it is {found.state}.", found.folder.summary())
    found.stop()
    return shown.line(f"{found.name} is {found.state}. To go on: %bigmodel resume {found.name}", found.folder.summary())


def pause(namespace: Namespace, run: str | None = None) -> Shown:
    """Give the processor back for a while."""
    found = find_run(run, namespace, alive=True).pause()
    return shown.line(f"{found.name} pauses. To go on: %bigmodel resume {found.name}", found.folder.summary())


def resume(namespace: Namespace, run: str | None = None, trust: bool = False) -> Run:
    """Go on; what comes back is the run's live view."""
    return _trusted(find_run(run, namespace), trust).resume()


def _trusted(found: Run, trust: bool) -> Run:
    return found.trust() if trust else found


def tensorboard(namespace: Namespace) -> Any:
    """TensorBoard on the runs' folder."""
    from nbmodels.views import board

    return board.tensorboard(folders.runs_root())


def test(namespace: Namespace, run: str | None = None, trust: bool = False) -> Shown:
    """The held-out figures, with the picture that people expect of the task."""
    found = _trusted(find_run(run, namespace), trust)
    return pages.test(found.folder.summary(), found.test())


def predict(namespace: Namespace, run: str, inputs: Sequence[str], stream: bool = True, **options: Any) -> Any:
    """The model's answer to new inputs: variables, files, texts, or the numbers of a row; a text while it is written.

    `stream` False gives a text when it is whole, and shows nothing before.
    """
    if weights := options.pop("pretrained", None):
        from nbmodels.runs import examine

        return examine.recall(run, weights, read_inputs(inputs, "image", namespace))
    found = _trusted(find_run(run, namespace), options.pop("trust", False))
    facts = found.folder.facts()
    given = {name: value for name, value in options.items() if value is not None}
    asked = read_inputs(inputs, facts.kind if facts else "", namespace)
    if stream and isinstance(asked, str) and facts and facts.task == "language-modelling":
        from nbmodels.views import writing

        return writing.watched(lambda tell: found.predict(asked, tell, **given))
    return found.predict(asked, **given)


def read_inputs(inputs: Sequence[str], kind: str, namespace: Namespace) -> Any:
    """What was typed after `predict RUN`, as `Run.predict` takes it; one input by itself, several as a list."""
    if len(inputs) == 1 and inputs[0] in namespace:
        return namespace[inputs[0]]
    numbers = [part for each in inputs for part in re.split(r"[,\s]+", each.strip("[]()")) if part]
    if kind == "table" and not any(Path(each).exists() for each in inputs):
        return _row(numbers)
    if kind == "text" and len(inputs) > 1 and not any(" " in each for each in inputs):
        return " ".join(inputs)  # words of one text, typed without quotes
    found = [namespace.get(each, each) for each in inputs]
    return found[0] if len(found) == 1 else found


def _row(numbers: list[str]) -> list[float]:
    try:
        return [float(number) for number in numbers]
    except ValueError as error:
        raise InputError(
            f"A row takes numbers: {error}", "Type: predict RUN 5.1 3.5 1.4 0.2, or a variable of the notebook"
        ) from None


def find_run(run: str | None, namespace: Namespace, alive: bool = False) -> Run:
    """A run by its name or by the variable that holds it; without either the newest (alive) one."""
    if run is not None:
        held = namespace.get(run)
        return held if isinstance(held, Run) else handles.attach(run)
    every = folders.all_runs()
    if not every:
        raise InputError("There is no run here yet", "Type: %bigmodel train cnn")
    living = [each for each in every if each.alive()] if alive else []
    if len(living) > 1:
        raise InputError(f"{len(living)} runs are alive", f"Name one: {', '.join(each.name for each in living)}.")
    return Run((living or every)[0])
