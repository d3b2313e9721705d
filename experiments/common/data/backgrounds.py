"""Eight small photographs (public domain, CC0), each cut into parts for training, validation and test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from experiments.common.data.draw import Draw, Floats, bilinear, grid

SHIPPED = Path(__file__).parents[2] / "data" / "backgrounds"
# columns of each 200 x 300 photograph; no pixel serves two parts
STRIPS = {"train": (0, 170), "validation": (170, 235), "test": (235, 300)}


@cache
def strips(part: str) -> tuple[Floats, ...]:
    """The photographs' strips for one part: (200, width, 3) each, 0..255."""
    from PIL import Image

    first, last = STRIPS[part]
    photos = [Image.open(path).convert("RGB") for path in sorted(SHIPPED.glob("*.png"))]
    return tuple(np.asarray(photo, np.float64)[:, first:last] for photo in photos)


def background(draw: Draw, part: str, size: int) -> Floats:
    """A random crop of 16 to 60 pixels as (size, size, 3), perhaps mirrored, brighter or darker."""
    photos = strips(part)
    photo = photos[draw.integer(0, len(photos) - 1)]
    height, width = photo.shape[:2]
    side = draw.uniform(16.0, 60.0)
    row, column = draw.uniform(0.0, height - 1 - side), draw.uniform(0.0, width - 1 - side)
    rows, columns = grid(size)
    if draw.chance(0.5):
        columns = -columns
    step = side / (size - 1)
    middle = side / 2
    return bilinear(photo, rows * step + row + middle, columns * step + column + middle) * draw.uniform(
        0.6, 1.2
    )
