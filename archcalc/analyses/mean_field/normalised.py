"""Normalisation at initialisation, and softmax.

Batch normalisation in training subtracts what all samples and positions of a channel have in common and
divides by the deviation of the rest: of E x^2 the part `corr` goes, and the gradient is divided by the same
deviation (Yang et al. 2019). The two statistics cost the gradient its mean and its part along x: of n
independent samples and positions, a share of 1/n each. What samples differ by stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import (
    ALIKE,
    FLOOR,
    REPLICAS,
    Backward,
    Forward,
    Pull,
    Unpredicted,
    balanced,
    log_of,
    of_samples,
    standard,
)

FEW_UNITS = "normalisation of so few units that their size says nothing of what they were"


def over_batch(
    x: Forward, axes: Sequence[int], epsilon: float, gamma: float, noise: Noise
) -> tuple[Forward, Pull]:
    """Statistics of the batch for each entry of `axes`; gamma is the scale's initial value."""
    others = tuple(a for a in range(len(x.shape)) if a not in axes)
    q, sample_squares = _centred_squares(x)
    variance = q.mean(axis=others, keepdims=True)
    if not np.all(variance > 0):
        raise Unpredicted("batch normalisation of a tensor that is the same in all samples")
    positions = math.prod(x.shape[a] for a in others)
    if positions * noise.batch <= 2:
        raise Unpredicted(FEW_UNITS)
    scale = -log_of(variance + epsilon) + _log_square(gamma)
    level = float(variance.mean())
    # what a batch's own variance is divided by, over the same of the expected one
    batches = np.stack([_left(noise.of_batches(sample_squares), level, epsilon), ALIKE[1]])
    centred = replace(
        x,
        corr=0.0,
        ratio=x.ratio * 0,
        noise=x.noise * 0,
        law=x.channel_law if x.channel_law is not None else _centred(x),
        channel_variance=0.0,
        channel_law=None,
        shared_elasticity=1.0,
        sample_squares=balanced(sample_squares - batches)[1],
    )
    # over channels of unlike variance v: E v/(v + epsilon) forward, E 1/(v + epsilon) back, to second order
    held = epsilon / level
    less = math.log1p(-min(x.channel_variance * held / (1 + held) ** 2, 0.5))
    more = -math.log1p(-min(x.channel_variance / (1 + held) ** 2, 0.5))
    made, pull = _divided(centred, x, log_of(q) + scale + less, scale + more, level, epsilon)

    def back(g: Backward) -> Backward:
        # behind other statistics only what functions have made of the gradient has a mean again
        alike = 0.0 if g.centred else g.corr
        lost = (2 + (positions - 1) * alike) / (positions * noise.batch)
        g = pull(g)
        left = np.maximum(g.log_b + log_of(1 - min(lost, 1.0)), FLOOR)
        return replace(g, surplus=more - less, centred=True, log_b=left).with_sample_squares(
            g.sample_squares - batches
        )

    return made, back


def _centred_squares(x: Forward) -> tuple[Array, Array]:
    """E (x - m)^2 by unit, and `sample_squares` of it; m is the mean over samples and positions.

    m has the share `corr` of E x^2. Where E x^2 is larger by a small share d, the mean there is larger by
    shared_elasticity d / 2, and E (x - m)^2 by (1 - corr shared_elasticity) d, of the 1 - corr that is left.
    """
    left = max(1 - x.corr, 0.0)
    power = max(1 - x.corr * x.shared_elasticity, 0.0) / left if left > 0 else 1.0
    rises = np.exp(power * (x.log_q - x.level))
    return rises * (left * math.exp(x.level) / float(rises.mean())), balanced(power * x.sample_squares)[1]


def _centred(x: Forward) -> Array | None:
    return None if x.law is None else standard(x.law - x.law.mean())


def by_constant(x: Forward, variance: float, epsilon: float, gamma: float) -> tuple[Forward, Pull]:
    """Moving statistics as they start: mean 0 and this variance."""
    scale = _log_square(gamma) - math.log(variance + epsilon)
    made = replace(x, log_q=np.maximum(x.log_q + scale, FLOOR))
    return made, lambda g: replace(g, log_b=np.maximum(g.log_b + scale, FLOOR))


