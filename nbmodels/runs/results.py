"""The running averages of what a user's own module logs, kept in the checkpoint.

Lightning keeps them in memory only (`_ResultCollection`), so a run that went on in the middle of an epoch would give
that epoch the mean of its second half. Here they become plain values and tensors, and come back to the bit.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.trainer.connectors.logger_connector.result import (
    _Metadata,
    _ResultMetric,
    _Sync,
)
from torchmetrics import Metric

_META = (
    *("fx", "name", "prog_bar", "logger", "on_step", "on_epoch", "enable_graph", "add_dataloader_idx"),
    *("dataloader_idx", "metric_attribute"),
)
_REDUCTIONS = {reduce.__name__: reduce for reduce in (torch.mean, torch.sum, torch.max, torch.min)}
_NAMES: dict[Any, str] = {max: "max", min: "min", sum: "sum"}


def state_of(trainer: L.Trainer) -> dict[str, Any]:
    """What Lightning knows of the epoch's values so far."""
    connector, epoch = trainer._logger_connector, trainer.fit_loop.epoch_loop
    return {
        "results": {key: _kept(metric) for key, metric in epoch._results.items()},
        "accumulate": trainer.accumulate_grad_batches,
        "first": connector._first_loop_iter,
        "fx": connector._current_fx,
        "known": {name: _tensor(value) for name, value in connector._callback_metrics.items()},
        "logged": {name: _tensor(value) for name, value in connector._logged_metrics.items() if _plain(value)},
        "validated": {str(key): count for key, count in _seen(epoch).items()},
    }


def restore(trainer: L.Trainer, module: L.LightningModule, state: dict[str, Any]) -> None:
    """Put back what `state_of` gave; called when every hook of the start has logged what it has to log."""
    connector, epoch = trainer._logger_connector, trainer.fit_loop.epoch_loop
    epoch._results.clear()
    trainer.accumulate_grad_batches = state["accumulate"]  # a schedule sets it when an epoch begins
    for key, kept in state["results"].items():
        epoch._results[key] = _made(trainer, module, kept)
    connector._first_loop_iter, connector._current_fx = state["first"], state["fx"]
    connector._callback_metrics = {name: value.to(module.device) for name, value in state["known"].items()}
    connector._logged_metrics = dict(state["logged"])
    _seen(epoch).update({int(key): count for key, count in state["validated"].items()})


def _kept(metric: _ResultMetric) -> dict[str, Any]:
    meta = metric.meta
    reduce = _NAMES.get(meta.reduce_fx) or meta.reduce_fx.__name__
    kept = {name: getattr(meta, name) for name in _META}
    sync = {"should": meta.sync.should, "rank_zero_only": meta.sync.rank_zero_only}
    values = ("value", "cumulated_batch_size") if meta.is_mean_reduction else ("value",)
    return {
        "meta": {**kept, "reduce_fx": reduce, "builtin": meta.reduce_fx in _NAMES},
        "sync": sync,
        "is_tensor": metric.is_tensor,
        "has_reset": metric.has_reset,
        "updates": metric._update_count,
        "step": None if metric._forward_cache is None else _tensor(metric._forward_cache),
        "values": {name: _tensor(getattr(metric, name)) for name in values} if metric.is_tensor else {},
    }


def _made(trainer: L.Trainer, module: L.LightningModule, kept: dict[str, Any]) -> _ResultMetric:
    reduce = kept["meta"]["reduce_fx"]
    builtin = {name: function for function, name in _NAMES.items()}
    function: Any = builtin[reduce] if kept["meta"]["builtin"] else _REDUCTIONS[reduce]
    meta = _Metadata(**{name: kept["meta"][name] for name in _META}, reduce_fx=function)
    sync = kept["sync"]
    meta.sync = _Sync(_should=sync["should"], fn=trainer.strategy.reduce, rank_zero_only=sync["rank_zero_only"])
    metric = _ResultMetric(meta, kept["is_tensor"])
    metric.to(module.device)
    for name, value in kept["values"].items():
        setattr(metric, name, value.to(module.device))
    if not kept["is_tensor"]:
        metric.value = _attribute(module, meta.metric_attribute)
    metric._forward_cache = None if kept["step"] is None else kept["step"].to(module.device)
    metric._update_count, metric.has_reset = kept["updates"], kept["has_reset"]
    return metric


def _attribute(module: L.LightningModule, name: str | None) -> Metric:
    found = dict(module.named_modules()).get(name or "")
    assert isinstance(found, Metric), f"the module has no metric {name!r} any more"
    return found


def _seen(epoch: Any) -> dict[int, int]:
    """Batches validated so far by loader: the step under which a validation's own steps are logged."""
    seen: dict[int, int] = getattr(epoch.val_loop, "_seen_batches_per_dataloader", {})
    return seen


def _plain(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, int, float))


def _tensor(value: Any) -> torch.Tensor:
    return value.detach().cpu().clone() if isinstance(value, torch.Tensor) else torch.tensor(value)
