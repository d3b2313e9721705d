"""Weights for linear models: positive, and scaled so that those of an output unit sum to about 1."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from archcalc.keras.build import Built
from archcalc.keras.locally_connected import LocallyConnected1D, LocallyConnected2D

# with the second factor zero, the low-rank part of a kernel adds nothing to it
_ZERO = ("bias", "beta", "lora_kernel_b", "lora_embeddings_b")
_PER_CHANNEL = ("gamma", "alpha", "embeddings")


def set_weights(built: Built, seed: int | None) -> None:
    """Positive weights scaled by fan-in; without a seed all weights of a layer are equal."""
    random = None if seed is None else np.random.default_rng(seed)
    for layer in dict.fromkeys(layer for layer in built.layers if isinstance(layer, keras.layers.Layer)):
        owner = getattr(layer, "inner", layer)
        for variable in layer.variables:
            if variable.name != "seed_generator_state":
                variable.assign(_weight(owner, variable, random))


def _weight(layer: Any, variable: Any, random: np.random.Generator | None) -> Any:
    shape = tuple(variable.shape)
    name = variable.name
    if name in _ZERO:
        return np.zeros(shape)
    values = np.ones(shape) if random is None else random.uniform(0.5, 1.5, shape)
    return values / _fan_in(layer, name, shape)


def _fan_in(layer: Any, name: str, shape: tuple[int, ...]) -> float:
    """The number of products that one output unit adds up."""
    if name in _PER_CHANNEL:
        return 1
    kind = type(layer).__name__
    if isinstance(layer, LocallyConnected1D | LocallyConnected2D):
        return float(layer._local_shape[1])
    if kind.startswith("DepthwiseConv") or name == "depthwise_kernel":
        return math.prod(shape[:-2])
    if kind.endswith("Transpose"):
        # a kernel's elements are spread over the phases of its stride, which together keep the mean
        return float(math.prod(shape) / shape[-2] / math.prod(layer.strides))
    return math.prod(shape[:-1]) or 1
