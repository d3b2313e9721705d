"""Keras's elementwise functions in numpy: value, slope and the points where they are not smooth.

They are needed for expectations without a closed form. Tests compare them with Keras's functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from archcalc.layers.activations import activation_name

Array: TypeAlias = NDArray[np.float64]
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


class Function(NamedTuple):
    """An elementwise function; `kinks` are the points where it or its slope is not smooth.

    `kind` is "linear" (a line through 0), "broken" (piecewise linear with one kink at 0 and the slopes
    `slopes` left and right of it), or "" for functions that are integrated numerically.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    kinks: tuple[float, ...] = ()
    kind: str = ""
    slopes: tuple[float, float] = (1.0, 1.0)


def function(name: Any, parameters: Mapping[str, Any] | None = None) -> Function | None:
    """The function by its Keras name (or configuration) and arguments; None if it is not implemented."""
    arguments = dict(parameters or {})
    if isinstance(name, dict):
        arguments = {**(name.get("config") or {}), **arguments}
        arguments.pop("name", None)
        arguments.pop("dtype", None)
    plain = activation_name(name)
    try:
        return _made(_ALIASES.get(plain, plain), tuple(arguments.items()))
    except TypeError:  # other arguments than the function has
        return None


@lru_cache(maxsize=256)
def _made(name: str, arguments: tuple[tuple[str, Any], ...]) -> Function | None:
    make = _FUNCTIONS.get(name)
    return None if make is None else make(**dict(arguments))


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(x / 2))


def _sigmoid_slope(x: Array) -> Array:
    return 0.25 / np.cosh(np.clip(x, -700, 700) / 2) ** 2


def _tanh_slope(x: Array) -> Array:
    return 1 / np.cosh(np.clip(x, -350, 350)) ** 2


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _density(x: Array) -> Array:
    return np.exp(-np.minimum(x * x, 1400.0) / 2) / math.sqrt(2 * math.pi)


@lru_cache(maxsize=1)
def _cumulative_table() -> Array:
    return np.array([math.erfc(-i / _STEPS / math.sqrt(2)) / 2 for i in range(-_EDGE, _EDGE + 1)])


_STEPS, _EDGE = 128, 128 * 12


def _cumulative(x: Array) -> Array:
    """The standard normal distribution function to 1e-11, by cubic Hermite interpolation of exact values."""
    table = _cumulative_table()
    position = np.clip(x, -11.99, 11.99) * _STEPS + _EDGE
    i = position.astype(int)
    t, left = position - i, (i - _EDGE) / _STEPS
    a, b = table[i], table[i + 1]
    da, db = _density(left) / _STEPS, _density(left + 1 / _STEPS) / _STEPS
    value: Array = a + t * (da + t * (3 * (b - a) - 2 * da - db + t * (da + db - 2 * (b - a))))
    return value


def _line(slope: float = 1.0) -> Function:
    return Function(lambda x: slope * x, lambda x: np.full_like(x, slope), (), "linear", (slope, slope))


def _broken(left: float, right: float) -> Function:
    return Function(
        lambda x: np.where(x > 0, right * x, left * x),
        lambda x: np.where(x > 0, right, left) * 1.0,
        (0.0,),
        "broken",
        (left, right),
    )


def _relu(
    negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0, **_: Any
) -> Function:
    top = math.inf if max_value is None else max_value
    if threshold == 0 and max_value is None:
        return _broken(negative_slope, 1.0)

    def value(x: Array) -> Array:
        above = np.minimum(x, top)
        return np.where(x >= threshold, above, negative_slope * (x - threshold))

    def slope(x: Array) -> Array:
        # as TensorFlow's at the kink, where units that ReLU made zero are
        return np.where(x > threshold, np.where(x < top, 1.0, 0.0), negative_slope)

    return Function(value, slope, (threshold,) if max_value is None else (threshold, top))


def _elu(alpha: float = 1.0, **_: Any) -> Function:
    return Function(
        lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
        (0.0,),
    )


def _celu(alpha: float = 1.0) -> Function:
    return Function(
        lambda x: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha),
        lambda x: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0) / alpha)),
        (0.0,),
    )


def _selu() -> Function:
    inner = _elu(SELU_ALPHA)
    return Function(lambda x: SELU_SCALE * inner.value(x), lambda x: SELU_SCALE * inner.slope(x), (0.0,))


