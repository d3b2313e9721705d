"""Layers of a model inside TimeDistributed, each as it runs at every step.

TimeDistributed of a composition is the composition of what is TimeDistributed.
"""

from __future__ import annotations

import dataclasses

from archcalc.layers.base import Layer
from archcalc.layers.inner import Inner
from archcalc.layers.merging import Concatenate, Merge
from archcalc.layers.operations.base import Operation
from archcalc.layers.operations.elementwise import Unary
from archcalc.layers.wrappers import TimeDistributed
from archcalc.readers.keras.reading import Reading


def at_every_step(layer: Layer, name: str, steps: int, path: str, reading: Reading) -> Layer:
    """The layer on tensors with `steps` more leading axes; the layer itself, with a fault, if it has none.

    `path` is the JSON path of the layer.
    """
    if isinstance(layer, Merge | Unary):
        return layer
    if isinstance(layer, Concatenate):
        axis = layer.axis
        return layer if axis < 0 else dataclasses.replace(layer, axis=axis + steps)
    if isinstance(layer, Operation) or layer.fewest_inputs > 1:
        what = f"{type(layer).__name__} ({name!r}) inside a model inside TimeDistributed"
        reading.fault(path, f"{what} has no rule; write the model's layers one by one, each TimeDistributed")
        return layer
    training, layer = layer.training, dataclasses.replace(layer, training=None)
    for _ in range(steps):
        layer = TimeDistributed(layer=Inner(layer, name), trainable=layer.trainable)
    return layer if training is None else dataclasses.replace(layer, training=training)
