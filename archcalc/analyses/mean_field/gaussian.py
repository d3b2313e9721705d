"""Expectations of a function of a Gaussian unit, in logarithms, so that 10^±5000 is a figure.

For z = m + sqrt(v) xi with xi standard normal and q = m^2 + v: the moments of phi(z) and of its slope.
Straight and broken lines have closed forms. All others are integrated by Gauss-Legendre panels whose
edges lie on the function's kinks and close up around its bend: Gauss-Hermite
nodes straddle a kink and are 3.4 times off at depth 60.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function

REACH = 12.0  # standard deviations that are integrated over
LIMIT = 80.0  # beyond q = e^(±LIMIT) a power law continues: the function is a line (or a constant) there
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_BENDS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


class Moments(NamedTuple):
    """Of y = phi(z), each an array like log q; logs of 0 are -inf.

    log E y^2, E y / sqrt(E y^2), log E phi'^2, (E phi')^2 / E phi'^2, and the fourth moments E y^4 / (E
    y^2)^2, E phi'^4 / (E phi'^2)^2, E y^2 phi'^2 / (E y^2 E phi'^2), E z^2 phi'^2 / (E z^2 E phi'^2).
    """

    square: Array
    mean: Array
    slope: Array
    slope_mean: Array
    kurtosis: Array
    slope_kurtosis: Array
    joint: Array
    tilt: Array


def moments(phi: Function, log_q: Array, ratio: Array) -> Moments:
    """Moments for second moment exp(log_q) and mean `ratio * sqrt(q)`, |ratio| <= 1."""
    log_q, ratio = np.broadcast_arrays(np.asarray(log_q, float), np.asarray(ratio, float))
    if phi.kind == "linear" or (phi.kind == "broken" and not np.any(ratio)):
        return _lines(phi, log_q, ratio)
    inside = np.clip(log_q, -LIMIT, LIMIT)
    found = _integrated(phi, inside.ravel(), ratio.ravel())
    found = Moments(*(x.reshape(log_q.shape) for x in found))
    if np.all(inside == log_q):
        return found
    # the power law's exponent from two positions at the limit
    step = 1.0
    inner = moments(phi, inside - step * np.sign(inside), ratio)
    beyond = (log_q - inside) / (step * np.where(inside == 0, 1.0, np.sign(inside)))

    def continued(a: Array, b: Array) -> Array:
        with np.errstate(invalid="ignore"):
            exponent = np.where(np.isfinite(a) & np.isfinite(b), np.round(a - b), 0.0)
        return a + exponent * beyond

    return found._replace(
        square=continued(found.square, inner.square), slope=continued(found.slope, inner.slope)
    )


def moments_of(phi: Function, log_q: Array, law: Array) -> Moments:
    """As `moments`, for units that take the values `law * sqrt(q)` equally often."""
    log_q = np.asarray(log_q, float)
    inside = np.clip(log_q, -LIMIT, LIMIT)
    z = np.exp(inside / 2)[:, None] * law
    found = _averages(phi, z, np.full_like(z, 1 / len(law)), np.exp(inside / 2)[:, None])
    return found._replace(square=found.square + (log_q - inside) * (np.abs(log_q) > LIMIT))


def _lines(phi: Function, log_q: Array, ratio: Array) -> Moments:
    left, right = phi.slopes
    one = np.ones_like(log_q)
    if phi.kind == "linear":
        size = _log(left * left)
        k4 = 3 - 2 * ratio**4  # of a Gaussian with this mean
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


def _integrated(phi: Function, log_q: Array, ratio: Array) -> Moments:
    xi, weight = nodes(phi, log_q, ratio)
    root = np.exp(log_q / 2)[:, None]
    m, sd = ratio[:, None] * root, np.sqrt(np.maximum(1 - ratio[:, None] ** 2, 0.0)) * root
    return _averages(phi, m + sd * xi, weight, root)


def _averages(phi: Function, z: Array, weight: Array, root: Array) -> Moments:
    # a common scale keeps fourth powers of huge or tiny values within range
    y, d = phi.value(z), phi.slope(z)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        top, steep = np.abs(y).max(axis=1), np.abs(d).max(axis=1)
        y, d = y / np.where(top > 0, top, 1)[:, None], d / np.where(steep > 0, steep, 1)[:, None]
        y2, d2 = y * y, d * d
        e_y, e_y2, e_y4 = ((weight * x).sum(axis=1) for x in (y, y2, y2 * y2))
        e_d, e_d2, e_d4, e_yd = ((weight * x).sum(axis=1) for x in (d, d2, d2 * d2, y2 * d2))
        e_zd = (weight * (z / root) ** 2 * d2).sum(axis=1)
        return Moments(
            np.log(e_y2) + 2 * np.log(top),
            np.where(e_y2 > 0, e_y / np.sqrt(e_y2), 0.0),
            np.log(e_d2) + 2 * np.log(steep),
            np.where(e_d2 > 0, e_d**2 / e_d2, 1.0),
            np.where(e_y2 > 0, e_y4 / e_y2**2, 1.0),
            np.where(e_d2 > 0, e_d4 / e_d2**2, 1.0),
            np.where((e_d2 > 0) & (e_y2 > 0), e_yd / (e_y2 * e_d2), 1.0),
            np.where(e_d2 > 0, e_zd / e_d2, 1.0),
        )


def nodes(phi: Function, log_q: Array, ratio: Array) -> tuple[Array, Array]:
    """Nodes in standard deviations and their weights (density included), one row for each q."""
    root = np.exp(log_q / 2)
    sd = np.sqrt(np.maximum(1 - ratio**2, 1e-300)) * root
    marks = np.union1d(np.concatenate([_BENDS, -_BENDS]), np.array(phi.kinks))
    marks = np.concatenate(
        [marks, *(k + _BENDS[1:] for k in phi.kinks if k), *(k - _BENDS[1:] for k in phi.kinks if k)]
    )
    special = np.clip((marks[None, :] - (ratio * root)[:, None]) / sd[:, None], -REACH, REACH)
    steps = np.broadcast_to(np.arange(-REACH, REACH + 0.5), (len(log_q), int(2 * REACH) + 1))
    edges = np.sort(np.concatenate([special, steps], axis=1), axis=1)
    low, width = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
    xi = low + width * (_NODES + 1) / 2
    weight = width / 2 * _WEIGHTS * np.exp(-xi * xi / 2) / math.sqrt(2 * math.pi)
    return xi.reshape(len(log_q), -1), weight.reshape(len(log_q), -1)


@lru_cache(maxsize=4)
def _outer(points: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(points)
    x = x * 6
    return x, 6 * w * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def covariance(phi: Function, log_q: float, ratio: float, correlation: float) -> float:
    """E phi(z) phi(z') / E phi(z)^2 for two units with this second moment and mean.

    `correlation` is E z z' / q, at least the squared mean ratio. Each is m + shared + own part, so
    the outer integral runs over the shared part and the inner one over the own.
    """
    shared = max(correlation - ratio * ratio, 0.0)
    found = moments(phi, np.array([log_q]), np.array([ratio]))
    if shared <= 1e-12:
        return float(found.mean[0] ** 2)
    if phi.kind == "linear" or correlation >= 1 - 1e-12:
        return min(correlation, 1.0) if phi.kind == "linear" else 1.0
    x, w = _outer(48)
    m = ratio + math.sqrt(shared) * x
    own = 1 - ratio * ratio - shared
    q = own + m * m
    inner = moments(phi, log_q + np.log(q), m / np.sqrt(q))
    with np.errstate(invalid="ignore"):
        squared = np.where(
            np.isfinite(inner.square), inner.mean**2 * np.exp(inner.square - found.square[0]), 0.0
        )
    return float(min((w * squared).sum() / w.sum(), 1.0))
