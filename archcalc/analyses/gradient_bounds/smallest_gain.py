"""What a stage keeps at least of a change behind it: the smallest stretch of its transposed Jacobian."""

from __future__ import annotations

from math import sqrt

from archcalc.analyses.gradient_bounds.terms import IDENTITY, ZERO, Bound, named, number, times
from archcalc.analyses.gradient_bounds.value_ranges import ANY, slope
from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.layers import primitives as st


def kept(stages: st.Stages, norms: Norms) -> Bound:
    """The product over a chain; zero where a stage may swallow a direction."""
    return times(*(_of(stage, norms) for stage in stages)) if stages else IDENTITY


def _of(stage: st.Stage, norms: Norms) -> Bound:
    match stage:
        case st.Permute() | st.Reshape() | st.Offset() | st.Disturb() | st.Mask():
            return IDENTITY
        case st.Pointwise(function, parameters, None):
            low, high = slope(function, dict(parameters), ANY)
            return number(max(low, -high, 0.0))
        case st.Matrix() | st.Convolve() | st.Local():
            found = norms.surjective(stage)
            return named(f"smallest singular value of {stage.weight}", found) if found else ZERO
        case st.Margin(pairs) if all(type(n) is int and n <= 0 for pair in pairs for n in pair):
            return IDENTITY  # a crop: its transpose pads
        case st.BatchStandardise(_, epsilon, _, variance, gamma, floor=False) if isinstance(variance, str):
            scale = norms.normalised(gamma, variance, epsilon)
            return ZERO if scale is None else number(scale[0])
        case st.Reduce("mean", _, count) if type(count) is int:
            return number(1 / sqrt(count))
        case st.Reduce("sum", _, count) if type(count) is int:
            return number(sqrt(count))
        case st.Reduce("max" | "min", _, count) if type(count) is int:
            return number(1 / sqrt(count))  # units that tie share the gradient
        case st.Enlarge(_, _, factor, "nearest") if type(factor) is int and factor == 1:
            return IDENTITY
    return ZERO
