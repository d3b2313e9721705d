"""Interval arithmetic for the values of tensors: ranges of functions and of their slopes.

It is needed where a slope depends on values, as for a product of tensors or an exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import erf, exp, inf, log, sqrt, tanh
from typing import Any, NamedTuple

from archcalc.layers.activations import slopes


class Interval(NamedTuple):
    """Values from `low` to `high`."""

    low: float
    high: float

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    @property
    def least(self) -> float:
        """The smallest magnitude."""
        return 0.0 if self.low <= 0.0 <= self.high else min(abs(self.low), abs(self.high))

    def scaled(self, factor: float) -> Interval:
        return hull(times(self.low, factor), times(self.high, factor))

    def with_zero(self) -> Interval:
        return Interval(min(self.low, 0.0), max(self.high, 0.0))


ANY = Interval(-inf, inf)
UNIT = Interval(0.0, 1.0)


def symmetric(size: float) -> Interval:
    """From -size to size."""
    return Interval(-size, size)


def hull(*values: float) -> Interval:
    """The smallest interval that contains these values."""
    return Interval(min(values), max(values))


def enclosing(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that contains these intervals."""
    parts = list(intervals)
    return Interval(min(i.low for i in parts), max(i.high for i in parts))


def times(a: float, b: float) -> float:
    """A product in which zero times infinity is zero."""
    return 0.0 if a == 0.0 or b == 0.0 else a * b


def product(a: Interval, b: Interval) -> Interval:
    """The interval of products of a value of `a` and a value of `b`."""
    return hull(*(times(x, y) for x in a for y in b))


def summed(intervals: Iterable[Interval]) -> Interval:
    """The interval of sums of a value of each."""
    parts = list(intervals)
    return Interval(sum(i.low for i in parts), sum(i.high for i in parts))


# the range of a function over all inputs, rounded outward
_IMAGES: dict[str, Interval] = {
    "absolute": Interval(0.0, inf),
    "cos": Interval(-1.0, 1.0),
    "elu": Interval(-1.0, inf),
    "celu": Interval(-1.0, inf),
    "erf": Interval(-1.0, 1.0),
    "erfc": Interval(0.0, 2.0),
    "arctan": symmetric(1.5707964),
    "exp": Interval(0.0, inf),
    "exponential": Interval(0.0, inf),
    "gelu": Interval(-0.1700408, inf),
    "hard_sigmoid": UNIT,
    "hard_silu": Interval(-0.375, inf),
    "hard_swish": Interval(-0.375, inf),
    "hard_tanh": Interval(-1.0, 1.0),
    "log_sigmoid": Interval(-inf, 0.0),
    "mish": Interval(-0.3088435, inf),
    "relu6": Interval(0.0, 6.0),
    "selu": Interval(-1.7580994, inf),
    "sigmoid": UNIT,
    "silu": Interval(-0.2784646, inf),
    "sin": Interval(-1.0, 1.0),
    "sinc": Interval(-0.2172337, 1.0),
    "softplus": Interval(0.0, inf),
    "softsign": Interval(-1.0, 1.0),
    "sparse_plus": Interval(0.0, inf),
    "sparse_sigmoid": UNIT,
    "sqrt": Interval(0.0, inf),
    "square": Interval(0.0, inf),
    "squareplus": Interval(0.0, inf),
    "swish": Interval(-0.2784646, inf),
    "tanh": Interval(-1.0, 1.0),
    **dict.fromkeys(("isfinite", "isinf", "isnan", "logical_not"), UNIT),
    "sign": Interval(-1.0, 1.0),
}


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


# nondecreasing functions: the ends of an interval are mapped to the ends of its image
_NONDECREASING: dict[str, Callable[[float], float]] = {
    "tanh": tanh,
    "erf": erf,
    "sigmoid": _sigmoid,
    "hard_tanh": lambda x: min(max(x, -1.0), 1.0),
    "hard_sigmoid": lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    "softsign": lambda x: x / (1 + abs(x)),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
}

_ROUNDING = 1e-12


