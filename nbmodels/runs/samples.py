"""What a model made, as files a person can open: a strip of pictures or a text, an epoch each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from nbmodels.data.facts import Facts
from nbmodels.runs.folder import SAMPLES, RunFolder

MOST = 8  # pictures a strip
SMALLEST = 56  # pixels of a picture's side: an 8×8 digit is enlarged, by whole pixels


def write_samples(folder: RunFolder, made: Any, step: int, epoch: int, facts: Facts, board: Any) -> None:
    """Write what `module.samples(batch)` gave, to the folder and to TensorBoard.

    Args:
        made: Pictures [N, C, H, W] in 0..1, tokens [N, T] (the data's tokenizer reads them), or a list of texts; or a
            pair: the tokens [N, T] that were given, and what was made of each.
        board: TensorBoard's SummaryWriter.
    """
    place = folder.file(SAMPLES)
    place.mkdir(exist_ok=True)
    given, made = made if isinstance(made, tuple) else (None, made)
    captions = [] if given is None else texts(given, facts)
    if isinstance(made, torch.Tensor) and made.is_floating_point():
        picture = strip(made)
        file = f"{step:08d}.png"
        write_png(place / file, picture)
        board.add_image("samples", picture, step, dataformats="HWC")
    else:
        written = pairs(captions, texts(made, facts))
        file = f"{step:08d}.txt"
        (place / file).write_text("\n\n".join(written), "utf-8")
        board.add_text("samples", "\n\n".join(f"```\n{text}\n```" for text in written), step)
    with (place / "index.jsonl").open("a", encoding="utf-8") as index:
        caption = {"caption": " · ".join(captions[:MOST])} if file.endswith(".png") and captions else {}
        index.write(json.dumps({"step": step, "epoch": epoch, "file": file, **caption}) + "\n")


def pairs(given: list[str], made: list[str]) -> list[str]:
    """What was given over what was made of it; what was made alone where nothing was given."""
    return [f"{one}\n→ {other}" for one, other in zip(given, made, strict=True)] if given else made


def strip(pictures: torch.Tensor) -> np.ndarray:
    """Pictures [N, C, H, W] in 0..1 side by side as one [H', W', 3] of bytes."""
    pictures = pictures[:MOST].detach().float().cpu().clamp(0, 1)
    if pictures.shape[1] not in (1, 3):
        pictures = pictures.mean(1, keepdim=True)
    times = max(1, SMALLEST // pictures.shape[-1])
    pictures = pictures.repeat_interleave(times, 2).repeat_interleave(times, 3)
    pictures = torch.nn.functional.pad(pictures, (0, 2), value=1.0)  # a white gap
    row = torch.cat(list(pictures), 2)[..., :-2]  # [C, H', N·(W'+2)]
    bytes_ = (row.expand(3, -1, -1) * 255).round().to(torch.uint8)
    return bytes_.permute(1, 2, 0).numpy()


def write_png(path: Any, picture: np.ndarray) -> None:
    """Bytes [H, W, 3] as a PNG, into a path or an open file."""
    from PIL import Image

    Image.fromarray(picture).save(path, "png", optimize=True)


def texts(made: Any, facts: Facts) -> list[str]:
    """Tokens [N, T] read by the data's tokenizer, gaps in them as underscores; or texts as they are."""
    if isinstance(made, torch.Tensor):
        from nbmodels.data.text import tokenizer

        words = tokenizer(facts.tokens or {})
        mask = facts.fills.get("mask_token") or words.size
        return [with_gaps(tokens, words, mask) for tokens in made.tolist()]
    return [str(text) for text in ([made] if isinstance(made, str) else made)]


def with_gaps(tokens: list[int], words: Any, mask: int) -> str:
    """The text of token numbers; `mask` stands for a gap: _ for a character, ___ for a piece or a word."""
    parts: list[list[int]] = [[]]
    for token in tokens:
        parts.append([]) if token == mask else parts[-1].append(token)
    gap = "_" if words.state["kind"] == "characters" else " ___ "
    return gap.join(words.decode(part) for part in parts)
