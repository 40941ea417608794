"""Whose objects a run holds: a notebook's own code is read back only where this user made it, or said to trust it.

To open objects.pkl is to run code. So it is signed when the run is made, as Jupyter signs notebooks: with a key that
only this user's own state folder holds, over the bytes, over what the spec names of them, and over the file's owner.
A run that is moved or renamed stays one's own; a copy from another person, another machine or another home does not,
and neither does a file that was changed. `Run.trust()`, or `--trust`, signs what lies there now. Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import pickle
import secrets
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from nbmodels.errors import RunError
from nbmodels.runs import reading
from nbmodels.runs.run_folder import OBJECTS, RunFolder
from nbmodels.spec import NOTEBOOK, Spec

SIGNATURE = "objects.sig"  # 64 hexadecimal digits
KEY = "trust-key"  # in the user's state folder, 32 bytes, for the user alone
SESSION = "NBMODELS_TRUST_KEY"  # the key of one session and its workers, where no state folder can be written
PRIVATE = 0o600  # objects.pkl may hold anything that the notebook held


class Untrusted(RunError):
    """The run holds code of a notebook that this user has neither made nor said to trust."""


def holds_code(spec: Spec) -> bool:
    """Whether the run needs the notebook's own objects."""
    return spec.model.startswith(NOTEBOOK) or spec.data.startswith(NOTEBOOK)


def write(place: Path, spec: Spec, objects: bytes) -> None:
    """Put a notebook's objects into a folder that is being made, readable for this user alone, and sign them."""
    number = os.open(place / OBJECTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
    with os.fdopen(number, "wb") as file:
        place.joinpath(OBJECTS).chmod(PRIVATE)
        file.write(objects)
    _sign(place, spec, objects)


def check(folder: RunFolder) -> None:
    """Untrusted where the run holds code that this user has not made and does not trust; nothing is opened."""
    spec = folder.spec()
    if holds_code(spec):
        _trusted(folder, spec)


def trust(folder: RunFolder) -> None:
    """Sign the objects as they lie there: from now on they open, until one of them is changed."""
    spec = folder.spec()
    if not holds_code(spec):
        return
    content = _content(folder)
    try:
        _sign(folder.path, spec, content)
    except OSError as error:
        raise RunError(
            f"{folder.name} cannot be trusted where it is: {error.strerror}",
            f"Copy it to a folder of your own: cp -r {folder.path} .",
        ) from None


def load(folder: RunFolder) -> dict[str, Any]:
    """The notebook's own things of a run, empty where it has none; the one place where they are opened."""
    spec = folder.spec()
    if not holds_code(spec):
        return {}
    content = _trusted(folder, spec)
    try:
        objects: dict[str, Any] = pickle.loads(content)
    except Exception as error:  # whatever the notebook's own code may raise
        what = str(error).split("\n")[0] or type(error).__name__
        raise RunError(
            f"{folder.name}'s objects cannot be opened: {what}", "They need the packages that the notebook had."
        ) from error
    return objects


def _trusted(folder: RunFolder, spec: Spec) -> bytes:
    """The objects' bytes, the very ones that were checked."""
    content = _content(folder)
    signature = b""
    with contextlib.suppress(OSError):
        signature = reading.read_bytes(folder.path, SIGNATURE, most=64)
    if not hmac.compare_digest(signature, _signature(folder.path, spec, content)):
        raise Untrusted(
            f"{folder.name} holds code of a notebook, and you have not made it here",
            f"If you trust whoever did: %bigmodel attach {folder.name} --trust",
        )
    return content


def _content(folder: RunFolder) -> bytes:
    try:
        with reading.open_file(folder.path, OBJECTS) as file:
            return file.read()
    except OSError as error:
        raise RunError(
            f"{folder.name}'s {OBJECTS} cannot be read: {error.strerror}", "The run is whole only with it."
        ) from None


def _sign(place: Path, spec: Spec, content: bytes) -> None:
    part = place / f".{SIGNATURE}.{secrets.token_hex(4)}.part"
    try:
        part.write_bytes(_signature(place, spec, content))
        part.replace(place / SIGNATURE)
    finally:
        part.unlink(missing_ok=True)


def _signature(place: Path, spec: Spec, content: bytes) -> bytes:
    owner = (place / OBJECTS).lstat().st_uid
    named = "\0".join((str(owner), spec.model, spec.data)).encode()
    message = hashlib.sha256(named).digest() + hashlib.sha256(content).digest()
    return hmac.new(_key(), message, hashlib.sha256).hexdigest().encode()


def _key() -> bytes:
    """This user's key, made when it is first asked for; a key that others may read is none."""
    file = user_state_path("nbmodels") / KEY
    try:
        return _own_key(file) or _new_key(file)
    except OSError:  # a home that cannot be written is no reason not to train
        held = os.environ.setdefault(SESSION, secrets.token_hex(32))
        return held.encode()


def _own_key(file: Path) -> bytes | None:
    try:
        with reading.open_file(file.parent, file.name) as opened:
            seen, found = os.fstat(opened.fileno()), opened.read(64)
    except FileNotFoundError:
        return None
    private = not hasattr(os, "getuid") or (seen.st_uid == os.getuid() and not seen.st_mode & 0o077)
    return found if len(found) == 32 and private else None


def _new_key(file: Path) -> bytes:
    """Another key in its place; of two processes that make one at once, both take the one that came first."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
    try:
        with os.fdopen(number, "wb") as opened:
            opened.write(secrets.token_bytes(32))
        if os.path.lexists(file) and _own_key(file) is None:
            file.unlink()  # readable for others, or cut short: nothing that it has signed can be believed
        _keep(part, file)
    finally:
        part.unlink(missing_ok=True)
    key = _own_key(file)
    if key is None:
        raise PermissionError("no key can be kept here")
    return key


def _keep(part: Path, file: Path) -> None:
    try:
        os.link(part, file)
    except FileExistsError:
        pass
    except OSError:  # a disk without links
        part.replace(file)