def _gelu(approximate: bool = False) -> Function:
    if not approximate:
        return Function(lambda x: x * _cumulative(x), lambda x: _cumulative(x) + x * _density(x))
    root = math.sqrt(2 / math.pi)

    def inner(x: Array) -> Array:
        return root * (x + 0.044715 * x**3)

    def slope(x: Array) -> Array:
        inner_slope = root * (1 + 3 * 0.044715 * x * x)
        return 0.5 * (1 + np.tanh(inner(x))) + 0.5 * x * _tanh_slope(inner(x)) * inner_slope

    return Function(lambda x: 0.5 * x * (1 + np.tanh(inner(x))), slope)


def _silu() -> Function:
    def slope(x: Array) -> Array:
        share = _sigmoid(x)
        return share * (1 + x * (1 - share))

    return Function(lambda x: x * _sigmoid(x), slope)


def _mish() -> Function:
    return Function(
        lambda x: x * np.tanh(_softplus(x)),
        lambda x: np.tanh(_softplus(x)) + x * _tanh_slope(_softplus(x)) * _sigmoid(x),
    )


def _squareplus(b: float = 4) -> Function:
    return Function(lambda x: (x + np.sqrt(x * x + b)) / 2, lambda x: (1 + x / np.sqrt(x * x + b)) / 2)


def _clipped(low: float, high: float, gain: float, shift: float) -> Function:
    """`gain * x + shift`, constant outside of [low, high]."""
    return Function(
        lambda x: gain * np.clip(x, low, high) + shift,
        lambda x: np.where((x > low) & (x < high), gain, 0.0),
        (low, high),
    )


def _hard_silu() -> Function:
    gate = _clipped(-3.0, 3.0, 1 / 6, 0.5)
    return Function(lambda x: x * gate.value(x), lambda x: gate.value(x) + x * gate.slope(x), (-3.0, 3.0))


def _hard_shrink(threshold: float = 0.5) -> Function:
    return Function(
        lambda x: np.where(np.abs(x) > threshold, x, 0.0),
        lambda x: np.where(np.abs(x) > threshold, 1.0, 0.0),
        (-threshold, threshold),
    )


def _soft_shrink(threshold: float = 0.5) -> Function:
    return Function(
        lambda x: np.sign(x) * np.maximum(np.abs(x) - threshold, 0.0),
        lambda x: np.where(np.abs(x) > threshold, 1.0, 0.0),
        (-threshold, threshold),
    )


def _threshold(threshold: float = 0.0, default_value: float = 0.0) -> Function:
    return Function(
        lambda x: np.where(x > threshold, x, default_value),
        lambda x: np.where(x > threshold, 1.0, 0.0),
        (threshold,),
    )


def _sparse_plus() -> Function:
    return Function(
        lambda x: np.where(x <= -1, 0.0, np.where(x < 1, 0.25 * (np.clip(x, -1, 1) + 1) ** 2, x)),
        lambda x: np.where(x <= -1, 0.0, np.where(x < 1, 0.5 * (x + 1), 1.0)),
        (-1.0, 1.0),
    )


_FUNCTIONS: dict[str, Callable[..., Function]] = {
    "linear": _line,
    "negative": lambda: _line(-1.0),
    "absolute": lambda: _broken(-1.0, 1.0),
    "relu": _relu,
    "relu6": lambda: _relu(max_value=6.0),
    "leaky_relu": lambda negative_slope=0.2: _broken(negative_slope, 1.0),
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": lambda: Function(_softplus, _sigmoid),
    "softsign": lambda: Function(lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2, (0.0,)),
    "squareplus": _squareplus,
    "sigmoid": lambda: Function(_sigmoid, _sigmoid_slope),
    "log_sigmoid": lambda: Function(lambda x: -_softplus(-x), lambda x: _sigmoid(-x)),
    "tanh": lambda: Function(np.tanh, _tanh_slope),
    "tanh_shrink": lambda: Function(lambda x: x - np.tanh(x), lambda x: np.tanh(x) ** 2),
    "hard_sigmoid": lambda: _clipped(-3.0, 3.0, 1 / 6, 0.5),
    "hard_silu": _hard_silu,
    "hard_tanh": lambda: _clipped(-1.0, 1.0, 1.0, 0.0),
    "hard_shrink": _hard_shrink,
    "soft_shrink": _soft_shrink,
    "threshold": _threshold,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda: _clipped(-1.0, 1.0, 0.5, 0.5),
    "exponential": lambda: Function(np.exp, np.exp),
    "sin": lambda: Function(np.sin, np.cos),
    "cos": lambda: Function(np.cos, lambda x: -np.sin(x)),
    "square": lambda: Function(lambda x: x * x, lambda x: 2 * x),
}
_ALIASES = {
    "swish": "silu",
    "hard_swish": "hard_silu",
    "abs": "absolute",
    "exp": "exponential",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
}
