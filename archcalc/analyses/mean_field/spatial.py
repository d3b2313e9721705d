"""Mean-field rules of pooling, resizing, reshaping and padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.maps import Dims, Map, alike, joined
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import of_samples
from archcalc.analyses.mean_field.squares import Squares
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    effective_units,
    replace,
)
from archcalc.analyses.mean_field.taps import Reads, Taps, all_sums, transposed


def average(x: Forward, shape: Dims, reads: Reads) -> tuple[Forward, Pullback]:
    """Average pooling: the part that the k units of a window share remains, the rest is divided by k."""
    counts = _counts(x, reads)
    mean_share = counts.mapped(lambda logs: np.log(_mean_share(logs, x.corr)) - logs)
    output = _averaged(x, shape, x.squares.sums(reads).times(mean_share))
    # differences between the positions of a window are averaged out
    output = replace(output, sample_squares=of_samples(x.sample_squares))
    before = x.shape

    def pullback(g: Backward) -> Backward:
        squares = g.squares.times(counts.mapped(lambda logs: -2 * logs)).sums(transposed(reads))
        return replace(g, shape=before, squares=squares, sample_squares=of_samples(g.sample_squares))

    return output, pullback


def _counts(x: Forward, reads: Reads) -> Map:
    """Logs of the numbers of units in windows."""
    return Squares.same(0.0, x.shape).sums(reads).logs


def _mean_share(log_counts: Array, corr: float) -> Array:
    """The mean square of a mean of units over the mean square of one unit."""
    k = np.exp(log_counts)
    return (1 - corr) / k + corr


def _averaged(x: Forward, shape: Dims, squares: Squares) -> Forward:
    """The state of means of units: E x and the part that samples share are unchanged."""
    change = squares.log_mean - x.log_mean_q
    ratio = x.mean_ratio * math.exp(-change / 2)
    return replace(
        x,
        shape=shape,
        squares=squares,
        ratio=Map.same(max(-1.0, min(1.0, ratio)), shape),
        corr=min(x.corr * math.exp(-change), 1.0),
        quantiles=None,
    )


def reduced_mean(
    x: Forward, shape: Dims, axes: Sequence[int], count: int, *, keepdims: bool, total: bool
) -> tuple[Forward, Pullback]:
    """The mean (or with `total` the sum) of all units along axes."""
    other_axes = tuple(a for a in range(len(x.shape)) if a not in axes)
    positions = math.prod(x.shape[a] for a in other_axes)
    # channels share only their mean, positions also what samples share
    common = x.corr if positions >= x.channels else x.ratio.mapped(np.square).mean
    squares = x.squares.means(axes).times(math.log((1 - common) / count + common))
    if not keepdims:
        squares = squares.reshaped(shape)
    output = replace(_averaged(x, shape, squares), sample_squares=of_samples(x.sample_squares))
    gain = 0.0 if total else -2 * math.log(count)
    if total:
        output = replace(output, squares=output.squares.times(2 * math.log(count)))
    before, wide = x.shape, tuple(1 if a in axes else n for a, n in enumerate(x.shape))

    def pullback(g: Backward) -> Backward:
        squares = g.squares.reshaped(wide).times(gain)
        for axis in axes:
            squares = squares.with_axis(axis, alike(before[axis]))
        samples = of_samples(g.sample_squares)
        return replace(g, shape=before, squares=squares, corr=1.0, sample_squares=samples)

    return output, pullback


def largest(
    x: Forward,
    shape: Dims,
    reads: Reads,
    noise: Noise,
    source: tuple[Function, float, float, float] | None,
    sign: float = 1.0,
) -> tuple[Forward, Pullback]:
    """Max pooling: the gradient goes to one of the k units of a window, each equally likely.

    `source`: the increasing function of Gaussian units whose values these are (`Forward.source`), so that
    the largest value is that of the largest Gaussian unit. `sign`: -1 for the smallest.
    """
    counts = _counts(x, reads)
    k = counts.mapped(np.exp).mean
    square, mean, shared, z = _order_statistics(x, k, source, sign)
    output = replace(
        x,
        shape=shape,
        squares=Squares.same(math.log(max(square, 1e-300)), shape),
        ratio=Map.same(mean / math.sqrt(max(square, 1e-300)), shape),
        corr=min(shared / max(square, 1e-300), 1.0),
        quantiles=None,
    )

    def pullback(g: Backward) -> Backward:
        squares = g.squares.times(counts.mapped(np.negative)).sums(transposed(reads))
        selection_variance = 3 * (k - 1) / max(effective_units(math.prod(x.shape), x.channels, x.corr), 1.0)
        return replace(
            g,
            shape=x.shape,
            squares=squares,
            fluctuation=g.fluctuation + noise.square_fluctuation(min(selection_variance, 1.0)),
            selected_preactivations=z if source is not None else None,
        )

    return output, pullback


def _order_statistics(
    x: Forward, k: float, source: tuple[Function, float, float, float] | None, sign: float
) -> tuple[float, float, float, Array]:
    """E y^2, E y, E y y' and Gaussian values of y, the largest of k units; y' shares only the common part."""
    if source is None:
        phi, log_q, ratio, corr = None, x.log_mean_q, x.mean_ratio, x.corr
    else:
        phi, log_q, ratio, corr = source
    root = math.exp(min(log_q, 600.0) / 2)
    shared = max(corr - ratio * ratio, 0.0)
    independent = max(1 - ratio * ratio - shared, 0.0)
    xi, w = np.polynomial.hermite_e.hermegauss(30)
    w = w / w.sum()
    largest_of_k = sign * _largest_normal(round(k, 3))[None, :]
    z = root * (ratio + math.sqrt(shared) * xi[:, None] + math.sqrt(independent) * largest_of_k)
    y = z if phi is None else phi.value(z)
    inner = y.mean(axis=1)
    return (
        float(w @ (y * y).mean(axis=1)),
        float(w @ inner),
        float(w @ (inner * inner)),
        z[_sampled_rows(w)].ravel(),
    )


def _sampled_rows(weights: Array) -> NDArray[np.intp]:
    """64 row numbers, in proportion to the weights of the rows."""
    return np.searchsorted(np.cumsum(weights), (np.arange(64) + 0.5) / 64)


@lru_cache(maxsize=64)
def _largest_normal(k: float) -> Array:
    """Midpoints of 200 equally likely intervals of the maximum of k standard normals."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse(((i + 0.5) / 200) ** (1 / k)) for i in range(200)])


