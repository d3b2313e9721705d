"""Interval arithmetic for the values of tensors: ranges of functions and of their slopes.

It is needed where a slope depends on values, as for a product of tensors or an exponential.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, inf, log, sqrt
from typing import Any, NamedTuple

import numpy as np

from archcalc.arith import functions
from archcalc.layers.activations import Activation
from archcalc.layers.functions import described


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


_ROUNDING = 1e-7  # Keras holds constants in float32


def image(function: str, parameters: Mapping[str, Any], x: Interval) -> Interval:
    """The interval of a function's values over an interval."""
    known = described(function, parameters)
    full = Interval(*known.image)
    if known.pieces == (1.0, 1.0):
        return x
    if known.rising and known.value is not None:
        return Interval(_at(known, x.low, -1, full.low), _at(known, x.high, 1, full.high))
    if x.size == inf or known.at_zero is None:
        return full
    # values are between phi(0) - L |x| and phi(0) + L |x|, where L is the largest slope
    low, high = slope(function, parameters, x)
    reach = max(abs(low), abs(high)) * x.size
    return Interval(max(full.low, known.at_zero - reach), min(full.high, known.at_zero + reach))


def _at(known: Activation, x: float, direction: int, end: float) -> float:
    """The value of a nondecreasing function, rounded outward; `end` is its limit in this direction."""
    if abs(x) == inf or known.value is None:
        return end
    with np.errstate(all="ignore"):
        value = float(known.value(functions, np.float64(x)))
    # terms that cancel are as large as x
    rounded = value if value in (0.0, x) else value + direction * _ROUNDING * (abs(value) + abs(x))
    return (min if direction > 0 else max)(rounded, end) if abs(value) < inf else end


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
    return Interval(*described(function, parameters).slopes)


def _exp(x: float) -> float:
    return exp(x) if x < 700 else inf


def _inverse(x: float) -> float:
    return inf if x == 0.0 else 1 / x
