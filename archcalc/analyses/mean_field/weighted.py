"""Maps with weights: a matrix, a convolution. Elements are independent with mean 0, so squares add.

z_i = sum_j W_ij x_j has variance Var(W) * sum_j x_j^2 whatever the x_j have in common, and the
gradient W^T u likewise Var(W) * sum_i u_i^2 where u is independent of W (the usual assumption, exact at
infinite width: Yang 2020, arXiv 2009.10685).
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
    ALIKE,
    FLOOR,
    Backward,
    Dims,
    Forward,
    Pull,
    Unpredicted,
    log_of,
    of_samples,
    standard,
)


def summed(log_x: Array, axis: int, size: int) -> Array:
    """Log of the sum of exp along an axis of `size` (1 in the array where all units are alike); keeps
    the axis.
    """
    if log_x.shape[axis] == 1:
        return log_x + math.log(size)
    top = float(log_x.max())
    return top + log_of(np.exp(log_x - top).sum(axis=axis, keepdims=True))


def spread(log_x: Array, taps: Array, axis: int) -> Array:
    """Log of `taps @ exp(log_x)` along an axis; taps has a row for each position made."""
    if log_x.shape[axis] == 1:
        counts = log_of(taps.sum(axis=1))
        shape = [1] * log_x.ndim
        shape[axis] = len(counts)
        return collapse_axis(log_x + counts.reshape(shape), axis)
    top = log_x.max()
    moved = np.moveaxis(np.exp(log_x - top), axis, 0)
    made = np.tensordot(taps, moved, axes=(1, 0))
    return collapse_axis(top + log_of(np.moveaxis(made, 0, axis)), axis)


def collapse_axis(x: Array, axis: int) -> Array:
    """Size 1 along an axis where nothing changes."""
    first = x.take([0], axis=axis)
    return first if x.shape[axis] > 1 and np.all(np.abs(x - first) <= 1e-12) else x


def taps(size: int, positions: int, kernel: int, stride: int, dilation: int, before: int) -> Array:
    """1 where a place (row) reads a unit (column) of an axis: the tap-count box filter of padding."""
    found = np.zeros((positions, size))
    starts = stride * np.arange(positions) - before
    for t in range(kernel):
        at = starts + dilation * t
        inside = (at >= 0) & (at < size)
        found[np.arange(positions)[inside], at[inside]] += 1.0
    return found


def matrix(x: Forward, drawn: Draw, units: int, root: int, noise: Noise) -> tuple[Forward, Pull]:
    """A matrix along the last axis. The transposed matrix carries the gradient back."""
    fan = x.shape[-1]
    _require_zero_mean(drawn)
    gain = log_variance(drawn)
    shape = (*x.shape[:-1], units)
    made = Forward(
        shape,
        gain + summed(x.log_q, x.log_q.ndim - 1, fan),
        np.zeros((1,) * len(shape)),
        x.corr,
        x.noise,
        root,
        units,
        channel_variance=(drawn.kurtosis - 1) / fan,
        shared_elasticity=x.shared_elasticity,
        # a matrix over several positions, which have been made units of one
        sample_squares=x.sample_squares if fan <= x.channels else of_samples(x.sample_squares),
    )
    made = fluctuating(made, drawn, fan, noise)

    def pull(g: Backward) -> Backward:
        back = Backward(
            x.shape,
            gain + summed(g.log_b, g.log_b.ndim - 1, units) - g.surplus,
            g.corr,
            g.noise,
            root,
            fan,
            centred=g.centred,
            sample_squares=g.sample_squares,
        )
        return fluctuating_back(back, drawn, units, noise, g.tilt, fan)

    return made, pull


def convolution(
    x: Forward,
    drawn: Draw,
    shape: Dims,
    reads: list[tuple[int, Array]],
    channel_axis: int,
    groups: int,
    depthwise: bool,
    root: int,
    noise: Noise,
) -> tuple[Forward, Pull]:
    """Kernels along the axes of `reads`, each with its taps (positions x size), and over the channels of a
    group.
    """
    _require_zero_mean(drawn)
    gain = log_variance(drawn)
    fan, filters = x.shape[channel_axis], shape[channel_axis]

    def across(log_x: Array, size: int, made: int) -> Array:
        if depthwise or groups > 1:
            return by_group(log_x, channel_axis, size, made, size if depthwise else groups)
        return summed(log_x, channel_axis, size)

    log_q = x.log_q
    for axis, matrix_ in reads:
        log_q = spread(log_q, matrix_, axis)
    made = Forward(
        shape,
        gain + across(log_q, fan, filters),
        np.zeros((1,) * len(shape)),
        x.corr,
        x.noise,
        root,
        filters,
        shared_elasticity=x.shared_elasticity,
        sample_squares=x.sample_squares,
    )
    count_of_taps = math.prod(max(int(m.sum(axis=1).max()), 1) for _, m in reads)
    count = count_of_taps * (1 if depthwise else fan // groups)
    made = replace(
        made, channel_variance=(drawn.kurtosis - 1) / count, channel_law=_law_of_few(x, drawn, count)
    )
    read = noise.neighbours(min(count_of_taps, MOST_NEIGHBOURS))
    made = made.with_sample_squares(averaged(made.sample_squares, read))
    made = fluctuating(made, drawn, count, noise)
    # in the other direction, a place is read by fewer where there are fewer that read
    steps = math.prod(m.shape[1] / max(m.shape[0], 1) for _, m in reads)
    readers = [np.argsort(position) for position in read[: max(round(len(read) / steps), 1)]]

    def pull(g: Backward) -> Backward:
        log_b = g.log_b
        for axis, matrix_ in reads:
            log_b = spread(log_b, matrix_.T, axis)
        log_b = gain + across(log_b, filters, fan) - g.surplus
        back = Backward(
            x.shape,
            log_b,
            g.corr,
            g.noise,
            root,
            fan,
            value_response=_value_response(g.input_response, count, drawn.kurtosis) if depthwise else 0.0,
            centred=g.centred,
        )
        back = back.with_sample_squares(averaged(g.sample_squares, readers))
        return fluctuating_back(back, drawn, filters, noise, g.tilt, count)

    return made, pull


MOST_NEIGHBOURS = 49  # positions of a window that are told apart


def averaged(sample_squares: Array, positions: Sequence[Any]) -> Array:
    """Each position the mean of those it reads."""
    if not positions:
        return sample_squares
    mean = sum((np.exp(sample_squares[1][position]) for position in positions), start=ALIKE[1]) / len(
        positions
    )
    return np.stack([sample_squares[0], log_of(mean)])


FEW = 64  # weights of a unit, up to which it is not taken as Gaussian within its channel


def _law_of_few(x: Forward, drawn: Draw, count: int) -> Array | None:
    """Values of sum w_t x_t over few t, centred and over the deviation of their channel.

    The weights stay and the x_t change by position; 64 channels of 64 positions from a fixed generator.
    """
    if x.law is None or count > FEW:
        return None
    random = np.random.default_rng(2)
    own = x.law - x.law.mean()
    w = random.standard_normal((64, 1, count))
    if drawn.kurtosis == UNIFORM_KURTOSIS:
        w = random.uniform(-1, 1, w.shape)
    elif drawn.kurtosis == TRUNCATED_KURTOSIS:
        while (outside := np.abs(w) > 2).any():  # drawn again, as Keras does
            w[outside] = random.standard_normal(int(outside.sum()))
    z = (w * own[random.integers(0, len(own), (64, 64, count))]).sum(axis=-1)
    return standard(z / np.sqrt((w * w).sum(axis=-1)))


def _value_response(input_response: tuple[float, float], count: int, kurtosis: float) -> float:
    """Of sum_k w_k g_k, g_k being phi'(u_k) times a gradient and u_k = sum_j w_j v_{k-j} / |w|.

    Where positions share the gradient, the part of phi' that rises with u sums to |w| v: w_k times w_k v for
    every k. What one tap sends alone, a share E w^4 / (E w^2)^2 / count of the whole, goes with v by the
    bend of phi'^2.
    """
    shared, alone = input_response
    one = kurtosis / (count + kurtosis - 1)
    return (shared * (1 - one) + alone * one) / (1 + shared * (1 - 1 / count))


def by_group(log_x: Array, axis: int, size: int, made: int, groups: int) -> Array:
    """Sums over the channels of each group, given to each channel made of that group."""
    if log_x.shape[axis] == 1:
        return log_x + math.log(size / groups)
    moved = np.moveaxis(log_x, axis, -1)
    moved = moved.reshape(*moved.shape[:-1], groups, size // groups)
    each = summed(moved, moved.ndim - 1, size // groups)
    each = np.repeat(each, made // groups, axis=-1)
    return collapse_axis(np.moveaxis(each.reshape(*each.shape[:-2], made), -1, axis), axis)


def log_variance(drawn: Draw) -> float:
    return math.log(drawn.variance) if drawn.variance > 0 else FLOOR


def _require_zero_mean(drawn: Draw) -> None:
    if drawn.mean != 0:
        raise Unpredicted("a weight that does not start with mean 0")


def fluctuating(made: Forward, drawn: Draw, fan: float, noise: Noise) -> Forward:
    """The mean square of Gaussian units: 2/n. An orthogonal matrix keeps norms, the more the squarer it
    is.
    """
    kept = 1.0
    if drawn.orthogonal:
        kept = max(0.0, 1 - made.channels / fan) if made.channels <= fan else 0.0
    own = noise.of_square(2 * kept / max(made.effective, 1.0))
    made = replace(made, noise=made.noise + own)
    return made.with_sample_squares(made.sample_squares + noise.sample_factors(2 * kept * made.inverse_units))


def fluctuating_back(
    back: Backward, drawn: Draw, fan: float, noise: Noise, tilt: float, width: float
) -> Backward:
    """As forward; and along the one direction of the input that made z, W^T u has z.u, which `tilt` knows."""
    kept = 1.0
    if drawn.orthogonal:
        kept = max(0.0, 1 - back.channels / fan) if back.channels <= fan else 0.0
    own = noise.of_square(2 * kept / max(back.effective, 1.0))
    back = replace(back, noise=back.noise + own + math.log1p((tilt - 1) / max(width, 1.0)))
    return back.with_sample_squares(back.sample_squares + noise.sample_factors(2 * kept * back.inverse_units))
