"""Stages applied to arrays: the linear ones as they are, for a batch of samples; biases are left out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from archcalc.analyses.gradient_bounds import resampling
from archcalc.analyses.gradient_bounds.spectral import Actual, local_matrix
from archcalc.layers import primitives as st
from archcalc.layers.operand import Constant

Array: TypeAlias = np.ndarray
Map: TypeAlias = Callable[[Array], Array]


def linear_map(stage: st.Stage, norms: Actual) -> Map | None:
    """What a linear stage does to a batch (batch, sample...); None for stages that are not linear."""
    match stage:
        case st.Matrix():
            return _matrix(stage, norms)
        case st.Convolve() if not stage.alike:
            kernel = norms.kernel(stage)
            if kernel is None:
                return None
            return _transposed(stage, kernel) if stage.transposed else _convolution(stage, kernel)
        case st.Local():
            return _local(stage, norms)
        case st.Factor():
            return _factor(stage, norms)
        case st.BatchStandardise():
            return _batch(stage, norms)
        case st.Offset() | st.Disturb() | st.Mask():
            return lambda x: x
        case st.Permute(order):
            return lambda x: x.transpose(0, *(a + 1 for a in order))
        case st.Reshape(shape):
            return lambda x: x.reshape(len(x), *shape)
        case st.Margin(pairs):
            return _margin(pairs)
        case st.Pool("average", slides):
            return _along([(s.axis, s) for s in slides])
        case st.Enlarge(axis) | st.Blend(axis):
            return _along([(axis, stage)])
        case st.Reduce("mean", axes, _, keepdims):
            return lambda x: x.mean(tuple(a + 1 for a in axes), keepdims=keepdims)
        case st.Reduce("sum", axes, _, keepdims):
            return lambda x: x.sum(tuple(a + 1 for a in axes), keepdims=keepdims)
        case st.Running("sum", axis):
            return lambda x: x.cumsum(axis + 1)
    return None


def _matrix(stage: st.Matrix, norms: Actual) -> Map | None:
    weight = norms.array(stage.weight, stage.adapter)
    if weight is None:
        return None
    if stage.equation is not None:
        left, _, out = stage.equation.partition("->")
        operand, _, kernel = left.partition(",")
        batched = f"...{operand},{kernel}->...{out}"
        return lambda x: np.einsum(batched, x, weight)
    if (stage.inputs, stage.outputs, stage.shared) != ((0,), (1,), ()):
        return None
    turned = weight.T if stage.transposed else weight
    return lambda x: x @ turned


def _last(stage: st.Convolve, x: Array) -> Array:
    return np.moveaxis(x, stage.channel_axis + 1, -1)


def _taps(slides: tuple[st.Slide, ...]) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """For each tap where its units stand on an axis that begins with the padding."""
    found: list[tuple[tuple[int, ...], tuple[slice, ...]]] = []
    for tap in product(*(range(s.kernel) for s in slides)):
        where = tuple(
            slice(s.dilation * t, s.dilation * t + s.stride * (s.places - 1) + 1, s.stride)
            for t, s in zip(tap, slides, strict=True)
        )
        found.append((tap, where))
    return found


def _extent(s: st.Slide) -> int:
    """Units from the first to the last that windows reach, the padding before included."""
    return max(int(s.stride * (s.places - 1) + s.dilation * (s.kernel - 1) + 1), int(s.before + s.size))


def _convolution(stage: st.Convolve, kernel: Array) -> Map:
    groups, cin, cout = len(kernel), kernel.shape[-2], kernel.shape[-1]
    taps_first = np.moveaxis(kernel, 0, -3)

    def apply(x: Array) -> Array:
        x = _last(stage, x)
        margins = [(s.before, _extent(s) - s.before - s.size) for s in stage.slides]
        x = np.pad(x, [(0, 0), *margins, (0, 0)])
        places = [s.places for s in stage.slides]
        y = np.zeros((len(x), *places, groups, cout))
        for tap, where in _taps(stage.slides):
            part = x[(slice(None), *where)].reshape(len(x), *places, groups, cin)
            y += np.einsum("...gi,gio->...go", part, taps_first[tap], optimize=True)
        return np.moveaxis(y.reshape(len(x), *places, groups * cout), -1, stage.channel_axis + 1)

    return apply


def _transposed(stage: st.Convolve, kernel: Array) -> Map:
    (weight,) = kernel

    def apply(x: Array) -> Array:
        x = _last(stage, x)
        y = np.zeros((len(x), *map(_extent, stage.slides), weight.shape[-2]))
        for tap, where in _taps(stage.slides):
            y[(slice(None), *where)] += x @ weight[tap].T
        kept = tuple(slice(s.before, s.before + s.size) for s in stage.slides)
        return np.moveaxis(y[(slice(None), *kept)], -1, stage.channel_axis + 1)

    return apply


def _local(stage: st.Local, norms: Actual) -> Map | None:
    matrix = local_matrix(norms.array(stage.weight), stage)
    if matrix is None:
        return None
    places = [s.places for s in stage.slides]

    def apply(x: Array) -> Array:
        flat = np.moveaxis(x, stage.channel_axis + 1, -1).reshape(len(x), -1)
        y = (flat @ matrix).reshape(len(x), *places, stage.filters)
        return np.moveaxis(y, -1, stage.channel_axis + 1)

    return apply


def _spread(values: Array, axes: tuple[int, ...], rank: int) -> Array:
    """Values along some axes, to be multiplied with a batch of samples of this rank."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [1] * (rank + 1)
    for i in order:
        shape[axes[i] + 1] = values.shape[i]
    return values.transpose(order).reshape(shape)


def _factor(stage: st.Factor, norms: Actual) -> Map | None:
    if stage.weight is not None:
        weight = norms.array(stage.weight)
        return None if weight is None else lambda x: x * _spread(weight, stage.axes, x.ndim - 1)
    value = np.asarray(stage.value.value if isinstance(stage.value, Constant) else stage.value, float)
    return lambda x: x / value if stage.reciprocal else x * value


def _batch(stage: st.BatchStandardise, norms: Actual) -> Map | None:
    variance = norms.array(stage.variance)
    gamma = np.ones(1) if stage.gamma is None else norms.array(stage.gamma)
    if variance is None or gamma is None:
        return None
    if stage.floor:
        spread = np.maximum(np.sqrt(variance), stage.epsilon)
        scale = spread if stage.inverse else 1 / spread
    else:
        scale = gamma / np.sqrt(variance + stage.epsilon)
    if scale.ndim != len(stage.axes):
        return None
    return lambda x: x * _spread(scale, stage.axes, x.ndim - 1)


def _margin(pairs: tuple[tuple[Any, Any], ...]) -> Map:
    grown = [(0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs)]

    def apply(x: Array) -> Array:
        kept = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[1:], pairs, strict=True))
        return np.pad(x[(slice(None), *kept)], grown)

    return apply


def _along(maps: list[tuple[int, resampling.AxisMap]]) -> Map | None:
    found = []
    for axis, of in maps:
        table = resampling.rows(of)
        if table is None:
            return None
        width = 1 + max(j for row in table for j, _ in row)
        size = getattr(of, "size", width)
        matrix = np.zeros((len(table), int(size)))
        for i, row in enumerate(table):
            for j, w in row:
                matrix[i, j] += w
        found.append((axis + 1, matrix))

    def apply(x: Array) -> Array:
        for axis, matrix in found:
            x = np.moveaxis(np.tensordot(x, matrix, axes=(axis, 1)), -1, axis)
        return x

    return apply


def units(shape: tuple[int, ...]) -> int:
    """Units of a sample."""
    return prod(shape)
