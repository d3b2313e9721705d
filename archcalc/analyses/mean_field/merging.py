"""Mean-field rules of several tensors: sums, products, concatenation, and gradients that meet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import Dims, Map, concatenated, joined, zeros
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import balanced, mean_of_parts, product
from archcalc.analyses.mean_field.squares import FLOOR, Squares
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    Unpredicted,
    effective_units,
    mixed,
    replace,
    to_quantiles,
)
from archcalc.analyses.mean_field.units import factor


def unbroadcast(g: Backward, shape: Dims) -> Squares:
    """The squares for a tensor that was broadcast to the shape of g: those of the sum over its copies."""
    axes = [a for a, (n, m) in enumerate(zip(g.shape, shape, strict=True)) if m == 1 and n > 1]
    if not axes:
        return g.squares
    count = math.prod(g.shape[a] for a in axes)
    return g.squares.means(axes).times(math.log(count * (1 + (count - 1) * g.corr)))


def require_independent(parts: Sequence[Forward | Backward], reason: str) -> int:
    """The direct weights of all parts; raises `Unpredicted` if two parts share one (are correlated)."""
    union = 0
    for part in parts:
        if part.direct_weights & union:
            raise Unpredicted(reason)
        union |= part.direct_weights
    return union


def add(
    parts: Sequence[Forward], coefficients: Sequence[float], shape: Dims, noise: Noise
) -> tuple[Forward, list[Pullback]]:
    """A weighted sum: q = sum q_i + 2 sum m_i m_j, if the parts are uncorrelated apart from their means.

    They are if no two of them have a direct weight in common. A residual branch that ends in weights, or in
    a function of weights, has none in common with its skip.
    """
    live = [i for i, p in enumerate(parts) if not p.squares.is_zero and coefficients[i]]
    if len(live) == 1 and parts[live[0]].shape == shape:
        return _sole(parts, live[0], coefficients)
    direct_weights = require_independent(
        parts, "a sum of tensors that depend on each other without a weight between"
    )
    scales = [_scale(c) for c in coefficients]
    scaled = [p.squares.times(s) for p, s in zip(parts, scales, strict=True)]
    top = max(s.level for s in scaled)
    if top <= FLOOR / 2:
        raise Unpredicted("a sum of zeros")
    squares = [s.over(top) for s in scaled]
    mean_squares = [math.exp(s.log_mean - top) for s in scaled]
    means = [
        None if p.ratio.is_zero else joined(_mean(c), p.ratio, q)
        for p, q, c in zip(parts, squares, coefficients, strict=True)
    ]
    q, ratio = _sum_of_squares(squares, [m for m in means if m is not None], shape)
    flat = [0.0 if m is None else m.mean for m in means]
    whole = q.mean
    shared = sum(p.corr * v for p, v in zip(parts, mean_squares, strict=True))
    shared = shared + sum(flat) ** 2 - sum(m * m for m in flat)
    realised = _realised(parts, mean_squares, flat, whole, math.prod(shape), noise)
    output = Forward(
        shape,
        Squares.by_value(q.values, q.groups, top),
        ratio,
        max(min(shared / whole, 1.0), 0.0),
        _log_positive(realised / whole),
        direct_weights,
        max(p.channels for p in parts),
        _quantiles_of_sum(parts, coefficients, mean_squares),
    )
    # products of two parts have random values, which differ between samples
    crossed = 1 - sum(v * v for v in mean_squares) / sum(mean_squares) ** 2
    output = output.with_sample_squares(
        noise.varied(
            mean_of_parts([p.sample_squares for p in parts], mean_squares), 2 * crossed, output.inverse_units
        )
    )

    shapes = [p.shape for p in parts]

    def pullback_to(i: int) -> Pullback:
        def pullback(g: Backward) -> Backward:
            return replace(g, shape=shapes[i], squares=unbroadcast(g, shapes[i]).times(scales[i]))

        return pullback

    return output, [pullback_to(i) for i in range(len(parts))]


def _sum(*values: Array) -> Array:
    return reduce(np.add, values)


def _sum_of_squares(squares: Sequence[Map], means: Sequence[Map], shape: Dims) -> tuple[Map, Map]:
    """E x^2 and E x / sqrt(E x^2) of a sum of uncorrelated parts, of which these are not centred."""
    q = joined(_sum, *squares)
    if not means:
        return q, zeros(shape)
    mean = joined(_sum, *means)
    q = joined(lambda q, mean, *means: q + mean * mean - sum(m * m for m in means), q, mean, *means)
    return q, joined(lambda mean, q: mean / np.sqrt(np.maximum(q, 1e-300)), mean, q)


def _mean(coefficient: float) -> Callable[[Array, Array], Array]:
    sign = math.copysign(1, coefficient)
    return lambda ratio, q: sign * ratio * np.sqrt(q)


def _realised(
    parts: Sequence[Forward],
    mean_squares: Sequence[float],
    means: Sequence[float],
    expected: float,
    units: int,
    noise: Noise,
) -> Array:
    """The mean square of a sum in one network: the products of each two parts are random around 0."""
    own = [v * np.exp(p.fluctuation) for p, v in zip(parts, mean_squares, strict=True)]
    realised: Array = reduce(np.add, own) + (expected - sum(mean_squares))
    channels = max(p.channels for p in parts)
    for i in range(len(parts)):
        for j in range(i):
            variances = max(mean_squares[i] - means[i] ** 2, 0.0) * max(mean_squares[j] - means[j] ** 2, 0.0)
            n = effective_units(units, channels, math.sqrt(max(parts[i].corr * parts[j].corr, 0.0)))
            size = np.exp((parts[i].fluctuation + parts[j].fluctuation) / 2)
            realised = realised + 2 * math.sqrt(variances / n) * size * noise.normal()
    return realised


def _sole(
    parts: Sequence[Forward], only: int, coefficients: Sequence[float]
) -> tuple[Forward, list[Pullback]]:
    """A sum of which all parts but one are zero, such as branches that start as zero."""
    shapes = [p.shape for p in parts]

    def pullback_to(i: int) -> Pullback:
        def pullback(g: Backward) -> Backward:
            squares = unbroadcast(g, shapes[i]).times(_scale(coefficients[i]))
            return replace(g, shape=shapes[i], squares=squares)

        return pullback

    c = coefficients[only]
    return factor(parts[only], _scale(c), math.copysign(1.0, c))[0], [
        pullback_to(i) for i in range(len(parts))
    ]


def _quantiles_of_sum(
    parts: Sequence[Forward], coefficients: Sequence[float], mean_squares: Sequence[float]
) -> Array | None:
    """The quantiles of a sum of independent values; None if all are Gaussian."""
    if all(p.quantiles is None for p in parts):
        return None
    values = np.zeros(1)
    for part, c, mean_q in zip(parts, coefficients, mean_squares, strict=True):
        sums = np.add.outer(values, math.copysign(math.sqrt(mean_q), c) * part.values)
        # of positive coefficients each row is ascending
        values = to_quantiles(sums) * math.sqrt(float((sums * sums).mean()))
    return to_quantiles(values)


def _log_positive(realised: Array | float) -> Array:
    """The logarithm of a realised mean square, which random cross terms of few units may make negative."""
    return np.log(np.maximum(realised, 1e-3 * np.mean(np.abs(realised))))


def _scale(coefficient: float) -> float:
    return 2 * math.log(abs(coefficient)) if coefficient else FLOOR


def multiply(parts: Sequence[Forward], shape: Dims) -> tuple[Forward, list[Pullback]]:
    """A product of independent tensors: squares and means multiply, gradients with the others' squares."""
    direct_weights = require_independent(
        parts, "a product of tensors that depend on each other without a weight between"
    )
    output = Forward(
        shape,
        reduce(Squares.product, (p.squares for p in parts)),
        joined(_product, *(p.ratio for p in parts)),
        math.prod(p.corr for p in parts),
        reduce(np.add, (p.fluctuation for p in parts)),
        direct_weights,
        max(p.channels for p in parts),
        shared_elasticity=max(parts, key=lambda p: math.prod(p.shape)).shared_elasticity,
    ).with_sample_squares(balanced(product(*(p.sample_squares for p in parts))))

    def pullback_to(i: int) -> Pullback:
        others = [p for j, p in enumerate(parts) if j != i]
        other_squares = [p.squares for p in others]
        corr = math.prod(p.corr for p in others)
        before = parts[i].shape

        def pullback(g: Backward) -> Backward:
            back = replace(
                g,
                squares=reduce(Squares.product, other_squares, g.squares),
                corr=g.corr * corr,
                fluctuation=reduce(np.add, (p.fluctuation for p in others), g.fluctuation),
            )
            back = replace(back, shape=before, squares=unbroadcast(back, before))
            return back.with_sample_squares(
                balanced(product(g.sample_squares, *(p.sample_squares for p in others)))
            )

        return pullback

    return output, [pullback_to(i) for i in range(len(parts))]


