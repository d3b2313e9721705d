"""Mean-field rules of matrices and convolutions, whose elements are independent with mean 0.

z_i = sum_j W_ij x_j has variance Var(W) * sum_j x_j^2, whatever the correlations of the x_j, and the gradient
W^T u has Var(W) * sum_i u_i^2 if u is independent of W (the usual assumption, exact at infinite width: Yang
2020, arXiv 2009.10685).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.initial import TRUNCATED_KURTOSIS, UNIFORM_KURTOSIS, Draw
from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import Dims, Groups, alike, alone, expanded, zeros
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import averaged, of_samples
from archcalc.analyses.mean_field.squares import FLOOR, Squares
from archcalc.analyses.mean_field.state import (
    Backward,
    Forward,
    Pullback,
    Unpredicted,
    replace,
    to_quantiles,
)
from archcalc.analyses.mean_field.taps import Reads, transposed


def matrix(x: Forward, element: Draw, units: int, weight_bit: int, noise: Noise) -> tuple[Forward, Pullback]:
    """A matrix along the last axis."""
    fan = x.shape[-1]
    _require_zero_mean(element)
    gain = log_variance(element)
    shape = (*x.shape[:-1], units)
    output = Forward(
        shape,
        x.squares.summed(len(shape) - 1, units),
        zeros(shape),
        x.corr,
        x.fluctuation,
        weight_bit,
        units,
        channel_variance=(element.kurtosis - 1) / fan,
        shared_elasticity=x.shared_elasticity,
        # if the matrix reads several positions, flattened to one, their differences are averaged
        sample_squares=x.sample_squares if fan <= x.channels else of_samples(x.sample_squares),
    )
    output = with_fluctuation(output, gain, element, fan, noise)
    before = x.shape

    def pullback(g: Backward) -> Backward:
        back = Backward(
            before,
            g.squares.summed(len(shape) - 1, fan),
            g.corr,
            g.fluctuation,
            weight_bit,
            fan,
            centred=g.centred,
            sample_squares=g.sample_squares,
        )
        gained = gain - g.log_channel_excess
        return with_gradient_fluctuation(back, gained, element, units, noise, g.unit_gradient_moment, fan)

    return output, pullback


def convolution(
    x: Forward,
    element: Draw,
    shape: Dims,
    reads: Reads,
    channel_axis: int,
    groups: int,
    depthwise: bool,
    weight_bit: int,
    noise: Noise,
) -> tuple[Forward, Pullback]:
    """A convolution along the axes of `reads`, given as (axis, taps)."""
    _require_zero_mean(element)
    gain = log_variance(element)
    fan, filters = x.shape[channel_axis], shape[channel_axis]

    def across(squares: Squares, output: int) -> Squares:
        if depthwise or groups > 1:
            return by_group(squares, channel_axis, output, fan if depthwise else groups)
        return squares.summed(channel_axis, output)

    count_of_taps = math.prod(m.most for _, m in reads)
    count = count_of_taps * (1 if depthwise else fan // groups)
    read, readers = noise.neighbours(min(count_of_taps, MOST_NEIGHBOURS))
    output = Forward(
        shape,
        across(x.squares.sums(reads), filters),
        zeros(shape),
        x.corr,
        x.fluctuation,
        weight_bit,
        filters,
        channel_variance=(element.kurtosis - 1) / count,
        channel_quantiles=_few_weights_quantiles(x.quantiles, element, count),
        shared_elasticity=x.shared_elasticity,
        sample_squares=averaged(x.sample_squares, read),
    )
    output = with_fluctuation(output, gain, element, count, noise)
    # with strides a position is read by fewer windows than a window has taps
    strides = math.prod(m.size / max(len(m), 1) for _, m in reads)
    readers = readers[: max(round(len(read) / strides), 1)]
    before = x.shape

    def pullback(g: Backward) -> Backward:
        back = Backward(
            before,
            across(g.squares.sums(transposed(reads)), fan),
            g.corr,
            g.fluctuation,
            weight_bit,
            fan,
            value_response=_value_response(g.input_response(), count, element.kurtosis) if depthwise else 0.0,
            centred=g.centred,
            sample_squares=averaged(g.sample_squares, readers),
        )
        gained = gain - g.log_channel_excess
        return with_gradient_fluctuation(back, gained, element, filters, noise, g.unit_gradient_moment, count)

    return output, pullback


MOST_NEIGHBOURS = 49  # positions of a window that are averaged separately
MAX_FEW_WEIGHTS = 64  # units with more weights count as Gaussian within their channel


def _few_weights_quantiles(quantiles: Array | None, element: Draw, count: int) -> Callable[[], Array] | None:
    """The quantiles of sum w_t x_t over few t, centred, divided by the standard deviation of the channel.

    They are sampled: 64 channels with fixed weights, 64 positions each, from a fixed generator. None for
    Gaussian x or many weights.
    """
    if quantiles is None or count > MAX_FEW_WEIGHTS:
        return None

    def sampled() -> Array:
        values = quantiles - quantiles.mean()
        w, units = _few_weights(count, element.kurtosis, len(values))
        # no unit is out of range, which `clip` does not have to check
        return to_quantiles(np.matmul(values.take(units, mode="clip"), w[:, :, None]).ravel())

    return sampled


@lru_cache(maxsize=64)
def _few_weights(count: int, kurtosis: float, values: int) -> tuple[Array, NDArray[np.intp]]:
    """Weights of 64 channels, of norm 1, and which of the values 64 positions multiply by them."""
    random = np.random.default_rng(2)
    w = random.standard_normal((64, count))
    if kurtosis == UNIFORM_KURTOSIS:
        w = random.uniform(-1, 1, w.shape)
    elif kurtosis == TRUNCATED_KURTOSIS:
        while (outside := np.abs(w) > 2).any():  # redrawn, as in Keras
            w[outside] = random.standard_normal(int(outside.sum()))
    units = random.integers(0, values, (64, 64, count))
    return w / np.sqrt((w * w).sum(axis=-1, keepdims=True)), units


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


def by_group(squares: Squares, axis: int, output: int, groups: int) -> Squares:
    """The sums over the channels of each group, for each output channel of the group."""
    own, profile = squares.profile.groups[axis], squares.profile
    each = own.size // groups
    if own.count == 1:
        return squares.times(math.log(each)).with_axis(axis, alike(output))
    if each == 1:
        return squares.with_axis(axis, Groups.of(np.repeat(own.labels, output // groups)))
    channels = np.moveaxis(expanded(profile.ratios, own, axis), axis, -1)
    sums = channels.reshape(*channels.shape[:-1], groups, each).sum(axis=-1)
    values = np.moveaxis(np.repeat(sums, output // groups, axis=-1), -1, axis)
    others = (*profile.groups[:axis], alone(output), *profile.groups[axis + 1 :])
    return Squares.by_value(values, others, squares.level)


def log_variance(element: Draw) -> float:
    return math.log(element.variance) if element.variance > 0 else FLOOR


def _require_zero_mean(element: Draw) -> None:
    if element.mean != 0:
        raise Unpredicted("an initialiser whose mean is not 0")


def with_fluctuation(output: Forward, gain: float, element: Draw, fan: float, noise: Noise) -> Forward:
    """`exp(gain)` times the output, with the fluctuation of a mean square of n Gaussian units: 2/n.

    It is smaller for orthogonal matrices, and zero if they do not reduce the number of units.
    """
    share = _fluctuating_share(element, output.channels, fan)
    fluctuation = output.fluctuation + noise.square_fluctuation(2 * share / max(output.effective_units, 1.0))
    mean, sample_squares = noise.varied(output.sample_squares, 2 * share, output.inverse_units)
    squares = output.squares.times(gain + mean)
    return replace(output, squares=squares, fluctuation=fluctuation, sample_squares=sample_squares)


def _fluctuating_share(element: Draw, channels: float, fan: float) -> float:
    if not element.orthogonal:
        return 1.0
    return max(0.0, 1 - channels / fan) if channels <= fan else 0.0


def with_gradient_fluctuation(
    back: Backward,
    gain: float,
    element: Draw,
    fan: float,
    noise: Noise,
    unit_gradient_moment: float,
    width: float,
) -> Backward:
    """As `with_fluctuation`, for a gradient W^T u.

    Its component along the input, z.u for z = W x, is correlated with z: `unit_gradient_moment` corrects it.
    """
    share = _fluctuating_share(element, back.channels, fan)
    added = noise.square_fluctuation(2 * share / max(back.effective_units, 1.0))
    along_input = math.log1p((unit_gradient_moment - 1) / max(width, 1.0))
    mean, sample_squares = noise.varied(back.sample_squares, 2 * share, back.inverse_units)
    return replace(
        back,
        squares=back.squares.times(gain + mean),
        fluctuation=back.fluctuation + (added + along_input),
        sample_squares=sample_squares,
    )
