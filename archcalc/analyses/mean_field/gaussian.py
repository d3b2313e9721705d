"""Expectations of a function of a Gaussian unit, in logarithms, so that 10^±5000 is in range.

For z = m + sqrt(v) xi with xi standard normal and q = m^2 + v, these are moments of phi(z) and of its
slope. Piecewise linear functions have closed forms. Others are integrated numerically, by Gauss-Legendre
panels with edges at the function's kinks and narrower panels near 0: Gauss-Hermite quadrature ignores
kinks and is off by a factor of 3.4 at depth 60.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function

REACH = 12.0  # standard deviations on both sides that are integrated over
DEGREE = 20  # of the polynomials by which moments are tabulated: to 1e-12
LIMIT = 80.0  # beyond q = e^(±LIMIT) moments follow a power law, since functions are lines or constants there
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_POSITIONS, _FACTORS = (_NODES + 1) / 2, _WEIGHTS / 2 / math.sqrt(2 * math.pi)
_STEPS = np.arange(-REACH, REACH + 0.5)
_DEGREES = np.arange(DEGREE + 1)
_BENDS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


class Moments(NamedTuple):
    """Moments of y = phi(z) and of phi'(z), as arrays with the shape of log q; log 0 is -inf."""

    square: Array  # log E y^2
    mean: Array  # E y / sqrt(E y^2)
    slope: Array  # log E phi'^2
    slope_mean: Array  # (E phi')^2 / E phi'^2
    kurtosis: Array  # E y^4 / (E y^2)^2
    slope_kurtosis: Array  # E phi'^4 / (E phi'^2)^2
    output_slope_moment: Array  # E y^2 phi'^2 / (E y^2 E phi'^2)
    input_slope_moment: Array  # E z^2 phi'^2 / (E z^2 E phi'^2)


def moments(phi: Function, log_q: Array, ratio: Array, *, full: int | None = None) -> Moments:
    """The moments for a Gaussian z with E z^2 = exp(log_q) and mean `ratio * sqrt(q)`, |ratio| <= 1.

    From number `full` on, only `square`, `mean` and `slope` are integrated, and the others may be 1.
    """
    log_q, ratio = np.broadcast_arrays(np.asarray(log_q, float), np.asarray(ratio, float))
    centred = not ratio.any()
    if phi.kind == "linear" or (phi.kind == "broken" and centred):
        return _lines(phi, log_q, ratio)
    if log_q.ndim == 1 and centred and (known := tabulated(phi, log_q)) is not None:
        return known
    inside = np.minimum(np.maximum(log_q, -LIMIT), LIMIT)
    integrated = _integrated(phi, inside.ravel(), ratio.ravel(), full)
    integrated = Moments(*(x.reshape(log_q.shape) for x in integrated))
    if np.all(inside == log_q):
        return integrated
    # the exponent of the power law, from two points near the limit
    step = 1.0
    inner = moments(phi, inside - step * np.sign(inside), ratio, full=full)
    beyond = (log_q - inside) / (step * np.where(inside == 0, 1.0, np.sign(inside)))

    def continued(a: Array, b: Array) -> Array:
        with np.errstate(invalid="ignore"):
            exponent = np.where(np.isfinite(a) & np.isfinite(b), np.round(a - b), 0.0)
        return a + exponent * beyond

    return integrated._replace(
        square=continued(integrated.square, inner.square), slope=continued(integrated.slope, inner.slope)
    )


def tabulated(phi: Function, log_q: Array) -> Moments | None:
    """The moments at mean 0, from polynomials in log q for each unit interval; None where these fail.

    Convolved with a Gaussian, the moments are analytic in log q, also where the function has kinks.
    """
    low = np.floor(log_q)
    intervals = sorted({*low.tolist()})
    if phi.kind or not intervals or intervals[0] < -LIMIT or intervals[-1] >= LIMIT:
        return None
    pieces = _pieces(phi, tuple(intervals))
    if pieces is None:
        return None
    powers = np.cos(_DEGREES * np.arccos(2 * (log_q - low) - 1)[:, None])
    values = (powers @ pieces).reshape(len(log_q), len(intervals), -1)
    return Moments(*values[np.arange(len(log_q)), np.searchsorted(intervals, low)].T)


