"""colour32: garments in random colours and textures on photographs, 32 x 32 x 3, ten classes.

Colour and background say nothing about the class, the outline and the folds do; so a linear model has
little to hold on to, and a convolutional one much to gain. **Frozen**: a change is a new version with a
new name, since results are compared across it (`checksums.json`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.backgrounds import background
from experiments.common.data.composing import Pose, cloth, garment_positions, mask_of, shade_of
from experiments.common.data.draw import Draw, to_bytes

VERSION = 1
SIZE = 32
SEED = 320_001
PARTS = {"train": 0, "validation": 1, "test": 2}


def image(garment: NDArray[np.uint8], part: str, index: int) -> NDArray[np.uint8]:
    """Image `index` of a part, (32, 32, 3), from its garment (28, 28); depends on nothing else."""
    draw = Draw(SEED, VERSION, PARTS[part], index)
    rows, columns = garment_positions(Pose.of(draw, turn=25.0, scale=(0.58, 0.98), shift=5.0), SIZE)
    mask = mask_of(garment, rows, columns)[..., None]
    dressed = cloth(draw, rows, columns) * shade_of(garment, rows, columns)[..., None]
    picture = background(draw, part, SIZE) * (1.0 - mask) + dressed * mask
    return to_bytes(picture + draw.noise(SIZE, SIZE, 3) * draw.uniform(2.0, 12.0))


def images(garments: NDArray[np.uint8], part: str, count: int) -> NDArray[np.uint8]:
    """The first `count` images of a part, (count, 32, 32, 3); garments serve in turn."""
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for index in range(count):
        pictures[index] = image(garments[index % len(garments)], part, index)
    return pictures
