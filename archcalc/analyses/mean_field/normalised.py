"""Mean-field rules of normalisation and softmax.

Batch normalisation in training subtracts the mean over samples and positions of a channel, which is the share
`corr` of E x^2, and divides by the standard deviation of the rest; so it divides the gradient (Yang et al.
2019). The gradient also loses its mean and its component along x, a share of 1/n each for n independent
samples and positions. Differences between samples remain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import Map, zeros
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import (
    EQUAL_SAMPLES,
    REPLICAS,
    balanced,
    of_samples,
    quotient,
)
from archcalc.analyses.mean_field.squares import FLOOR, Squares, log_mean, log_of
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    Unpredicted,
    replace,
    to_quantiles,
)

SMALLEST = -700.0  # the log of a variance that counts as zero
TINY = 1e-300  # the least square of a sample that is not zero
FEW_UNITS = "normalisation of so few units that its output is constant"


def over_batch(
    x: Forward, axes: Sequence[int], epsilon: float, gamma: float, noise: Noise
) -> tuple[Forward, Pullback]:
    """Batch normalisation with statistics for each entry of `axes`; gamma is the initial scale."""
    others = tuple(a for a in range(len(x.shape)) if a not in axes)
    squares, sample_squares, variance = _centred_squares(x, others)
    if variance.log_least < SMALLEST:
        raise Unpredicted("batch normalisation of a tensor that is the same in all samples")
    positions = math.prod(x.shape[a] for a in others)
    if positions * noise.batch <= 2:
        raise Unpredicted(FEW_UNITS)
    shares = _shares(variance, epsilon)
    batches = EQUAL_SAMPLES
    if sample_squares is not EQUAL_SAMPLES:
        batches = EQUAL_SAMPLES.copy()
        batches[0] = shares[0] * noise.batch_means(sample_squares) + shares[1]
    centred = replace(
        x,
        corr=0.0,
        ratio=zeros(x.shape),
        quantiles=_centred_quantiles(x) if x.channel_quantiles is None else x.channel_quantiles(),
        channel_variance=0.0,
        channel_quantiles=None,
        shared_elasticity=1.0,
        sample_squares=balanced(quotient(sample_squares, batches))[1],
    )
    # channels of different variances v: E v/(v + epsilon) forward, E 1/(v + epsilon) back, to second order
    log_forward = math.log1p(-min(x.channel_variance * shares[0] * shares[1], 0.5))
    log_back = -math.log1p(-min(x.channel_variance * shares[0] ** 2, 0.5))
    output, pullback = _divided(
        replace(centred, squares=squares.times(log_forward)), x, variance, epsilon, gamma, log_back
    )

    def back(g: Backward) -> Backward:
        # a centred gradient gets a mean again only by functions, which make it small
        corr = 0.0 if g.centred else g.corr
        lost = (2 + (positions - 1) * corr) / (positions * noise.batch)
        mean, squares = balanced(quotient(g.sample_squares, batches))
        return replace(
            pullback(g, mean + (math.log1p(-lost) if lost < 1 else FLOOR)),
            log_channel_excess=log_back - log_forward,
            centred=True,
            sample_squares=squares,
        )

    return output, back


def _centred_squares(x: Forward, axes: tuple[int, ...]) -> tuple[Squares, Array, Squares]:
    """E (x - m)^2 by unit, its `sample_squares`, and E (x - m)^2 over `axes`.

    m is the mean over samples and positions. m^2 is the share `corr` of E x^2. Where E x^2 is larger by a
    small share d, m^2 is larger by the share shared_elasticity * d, and E (x - m)^2 by
    (1 - corr * shared_elasticity) / (1 - corr) * d.
    """
    variance_share = max(1 - x.corr, 0.0)
    power = max(1 - x.corr * x.shared_elasticity, 0.0) / variance_share if variance_share > 0 else 1.0
    log_variance = (math.log(variance_share) if variance_share > 0 else FLOOR) + x.log_mean_q
    squares = x.squares if power == 1 else x.squares.times(-x.log_mean_q).power(power)
    squares = squares.times(log_variance - squares.log_mean)
    variance = squares.means(axes)
    if x.sample_squares is EQUAL_SAMPLES:
        return squares, EQUAL_SAMPLES, variance
    samples = x.sample_squares
    if power != 1:
        # over the largest, since the power may be of thousands; only what is zero becomes zero
        samples = samples / np.maximum.reduce(samples, axis=1, keepdims=True)
        samples = np.maximum(samples**power, np.where(samples > 0, TINY, 0.0))
    return squares, balanced(samples)[1], variance


def _centred_quantiles(x: Forward) -> Array | None:
    return None if x.quantiles is None else to_quantiles(x.quantiles - x.quantiles.mean())


def by_constant(x: Forward, variance: float, epsilon: float, gamma: float) -> tuple[Forward, Pullback]:
    """Normalisation by stored statistics: mean 0 and this variance."""
    scale = _log_square(gamma) - math.log(variance + epsilon)
    return replace(x, squares=x.squares.times(scale)), lambda g: replace(g, squares=g.squares.times(scale))


def over_sample(
    x: Forward, axes: Sequence[int], epsilon: float, gamma: float, *, centre: bool
) -> tuple[Forward, Pullback]:
    """Normalisation of each sample over `axes`, with or without subtracting the mean.

    The gradient loses its mean and its component along x, a share of 1/n each for n units.
    """
    lost = (2 if centre else 1) / math.prod(x.shape[a] for a in axes)
    if lost >= 1:
        raise Unpredicted(FEW_UNITS)
    mean_square = x.ratio.mapped(np.square).mean if centre else 0.0
    squares = x.squares.times(float(log_of(max(1 - mean_square, 0.0))))
    variance = squares.means(axes)
    if variance.log_least < SMALLEST:
        raise Unpredicted("normalisation of a tensor whose units are all equal")
    centred = replace(
        x,
        squares=squares,
        corr=min(max((x.corr - mean_square) / max(1 - mean_square, 1e-12), 0.0), 1.0),
        ratio=zeros(x.shape) if centre else x.ratio,
        fluctuation=x.fluctuation * 0,
        quantiles=_centred_quantiles(x) if centre else x.quantiles,
    )
    output, pullback = _divided(centred, x, variance, epsilon, gamma)
    divisors = EQUAL_SAMPLES
    if x.sample_squares is not EQUAL_SAMPLES:
        shares = _shares(variance, epsilon)
        divisors = shares[0] * x.sample_squares + shares[1]
        if math.prod(x.shape[a] for a in axes) > x.channels:
            divisors = of_samples(divisors)

    def back(g: Backward) -> Backward:
        mean, squares = balanced(quotient(g.sample_squares, divisors))
        return replace(pullback(g, math.log1p(-lost) + mean), sample_squares=squares)

    return output.with_sample_squares(balanced(quotient(x.sample_squares, divisors))), back


def _divided(
    centred: Forward,
    x: Forward,
    variance: Squares,
    epsilon: float,
    gamma: float,
    log_back: float = 0.0,
) -> tuple[Forward, Callable[[Backward, float], Backward]]:
    """The division by the realised variance, which cancels its fluctuation up to the effect of epsilon.

    `log_back` is the log of a further factor of the gradient, as is what the pullback is given.
    """
    divisor = _log_divisor(x.fluctuation, _shares(variance, epsilon))
    log_epsilon = math.log(epsilon) if epsilon else -math.inf
    scale: Map | float = _log_square(gamma) - float(np.logaddexp(variance.level, log_epsilon))
    if not variance.same_everywhere:
        scale = variance.logs.mapped(lambda logs: _log_square(gamma) - np.logaddexp(logs, log_epsilon))
    output = replace(centred, squares=centred.squares.times(scale), fluctuation=x.fluctuation - divisor)

    def pullback(g: Backward, more: float) -> Backward:
        squares = g.squares.times(scale).times(log_back + more)
        return replace(g, squares=squares, fluctuation=g.fluctuation - divisor)

    return output, pullback


def _shares(variance: Squares, epsilon: float) -> tuple[float, float]:
    """The shares of the mean variance and of epsilon in their sum."""
    ratio = epsilon * math.exp(-max(variance.log_mean, SMALLEST))
    return 1 / (1 + ratio), ratio / (1 + ratio)


def _log_divisor(log_realised: Array, shares: tuple[float, float]) -> Array:
    """Log of (realised variance + epsilon) over (expected variance + epsilon), given the latter's shares."""
    realised = np.exp(log_realised)
    realised *= shares[0]
    realised += shares[1]
    logs: Array = np.log(realised, out=realised)
    return logs


