"""What is carried from tensor to tensor: expected squares forward and backward, and their fluctuation.

Expected squares are arrays that broadcast against a sample's shape: an axis of size 1 is one along which
all units have the same. Finite width makes realised squares fluctuate around them; the fluctuation is a
factor common to the tensor, held as its logarithm in `REPLICAS` independent copies, which one
fixed generator draws. Copies come in pairs of opposite sign, so that means are far more accurate than the
number of copies suggests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function

REPLICAS = 512
POINTS = 256
FLOOR = -1e6  # a logarithm of zero that sums can be made with
ALIKE = np.zeros((2, REPLICAS))  # samples that do not differ, nor their positions
Dims = tuple[int, ...]
Gaussian = tuple[Function, float, float, float]  # of units of this level, ratio and correlation


@dataclass(frozen=True)
class Forward:
    """A tensor's expected squares.

    `log_q`: log E x^2 by unit. `ratio`: E x / sqrt(E x^2), over units and weights. `corr`: E x x' / E
    x^2 for the same unit of two samples or positions. `noise`: log of the realised mean square over the
    expected one. `roots`: the weights (bits) on which it depends through no other weight. `channels`:
    units of one place, independent of each other; positions have weights in common. `law`: `POINTS` equally
    likely values of x / sqrt(E x^2), in rising order, where units are not Gaussian. `channel_variance`:
    relative variance of E x^2 between channels, each of which has few weights; `channel_law`: the law of
    x within a channel, over its deviation. `shared_elasticity`: how steeply what samples share rises
    with E x^2, both as logs. `sample_squares`: log of the mean square of each sample over that of the
    batch, and of each position over that of its sample, for `REPLICAS` samples and positions.
    `gaussian`: which function of which Gaussian units the tensor is.
    """

    shape: Dims
    log_q: Array
    ratio: Array
    corr: float
    noise: Array
    roots: int
    channels: float
    law: Array | None = None
    channel_variance: float = 0.0
    channel_law: Array | None = None
    shared_elasticity: float = 1.0
    sample_squares: Array = field(default_factory=lambda: ALIKE)
    # of the tensor itself alone: `replace` leaves it out
    gaussian: Gaussian | None = field(default=None, init=False)

    def of_gaussian(self, gaussian: Gaussian) -> Forward:
        """The same, of which is known which function of which Gaussian units it is."""
        made = replace(self)
        object.__setattr__(made, "gaussian", gaussian)
        return made

    @property
    def level(self) -> float:
        """Log of the mean of E x^2 over all units."""
        return log_mean(self.log_q)

    @property
    def values(self) -> Array:
        """`law`, of a Gaussian too."""
        if self.law is not None:
            return self.law
        ratio = float(self.ratio.mean())
        return ratio + math.sqrt(max(1 - ratio * ratio, 0.0)) * quantiles()

    @property
    def effective(self) -> float:
        """How many independent units their mean square is worth: positions are correlated, channels not."""
        return effective(math.prod(self.shape), self.channels, self.corr)

    @property
    def inverse_units(self) -> Array:
        """One over the number of independent units of a sample, and of a place, that others do not share."""
        units = math.prod(self.shape)
        alone: Array = max(1 - self.corr**2, 0.0) * _one_over(units, self.channels)
        return alone

    def with_sample_squares(self, sample_squares: Array) -> Forward:
        """The same with other differences, whose means go to the batch."""
        mean, sample_squares = balanced(sample_squares)
        return replace(self, log_q=np.maximum(self.log_q + mean, FLOOR), sample_squares=sample_squares)


@dataclass(frozen=True)
class Backward:
    """A gradient's expected squares by unit; the rest as above, with `corr` between positions of one sample.

    `tilt` is E x^2 g^2 / (E x^2 E g^2) with the tensor's own units x: 1 unless a function of them
    has just been passed. `chosen`: where only some units are reached, the Gaussian values behind them
    (largest of a window), for the function that made them. `surplus`: log of what channels of small
    variance add to a gradient that was divided by it, which the weights of that channel take back.
    `input_response`: how E g^2 goes with the unit u, of variance 1, of the
    function that was passed: (E u phi')^2 / E phi'^2 where positions share the gradient after it, and
    E (u^2 - 1) phi'^2 / 2 E phi'^2. `value_response`: how E g^2 goes with the square v^2 of the value of the
    function before, E g^2 (1 + value_response (v^2 - 1)).
    `centred`: the gradient's mean over the batch has been taken out.
    """

    shape: Dims
    log_b: Array
    corr: float
    noise: Array
    roots: int
    channels: float
    tilt: float = 1.0
    chosen: Array | None = None
    surplus: float = 0.0
    input_response: tuple[float, float] = (0.0, 0.0)
    value_response: float = 0.0
    centred: bool = False
    sample_squares: Array = field(default_factory=lambda: ALIKE)

    @property
    def total(self) -> float:
        """Log of the expected squared norm."""
        return log_mean(self.log_b) + math.log(max(math.prod(self.shape), 1))

    @property
    def effective(self) -> float:
        return effective(math.prod(self.shape), self.channels, self.corr)

    @property
    def inverse_units(self) -> Array:
        """As of `Forward`; what positions share is their sample's."""
        alone: Array = np.array([[1.0], [max(1 - self.corr**2, 0.0)]])
        return alone * _one_over(self.effective, self.channels)

    def with_sample_squares(self, sample_squares: Array) -> Backward:
        """As of `Forward`."""
        mean, sample_squares = balanced(sample_squares)
        return replace(self, log_b=np.maximum(self.log_b + mean, FLOOR), sample_squares=sample_squares)


def _one_over(units: float, channels: float) -> Array:
    """Of a sample and of a place; a sample that is one place is counted as a sample."""
    positions = 1 / max(channels, 1.0) if units > 1.5 * channels else 0.0
    return np.array([[1 / max(units, 1.0)], [positions]])


def balanced(sample_squares: Array) -> tuple[float, Array]:
    """Log of the means over samples and positions, and the rest."""
    means = np.array([[log_mean(row)] for row in sample_squares])
    return float(means.sum()), np.asarray(sample_squares - means)


def of_samples(sample_squares: Array) -> Array:
    """`sample_squares` without the differences between positions."""
    return np.stack([sample_squares[0], ALIKE[1]])


def mixed(logs: Iterable[Array], shares: Sequence[float]) -> Array:
    """Log of the mean of exp, weighted by shares of any sum."""
    whole = sum(shares) or 1.0
    weighted = (share / whole * np.exp(log_x) for log_x, share in zip(logs, shares, strict=True))
    return log_of(sum(weighted, start=np.zeros(())))


@lru_cache(maxsize=1)
def quantiles() -> Array:
    """Midpoints of POINTS equally likely intervals of a standard normal, with variance 1."""
    inverse = NormalDist().inv_cdf
    points = np.array([inverse((i + 0.5) / POINTS) for i in range(POINTS)])
    return points / math.sqrt(float((points**2).mean()))


def standard(values: Array) -> Array:
    """A law from any number of equally likely values."""
    values = np.sort(values, axis=None)
    if len(values) != POINTS:
        # the mean of each interval, so that the mean stays
        bounds = np.linspace(0, len(values), POINTS + 1)
        steps = np.concatenate([[0.0], np.cumsum(values)])
        sums = np.interp(bounds, np.arange(len(values) + 1), steps)
        values = np.diff(sums) * POINTS / len(values)
    size = math.sqrt(float((values**2).mean()))
    return values / size if size > 0 else values


def effective(units: int, channels: float, corr: float) -> float:
    """`channels` times positions/(1 + (positions - 1) E r^2): the variance of a mean of squares of Gaussians.

    r is how alike two positions are in few channels: `corr`, and (1 - corr^2)^2 / channels around it.
    """
    positions = max(units / max(channels, 1), 1.0)
    alike = min(corr * corr, 1.0)
    alike += (1 - alike) ** 2 / max(channels, 1)
    return channels * positions / (1 + (positions - 1) * min(alike, 1.0))


# the gradient at a primitive's input from that at its output
Pull = Callable[[Backward], Backward]


class Unpredicted(Exception):
    """A mean-field prediction does not hold here; the text says why."""


def log_mean(log_x: Array) -> float:
    """Log of the mean of exp, without overflow."""
    top = float(log_x.max())
    return top + math.log(float(np.exp(log_x - top).mean())) if top > FLOOR else FLOOR


def log_of(x: Array | float) -> Array:
    """Logarithms with FLOOR for zero."""
    with np.errstate(divide="ignore"):
        logs: Array = np.log(np.asarray(x, dtype=float))
    return np.maximum(logs, FLOOR)


def collapse(x: Array) -> Array:
    """Axes along which nothing changes become size 1."""
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            first = x.take([0], axis=axis)
            if np.all(np.abs(x - first) <= 1e-12):
                x = first
    return x
