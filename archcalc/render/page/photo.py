"""The image on which a page draws receptive fields: read as data, turned upright, made small."""

from __future__ import annotations

import io
import os
import warnings
from base64 import b64encode
from typing import Any, NamedTuple

from archcalc.errors import ArchcalcError, MissingExtraError
from archcalc.render.text import printable

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000
SHOWN = 480  # pixels of the longer side in a page


class Photo(NamedTuple):
    """An image as a `data:` address, and what was done to it, in words."""

    address: str
    note: str


def read_photo(path: str, rows: int, columns: int) -> Photo:
    """The middle of an image, with the sides of an input of these rows and columns.

    Raises `MissingExtraError` without Pillow, `ArchcalcError` for files that cannot be read as an image
    or are too large.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("--image needs Pillow: python -m pip install 'archcalc[plots]'") from None
    name = printable(os.path.basename(path))
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ArchcalcError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; use a smaller image")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit is ours
            with Image.open(path, formats=FORMATS) as image:
                _require_small(path, image)
                image.draft("RGB", (2 * SHOWN, 2 * SHOWN))  # a JPEG is read at a fraction of its size
                upright = ImageOps.exif_transpose(image)
                small = _fitted(upright, rows, columns)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as fault:
        raise ArchcalcError(_refusal(path, fault)) from None
    out = io.BytesIO()
    small.save(out, "JPEG", quality=82)  # a new file: nothing of the old one's metadata
    address = f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
    return Photo(address, f"Image: {name}, its middle, drawn at the size of the input ({rows}×{columns}).")


def _require_small(path: str, image: Any) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ArchcalcError(
            f"{path}: {image.width:,}×{image.height:,} pixels, of {MAX_PIXELS:,} at most; scale it down first"
        )


def _fitted(image: Any, rows: int, columns: int) -> Any:
    """The largest part in the middle with the input's proportions, on white where it is transparent."""
    from PIL import Image, ImageOps

    scale = SHOWN / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    fitted = ImageOps.fit(image.convert("RGBA"), size)
    paper = Image.new("RGB", size, "white")
    paper.paste(fitted, mask=fitted.getchannel("A"))
    return paper


def _refusal(path: str, fault: Exception) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return f"{path}: {fault.strerror}"
    if type(fault).__name__ == "UnidentifiedImageError":
        return f"{path}: no image; expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    return f"{path}: a broken image ({fault})"