def _log_square(value: float) -> float:
    return 2 * math.log(abs(value)) if value else FLOOR


def _log_squared_norm(z: Array) -> Array:
    """Log of the squared norm of diag(p) - p p^T, the Jacobian of softmax, for each row of logits.

    A sum of positive terms divided by the square of the second largest probability, so that nothing cancels
    or vanishes however large the logits are.
    """
    largest = z.argmax(axis=1, keepdims=True)
    log_p = z - np.take_along_axis(z, largest, axis=1)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    top = np.exp(2 * np.take_along_axis(log_p, largest, axis=1)[:, 0])
    np.put_along_axis(log_p, largest, -np.inf, axis=1)
    second = log_p.max(axis=1, keepdims=True)
    others = np.exp(log_p - second)
    each = others * others
    squares = each.sum(axis=1)
    of_others = ((others * (1 - np.exp(log_p))) ** 2).sum(axis=1)
    pairs = np.exp(2 * second[:, 0]) * np.maximum(squares**2 - (each * each).sum(axis=1), 0.0)
    total = of_others + top * (others.sum(axis=1) ** 2 + 2 * squares) + pairs
    logs: Array = 2 * second[:, 0] + np.log(total)
    return logs


DRAWS = 200_000  # Gaussian numbers over which the slopes of a softmax are averaged


