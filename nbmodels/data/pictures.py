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
    """[N, H, W], [N, H, W, C] or [N, C, H, W] -> [N, C, H, W], the values as they are.

    Raises:
        DataError: It is no pile of square pictures, or holds what is not finite.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and not _is_first(*x.shape[1:]) and x.shape[3] in CHANNELS:
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
    return x


def _is_first(first: int, middle: int, last: int) -> bool:
    """Whether one picture of these sides has its channels first: where both could be, it has."""
    return first in CHANNELS and (middle == last or last not in CHANNELS)


def picture_facts(x: np.ndarray) -> dict[str, Any]:
    """What the shape of pictures [N, C, H, W] says of `Facts`."""
    channels, size = x.shape[1], x.shape[2]
    fills = {"in_channels": channels, "image_size": size, "in_features": channels * size * size}
    return {"kind": "image", "fills": fills}


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
    """One file as `fit` gives it, its middle square resized to size × size; DataError if it is no picture."""
    pixels = fit(open_picture(file, channels), size, channels)
    check_finite(pixels, str(file))
    return pixels


def open_picture(file: Path, channels: int = 3) -> Any:
    """A file as Pillow's picture, as it is meant to be seen: turned upright, and white where it is transparent.

    Raises:
        DataError: There is none, or it cannot be read, or it would be far too large in memory.
    """
    from PIL import Image

    try:
        with Image.open(file) as opened:
            limit = Image.MAX_IMAGE_PIXELS
            if limit and opened.width * opened.height > limit:
                raise Image.DecompressionBombError
            return upright(opened, channels)
    except FileNotFoundError:
        raise DataError(f"There is no file {file}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise DataError(f"{file} has more than {most} million pixels, or says so", "Save it smaller.") from None
    except Exception:  # Pillow's readers raise a dozen kinds
        raise DataError(f"{file} cannot be read as a picture", "Delete it, or save it again.") from None


def upright(picture: Any, channels: int = 3) -> Any:
    """Pillow's picture as it is meant to be seen; for a model of four channels what is transparent stays so."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("RGBA", "LA", "P", "PA", "La", "RGBa") and channels != 4:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    picture.load()
    return picture


def fit(picture: Any, size: int | None, channels: int) -> np.ndarray:
    """Pillow's picture as [C, H, W]: grey or in colours as asked, its middle square resized to size × size.

    Bytes; but of 16 bits (mode I;16) uint16, of whole numbers (I) int32 and of floats (F) float32, in their own range.
    """
    if is_deep(picture.mode):
        return np.repeat(_deep(picture, size)[None], channels, axis=0)
    picture = picture.convert({1: "L", 4: "RGBA"}.get(channels, "RGB"))
    pixels = np.asarray(_square(picture, size))
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _deep(picture: Any, size: int | None) -> np.ndarray:
    """A picture of more than 8 bits as [H, W] of its own type; resized as floats: Pillow would cut it at 255."""
    from PIL import Image

    pixels = np.asarray(picture)
    kind = pixels.dtype.newbyteorder("=")
    if size is None or picture.size == (size, size):
        return pixels.astype(kind)
    resized = np.asarray(_square(Image.fromarray(pixels.astype(np.float32)), size), dtype=np.float64)
    resized = resized.clip(pixels.min(), pixels.max())
    return (resized if kind.kind == "f" else np.rint(resized)).astype(kind)


def _square(picture: Any, size: int | None) -> Any:
    """The middle square resized to size × size; the picture itself where no size is asked for."""
    from PIL import Image, ImageOps

    return picture if size is None else ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)


def is_deep(mode: str) -> bool:
    """Whether a picture of Pillow's mode has more than 8 bits a pixel and channel."""
    return mode == "F" or mode.startswith("I")


def is_grey(mode: str) -> bool:
    """Whether a picture of Pillow's mode has no colours."""
    return mode in ("1", "L") or is_deep(mode)


def has_colours(file: Path) -> bool:
    """Whether a picture file has colours by its format; False where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return not is_grey(opened.mode)
    except Exception:  # Pillow's readers raise a dozen kinds; whoever reads the file says so
        return False


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