def _product(*values: Array) -> Array:
    return reduce(np.multiply, values)


def concatenate(parts: Sequence[Forward], axis: int, shape: Dims) -> tuple[Forward, list[Pullback]]:
    """A concatenation along an axis: the squares of all units are unchanged."""
    top = max(p.squares.level for p in parts)
    weights = [math.exp(p.log_mean_q - top) * math.prod(p.shape) for p in parts]
    whole = sum(weights) or 1.0
    direct_weights = 0
    for p in parts:
        direct_weights |= p.direct_weights
    output = Forward(
        shape,
        Squares.of(concatenated([p.squares.logs for p in parts], axis)),
        concatenated([p.ratio for p in parts], axis),
        sum(w * p.corr for w, p in zip(weights, parts, strict=True)) / whole,
        mixed([p.fluctuation for p in parts], weights),
        direct_weights,
        sum(p.channels for p in parts),
        sample_squares=mean_of_parts([p.sample_squares for p in parts], weights),
    )
    shapes = [p.shape for p in parts]
    starts = [0, *itertools.accumulate(p[axis] for p in shapes)]

    def pullback_to(i: int) -> Pullback:
        def pullback(g: Backward) -> Backward:
            squares = g.squares.section(axis, starts[i], starts[i + 1])
            share = shapes[i][axis] / shape[axis]
            return replace(g, shape=shapes[i], squares=squares, channels=max(g.channels * share, 1.0))

        return pullback

    return output, [pullback_to(i) for i in range(len(parts))]