@lru_cache(maxsize=4)
def _logits(rows: int, count: int) -> Array:
    return np.random.default_rng(1).standard_normal((rows, count))


def softmax(x: Forward, count: int, noise: Noise, *, log: bool) -> tuple[Forward, Pullback]:
    """Softmax (or log-softmax) of `count` Gaussian logits, with its Jacobian on a random gradient.

    Averages over samples from a fixed generator, because small counts have no closed form.
    """
    rows = max(min(DRAWS // max(count, 1), REPLICAS), 8)
    z = _logits(rows, count)
    q = math.exp(min(x.log_mean_q, 20.0)) * (1 - min(x.ratio.mapped(np.square).mean, 1.0))
    z = z * math.sqrt(q)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    if log:
        # the Jacobian is I - 1 p^T
        logs = log_of((1 - 2 / count) + (p * p).sum(axis=1))
        value = z - z.max(axis=1, keepdims=True)
        value = value - np.log(np.exp(value).sum(axis=1, keepdims=True))
    else:
        # the Jacobian is diag(p) - p p^T
        logs = _log_squared_norm(z) - math.log(count) if count > 1 else np.full(rows, FLOOR)
        value = p
    mean_square = float((value**2).mean()) or math.exp(-700)  # of one unit, whose log-softmax is 0
    output = replace(
        x,
        squares=Squares.same(math.log(mean_square), x.shape),
        ratio=Map.same(float(value.mean()) / math.sqrt(mean_square), x.shape),
        corr=min(float(value.mean()) ** 2 / mean_square + x.corr, 1.0),
        fluctuation=x.fluctuation * 0,
        quantiles=None,
        sample_squares=EQUAL_SAMPLES,
    )
    log_mean_square = log_mean(logs)
    stddev = float(logs.std())

    def pullback(g: Backward) -> Backward:
        # the fluctuation of the Jacobian, and that of the random direction of the gradient
        added = float(logs.mean()) - log_mean_square + stddev * noise.normal()
        added = added + noise.square_fluctuation(min(2 / max(g.effective_units, 1.0), 2.0))
        return replace(g, squares=g.squares.times(log_mean_square), fluctuation=g.fluctuation + added)

    return output, pullback
