"""A weight as a tensor, for graphs of custom layers that use one without a layer around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="archcalc")
class Parameter(keras.layers.Layer):
    """A weight of `shape`, arranged as `target_shape`, for every sample of the batch.

    The input only says how many samples there are. Output `(batch, *target_shape)`.
    """

    def __init__(
        self, shape: Sequence[int], target_shape: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.target_shape = self.shape if target_shape is None else tuple(target_shape)

    def build(self, input_shape: Any) -> None:
        """Create the weight."""
        self.value = self.add_weight(name="value", shape=self.shape, initializer="glorot_uniform")

    def call(self, inputs: Any) -> Any:
        """The weight, repeated for each sample."""
        arranged = ops.reshape(self._weight(), (1, *self.target_shape))
        return ops.repeat(arranged, ops.shape(inputs)[0], axis=0)

    def _weight(self) -> Any:
        return self.value

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output, batch included."""
        return (input_shape[0], *self.target_shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        """A tensor of the compute dtype."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments as plain data."""
        return {**super().get_config(), "shape": self.shape, "target_shape": self.target_shape}


class Tied(Parameter):
    """The only weight of another layer, which has its own type, as a tensor."""

    def __init__(self, owner: keras.layers.Layer, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(target_shape, **kwargs)
        self.owner = owner

    def build(self, input_shape: Any) -> None:
        """Nothing is created."""

    def _weight(self) -> Any:
        (weight,) = self.owner.weights
        return weight
