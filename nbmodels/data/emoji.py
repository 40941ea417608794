"""Emoji with captions in English or Chinese, out of the npm packages `emoji-datasource-google` and `emojibase-data`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbmodels.data.captions import captioned
from nbmodels.data.dataset import DataSet
from nbmodels.data.fetch import cache_folder, cached, members, missing
from nbmodels.data.npm import npm_archive
from nbmodels.errors import DataError, InputError

PICTURES = (
    "emoji-datasource-google",
    "16.0.0",
    "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)
CAPTIONS = ("emojibase-data", "17.0.0", "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a")
LANGUAGES = ("en", "zh")
FOLDER = "package/img/google/64/"


class Emoji:
    """Google's emoji on white, each with its name as the caption, such as "grinning cat" or 咧嘴笑的猫.

    x [N, T] the words of the caption, or its characters in Chinese, y [N, 3, S, S] the picture, in bytes. There is
    one picture a caption. So a model can learn by heart what it was shown; whether it has learned what words mean is
    seen in the captions that are held out, a tenth to validate and a tenth to test. Of their English words three in
    ten were never trained on, of their Chinese characters one in eleven.

    Args:
        size: Side that the pictures are resized to in pixels, in [8, 64].
        language: Of the captions: English, in words, or Chinese, in characters.
    """

    kind = "text"
    task = "text-to-image"
    size = "1,911 pictures in colours, with a caption each in English and in Chinese"
    licence = "MIT as the packages state; the pictures: Apache-2.0 (Noto Emoji)"
    source = "the npm packages emoji-datasource-google 16.0.0 and emojibase-data 17.0.0, as data (81 MB, once)"
    ships = False

    def __init__(self, size: int = 24, language: Literal["en", "zh"] = "en") -> None:
        self.side, self.language = size, language

    def load(self) -> DataSet:
        """The three splits, in a second once fetched.

        Raises:
            DataError: They are not on this machine and cannot be fetched.
        """
        if not 8 <= self.side <= 64:
            raise InputError(
                f"The pictures are 64×64 and can be resized to 8 to 64, not {self.side}", "Type: --size 32"
            )
        try:
            folder = cached("emoji-1", _fetch)
        except DataError as error:
            raise missing("emoji", [cache_folder()], error) from None
        captions = json.loads((folder / "captions.json").read_text("utf-8"))[self.language]
        pictures = _resized(np.load(folder / "pictures.npz")["pictures"], self.side)
        held = len(captions) // 10
        return captioned("emoji", captions, pictures, None, 255.0, held, held, characters=self.language == "zh")


def _resized(pictures: np.ndarray, side: int) -> np.ndarray:
    """[N, 64, 64, 3] -> [N, 3, side, side], bytes."""
    from PIL import Image

    if side != pictures.shape[1]:
        made = (Image.fromarray(picture).resize((side, side), Image.Resampling.BOX) for picture in pictures)
        pictures = np.stack([np.asarray(picture) for picture in made])
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def _plain(hexcode: str) -> str:
    """A sequence of code points without the mark that only asks for colours: what the two packages agree on."""
    return "-".join(part for part in hexcode.upper().split("-") if part != "FE0F")


def _fetch(folder: Path) -> None:
    """Keep the pictures on white [N, 64, 64, 3] and their captions in both languages."""
    said = members(npm_archive(*CAPTIONS), lambda name: name in {f"package/{code}/data.json" for code in LANGUAGES})
    labels = {
        code: {_plain(each["hexcode"]): each["label"] for each in json.loads(said[f"package/{code}/data.json"])}
        for code in LANGUAGES
    }
    found = members(npm_archive(*PICTURES), lambda name: name == "package/emoji.json" or name.startswith(FOLDER))
    known = [each for each in json.loads(found["package/emoji.json"]) if FOLDER + each["image"] in found]
    known = [each for each in known if all(_plain(each["unified"]) in labels[code] for code in LANGUAGES)]
    captions = {code: [labels[code][_plain(each["unified"])] for each in known] for code in LANGUAGES}
    (folder / "captions.json").write_text(json.dumps(captions, ensure_ascii=False), "utf-8")
    pictures = np.stack([_on_white(found[FOLDER + each["image"]]) for each in known])
    np.savez_compressed(folder / "pictures.npz", pictures=pictures)


def _on_white(png: bytes) -> Any:
    """A picture's file as bytes [64, 64, 3]."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))
