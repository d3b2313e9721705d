"""What real Keras says: constructor signatures, shapes, weights, and which units depend on which.

The independent side of the contract test. Nothing here uses a rule of `archcalc.layers`; a
declaration only supplies the class name and the constructor arguments.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from keras.src.utils.naming import to_snake_case

from archcalc.layers.base import Layer

Shape = tuple[int, ...]
REQUIRED = inspect.Parameter.empty
UNNAMED = "(unnamed)"  # a weight that Keras numbers through the process

# what Keras raises when arguments or shapes make no sense; anything else is a fault of the test
REFUSALS = (ValueError, TypeError, IndexError, ZeroDivisionError)
# what TensorFlow raises for valid layers that its CPU kernels do not run
CANNOT_RUN = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
    LookupError,
)


class RefusedError(Exception):
    """Keras refuses the arguments, or the input."""


class CannotRunError(Exception):
    """The layer is valid, but this machine's kernels do not run it."""


@dataclass(frozen=True)
class Built:
    """A real layer after its call on symbolic inputs; shapes without the batch axis."""

    layer: Any
    shape: Shape
    shapes: tuple[Shape, ...]  # of all outputs
    weights: tuple[tuple[str, Shape, bool], ...]  # path inside the layer, shape, trainable


def keras_class(cls: type[Layer]) -> Any:
    """The real class of a declaration."""
    module, _, name = cls.keras_class.partition(":")
    # archcalc has its own of what Keras 3 lacks
    return getattr(importlib.import_module("tf_keras.layers" if module == "archcalc.keras" else module), name)


def constructor(real: Any) -> dict[str, Any]:
    """Every constructor argument with its default, those that reach bases through **kwargs included."""
    found: dict[str, Any] = {}
    for cls in inspect.getmro(real):
        if cls.__name__ == "Layer":
            break
        if "__init__" not in vars(cls):
            continue
        parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, parameter.default)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def make_raw(cls: type[Layer], arguments: dict[str, Any]) -> Any:
    """A real layer straight from constructor arguments, without our normalisation of them."""
    try:
        given = {k: v for k, v in arguments.items() if k not in cls.call_arguments}
        dtype = arguments.get("dtype")
        return keras_class(cls)(**{k: _with_layers(v, dtype) for k, v in given.items()})
    except REFUSALS as error:
        raise RefusedError(f"{type(error).__name__}: {error}") from error


def _with_layers(value: Any, dtype: Any) -> Any:
    """The value with real layers for descriptions such as `{"type": "Dense", "units": 3}`."""
    if isinstance(value, list):
        return [_with_layers(v, dtype) for v in value]
    if not isinstance(value, dict) or "type" not in value:
        return value
    kind = value["type"]
    given = {k: _with_layers(v, dtype) for k, v in value.items() if k != "type"}
    # a name as in a fresh process; Keras counts
    return getattr(keras.layers, kind)(**{"name": to_snake_case(kind), "dtype": dtype, **given})


def build(
    real: Any,
    shapes: Sequence[Shape],
    words: Mapping[str, Any] = MappingProxyType({}),
    *,
    dtype: str | None = None,
) -> Built:
    """Call a real layer on symbolic inputs of these shapes, with further arguments of the call."""
    library = tf_keras if isinstance(real, tf_keras.layers.Layer) else keras
    inputs = [library.Input(shape, dtype=dtype) for shape in shapes]
    try:
        outputs = keras.tree.flatten(_called(real, inputs, words))
    except (*REFUSALS, tf.errors.InvalidArgumentError) as error:
        raise RefusedError(f"{type(error).__name__}: {error}") from error
    made = tuple(tuple(y.shape[1:]) for y in outputs)
    return Built(real, made[0], made, tuple(map(_weight, real.weights)))


def _called(real: Any, inputs: list[Any], words: Mapping[str, Any]) -> Any:
    """A call as each class documents it."""
    if _is_one_of(real, "MultiHeadAttention", "GroupedQueryAttention"):
        return real(*inputs, **words)
    if _is_one_of(real, "StackedRNNCells"):
        left = iter(inputs[1:])
        states = [[next(left) for _ in keras.tree.flatten(cell.state_size)] for cell in real.cells]
        return real(inputs[0], states, **words)
    if _is_one_of(real, "RNN", "Bidirectional", "SimpleRNNCell", "LSTMCell", "GRUCell"):
        return real(inputs[0], *((inputs[1:],) if len(inputs) > 1 else ()), **words)
    return real(inputs if _takes_list(real) else inputs[0], **words)


def _weight(weight: Any) -> tuple[str, Shape, bool]:
    path = getattr(weight, "path", None) or weight.name.removesuffix(":0")
    name = path.split("/", 1)[1]
    return (
        UNNAMED if re.fullmatch(r"variable(_\d+)?", name) else name,
        tuple(weight.shape),
        bool(weight.trainable),
    )


def _takes_list(real: Any) -> bool:
    return _is_one_of(real, "Merge", "Dot", "Concatenate", "CustomScaleLayer", "Attention", "HashedCrossing")


def _is_one_of(real: Any, *names: str) -> bool:
    return not {cls.__name__ for cls in type(real).__mro__}.isdisjoint(names)


