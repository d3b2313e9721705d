"""A real model made linear and positive, so that gradients show which units depend on which.

Source: rules.md of the receptive field (docs/how-figures-are-computed.md), after Araujo, Norris
& Sim 2019. What is put in the place of what:

- activations: the identity (a ReLU's gradient is empty where it saturates); softmax and
  others that couple an axis: halfway between each unit and the mean along that axis;
- maxima over windows or axes: means;
- products, differences, maxima of several tensors: their mean;
- normalisation over axes of a sample: halfway between each unit and the mean along those
  axes; batch normalisation stays, as at inference;
- the rows of an embedding: multiples of the number that is looked up;
- weights: positive, random or all equal, scaled by fan-in, or large networks overflow.

Everything computes in float64. The layers stay Keras's own, so padding, strides and shapes
are those of the real model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from archcalc.graph import Graph
from archcalc.keras.build import Built, build
from archcalc.keras.locally_connected import LocallyConnected1D, LocallyConnected2D
from archcalc.keras.operations import OperationCall
from archcalc.layers.activations import ACTIVATIONS

PRECISION = "float64"

_COUPLING = {name for name, a in ACTIVATIONS.items() if a.couples_channels}
_MEANS = {
    f"{scope}Max{kind}{rank}D": f"{scope}Average{kind}{rank}D"
    for scope, kind in (("", "Pooling"), ("Global", "Pooling"))
    for rank in (1, 2, 3)
}
_MERGES = ("Multiply", "Subtract", "Maximum", "Minimum")
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
_NORMALISATIONS = ("LayerNormalization",)


def linearised(graph: Graph, *, seed: int | None = 0) -> Built:
    """The real model of a graph, linear and positive; without a seed all weights are equal.

    Raises `NetworkError` for layers that Keras refuses.
    """
    built = build(graph, initializers="zeros", change=linear)
    set_weights(built, seed)
    return built


def set_weights(built: Built, seed: int | None) -> None:
    """Positive weights scaled by fan-in; without a seed all weights of a layer are equal."""
    random = None if seed is None else np.random.default_rng(seed)
    for layer in dict.fromkeys(layer for layer in built.layers if isinstance(layer, keras.layers.Layer)):
        for variable in layer.variables:
            if variable.name != "seed_generator_state":
                variable.assign(_weight(layer, variable, random))


def linear(layer: Any) -> Any:
    """What stands in a layer's place."""
    if isinstance(layer, OperationCall):
        return LinearOperation(layer)
    kind = type(layer).__name__
    config = {**layer.get_config(), "dtype": PRECISION, "activity_regularizer": None}
    if kind in _ACTIVATIONS:
        return Mean(_coupled_axes(config.get("activation")), name=layer.name, dtype=PRECISION)
    if kind == "Softmax" or kind in _NORMALISATIONS:
        return Mean(_several(config["axis"]), name=layer.name, dtype=PRECISION)
    if kind in _MEANS:
        config = {k: v for k, v in config.items() if k != "activity_regularizer"}
        return getattr(keras.layers, _MEANS[kind]).from_config(config)
    if kind in _MERGES:
        return keras.layers.Average(name=layer.name, dtype=PRECISION)
    if kind == "Masking":
        return keras.layers.Identity(name=layer.name, dtype=PRECISION)
    if kind == "Embedding":
        return Rows(config["output_dim"], name=layer.name, dtype=PRECISION)
    if kind == "Dot":
        config["normalize"] = False
    coupled: tuple[int, ...] = ()
    if "activation" in config:
        coupled = _coupled_axes(config["activation"])
        config["activation"] = "linear"
    if "activity_regularizer" not in layer.get_config():
        del config["activity_regularizer"]
    made = type(layer).from_config(config)
    if coupled:
        made.activation = lambda x: _with_mean(x, coupled)
    return made


class Mean(keras.layers.Layer):
    """Halfway between each unit and the mean along some axes, which couples them; the identity for none."""

    def __init__(self, axes: Sequence[int], **more: Any) -> None:
        super().__init__(**more)
        self.axes = tuple(axes)

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        return _with_mean(inputs, self.axes)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape


