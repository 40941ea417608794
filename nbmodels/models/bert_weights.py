"""BERT's published weights: found by transformers in a folder or on the hub, renamed tensor by tensor.

The sizes are the config's, or, of a checkpoint of ours, the tensors' own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Sizes = tuple[int, int, int, int, int, int, int]  # rows of tokens, positions, segments; layers, heads, width, dense

# transformers' name of a layer -> ours; a block's begin with its number.
NAMES = {
    "embeddings.word_embeddings": "encoder.tokens",
    "embeddings.position_embeddings": "encoder.positions",
    "embeddings.token_type_embeddings": "encoder.segments",
    "embeddings.LayerNorm": "encoder.norm",
    "pooler.dense": "pooler",
    "cls.predictions.transform.dense": "head.dense",
    "cls.predictions.transform.LayerNorm": "head.norm",
    "cls.predictions": "head",
    "classifier": "head",
    "qa_outputs": "head",
}
BLOCK = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "project",
    "attention.output.LayerNorm": "norm_attention",
    "intermediate.dense": "expand",
    "output.dense": "contract",
    "output.LayerNorm": "norm_dense",
}
KINDS = {"gamma": "weight", "beta": "bias"}  # of a LayerNorm, in weights that came from TensorFlow


def read(source: str) -> tuple[Sizes, dict[str, Tensor]]:
    """The sizes and the tensors by our names; ValueError says in one line why not.

    Args:
        source: A folder as transformers writes it, or a name on Hugging Face's hub.
    """
    try:
        from transformers import AutoConfig
        from transformers.utils import cached_file
    except ImportError:
        raise ValueError("published weights need a library; type: %pip install transformers") from None
    try:
        config: Any = AutoConfig.from_pretrained(source)
        options = {"_raise_exceptions_for_missing_entries": False}
        file = cached_file(source, "model.safetensors", **options) or cached_file(source, "pytorch_model.bin")
    except (OSError, ValueError) as error:  # the hub's client raises a dozen kinds; these are what they are made of
        why = str(error).strip().splitlines()[0].rstrip(".:")
        raise ValueError(f"no BERT {source!r} in a folder or on Hugging Face's hub: {why[:120]}") from None
    check(config, source)
    return sizes_of(config), renamed(tensors(str(file), source))


def check(config: Any, source: str) -> None:
    """ValueError where it is another architecture than ours."""
    if config.model_type != "bert":
        raise ValueError(f"{source} is a {config.model_type}, and only a BERT fits: bert-base-uncased is one")
    position = getattr(config, "position_embedding_type", None) or "absolute"
    if config.hidden_act != "gelu" or position != "absolute" or config.layer_norm_eps != 1e-12:
        said = f"{config.hidden_act}, {position} positions, eps {config.layer_norm_eps:g}"
        raise ValueError(f"{source} is a BERT of another kind ({said}); here are gelu, absolute positions, eps 1e-12")


def sizes_of(config: Any) -> Sizes:
    """The sizes that a config of transformers says."""
    return (
        config.vocab_size,
        config.max_position_embeddings,
        config.type_vocab_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.hidden_size,
        config.intermediate_size,
    )


def sizes_in(state: Mapping[str, Tensor], prefix: str) -> Sizes:
    """The sizes of the encoder whose tensors are in a checkpoint, under names that begin with `prefix`."""
    shape = {name.removeprefix(prefix): value.shape for name, value in state.items()}
    blocks = {found[1] for name in shape if (found := re.match(r"encoder\.blocks\.(\d+)\.", name))}
    tokens, positions, segments = (shape[f"encoder.{name}.weight"][0] for name in ("tokens", "positions", "segments"))
    dense, width = shape["encoder.blocks.0.expand.weight"]
    return tokens, positions, segments, len(blocks), int(state[f"{prefix}encoder.heads"]), width, dense


def tensors(file: str, source: str) -> dict[str, Tensor]:
    """The tensors of a file; nothing in it is run."""
    try:
        if file.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(file)
        found: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
        return found
    except Exception:  # whatever a broken file makes of the two readers
        raise ValueError(f"{source} holds no weights that torch can read") from None


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by our names, without those that we have no place for (the next sentence's head, tied copies)."""
    found = {}
    for name, value in weights.items():
        layer, _, kind = name.removeprefix("bert.").rpartition(".")
        kind = KINDS.get(kind, kind)
        if block := re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)", layer):
            found[f"encoder.blocks.{block[1]}.{BLOCK.get(block[2], block[2])}.{kind}"] = value
        elif layer in NAMES:
            found[f"{NAMES[layer]}.{kind}"] = value
    return found


def load(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into the model; the pooler and the head stay fresh where there are none that fit, and that is said.

    Raises:
        ValueError: They are another network's.
    """
    own, fresh = model.state_dict(), []
    for name, value in own.items():
        given = weights.get(name)
        if name == "encoder.heads":
            continue
        if name == "encoder.tokens.weight" and given is not None and len(value) == len(given) + 1:
            value[:-1] = given  # the last row is the gap's, which these weights do not know
        elif given is not None and given.shape == value.shape:
            value.copy_(given)
        elif name.startswith(("head.", "pooler.")):
            fresh.append(name.split(".")[0])
        else:
            raise ValueError(f"{source} has no tensor that fits {name} {list(value.shape)}")
    for part in dict.fromkeys(fresh):
        print(f"The {part} is fresh: {source} has none that fits")
