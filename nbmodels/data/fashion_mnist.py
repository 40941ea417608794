"""Fashion-MNIST: 70,000 pictures of clothes, 28×28. Han Xiao, Kashif Rasul, Roland Vollgraf, arXiv:1708.07747."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from nbmodels.data.dataset import DataSet, even_order
from nbmodels.data.facts import Facts
from nbmodels.data.fetch import cache_folder, cached, check_hash, missing, url_bytes
from nbmodels.errors import DataError

SYSTEM = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it
URLS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
HASHES = {  # SHA-256 of the decompressed files: distributions compress them again
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
VAL = 5_000


class FashionMNIST:
    """Pictures of clothes, the drop-in for MNIST that is not solved yet.

    x [N, 1, 28, 28] bytes, y [N] one of ten kinds of clothing. 55,000 to train, 5,000 to validate (500 a
    kind), and the 10,000 of the published test set.

    Args:
        augment: Move each training picture by up to two pixels and mirror every other one, at random.
    """

    kind = "image"
    task = "classification"
    size = "70,000 pictures, 28×28 grey, 10 kinds of clothing"
    licence = "MIT"
    source = "Debian's dataset-fashion-mnist, or github.com/zalandoresearch/fashion-mnist (30 MB, once)"
    ships = False

    def __init__(self, augment: bool = False) -> None:
        self.augment = augment

    def load(self) -> DataSet:
        """The three splits, mapped from the cache; the first time they are unpacked into it.

        Raises:
            DataError: They are not on this machine and cannot be fetched.
        """
        folder = cached("fashion-mnist-1", _unpack)
        names = ("train-x", "train-y", "test-x", "test-y")
        # "c": copy on write, so that a tensor may share the pages and yet nobody changes the file
        x, y, test_x, test_y = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in names)
        facts = Facts(
            name="fashion-mnist",
            kind="image",
            task="classification",
            fills={"in_channels": 1, "image_size": 28, "in_features": 784, "num_classes": 10, "task": "classification"},
            classes=CLASSES,
            scale=255.0,
        )
        augment = None
        if self.augment:
            from nbmodels.data.augment import ShiftFlip

            augment = ShiftFlip(shift=2, flip=True)
        return DataSet(facts, (x[VAL:], y[VAL:]), (x[:VAL], y[:VAL]), (test_x, test_y), augment)


def _unpack(folder: Path) -> None:
    """Write the arrays uncompressed, the training pictures in the order that the splits are cut from."""
    order: np.ndarray | slice = slice(None)
    for name, file in (("train", "train"), ("test", "t10k")):
        labels = np.frombuffer(_read(f"{file}-labels-idx1-ubyte"), np.uint8, offset=8).astype(np.int64)
        pictures = np.frombuffer(_read(f"{file}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 1, 28, 28)
        order = even_order(labels) if name == "train" else slice(None)
        np.save(folder / f"{name}-x.npy", pictures[order])
        np.save(folder / f"{name}-y.npy", labels[order])


def _read(name: str) -> bytes:
    """One file of the published four, decompressed and checked."""
    places = (SYSTEM, cache_folder() / "fashion-mnist")
    for place in places:
        file = place / f"{name}.gz"
        if file.is_file():
            content = gzip.decompress(file.read_bytes())
            check_hash(content, HASHES[name], str(file))
            return content
    try:
        content = gzip.decompress(url_bytes((f"{url}{name}.gz" for url in URLS), f"{name}.gz"))
    except DataError as error:
        raise missing("fashion-mnist", (cache_folder(), *places), error) from None
    check_hash(content, HASHES[name], name)
    return content
