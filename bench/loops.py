"""Hand-written training loops to be measured against: python loops.py same|plain MODEL BATCH EPOCHS LIMIT.

`same` is our own model in the shortest loop, on batches indexed out of memory. `plain` is the network as the
tutorials write it (NCHW, ReLU before the pooling) with a DataLoader. Prints samples a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.data.fashion_mnist import FashionMNIST
from nbmodels.models.autoencoder import Autoencoder
from nbmodels.models.cnn import CNN

Pair = tuple[Tensor, Tensor]


def pictures(limit: int) -> Pair:
    """Fashion-MNIST's training pictures, bytes [N, 1, 28, 28], and labels [N]."""
    x, y = FashionMNIST().load().train
    return torch.as_tensor(x[:limit]), torch.as_tensor(y[:limit]).long()


def plain() -> nn.Module:
    """The classic convolutional network, layer by layer."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def in_memory(x: Tensor, y: Tensor, batch: int) -> Iterator[Pair]:
    """Batches by indexing."""
    order = torch.randperm(len(x))
    for start in range(0, len(x), batch):
        part = order[start : start + batch]
        yield x[part].float() / 255, y[part]


def main(kind: str, name: str, batch: int, epochs: int, limit: int) -> None:
    """Train and print samples a second of the training steps."""
    torch.manual_seed(0)
    x, y = pictures(limit)
    if kind == "plain":
        model: nn.Module = plain()
        data = torch.utils.data.TensorDataset(x.float() / 255, y)
        loader = torch.utils.data.DataLoader(data, batch, shuffle=True)
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters())
    else:
        own = CNN(image_size=28) if name == "cnn" else Autoencoder(image_size=28)
        model, optimizer = own, own.configure_optimizers()
    done, began = 0, time.perf_counter()
    for _ in range(epochs):
        for a, b in loader if kind == "plain" else in_memory(x, y, batch):
            out = model(a)
            loss = F.mse_loss(out, a) if name == "autoencoder" else F.cross_entropy(out, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += len(a)
    print(done / (time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