def summed_gradients(parts: Sequence[Backward], noise: Noise) -> Backward:
    """The gradient of a tensor with several readers: the sum of their gradients."""
    if len(parts) == 1:
        return parts[0]
    live = [p for p in parts if not p.squares.is_zero]
    if len(live) < 2:
        return live[0] if live else parts[0]
    parts = live
    direct_weights = require_independent(parts, "a fork whose branches meet again without a weight between")
    top = max(p.squares.level for p in parts)
    b = joined(_sum, *(p.squares.over(top) for p in parts))
    mean_squares = [math.exp(p.squares.log_mean - top) for p in parts]
    whole = sum(mean_squares)
    channels = max(p.channels for p in parts)
    units = math.prod(parts[0].shape)
    # what all parts have in common (a softmax that saturates, say) is left out of the sum, however large
    common = parts[mean_squares.index(max(mean_squares))].fluctuation
    differences = [p.fluctuation - common for p in parts]
    realised = reduce(np.add, (v * np.exp(f) for f, v in zip(differences, mean_squares, strict=True)))
    for i in range(len(parts)):
        for j in range(i):
            n = effective_units(units, channels, math.sqrt(max(parts[i].corr * parts[j].corr, 0.0)))
            size = np.exp((differences[i] + differences[j]) / 2)
            realised = realised + 2 * math.sqrt(mean_squares[i] * mean_squares[j] / n) * size * noise.normal()
    return Backward(
        parts[0].shape,
        Squares.by_value(b.values, b.groups, top),
        sum(p.corr * v for p, v in zip(parts, mean_squares, strict=True)) / whole,
        common + _log_positive(realised / whole),
        direct_weights,
        channels,
        centred=all(p.centred for p in parts),
        sample_squares=mean_of_parts([p.sample_squares for p in parts], mean_squares),
    )
