"""Constant linear maps along one axis (averages, interpolation, blends): their rows and their norms.

The norm is at most the root of the largest absolute row sum times the largest absolute column
sum, and exactly that where the map averages disjoint windows or repeats units. Over several
axes norms multiply.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import TypeAlias

from archcalc.analyses.gradient_bounds.terms import Bound, infinite, number, root_of
from archcalc.analyses.gradient_bounds.value_ranges import Interval, symmetric
from archcalc.arith import Size, ceil_div, certainly, equal, floor_div
from archcalc.layers.interpolation import INTERPOLATIONS, phase_table
from archcalc.layers.primitives import AdaptiveWindow, Blend, Resample, SlidingWindow, Upsample

AxisMap: TypeAlias = SlidingWindow | AdaptiveWindow | Upsample | Resample | Blend
Row: TypeAlias = list[tuple[int, float]]

# a longer axis is bounded by its inner rows alone
MAX_AXIS = 4096


def rows(of: AxisMap) -> list[Row] | None:
    """The map as rows of (input unit, weight); None where sizes are open or the weights are not known."""
    match of:
        case Blend(_, weights):
            return [list(enumerate(row)) for row in weights]
        case SlidingWindow(_, n, m, k, s, d, before) if _small(n, m, k, s, d, before):
            windows = ([s * i + d * t - before for t in range(k)] for i in range(m))
            inside = ([j for j in window if 0 <= j < n] for window in windows)
            return [[(j, 1 / len(window)) for j in window] for window in inside]
        case AdaptiveWindow(_, n, m) if _small(n, m):
            portions = (range(i * n // m, -(-(i + 1) * n // m)) for i in range(m))
            return [[(j, 1 / len(portion)) for j in portion] for portion in portions]
        case Upsample(_, n, f, "nearest") if _small(n, f, n * f):
            return [[(i // f, 1.0)] for i in range(n * f)]
        case Upsample(_, n, f, interpolation) if _small(n, f, n * f):
            table = phase_table(INTERPOLATIONS[interpolation], f)
            if table is None:
                return None
            return [
                _at_border(((i // f + o, w) for o, w in table[i % f]), n, interpolation) for i in range(n * f)
            ]
    return None


def shared(of: AdaptiveWindow) -> Size:
    """How many portions hold one unit at most: those that begin within ceil(positions / size) of it."""
    n, m = of.size, of.positions
    if certainly(equal(floor_div(n, m) * m, n)):
        return 1
    if type(n) is int and type(m) is int and n > m:
        return 2
    return ceil_div(m, n) + 1


def _small(*sizes: object) -> bool:
    return all(type(n) is int and n <= MAX_AXIS for n in sizes)


def _at_border(taps: Iterable[tuple[int, float]], n: int, interpolation: str) -> Row:
    """Bilinear interpolation repeats the last unit; the others leave out what is outside, and rescale."""
    if interpolation == "bilinear":
        found: dict[int, float] = {}
        for j, w in taps:
            position = min(max(j, 0), n - 1)
            found[position] = found.get(position, 0.0) + w
        return list(found.items())
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


def axis_norm(of: AxisMap) -> Bound:
    """A bound of the 2-norm of a map along one axis."""
    if isinstance(of, Upsample) and of.interpolation in ("nearest", "bilinear"):
        return root_of(of.factor)  # rows sum to 1 and columns to the factor, nothing is negative
    table = rows(of)
    if table is not None:
        return number(sqrt(_product(sums(table))))
    match of:
        case SlidingWindow(_, _, _, kernel, stride):
            # rows are averages, so columns sum to the number of windows over a unit at most
            return root_of(ceil_div(kernel, stride))
        case AdaptiveWindow():
            return root_of(shared(of))
        case Resample(_, n, m, kind) if kind in ("nearest", "bilinear", "area") and _small(n, m):
            # rows are averages; a unit's share of each output is a bump of area m/n and height 1, and
            # units at the ends also stand in for what lies outside
            return number(sqrt(1.5 * m / n + 2))
        case Upsample():
            return infinite(f"no bound is kept for {of.interpolation} interpolation of an open size")
        case Resample():
            return infinite(f"no bound is kept for {of.interpolation} interpolation by no whole factor")
    raise TypeError(f"no map: {of!r}")


def _product(pair: tuple[float, float]) -> float:
    return pair[0] * pair[1]


def axis_range(of: AxisMap, x: Interval) -> Interval:
    """The values of the map's output: averages stay inside, other weights may leave."""
    if isinstance(of, SlidingWindow | AdaptiveWindow) or (
        isinstance(of, Upsample | Resample) and of.interpolation in ("nearest", "bilinear", "area")
    ):
        return x
    table = rows(of)
    return symmetric(sums(table)[0] * x.size) if table is not None and x.size < inf else symmetric(inf)
