"""Published language models, as transformers reads them: a folder, a .gguf file, or a name on Hugging Face's hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def causal(source: str) -> Any:
    """transformers' model that foretells the next token, in 32-bit floats; ValueError says in one line why not.

    Args:
        source: A folder that `save_pretrained` wrote, a .gguf file, or a name on the hub.
    """
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError:
        raise ValueError("pretrained weights are read by transformers; type: %pip install transformers") from None
    logging.disable_progress_bar()
    path = Path(source).expanduser()
    folder, more = (str(path.parent), {"gguf_file": path.name}) if path.suffix == ".gguf" else (str(path), {})
    if more:  # the one bar of transformers that its own switch does not reach
        from transformers import modeling_gguf_pytorch_utils as gguf

        gguf.tqdm = logging.tqdm
    try:
        return AutoModelForCausalLM.from_pretrained(folder if path.exists() else source, dtype=torch.float32, **more)
    except ImportError as error:  # a .gguf file needs one more library
        raise ValueError(f"{source} cannot be read: {str(error).strip().splitlines()[0]}") from None
    except Exception as error:  # of the hub's client, of safetensors, of a configuration: there are dozens
        if path.exists():
            why = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
            raise ValueError(f"{source} holds no model that transformers can read ({why})") from None
        raise ValueError(
            f"there is no folder or file {source}, and Hugging Face's hub gives none of that name; "
            "a folder that save_pretrained wrote does"
        ) from None
