"""A real model made linear and positive, so that gradients show which units depend on which.

Source: docs/receptive-field.md, after Araujo, Norris & Sim 2019. What replaces what:

- activations: the identity (a ReLU's gradient is zero where it saturates), and batch normalisation, which
  at inference multiplies by a number; softmax and others that couple an axis: the average of each unit and
  the mean along that axis;
- maxima over windows or axes: means;
- products and maxima of several tensors: their mean; differences: their sum;
- normalisation over axes of a sample, contrast over an image: the average of each unit and
  the mean along those axes;
- a spectrogram's function of real and imaginary part: the real part;
- factors of matrix products: one is added, so that none is zero and hides the others;
- recurrent layers get softsign, and gates derived from it; attention keeps its softmax: their gradients
  are zero nowhere (but for a query with a single key), but they are not linear;
- the rows of an embedding, and the vectors of an encoding: multiples of the number that is looked up;
- weights: positive, random or all equal, scaled by fan-in, because large networks would overflow.

Everything computes in float64, except three-dimensional pooling, which TensorFlow lacks in float64.
Three-dimensional convolutions whose kernel is smaller than their stride get explicit `same` padding,
because TensorFlow 2.21 reads other units there, and grouped convolutions run group by group, which is
faster. All other layers are Keras's own, so padding, strides and shapes are those of the real model.
"""

from __future__ import annotations

from typing import Any

import keras

from archcalc.errors import NetworkError
from archcalc.keras.build import Built, refusal, shared
from archcalc.keras.linear_layers import (
    PRECISION,
    SINGLE,
    Encoded,
    ExplicitPadding,
    GroupMean,
    InGroups,
    Mean,
    PositiveDot,
    Rows,
    Table,
    several,
    with_mean,
)
from archcalc.keras.linear_operations import LinearOperation
from archcalc.keras.operations import OperationCall
from archcalc.layers.activations import ACTIVATIONS

_COUPLING = {name for name, a in ACTIVATIONS.items() if a.couples_channels}
_MEANS = {
    f"{scope}Max{kind}{rank}D": f"{scope}Average{kind}{rank}D"
    for scope, kind in (("", "Pooling"), ("Global", "Pooling"), ("Adaptive", "Pooling"))
    for rank in (1, 2, 3)
}
_MERGES = {"Multiply": "Average", "Maximum": "Average", "Minimum": "Average", "Subtract": "Add"}
_RECURRENT = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional")
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
_ENCODINGS = ("CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup")
_OF_BOTH_PARTS = ("log", "magnitude", "psd", "angle")
_NORMALISATIONS = ("LayerNormalization", "RMSNormalization", "UnitNormalization")


def linearised(real: Built) -> Built:
    """The linear model for a real one; its layers have no weights before it runs.

    Raises `NetworkError` for layers of which there is no linear one.
    """
    layers: list[Any] = []
    for node, layer in zip(real.graph.nodes, real.layers, strict=True):
        try:
            if layer is None or node.shared_with is None:
                layers.append(None if layer is None else linear(layer))
            else:
                layers.append(shared(node, layers[node.shared_with]))
        except Exception as fault:
            raise NetworkError([(node.name, refusal(fault))]) from fault
    return Built(real.graph, tuple(layers), real.tensors)


