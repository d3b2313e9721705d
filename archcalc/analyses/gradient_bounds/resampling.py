"""Constant linear maps along one axis (averages, interpolation, constant matrices): rows and norms.

The norm is at most the square root of the largest absolute row sum times the largest absolute column
sum, and equal to it where the map averages disjoint windows or repeats units. The norm of maps along
several axes is the product.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import TypeAlias

from archcalc.analyses.gradient_bounds.terms import Bound, infinite, number, root_of
from archcalc.analyses.gradient_bounds.value_ranges import Interval, symmetric
from archcalc.arith import Size, ceil_div, certainly, equal, floor_div
from archcalc.layers.interpolation import INTERPOLATIONS, phase_table
from archcalc.layers.primitives import AdaptiveWindow, ConstantMatrix, Resample, SlidingWindow, Upsample

AxisMap: TypeAlias = SlidingWindow | AdaptiveWindow | Upsample | Resample | ConstantMatrix
Row: TypeAlias = list[tuple[int, float]]

# longer axes are bounded without their rows
MAX_AXIS = 4096


def rows(axis_map: AxisMap) -> list[Row] | None:
    """The map as rows of (input unit, weight); None if it is too large, symbolic or unknown."""
    match axis_map:
        case ConstantMatrix(_, weights):
            return [list(enumerate(row)) for row in weights]
        case SlidingWindow(_, int(n), int(m), int(k), int(s), int(d), int(p)) if _small(n, m, k, s, d, p):
            windows = ([s * i + d * t - p for t in range(k)] for i in range(m))
            inside = ([j for j in window if 0 <= j < n] for window in windows)
            return [[(j, 1 / len(window)) for j in window] for window in inside]
        case AdaptiveWindow(_, int(n), int(m)) if _small(n, m):
            bins = (range(i * n // m, -(-(i + 1) * n // m)) for i in range(m))
            return [[(j, 1 / len(units)) for j in units] for units in bins]
        case Upsample(_, int(n), int(f), "nearest") if _small(n, f, n * f):
            return [[(i // f, 1.0)] for i in range(n * f)]
        case Upsample(_, int(n), int(f), interpolation) if _small(n, f, n * f):
            table = phase_table(INTERPOLATIONS[interpolation], f)
            if table is None:
                return None
            return [
                _at_border(((i // f + o, w) for o, w in table[i % f]), n, interpolation) for i in range(n * f)
            ]
    return None


def overlap(axis_map: AdaptiveWindow) -> Size:
    """The largest number of windows of an adaptive pooling that read the same unit."""
    n, m = axis_map.size, axis_map.positions
    if certainly(equal(floor_div(n, m) * m, n)):
        return 1
    if type(n) is int and type(m) is int and n > m:
        return 2
    return ceil_div(m, n) + 1


def _small(*sizes: int) -> bool:
    return max(sizes) <= MAX_AXIS


def _at_border(taps: Iterable[tuple[int, float]], n: int, interpolation: str) -> Row:
    """The taps inside of the axis: bilinear interpolation repeats the last unit, others rescale weights."""
    if interpolation == "bilinear":
        weights: dict[int, float] = {}
        for j, w in taps:
            position = min(max(j, 0), n - 1)
            weights[position] = weights.get(position, 0.0) + w
        return list(weights.items())
    inside = [(j, w) for j, w in taps if 0 <= j < n]
    total = sum(w for _, w in inside)
    return [(j, w / total) for j, w in inside]


def sums(table: list[Row]) -> tuple[float, float]:
    """The largest absolute row sum and column sum."""
    columns: dict[int, float] = {}
    for row in table:
        for j, w in row:
            columns[j] = columns.get(j, 0.0) + abs(w)
    return max(sum(abs(w) for _, w in row) for row in table), max(columns.values())


def axis_norm(axis_map: AxisMap) -> Bound:
    """A bound of the 2-norm of a map along one axis."""
    if isinstance(axis_map, Upsample) and axis_map.interpolation in ("nearest", "bilinear"):
        return root_of(axis_map.factor)  # nonnegative weights: rows sum to 1, columns to the factor
    table = rows(axis_map)
    if table is not None:
        return number(sqrt(_product(sums(table))))
    match axis_map:
        case SlidingWindow(_, _, _, kernel, stride):
            # rows are averages, so columns sum to at most the number of windows that read a unit
            return root_of(ceil_div(kernel, stride))
        case AdaptiveWindow():
            return root_of(overlap(axis_map))
        case Resample(_, int(n), int(m), "nearest" | "bilinear" | "area") if _small(n, m):
            # rows are averages; the weights of a unit over all outputs have a sum of about m/n and a
            # maximum of 1, and units at the ends also replace those outside of the axis
            return number(sqrt(1.5 * m / n + 2))
        case Upsample():
            return infinite(
                f"no bound is known for {axis_map.interpolation} interpolation of a symbolic size"
            )
        case Resample():
            return infinite(
                f"no bound is known for {axis_map.interpolation} interpolation by a factor that is no integer"
            )
    raise TypeError(f"not a map along an axis: {axis_map!r}")


def _product(pair: tuple[float, float]) -> float:
    return pair[0] * pair[1]


def axis_range(axis_map: AxisMap, x: Interval) -> Interval:
    """The range of the map's output: averages stay in the range of the input, other maps may not."""
    if isinstance(axis_map, SlidingWindow | AdaptiveWindow) or (
        isinstance(axis_map, Upsample | Resample)
        and axis_map.interpolation in ("nearest", "bilinear", "area")
    ):
        return x
    table = rows(axis_map)
    return symmetric(sums(table)[0] * x.size) if table is not None and x.size < inf else symmetric(inf)
