"""Mean-field rules of matrices and convolutions, whose elements are independent with mean 0.

z_i = sum_j W_ij x_j has variance Var(W) * sum_j x_j^2, whatever the correlations of the x_j, and the gradient
W^T u has Var(W) * sum_i u_i^2 if u is independent of W (the usual assumption, exact at infinite width: Yang
2020, arXiv 2009.10685).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archcalc.analyses.initial import TRUNCATED_KURTOSIS, UNIFORM_KURTOSIS, Draw
from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import (
    EQUAL_SAMPLES,
    FLOOR,
    Backward,
    Dims,
    Forward,
    Pullback,
    Unpredicted,
    log_of,
    of_samples,
    to_quantiles,
)


def summed(log_x: Array, axis: int, size: int) -> Array:
    """Log of the sum of exp(x) along an axis of `size` units (1 in the array if all are equal), as size 1."""
    if log_x.shape[axis] == 1:
        return log_x + math.log(size)
    top = float(log_x.max())
    return top + log_of(np.exp(log_x - top).sum(axis=axis, keepdims=True))


def apply_taps(log_x: Array, taps: Array, axis: int) -> Array:
    """Log of `taps @ exp(log_x)` along an axis; `taps` has a row for each output position."""
    if log_x.shape[axis] == 1:
        counts = log_of(taps.sum(axis=1))
        shape = [1] * log_x.ndim
        shape[axis] = len(counts)
        return collapse_axis(log_x + counts.reshape(shape), axis)
    top = log_x.max()
    moved = np.moveaxis(np.exp(log_x - top), axis, 0)
    output = np.tensordot(taps, moved, axes=(1, 0))
    return collapse_axis(top + log_of(np.moveaxis(output, 0, axis)), axis)


def collapse_axis(x: Array, axis: int) -> Array:
    """The array with size 1 along an axis on which it is constant."""
    first = x.take([0], axis=axis)
    return first if x.shape[axis] > 1 and np.all(np.abs(x - first) <= 1e-12) else x


def taps(size: int, positions: int, kernel: int, stride: int, dilation: int, before: int) -> Array:
    """The number of taps by which a position (row) reads a unit (column) of an axis, without padding."""
    counts = np.zeros((positions, size))
    starts = stride * np.arange(positions) - before
    for t in range(kernel):
        at = starts + dilation * t
        inside = (at >= 0) & (at < size)
        counts[np.arange(positions)[inside], at[inside]] += 1.0
    return counts


def matrix(x: Forward, element: Draw, units: int, weight_bit: int, noise: Noise) -> tuple[Forward, Pullback]:
    """A matrix along the last axis."""
    fan = x.shape[-1]
    _require_zero_mean(element)
    gain = log_variance(element)
    shape = (*x.shape[:-1], units)
    output = Forward(
        shape,
        gain + summed(x.log_q, x.log_q.ndim - 1, fan),
        np.zeros((1,) * len(shape)),
        x.corr,
        x.fluctuation,
        weight_bit,
        units,
        channel_variance=(element.kurtosis - 1) / fan,
        shared_elasticity=x.shared_elasticity,
        # if the matrix reads several positions, flattened to one, their differences are averaged
        sample_squares=x.sample_squares if fan <= x.channels else of_samples(x.sample_squares),
    )
    output = with_fluctuation(output, element, fan, noise)

    def pullback(g: Backward) -> Backward:
        back = Backward(
            x.shape,
            gain + summed(g.log_b, g.log_b.ndim - 1, units) - g.log_channel_excess,
            g.corr,
            g.fluctuation,
            weight_bit,
            fan,
            centred=g.centred,
            sample_squares=g.sample_squares,
        )
        return with_gradient_fluctuation(back, element, units, noise, g.unit_gradient_moment, fan)

    return output, pullback


def convolution(
    x: Forward,
    element: Draw,
    shape: Dims,
    reads: list[tuple[int, Array]],
    channel_axis: int,
    groups: int,
    depthwise: bool,
    weight_bit: int,
    noise: Noise,
) -> tuple[Forward, Pullback]:
    """A convolution along the axes of `reads`, given as (axis, taps of shape positions x size)."""
    _require_zero_mean(element)
    gain = log_variance(element)
    fan, filters = x.shape[channel_axis], shape[channel_axis]

    def across(log_x: Array, size: int, output: int) -> Array:
        if depthwise or groups > 1:
            return by_group(log_x, channel_axis, size, output, size if depthwise else groups)
        return summed(log_x, channel_axis, size)

    log_q = x.log_q
    for axis, matrix_ in reads:
        log_q = apply_taps(log_q, matrix_, axis)
    output = Forward(
        shape,
        gain + across(log_q, fan, filters),
        np.zeros((1,) * len(shape)),
        x.corr,
        x.fluctuation,
        weight_bit,
        filters,
        shared_elasticity=x.shared_elasticity,
        sample_squares=x.sample_squares,
    )
    count_of_taps = math.prod(max(int(m.sum(axis=1).max()), 1) for _, m in reads)
    count = count_of_taps * (1 if depthwise else fan // groups)
    output = replace(
        output,
        channel_variance=(element.kurtosis - 1) / count,
        channel_quantiles=_few_weights_quantiles(x, element, count),
    )
    read = noise.neighbours(min(count_of_taps, MOST_NEIGHBOURS))
    output = output.with_sample_squares(averaged(output.sample_squares, read))
    output = with_fluctuation(output, element, count, noise)
    # with strides a position is read by fewer windows than a window has taps
    strides = math.prod(m.shape[1] / max(m.shape[0], 1) for _, m in reads)
    readers = [np.argsort(position) for position in read[: max(round(len(read) / strides), 1)]]

    def pullback(g: Backward) -> Backward:
        log_b = g.log_b
        for axis, matrix_ in reads:
            log_b = apply_taps(log_b, matrix_.T, axis)
        log_b = gain + across(log_b, filters, fan) - g.log_channel_excess
        back = Backward(
            x.shape,
            log_b,
            g.corr,
            g.fluctuation,
            weight_bit,
            fan,
            value_response=_value_response(g.input_response, count, element.kurtosis) if depthwise else 0.0,
            centred=g.centred,
        )
        back = back.with_sample_squares(averaged(g.sample_squares, readers))
        return with_gradient_fluctuation(back, element, filters, noise, g.unit_gradient_moment, count)

    return output, pullback


MOST_NEIGHBOURS = 49  # positions of a window that are averaged separately


def averaged(sample_squares: Array, positions: Sequence[Any]) -> Array:
    """`sample_squares` in which each position is the mean of the positions that it reads."""
    if not positions:
        return sample_squares
    mean = sum((np.exp(sample_squares[1][position]) for position in positions), start=EQUAL_SAMPLES[1]) / len(
        positions
    )
    return np.stack([sample_squares[0], log_of(mean)])


MAX_FEW_WEIGHTS = 64  # units with more weights count as Gaussian within their channel


def _few_weights_quantiles(x: Forward, element: Draw, count: int) -> Array | None:
    """The quantiles of sum w_t x_t over few t, centred, divided by the standard deviation of the channel.

    They are sampled: 64 channels with fixed weights, 64 positions each, from a fixed generator. None for
    Gaussian x or many weights.
    """
    if x.quantiles is None or count > MAX_FEW_WEIGHTS:
        return None
    random = np.random.default_rng(2)
    values = x.quantiles - x.quantiles.mean()
    w = random.standard_normal((64, 1, count))
    if element.kurtosis == UNIFORM_KURTOSIS:
        w = random.uniform(-1, 1, w.shape)
    elif element.kurtosis == TRUNCATED_KURTOSIS:
        while (outside := np.abs(w) > 2).any():  # redrawn, as in Keras
            w[outside] = random.standard_normal(int(outside.sum()))
    z = (w * values[random.integers(0, len(values), (64, 64, count))]).sum(axis=-1)
    return to_quantiles(z / np.sqrt((w * w).sum(axis=-1)))


def _value_response(input_response: tuple[float, float], count: int, kurtosis: float) -> float:
    """The `value_response` of the gradient sum_k w_k g_k of a depthwise kernel with `count` weights.

    g_k is phi'(u_k) times a gradient, where u_k = sum_j w_j v_{k-j} / |w|. Where positions share the
    gradient, the part of phi' that is proportional to u adds up to |w| v: w_k times w_k v for every k. The
    part of a single tap, a share E w^4 / (E w^2)^2 / count of the whole, depends on v by the curvature of
    phi'^2.
    """
    shared, single = input_response
    single_share = kurtosis / (count + kurtosis - 1)
    return (shared * (1 - single_share) + single * single_share) / (1 + shared * (1 - 1 / count))


def by_group(log_x: Array, axis: int, size: int, output: int, groups: int) -> Array:
    """Log of the sum of exp(x) over the channels of each group, for each output channel of the group."""
    if log_x.shape[axis] == 1:
        return log_x + math.log(size / groups)
    moved = np.moveaxis(log_x, axis, -1)
    moved = moved.reshape(*moved.shape[:-1], groups, size // groups)
    sums = summed(moved, moved.ndim - 1, size // groups)
    sums = np.repeat(sums, output // groups, axis=-1)
    return collapse_axis(np.moveaxis(sums.reshape(*sums.shape[:-2], output), -1, axis), axis)


def log_variance(element: Draw) -> float:
    return math.log(element.variance) if element.variance > 0 else FLOOR


def _require_zero_mean(element: Draw) -> None:
    if element.mean != 0:
        raise Unpredicted("an initialiser whose mean is not 0")


def with_fluctuation(output: Forward, element: Draw, fan: float, noise: Noise) -> Forward:
    """The output with the fluctuation of a mean square of n Gaussian units, of variance 2/n.

    It is smaller for orthogonal matrices, and zero if they do not reduce the number of units.
    """
    share = _fluctuating_share(element, output.channels, fan)
    fluctuation = output.fluctuation + noise.square_fluctuation(2 * share / max(output.effective_units, 1.0))
    output = replace(output, fluctuation=fluctuation)
    return output.with_sample_squares(
        output.sample_squares + noise.sample_factors(2 * share * output.inverse_units)
    )


def _fluctuating_share(element: Draw, channels: float, fan: float) -> float:
    if not element.orthogonal:
        return 1.0
    return max(0.0, 1 - channels / fan) if channels <= fan else 0.0


def with_gradient_fluctuation(
    back: Backward, element: Draw, fan: float, noise: Noise, unit_gradient_moment: float, width: float
) -> Backward:
    """As `with_fluctuation`, for a gradient W^T u.

    Its component along the input, z.u for z = W x, is correlated with z: `unit_gradient_moment` corrects it.
    """
    share = _fluctuating_share(element, back.channels, fan)
    added = noise.square_fluctuation(2 * share / max(back.effective_units, 1.0))
    back = replace(
        back, fluctuation=back.fluctuation + added + math.log1p((unit_gradient_moment - 1) / max(width, 1.0))
    )
    return back.with_sample_squares(
        back.sample_squares + noise.sample_factors(2 * share * back.inverse_units)
    )