def linear(layer: Any) -> Any:
    """The layer that replaces this one in the linear model."""
    if isinstance(layer, OperationCall):
        return LinearOperation(layer)
    kind = type(layer).__name__
    if kind == "SpectralNormalization":
        return linear(layer.layer)
    if kind == "TimeDistributed":
        return keras.layers.TimeDistributed(linear(layer.layer), name=layer.name, dtype=PRECISION)
    config = _with_softsign(_in_double(layer.get_config()))
    config |= {"dtype": _precision(layer), "activity_regularizer": None}
    if kind in _ACTIVATIONS:
        return Mean(_coupled_axes(config.get("activation")), name=layer.name, dtype=PRECISION)
    if kind == "BatchNormalization":
        return Mean((), name=layer.name, dtype=PRECISION)
    if kind == "Softmax" or kind in _NORMALISATIONS:
        return Mean(several(config["axis"]), name=layer.name, dtype=PRECISION)
    if kind == "GroupNormalization":
        return GroupMean(config["groups"], config["axis"], name=layer.name, dtype=PRECISION)
    if kind == "AutoContrast":  # over the first two axes, whatever its data format says
        return Mean((1, 2), name=layer.name, dtype=PRECISION)
    if kind in _MEANS:
        config = {k: v for k, v in config.items() if k != "activity_regularizer"}
        return getattr(keras.layers, _MEANS[kind]).from_config(config)
    if kind in _MERGES:
        return getattr(keras.layers, _MERGES[kind])(name=layer.name, dtype=PRECISION)
    if kind == "Masking":
        return keras.layers.Identity(name=layer.name, dtype=PRECISION)
    if kind in _ENCODINGS:
        return Encoded(layer, name=layer.name, dtype=PRECISION)
    if kind == "Embedding":
        return Rows(config["output_dim"], name=layer.name, dtype=PRECISION)
    if kind == "ReversibleEmbedding":
        return Table(config["input_dim"], config["output_dim"], name=layer.name, dtype=PRECISION)
    if kind == "STFTSpectrogram" and config["mode"] in _OF_BOTH_PARTS:
        config["mode"] = "real"
    if kind == "Dot":
        return PositiveDot(config["axes"], name=layer.name, dtype=PRECISION)
    coupled: tuple[int, ...] = ()
    if "activation" in config and "recurrent_activation" not in config and kind not in _RECURRENT:
        coupled = _coupled_axes(config["activation"])
        config["activation"] = "linear"
    if "activity_regularizer" not in layer.get_config():
        del config["activity_regularizer"]
    explicit = _needs_explicit_padding(layer)
    if explicit:
        config["padding"] = "valid"
    changed = type(layer).from_config(config)
    if coupled:
        changed.activation = lambda x: with_mean(x, coupled)
    if explicit:
        return ExplicitPadding(changed, name=layer.name, dtype=PRECISION)
    grouped = getattr(changed, "groups", 1) > 1 and getattr(changed, "data_format", "") == "channels_last"
    return InGroups(changed, name=layer.name, dtype=PRECISION) if grouped else changed


def _in_double(config: Any) -> Any:
    """A configuration in which the layers inside compute in double precision too."""
    if isinstance(config, list | tuple):
        return [_in_double(c) for c in config]
    if not isinstance(config, dict):
        return config
    # without the shape that a layer inside was built with, so that it is built once, with the others
    kept = {k: v for k, v in config.items() if k != "build_config"}
    converted = {k: v if k == "dtype" else _in_double(v) for k, v in kept.items()}
    inner = converted.get("config")
    if "class_name" in converted and isinstance(inner, dict) and "dtype" in inner:
        converted["config"] = {**inner, "dtype": PRECISION}
    return converted


def _with_softsign(config: Any) -> Any:
    """A configuration in which recurrent cells use softsign, and gates derived from it.

    Both are bounded like tanh and sigmoid, but their slope falls with the square of the input and is
    zero nowhere; that of tanh is zero from 20 on in double precision.
    """
    if isinstance(config, list | tuple):
        return [_with_softsign(c) for c in config]
    if not isinstance(config, dict):
        return config
    changed = {k: _with_softsign(v) for k, v in config.items()}
    if "recurrent_initializer" in changed:
        changed["activation"] = "softsign"
    if "recurrent_activation" in changed:
        changed["recurrent_activation"] = _GATE
    return changed


def _gate(x: Any) -> Any:
    return (1 + keras.ops.softsign(x)) / 2


keras.saving.register_keras_serializable("archcalc", "gate")(_gate)
_GATE = keras.saving.serialize_keras_object(_gate)


def _precision(layer: Any) -> str:
    """float64, except for layers that TensorFlow's CPU kernels do not run in it."""
    return SINGLE if type(layer).__name__ in ("MaxPooling3D", "AveragePooling3D") else PRECISION


def _needs_explicit_padding(layer: Any) -> bool:
    return (
        type(layer).__name__ in ("Conv3D", "Conv3DTranspose")
        and layer.padding == "same"
        and getattr(layer, "output_padding", None) is None
        and any(k < s for k, s in zip(layer.kernel_size, layer.strides, strict=True))
    )


def _coupled_axes(activation: Any) -> tuple[int, ...]:
    return (-1,) if isinstance(activation, str) and activation in _COUPLING else ()