@lru_cache(maxsize=1024)
def _pieces(phi: Function, intervals: tuple[float, ...]) -> Array | None:
    """The polynomials of several intervals, side by side; None if one is inexact."""
    pieces = [_polynomials(phi, int(k)) for k in intervals]
    known = [piece for piece in pieces if piece is not None]
    return np.concatenate(known, axis=1) if len(known) == len(pieces) else None


@lru_cache(maxsize=4096)
def _polynomials(phi: Function, low: int) -> Array | None:
    """Chebyshev coefficients (degree by moment) between log q = low and low + 1; None if they are inexact."""
    n = DEGREE + 1
    angles = (np.arange(n) + 0.5) * math.pi / n
    log_q = low + (np.cos(angles) + 1) / 2
    at = np.array(_integrated(phi, log_q, np.zeros(n), None))
    if not np.isfinite(at).all():
        return None
    transform = np.cos(np.arange(n)[:, None] * angles) * 2 / n
    transform[0] /= 2
    coefficients: Array = transform @ at.T
    # those of functions that oscillate, or are inaccurate far out, do not converge
    return coefficients if np.abs(coefficients[-3:]).max() < 1e-11 else None


def moments_of(phi: Function, log_q: Array, quantiles: Array, full: int | None = None) -> Moments:
    """As `moments`, for a z whose values `quantiles * sqrt(q)` are equally likely."""
    log_q = np.asarray(log_q, float)
    inside = np.minimum(np.maximum(log_q, -LIMIT), LIMIT)
    rms = np.exp(inside / 2)[:, None]
    averages = _averages(phi, rms * quantiles, None, rms, full)
    return averages._replace(square=averages.square + (log_q - inside))


def _lines(phi: Function, log_q: Array, ratio: Array) -> Moments:
    left, right = phi.slopes
    one = np.ones_like(log_q)
    if phi.kind == "linear":
        size = _log(left * left)
        k4 = 3 - 2 * ratio**4  # E z^4 / (E z^2)^2 of a Gaussian with this mean
        return Moments(log_q + size, ratio * np.sign(left), size * one, one, k4, one, one, one)
    square = (left**2 + right**2) / 2
    fourth = (left**4 + right**4) / 2
    if square == 0:
        zero = np.full_like(log_q, -np.inf)
        return Moments(zero, 0 * one, zero, one, one, one, one, one)
    mean = (right - left) / math.sqrt(2 * math.pi) / math.sqrt(square)
    k = fourth / square**2
    even = (left + right) ** 2 / 4 / square
    return Moments(
        log_q + _log(square), mean * one, _log(square) * one, even * one, 3 * k * one, k * one, k * one, one
    )


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _integrated(phi: Function, log_q: Array, ratio: Array, full: int | None) -> Moments:
    z, weight = _values(phi, log_q, ratio)
    return _averages(phi, z, weight, np.exp(log_q / 2)[:, None], full)


def _values(phi: Function, log_q: Array, ratio: Array) -> tuple[Array, Array]:
    """Values of z and their weights, one row for each q."""
    xi, weight = nodes(phi, log_q, ratio)
    rms = np.exp(log_q / 2)[:, None]
    m, stddev = ratio[:, None] * rms, np.sqrt(np.maximum(1 - ratio[:, None] ** 2, 0.0)) * rms
    return m + stddev * xi, weight


def _mean(weight: Array | None, x: Array) -> Array:
    """The weighted mean of each row; without weights all values count equally."""
    averages: Array = (
        np.add.reduce(x, axis=1) / x.shape[1]
        if weight is None
        else np.einsum("ij,ij->i", weight[: len(x)], x)
    )
    return averages


def _mean_square(weight: Array | None, x: Array) -> Array:
    """As `_mean`, of the squares."""
    if weight is not None:
        return _mean(weight, x * x)
    squares: Array = np.einsum("ij,ij->i", x, x) / x.shape[1]
    return squares


_MODERATE = 1e-100  # mean squares whose own squares are in range