class Rows(keras.layers.Layer):
    """A table's rows as multiples of the number that is looked up, which then has a gradient."""

    def __init__(self, width: int, **more: Any) -> None:
        super().__init__(**more)
        self.width = width

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        return ops.repeat(ops.expand_dims(ops.cast(inputs, PRECISION), -1), self.width, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A row for each number."""
        return (*input_shape, self.width)


def _with_mean(x: Any, axes: tuple[int, ...]) -> Any:
    return (x + ops.mean(x, axis=axes, keepdims=True)) / 2 if axes else x


def _coupled_axes(activation: Any) -> tuple[int, ...]:
    return (-1,) if activation in _COUPLING else ()


def _several(axis: Any) -> tuple[int, ...]:
    return (axis,) if isinstance(axis, int) else tuple(axis)


# -- operations ----------------------------------------------------------------------------------
_REDUCTIONS = {
    *("max", "min", "amax", "amin", "prod", "std", "var", "median", "any", "all"),
    *("count_nonzero", "logsumexp", "norm", "argmax", "argmin"),
}
_ALONG = {
    *("softmax", "log_softmax", "sparsemax", "normalize", "rms_normalization", "layer_normalization"),
    *("sort", "argsort"),
}
# linear already
_KEPT = {
    *("mean", "sum", "cumsum", "einsum", "matmul", "dot", "tensordot", "average_pool", "conv"),
    *("depthwise_conv", "depth_to_space", "space_to_depth", "image.resize", "image.rgb_to_grayscale"),
    *("ones_like", "zeros_like"),
}


class LinearOperation(OperationCall):
    """An operation of `keras.ops`, made linear."""

    def __init__(self, call: OperationCall) -> None:
        super().__init__(call.operation, call.name)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        """Apply it to symbolic or real tensors; constants count as numbers of their dtype."""
        made = self._linear([ops.cast(x, PRECISION) for x in inputs])
        if self.name is not None:
            self._give_name(made)
        return made

    def _linear(self, inputs: list[Any]) -> Any:
        from archcalc.layers.operations.elementwise import Broadcasting, Unary

        operation = self.operation
        function = operation.function
        arguments = operation.keras_arguments()
        if function in _ALONG:
            return _with_mean(inputs[0], _several(getattr(operation, "axis", -1)))
        if function in _REDUCTIONS:
            return ops.mean(inputs[0], axis=arguments.get("axis"), keepdims=arguments.get("keepdims", False))
        if function == "cumprod":
            return ops.cumsum(inputs[0], axis=arguments.get("axis", -1))
        if function == "max_pool":
            return ops.average_pool(inputs[0], **{k: v for k, v in arguments.items() if k != "inputs"})
        if function in _KEPT:
            return self._apply(inputs)
        if isinstance(operation, Unary):
            return inputs[0]
        if isinstance(operation, Broadcasting):
            constants = (getattr(operation, n, None) for n in operation.operands)
            shapes = [getattr(c, "shape", ()) for c in constants if c is not None]
            zeros = [ops.zeros(shape, dtype=PRECISION) for shape in shapes]
            return sum([*inputs[1:], *zeros], start=inputs[0]) / len(inputs)
        return self._apply(inputs)


# -- weights -------------------------------------------------------------------------------------
_ZERO = ("bias", "beta", "moving_mean")
_PER_CHANNEL = ("gamma", "alpha", "embeddings", "renorm_mean", "renorm_stddev", "moving_stddev")


def _weight(layer: Any, variable: Any, random: np.random.Generator | None) -> Any:
    shape = tuple(variable.shape)
    name = variable.name
    if name in _ZERO:
        return np.zeros(shape)
    if name == "moving_variance":
        # so that the layer multiplies by gamma and nothing else
        return np.full(shape, 1.0 - layer.epsilon)
    values = np.ones(shape) if random is None else random.uniform(0.5, 1.5, shape)
    return values / _fan_in(layer, name, shape)


def _fan_in(layer: Any, name: str, shape: tuple[int, ...]) -> float:
    """How many products one output unit adds up."""
    if name in _PER_CHANNEL:
        return 1
    kind = type(layer).__name__
    if isinstance(layer, LocallyConnected1D | LocallyConnected2D):
        return float(layer._local_shape[1])
    if kind.startswith("DepthwiseConv") or name == "depthwise_kernel":
        return math.prod(shape[:-2])
    if kind.endswith("Transpose"):
        return math.prod(shape) / shape[-2]
    return math.prod(shape[:-1]) or 1
