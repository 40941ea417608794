"""Pictures of any source as [N, C, H, W]: arrays, files, folders.

N pictures, C channels (1 grey, 3 colours), H × W pixels. Imports no torch; Pillow only for files.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from nbmodels.data.table import check_finite
from nbmodels.errors import DataError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
CHANNELS = (1, 3, 4)
LEGIBLE = 112  # pixels of a drawing's side: a smaller one is enlarged, by whole pixels


def channels_first(x: np.ndarray, what: str = "X") -> np.ndarray:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] -> [N, C, H, W]; whole numbers 0 to 255 become bytes.

    Raises:
        DataError: It is no pile of square pictures, or holds what is not finite.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    if x.ndim != 4 or x.dtype.kind not in "biuf":
        raise DataError(f"{what} is of shape {x.shape}", "Pictures are [N, H, W], [N, C, H, W] or [N, H, W, C].")
    high, wide = x.shape[2:]
    if high != wide:
        side = min(high, wide)
        raise DataError(
            f"The pictures of {what} are {high}×{wide}, and the models take square ones",
            f"Cut them: {what}[..., :{side}, :{side}]",
        )
    check_finite(x, what)
    if x.dtype.kind in "iu" and x.dtype != np.uint8:
        inside = x.size and x.min() >= 0 and x.max() <= 255
        return x.astype(np.uint8 if inside else np.float32)
    return x if x.dtype == np.uint8 else x.astype(np.float32)


def picture_facts(x: np.ndarray) -> dict[str, Any]:
    """What pictures [N, C, H, W] say of `Facts`: bytes are scaled to 0..1, floats are taken as they are."""
    channels, size = x.shape[1], x.shape[2]
    fills = {"in_channels": channels, "image_size": size, "in_features": channels * size * size}
    return {"kind": "image", "scale": 255.0 if x.dtype == np.uint8 else 1.0, "fills": fills}


def find_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """The picture files of a folder and the class of each: the sub-folder it lies in.

    Returns:
        (files, classes): sorted; classes is empty where the pictures lie in the folder itself.

    Raises:
        DataError: There is none.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in ENDINGS and file.is_file()]
    if not files:
        raise DataError(f"{folder} holds no picture", "Give a folder of .png, .jpg, … files, one sub-folder a class.")
    classes = [file.relative_to(folder).parts[0] for file in files if len(file.relative_to(folder).parts) > 1]
    if classes and len(classes) < len(files):
        raise DataError(
            f"{folder} has pictures both in itself ({len(files) - len(classes)}) and in sub-folders ({len(classes)})",
            "Keep each picture in the sub-folder of its class.",
        )
    return files, classes


def read_picture(file: Path, size: int | None, channels: int) -> np.ndarray:
    """One file as bytes [C, H, W], its middle square resized to size × size; DataError if it is no picture."""
    return fit(open_picture(file), size, channels)


def open_picture(file: Path) -> Any:
    """A file as Pillow's picture, as it is meant to be seen: turned upright, and white where it is transparent."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode in ("RGBA", "LA", "P", "PA"):  # what is transparent shows white
                picture = picture.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
            picture.load()
            return picture
    except FileNotFoundError:
        raise DataError(f"There is no file {file}") from None
    except (OSError, SyntaxError, ValueError):
        raise DataError(f"{file} cannot be read as a picture", "Delete it, or save it again.") from None


def fit(picture: Any, size: int | None, channels: int) -> np.ndarray:
    """Pillow's picture as bytes [C, H, W]: grey or in colours as asked, its middle square resized to size × size."""
    from PIL import Image, ImageOps

    picture = picture.convert("L" if channels == 1 else "RGB")
    if size is not None:
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


class Drawings(list[Any]):
    """Pillow's pictures; a notebook shows them side by side."""

    @classmethod
    def of(cls, pictures: np.ndarray) -> Drawings:
        """Pictures [N, C, H, W] in 0..1, small ones enlarged."""
        from PIL import Image

        bytes_ = np.rint(pictures.clip(0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
        drawn = [Image.fromarray(each[..., 0] if each.shape[2] == 1 else each[..., :3]) for each in bytes_]
        times = max(1, LEGIBLE // pictures.shape[3])
        size = (pictures.shape[3] * times, pictures.shape[2] * times)
        return cls(each.resize(size, Image.Resampling.NEAREST) for each in drawn)

    def _repr_png_(self) -> bytes | None:
        """All in one row."""
        from PIL import Image

        if not self:
            return None
        wide, high = self[0].size
        row, buffer = Image.new("RGB", ((wide + 8) * len(self) - 8, high), "white"), io.BytesIO()
        for place, picture in enumerate(self):
            row.paste(picture, (place * (wide + 8), 0))
        row.save(buffer, "png", optimize=True)
        return buffer.getvalue()


def is_grey(file: Path) -> bool:
    """Whether a picture file has no colours by its format."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.mode in ("1", "L", "I", "I;16", "F")
    except OSError:
        return False
