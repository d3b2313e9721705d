"""The functions that activations are written in (`archcalc.layers.activations`), for numpy arrays."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy import absolute as absolute
from numpy import clip as clip
from numpy import cos as cos
from numpy import divide as divide
from numpy import exp as exp
from numpy import expm1 as expm1
from numpy import full_like as full_like
from numpy import maximum as maximum
from numpy import minimum as minimum
from numpy import sign as sign
from numpy import sin as sin
from numpy import sqrt as sqrt
from numpy import tanh as tanh
from numpy import where as where
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
_STEPS, _EDGE = 128, 128 * 12


def sigmoid(x: Array) -> Array:
    value: Array = np.tanh(x / 2)
    value += 1
    value *= 0.5
    return value


def sigmoid_slope(x: Array) -> Array:
    return 0.25 / np.cosh(np.clip(x, -700, 700) / 2) ** 2


def tanh_slope(x: Array) -> Array:
    return 1 / np.cosh(np.clip(x, -350, 350)) ** 2


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def erf(x: Array) -> Array:
    value: Array = np.vectorize(math.erf, otypes=[float])(x)
    return value


def density(x: Array) -> Array:
    """The density of the standard normal distribution."""
    return np.exp(-np.minimum(x * x, 1400.0) / 2) / math.sqrt(2 * math.pi)


@lru_cache(maxsize=1)
def _cumulative_table() -> Array:
    return np.array([math.erfc(-i / _STEPS / math.sqrt(2)) / 2 for i in range(-_EDGE, _EDGE + 1)])


def cumulative(x: Array) -> Array:
    """The standard normal distribution function to 1e-11, by cubic Hermite interpolation of exact values."""
    table = _cumulative_table()
    position = np.clip(x, -11.99, 11.99) * _STEPS + _EDGE
    i = position.astype(int)
    t, left = position - i, (i - _EDGE) / _STEPS
    a, b = table[i], table[i + 1]
    da, db = density(left) / _STEPS, density(left + 1 / _STEPS) / _STEPS
    value: Array = a + t * (da + t * (3 * (b - a) - 2 * da - db + t * (da + db - 2 * (b - a))))
    return value