def over_sample(
    x: Forward, axes: Sequence[int], epsilon: float, gamma: float, *, centre: bool
) -> tuple[Forward, Pull]:
    """Statistics of each sample over `axes`: what its units have in common is their mean.

    Of n units the gradient loses its mean and its part along x, a share of 1/n each.
    """
    lost = (2 if centre else 1) / math.prod(x.shape[a] for a in axes)
    if lost >= 1:
        raise Unpredicted(FEW_UNITS)
    mean_square = float((x.ratio**2).mean()) if centre else 0.0
    q = np.exp(x.log_q) * max(1 - mean_square, 0.0)
    variance = q.mean(axis=tuple(axes), keepdims=True)
    if not np.all(variance > 0):
        raise Unpredicted("normalisation of a tensor whose units are all alike")
    scale = -log_of(variance + epsilon) + _log_square(gamma)
    level = float(variance.mean())
    kept = replace(
        x,
        corr=min(max((x.corr - mean_square) / max(1 - mean_square, 1e-12), 0.0), 1.0),
        ratio=x.ratio * (0.0 if centre else 1.0),
        noise=x.noise * 0,
        law=_centred(x) if centre else x.law,
    )
    made, pull = _divided(kept, x, log_of(q) + scale, scale, level, epsilon)
    left = _left(x.sample_squares, level, epsilon)
    if math.prod(x.shape[a] for a in axes) > x.channels:
        left = of_samples(left)

    def back(g: Backward) -> Backward:
        g = pull(g)
        return replace(g, log_b=g.log_b + math.log1p(-lost)).with_sample_squares(g.sample_squares - left)

    return made.with_sample_squares(x.sample_squares - left), back


def _divided(
    made: Forward, x: Forward, log_q: Array, scale: Array, level: float, epsilon: float
) -> tuple[Forward, Pull]:
    """The realised variance is divided out; only what epsilon holds back is left of its fluctuation."""
    left = _left(x.noise, level, epsilon)
    made = replace(made, log_q=np.maximum(log_q, FLOOR), noise=x.noise - left)

    def pull(g: Backward) -> Backward:
        return replace(g, log_b=np.maximum(g.log_b + scale, FLOOR), noise=g.noise - left)

    return made, pull


def _left(log_realised: Array, level: float, epsilon: float) -> Array:
    """Log of what a realised variance is divided by, over the same of the expected one."""
    return np.log(level * np.exp(log_realised) + epsilon) - math.log(level + epsilon)


def _log_square(value: float) -> float:
    return 2 * math.log(abs(value)) if value else FLOOR


DRAWS = 200_000  # Gaussian numbers that a softmax's slopes are averaged over


def softmax(x: Forward, count: int, noise: Noise, *, log: bool) -> tuple[Forward, Pull]:
    """P of `count` Gaussian logits, and the norm of its Jacobian diag(p) - p p^T on a random gradient.

    The average over draws from a fixed generator; no closed form is known for small counts.
    """
    rows = max(min(DRAWS // max(count, 1), REPLICAS), 8)
    z = np.random.default_rng(1).standard_normal((rows, count))
    q = math.exp(min(x.level, 20.0)) * (1 - min(float((x.ratio**2).mean()), 1.0))
    z = z * math.sqrt(q)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    if log:
        # I - 1 p^T
        squares = (1 - 2 / count) + (p * p).sum(axis=1)
        value = np.log(p)
    else:
        p2 = (p * p).sum(axis=1)
        squares = (p2 - 2 * (p**3).sum(axis=1) + p2**2) / count
        value = p
    logs = np.log(np.maximum(squares, 1e-300))
    mean_square = float((value**2).mean())
    ones = np.ones((1,) * len(x.shape))
    made = replace(
        x,
        log_q=math.log(mean_square) * ones,
        ratio=float(value.mean()) / math.sqrt(mean_square) * ones,
        corr=min(float(value.mean()) ** 2 / mean_square + x.corr, 1.0),
        noise=x.noise * 0,
        law=None,
        sample_squares=ALIKE,
    )
    center = math.log(float(squares.mean()))
    spread = float(logs.std())

    def pull(g: Backward) -> Backward:
        # the mean of the log and its spread; a direction drawn at random adds its own
        own = float(logs.mean()) - center + spread * noise.normal()
        own = own + noise.of_square(min(2 / max(g.effective, 1.0), 2.0))
        return replace(g, log_b=np.maximum(g.log_b + center, FLOOR), noise=g.noise + own)

    return made, pull
