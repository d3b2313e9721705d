"""Slopes and values of functions over an interval, against Keras's own functions on a grid of it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from archcalc.analyses.gradient_bounds.value_ranges import Interval, image, slope
from archcalc.layers.activations import ACTIVATIONS, FUNCTIONS

POSITIVE = [(0.5, 2.0), (1.0, 3.0)]
EITHER = [*POSITIVE, (-2.0, -0.5), (-0.7, 1.5)]
DEPENDS = {
    **dict.fromkeys(("exp", "exponential", "expm1", "exp2", "square"), EITHER),
    **dict.fromkeys(("sqrt", "rsqrt", "log"), POSITIVE),
    "reciprocal": [*POSITIVE, (-2.0, -0.5)],
    "log1p": [*POSITIVE, (-0.7, 1.5)],
}
NAMED = sorted(n for n, a in ACTIVATIONS.items() if not a.couples_channels and n != "threshold")


def called(name: str) -> Any:
    return getattr(keras.activations, name, None) or getattr(ops, name, None) or keras.activations.get(name)


def on_grid(name: str, ends: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    x = tf.constant(np.linspace(*ends, 2001), "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = called(name)(x)
    return np.asarray(y), np.asarray(tape.gradient(y, x))


@pytest.mark.parametrize(("name", "ends"), [(n, e) for n, found in DEPENDS.items() for e in found])
def test_slopes_that_depend_on_the_interval(name: str, ends: tuple[float, float]) -> None:
    _, slopes = on_grid(name, ends)
    found = slope(name, {}, Interval(*ends))
    assert found.low <= slopes.min() + 1e-12
    assert found.high >= slopes.max() - 1e-12
    assert found.size == pytest.approx(np.abs(slopes).max())


@pytest.mark.parametrize("name", sorted({*NAMED, *FUNCTIONS}))
@pytest.mark.parametrize("ends", EITHER)
def test_values_lie_within(name: str, ends: tuple[float, float]) -> None:
    try:
        values, _ = on_grid(name, ends)
    except (LookupError, TypeError, ValueError):
        pytest.skip("no gradient, or more than one argument")
    if not np.isfinite(values).all():
        pytest.skip("outside of where the function is defined")
    found = image(name, {}, Interval(*ends))
    assert found.low <= values.min() + 1e-9
    assert found.high >= values.max() - 1e-9