# -- which units depend on which ------------------------------------------------------------------
@dataclass(frozen=True)
class Support:
    """For some output units: which units of each input they depend on (one boolean array per input)."""

    units: tuple[Shape, ...]
    inputs: tuple[np.ndarray, ...]  # each (units, *input shape)


def make_positive(real: Any, seed: int = 0) -> None:
    """Positive random weights, scaled by fan-in, so that no dependence cancels or overflows."""
    random = np.random.default_rng(seed)
    for weight in real.weights:
        shape = tuple(weight.shape)
        fan_in = max(int(np.prod(shape[:-1])), 1)
        weight.assign(random.uniform(0.5, 1.5, shape) / fan_in)


def some_units(shape: Shape, limit: int = 24) -> tuple[Shape, ...]:
    """Units of an output tensor: all, if they are few; else both edges of each axis, the middle, and more."""
    everything = list(product(*map(range, shape)))
    if len(everything) <= limit:
        return tuple(everything)
    random = np.random.default_rng(len(everything))
    corners = list(product(*({0, n - 1} for n in shape)))
    chosen = [tuple(n // 2 for n in shape), *corners[: limit // 2]]
    chosen += [everything[i] for i in random.permutation(len(everything))]
    return tuple(dict.fromkeys(chosen))[:limit]


def inputs_of(shapes: Sequence[Shape], batch: int, dtype: str, seed: int = 1) -> list[np.ndarray]:
    """The same positive random sample `batch` times, for each input."""
    random = np.random.default_rng(seed)
    return [np.repeat(random.uniform(0.9, 1.1, (1, *s)).astype(dtype), batch, axis=0) for s in shapes]


def gradient_support(
    call: Callable[[list[Any]], Any],
    shapes: Sequence[Shape],
    units: Sequence[Shape] | None = None,
    *,
    dtype: str = "float64",
    tolerance: float = 1e-9,
) -> Support:
    """Where d(unit)/d(input) is not zero: one backward pass, one sample of the batch per unit.

    `call` maps a list of batches to one output batch and treats samples independently.
    Raises `CannotRunError` if TensorFlow does not run it here.
    """
    try:
        if units is None:
            units = some_units(tuple(call([tf.constant(x) for x in inputs_of(shapes, 1, dtype)]).shape[1:]))
        xs = [tf.constant(x) for x in inputs_of(shapes, len(units), dtype)]
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = call(xs)
            at = tf.constant([(sample, *unit) for sample, unit in enumerate(units)])
            chosen = tf.reduce_sum(tf.gather_nd(y, at))
        gradients = tape.gradient(chosen, xs, unconnected_gradients="zero")
    except CANNOT_RUN as error:
        raise CannotRunError(f"{type(error).__name__}: {error}") from error
    magnitudes = [np.abs(np.asarray(g)) for g in gradients]
    largest = max((m.max(initial=0.0) for m in magnitudes), default=0.0)
    return Support(tuple(units), tuple(m > tolerance * largest for m in magnitudes))


def perturbation_support(
    call: Callable[[list[Any]], Any],
    shapes: Sequence[Shape],
    units: Sequence[Shape] | None = None,
    *,
    dtype: str = "float64",
    tolerance: float = 1e-9,
    step: float = 10.0,
) -> Support:
    """Where a unit moves when one input unit is raised or lowered far: for maxima and other kinks,
    whose gradient shows the winner only. Raises `CannotRunError` if TensorFlow does not run it here.
    """
    sizes = [int(np.prod(s)) for s in shapes]
    total = sum(sizes)
    xs = inputs_of(shapes, 1 + 2 * total, dtype)
    sample = 1
    for x, size in zip(xs, sizes, strict=True):
        flat = x.reshape(len(x), -1)
        for i in range(size):
            flat[sample, i] += step
            flat[sample + total, i] -= step
            sample += 1
    try:
        y = np.asarray(call([tf.constant(x) for x in xs]))
    except CANNOT_RUN as error:
        raise CannotRunError(f"{type(error).__name__}: {error}") from error
    units = some_units(y.shape[1:]) if units is None else units
    moved = np.abs(y[1:] - y[:1]) > tolerance * np.abs(y).max(initial=1.0)
    moved = moved[:total] | moved[total:]
    supports, first = [], 0
    for shape, size in zip(shapes, sizes, strict=True):
        mine = moved[first : first + size]
        supports.append(np.stack([mine[(slice(None), *u)] for u in units]).reshape(len(units), *shape))
        first += size
    return Support(tuple(units), tuple(supports))


def layer_call(real: Any, words: Mapping[str, Any] = MappingProxyType({})) -> Callable[[list[Any]], Any]:
    """A real layer, or its first output, as a function of a list of batches."""
    # said outright, since the augmenting layers take a direct call for training
    inference = {"training": False} if "training" in inspect.signature(real.call).parameters else {}
    return lambda xs: keras.tree.flatten(_called(real, list(xs), {**words, **inference}))[0]


__all__ = [
    "REFUSALS",
    "REQUIRED",
    "UNNAMED",
    "Built",
    "CannotRunError",
    "RefusedError",
    "Support",
    "build",
    "constructor",
    "gradient_support",
    "inputs_of",
    "keras_class",
    "layer_call",
    "make_positive",
    "make_raw",
    "perturbation_support",
    "some_units",
]
assert keras.backend.backend() == "tensorflow", "the oracle is Keras on TensorFlow"
