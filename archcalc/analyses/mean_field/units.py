"""What acts on each unit by itself: functions, constants, dropout; and what brings tensors together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.gaussian import Moments, covariance, moments, moments_of
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import (
    ALIKE,
    FLOOR,
    POINTS,
    Backward,
    Dims,
    Forward,
    Pull,
    Unpredicted,
    effective,
    log_mean,
    log_of,
    mixed,
    standard,
)

SPACING = 0.15  # of the table in log q from which a map and its replicas are read


def pointwise(x: Forward, phi: Function, noise: Noise) -> tuple[Forward, Pull]:
    """Y = phi(z) on Gaussian units with the tensor's mean: E phi^2 forward, E phi'^2 backward.

    Which units are large is the same forward and backward, so both fluctuate together. Of each the
    part that the realised mean square explains is left to that: of y^2 it has variance (dlog E y^2 / dlog
    q)^2 times that of z^2, and the gradient's squares add twice the slopes' fluctuation (Hanin & Nica 2018
    for ReLU: 5/n a layer in all, 2 of them of the matrix).
    """
    level = x.level
    if level <= FLOOR / 2:
        raise Unpredicted("a function of a tensor that is zero throughout")
    ratio = float(x.ratio.mean())
    spots = np.array([level - 0.05, level, level + 0.05])
    at = _moments(phi, x, spots)
    read = _Table(phi, x)
    n = max(x.effective, 1.0)
    gain, steepening = _rise(at.square), _rise(at.slope)
    square_variance = 2 * (1 - ratio**2) ** 2 + 4 * ratio**2 * (1 - ratio**2)
    if x.law is not None:
        square_variance = float((x.law**4).mean()) - 1
    kurtosis, slope_kurtosis, joint = (float(a[1]) for a in (at.kurtosis, at.slope_kurtosis, at.joint))
    forward_variance = max(kurtosis - 1 - gain**2 * square_variance, 0.0) / n
    shared = noise.normal()
    response = read.square(level + x.noise) - at.square[1]
    made = Forward(
        x.shape,
        read.square(x.log_q),
        read.mean(x.log_q) * np.ones_like(x.log_q),
        _correlation(phi, x, level, ratio, float(at.mean[1])),
        x.noise * 0 + response + noise.of_square(forward_variance, shared),
        x.roots,
        x.channels,
        _law(x, phi),
        shared_elasticity=_shared_elasticity(at, gain),
    )
    sample_squares = read.square(level + x.sample_squares) - at.square[1]
    made = made.with_sample_squares(
        sample_squares + noise.sample_factors(forward_variance * n * x.inverse_units)
    )
    slopes = read.slope(x.log_q)
    slope_response = read.slope(level + x.noise) - at.slope[1]
    slopes_apart = read.slope(level + x.sample_squares) - at.slope[1]
    overlap, tilt = float(at.slope_mean[1]), float(at.tilt[1])
    together, alone, values = _slope_responses(phi, x)

    def pull(g: Backward) -> Backward:
        m = max(min(n, g.effective), 1.0)
        variance = max(3 * (slope_kurtosis - 1) - steepening**2 * square_variance, 0.0) / m
        common = (joint - 1 - gain * steepening * square_variance) / n
        both = math.sqrt(forward_variance * variance)
        rho = max(-1.0, min(1.0, common / both)) if both > 0 else 0.0
        own = rho * shared + math.sqrt(1 - rho * rho) * noise.normal()
        corr = g.corr * (overlap + (1 - overlap) * min(x.corr, 1.0))
        here = slopes
        if g.chosen is not None:
            here = log_of(float(np.mean(phi.slope(g.chosen) ** 2)))
        # to second order in the weights, which leaves no more out than half
        here = here + math.log1p(max(g.value_response * (values - 1), -0.5))
        back = replace(
            g,
            chosen=None,
            log_b=np.maximum(g.log_b + here, FLOOR),
            corr=corr,
            tilt=tilt,
            input_response=(g.corr * together, alone),
            value_response=0.0,
            noise=g.noise + slope_response + noise.of_square(variance, own),
        )
        return back.with_sample_squares(
            g.sample_squares + slopes_apart + noise.sample_factors(variance * m * g.inverse_units)
        )

    return made, pull


def _correlation(phi: Function, x: Forward, level: float, ratio: float, mean: float) -> float:
    """What samples have in common of phi(z): of the mean exactly, of the rest as for Gaussian units."""
    alone = covariance(phi, level, ratio, ratio**2)
    more = covariance(phi, level, ratio, x.corr) - alone if x.corr > ratio**2 + 1e-9 else 0.0
    return min(mean**2 + more * (1 - mean**2) / max(1 - alone, 1e-9), 1.0)


def _rise(values: Array) -> float:
    """Slope of three values 0.05 apart."""
    return float(values[2] - values[0]) / 0.1 if np.isfinite(values).all() else 0.0


def _slope_responses(phi: Function, x: Forward) -> tuple[float, float, float]:
    """(E u phi')^2 / E phi'^2 and E (u^2 - 1) phi'^2 / 2 E phi'^2 for the centred units u, of variance 1;
    E v^2 phi'^2 / E phi'^2 for such values v.
    """
    z = x.values * math.exp(min(x.level, 600.0) / 2)
    y, slopes = phi.value(z), phi.slope(z)
    square = float((slopes**2).mean())
    if not (z.std() > 0 and y.std() > 0 and 0 < square < math.inf):
        return 0.0, 0.0, 1.0
    u, v = (z - z.mean()) / z.std(), (y - y.mean()) / y.std()
    together = float((u * slopes).mean()) ** 2 / square
    return (
        together,
        float(((u * u - 1) * slopes**2).mean()) / (2 * square),
        float((v * v * slopes**2).mean()) / square,
    )


def _shared_elasticity(at: Moments, gain: float) -> float:
    """Of what the mean square of E phi rises by where E phi^2 rises."""
    if gain < 0.1 or np.any(np.abs(at.mean) < 1e-6):
        return 1.0
    return _rise(2 * np.log(np.abs(at.mean)) + at.square) / gain


def _moments(phi: Function, x: Forward, log_q: Array) -> Moments:
    if x.law is not None:
        return moments_of(phi, log_q, x.law)
    return moments(phi, log_q, np.full(len(log_q), float(x.ratio.mean())))


def _law(x: Forward, phi: Function) -> Array | None:
    if phi.kind == "linear" and x.law is None:
        return None
    made = phi.value(x.values * math.exp(min(x.level, 600.0) / 2))
    return standard(made) if np.any(made) else None


class _Table:
    """log E phi^2, mean and log E phi'^2 as functions of log q: exact where q is uniform, else
    interpolated.
    """

    def __init__(self, phi: Function, x: Forward) -> None:
        level = x.level
        finite = x.log_q[x.log_q > FLOOR / 2]
        seen = np.concatenate([x.noise, x.sample_squares[x.sample_squares > FLOOR / 2]])
        low = min(float(finite.min()), level + float(seen.min()))
        high = max(float(finite.max()), level + float(seen.max()))
        count = int(min(max(math.ceil((high - low) / SPACING), 0), 160)) + 1
        self.grid = np.linspace(low, high, count) if count > 1 else np.array([level])
        if not np.any(self.grid == level):
            self.grid = np.sort(np.append(self.grid, level))
        self.found = _moments(phi, x, self.grid)

    def square(self, log_q: Array) -> Array:
        return self._read(self.found.square, log_q)

    def slope(self, log_q: Array) -> Array:
        return self._read(self.found.slope, log_q)

    def mean(self, log_q: Array) -> Array:
        return np.interp(log_q, self.grid, self.found.mean)

    def _read(self, values: Array, log_q: Array) -> Array:
        made = np.interp(log_q, self.grid, np.maximum(values, FLOOR))
        return np.where(log_q <= FLOOR / 2, FLOOR, made)


def factor(x: Forward, log_square: Array | float, sign: float = 1.0) -> tuple[Forward, Pull]:
    """Each unit times a constant whose square has this logarithm (an array that broadcasts)."""
    made = replace(
        x,
        log_q=np.maximum(x.log_q + log_square, FLOOR),
        ratio=x.ratio * sign + 0 * (x.log_q + log_square),
        law=x.law[::-1] * sign if x.law is not None and sign < 0 else x.law,
    )

    def pull(g: Backward) -> Backward:
        return replace(g, log_b=np.maximum(g.log_b + log_square, FLOOR))

    return made, pull


def offset(x: Forward, mean: float, variance: float) -> tuple[Forward, Pull]:
    """A constant, or one drawn for each unit, added."""
    if mean == 0 and variance == 0:
        return x, lambda g: g
    q, m = np.exp(x.log_q), x.ratio * np.exp(x.log_q / 2)
    moved = q + 2 * m * mean + mean * mean + variance
    level = float(q.mean())
    after = float(moved.mean())
    shared = x.corr * level + 2 * float(m.mean()) * mean + mean * mean + variance
    return replace(
        x,
        log_q=log_of(moved),
        law=None if x.law is None or variance else standard(x.law * math.sqrt(level) + mean),
        ratio=(m + mean) / np.sqrt(moved),
        corr=shared / after,
        noise=_moved(x.noise, level, after),
        sample_squares=_moved(x.sample_squares, level, after),
    ), lambda g: g


def _moved(log_realised: Array, level: float, after: float) -> Array:
    """Of a mean square that a constant has moved from one level to another."""
    return log_of(np.maximum((level * np.exp(log_realised) + after - level) / after, 1e-3))


def dropout(x: Forward, rate: float) -> tuple[Forward, Pull]:
    """In training: units zeroed at a rate, the others divided by 1 - rate."""
    more = -math.log1p(-rate)
    made = replace(
        x, log_q=x.log_q + more, ratio=x.ratio * math.exp(-more / 2), corr=x.corr * math.exp(-more), law=None
    )
    return made, lambda g: replace(g, log_b=g.log_b + more)


def drop_samples(x: Forward, rate: float, noise: Noise) -> tuple[Forward, Pull]:
    """In training: whole samples zeroed at a rate, forward and back alike, the others divided by 1 - rate."""
    made, pull = dropout(x, rate)
    kept = noise.of_kept(rate)
    return made.with_sample_squares(made.sample_squares + kept), lambda g: pull(g).with_sample_squares(
        g.sample_squares + kept
    )


# -- several tensors ------------------------------------------------------------------------------------
def unbroadcast(g: Backward, log_b: Array, shape: Dims) -> Array:
    """The gradient of a tensor that was repeated along axes: the sum over its copies, as one sum."""
    log_b = log_b.reshape((1,) * (len(g.shape) - log_b.ndim) + log_b.shape)
    more = len(g.shape) - len(shape)
    axes = [a for a, n in enumerate(g.shape) if a < more or (shape[a - more] == 1 and n > 1)]
    if axes:
        count = math.prod(g.shape[a] for a in axes)
        top = log_b.max()
        log_b = top + log_of(np.exp(log_b - top).mean(axis=tuple(axes), keepdims=True))
        log_b = log_b + math.log(count * (1 + (count - 1) * g.corr))
    return log_b.reshape(log_b.shape[more:])


def independent(parts: Sequence[Forward | Backward], what: str) -> int:
    """All roots; raises where two parts hang on the same weight and are then correlated."""
    seen = 0
    for part in parts:
        if part.roots & seen:
            raise Unpredicted(what)
        seen |= part.roots
    return seen


def add(
    parts: Sequence[Forward], coefficients: Sequence[float], shape: Dims, noise: Noise
) -> tuple[Forward, list[Pull]]:
    """A sum. Squares add up where parts are uncorrelated but for their means: q = sum q_i + 2 sum m_i m_j.

    That holds where no two parts hang on the same weights without a fresh one between (a residual branch
    that ends in a weight or in a function of one).
    """
    roots = independent(parts, "a sum of tensors that depend on each other without a weight between")
    scales = [_scale(c) for c in coefficients]
    logs = [p.log_q + s for p, s in zip(parts, scales, strict=True)]
    top = max(float(x.max()) for x in logs)
    if top <= FLOOR / 2:
        raise Unpredicted("a sum of zeros")
    q: Array = sum((np.exp(x - top) for x in logs), start=np.zeros(()))
    means = [
        math.copysign(1, c) * p.ratio * np.exp((x - top) / 2)
        for p, x, c in zip(parts, logs, coefficients, strict=True)
    ]
    mean: Array = sum(means, start=np.zeros(()))
    q = q + mean * mean - sum(m * m for m in means)
    levels = [math.exp(log_mean(x) - top) for x in logs]
    flat = [float(np.mean(m)) for m in means]
    whole = float(np.mean(q))
    shared = (
        sum(p.corr * v for p, v in zip(parts, levels, strict=True))
        + sum(flat) ** 2
        - sum(m * m for m in flat)
    )
    channels = max(p.channels for p in parts)
    units = math.prod(shape)
    realised = whole - sum(levels) + sum(v * np.exp(p.noise) for p, v in zip(parts, levels, strict=True))
    for i in range(len(parts)):
        for j in range(i):
            free = max(levels[i] - flat[i] ** 2, 0.0) * max(levels[j] - flat[j] ** 2, 0.0)
            n = effective(units, channels, math.sqrt(max(parts[i].corr * parts[j].corr, 0.0)))
            size = np.exp((parts[i].noise + parts[j].noise) / 2)
            realised = realised + 2 * math.sqrt(free / n) * size * noise.normal()
    made = Forward(
        shape,
        top + log_of(np.broadcast_to(q, np.broadcast_shapes(*(x.shape for x in logs)))),
        mean / np.sqrt(np.maximum(q, 1e-300)),
        max(min(shared / whole, 1.0), 0.0),
        _log_positive(realised / whole),
        roots,
        channels,
        _law_of_sum(parts, coefficients, levels),
    )
    # what two parts share by chance makes samples differ, too
    crossed = 1 - sum(v * v for v in levels) / sum(levels) ** 2
    made = made.with_sample_squares(
        mixed([p.sample_squares for p in parts], levels)
        + noise.sample_factors(2 * crossed * made.inverse_units)
    )

    def pull_to(i: int) -> Pull:
        def pull(g: Backward) -> Backward:
            return replace(g, shape=parts[i].shape, log_b=unbroadcast(g, g.log_b + scales[i], parts[i].shape))

        return pull

    return made, [pull_to(i) for i in range(len(parts))]


def _law_of_sum(
    parts: Sequence[Forward], coefficients: Sequence[float], levels: Sequence[float]
) -> Array | None:
    """Every value of one tensor with every value of the others; Gaussian where all are."""
    if all(p.law is None for p in parts):
        return None
    made = np.zeros(1)
    for part, c, level in zip(parts, coefficients, levels, strict=True):
        made = np.add.outer(made, math.copysign(math.sqrt(level), c) * part.values).ravel()
        if len(made) > POINTS:
            made = standard(made) * math.sqrt(float((made**2).mean()))
    return standard(made)


def _log_positive(realised: Array | float) -> Array:
    """Logarithm of a realised square, which the Gaussian cross terms of few units can make negative."""
    return np.log(np.maximum(realised, 1e-3 * np.mean(np.abs(realised))))


def _scale(coefficient: float) -> float:
    return 2 * math.log(abs(coefficient)) if coefficient else FLOOR


def multiply(parts: Sequence[Forward], shape: Dims) -> tuple[Forward, list[Pull]]:
    """A product of independent tensors: squares and means multiply; each gradient takes the others'
    squares.
    """
    roots = independent(parts, "a product of tensors that depend on each other without a weight between")
    made = Forward(
        shape,
        np.maximum(sum(p.log_q for p in parts), FLOOR),
        math.prod((p.ratio for p in parts), start=np.ones((1,) * len(shape))),
        math.prod(p.corr for p in parts),
        sum((p.noise for p in parts), start=np.zeros_like(parts[0].noise)),
        roots,
        max(p.channels for p in parts),
        shared_elasticity=max(parts, key=lambda p: math.prod(p.shape)).shared_elasticity,
    ).with_sample_squares(sum((p.sample_squares for p in parts), start=ALIKE))

    def pull_to(i: int) -> Pull:
        others = [p for j, p in enumerate(parts) if j != i]
        log_others = sum(p.log_q for p in others)
        corr = math.prod(p.corr for p in others)

        def pull(g: Backward) -> Backward:
            log_b = np.maximum(g.log_b + log_others, FLOOR)
            seen = replace(g, corr=g.corr * corr)
            back = replace(
                g,
                shape=parts[i].shape,
                log_b=unbroadcast(seen, log_b, parts[i].shape),
                corr=g.corr * corr,
                noise=g.noise + sum(p.noise for p in others),
            )
            return back.with_sample_squares(g.sample_squares + sum(p.sample_squares for p in others))

        return pull

    return made, [pull_to(i) for i in range(len(parts))]


def concatenate(parts: Sequence[Forward], axis: int, shape: Dims) -> tuple[Forward, list[Pull]]:
    """One behind the other along an axis: every unit keeps its own square."""
    rank = len(shape)
    extent = [
        tuple(p.shape[a] if a == axis else max(q.log_q.shape[a] for q in parts) for a in range(rank))
        for p in parts
    ]
    log_q = np.concatenate([np.broadcast_to(p.log_q, e) for p, e in zip(parts, extent, strict=True)], axis)
    ratio = np.concatenate([np.broadcast_to(p.ratio, e) for p, e in zip(parts, extent, strict=True)], axis)
    top = float(log_q.max())
    weights = [math.exp(p.level - top) * math.prod(p.shape) for p in parts]
    whole = sum(weights) or 1.0
    roots = 0
    for p in parts:
        roots |= p.roots
    made = Forward(
        shape,
        log_q,
        ratio,
        sum(w * p.corr for w, p in zip(weights, parts, strict=True)) / whole,
        mixed([p.noise for p in parts], weights),
        roots,
        sum(p.channels for p in parts),
        sample_squares=mixed([p.sample_squares for p in parts], weights),
    )
    starts = np.cumsum([0] + [p.shape[axis] for p in parts])

    def pull_to(i: int) -> Pull:
        def pull(g: Backward) -> Backward:
            log_b = g.log_b
            if log_b.shape[axis] > 1:
                log_b = log_b.take(range(starts[i], starts[i + 1]), axis=axis)
            share = parts[i].shape[axis] / shape[axis]
            return replace(g, shape=parts[i].shape, log_b=log_b, channels=max(g.channels * share, 1.0))

        return pull

    return made, [pull_to(i) for i in range(len(parts))]


def gathered(parts: Sequence[Backward], noise: Noise) -> Backward:
    """The gradient of a tensor that is read several times: the sum of what its readers send back."""
    if len(parts) == 1:
        return parts[0]
    roots = independent(parts, "a fork whose branches meet again without a weight between")
    top = max(float(p.log_b.max()) for p in parts)
    if top <= FLOOR / 2:
        return parts[0]
    b: Array = sum((np.exp(p.log_b - top) for p in parts), start=np.zeros(()))
    levels = [math.exp(log_mean(p.log_b) - top) for p in parts]
    whole = sum(levels)
    channels = max(p.channels for p in parts)
    units = math.prod(parts[0].shape)
    realised = sum(v * np.exp(p.noise) for p, v in zip(parts, levels, strict=True))
    for i in range(len(parts)):
        for j in range(i):
            n = effective(units, channels, math.sqrt(max(parts[i].corr * parts[j].corr, 0.0)))
            size = np.exp((parts[i].noise + parts[j].noise) / 2)
            realised = realised + 2 * math.sqrt(levels[i] * levels[j] / n) * size * noise.normal()
    return Backward(
        parts[0].shape,
        top + log_of(b),
        sum(p.corr * v for p, v in zip(parts, levels, strict=True)) / whole,
        _log_positive(realised / whole),
        roots,
        channels,
        centred=all(p.centred for p in parts),
        sample_squares=mixed([p.sample_squares for p in parts], levels),
    )
