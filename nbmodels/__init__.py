"""nbmodels: one line in a notebook trains a neural architecture, in a process of its own.

The way of a line through the house:

    magic.py, cli.py, nbmodels.train     what was typed
      line.py                            split and sorted: a word, its places, its options
      request.py                         model + data + options, checked, as a Spec (spec.py)
      runs/launch.py                     writes the run's folder and wakes a worker
      runs/worker.py                     builds the model, the data and a Lightning Trainer
      runs/record.py                     writes what happens into the folder
      views/, server/                    read the folder and draw it: live, static, in the Lab, TensorBoard

    >>> import nbmodels
    >>> run = nbmodels.train("cnn", data="digits", epochs=3)
    >>> run.model, run.metrics
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbmodels.runs.run import Run

__all__ = ["Run", "attach", "load_ipython_extension", "train"]


def train(model: Any, data: Any = None, *, wait: bool | None = None, once: bool = False, **options: Any) -> Run:
    """Start a training and return at once with its Run; every option of the line is a keyword here.

    Args:
        model: A name of `%bigmodel models`, or a LightningModule or nn.Module of your own (the class).
        data: A name of `%bigmodel data`, a path, or arrays `(X, y)`, a DataFrame, a Dataset, a DataLoader …;
            None means the model's own default.
        wait: Wait for the end; None waits only where nobody can press a button.
        once: Where the same training runs or has finished already, attach to it instead of training again.
        options: Options of the training, the model and the data, as `epochs=3`; `from_` for `--from`.

    Raises:
        InputError, DataError: One line that says what to type; nothing has been started then.
        RunFailed: The run went wrong while it was waited for.
    """
    import sys

    from nbmodels import words

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    named = {name.removesuffix("_"): value for name, value in options.items()}
    namespace = shell.user_ns if shell else {}
    run = words.train(namespace, model, wait, "python", once, data=data, **named)
    if shell is not None and hasattr(shell, "kernel"):
        from nbmodels import magic

        magic.register_display(shell)
        magic.show(run)
    return run


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext nbmodels`."""
    from nbmodels import magic

    magic.load(shell)


def __getattr__(name: str) -> Any:
    """The names that need more than this file, imported when they are first used."""
    if name in ("Run", "attach"):
        from nbmodels.runs import run

        return getattr(run, name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("nbmodels")
        except PackageNotFoundError:  # a checkout that was not installed
            return "0+source"
    raise AttributeError(f"module 'nbmodels' has no attribute {name!r}")
