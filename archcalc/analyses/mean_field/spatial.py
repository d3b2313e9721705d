"""Mean-field rules of pooling, resizing, reshaping and padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import (
    FLOOR,
    Backward,
    Dims,
    Forward,
    Pullback,
    collapse,
    effective_units,
    log_mean,
    of_samples,
    replace,
)
from archcalc.analyses.mean_field.weighted import Taps, apply_all, apply_taps

LARGEST = 4_000_000  # larger tensors are reshaped as if all units had the same square


def average(x: Forward, shape: Dims, reads: Sequence[tuple[int, Taps]]) -> tuple[Forward, Pullback]:
    """Average pooling: the part that the k units of a window share remains, the rest is divided by k."""
    log_q, counts = _windows(x.log_q, reads)
    mean = log_q - counts
    output = _averaged(x, shape, mean + np.log(_mean_share(counts, x.corr)))
    # differences between the positions of a window are averaged out
    output = replace(output, sample_squares=of_samples(x.sample_squares))
    before = x.shape

    def pullback(g: Backward) -> Backward:
        log_b = apply_all(g.log_b - 2 * counts, [(axis, taps.transposed) for axis, taps in reads])
        return replace(g, shape=before, log_b=log_b, sample_squares=of_samples(g.sample_squares))

    return output, pullback


def _windows(log_x: Array, reads: Sequence[tuple[int, Taps]]) -> tuple[Array, Array]:
    """Log of the sums of exp(x) over windows, and log of the numbers of units in them."""
    return apply_all(log_x, reads), apply_all(np.zeros((1,) * log_x.ndim), reads)


def _mean_share(log_counts: Array, corr: float) -> Array:
    """The mean square of a mean of units over the mean square of one unit."""
    k = np.exp(log_counts)
    return (1 - corr) / k + corr


def _averaged(x: Forward, shape: Dims, log_q: Array) -> Forward:
    """The state of means of units: E x and the part that samples share are unchanged."""
    change = log_mean(log_q) - x.log_mean_q
    ratio = float(x.ratio.mean()) * math.exp(-change / 2)
    return replace(
        x,
        shape=shape,
        log_q=log_q,
        ratio=np.full((1,) * len(shape), max(-1.0, min(1.0, ratio))),
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
    common = x.corr if positions >= x.channels else float((x.ratio**2).mean())
    top = float(x.log_q.max())
    log_q = np.log(np.maximum(np.exp(x.log_q - top).mean(axis=tuple(axes), keepdims=True), 1e-300)) + top
    log_q = log_q + math.log((1 - common) / count + common)
    if not keepdims:
        log_q = log_q.reshape([log_q.shape[a] for a in other_axes] or [1])
    output = replace(_averaged(x, shape, log_q), sample_squares=of_samples(x.sample_squares))
    gain = 0.0 if total else -2 * math.log(count)
    if total:
        output = replace(output, log_q=output.log_q + 2 * math.log(count))
    before = x.shape

    def pullback(g: Backward) -> Backward:
        log_b = g.log_b + gain
        if not keepdims:
            wide = [1] * len(before)
            for a, n in zip(other_axes, log_b.shape, strict=False):
                wide[a] = n
            log_b = log_b.reshape(wide)
        return replace(g, shape=before, log_b=log_b, corr=1.0, sample_squares=of_samples(g.sample_squares))

    return output, pullback


def largest(
    x: Forward,
    shape: Dims,
    reads: Sequence[tuple[int, Taps]],
    noise: Noise,
    source: tuple[Function, float, float, float] | None,
    sign: float = 1.0,
) -> tuple[Forward, Pullback]:
    """Max pooling: the gradient goes to one of the k units of a window, each equally likely.

    `source`: the increasing function of Gaussian units whose values these are (`Forward.source`), so that
    the largest value is that of the largest Gaussian unit. `sign`: -1 for the smallest.
    """
    _, counts = _windows(np.zeros((1,) * len(x.shape)), reads)
    k = float(np.exp(counts).mean())
    square, mean, shared, z = _order_statistics(x, k, source, sign)
    log_q = np.full((1,) * len(shape), math.log(max(square, 1e-300)))
    output = replace(
        x,
        shape=shape,
        log_q=log_q,
        ratio=np.full((1,) * len(shape), mean / math.sqrt(max(square, 1e-300))),
        corr=min(shared / max(square, 1e-300), 1.0),
        quantiles=None,
    )

    def pullback(g: Backward) -> Backward:
        log_b = apply_all(g.log_b - counts, [(axis, taps.transposed) for axis, taps in reads])
        selection_variance = 3 * (k - 1) / max(effective_units(math.prod(x.shape), x.channels, x.corr), 1.0)
        return replace(
            g,
            shape=x.shape,
            log_b=log_b,
            fluctuation=g.fluctuation + noise.square_fluctuation(min(selection_variance, 1.0)),
            selected_preactivations=z if source is not None else None,
        )

    return output, pullback


def _order_statistics(
    x: Forward, k: float, source: tuple[Function, float, float, float] | None, sign: float
) -> tuple[float, float, float, Array]:
    """E y^2, E y, E y y' and Gaussian values of y, the largest of k units; y' shares only the common part."""
    if source is None:
        phi, log_q, ratio, corr = None, x.log_mean_q, float(x.ratio.mean()), x.corr
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
    squares, ones = Taps(rows * rows), np.ones((1,) * len(x.shape))
    sums = rows.sum(axis=1) ** 2
    wide = [1] * len(shape)
    wide[axis] = len(sums)
    independent = apply_taps(x.log_q, squares, axis)
    with np.errstate(divide="ignore"):
        log_q = (
            np.log(
                np.exp(independent - independent.max()) * (1 - x.corr)
                + x.corr * np.exp(_along(x.log_q, axis, rows) - independent.max()) * ones
            )
            + independent.max()
        )
    output = _averaged(x, shape, collapse(log_q))

    def pullback(g: Backward) -> Backward:
        independent = apply_taps(g.log_b, squares.transposed, axis)
        shared = _along(g.log_b, axis, rows.T)
        top = max(float(independent.max()), float(shared.max()))
        with np.errstate(divide="ignore"):
            log_b = np.log(np.exp(independent - top) * (1 - g.corr) + g.corr * np.exp(shared - top)) + top
        return replace(g, shape=x.shape, log_b=np.maximum(log_b, FLOOR))

    return output, pullback


def _along(log_x: Array, axis: int, rows: Array) -> Array:
    """Log of the squared weighted sums of sqrt(exp(x)), for units that are equal up to their size."""
    amounts = np.abs(rows) if np.all(rows >= 0) else rows
    if log_x.shape[axis] == 1:
        total: Array = np.maximum(amounts.sum(axis=1) ** 2, 1e-300)
        wide = [1] * log_x.ndim
        wide[axis] = len(total)
        return log_x + np.log(total).reshape(wide)
    top = float(log_x.max())
    moved = np.moveaxis(np.exp((log_x - top) / 2), axis, 0)
    output: Array = np.moveaxis(np.tensordot(amounts, moved, axes=(1, 0)) ** 2, 0, axis)
    return np.log(np.maximum(output, 1e-300)) + top


def permuted(x: Forward, order: Sequence[int]) -> tuple[Forward, Pullback]:
    """A permutation of axes."""
    back = np.argsort(order)
    output = replace(
        x,
        shape=tuple(x.shape[a] for a in order),
        log_q=x.log_q.transpose(order),
        ratio=np.full((1,) * len(order), float(x.ratio.mean())),
    )
    return output, lambda g: replace(g, shape=x.shape, log_b=g.log_b.transpose(back))


def reshaped(x: Forward, shape: Dims) -> tuple[Forward, Pullback]:
    """A reshape: the squares of all units are unchanged."""
    ratio = np.full((1,) * len(shape), float(x.ratio.mean()))
    output = replace(x, shape=shape, log_q=_reshape(x.log_q, x.shape, shape), ratio=ratio)
    before = x.shape
    return output, lambda g: with_shape(g, before)


def with_shape(g: Backward, shape: Dims) -> Backward:
    """The gradient of a tensor before it was reshaped."""
    return replace(g, shape=shape, log_b=_reshape(g.log_b, g.shape, shape))


def _reshape(log_x: Array, shape: Dims, target: Dims) -> Array:
    if log_x.size == 1 or math.prod(shape) > LARGEST:
        return np.full((1,) * len(target), log_mean(log_x))
    full = np.broadcast_to(log_x, shape)
    return collapse(full.reshape(target))


def margin(x: Forward, pairs: Sequence[tuple[int, int]], shape: Dims) -> tuple[Forward, Pullback]:
    """Zero padding, or cropping for negative numbers, as (before, after) for each axis."""
    log_q = _padded(x.log_q, x.shape, pairs)
    output = replace(x, shape=shape, log_q=log_q, ratio=np.full((1,) * len(shape), float(x.ratio.mean())))
    back = [(-before, -after) for before, after in pairs]
    bare = x.shape
    return output, lambda g: replace(g, shape=bare, log_b=_padded(g.log_b, shape, back))


def _padded(log_x: Array, shape: Dims, pairs: Sequence[tuple[int, int]]) -> Array:
    for axis, (before, after) in enumerate(pairs):
        if before == after == 0:
            continue
        n = shape[axis]
        if log_x.shape[axis] == 1 and before <= 0 and after <= 0:
            continue
        full = np.repeat(log_x, n, axis=axis) if log_x.shape[axis] == 1 else log_x
        full = full[(slice(None),) * axis + (slice(max(-before, 0), n - max(-after, 0)),)]
        widths = [(0, 0)] * log_x.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        log_x = np.pad(full, widths, constant_values=FLOOR)
    return log_x
