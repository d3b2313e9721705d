"""Augmenting layers by name: inside the model, anew for every image, asleep outside training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

TURN = 0.1  # of a full turn to either side: 36 degrees
SHIFT = 0.1  # of the side, in both directions


def augmenting_layer(name: str) -> keras.Layer:
    """`vertical_flip`, `horizontal_flip`, `rotation` or `shift`; the border pixels repeat outwards."""
    from keras import layers

    kinds = {
        "vertical_flip": lambda: layers.RandomFlip("vertical", name=name),
        "horizontal_flip": lambda: layers.RandomFlip("horizontal", name=name),
        "rotation": lambda: layers.RandomRotation(TURN, fill_mode="nearest", name=name),
        "shift": lambda: layers.RandomTranslation(SHIFT, SHIFT, fill_mode="nearest", name=name),
    }
    return kinds[name]()


def augmented(images: NDArray[np.uint8], names: Sequence[str], seed: int) -> NDArray[np.uint8]:
    """What a network behind these layers gets in training; the same images where there are none."""
    import keras

    keras.utils.set_random_seed(seed)
    x: Any = images.astype(np.float32)
    for name in names:
        x = augmenting_layer(name)(x, training=True)
    return np.clip(np.asarray(x) + 0.5, 0, 255).astype(np.uint8)
