"""What a user's own module holds beside its weights: metrics, lists of outputs, counters, gradients not yet used.

None of it is in a `state_dict`, and all of it is state: an epoch's mean taken from a list is another one where the list
begins anew in the middle of the epoch.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import lightning.pytorch as L
import torch
from torch import nn
from torchmetrics import Metric, MetricCollection

MOST = 100_000_000  # bytes of such values that a checkpoint takes
LIBRARIES = ("torch", "lightning", "pytorch_lightning", "torchvision", "transformers", "timm", "torchmetrics", "peft")
_NOT_OURS = {*vars(L.LightningModule()), *vars(nn.Module()), "trainer", "training"}
_OF_METRIC = {"_defaults", "_cache", "_persistent", "_reductions", "_device", "_dtype_convert", "_to_sync", "training"}


def state_of(module: L.LightningModule, gradients: bool) -> dict[str, Any]:
    """The values as plain numbers, tensors, lists and dictionaries; what is none of these stays away.

    Args:
        module: The user's module.
        gradients: Whether what has been summed up in `grad` is still to be used.
    """
    for each in module.modules():
        if isinstance(each, MetricCollection):
            list(each.items(keep_base=True, copy_state=False))  # metrics that share a state all hold it now
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    values, size = {}, 0
    for name, each in module.named_modules():
        for key, value in _attributes(each).items():
            kept = _keep(value, weights)
            if kept is not None and size + _bytes(kept) <= MOST:
                size += _bytes(kept)
                values[f"{name}:{key}"] = kept
    grads = {n: w.grad.detach().cpu().clone() for n, w in module.named_parameters() if gradients and w.grad is not None}
    return {"values": values, "gradients": grads}


def restore(module: L.LightningModule, state: dict[str, Any]) -> None:
    """Put back what `state_of` gave, where the module still has such an attribute or has yet to get it."""
    modules = dict(module.named_modules())
    for place, kept in state["values"].items():
        name, _, key = place.rpartition(":")
        if name in modules and not _refilled(vars(modules[name]).get(key), value := _give(kept, module.device)):
            object.__setattr__(modules[name], key, value)
    weights = dict(module.named_parameters())
    for name, grad in state["gradients"].items():
        if name in weights:
            weights[name].grad = grad.to(weights[name].device)


def _attributes(module: nn.Module) -> dict[str, Any]:
    if isinstance(module, Metric):
        return {key: value for key, value in vars(module).items() if key not in _OF_METRIC and key[0] != "_" or key in
                ("_update_count", "_computed", "_forward_cache", "_num_vals_seen")}  # fmt: skip
    if type(module).__module__.partition(".")[0] in LIBRARIES:
        return {}
    return {key: value for key, value in vars(module).items() if key not in _NOT_OURS and not key.startswith("__")}


def _keep(value: Any, weights: set[int]) -> Any:
    """The value as a checkpoint may hold it, [kind, content]; None where it is of another kind."""
    if isinstance(value, torch.Tensor):
        own = type(value) is torch.Tensor and not value.is_sparse and value.layout == torch.strided
        return ["tensor", value.detach().cpu().clone()] if own and not _shared(value, weights) else None
    if value is None or type(value) in (bool, int, float):
        return ["plain", value]
    if type(value) in (list, tuple, deque):
        parts = [_keep_item(item, weights) for item in value]
        return None if any(part is None for part in parts) else [type(value).__name__, parts]
    if isinstance(value, dict) and all(type(key) in (str, int, bool, float) for key in value):
        items = [[key, _keep_item(item, weights)] for key, item in value.items()]
        return None if any(item is None for _, item in items) else ["dict", items]
    return None


def _keep_item(value: Any, weights: set[int]) -> Any:
    return ["plain", value] if type(value) is str else _keep(value, weights)


def _shared(tensor: torch.Tensor, weights: set[int]) -> bool:
    """Whether it is a weight or a part of one: that is in the state_dict."""
    return bool(tensor.numel()) and tensor.untyped_storage().data_ptr() in weights


def _give(kept: Any, device: torch.device) -> Any:
    kind, content = kept
    if kind == "tensor":
        return content.to(device)
    if kind in ("list", "tuple", "deque"):
        parts = [_give(item, device) for item in content]
        return tuple(parts) if kind == "tuple" else deque(parts) if kind == "deque" else parts
    return {key: _give(item, device) for key, item in content} if kind == "dict" else content


def _refilled(there: Any, value: Any) -> bool:
    """Fill the list or dictionary that the module has: it may be known elsewhere, or give defaults of its own."""
    if isinstance(there, (list, deque)) and isinstance(value, (list, deque)):
        there.clear()
        there.extend(value)
        return True
    if isinstance(there, dict) and isinstance(value, dict):
        there.clear()
        there.update(value)
        return True
    return False


def _bytes(kept: Any) -> int:
    if kept is None or kept[0] == "plain":
        return 8
    if kept[0] == "tensor":
        return int(kept[1].nbytes)
    return sum(_bytes(item[1] if kept[0] == "dict" else item) for item in kept[1])
