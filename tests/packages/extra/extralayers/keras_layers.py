"""The layers as Keras runs them. One is registered with Keras, the other is known by its module alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="extralayers")
class StochasticDepth(keras.layers.Layer):
    """Drops whole samples of a residual branch in training."""

    def __init__(self, rate: float = 0.1, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.rate = rate

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        kept = keras.random.uniform((ops.shape(x)[0], *[1] * (len(x.shape) - 1))) >= self.rate
        return x * ops.cast(kept, x.dtype) / (1 - self.rate)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class PixelShuffle(keras.layers.Layer):
    """Channels to space: (H, W, C) becomes (H * factor, W * factor, C / factor**2)."""

    def __init__(self, factor: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.factor = factor

    def call(self, x: Any) -> Any:
        f, (_, rows, columns, channels) = self.factor, x.shape
        parts = ops.reshape(x, (-1, rows, columns, f, f, channels // f**2))
        moved = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(moved, (-1, *self.compute_output_shape(x.shape)[1:]))

    def compute_output_shape(self, shape: Any) -> Any:
        batch, rows, columns, channels = shape
        return batch, rows * self.factor, columns * self.factor, channels // self.factor**2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
