"""The effective receptive field: how widely a unit's dependence is spread over its field.

Assumed: layers are linear (activations and max pooling count as the identity and the mean),
kernels are uniform and scaled by their fan-in, so that every layer passes on a mass of 1.
With independent zero-mean weights of equal variance the same figures describe the expected
*squared* gradient. Source: Luo, Li, Urtasun & Zemel 2016, "Understanding the Effective
Receptive Field in Deep Convolutional Neural Networks": sigma^2 is the sum over the layers of
d^2 (k^2 - 1)/12 * j^2, j being the stride so far. Here extended to branches, phases and
global pooling (docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite, sqrt
from typing import Any, NamedTuple

from archcalc.analyses.fields.moments import (
    NOTHING,
    UNEQUAL,
    Component,
    Exact,
    Floats,
    Mixing,
    Moments,
    Numbers,
)
from archcalc.analyses.fields.propagate import Flow
from archcalc.analyses.fields.windows import Windows, spatial_axes, windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, Size, certainly, equal, is_array
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Node
from archcalc.layers.window import Fixed, Phases, Section, Taps, Window

OUT_OF_RANGE = Unknown("the spread exceeds the range of double precision")
SEAM = Unknown("positions of a concatenation along a spatial axis depend on one input each")
ARRAYS = Unknown("the spread is computed for one configuration at a time")
NOT_STEADY = Unknown("a block that is repeated a symbolic number of times does not move in even steps")
UNEVEN = Unknown("how strongly branches mix may change from place to place along another axis")
BEHIND_PHASES = Unknown("a block that is repeated a symbolic number of times stands behind upsampling")


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """The spread of the dependence of place n//2 along each spatial axis of an input.

    `variance` in squared input units and `sigma`, its root: a float, an expression (`sigma`:
    its text) where a symbol is left, or `Unknown` with the reason.
    """

    sigma: tuple[Any, ...]
    variance: tuple[Any, ...]


class Spread(NamedTuple):
    """What is carried: moments along each root axis, and the scale against other branches."""

    axes: tuple[Moments, ...]
    scale: Any


def effective_fields(
    graph: Graph, shapes: Shapes, reads: Windows | None = None
) -> list[dict[str, EffectiveField | None]]:
    """For each node the effective field of its output in each model input, by the input's name.

    Returns
    -------
    One dictionary per node; an entry is None where no path leads from that input. Along an
    axis the figure is unknown where values or trained weights decide how strongly units are
    read: a product of two branches, attention, a recurrence, normalisation over that axis.
    """
    reads = windows(graph, shapes) if reads is None else reads
    roots = spatial_axes(graph, shapes)
    if any(is_array(n) for outputs in shapes for shape in outputs for n in shape):
        return [_of_arrays(graph, roots) for _ in graph.nodes]
    numbers: Numbers = Exact() if graph.repeats or _symbolic(shapes, reads) else Floats()
    algebra = Spreads(numbers)
    flow = Flow(graph, shapes, reads, roots, algebra)
    names = [(i, graph.nodes[i].name) for i in graph.inputs]
    found: list[dict[str, EffectiveField | None]] = []
    for i, state in flow:
        found.append(
            {
                name: algebra.figures(state[root], shapes[i][0]) if root in state else None
                for root, name in names
            }
        )
    return found


def _of_arrays(graph: Graph, roots: Mapping[int, tuple[int, ...]]) -> dict[str, EffectiveField | None]:
    return {
        graph.nodes[i].name: EffectiveField((ARRAYS,) * len(a), (ARRAYS,) * len(a)) for i, a in roots.items()
    }


def _symbolic(shapes: Shapes, reads: Windows) -> bool:
    """Whether any size is an expression."""
    if any(isinstance(n, Expr) for outputs in shapes for shape in outputs for n in shape):
        return True
    for read in chain.from_iterable(chain.from_iterable(reads.reads)):
        numbers: tuple[Size, ...] = (read.index,) if isinstance(read, Fixed) else ()
        if isinstance(read, Taps):
            numbers = (read.stride, read.offset, read.count, read.dilation)
        if any(isinstance(n, Expr) for n in numbers):
            return True
    return False


class Spreads:
    """Moments as an algebra of the flow."""

    def __init__(self, numbers: Numbers) -> None:
        self.n = numbers
        self.mixing = Mixing(numbers)

    def start(self, axes: Sequence[int]) -> Spread:
        return Spread(tuple(map(self.mixing.identity, axes)), self.n.one)

    def unknown(self, axes: int, why: Unknown) -> Spread:
        return Spread((why,) * axes, why)

    def through(self, state: Spread, window: Window, shape: Shape) -> Spread:
        if any(type(read) is Section for read in window):
            return self.unknown(len(state.axes), SEAM)
        if _reads_nothing(window):
            return Spread(((),) * len(state.axes), state.scale)
        if len(state.axes) > 1 and _weighs_positions(window) and any(map(_is_open, state.axes)):
            return self.unknown(len(state.axes), UNEVEN)
        try:
            made = [self.mixing.through(moments, window, shape) for moments in state.axes]
        except OverflowError:
            return self.unknown(len(state.axes), OUT_OF_RANGE)
        axes = tuple([moments for moments, _ in made])
        scale = state.scale
        if () in axes:
            return Spread(((),) * len(axes), scale)
        for _, factor in made:
            if not (type(factor) is int and factor == 1):
                scale = scale if isinstance(scale, Unknown) else self.n.scaled(scale, factor)
        if scale is state.scale and all(a is b for a, b in zip(axes, state.axes, strict=True)):
            return state
        return Spread(axes, scale)

    def join(self, branches: Sequence[tuple[int, Spread]], node: Node, inputs: Sequence[Shape]) -> Spread:
        alive = [branch for branch in branches if () not in branch[1].axes]
        if not alive:
            return branches[0][1]
        branches = alive
        shares = node.layer.shares(*inputs)
        if shares is None:
            why = Unknown(f"how {type(node.layer).__name__} weighs its inputs depends on their values")
            if len(branches) == 1:  # what it is weighed with moves no unit, but what it weighs is open
                return branches[0][1]._replace(scale=why)
            return self.unknown(len(branches[0][1].axes), why)
        scales = [self._scale(state, shares.each[k], shares.of) for k, state in branches]
        if len(branches) == 1:
            return branches[0][1]._replace(scale=scales[0])
        unknown = next((s for s in scales if isinstance(s, Unknown)), None)
        parts = self.n.parts(scales) if unknown is None else unknown
        if isinstance(parts, Unknown):
            return self.unknown(len(branches[0][1].axes), parts)
        weights, scale = parts
        columns = list(zip(*(state.axes for _, state in branches), strict=True))
        uneven = [a for a, seen in enumerate(columns) if _is_uneven(seen)]
        axes = [
            # along this axis the branches' parts are the same at every position of the others, or alike
            self._mixed(seen, weights) if not set(uneven) - {a} or _are_alike(seen) else UNEVEN
            for a, seen in enumerate(columns)
        ]
        return Spread(tuple(axes), scale)

    def _scale(self, state: Spread, each: Size, of: Size) -> Any:
        if isinstance(state.scale, Unknown) or (type(each) is type(of) is int and each == of):
            return state.scale
        ratio = self.n.ratio(each, of)
        return self.n.scaled(state.scale, ratio)

    def _mixed(self, seen: Sequence[Moments], weights: Sequence[Any]) -> Moments:
        parts: list[Component] = []
        for moments, weight in zip(seen, weights, strict=True):
            weighed = self.mixing.weighed(moments, weight)
            if isinstance(weighed, Unknown):
                return weighed
            parts += weighed
        try:
            return self.mixing.joined(parts)
        except OverflowError:
            return OUT_OF_RANGE

    # -- repeated blocks ---------------------------------------------------------------------------
    def power(self, block: Spread, count: Size, shape: Shape) -> Spread:
        """Means and variances of `count` copies add up: each is a convolution with the same weights.

        Not so if phases, along any axis, weigh the branches of each copy differently.
        """
        if any(part.period > 1 for seen in block.axes if not isinstance(seen, Unknown) for part in seen):
            return Spread((NOT_STEADY,) * len(block.axes), NOT_STEADY)
        axes: list[Moments] = []
        for axis, moments in enumerate(block.axes):
            if isinstance(moments, Unknown):
                axes.append(moments)
                continue
            part = moments[0] if len(moments) == 1 else None
            if part is None or part.axis != axis or not certainly(equal(part.step, 1)):
                axes.append(NOT_STEADY)
            else:
                axes.append(
                    (part._replace(mean=(part.mean[0] * count,), variance=(part.variance[0] * count,)),)
                )
        scale = block.scale
        if not isinstance(scale, Unknown) and scale != self.n.one:
            scale = scale**count if isinstance(scale, int) else Unknown("a fraction to a symbolic power")
        return Spread(tuple(axes), scale)

    def chain(self, relative: Spread, base: Spread) -> Spread:
        scale = relative.scale
        if not isinstance(scale, Unknown):
            scale = base.scale if isinstance(base.scale, Unknown) else self.n.scaled(base.scale, scale)
        axes = tuple(self._behind(relative, seen) for seen in base.axes)
        if any(seen is BEHIND_PHASES for seen in axes):  # they may weigh the branches of the block
            return Spread((BEHIND_PHASES,) * len(axes), BEHIND_PHASES)
        return Spread(axes, scale)

    def _behind(self, relative: Spread, seen: Moments) -> Moments:
        if isinstance(seen, Unknown):
            return seen
        parts: list[Component] = []
        for inner in seen:
            if inner.axis is None:
                parts.append(inner)
                continue
            if inner.period > 1:
                return BEHIND_PHASES
            outer = relative.axes[inner.axis]
            if isinstance(outer, Unknown):
                return outer
            step, (mean,), (variance,) = inner.step, inner.mean, inner.variance
            parts += [
                Component(
                    part.axis,
                    step * part.step,
                    tuple(mean + m * step for m in part.mean),
                    tuple(variance + v * (step * step) for v in part.variance),
                    tuple(m * inner.mass[0] for m in part.mass),
                )
                for part in outer
            ]
        return self.mixing.joined(parts)

    # -- figures -------------------------------------------------------------------------------------
    def figures(self, state: Spread, shape: Shape) -> EffectiveField:
        variances = tuple(self._variance(moments, shape) for moments in state.axes)
        if NOTHING in variances:  # what reads nothing along one axis reads nothing along the others
            variances = (NOTHING,) * len(variances)
        return EffectiveField(tuple(map(_root, variances)), variances)

    def _variance(self, moments: Moments, shape: Shape) -> Any:
        try:
            found = self.mixing.spread(moments, shape)
        except OverflowError:
            return OUT_OF_RANGE
        if isinstance(found, Expr | Unknown):
            return found
        try:
            found = float(found)
        except OverflowError:
            return OUT_OF_RANGE
        return found if isfinite(found) else OUT_OF_RANGE


def _reads_nothing(window: Window) -> bool:
    return any(type(read) is Phases and not any(read.reads) for read in window)


def _weighs_positions(window: Window) -> bool:
    """Whether some units read with more weight than others."""
    reads = (read for read in window if type(read) is Phases)
    return any(len({sum(weight for _, weight in row) for row in read.reads}) > 1 for read in reads)


def _is_open(moments: Moments) -> bool:
    """Whether it is open how much a place has once positions are weighed.

    So it is where several axes here follow one of the input.
    """
    return isinstance(moments, Unknown) or len({part.axis for part in moments}) > 1


def _is_uneven(seen: Sequence[Moments]) -> bool:
    """Whether phases along an axis give (or may give) some branches more of a mixture, and others less."""
    # where values decide how a whole axis is read, each position still has a mass of 1
    known = [moments for moments in seen if moments is not UNEQUAL]
    if any(isinstance(moments, Unknown) for moments in known):
        return True
    masses = [[(part.axis, part.mass) for part in m] for m in known if not isinstance(m, Unknown)]
    return any(mass != masses[0] for mass in masses) and any(
        m != mass[0] for parts in masses for _, mass in parts for m in mass
    )


def _are_alike(seen: Sequence[Moments]) -> bool:
    """Whether branches depend on an axis in the same way, so that it does not matter how they mix."""
    return all(not isinstance(m, Unknown) and m == seen[0] for m in seen)


def _root(variance: Any) -> Any:
    if isinstance(variance, Expr):
        return f"({variance})**(1/2)"
    return variance if isinstance(variance, Unknown) else sqrt(max(variance, 0.0))
