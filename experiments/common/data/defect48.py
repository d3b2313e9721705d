"""defect48: healthy garments against the same with one scratch, hole or stain, 48 x 48 x 3, two classes.

Only upper garments (T-shirt, pullover, coat, shirt), plain cloth with faint folds and prints, on a table of
one colour, as a product under inspection lies; every image is healthy or defective by a coin of its own.
**Frozen**, as colour32 is. Version 1 had photographs behind and dark prints (docs/decisions.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.composing import Pose, colour, garment_positions, mask_of
from experiments.common.data.draw import Draw, Floats, bilinear, grid, rotation, to_bytes
from experiments.common.data.splits import Split

VERSION = 2
SIZE = 48
SEED = 480_001
CLASSES = ("healthy", "defective")
FAMILY = (0, 2, 4, 6)  # of Fashion-MNIST
PARTS = {"train": 0, "validation": 1, "test": 2}
DARKEST = 0.75  # of folds and prints, against the brightest cloth of the garment
CONTRAST = (0.3, 0.8)  # of the cloth's own brightness: from just visible to plain
KINDS = ("scratch", "hole", "stain")


@dataclass(frozen=True)
class Inspected:
    """A picture, whether it is defective (1), and the damage: that of a healthy garment is not drawn."""

    picture: NDArray[np.uint8]
    label: int
    kind: int  # of KINDS
    pixels: float  # damaged ones, by how strongly
    contrast: float


def defect(draw: Draw, mask: Floats) -> tuple[int, Floats]:
    """The kind, and how strongly each pixel is damaged, 0..1, around a point well inside, (48, 48)."""
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
    return kind, shape


def inspected(garment: NDArray[np.uint8], part: str, index: int, label: int | None = None) -> Inspected:
    """Image `index` of a part, (48, 48, 3); a coin decides whether it is defective, or `label`."""
    draw = Draw(SEED, VERSION, PARTS[part], index)
    rows, columns = garment_positions(Pose.of(draw, turn=15.0, scale=(0.75, 1.0), shift=3.0), SIZE)
    mask = mask_of(garment, rows, columns)
    shade = DARKEST + bilinear(garment.astype(np.float64), rows, columns) * ((1.0 - DARKEST) / 255.0)
    dressed = colour(draw) * shade[..., None]
    coin = int(draw.chance(0.5))
    label = coin if label is None else label
    contrast = draw.uniform(*CONTRAST) * (1.0 if draw.chance(0.5) else -1.0)
    kind, damage = defect(draw, mask) if (mask > 0.99).any() else (0, np.zeros_like(mask))
    if label:
        dressed = dressed * (1.0 + contrast * damage[..., None])
    mask = mask[..., None]
    picture = colour(draw) * (1.0 - mask) + dressed * mask
    noisy = picture + draw.noise(SIZE, SIZE, 3) * draw.uniform(2.0, 8.0)
    return Inspected(to_bytes(noisy), label, kind, float(damage.sum()), abs(contrast))


def every(
    garments: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    part: str,
    numbers: range,
    label: int | None = None,
) -> list[Inspected]:
    """Images of these numbers of a part, all healthy or all defective where `label` says so."""
    family = garments[np.isin(labels, FAMILY)]
    return [inspected(family[index % len(family)], part, index, label) for index in numbers]


def split(garments: NDArray[np.uint8], labels: NDArray[np.uint8], part: str, count: int) -> Split:
    """The first `count` images of a part and their labels (1 is defective)."""
    made = every(garments, labels, part, range(count))
    return Split(np.stack([each.picture for each in made]), np.array([each.label for each in made], np.int64))
