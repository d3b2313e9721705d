"""Ranges of functions and slopes over an interval, against Keras's functions on a grid of points."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from archcalc.analyses.gradient_bounds.value_ranges import Interval, image, slope
from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.functions import FUNCTIONS

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


@pytest.mark.parametrize(("name", "ends"), [(n, e) for n, intervals in DEPENDS.items() for e in intervals])
def test_slopes_that_depend_on_the_interval(name: str, ends: tuple[float, float]) -> None:
    _, slopes = on_grid(name, ends)
    bounds = slope(name, {}, Interval(*ends))
    assert bounds.low <= slopes.min() + 1e-12
    assert bounds.high >= slopes.max() - 1e-12
    assert bounds.size == pytest.approx(np.abs(slopes).max())


@pytest.mark.parametrize("name", sorted({*NAMED, *FUNCTIONS}))
@pytest.mark.parametrize("ends", EITHER)
def test_values_are_in_the_range(name: str, ends: tuple[float, float]) -> None:
    try:
        values, _ = on_grid(name, ends)
    except (LookupError, TypeError, ValueError):
        pytest.skip("no gradient, or more than one argument")
    if not np.isfinite(values).all():
        pytest.skip("outside of the domain of the function")
    bounds = image(name, {}, Interval(*ends))
    assert bounds.low <= values.min() + 1e-9
    assert bounds.high >= values.max() - 1e-9
