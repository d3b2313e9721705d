"""The effective receptive field: the spread of a unit's dependence over its receptive field.

Assumptions: layers are linear (activations count as the identity, max pooling as the mean), kernels
are uniform and scaled by their fan-in, so that the weights of every layer add up to 1. With
independent zero-mean weights of equal variance the same figures describe the expected *squared*
gradient. Source: Luo, Li, Urtasun & Zemel 2016, "Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks": sigma^2 is the sum over the layers of d^2 (k^2 - 1)/12 * j^2, where j
is the product of the strides before the layer. Extended to branches, phases and global pooling
(docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite, sqrt
from typing import Any, TypeAlias

from archcalc.analyses.copies import last_copies
from archcalc.analyses.fields.alike_moments import (
    AlikeMoments,
    AxisMoments,
    axis_moments,
    condensed,
    mixed,
)
from archcalc.analyses.fields.moments import (
    NOTHING,
    UNEQUAL,
    Component,
    Composition,
    Exact,
    Floats,
    Moments,
    Numbers,
)
from archcalc.analyses.fields.propagate import CHANGING, Propagation, mentions
from archcalc.analyses.fields.sliding import CommonTapsOf
from archcalc.analyses.fields.windows import Windows, windows
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
UNEVEN = Unknown("how strongly branches mix may change from position to position along another axis")
AFTER_PHASES = Unknown("a block that is repeated a symbolic number of times follows upsampling")


State: TypeAlias = AlikeMoments | AxisMoments


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """The spread of the dependence of position n//2 along each spatial axis of a model input.

    `variance` is in squared input units, `sigma` is its root. Entries are floats, expressions (for
    `sigma` as text) where a symbol is left, or `Unknown` with the reason.
    """

    sigma: tuple[Any, ...]
    variance: tuple[Any, ...]


def effective_fields(
    graph: Graph, shapes: Shapes, reads: Windows | None = None
) -> list[dict[str, EffectiveField | None]]:
    """The effective field of each node's output in each model input, by the input's name.

    Returns
    -------
    One dictionary per node; an entry is None where no path leads from that input to the node. Along
    an axis the figure is `Unknown` where values or trained weights decide how strongly units are
    read: a product of two branches, attention, a recurrence, normalisation over that axis.
    """
    reads = windows(graph, shapes) if reads is None else reads
    roots = reads.axes
    sizes = _one_of_each_type(shapes, reads)
    if any(map(is_array, sizes)):
        return [_of_arrays(graph, roots) for _ in graph.nodes]
    exact = graph.repeats or any(isinstance(n, Expr) for n in sizes)
    numbers: Numbers = Exact() if exact else Floats()
    algebra = MomentAlgebra(numbers, reads.common_taps)
    names = [(i, graph.nodes[i].name) for i in graph.inputs]
    last = last_copies(graph, shapes)
    by_node: list[dict[str, EffectiveField | None]] = []
    for i, state in Propagation(graph, shapes, reads, roots, algebra):
        if reads.source[i] != i and not graph.repeats:  # the rows of a block are those of its last copy
            by_node.append(by_node[reads.source[i]])
            continue
        by_node.append(
            {
                name: algebra.effective_field(state[root], last[i][0]) if root in state else None
                for root, name in names
            }
        )
    return by_node


def _of_arrays(graph: Graph, roots: Mapping[int, tuple[int, ...]]) -> dict[str, EffectiveField | None]:
    return {
        graph.nodes[i].name: EffectiveField((ARRAYS,) * len(a), (ARRAYS,) * len(a)) for i, a in roots.items()
    }


def _one_of_each_type(shapes: Shapes, reads: Windows) -> Collection[Size]:
    """One of the integers, of the expressions and of the arrays among the numbers in shapes and windows."""
    # equal layers on equal shapes have the same objects
    distinct = {id(outputs): outputs for outputs in shapes}.values()
    sizes = {type(n): n for shape in chain.from_iterable(distinct) for n in shape}
    windows_ = {id(of_node): of_node for of_node in reads.reads}.values()
    for read in {id(r): r for window in chain.from_iterable(windows_) for r in window}.values():
        if isinstance(read, Taps):
            sizes.update({type(n): n for n in (read.stride, read.offset, read.count, read.dilation)})
        elif isinstance(read, Fixed):
            sizes[type(read.index)] = read.index
    return sizes.values()


class MomentAlgebra:
    """Moments as an algebra for `propagate`."""

    def __init__(self, numbers: Numbers, common_taps: CommonTapsOf | None = None) -> None:
        self.n = numbers
        self.composition = Composition(numbers)
        self.common_taps = common_taps or CommonTapsOf()

    def start(self, axes: Sequence[int]) -> State:
        if axes and isinstance(self.n, Floats):
            return AlikeMoments(tuple(axes), 1, 0.0, 0.0, self.n.unit_scale)
        return AxisMoments(tuple(map(self.composition.identity, axes)), self.n.unit_scale)

    def unknown(self, axes: int, why: Unknown) -> AxisMoments:
        return AxisMoments((why,) * axes, why)

    def through(self, state: State, window: Window, shape: Shape, out: Shape) -> State:
        if isinstance(state, AlikeMoments):
            taps = self.common_taps(window, state.axes)
            if taps is not None:
                try:
                    return state.through(taps)
                except OverflowError:
                    return self.unknown(len(state.axes), OUT_OF_RANGE)
        composed = self._through(axis_moments(state), window, shape)
        return condensed(composed) if isinstance(self.n, Floats) else composed

    def _through(self, state: AxisMoments, window: Window, shape: Shape) -> AxisMoments:
        if Section in map(type, window):
            return self.unknown(len(state.axes), SEAM)
        if Phases in map(type, window):
            if _reads_nothing(window):
                return AxisMoments(((),) * len(state.axes), state.scale)
            if (
                len(state.axes) > 1
                and _weighs_positions(window)
                and any(map(_depends_on_weighing, state.axes))
            ):
                return self.unknown(len(state.axes), UNEVEN)
        try:
            composed = [self.composition.through(moments, window, shape) for moments in state.axes]
        except OverflowError:
            return self.unknown(len(state.axes), OUT_OF_RANGE)
        axes = tuple([moments for moments, _ in composed])
        scale = state.scale
        if () in axes:
            return AxisMoments(((),) * len(axes), scale)
        for _, factor in composed:
            if not (type(factor) is int and factor == 1):
                scale = scale if isinstance(scale, Unknown) else self.n.scaled(scale, factor)
        if scale is state.scale and all(a is b for a, b in zip(axes, state.axes, strict=True)):
            return state
        return AxisMoments(axes, scale)

    def join(self, branches: Sequence[tuple[int, State]], node: Node, inputs: Sequence[Shape]) -> State:
        alive = [branch for branch in branches if () not in branch[1].axes]
        if not alive:
            return branches[0][1]
        branches = alive
        shares = node.layer.shares(*inputs)
        if shares is None:
            why = Unknown(f"how {type(node.layer).__name__} weighs its inputs depends on their values")
            if len(branches) == 1:  # the other inputs only change the weights: the scale is unknown
                return branches[0][1]._replace(scale=why)
            return self.unknown(len(branches[0][1].axes), why)
        scales = [self._scale(state, shares.parts[k], shares.total) for k, state in branches]
        if len(branches) == 1:
            return branches[0][1]._replace(scale=scales[0])
        unknown = next((s for s in scales if isinstance(s, Unknown)), None)
        parts = self.n.parts(scales) if unknown is None else unknown
        if isinstance(parts, Unknown):
            return self.unknown(len(branches[0][1].axes), parts)
        weights, scale = parts
        alike = [state for _, state in branches if isinstance(state, AlikeMoments)]
        if len(alike) == len(branches):
            mixture = mixed(alike, weights, scale, self.composition)
            if mixture is not None:
                return mixture
        columns = list(zip(*(axis_moments(state).axes for _, state in branches), strict=True))
        uneven = [a for a, seen in enumerate(columns) if _is_uneven(seen)]
        axes = [
            # the branches' weights are the same at every position of the other axes, or do not matter
            self._mixed(seen, weights) if not set(uneven) - {a} or _are_alike(seen) else UNEVEN
            for a, seen in enumerate(columns)
        ]
        return AxisMoments(tuple(axes), scale)

    def _scale(self, state: State, each: Size, of: Size) -> Any:
        if isinstance(state.scale, Unknown) or (type(each) is type(of) is int and each == of):
            return state.scale
        ratio = self.n.ratio(each, of)
        return self.n.scaled(state.scale, ratio)

    def _mixed(self, seen: Sequence[Moments], weights: Sequence[Any]) -> Moments:
        parts: list[Component] = []
        for moments, weight in zip(seen, weights, strict=True):
            weighed = self.composition.weighed(moments, weight)
            if isinstance(weighed, Unknown):
                return weighed
            parts += weighed
        try:
            return self.composition.joined(parts)
        except OverflowError:
            return OUT_OF_RANGE

    # -- repeated blocks ---------------------------------------------------------------------------
    def power(self, block: State, count: Size, shape: Shape) -> AxisMoments:
        """`count` times the mean and variance of one copy: each is a convolution with the same weights.

        Unknown if the block has phases along any axis, which may weigh its branches differently.
        """
        block = axis_moments(block)
        if any(part.period > 1 for seen in block.axes if not isinstance(seen, Unknown) for part in seen):
            return AxisMoments((NOT_STEADY,) * len(block.axes), NOT_STEADY)
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
        if not isinstance(scale, Unknown) and scale != self.n.unit_scale:
            scale = scale**count if isinstance(scale, int) else Unknown("a fraction to a symbolic power")
        return AxisMoments(tuple(axes), scale)

    def without(self, state: State, index: str) -> AxisMoments:
        seen_by_axis, scale = axis_moments(state)
        axes = tuple(CHANGING if mentions(seen, index) else seen for seen in seen_by_axis)
        return AxisMoments(axes, CHANGING if mentions(scale, index) else scale)

    def chain(self, relative: State, base: State) -> AxisMoments:
        relative, base = axis_moments(relative), axis_moments(base)
        scale = relative.scale
        if not isinstance(scale, Unknown):
            scale = base.scale if isinstance(base.scale, Unknown) else self.n.scaled(base.scale, scale)
        axes = tuple(self._composed_map(relative, seen) for seen in base.axes)
        if any(seen is AFTER_PHASES for seen in axes):  # phases may weigh the block's branches differently
            return AxisMoments((AFTER_PHASES,) * len(axes), AFTER_PHASES)
        return AxisMoments(axes, scale)

    def _composed_map(self, relative: AxisMoments, seen: Moments) -> Moments:
        if isinstance(seen, Unknown):
            return seen
        parts: list[Component] = []
        for inner in seen:
            if inner.axis is None:
                parts.append(inner)
                continue
            if inner.period > 1:
                return AFTER_PHASES
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
        return self.composition.joined(parts)

    # -- results -------------------------------------------------------------------------------------
    def effective_field(self, state: State, shape: Shape) -> EffectiveField:
        if isinstance(state, AlikeMoments) and isfinite(state.variance):
            each = len(state.axes)
            return EffectiveField((sqrt(max(state.variance, 0.0)),) * each, (state.variance,) * each)
        variances = tuple(self._variance(moments, shape) for moments in axis_moments(state).axes)
        if NOTHING in variances:  # a unit that reads nothing along one axis reads nothing at all
            variances = (NOTHING,) * len(variances)
        return EffectiveField(tuple(map(_root, variances)), variances)

    def _variance(self, moments: Moments, shape: Shape) -> Any:
        try:
            variance = self.composition.spread(moments, shape)
        except OverflowError:
            return OUT_OF_RANGE
        if isinstance(variance, Expr | Unknown):
            return variance
        try:
            variance = float(variance)
        except OverflowError:
            return OUT_OF_RANGE
        return variance if isfinite(variance) else OUT_OF_RANGE


def _reads_nothing(window: Window) -> bool:
    return any(type(read) is Phases and not any(read.reads) for read in window)


def _weighs_positions(window: Window) -> bool:
    """Whether units of different phases read with different total weights."""
    reads = (read for read in window if type(read) is Phases)
    return any(len({sum(weight for _, weight in row) for row in read.reads}) > 1 for read in reads)


def _depends_on_weighing(moments: Moments) -> bool:
    """Whether the moments may change if positions along another axis are weighed differently.

    They may where several axes of the tensor depend on one axis of the input.
    """
    return isinstance(moments, Unknown) or len({part.axis for part in moments}) > 1


def _is_uneven(seen: Sequence[Moments]) -> bool:
    """Whether the branches' weights in a mixture differ, or may differ, between phases along an axis."""
    # where values decide how strongly a whole axis is read, each position still has a mass of 1
    known = [moments for moments in seen if moments is not UNEQUAL]
    if any(isinstance(moments, Unknown) for moments in known):
        return True
    masses = [[(part.axis, part.mass) for part in m] for m in known if not isinstance(m, Unknown)]
    return any(mass != masses[0] for mass in masses) and any(
        m != mass[0] for parts in masses for _, mass in parts for m in mass
    )


def _are_alike(seen: Sequence[Moments]) -> bool:
    """Whether all branches depend on an axis in the same way, so that their weights do not matter."""
    return all(not isinstance(m, Unknown) and m == seen[0] for m in seen)


def _root(variance: Any) -> Any:
    if isinstance(variance, Expr):
        return f"({variance})**(1/2)"
    return variance if isinstance(variance, Unknown) else sqrt(max(variance, 0.0))
