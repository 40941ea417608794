"""What the networks with published weights share: the pictures those weights were trained on, their files, their fit.

`vgg`, `resnet` and `mobilenet` name their files; that a file is fetched, read with `weights_only` and compared with the
network tensor by tensor is the same for all and stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

URL = "https://download.pytorch.org/models/"  # where torchvision's weights are
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, as torchvision trained on them


class Normalise(nn.Module):
    """What the weights were trained on: [B, 1 or 3, S, S] of 0 to 1 -> [B, 3, S, S] around zero."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Grey pictures get three equal colours."""
        return (x - self.mean) / self.std


def read_weights(source: str, files: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of a file, or of torchvision's weights of that name; ValueError says in one line why not.

    Args:
        source: A file's path, or a name in `files`.
        files: torchvision's names and the files that they stand for.
    """
    if source in files:
        try:
            return torch.hub.load_state_dict_from_url(  # type: ignore[no-any-return]
                URL + files[source], map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        except (OSError, RuntimeError) as error:
            why = getattr(error, "reason", error)
            raise ValueError(f"{source} cannot be fetched from {URL} ({why}); a file does: --pretrained FILE") from None
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
        return found.get("state_dict", found)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise ValueError(f"there is no file {source}; torchvision's weights are {', '.join(files)}") from None
    except Exception:  # whatever unpickling may say of a file that is none of torch's
        raise ValueError(f"{source} holds no weights that torch can read") from None


def load(model: nn.Module, weights: Mapping[str, Tensor], source: str, head: str) -> None:
    """Copy weights into the model; the layer `head` stays fresh where its size is another, and that is said.

    Args:
        model: The network.
        weights: Its tensors by name.
        source: What the user called them.
        head: The name of the last layer.

    Raises:
        ValueError: They are another network's.
    """
    own = model.state_dict()
    fits = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    wrong = [name for name in {**own, **weights} if name not in fits and not name.endswith("num_batches_tracked")]
    if others := [name for name in wrong if not name.startswith(f"{head}.") or name not in weights]:
        raise ValueError(f"{source} is another network: {others[0]} and {len(others) - 1} other tensors do not fit")
    model.load_state_dict(fits, strict=False)
    if wrong:
        print(f"The head is fresh: {source} knows {len(weights[wrong[0]]):,} classes, here are {len(own[wrong[0]]):,}")
