"""Pooling, resizing and moving of units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
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
    Pull,
    collapse,
    effective,
    log_mean,
    of_samples,
)
from archcalc.analyses.mean_field.weighted import spread

LARGEST = 4_000_000  # units of a tensor that are written out one by one


def average(x: Forward, shape: Dims, reads: Sequence[tuple[int, Array]]) -> tuple[Forward, Pull]:
    """The mean over each window: of its k units the part in common stays, the rest shrinks to 1/k."""
    log_q, counts = _windows(x.log_q, reads)
    mean = log_q - counts
    kept = _share(counts, x.corr)
    made = _averaged(x, shape, mean + np.log(kept))
    # what positions of a window differ by is averaged, and what windows differ by is far from any one place
    made = replace(made, sample_squares=of_samples(x.sample_squares))

    def pull(g: Backward) -> Backward:
        log_b = g.log_b - 2 * counts
        for axis, taps in reads:
            log_b = spread(log_b, taps.T, axis)
        return replace(g, shape=x.shape, log_b=log_b, sample_squares=of_samples(g.sample_squares))

    return made, pull


def _windows(log_x: Array, reads: Sequence[tuple[int, Array]]) -> tuple[Array, Array]:
    """Log of the sums over windows, and of the numbers of units in them."""
    ones = np.zeros((1,) * log_x.ndim)
    for axis, taps in reads:
        log_x = spread(log_x, taps, axis)
        ones = spread(ones, taps, axis)
    return log_x, ones


def _share(log_counts: Array, corr: float) -> Array:
    k = np.exp(log_counts)
    return (1 - corr) / k + corr


def _averaged(x: Forward, shape: Dims, log_q: Array) -> Forward:
    """A mean of units: E x and what samples have in common stay as they are."""
    less = log_mean(log_q) - x.level
    ratio = float(x.ratio.mean()) * math.exp(-less / 2)
    return replace(
        x,
        shape=shape,
        log_q=log_q,
        ratio=np.full((1,) * len(shape), max(-1.0, min(1.0, ratio))),
        corr=min(x.corr * math.exp(-less), 1.0),
        law=None,
    )


def reduced_mean(
    x: Forward, shape: Dims, axes: Sequence[int], count: int, *, keepdims: bool, total: bool
) -> tuple[Forward, Pull]:
    """The mean (or with `total` the sum) of all units along axes."""
    kept = tuple(a for a in range(len(x.shape)) if a not in axes)
    positions = math.prod(x.shape[a] for a in kept)
    # channels share nothing but their mean, positions what samples have in common too
    common = x.corr if positions >= x.channels else float((x.ratio**2).mean())
    top = float(x.log_q.max())
    log_q = np.log(np.maximum(np.exp(x.log_q - top).mean(axis=tuple(axes), keepdims=True), 1e-300)) + top
    log_q = log_q + math.log((1 - common) / count + common)
    if not keepdims:
        log_q = log_q.reshape([log_q.shape[a] for a in kept] or [1])
    made = replace(_averaged(x, shape, log_q), sample_squares=of_samples(x.sample_squares))
    gain = 0.0 if total else -2 * math.log(count)
    if total:
        made = replace(made, log_q=made.log_q + 2 * math.log(count))

    def pull(g: Backward) -> Backward:
        log_b = g.log_b + gain
        if not keepdims:
            wide = [1] * len(x.shape)
            for a, n in zip(kept, log_b.shape, strict=False):
                wide[a] = n
            log_b = log_b.reshape(wide)
        return replace(g, shape=x.shape, log_b=log_b, corr=1.0, sample_squares=of_samples(g.sample_squares))

    return made, pull


def largest(
    x: Forward,
    shape: Dims,
    reads: Sequence[tuple[int, Array]],
    noise: Noise,
    behind: tuple[Function, float, float, float] | None,
    sign: float = 1.0,
) -> tuple[Forward, Pull]:
    """The largest of each window; its gradient goes to one unit of k, any of them as likely.

    `behind` is (function, log q, mean ratio, corr) of Gaussian units of which these are the
    values of a rising function: the largest value is then that of the largest unit.
    """
    _, counts = _windows(np.zeros((1,) * len(x.shape)), reads)
    k = float(np.exp(counts).mean())
    square, mean, shared, z = _order_statistics(x, k, behind, sign)
    log_q = np.full((1,) * len(shape), math.log(max(square, 1e-300)))
    made = replace(
        x,
        shape=shape,
        log_q=log_q,
        ratio=np.full((1,) * len(shape), mean / math.sqrt(max(square, 1e-300))),
        corr=min(shared / max(square, 1e-300), 1.0),
        law=None,
    )

    def pull(g: Backward) -> Backward:
        log_b = g.log_b - counts
        for axis, taps in reads:
            log_b = spread(log_b, taps.T, axis)
        chosen = 3 * (k - 1) / max(effective(math.prod(x.shape), x.channels, x.corr), 1.0)
        return replace(
            g,
            shape=x.shape,
            log_b=log_b,
            noise=g.noise + noise.of_square(min(chosen, 1.0)),
            chosen=z if behind is not None else None,
        )

    return made, pull


def _order_statistics(
    x: Forward, k: float, behind: tuple[Function, float, float, float] | None, sign: float
) -> tuple[float, float, float, Array]:
    """E y^2, E y and E y y' (the own parts drawn anew) for y the largest of k units; its Gaussian values."""
    if behind is None:
        phi, log_q, ratio, corr = None, x.level, float(x.ratio.mean()), x.corr
    else:
        phi, log_q, ratio, corr = behind
    root = math.exp(min(log_q, 600.0) / 2)
    shared = max(corr - ratio * ratio, 0.0)
    own = max(1 - ratio * ratio - shared, 0.0)
    xi, w = np.polynomial.hermite_e.hermegauss(30)
    w = w / w.sum()
    z = root * (ratio + math.sqrt(shared) * xi[:, None] + math.sqrt(own) * sign * _top(round(k, 3))[None, :])
    y = z if phi is None else phi.value(z)
    inner = y.mean(axis=1)
    return (
        float(w @ (y * y).mean(axis=1)),
        float(w @ inner),
        float(w @ (inner * inner)),
        z[_likely(w)].ravel(),
    )


