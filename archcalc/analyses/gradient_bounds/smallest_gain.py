"""The smallest gain of a layer's backward pass: norm(J^T v) / norm(v), at least, for its Jacobian J."""

from __future__ import annotations

from math import sqrt

from archcalc.analyses.gradient_bounds.terms import IDENTITY, ZERO, Bound, named, number, times
from archcalc.analyses.gradient_bounds.value_ranges import ANY, slope
from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.layers import primitives as prim


def smallest_gain(primitives: prim.Primitives, norms: Norms) -> Bound:
    """The smallest gain of a chain, the product over its primitives; zero where one may lose a direction."""
    return times(*(_of(primitive, norms) for primitive in primitives)) if primitives else IDENTITY


def _of(primitive: prim.Primitive, norms: Norms) -> Bound:
    match primitive:
        case prim.Permute() | prim.Reshape() | prim.Offset() | prim.TrainingNoise() | prim.Dropout():
            return IDENTITY
        case prim.Pointwise(function, parameters, None):
            low, high = slope(function, dict(parameters), ANY)
            return number(max(low, -high, 0.0))
        case prim.Matrix() | prim.Convolve() | prim.LocallyConnected():
            smallest = norms.smallest_singular_value(primitive)
            return named(f"smallest singular value of {primitive.weight}", smallest) if smallest else ZERO
        case prim.Pad(pairs) if all(type(n) is int and n <= 0 for pair in pairs for n in pair):
            return IDENTITY  # the transpose of cropping is padding
        case prim.BatchStandardise(_, epsilon, _, variance, gamma, floor=False) if isinstance(variance, str):
            scale = norms.normalised(gamma, variance, epsilon)
            return ZERO if scale is None else number(scale[0])
        case prim.Reduce("mean", _, count) if type(count) is int:
            return number(1 / sqrt(count))
        case prim.Reduce("sum", _, count) if type(count) is int:
            return number(sqrt(count))
        case prim.Reduce("max" | "min", _, count) if type(count) is int:
            return number(1 / sqrt(count))  # equal units share the gradient
        case prim.Upsample(_, _, factor, "nearest") if type(factor) is int and factor == 1:
            return IDENTITY
    return ZERO
