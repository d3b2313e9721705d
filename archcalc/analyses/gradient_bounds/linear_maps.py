"""Linear primitives applied to arrays (batch, axes of a sample...), without their biases."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from archcalc.analyses.gradient_bounds import resampling
from archcalc.analyses.gradient_bounds.spectral import ActualNorms, local_matrix
from archcalc.arith import integer, integers
from archcalc.layers import primitives as prim
from archcalc.layers.operand import Constant

Array: TypeAlias = np.ndarray
Map: TypeAlias = Callable[[Array], Array]


def linear_map(primitive: prim.Primitive, norms: ActualNorms) -> Map | None:
    """A linear primitive as a function of arrays (batch, ...); None if it is nonlinear or lacks weights."""
    match primitive:
        case prim.Matrix():
            return _matrix(primitive, norms)
        case prim.Convolve() if not primitive.shared_kernel:
            kernel = norms.kernel(primitive)
            if kernel is None:
                return None
            return _transposed(primitive, kernel) if primitive.transposed else _convolution(primitive, kernel)
        case prim.LocallyConnected():
            return _local(primitive, norms)
        case prim.Scale():
            return _factor(primitive, norms)
        case prim.BatchStandardise():
            return _batch(primitive, norms)
        case prim.Offset() | prim.TrainingNoise() | prim.Dropout():
            return lambda x: x
        case prim.Permute(order):
            return lambda x: x.transpose(0, *(a + 1 for a in order))
        case prim.Reshape(shape):
            return lambda x: x.reshape(len(x), *shape)
        case prim.Pad(pairs):
            return _margin(pairs)
        case prim.Pool("average", windows):
            return _along([(s.axis, s) for s in windows])
        case prim.Upsample(axis) | prim.ConstantMatrix(axis):
            return _along([(axis, primitive)])
        case prim.Reduce("mean", axes, _, keepdims):
            return lambda x: x.mean(tuple(a + 1 for a in axes), keepdims=keepdims)
        case prim.Reduce("sum", axes, _, keepdims):
            return lambda x: x.sum(tuple(a + 1 for a in axes), keepdims=keepdims)
        case prim.Cumulative("sum", axis):
            return lambda x: x.cumsum(axis + 1)
    return None


def _matrix(primitive: prim.Matrix, norms: ActualNorms) -> Map | None:
    weight = norms.array(primitive.weight, primitive.adapter)
    if weight is None:
        return None
    if primitive.equation is not None:
        left, _, out = primitive.equation.partition("->")
        operand, _, kernel = left.partition(",")
        batched = f"...{operand},{kernel}->...{out}"
        return lambda x: np.einsum(batched, x, weight)
    if (primitive.input_axes, primitive.output_axes, primitive.shared_axes) != ((0,), (1,), ()):
        return None
    matrix = weight.T if primitive.transposed else weight
    return lambda x: x @ matrix


def _last(primitive: prim.Convolve, x: Array) -> Array:
    return np.moveaxis(x, primitive.channel_axis + 1, -1)


def _taps(windows: tuple[prim.SlidingWindow, ...]) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each tap with the slices of the padded axes that it reads."""
    taps: list[tuple[tuple[int, ...], tuple[slice, ...]]] = []
    for tap in product(*(range(integer(s.kernel)) for s in windows)):
        where = tuple(
            slice(s.dilation * t, s.dilation * t + s.stride * (s.positions - 1) + 1, s.stride)
            for t, s in zip(tap, windows, strict=True)
        )
        taps.append((tap, where))
    return taps


def _extent(s: prim.SlidingWindow) -> int:
    """The size of the axis with its padding."""
    reached = s.stride * (s.positions - 1) + s.dilation * (s.kernel - 1) + 1
    return max(integers((reached, s.pad_before + s.size)))


