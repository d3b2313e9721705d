"""seg96: one garment on a photograph, 96 x 96 x 3, with its exact mask; foreground against background.

seg96-kinds: the same images, and the mask says what kind of garment it is.
The 28-pixel outline is smoothed before it is enlarged, so masks have round edges and no steps.
**Frozen**, as colour32 is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.backgrounds import background
from experiments.common.data.composing import DARK, Pose, cloth, garment_positions, shade_of
from experiments.common.data.draw import Draw, Floats, bilinear, to_bytes
from experiments.common.data.splits import Split

VERSION = 1
SIZE = 96
SEED = 960_001
CLASSES = ("background", "garment")
KINDS = ("background", "upper", "long", "shoe", "bag")
# of each of Fashion-MNIST's classes, a place in KINDS
KIND_OF = np.array([1, 2, 1, 2, 1, 3, 1, 3, 4, 3], np.int64)
PARTS = {"train": 0, "validation": 1, "test": 2}


def smooth_outline(garment: NDArray[np.uint8]) -> Floats:
    """The covered pixels, blurred once by (1, 2, 1)/4 along both axes; its half-way line is the outline."""
    covered = np.zeros((30, 30))
    covered[1:-1, 1:-1] = garment > DARK
    for _ in range(2):
        covered = covered.T
        inner = (covered[:-2] + 2.0 * covered[1:-1] + covered[2:]) * 0.25
        covered = np.concatenate([covered[:1], inner, covered[-1:]])
    return covered[1:-1, 1:-1]


def image(garment: NDArray[np.uint8], part: str, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Image `index` of a part, (96, 96, 3), and its mask (96, 96) of 0 and 1."""
    draw = Draw(SEED, VERSION, PARTS[part], index)
    rows, columns = garment_positions(Pose.of(draw, turn=30.0, scale=(0.5, 0.95), shift=14.0), SIZE)
    outline = bilinear(smooth_outline(garment), rows, columns)
    mask = np.clip((outline - 0.5) * 6.0 + 0.5, 0.0, 1.0)
    soft = mask[..., None]
    dressed = cloth(draw, rows, columns) * shade_of(garment, rows, columns)[..., None]
    picture = background(draw, part, SIZE) * (1.0 - soft) + dressed * soft
    noisy = picture + draw.noise(SIZE, SIZE, 3) * draw.uniform(2.0, 10.0)
    return to_bytes(noisy), (mask >= 0.5).astype(np.int64)


def split(garments: NDArray[np.uint8], labels: NDArray[np.uint8], part: str, count: int) -> Split:
    """The first `count` images of a part and their masks; the class of a garment plays no part."""
    del labels
    made = [image(garments[index % len(garments)], part, index) for index in range(count)]
    return Split(np.stack([picture for picture, _ in made]), np.stack([mask for _, mask in made]))


def split_kinds(garments: NDArray[np.uint8], labels: NDArray[np.uint8], part: str, count: int) -> Split:
    """The same images; masks hold the garment's kind (`KINDS`)."""
    made = split(garments, labels, part, count)
    kinds = KIND_OF[labels[np.arange(count) % len(labels)]]
    return Split(made.images, made.targets * kinds[:, None, None])
