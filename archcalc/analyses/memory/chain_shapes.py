"""The shapes between the primitives of a chain."""

from __future__ import annotations

from collections.abc import Mapping

from archcalc.arith import Shape, Size
from archcalc.layers import primitives as prim

# those that keep the shape
ELEMENTWISE = (
    prim.Pointwise, prim.Scale, prim.Offset, prim.ZeroGradient, prim.TrainingNoise, prim.Dropout,
    prim.BatchStandardise, prim.Standardise, prim.DivideByStd, prim.Normalise, prim.Cumulative,
    prim.Softmax, prim.Sparsemax,
)  # fmt: skip


def shape_after(primitive: prim.Primitive, x: Shape, weights: Mapping[str, Shape]) -> Shape | None:
    """The shape after a primitive; None if it does not follow from the primitive and the weights."""
    match primitive:
        case prim.Convolve(str() as weight):
            return _convolved(primitive, x, weights[weight])
        case prim.Matrix(weight, equation=None, transposed=False):
            return (*x[:-1], *(weights[weight][axis] for axis in primitive.output_axes))
        case prim.Pool(_, windows):
            return _along(x, {w.axis: w.positions for w in windows})
        case prim.Upsample(axis, size, factor):
            return _along(x, {axis: size * factor})
        case prim.Resample(axis, _, positions):
            return _along(x, {axis: positions})
        case prim.Pad(pairs):
            return tuple(n + before + after for n, (before, after) in zip(x, pairs, strict=True))
        case prim.Permute(order):
            return tuple(x[axis] for axis in order)
        case prim.Reshape(shape):
            return shape
        case prim.Reduce(_, axes, _, keepdims):
            return tuple(1 if a in axes else n for a, n in enumerate(x) if keepdims or a not in axes)
        case prim.Recur():
            return (primitive.steps, primitive.units) if primitive.return_sequences else (primitive.units,)
        case prim.Stacked(cells):
            return shape_after(cells[-1], x, weights)
    return x if isinstance(primitive, ELEMENTWISE) else None


def _convolved(primitive: prim.Convolve, x: Shape, kernel: Shape) -> Shape:
    out = _along(x, {w.axis: w.size if primitive.transposed else w.positions for w in primitive.windows})
    channels = kernel[-2] if primitive.transposed else kernel[-1]
    channels = kernel[-2] * kernel[-1] if primitive.depthwise else channels
    return _along(out, {primitive.channel_axis: channels})


def _along(x: Shape, sizes: Mapping[int, Size]) -> Shape:
    return tuple(sizes.get(axis, n) for axis, n in enumerate(x))