def _convolution(primitive: prim.Convolve, kernel: Array) -> Map:
    groups, cin, cout = len(kernel), kernel.shape[-2], kernel.shape[-1]
    taps_first = np.moveaxis(kernel, 0, -3)

    def apply(x: Array) -> Array:
        x = _last(primitive, x)
        margins = [integers((s.pad_before, _extent(s) - s.pad_before - s.size)) for s in primitive.windows]
        x = np.pad(x, [(0, 0), *margins, (0, 0)])
        positions = integers(s.positions for s in primitive.windows)
        y = np.zeros((len(x), *positions, groups, cout))
        for tap, where in _taps(primitive.windows):
            part = x[(slice(None), *where)].reshape(len(x), *positions, groups, cin)
            y += np.einsum("...gi,gio->...go", part, taps_first[tap], optimize=True)
        return np.moveaxis(y.reshape(len(x), *positions, groups * cout), -1, primitive.channel_axis + 1)

    return apply


def _transposed(primitive: prim.Convolve, kernel: Array) -> Map:
    (weight,) = kernel

    def apply(x: Array) -> Array:
        x = _last(primitive, x)
        y = np.zeros((len(x), *map(_extent, primitive.windows), weight.shape[-2]))
        for tap, where in _taps(primitive.windows):
            y[(slice(None), *where)] += x @ weight[tap].T
        inside = tuple(slice(s.pad_before, s.pad_before + s.size) for s in primitive.windows)
        return np.moveaxis(y[(slice(None), *inside)], -1, primitive.channel_axis + 1)

    return apply


def _local(primitive: prim.LocallyConnected, norms: ActualNorms) -> Map | None:
    matrix = local_matrix(norms.array(primitive.weight), primitive)
    if matrix is None:
        return None
    positions = [s.positions for s in primitive.windows]

    def apply(x: Array) -> Array:
        flat = np.moveaxis(x, primitive.channel_axis + 1, -1).reshape(len(x), -1)
        y = (flat @ matrix).reshape(len(x), *positions, primitive.filters)
        return np.moveaxis(y, -1, primitive.channel_axis + 1)

    return apply


def _spread(values: Array, axes: tuple[int, ...], rank: int) -> Array:
    """Values along some axes, reshaped to broadcast against a batch of samples of this rank."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [1] * (rank + 1)
    for i in order:
        shape[axes[i] + 1] = values.shape[i]
    return values.transpose(order).reshape(shape)


def _factor(primitive: prim.Scale, norms: ActualNorms) -> Map | None:
    if primitive.weight is not None:
        weight = norms.array(primitive.weight)
        return None if weight is None else lambda x: x * _spread(weight, primitive.axes, x.ndim - 1)
    value = np.asarray(
        primitive.value.value if isinstance(primitive.value, Constant) else primitive.value, float
    )
    return lambda x: x / value if primitive.reciprocal else x * value


def _batch(primitive: prim.BatchStandardise, norms: ActualNorms) -> Map | None:
    variance = norms.array(primitive.variance)
    gamma = np.ones(1) if primitive.gamma is None else norms.array(primitive.gamma)
    if variance is None or gamma is None:
        return None
    if primitive.floor:
        deviation = np.maximum(np.sqrt(variance), primitive.epsilon)
        scale = deviation if primitive.inverse else 1 / deviation
    else:
        scale = gamma / np.sqrt(variance + primitive.epsilon)
    if scale.ndim != len(primitive.axes):
        return None
    return lambda x: x * _spread(scale, primitive.axes, x.ndim - 1)


def _margin(pairs: tuple[tuple[Any, Any], ...]) -> Map:
    padding = [(0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs)]

    def apply(x: Array) -> Array:
        cropped = tuple(
            slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[1:], pairs, strict=True)
        )
        return np.pad(x[(slice(None), *cropped)], padding)

    return apply


def _along(maps: list[tuple[int, resampling.AxisMap]]) -> Map | None:
    matrices = []
    for axis, axis_map in maps:
        table = resampling.rows(axis_map)
        if table is None:
            return None
        width = 1 + max(j for row in table for j, _ in row)
        size = getattr(axis_map, "size", width)
        matrix = np.zeros((len(table), int(size)))
        for i, row in enumerate(table):
            for j, w in row:
                matrix[i, j] += w
        matrices.append((axis + 1, matrix))

    def apply(x: Array) -> Array:
        for axis, matrix in matrices:
            x = np.moveaxis(np.tensordot(x, matrix, axes=(axis, 1)), -1, axis)
        return x

    return apply


def units(shape: tuple[int, ...]) -> int:
    """The number of units of a sample of this shape."""
    return prod(shape)
