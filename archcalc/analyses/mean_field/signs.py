"""Tensors without negative units, on which ReLU is the identity.

The gradient of ReLU is zero where its output is. If it meets another ReLU going back, with nothing between
that is negative somewhere, the same units are zero, and nothing more is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archcalc.analyses.mean_field.functions import Array, Function
from archcalc.analyses.mean_field.state import Forward, Pullback
from archcalc.arith import ceil_div, integer, integers
from archcalc.layers import primitives as prim

_WINDOWS = (prim.Pool, prim.Upsample, prim.ConstantMatrix)
_MOVES = (prim.Permute, prim.Reshape, prim.Pad)


def of_function(phi: Function, x: Forward, values: Array) -> float | None:
    """`Forward.positive_share` of phi(x), from `values`, those of phi at x's quantiles."""
    if x.positive_share is not None and phi.kind in ("linear", "broken"):
        return x.positive_share if phi.slopes[1] > 0 else None
    if np.minimum.reduce(values) < 0:
        return None
    if x.positive_share is not None and float(phi.value(np.zeros(1))[0]) == 0:
        return x.positive_share
    return np.count_nonzero(values > 0) / len(values)


def of_primitive(primitive: prim.Primitive, inputs: Sequence[Forward], output: Forward) -> float | None:
    """`Forward.positive_share` of the output, for every primitive but a function."""
    if isinstance(primitive, prim.Pointwise | prim.Nested):
        return output.positive_share
    if isinstance(primitive, prim.Softmax):
        return None if primitive.log else 1.0
    known = [x.positive_share for x in inputs if x.positive_share is not None]
    if len(known) < len(inputs):
        if not known:
            return None
        live = _live(primitive, inputs)
        return None if live is None else inputs[live].positive_share
    share = known[0]
    if isinstance(primitive, _MOVES):
        return share
    if isinstance(primitive, prim.Scale):
        return share if np.all(output.ratio.values >= 0) else None
    if isinstance(primitive, prim.Dropout | prim.TrainingNoise):
        return share * (1 - getattr(primitive, "rate", 0.0))
    if isinstance(primitive, prim.Reduce):
        return (
            1 - (1 - share) ** integer(primitive.count) if primitive.kind in ("mean", "sum", "max") else None
        )
    if isinstance(primitive, _WINDOWS):
        return _of_windows(primitive, share)
    if isinstance(primitive, prim.Merge):
        return _of_merge(primitive, inputs, known)
    return None


def _of_windows(primitive: prim.Pool | prim.Upsample | prim.ConstantMatrix, share: float) -> float | None:
    """Of means and maxima over windows; a window is positive if one of its units is."""
    if isinstance(primitive, prim.Pool):
        kernels = integers(getattr(w, "kernel", ceil_div(w.size, w.positions)) for w in primitive.windows)
        return 1 - (1 - share) ** math.prod(kernels)
    if isinstance(primitive, prim.ConstantMatrix):
        rows = np.asarray(primitive.rows)
        return None if np.any(rows < 0) else 1 - (1 - share) ** max(float((rows > 0).sum(axis=1).mean()), 1.0)
    return share if primitive.interpolation in ("nearest", "bilinear") else None


def _of_merge(primitive: prim.Merge, inputs: Sequence[Forward], known: Sequence[float]) -> float | None:
    if primitive.kind == "concatenate":
        sizes = [math.prod(x.shape) for x in inputs]
        return sum(n * share for n, share in zip(sizes, known, strict=True)) / max(sum(sizes), 1)
    if primitive.kind == "multiply":
        return math.prod(known)
    if primitive.kind == "add" and all(c > 0 for c in primitive.coefficients or (1.0,)):
        return 1 - math.prod(1 - share for share in known)
    return None


def _live(primitive: prim.Primitive, inputs: Sequence[Forward]) -> int | None:
    """The only part of a sum that is not zero, if it is added as it is; else None."""
    if not isinstance(primitive, prim.Merge) or primitive.kind != "add":
        return None
    live = [i for i, x in enumerate(inputs) if not x.squares.is_zero]
    coefficients = primitive.coefficients or (1.0,) * len(inputs)
    return live[0] if len(live) == 1 and coefficients[live[0]] > 0 else None


def keeping(primitive: prim.Primitive, inputs: Sequence[Forward], pullback: Pullback) -> Pullback:
    """A pullback that keeps `Backward.rectified` where the units that are zero stay the same."""
    if isinstance(primitive, prim.Merge):
        keeps = primitive.kind == "concatenate" or _live(primitive, inputs) is not None
    elif isinstance(primitive, prim.Pool | prim.Reduce):
        keeps = primitive.kind == "max"
    else:
        keeps = isinstance(primitive, (*_MOVES, prim.Scale))
    return (lambda g: pullback(g).rectified_if(g.rectified)) if keeps else pullback
