"""Moments along the axes of a root, axis by axis or, where the axes behave alike, in one description."""

from __future__ import annotations

from typing import Any, NamedTuple

from archcalc.analyses.fields.moments import Component, Composition, Moments, twelvefold_variance
from archcalc.analyses.fields.sliding import CommonTaps


class AxisMoments(NamedTuple):
    """Moments along each axis of a root, and the scale: the total weight relative to other branches."""

    axes: tuple[Moments, ...]
    scale: Any


class AlikeMoments(NamedTuple):
    """The usual case: along each axis of the root one component of mass 1, in floats, with these numbers.

    The dependence of unit i along `axes[k]` on axis k has the mean `step*i + mean` and this variance.
    """

    axes: tuple[int, ...]
    step: int
    mean: float
    variance: float
    scale: Any

    def through(self, taps: CommonTaps) -> AlikeMoments:
        """Those of a layer that slides over these units; raises `OverflowError` beyond double precision."""
        axes, stride, offset, count, dilation, reach = taps
        if stride == 1 and offset == reach == 0:
            return self if axes == self.axes else self._replace(axes=axes)
        step = self.step
        mean = self.mean + float(step) * (float(offset) + float(reach) / 2.0)
        variance = self.variance + float(twelvefold_variance(step, count, dilation)) / 12.0
        return AlikeMoments(axes, step * stride, mean, variance, self.scale)


def axis_moments(state: AlikeMoments | AxisMoments) -> AxisMoments:
    """The same, axis by axis."""
    if isinstance(state, AxisMoments):
        return state
    _, step, mean, variance, scale = state
    return AxisMoments(
        tuple([(Component(a, step, (mean,), (variance,), (1.0,)),) for a in state.axes]), scale
    )


def condensed(state: AxisMoments) -> AlikeMoments | AxisMoments:
    """The same in one description, if there is one."""
    axes = []
    numbers = set()
    for moments in state.axes:
        if not isinstance(moments, tuple) or len(moments) != 1:
            return state
        axis, step, mean, variance, mass = moments[0]
        if axis is None or len(mean) != 1 or type(step) is not int or mass != (1.0,):
            return state
        axes.append(axis)
        numbers.add((step, mean[0], variance[0]))
    if len(numbers) != 1 or type(state.scale) is not float:
        return state
    ((step, mean, variance),) = numbers
    if not step > 0:
        return state
    return AlikeMoments(tuple(axes), step, mean, variance, state.scale)


def mixed(
    branches: list[AlikeMoments], weights: list[float], scale: float, composition: Composition
) -> AlikeMoments | None:
    """The mixture of branches with these weights, which add up to 1; None if it has no such form."""
    first = branches[0]
    mixture: tuple[float, float, float] = weights[0], first.mean, first.variance
    for branch, weight in zip(branches[1:], weights[1:], strict=True):
        if branch.axes != first.axes or branch.step != first.step:
            return None
        mixture = composition.mixture([mixture, (weight, branch.mean, branch.variance)])
    mass, mean, variance = mixture
    return AlikeMoments(first.axes, first.step, mean, variance, scale) if mass == 1.0 else None
