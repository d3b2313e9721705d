"""Calls that must not be made, because they end the process instead of raising an error."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from archcalc.errors import LayerError


def refuse(layer: Any, inputs: list[Any]) -> None:
    """Raise `LayerError` for a call on real tensors that would end the process inside TensorFlow.

    Keras 3.15 pools adaptively with two windows of fixed size; where one is longer than the axis,
    TensorFlow 2.21's maximum divides by zero.
    """
    if not type(layer).__name__.startswith("AdaptiveMaxPooling"):
        return
    (x,) = inputs
    if tf.is_symbolic_tensor(x):
        return
    sides = x.shape[2:] if layer.data_format == "channels_first" else x.shape[1:-1]
    short = any(n == 1 or m == 1 for n, m in zip(sides, layer.output_size, strict=True))
    if short or not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        raise LayerError(f"TensorFlow ends the process on {type(layer).__name__} of these sizes or integers")
