"""GPT-2's published weights: their sizes and the names of their tensors, for gpt.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

NAMES = {  # a layer's name in a block of Hugging Face's GPT-2, and in one of ours
    "ln_1": "norm_attention",
    "attn.c_attn": "attention.query_key_value",
    "attn.c_proj": "attention.project",
    "ln_2": "norm_dense",
    "mlp.c_fc": "expand",
    "mlp.c_proj": "project",
}
OUTSIDE = {"wte": "tokens", "wpe": "positions", "ln_f": "norm"}  # the same of the layers around the blocks


def sizes(config: Any, source: str | None, vocab_size: int, window: int) -> tuple[int, int, int, int, int]:
    """(tokens, positions, layers, heads, width) of published weights; ValueError where they or the text do not fit."""
    usual = config.model_type == "gpt2" and config.activation_function == "gelu_new"
    if not usual or config.n_inner not in (None, 4 * config.n_embd) or config.layer_norm_epsilon != 1e-5:
        raise ValueError(
            f"{source} is {config.model_type}, not GPT-2 as published; the model llm takes any that writes"
        )
    if vocab_size > config.vocab_size:
        raise ValueError(f"{source} knows {config.vocab_size:,} tokens and the data has {vocab_size:,}; cut it alike")
    if window > config.n_positions:
        raise ValueError(f"{source} looks back on {config.n_positions:,} tokens; type --sequence-length at most that")
    return config.vocab_size, config.n_positions, config.n_layer, config.n_head, config.n_embd


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Hugging Face's tensors by the names here; their layers multiply from the other side (`Conv1D`)."""
    made = {}
    for name, tensor in weights.items():
        path, _, kind = name.removeprefix("transformer.").rpartition(".")
        if path in OUTSIDE:
            made[f"{OUTSIDE[path]}.{kind}"] = tensor
        elif path.startswith("h."):
            _, number, layer = path.split(".", 2)
            if layer in NAMES:  # not the masks that old files hold
                made[f"blocks.{number}.{NAMES[layer]}.{kind}"] = tensor.T if tensor.dim() == 2 else tensor
    return made
