"""From a reference (`fashion-mnist`, a path, `notebook:X`) to data that Lightning trains on.

Imports no torch by itself: the kernel calls `check_data` before a run exists.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbmodels.data import DATA
from nbmodels.data.streams import streams
from nbmodels.errors import DataError, InputError, UnknownName
from nbmodels.spec import NOTEBOOK

if TYPE_CHECKING:
    import lightning.pytorch as L

Options = dict[str, Any]


def open_data(
    reference: str,
    options: Options,
    batch_size: int = 32,
    seed: int = 0,
    limit: int | None = None,
    task: str | None = None,
    obj: Any = None,
) -> L.LightningDataModule:
    """The data a reference means, as a LightningDataModule with `.facts`.

    Args:
        reference: A name of the table, `notebook:NAME` with `obj`, or a path.
        options: The data set's own options (its `__init__` parameters).
        batch_size: Samples a batch, at least 1.
        seed: Seed of the order and of augmentation; the splits themselves never change.
        limit: Train on so many samples only.
        task: What the user says y is; None means that the data says it.
        obj: The notebook's object that `notebook:NAME` means.

    Raises:
        UnknownName: No data set is called so.
        DataError: The data is missing, broken or cannot be used.
    """
    if reference.startswith(NOTEBOOK) and not _is_arrays(obj):
        from nbmodels.data.loaders import open_torch

        return open_torch(reference.removeprefix(NOTEBOOK), obj, options, batch_size, seed, limit, task)
    from nbmodels.data.batches import InMemory

    return InMemory(_load(reference, options, task, obj), batch_size, seed, limit)


def check_data(reference: str, options: Options, task: str | None = None, obj: Any = None) -> None:
    """Raise now what `open_data` would raise of this reference, as far as it is quick to see.

    The user's arrays, frames and files are looked at whole; a named data set only by its name and options,
    for it may have to be fetched first. Imports torch only where `obj` comes from torch.

    Raises:
        UnknownName: No data set is called so.
        InputError: The data set has no such option.
        DataError: The data is missing, broken or cannot be used.
    """
    if reference.startswith(NOTEBOOK):
        if _is_arrays(obj):
            _own(obj, reference, options, task, check=True)
        else:
            from nbmodels.data.loaders import check_torch

            check_torch(reference.removeprefix(NOTEBOOK), obj, options)
    elif reference in DATA or not is_path(reference):
        named(reference, options)
    else:
        _own(Path(reference), reference, options, task, check=True)


def named(reference: str, options: Options) -> Any:
    """A data set of the table, made but not loaded; UnknownName when there is none, InputError for an option."""
    if reference not in DATA:
        raise UnknownName("data set", reference, DATA, "Or a variable of the notebook, or a path.")
    module, _, cls = DATA[reference].partition(":")
    return _make(getattr(importlib.import_module(module), cls), options)


def is_path(reference: str) -> bool:
    """Whether a reference means a file or folder rather than a name of the table."""
    return "/" in reference or "\\" in reference or bool(Path(reference).suffix) or Path(reference).is_dir()


def _load(reference: str, options: Options, task: str | None, obj: Any) -> Any:
    if reference.startswith(NOTEBOOK):
        return _own(obj, reference, options, task)
    if reference in DATA or not is_path(reference):
        return named(reference, options).load()
    return _own(Path(reference), reference, options, task)


def _own(obj: Any, reference: str, options: Options, task: str | None, check: bool = False) -> Any:
    """The user's own data loaded, or only checked: a path's files, or what is in memory."""
    source: Any
    place: tuple[Any, ...]
    if isinstance(obj, Path):
        from nbmodels.data.files import Files

        source, place = _make(Files, options), (str(obj),)
    else:
        from nbmodels.data.arrays import Arrays

        source, place = _make(Arrays, options), (reference.removeprefix(NOTEBOOK), obj)
    return (source.check if check else source.load)(*place, task)


def _make(cls: Any, options: Options) -> Any:
    try:
        return cls(**options)
    except TypeError as error:
        raise InputError(f"{cls.__name__}: {str(error).partition('() ')[2] or error}") from None


def _is_arrays(obj: Any) -> bool:
    """Whether an object is in memory whole: anything but what torch or Lightning streams from."""
    if obj is None:
        raise DataError("The notebook's variable holds None", "Give it data first.")
    return not streams(obj)
