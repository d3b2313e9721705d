"""Mean-field rules of elementwise primitives: functions, constants, dropout."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from archcalc.analyses.mean_field import signs
from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.gaussian import Moments, covariance, moments
from archcalc.analyses.mean_field.maps import Map, joined
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import EQUAL_SAMPLES, balanced, product
from archcalc.analyses.mean_field.squares import FLOOR, Squares, log_of
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    Unpredicted,
    replace,
    to_quantiles,
)
from archcalc.analyses.mean_field.table import STEP, Table

T = TypeVar("T")
ROUNDING = 1e-12  # of differences of moments that should be 0


def pointwise(x: Forward, phi: Function, noise: Noise) -> tuple[Forward, Pullback]:
    """A function y = phi(z) of units z: E phi^2 forward, E phi'^2 backward.

    The fluctuations forward and backward are correlated, because they depend on the same units. The part
    that follows from the realised mean square of z is propagated separately: for y^2 its variance is
    (d log E y^2 / d log q)^2 times that of z^2. The squares of the gradient fluctuate twice more with the
    slopes (Hanin & Nica 2018 for ReLU: 5/n per layer in all, of which the matrix has 2/n).
    """
    log_mean_q = x.log_mean_q
    if log_mean_q <= FLOOR / 2:
        raise Unpredicted("a function of a tensor of zeros")
    if x.positive_share is not None and phi.kind == "broken" and phi.slopes[1]:
        return _of_rectified(x, phi, x.positive_share, noise)
    table = Table(phi, x)
    squares, ratio, slopes = table.by_unit()
    response, shared = _Response(x, phi, table, slopes), noise.normal()
    quantiles = to_quantiles(response.values) if response.values.any() else None
    if phi.kind == "linear" and x.quantiles is None:
        quantiles = None
    corr = _correlation(phi, x, log_mean_q, x.mean_ratio, response.at)
    mean, sample_squares = noise.varied(
        response.sample_squares[0], response.variance * response.units, x.inverse_units
    )
    output = Forward(
        x.shape,
        squares.times(mean),
        ratio,
        corr,
        response.fluctuation[0] + noise.square_fluctuation(response.variance, shared),
        x.direct_weights,
        x.channels,
        quantiles,
        shared_elasticity=_shared_elasticity(response.at, response.square_elasticity),
        sample_squares=sample_squares,
    )
    positive = signs.of_function(phi, x, response.values)
    pullback = _pointwise_pullback(x, phi, response, positive, shared, noise)
    return output if positive is None else output.knowing(None, positive), pullback


class _Response:
    """What a function does to the units of x: its moments at their squares, and how these change with them.

    Pairs are of log E phi^2 and of log E phi'^2; `slopes` is log E phi'^2 by unit.
    """

    def __init__(self, x: Forward, phi: Function, table: Table, slopes: float | Map) -> None:
        ratio = x.mean_ratio
        self.at, self.slopes = table.at, slopes
        at = table.at
        self.fluctuation, self.sample_squares = table.changes(x)
        self.units = max(x.effective_units, 1.0)
        self.square_elasticity, self.slope_elasticity = (
            _derivative(logs.tolist()) for logs in (at.square, at.slope)
        )
        self.square_variance = 2 * (1 - ratio**2) ** 2 + 4 * ratio**2 * (1 - ratio**2)
        if x.quantiles is not None:
            squares = x.quantiles * x.quantiles
            self.square_variance = float(squares @ squares) / len(squares) - 1
        not_shared = float(at.kurtosis[1]) - 1 - self.square_elasticity**2 * self.square_variance
        self.variance = max(not_shared, 0.0) / self.units  # of the log of the realised mean square
        self.z = x.values * math.exp(min(x.log_mean_q, 600.0) / 2)
        self.values = phi.value(self.z)


def _pointwise_pullback(
    x: Forward, phi: Function, response: _Response, positive: float | None, shared: Array, noise: Noise
) -> Pullback:
    """The gradient before a function; its fluctuation is correlated with `shared`, the forward one."""
    at, n = response.at, response.units
    # what is left of x and of the response: the rest is not held until the gradient arrives
    corr_before, is_rectified = x.corr, x.positive_share is not None
    slopes_by_unit, variance_before = response.slopes, response.variance
    fluctuation, samples_before = response.fluctuation[1].copy(), response.sample_squares[1]
    if samples_before is not EQUAL_SAMPLES:
        samples_before = samples_before.copy()
    slope_kurtosis, output_slope_moment = float(at.slope_kurtosis[1]), float(at.output_slope_moment[1])
    slope_mean, unit_gradient_moment = float(at.slope_mean[1]), float(at.input_slope_moment[1])
    slope_elasticity, square_variance = response.slope_elasticity, response.square_variance
    # few gradients need them
    slope_responses = _once(partial(_slope_responses, phi, response.z, response.values))
    zero_slope = is_rectified and float(phi.slope(np.zeros(1))[0]) == 0
    zero_value = is_rectified and float(phi.value(np.zeros(1))[0]) == 0
    of_both = response.square_elasticity * slope_elasticity * square_variance
    covariance_ = (output_slope_moment - 1 - of_both) / n

    def pullback(g: Backward) -> Backward:
        m = max(min(n, g.effective_units), 1.0)
        # of a gradient that is zero where the output is, nothing is lost there
        share = positive if g.rectified and positive and (not is_rectified or zero_slope) else 1.0
        variance = max(3 * (slope_kurtosis * share - 1) - slope_elasticity**2 * square_variance, 0.0) / m
        scale = math.sqrt(variance_before * variance)
        # what is only rounding would be correlated at random
        known = scale > 0 and variance_before * n > ROUNDING
        rho = max(-1.0, min(1.0, covariance_ / scale)) if known else 0.0
        normal = rho * shared + math.sqrt(1 - rho * rho) * noise.normal()
        mean_share = min(slope_mean / share, 1.0)
        corr = g.corr * (mean_share + (1 - mean_share) * min(corr_before, 1.0))
        # an expansion to second order in the weights, which may reduce the square to half at most
        gain = 0.0
        if g.value_response:
            gain = math.log1p(max(g.value_response * (slope_responses()[2] - 1), -0.5))
        slopes = slopes_by_unit
        if g.selected_preactivations is None:
            gain -= math.log(share)
        else:
            slopes = float(log_of(float(np.mean(phi.slope(g.selected_preactivations) ** 2))))
        mean, sample_squares = noise.varied(
            product(g.sample_squares, samples_before), variance * m, g.inverse_units
        )
        return replace(
            g,
            selected_preactivations=None,
            squares=g.squares.times(slopes).times(gain + mean),
            corr=corr,
            unit_gradient_moment=unit_gradient_moment,
            input_response=partial(_input_response, slope_responses, g.corr),
            value_response=0.0,
            fluctuation=g.fluctuation + fluctuation + noise.square_fluctuation(variance, normal),
            sample_squares=sample_squares,
            rectified=is_rectified and (zero_slope or (g.rectified and zero_value)),
        )

    return pullback


def _of_rectified(x: Forward, phi: Function, positive: float, noise: Noise) -> tuple[Forward, Pullback]:
    """A piecewise linear function of an x without negative units: x times the slope on the right.

    The gradient of units that are zero is multiplied by the slope on the left, that of |x| is zero.
    """
    left, right = max(phi.slopes[0], 0.0), phi.slopes[1]
    output = x if right == 1 else factor(x, 2 * math.log(abs(right)), math.copysign(1.0, right))[0]
    square = right**2 * positive + left**2 * (1 - positive)
    fourth = right**4 * positive + left**4 * (1 - positive)
    slope_mean = (right * positive + left * (1 - positive)) ** 2 / square
    units_before, corr_before = x.effective_units, x.corr

    def pullback(g: Backward) -> Backward:
        if g.rectified:
            more = 2 * math.log(abs(right))
            return replace(g, squares=g.squares.times(more)).rectified_if(True)
        gain = math.log(square)
        if g.selected_preactivations is not None:
            gain = math.log(float(np.mean(np.where(g.selected_preactivations > 0, right, left) ** 2)))
        units = max(min(units_before, g.effective_units), 1.0)
        variance = 3 * (fourth / square**2 - 1) / units
        mean, sample_squares = noise.varied(g.sample_squares, variance * units, g.inverse_units)
        return replace(
            g,
            selected_preactivations=None,
            squares=g.squares.times(gain + mean),
            corr=g.corr * (slope_mean + (1 - slope_mean) * min(corr_before, 1.0)),
            fluctuation=g.fluctuation + noise.square_fluctuation(variance),
            sample_squares=sample_squares,
            rectified=left == 0,
        )

    return output.knowing(output.source, positive if right > 0 else None), pullback


def _correlation(phi: Function, x: Forward, log_mean_q: float, ratio: float, at: Moments) -> float:
    """`corr` of phi(z): exact for the part due to the mean, otherwise as for Gaussian units."""
    mean = float(at.mean[1])
    if x.corr <= ratio**2 + 1e-9:
        return min(mean**2, 1.0)
    if x.quantiles is None:
        marginal = Moments(*(a[1:2] for a in at))
    else:
        marginal = moments(phi, np.array([log_mean_q]), np.array([ratio]), full=0)
    of_mean = covariance(phi, log_mean_q, ratio, ratio**2, marginal)
    more = covariance(phi, log_mean_q, ratio, x.corr, marginal) - of_mean
    return min(mean**2 + more * (1 - mean**2) / max(1 - of_mean, 1e-9), 1.0)


def _derivative(values: Sequence[float]) -> float:
    """The derivative from three values at a spacing of `STEP`."""
    before, at, after = values
    return (after - before) / (2 * STEP) if math.isfinite(before + at + after) else 0.0


def _input_response(
    slope_responses: Callable[[], tuple[float, float, float]], corr: float
) -> tuple[float, float]:
    """`Backward.input_response` of a gradient with this `corr`."""
    shared, single, _ = slope_responses()
    return corr * shared, single


def _once(function: Callable[[], T]) -> Callable[[], T]:
    """The function, worked out when it is first asked for; `lru_cache` takes longer than what it saves."""
    known: list[T] = []

    def worked_out() -> T:
        if not known:
            known.append(function())
        return known[0]

    return worked_out


def _slope_responses(phi: Function, z: Array, y: Array) -> tuple[float, float, float]:
    """(E u phi')^2 / E phi'^2, E (u^2 - 1) phi'^2 / 2 E phi'^2 and E v^2 phi'^2 / E phi'^2.

    u are the units z and v the values y of the function, both scaled to mean 0 and variance 1.
    """
    slopes = phi.slope(z)
    squares = slopes * slopes
    n = len(z)
    square = float(squares.sum()) / n
    z, y = z - z.sum() / n, y - y.sum() / n
    z_variance, y_variance = float(z @ z) / n, float(y @ y) / n
    if not (z_variance > 0 and y_variance > 0 and 0 < square < math.inf):
        return 0.0, 0.0, 1.0
    return (
        (float(z @ slopes) / n) ** 2 / z_variance / square,
        (float((z * z) @ squares) / n / z_variance - square) / (2 * square),
        float((y * y) @ squares) / n / y_variance / square,
    )


def _shared_elasticity(at: Moments, square_elasticity: float) -> float:
    """The derivative d log (E phi)^2 / d log E phi^2; 1 where it cannot be computed."""
    means = [abs(mean) for mean in at.mean.tolist()]
    if square_elasticity < 0.1 or min(means) < 1e-6:
        return 1.0
    squares = [2 * math.log(mean) + square for mean, square in zip(means, at.square.tolist(), strict=True)]
    return _derivative(squares) / square_elasticity


def factor(x: Forward, log_square: Map | float, sign: float = 1.0) -> tuple[Forward, Pullback]:
    """The product with constants, given by the logarithms of their squares and their sign."""
    output = replace(
        x,
        squares=x.squares.times(log_square),
        ratio=x.ratio if sign > 0 else x.ratio.mapped(np.negative),
        quantiles=x.quantiles[::-1] * sign if x.quantiles is not None and sign < 0 else x.quantiles,
    )

    def pullback(g: Backward) -> Backward:
        return replace(g, squares=g.squares.times(log_square))

    return output, pullback


def offset(x: Forward, mean: float, variance: float) -> tuple[Forward, Pullback]:
    """The sum with a constant, or with a random one for each unit, of this mean and variance."""
    if mean == 0 and variance == 0:
        return x, lambda g: g
    # over the largest of them, since squares may be out of range
    top = max(x.squares.level, math.log(mean * mean + variance))
    mean, variance = mean * math.exp(-top / 2), variance * math.exp(-top)
    q = x.squares.over(top)
    m = joined(lambda q, ratio: ratio * np.sqrt(q), q, x.ratio)
    moved = joined(lambda q, m: q + 2 * m * mean + mean * mean + variance, q, m)
    mean_q, moved_mean_q = q.mean, moved.mean
    shared = x.corr * mean_q + 2 * m.mean * mean + mean * mean + variance
    return replace(
        x,
        squares=Squares.by_value(moved.values, moved.groups, top),
        quantiles=None
        if x.quantiles is None or variance
        else to_quantiles(x.quantiles * math.sqrt(mean_q) + mean),
        ratio=joined(lambda m, moved: (m + mean) / np.sqrt(moved), m, moved),
        corr=shared / moved_mean_q,
        fluctuation=np.log(_moved(np.exp(x.fluctuation), mean_q, moved_mean_q)),
        sample_squares=_moved(x.sample_squares, mean_q, moved_mean_q),
    ), lambda g: g


def _moved(realised: Array, before: float, after: float) -> Array:
    """A realised over an expected mean square, after a constant has changed the latter."""
    return np.maximum((before * realised + after - before) / after, 1e-3)


def dropout(x: Forward, rate: float) -> tuple[Forward, Pullback]:
    """Dropout in training: units are zeroed at a rate, the others divided by 1 - rate."""
    more = -math.log1p(-rate)
    output = replace(
        x,
        squares=x.squares.times(more),
        ratio=x.ratio.mapped(lambda ratio: ratio * math.exp(-more / 2)),
        corr=x.corr * math.exp(-more),
        quantiles=None,
    )
    return output, lambda g: replace(g, squares=g.squares.times(more))


def drop_samples(x: Forward, rate: float, noise: Noise) -> tuple[Forward, Pullback]:
    """Dropout of whole samples in training (stochastic depth): the gradient of the same samples is zero."""
    output, pullback = dropout(x, rate)
    factors = noise.kept_samples(rate)

    def with_factors(g: Backward) -> Backward:
        return pullback(g).with_sample_squares(balanced(product(g.sample_squares, factors)))

    return output.with_sample_squares(balanced(product(output.sample_squares, factors))), with_factors
