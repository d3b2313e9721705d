"""defect48: healthy garments against the same with one scratch, hole or stain, 48 x 48 x 3, two classes.

Only upper garments (T-shirt, pullover, coat, shirt), plain cloth, so that the defect is the one thing that
differs; every image is healthy or defective by a coin of its own. **Frozen**, as colour32 is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.backgrounds import background
from experiments.common.data.composing import Pose, colour, garment_positions, mask_of, shade_of
from experiments.common.data.draw import Draw, Floats, grid, rotation, to_bytes
from experiments.common.data.splits import Split

VERSION = 1
SIZE = 48
SEED = 480_001
CLASSES = ("healthy", "defective")
FAMILY = (0, 2, 4, 6)  # of Fashion-MNIST
PARTS = {"train": 0, "validation": 1, "test": 2}
CONTRAST = (0.3, 0.8)  # of the cloth's own brightness: from just visible to plain


def defect(draw: Draw, mask: Floats) -> Floats:
    """How strongly each pixel is damaged, 0..1, around a point well inside the garment, (48, 48)."""
    inside = np.argwhere(mask > 0.99)
    row, column = inside[draw.integer(0, len(inside) - 1)] - (SIZE - 1) / 2
    rows, columns = grid(SIZE)
    cosine, sine = rotation(draw.uniform(0.0, 180.0))
    along = (rows - row) * cosine + (columns - column) * sine
    across = (columns - column) * cosine - (rows - row) * sine
    kind = draw.integer(0, 2)
    if kind == 0:  # scratch: long and thin
        length, width = draw.uniform(5.0, 10.0), draw.uniform(0.7, 1.2)
    elif kind == 1:  # hole: round and sharp
        length = width = draw.uniform(1.3, 2.6)
    else:  # stain: a wide oval
        length, width = draw.uniform(3.0, 5.0), draw.uniform(2.0, 3.5)
    distance = (along / length) ** 2 + (across / width) ** 2
    shape: Floats = np.clip((1.2 - distance) * 2.0, 0.0, 1.0) * (mask > 0.5)
    return shape


def image(garment: NDArray[np.uint8], part: str, index: int) -> tuple[NDArray[np.uint8], int]:
    """Image `index` of a part, (48, 48, 3), and whether it is defective."""
    draw = Draw(SEED, VERSION, PARTS[part], index)
    rows, columns = garment_positions(Pose.of(draw, turn=15.0, scale=(0.75, 1.0), shift=3.0), SIZE)
    mask = mask_of(garment, rows, columns)
    dressed = colour(draw) * shade_of(garment, rows, columns)[..., None]
    label = int(draw.chance(0.5))
    contrast = draw.uniform(*CONTRAST) * (1.0 if draw.chance(0.5) else -1.0)
    damage = defect(draw, mask) if (mask > 0.99).any() else np.zeros_like(mask)
    if label:
        dressed = dressed * (1.0 + contrast * damage[..., None])
    mask = mask[..., None]
    picture = background(draw, part, SIZE) * (1.0 - mask) + dressed * mask
    return to_bytes(picture + draw.noise(SIZE, SIZE, 3) * draw.uniform(2.0, 8.0)), label


def split(garments: NDArray[np.uint8], labels: NDArray[np.uint8], part: str, count: int) -> Split:
    """The first `count` images of a part and their labels (1 is defective)."""
    family = garments[np.isin(labels, FAMILY)]
    made = [image(family[index % len(family)], part, index) for index in range(count)]
    return Split(np.stack([picture for picture, _ in made]), np.array([label for _, label in made], np.int64))
