"""The state of a tensor in a mean-field pass: expected squares of values or gradients, and fluctuations.

At finite width realised mean squares fluctuate around the expected ones. The fluctuation is one factor for
the whole tensor; its logarithm is sampled in `REPLICAS` independent copies from a fixed generator. Copies are
drawn in pairs of opposite sign, which makes means more accurate than the number of copies suggests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.maps import Dims, Map
from archcalc.analyses.mean_field.samples import EQUAL_SAMPLES
from archcalc.analyses.mean_field.squares import Squares, log_of

POINTS = 256
Pair = tuple[float, float]  # of samples and of positions
GaussianSource = tuple[Function, float, float, float]  # function, log q, ratio and corr of Gaussian units


@dataclass(eq=False)
class Forward:
    """The expected squares of a tensor x, in the notation q = E x^2.

    Attributes
    ----------
    squares
        E x^2 by unit.
    ratio
        E x / sqrt(E x^2), over units and weights.
    corr
        E x x' / E x^2 for the same unit of two samples or positions.
    fluctuation
        Log of the realised mean square over the expected one, in `REPLICAS` copies.
    direct_weights
        The weights (as bits) on which the tensor depends through no other weight.
    channels
        Units of one position, which are independent of each other; positions share weights.
    quantiles
        `POINTS` equally likely values of x / sqrt(E x^2), ascending; None for Gaussian units.
    channel_variance, channel_quantiles
        Where each channel has few weights: the relative variance of E x^2 between channels, and the
        quantiles of x within a channel over its standard deviation, worked out when they are asked for.
    shared_elasticity
        d log(mean over samples)^2 / d log E x^2: how the part that samples share changes with E x^2.
    sample_squares
        The mean square of each sample over that of the batch, and of each position over that of its sample,
        for `REPLICAS` samples and positions.
    source
        The function of Gaussian units whose values the tensor holds.
    positive_share
        The share of units that are positive, where none is negative; None where the sign is open.
    """

    shape: Dims
    squares: Squares
    ratio: Map
    corr: float
    fluctuation: Array
    direct_weights: int
    channels: float
    quantiles: Array | None = None
    channel_variance: float = 0.0
    channel_quantiles: Callable[[], Array] | None = None
    shared_elasticity: float = 1.0
    sample_squares: Array = field(default_factory=lambda: EQUAL_SAMPLES)
    # these hold for this tensor only: `replace` resets them
    source: GaussianSource | None = field(default=None, init=False)
    positive_share: float | None = field(default=None, init=False)
    _effective_units: float | None = field(default=None, init=False)

    def knowing(self, source: GaussianSource | None, positive_share: float | None) -> Forward:
        """The same tensor with its `source` and `positive_share`."""
        return replace(self, source=source, positive_share=positive_share)

    @property
    def log_mean_q(self) -> float:
        """Log of the mean of E x^2 over all units."""
        return self.squares.log_mean

    @property
    def mean_ratio(self) -> float:
        """The mean of E x / sqrt(E x^2) over all units."""
        return self.ratio.mean

    @property
    def values(self) -> Array:
        """`quantiles`, or those of the Gaussian."""
        if self.quantiles is not None:
            return self.quantiles
        ratio = self.mean_ratio
        return ratio + math.sqrt(max(1 - ratio * ratio, 0.0)) * normal_quantiles()

    @property
    def effective_units(self) -> float:
        """The number of independent units whose mean square has the same variance."""
        if self._effective_units is None:
            self._effective_units = effective_units(math.prod(self.shape), self.channels, self.corr)
        return self._effective_units

    @property
    def inverse_units(self) -> Pair:
        """1 / (independent units) of a sample and of a position, for the part not shared with others."""
        of_sample, of_position = _inverse_counts(math.prod(self.shape), self.channels)
        independent = max(1 - self.corr**2, 0.0)
        return independent * of_sample, independent * of_position

    def with_sample_squares(self, balanced_squares: tuple[float, Array], **changes: Any) -> Forward:
        """The same tensor with other `sample_squares`, and `squares` times their mean (as `balanced`)."""
        mean, sample_squares = balanced_squares
        return replace(
            self,
            squares=self.squares.times(mean),
            sample_squares=sample_squares,
            positive_share=self.positive_share,
            **changes,
        )


@dataclass(eq=False)
class Backward:
    """The expected squares of the gradient g with respect to a tensor x.

    Attributes
    ----------
    squares
        E g^2 by unit.
    corr
        E g g' / E g^2 for the same unit of two positions of a sample.
    fluctuation, direct_weights, channels, sample_squares
        As of `Forward`.
    unit_gradient_moment
        E x^2 g^2 / (E x^2 E g^2); 1 unless the gradient has just passed a function of x.
    selected_preactivations
        Where the gradient reaches only some units (the largest of a window): the Gaussian values from
        which the function before computed these units.
    log_channel_excess
        Log of the factor by which channels of small variance enlarge a gradient that is divided by the
        standard deviation; the weights of such a channel are smaller and cancel it.
    input_response
        How E g^2 depends on the unit u, of variance 1, of the function passed last: (E u phi')^2 /
        E phi'^2 for the part that positions share, and E (u^2 - 1) phi'^2 / 2 E phi'^2.
    value_response
        How E g^2 depends on the value v of the function before: it is E g^2 (1 + value_response (v^2 - 1)).
    centred
        Whether the mean over the batch has been subtracted from the gradient.
    rectified
        Whether the gradient is zero where x is zero, as after ReLU of an x that is nowhere negative.
    """

    shape: Dims
    squares: Squares
    corr: float
    fluctuation: Array
    direct_weights: int
    channels: float
    unit_gradient_moment: float = 1.0
    selected_preactivations: Array | None = None
    log_channel_excess: float = 0.0
    input_response: Callable[[], Pair] = lambda: (0.0, 0.0)
    value_response: float = 0.0
    centred: bool = False
    sample_squares: Array = field(default_factory=lambda: EQUAL_SAMPLES)
    # these hold for this tensor only: `replace` resets them
    rectified: bool = field(default=False, init=False)
    _effective_units: float | None = field(default=None, init=False)

    def rectified_if(self, rectified: bool) -> Backward:
        """The same gradient with another value of `rectified`."""
        if rectified == self.rectified:
            return self
        return replace(self, rectified=rectified)

    @property
    def log_squared_norm(self) -> float:
        """Log of the expected squared norm."""
        return self.squares.log_mean + math.log(max(math.prod(self.shape), 1))

    @property
    def effective_units(self) -> float:
        """As of `Forward`."""
        if self._effective_units is None:
            self._effective_units = effective_units(math.prod(self.shape), self.channels, self.corr)
        return self._effective_units

    @property
    def inverse_units(self) -> Pair:
        """As of `Forward`; the part that positions share belongs to their sample."""
        of_sample, of_position = _inverse_counts(self.effective_units, self.channels)
        return of_sample, max(1 - self.corr**2, 0.0) * of_position

    def with_sample_squares(self, balanced_squares: tuple[float, Array], **changes: Any) -> Backward:
        """As of `Forward`."""
        mean, sample_squares = balanced_squares
        return replace(
            self,
            squares=self.squares.times(mean),
            sample_squares=sample_squares,
            rectified=self.rectified,
            **changes,
        )


def _inverse_counts(units: float, channels: float) -> Pair:
    """1 / units of a sample, and 1 / units of a position (0 if the sample has only one position)."""
    return 1 / max(units, 1.0), 1 / max(channels, 1.0) if units > 1.5 * channels else 0.0


def mixed(logs: Iterable[Array], shares: Sequence[float]) -> Array:
    """Log of the mean of exp(x) over several arrays, weighted by shares that need not add up to 1."""
    logs = list(logs)
    total = sum(shares) or 1.0
    first, *weighted = (share / total * np.exp(log_x) for log_x, share in zip(logs, shares, strict=True))
    return log_of(sum(weighted, start=first))


@lru_cache(maxsize=1)
def normal_quantiles() -> Array:
    """Midpoints of `POINTS` equally likely intervals of a standard normal, scaled to variance 1."""
    inverse = NormalDist().inv_cdf
    points = np.array([inverse((i + 0.5) / POINTS) for i in range(POINTS)])
    return points / math.sqrt(float((points**2).mean()))


def to_quantiles(values: Array) -> Array:
    """`quantiles` from any number of equally likely values; quick where each row is ascending."""
    values = np.sort(values, axis=None, kind="stable" if values.ndim > 1 else None)
    each, rest = divmod(len(values), POINTS)
    # the mean over each interval, which preserves the mean
    if rest:
        bounds = np.linspace(0, len(values), POINTS + 1)
        steps = np.concatenate([[0.0], np.cumsum(values)])
        sums = np.interp(bounds, np.arange(len(values) + 1), steps)
        values = np.diff(sums) * POINTS / len(values)
    elif each > 1:
        values = np.add.reduce(values.reshape(POINTS, each), axis=1) / each
    size = math.sqrt(float(values @ values) / POINTS)
    return values / size if size > 0 else values


def effective_units(units: int, channels: float, corr: float) -> float:
    """The number n of independent Gaussian units whose mean square has the same variance 2/n.

    It is channels * positions / (1 + (positions - 1) E r^2), where r is the correlation of two positions
    over the channels, with mean `corr` and variance (1 - corr^2)^2 / channels.
    """
    positions = max(units / max(channels, 1), 1.0)
    squared_corr = min(corr * corr, 1.0)
    squared_corr += (1 - squared_corr) ** 2 / max(channels, 1)
    return channels * positions / (1 + (positions - 1) * min(squared_corr, 1.0))


State = TypeVar("State", Forward, Backward)
_RESET: dict[type, dict[str, Any]] = {
    Forward: {"source": None, "positive_share": None, "_effective_units": None},
    Backward: {"rectified": False, "_effective_units": None},
}


def replace(state: State, **changes: Any) -> State:
    """As `dataclasses.replace`, which takes ten times as long: states do not change once they are made."""
    cls = type(state)
    copy = object.__new__(cls)
    copy.__dict__ = {**state.__dict__, **_RESET[cls], **changes}
    return copy


# the gradient at a primitive's input from that at its output
Pullback = Callable[[Backward], Backward]


class Unpredicted(Exception):
    """The mean-field theory gives no prediction here; the text is the reason."""
