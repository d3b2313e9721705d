"""Moments of a function of a tensor's units, as a table over their squares."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.gaussian import Moments, moments, moments_of, tabulated
from archcalc.analyses.mean_field.maps import Map
from archcalc.analyses.mean_field.samples import EQUAL_SAMPLES
from archcalc.analyses.mean_field.squares import FLOOR, Squares, log_of
from archcalc.analyses.mean_field.state import Forward

SPACING = 0.15  # in log q, of the table of moments that is interpolated
STEP, NEAR = 0.05, 3  # in log q, for derivatives, and the number of values that they need


def _moments(phi: Function, x: Forward, log_q: Array) -> Moments:
    """The moments at each log q; of those after the first `NEAR` only what a `Table` has."""
    if x.quantiles is not None:
        return moments_of(phi, log_q, x.quantiles, full=NEAR)
    if x.mean_ratio == 0 and (known := tabulated(phi, log_q)) is not None:
        return known
    return moments(phi, log_q, np.full(len(log_q), x.mean_ratio), full=NEAR)


def _grid(at: float, low: float, high: float) -> list[float]:
    """Numbers from `low` to `high`, `SPACING` apart if they are not too many, and one more between them."""
    intervals = min(max(math.ceil((high - low) / SPACING), 0), 160)
    if not intervals:
        return [at]
    step = (high - low) / intervals
    grid = [low + i * step for i in range(intervals)]
    grid.append(high)
    place = bisect_left(grid, at)
    if grid[place] != at:
        grid.insert(place, at)
    return grid


class Table:
    """log E phi^2, mean and log E phi'^2 as functions of log q, interpolated except at the tensor's mean."""

    def __init__(self, phi: Function, x: Forward) -> None:
        self._log_mean_q, self._squares, self._shape = x.log_mean_q, x.squares, x.shape
        self._offsets = x.fluctuation
        if x.sample_squares is not EQUAL_SAMPLES:
            self._offsets = np.concatenate([x.fluctuation, log_of(x.sample_squares).ravel()])
        high = x.squares.level
        low = high + x.squares.profile.log_least_positive
        least, most = _ends(self._offsets)
        at, n = self._log_mean_q, NEAR
        # first the tensor's mean and what is near it, for derivatives
        log_q = np.array([at - STEP, at, at + STEP, *_grid(at, min(low, at + least), max(high, at + most))])
        self._grid = log_q[n:]
        known = _moments(phi, x, log_q)
        self.at = Moments(*(m[:n] for m in known))
        self._mean = known.mean[n:]
        # as the two parts of complex numbers, which are interpolated together
        self._logs = np.empty(len(self._grid), complex)
        self._logs.real = np.maximum(known.square[n:], FLOOR)
        self._logs.imag = np.maximum(known.slope[n:], FLOOR)

    def by_unit(self) -> tuple[Squares, Map, float | Map]:
        """E phi^2, the mean, and log E phi'^2."""
        if self._squares.same_everywhere:
            square, mean, slope = (float(m[1]) for m in (self.at.square, self.at.mean, self.at.slope))
            return Squares.same(square, self._shape), Map.same(mean, self._shape), max(slope, FLOOR)
        log_q = self._squares.logs
        logs, groups = self._interpolated(log_q.values), log_q.groups
        means = np.interp(log_q.values, self._grid, self._mean)
        return Squares.of(Map(logs.real, groups)), Map(means, groups), Map(logs.imag, groups)

    def changes(self, x: Forward) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """The factors of E phi^2 and E phi'^2 by x's fluctuations, in logarithms, and by its samples."""
        logs = self._interpolated(self._log_mean_q + self._offsets)
        square, slope = logs.real - self.at.square[1], logs.imag - self.at.slope[1]
        if x.sample_squares is EQUAL_SAMPLES:
            return (square, slope), (EQUAL_SAMPLES, EQUAL_SAMPLES)
        n, shape = len(x.fluctuation), x.sample_squares.shape
        samples = np.exp(square[n:]).reshape(shape), np.exp(slope[n:]).reshape(shape)
        return (square[:n], slope[:n]), samples

    def _interpolated(self, log_q: Array) -> NDArray[np.complex128]:
        """Log E phi^2 as real parts, log E phi'^2 as imaginary ones."""
        logs: NDArray[np.complex128] = np.asarray(np.interp(log_q, self._grid, self._logs), complex)
        if np.minimum.reduce(log_q, axis=None) > FLOOR / 2:
            return logs
        return np.where(log_q <= FLOOR / 2, complex(FLOOR, FLOOR), logs)


def _ends(logs: Array) -> tuple[float, float]:
    """The least and the largest logarithm of what is not zero."""
    least = float(np.minimum.reduce(logs, axis=None))
    if least <= FLOOR / 2:
        least = float(logs[logs > FLOOR / 2].min())
    return least, float(np.maximum.reduce(logs, axis=None))