def _likely(weights: Array) -> NDArray[np.intp]:
    """Rows in proportion to their weights, 64 in all."""
    return np.searchsorted(np.cumsum(weights), (np.arange(64) + 0.5) / 64)


@lru_cache(maxsize=64)
def _top(k: float) -> Array:
    """Midpoints of 200 equally likely intervals of the largest of k standard normals."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse(((i + 0.5) / 200) ** (1 / k)) for i in range(200)])


def linear(x: Forward, shape: Dims, axis: int, rows: Array) -> tuple[Forward, Pull]:
    """A constant matrix along an axis (interpolation): squares of its weights for the independent part."""
    squares, ones = rows * rows, np.ones((1,) * len(x.shape))
    sums = rows.sum(axis=1) ** 2
    wide = [1] * len(shape)
    wide[axis] = len(sums)
    independent = spread(x.log_q, squares, axis)
    with np.errstate(divide="ignore"):
        log_q = (
            np.log(
                np.exp(independent - independent.max()) * (1 - x.corr)
                + x.corr * np.exp(_along(x.log_q, axis, rows) - independent.max()) * ones
            )
            + independent.max()
        )
    made = _averaged(x, shape, collapse(log_q))

    def pull(g: Backward) -> Backward:
        parts = spread(g.log_b, squares.T, axis)
        both = _along(g.log_b, axis, rows.T)
        top = max(float(parts.max()), float(both.max()))
        with np.errstate(divide="ignore"):
            log_b = np.log(np.exp(parts - top) * (1 - g.corr) + g.corr * np.exp(both - top)) + top
        return replace(g, shape=x.shape, log_b=np.maximum(log_b, FLOOR))

    return made, pull


def _along(log_x: Array, axis: int, rows: Array) -> Array:
    """Log of the square of weighted sums of roots: units that are the same up to their size."""
    amounts = np.abs(rows) if np.all(rows >= 0) else rows
    if log_x.shape[axis] == 1:
        total: Array = np.maximum(amounts.sum(axis=1) ** 2, 1e-300)
        wide = [1] * log_x.ndim
        wide[axis] = len(total)
        return log_x + np.log(total).reshape(wide)
    top = float(log_x.max())
    moved = np.moveaxis(np.exp((log_x - top) / 2), axis, 0)
    made: Array = np.moveaxis(np.tensordot(amounts, moved, axes=(1, 0)) ** 2, 0, axis)
    return np.log(np.maximum(made, 1e-300)) + top


def permuted(x: Forward, order: Sequence[int]) -> tuple[Forward, Pull]:
    back = np.argsort(order)
    made = replace(
        x,
        shape=tuple(x.shape[a] for a in order),
        log_q=x.log_q.transpose(order),
        ratio=np.full((1,) * len(order), float(x.ratio.mean())),
    )
    return made, lambda g: replace(g, shape=x.shape, log_b=g.log_b.transpose(back))


def reshaped(x: Forward, shape: Dims) -> tuple[Forward, Pull]:
    """The same units under another shape, each with its own square."""
    ratio = np.full((1,) * len(shape), float(x.ratio.mean()))
    made = replace(x, shape=shape, log_q=_reshape(x.log_q, x.shape, shape), ratio=ratio)
    return made, lambda g: replace(g, shape=x.shape, log_b=_reshape(g.log_b, shape, x.shape))


def _reshape(log_x: Array, shape: Dims, target: Dims) -> Array:
    if log_x.size == 1 or math.prod(shape) > LARGEST:
        return np.full((1,) * len(target), log_mean(log_x))
    full = np.broadcast_to(log_x, shape)
    return collapse(full.reshape(target))


def margin(x: Forward, pairs: Sequence[tuple[int, int]], shape: Dims) -> tuple[Forward, Pull]:
    """Zeros added, or units taken, before and after each axis."""
    log_q = _padded(x.log_q, x.shape, pairs)
    made = replace(x, shape=shape, log_q=log_q, ratio=np.full((1,) * len(shape), float(x.ratio.mean())))
    back = [(-before, -after) for before, after in pairs]
    return made, lambda g: replace(g, shape=x.shape, log_b=_padded(g.log_b, shape, back))


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
