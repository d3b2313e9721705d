"""Graph -> live Keras model."""

from __future__ import annotations

from typing import Any

import keras

from archcalc.layers.base import Layer


def keras_layer(layer: Layer, name: str | None = None) -> Any:
    """The real Keras layer that a declaration describes."""
    made = getattr(keras.layers, type(layer).__name__)
    return made(**layer.keras_arguments(), **({"name": name} if name else {}))