def linear(x: Forward, shape: Dims, axis: int, rows: Array) -> tuple[Forward, Pullback]:
    """A constant matrix along an axis (interpolation).

    The independent part of the units is multiplied by the squares of the weights, the shared part by the
    square of their sum.
    """
    amounts, squared = Taps.of(rows), Taps.of(rows * rows)

    def applied(squares: Squares, corr: float, amounts: Taps, squared: Taps) -> Squares:
        independent = squares.sums([(axis, squared)]).over(squares.level)
        shared = squares.power(0.5).over(squares.level / 2)
        shared = Map(*all_sums(shared.values, shared.groups, [(axis, amounts)])).mapped(np.square)
        mixed = joined(lambda a, b: a * (1 - corr) + b * corr, independent, shared)
        return Squares.by_value(mixed.values, mixed.groups, squares.level)

    output = _averaged(x, shape, applied(x.squares, x.corr, amounts, squared))
    before = x.shape

    def pullback(g: Backward) -> Backward:
        squares = applied(g.squares, g.corr, amounts.transposed, squared.transposed)
        return replace(g, shape=before, squares=squares)

    return output, pullback


def permuted(x: Forward, order: Sequence[int]) -> tuple[Forward, Pullback]:
    """A permutation of axes."""
    back = np.argsort(order).tolist()
    shape = tuple(x.shape[a] for a in order)
    output = replace(
        x,
        shape=shape,
        squares=x.squares.permuted(order),
        ratio=Map.same(x.mean_ratio, shape),
    )
    before = x.shape
    return output, lambda g: replace(g, shape=before, squares=g.squares.permuted(back))


def reshaped(x: Forward, shape: Dims) -> tuple[Forward, Pullback]:
    """A reshape: the squares of all units are unchanged."""
    output = replace(x, shape=shape, squares=x.squares.reshaped(shape), ratio=Map.same(x.mean_ratio, shape))
    before = x.shape
    return output, lambda g: with_shape(g, before)


def with_shape(g: Backward, shape: Dims) -> Backward:
    """The gradient of a tensor before it was reshaped."""
    return replace(g, shape=shape, squares=g.squares.reshaped(shape))


def margin(x: Forward, pairs: Sequence[tuple[int, int]], shape: Dims) -> tuple[Forward, Pullback]:
    """Zero padding, or cropping for negative numbers, as (before, after) for each axis."""
    output = replace(x, shape=shape, squares=x.squares.padded(pairs), ratio=Map.same(x.mean_ratio, shape))
    back = [(-before, -after) for before, after in pairs]
    bare = x.shape
    return output, lambda g: replace(g, shape=bare, squares=g.squares.padded(back))
