"""A layer in one form of words, so that two ways to write the same layer are equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer
from archcalc.layers.inner import Inner
from archcalc.report.columns import type_name

# activations that are layers too
LAYER_OF = {"relu": "ReLU", "softmax": "Softmax"}
WINDOWS = ("kernel_size", "pool_size")
# arguments that a file may state and that mean what is meant without them
PLAIN = {"data_format": "channels_last", "dtype": "float32"}
# an argument that is the same as this one where it is not stated
SAME_AS = {"strides": "pool_size", "value_dim": "key_dim"}


class Meaning(NamedTuple):
    """A type, and the arguments that say something: a Keras file states all of them, a spec few."""

    type: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.type}({', '.join(f'{key}={value}' for key, value in self.arguments.items())})"


def meaning(layer: Layer, rank: int | None) -> Meaning:
    """What a layer is; `rank` counts the axes of its input, that of the batch too."""
    name = type_name(layer)
    found = dict(_stated(layer, name, rank))
    function = found.get("activation")
    if name == "Activation" and isinstance(function, str) and activation_name(function) in LAYER_OF:
        name = LAYER_OF[activation_name(found.pop("activation"))]
    return Meaning(name, found)


def _stated(layer: Layer, name: str, rank: int | None) -> Iterator[tuple[str, Any]]:
    for key, value in layer.keras_arguments().items():
        if value is None or PLAIN.get(key) == value:
            continue
        if key in SAME_AS and value == getattr(layer, SAME_AS[key], None):
            continue
        if key == "attention_axes" and rank is not None and value == tuple(range(1, rank - 1)):
            continue
        if key == "activation" and name != "Activation" and activation_name(value) == "linear":
            continue
        if key == "padding" and value in ("same", "valid") and _reads_one_unit(layer, name):
            continue
        if key == "axis" and rank is not None and type(value) is int and value >= 0:
            value -= rank
            if value == layer._default("axis"):
                continue
        if name == "Bidirectional" and isinstance(value, Inner):
            direction = _direction(value)
            if key == "backward_layer" and direction == _reversed(layer):
                continue
            yield key, direction
        else:
            yield key, _without_names(value)


def _without_names(value: Any) -> Any:
    """Inner layers as what they are; their names differ from file to file."""
    if isinstance(value, Inner):
        return meaning(value.layer, None)
    several = isinstance(value, tuple) and value and all(isinstance(each, Inner) for each in value)
    return tuple(map(_without_names, value)) if several else value


def _direction(inner: Inner) -> Meaning:
    """A layer of a Bidirectional, without what Keras sets there itself."""
    found = meaning(inner.layer, None)
    found.arguments.pop("zero_output_for_mask", None)
    return found


def _reversed(layer: Any) -> Meaning:
    """What the backward layer of a Bidirectional is where none is stated."""
    forward = _direction(layer.layer)
    return Meaning(forward.type, forward.arguments | {"go_backwards": True})


def _reads_one_unit(layer: Layer, name: str) -> bool:
    """Whether a window is one unit, so that there is nothing to pad."""
    window = next((w for w in (getattr(layer, key, None) for key in WINDOWS) if w is not None), None)
    return isinstance(window, tuple) and set(window) == {1} and "Transpose" not in name