def image(function: str, parameters: Mapping[str, Any], x: Interval) -> Interval:
    """The interval of a function's values over an interval."""
    if function == "linear":
        return x
    if function == "relu":
        return _relu(parameters, x)
    if function == "clip":
        return _clip(parameters, x)
    if function == "prelu":
        return ANY
    full = _IMAGES.get(function, ANY)
    if function in _NONDECREASING and x.size < inf:
        f = _NONDECREASING[function]
        low, high = f(x.low), f(x.high)
        return Interval(
            max(low - _ROUNDING * abs(low), full.low), min(high + _ROUNDING * abs(high), full.high)
        )
    if function == "elu":
        alpha = parameters.get("alpha")
        full = (
            ANY if alpha is not None and alpha < 0 else Interval(-float(1.0 if alpha is None else alpha), inf)
        )
    if x.size == inf or function not in _AT_ZERO:
        return full
    # values are between phi(0) - L |x| and phi(0) + L |x|, where L is the largest slope
    low, high = slope(function, parameters, x)
    reach = max(abs(low), abs(high)) * x.size
    at_zero = _AT_ZERO[function]
    return Interval(max(full.low, at_zero - reach), min(full.high, at_zero + reach))


# the value of a function at 0
_AT_ZERO: dict[str, float] = {
    **dict.fromkeys(
        ("leaky_relu", "elu", "celu", "selu", "gelu", "silu", "swish", "mish", "softsign", "tanh_shrink"), 0.0
    ),
    **dict.fromkeys(
        ("hard_silu", "hard_swish", "soft_shrink", "hard_shrink", "arctan", "arcsinh", "sin"), 0.0
    ),
    **dict.fromkeys(("absolute", "negative", "square", "deg2rad", "rad2deg"), 0.0),
    "softplus": 0.6931472,
    "log_sigmoid": -0.6931472,
    "exponential": 1.0,
    "exp": 1.0,
    "expm1": 0.0,
    "sparse_plus": 0.25,
    "squareplus": 1.0,
}


def _clip(parameters: Mapping[str, Any], x: Interval) -> Interval:
    least, most = parameters.get("x_min"), parameters.get("x_max")
    if not isinstance(least, int | float) or not isinstance(most, int | float):
        return ANY
    # if x_min > x_max, the result is x_max
    return Interval(min(max(x.low, least), most), min(max(x.high, least), most))


def _relu(parameters: Mapping[str, Any], x: Interval) -> Interval:
    threshold = float(parameters.get("threshold") or 0.0)
    below = float(parameters.get("negative_slope") or 0.0)
    top = parameters.get("max_value")
    low = 0.0 if below == 0.0 else times(min(x.low - threshold, 0.0), below)
    high = max(x.high, 0.0)
    return Interval(min(low, 0.0), high if top is None else min(high, float(top)))


def slope(function: str, parameters: Mapping[str, Any], x: Interval) -> Interval:
    """The range of a function's slope over an interval."""
    match function:
        case "exponential" | "exp":
            return Interval(0.0, _exp(x.high))
        case "expm1":
            return Interval(0.0, _exp(x.high))
        case "exp2":
            return Interval(0.0, log(2) * _exp(x.high * log(2)))
        case "square":
            return x.scaled(2.0)
        case "reciprocal":
            return Interval(-_inverse(x.least * x.least), 0.0)
        case "sqrt":
            return Interval(0.0, _inverse(2 * sqrt(x.low)) if x.low > 0 else inf)
        case "rsqrt":
            return Interval(-_inverse(2 * x.low * sqrt(x.low)) if x.low > 0 else -inf, 0.0)
        case "log":
            return Interval(0.0, _inverse(x.low) if x.low > 0 else inf)
        case "log1p":
            return Interval(0.0, _inverse(1 + x.low) if x.low > -1 else inf)
        case "sinh" | "cosh":
            return symmetric(_exp(x.size))
    return Interval(*slopes(function, parameters))


def _exp(x: float) -> float:
    return exp(x) if x < 700 else inf


def _inverse(x: float) -> float:
    return inf if x == 0.0 else 1 / x