def _averages(phi: Function, z: Array, weight: Array | None, rms: Array, full: int | None) -> Moments:
    """The moments of rows of values; from row `full` on only the first three, the others being 1."""
    y, d = phi.value_and_slope(z)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        e_y2, e_d2 = _mean_square(weight, y), _mean_square(weight, d)
        scale: tuple[Any, Any] = (0.0, 0.0)
        share: Callable[[Array, Array], Array] = np.divide
        if not _MODERATE < min(e_y2.min(), e_d2.min()) <= max(e_y2.max(), e_d2.max()) < 1 / _MODERATE:
            # scaled so that fourth powers neither overflow nor underflow
            top, steep = _largest(y), _largest(d)
            y, d = y / np.where(top > 0, top, 1)[:, None], d / np.where(steep > 0, steep, 1)[:, None]
            e_y2, e_d2 = _mean_square(weight, y), _mean_square(weight, d)
            scale = 2 * np.log(top), 2 * np.log(steep)
            share = _share_or_one
        e_y, square, slope = _mean(weight, y), np.log(e_y2) + scale[0], np.log(e_d2) + scale[1]
        mean = np.where(e_y2 > 0, e_y / np.sqrt(e_y2), 0.0)
        others = np.ones((5, len(z)))
        if full == 0:
            return Moments(square, mean, slope, *others)
        y, d, z, rms, e_y2, e_d2 = (x[:full] for x in (y, d, z, rms, e_y2, e_d2))
        y2, d2 = y * y, d * d
        others[0, :full] = share(_mean(weight, d) ** 2, e_d2)
        others[1, :full] = share(_mean_square(weight, y2), e_y2 * e_y2)
        others[2, :full] = share(_mean_square(weight, d2), e_d2 * e_d2)
        others[3, :full] = share(_mean(weight, y2 * d2), e_y2 * e_d2)
        others[4, :full] = share(_mean(weight, (z / rms) ** 2 * d2), e_d2)
    return Moments(square, mean, slope, *others)


def _share_or_one(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / whole, 1.0)


def _largest(x: Array) -> Array:
    """The largest absolute value of each row."""
    largest: Array = np.maximum(np.maximum.reduce(x, axis=1), -np.minimum.reduce(x, axis=1))
    return largest


def nodes(phi: Function, log_q: Array, ratio: Array) -> tuple[Array, Array]:
    """Quadrature nodes in standard deviations and their weights (density included), one row for each q."""
    rms = np.exp(log_q / 2)
    stddev = np.sqrt(np.maximum(1 - ratio**2, 1e-300)) * rms
    marks = _marks(phi.kinks)
    edges = np.empty((len(log_q), len(marks) + len(_STEPS)))
    special = (marks[None, :] - (ratio * rms)[:, None]) / stddev[:, None]
    edges[:, : len(marks)] = np.minimum(np.maximum(special, -REACH), REACH)
    edges[:, len(marks) :] = _STEPS
    edges.sort(axis=1)
    low, width = edges[:, :-1, None], (edges[:, 1:] - edges[:, :-1])[:, :, None]
    xi = low + width * _POSITIONS
    weight = width * _FACTORS * np.exp(-xi * xi / 2)
    return xi.reshape(len(log_q), -1), weight.reshape(len(log_q), -1)


@lru_cache(maxsize=64)
def _marks(kinks: tuple[float, ...]) -> Array:
    """Values at which panels have an edge: near 0 and near kinks."""
    marks = np.union1d(np.concatenate([_BENDS, -_BENDS]), np.array(kinks))
    return np.concatenate(
        [marks, *(k + _BENDS[1:] for k in kinks if k), *(k - _BENDS[1:] for k in kinks if k)]
    )


