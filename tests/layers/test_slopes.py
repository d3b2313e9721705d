"""The slopes of activations against derivatives of Keras's functions on a dense grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from archcalc.layers.activations import ACTIVATIONS, FOREIGN, INFINITY, activated
from archcalc.layers.functions import FUNCTIONS, described
from archcalc.layers.primitives import Pointwise, Primitives
from archcalc.layers.registry import registered

CLOSE = 1e-7  # tolerance of a constant above the supremum
# dense around zero, at and close to kinks, and at large values, where functions approach their limits
_KINKS = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
GRID = np.unique(
    np.concatenate(
        [np.linspace(-20, 20, 400_001) + 3e-6, _KINKS - 1e-9, _KINKS, _KINKS + 1e-9, [-1e6, -1e4, 1e4, 1e6]]
    )
)
NAMED = sorted(name for name, a in ACTIVATIONS.items() if not a.couples_channels and name != FOREIGN)


def derivative(call: Callable[[Any], Any], grid: np.ndarray = GRID) -> np.ndarray:
    x = tf.constant(grid, "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x)
    gradient = tape.gradient(y, x)
    values = np.zeros_like(grid) if gradient is None else np.asarray(gradient)
    assert np.isfinite(values).all()
    return values


def of(primitives: Primitives) -> tuple[float, float]:
    if not primitives:
        return 1.0, 1.0
    (primitive,) = primitives
    assert isinstance(primitive, Pointwise)
    return described(primitive.function, dict(primitive.parameters)).slopes


def check(range_: tuple[float, float], measured: np.ndarray) -> None:
    low, high = range_
    assert low <= measured.min()
    assert measured.max() <= high
    assert max(abs(low), abs(high)) <= np.abs(measured).max() + CLOSE


@pytest.mark.parametrize("name", [n for n in NAMED if n != "exponential"])
def test_named_activations(name: str) -> None:
    function = keras.activations.get(name)
    arguments = (0.5, 0.1) if name == "threshold" else ()  # the only one without defaults
    check(of(activated(name, (4,))), derivative(lambda x: function(x, *arguments)))


def test_the_exponential_has_no_bound() -> None:
    assert of(activated("exponential", (4,))) == (0.0, INFINITY)


LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("ReLU", {"max_value": 3.0}),
    ("ReLU", {"negative_slope": 0.3}),
    ("ReLU", {"negative_slope": 1.5, "max_value": 2.0}),
    ("ReLU", {"threshold": 1.0, "negative_slope": 0.1, "max_value": 4.0}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 2.5}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.5}),
    ("ELU", {"alpha": 3.0}),
    ("ELU", {"alpha": -2.0}),
]


@pytest.mark.parametrize(("kind", "arguments"), LAYERS)
def test_activation_layers(kind: str, arguments: dict[str, Any]) -> None:
    real = getattr(keras.layers, kind)(dtype="float64", **arguments)
    check(of(registered()[kind](**arguments).primitives((4,))), derivative(real))


# required arguments of functions of `keras.ops` with a bound
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "clip": (-1.0, 2.0),
    "maximum": (0.5,),
    "minimum": (0.5,),
    "logaddexp": (0.5,),
}


BOUNDED = sorted(name for name, known in FUNCTIONS.items() if INFINITY not in known.slopes)


@pytest.mark.parametrize("name", [*BOUNDED, "logaddexp", "maximum", "minimum"])
def test_functions_of_a_unit(name: str) -> None:
    function = getattr(ops, name)
    # rounding is discontinuous at multiples of 1/2
    grid = GRID[(GRID % 0.5 != 0) & (np.abs(GRID) < 1e2)]
    if name in ("isfinite", "isinf", "isnan", "logical_not"):
        measured = np.zeros(3)  # true or false: nothing to differentiate
    else:
        measured = derivative(lambda x: function(x, *ARGUMENTS.get(name, ())), grid)
    check(described(name, {}).slopes, measured)
