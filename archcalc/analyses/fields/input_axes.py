"""Which axes of a network's inputs are positions and which are features, from how the layers read them.

Every axis is followed forward through the windows, by one pass over the graph and one back:

- a layer that slides along it, pools over it, or runs along it makes it an axis of positions;
- a layer that reads it as channels, by weights of its own for each unit along it, makes it an axis of
  features, unless another layer slides along it.

What no layer decides is a position, except a last axis that is still the last where it ends: that holds
features, as everywhere in Keras. It ends where it is reduced, flattened with two or more other axes, or
returned. Two axes that are flattened together tell nothing apart, and both are positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, certainly, equal, scope
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.base import Layer
from archcalc.layers.normalization import OverAxes
from archcalc.layers.spatial import ChannelsLast
from archcalc.layers.window import Blocks, Phases, Prefix, Read, Scattered, Section, Taps, Whole, Window


class Use(Enum):
    """What becomes of an axis."""

    POSITIONS = "positions"
    FEATURES = "features"
    LAST = "the last axis of a tensor, where nothing follows that decides"


class AxisRead(NamedTuple):
    """A layer's read of `axis` of its `input`, which has `rank` axes; the rest as in `Step`."""

    input: int
    rank: int
    axis: int
    use: Use | None
    onward: tuple[int, ...]
    scattered: bool


class Step(NamedTuple):
    """A layer's read of `axis` of the first output of `node`: its use, and the axes of `reader` it goes to.

    `scattered`: it goes there mixed with other axes.
    """

    node: int
    axis: int
    use: Use | None
    reader: int
    onward: tuple[int, ...]
    scattered: bool


def feature_axes(graph: Graph, shapes: Shapes) -> dict[int, frozenset[int]]:
    """The axes of features of every node without inputs; its other axes are positions."""
    live = {i: {*range(len(shapes[i][0]))} for i, node in enumerate(graph.nodes) if not node.inputs}
    steps: list[Step] = []
    # only of layers that an axis reaches: few, where the first ones slide along it
    cases, reads = graph.cases(shapes), dict[int, list[AxisRead]]()
    with scope():  # assumptions about sizes that are only tried are of no interest
        for i, node in enumerate(graph.nodes):
            if live.keys().isdisjoint([tap.node for tap in node.inputs]):
                continue
            case = cases.of[i]
            if case not in reads:
                layer, inputs = cases.calls[case]
                reads[case] = _reads(layer, *inputs)
            for read in reads[case]:
                tap = node.inputs[read.input]
                # windows describe the first output of a layer
                if read.axis in live.get(tap.node, ()) and read.rank == len(shapes[tap.node][0]):
                    # positions remain positions, whatever follows
                    onward = () if read.use is Use.POSITIONS else read.onward
                    steps.append(Step(tap.node, read.axis, read.use, i, onward, read.scattered))
                    if onward:
                        live.setdefault(i, set()).update(onward)
    uses: dict[tuple[int, int], set[Use]] = {}
    followed = {(step.node, step.axis) for step in steps}
    for i, axes in live.items():
        last = len(shapes[i][0]) - 1
        if last in axes and (i, last) not in followed:
            uses[i, last] = {Use.LAST}
    for step in reversed(steps):
        of_axis = uses.setdefault((step.node, step.axis), set())
        of_axis |= {step.use} if step.use else set()
        for a in step.onward:
            seen = uses.get((step.reader, a), set())
            # own weights for each unit of a flattened tensor do not tell its axes apart
            of_axis |= seen & {Use.POSITIONS} if step.scattered else seen
    return {
        i: _features(shapes[i][0], [uses.get((i, a), set()) for a in range(len(shapes[i][0]))])
        for i, node in enumerate(graph.nodes)
        if not node.inputs
    }


def _reads(layer: Layer, *inputs: Shape) -> list[AxisRead]:
    """What a layer does with each axis of its inputs."""
    if not inputs:
        return []
    rank = len(layer.output_shapes(*inputs)[0])
    return [
        AxisRead(
            k,
            len(window),
            axis,
            _use(layer, inputs, k, axis, window),
            # normalisation reads axes as a whole and leaves them what they are
            (axis,) if isinstance(layer, OverAxes) else _onward(read, rank),
            isinstance(read, Scattered),
        )
        for k, window in enumerate(layer.window(*inputs))
        for axis, read in enumerate(window)
        if not _reads_nothing(read)
    ]


def _reads_nothing(read: Read) -> bool:
    return isinstance(read, Phases) and not any(read.reads)


def _onward(read: Read, rank: int) -> tuple[int, ...]:
    if isinstance(read, Taps | Blocks | Section):
        return (read.axis,)
    return (read.axes or tuple(range(rank))) if isinstance(read, Scattered) else ()


def _use(layer: Layer, inputs: tuple[Shape, ...], k: int, axis: int, window: Window) -> Use | None:
    """What a layer's read of one axis of input `k` says about that axis; None if it says nothing."""
    rank, read = len(window), window[axis]
    if isinstance(layer, ChannelsLast) and rank == layer.rank + 1:
        return Use.FEATURES if axis == layer.channel_axis else Use.POSITIONS
    if isinstance(read, Phases | Prefix) or (isinstance(read, Taps) and not certainly(equal(read.count, 1))):
        return Use.POSITIONS
    if isinstance(layer, OverAxes):
        return None
    if isinstance(read, Whole | Blocks) and _has_own_weights(layer, inputs, k, axis):
        return Use.FEATURES
    ends = not isinstance(read, Taps | Blocks | Section | Scattered)
    flattened = isinstance(read, Scattered) and sum(isinstance(r, Scattered) for r in window) > 2
    return Use.LAST if axis == rank - 1 and (ends or flattened) else None


def _has_own_weights(layer: Layer, inputs: tuple[Shape, ...], k: int, axis: int) -> bool:
    """Whether each unit along an axis has weights of its own: on an axis twice as long, there are others."""
    shape = inputs[k]
    longer = (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])
    try:
        before = [w.shape for w in layer.weights(*inputs)]
        after = [w.shape for w in layer.weights(*inputs[:k], longer, *inputs[k + 1 :])]
    except ArchcalcError:
        return True  # weights, constants or states allow no other size
    return len(before) != len(after) or any(
        len(a) != len(b) or not all(certainly(equal(n, m)) for n, m in zip(a, b, strict=True))
        for a, b in zip(before, after, strict=True)
    )


def _features(shape: Shape, uses: Sequence[set[Use]]) -> frozenset[int]:
    features = {a for a, of in enumerate(uses) if Use.FEATURES in of and Use.POSITIONS not in of}
    last = len(shape) - 1
    if last >= 0 and uses[last] == {Use.LAST} and (not features or certainly(equal(shape[last], 1))):
        features.add(last)
    return frozenset(features)