@lru_cache(maxsize=4)
def _outer(points: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(points)
    x = x * 6
    return x, 6 * w * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def covariance(
    phi: Function, log_q: float, ratio: float, correlation: float, marginal: Moments | None = None
) -> float:
    """E phi(z) phi(z') / E phi(z)^2 for two Gaussian units with E z z' = correlation * q.

    `correlation` is at least ratio^2. Each unit is the sum of the mean, a shared part and an independent
    part: the outer integral is over the shared part, the inner one over the independent part. `marginal`
    are the moments of a unit, if known.
    """
    shared = max(correlation - ratio * ratio, 0.0)
    if marginal is None:
        marginal = moments(phi, np.array([log_q]), np.array([ratio]), full=0)
    if shared <= 1e-12:
        return float(marginal.mean[0] ** 2)
    if phi.kind == "linear" or correlation >= 1 - 1e-12:
        return min(correlation, 1.0) if phi.kind == "linear" else 1.0
    x, w = _outer(48)
    smooth = _inner_means(phi, log_q, ratio, shared)
    if smooth is not None and np.isfinite(marginal.square[0]):
        squared = smooth**2 * math.exp(-marginal.square[0])
        return float(min((w * squared).sum() / w.sum(), 1.0))
    m = ratio + math.sqrt(shared) * x
    independent = 1 - ratio * ratio - shared
    q = independent + m * m
    log_inner, inner_ratio = log_q + np.log(q), m / np.sqrt(q)
    if np.abs(log_inner).max() <= LIMIT and np.isfinite(marginal.square[0]):
        # (E y)^2 given the shared part
        squared = _means(phi, log_inner, inner_ratio) ** 2 * np.exp(-marginal.square[0])
    else:
        inner = moments(phi, log_inner, inner_ratio, full=0)
        with np.errstate(invalid="ignore"):
            squared = np.where(
                np.isfinite(inner.square), inner.mean**2 * np.exp(inner.square - marginal.square[0]), 0.0
            )
    return float(min((w * squared).sum() / w.sum(), 1.0))


def _means(phi: Function, log_q: Array, ratio: Array) -> Array:
    """E phi(z), by the trapezoid rule where twice the interval gives the same, as far from kinks."""
    x, weight = _trapezoids()
    rms = np.exp(log_q / 2)
    stddev = np.sqrt(np.maximum(1 - ratio * ratio, 0.0)) * rms
    y = phi.value((ratio * rms)[:, None] + stddev[:, None] * x)
    means: Array = y @ weight
    differences = np.abs(2 * y[:, ::2] @ weight[::2] - means)
    (rough,) = np.nonzero(~(differences <= SERIES_ERROR * np.sqrt((y * y) @ weight)))
    if len(rough):
        z, weights = _values(phi, log_q[rough], ratio[rough])
        means[rough] = _mean(weights, phi.value(z))
    return means


@lru_cache(maxsize=1)
def _trapezoids() -> tuple[Array, Array]:
    """Points four to a standard deviation, and the density there times their distance."""
    x = np.arange(-4 * REACH, 4 * REACH + 1) / 4
    return x, np.exp(-x * x / 2) / 4 / math.sqrt(2 * math.pi)


TERMS, INTERVALS = 64, 8  # of a Hermite series, and of its integrals for each standard deviation
_TERMS = np.arange(TERMS)
SERIES_ERROR = 1e-13


@lru_cache(maxsize=1)
def _hermite() -> tuple[Array, Array, Array]:
    """Points of the trapezoid rule, normed Hermite polynomials there times its weights, and at `_outer`."""
    x = np.arange(-REACH * INTERVALS, REACH * INTERVALS + 1) / INTERVALS
    weights = np.exp(-x * x / 2) / INTERVALS / math.sqrt(2 * math.pi)

    def polynomials(at: Array) -> Array:
        rows = [np.ones_like(at), at]
        for k in range(1, TERMS - 1):
            rows.append((at * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
        return np.stack(rows)

    return x, polynomials(x) * weights, polynomials(_outer(48)[0]).T


def _inner_means(phi: Function, log_q: float, ratio: float, shared: float) -> Array | None:
    """The means of phi(z) given the shared part, at `_outer`, by a Hermite series; None where it is inexact.

    The shared part multiplies the k-th coefficient by the k-th power of its standard deviation (Mehler). The
    trapezoid rule is exact to rounding for smooth functions that are wide against its intervals.
    """
    variance = 1 - ratio * ratio
    if phi.kinks or phi.kind or abs(log_q) > LIMIT or variance <= 0:
        return None
    x, weighted, outer = _hermite()
    y = phi.value(math.exp(log_q / 2) * (ratio + math.sqrt(variance) * x))
    square, coarse = weighted[0] @ (y * y), 2 * weighted[0, ::2] @ (y[::2] * y[::2])
    coefficients = weighted @ y
    damped = coefficients * math.sqrt(shared / variance) ** _TERMS
    left_out = (shared / variance) ** TERMS * max(square - coefficients @ coefficients, 0.0)
    # the error of the coarser rule is the square root of that of the finer one
    if not abs(coarse - square) <= math.sqrt(SERIES_ERROR) * square or left_out > SERIES_ERROR * square:
        return None
    means: Array = outer @ damped
    return means
