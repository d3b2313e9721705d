"""One file to pixels, by Pillow: what had to be converted is said, what cannot be used raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

HIGHEST_CLASS = 63


class FaultyFileError(Exception):
    """A file that cannot be used, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The image, decoded to its end and turned as its camera says. Raises FaultyFileError."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            image.load()
            yield ImageOps.exif_transpose(image)
    # what Pillow raises for damaged files depends on where the damage is
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as fault:
        raise FaultyFileError(path, f"not a readable image ({_first_line(fault)})") from None


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def image(path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """Pixels (H, W, 3) and notes on what was converted. Raises FaultyFileError."""
    with opened(path) as found:
        if found.mode.startswith("I"):
            wide = np.asarray(found, np.int64)
            if wide.min() < 0 or wide.max() > 0xFFFF:
                raise FaultyFileError(path, "pixels outside 0 to 65535")
            grey = np.round(wide / 257.0).astype(np.uint8)
            return np.stack([grey] * 3, axis=-1), ["16 bits a pixel, scaled to 8"]
        if found.mode == "F":
            raise FaultyFileError(path, "pixels are real numbers, whose range is unknown; save 8 bits")
        if found.has_transparency_data:
            return _on_white(found), [f"transparency ({found.mode}), laid on white"]
        return np.asarray(found.convert("RGB"), np.uint8), []


def _on_white(found: Image.Image) -> NDArray[np.uint8]:
    from PIL import Image

    clear = found.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return np.asarray(Image.alpha_composite(white, clear).convert("RGB"), np.uint8)


def mask(path: Path) -> tuple[NDArray[np.int64], list[str]]:
    """Class numbers (H, W) and notes on what was converted. Raises FaultyFileError."""
    with opened(path) as found:
        values, notes = _numbers(path, found)
    levels = np.unique(values)
    for white, note in ((0xFF, []), (0xFFFF, ["16 bits a pixel, 65535 taken as class 1"])):
        if set(levels.tolist()) <= {0, white} and levels.max() == white:
            return values // white, notes + note
    if levels[0] < 0 or levels[-1] > HIGHEST_CLASS:
        lossy = "; JPEG cannot keep a mask, save PNG" if path.suffix.lower() in {".jpg", ".jpeg"} else ""
        raise FaultyFileError(
            path,
            f"{len(levels)} values up to {levels[-1]}; a mask holds class numbers (0 to {HIGHEST_CLASS}), "
            f"or 0 and 255{lossy}",
        )
    return values, notes


def _numbers(path: Path, found: Image.Image) -> tuple[NDArray[np.int64], list[str]]:
    if found.mode in {"L", "P", "I", "I;16", "I;16B"}:
        return np.asarray(found, np.int64), []
    if found.mode == "1":
        return np.asarray(found.convert("L"), np.int64), []
    bands = np.asarray(found.convert("RGB"), np.int64)
    if (bands != bands[..., :1]).any():
        raise FaultyFileError(path, "a coloured mask; save class numbers, one band or a palette")
    return bands[..., 0], [f"{found.mode} mask, its first band taken"]
