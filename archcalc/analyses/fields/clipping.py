"""The input units that one position of an output depends on, without padding: a backward pass.

Padding is cut off at every tensor on the way. Index sets are followed and not only intervals,
because near a border a dilated window may hit the axis with one inner tap and miss it with all
others; and boxes (products of sets along the axes), because a branch that reads only padding along
one axis contributes nothing along the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from archcalc.analyses.fields.index_sets import (
    IndexSet,
    contains,
    indices_read,
    reads_padding,
    union,
)
from archcalc.analyses.fields.windows import Windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, concrete, integer
from archcalc.graph import Graph
from archcalc.layers.window import Fixed, Phases, Scattered, Taps, UnknownRead, Whole, Window

Box: TypeAlias = tuple[IndexSet | None, ...]

# boxes of one tensor that are followed separately; more are replaced by their union along each axis
MAX_BOXES = 8

_WHATEVER_UNITS = (Whole, Fixed, UnknownRead)  # reads that are the same for all units


def clipped_sizes(
    graph: Graph, shapes: Shapes, windows: Windows, roots: Mapping[int, Sequence[int]], node: int
) -> dict[int, tuple[int | None, ...]]:
    """The extents of the input units that position n//2 (all channels) of a node's output depends on.

    For each root (an input node and its axes of interest) an entry per axis: the number of
    units from the first to the last, 0 if there are none, None if they are unknown.
    """
    boxes = _boxes_at_inputs(graph, shapes, windows, node)
    return {
        root: tuple(_extent([box[a] for box in boxes.get(root, [])]) for a in axes)
        for root, axes in roots.items()
    }


def clipped_boxes(
    graph: Graph, shapes: Shapes, windows: Windows, node: int, position: Sequence[int]
) -> dict[int, tuple[tuple[int, int] | None, ...]]:
    """The bounding box of the input units that one position (all channels) of a node's output depends on.

    `position` has an index for every axis of the output except the channels. For each input node an
    entry per axis: the first and the last unit, (0, -1) if there are none, None if they are unknown.
    """
    boxes = _boxes_at_inputs(
        graph, shapes, windows, node, _box(shapes[node][0], windows.channels[node], position)
    )
    return {
        root: tuple(_bounds([box[a] for box in boxes.get(root, [])]) for a in range(len(shapes[root][0])))
        for root in graph.inputs
    }


def is_cut(graph: Graph, shapes: Shapes, windows: Windows, node: int, position: Sequence[int]) -> bool:
    """Whether padding cuts off a window on some path to one position of a node's output."""
    at = _box(shapes[node][0], windows.channels[node], position)
    cut: list[int] = []
    _boxes_at_inputs(graph, shapes, windows, node, at, cut)
    return bool(cut)


def _boxes_at_inputs(
    graph: Graph,
    shapes: Shapes,
    windows: Windows,
    node: int,
    at: Box | None = None,
    cut: list[int] | None = None,
) -> dict[int, list[Box]]:
    """The boxes that are read of each model input; nodes that read padding are appended to `cut`."""
    if graph.repeats or not all(type(n) is int for i in graph.inputs for n in shapes[i][0]):
        return {i: [(None,) * len(shapes[i][0])] for i in graph.inputs}
    at = _middle_box(shapes[node][0], windows.channels[node]) if at is None else at
    source = windows.source
    pending: dict[int, list[Box]] = {source[node]: [at]}
    at_inputs: dict[int, list[Box]] = {}
    # of equal layers on equal shapes, whose boxes soon are the same: whole axes
    known: dict[Any, Box | None] = {}
    for i in range(source[node], -1, -1):
        boxes = pending.pop(i, None)
        if boxes is None:
            continue
        reader = graph.nodes[i]
        if not reader.inputs:
            at_inputs[i] = boxes
            continue
        out = shapes[i][0]
        for tap, window in zip(reader.inputs, windows.reads[i], strict=True):
            shape = shapes[tap.node][tap.output]
            if cut is not None and any(
                _reads_padding(box, window, shape, windows.channels[i]) for box in boxes
            ):
                cut.append(i)
            for box in boxes:
                key = id(window), box, id(shape), id(out)
                try:
                    box_read = known[key]
                except KeyError:
                    box_read = known[key] = _box_read(box, window, shape, out)
                if box_read is None:
                    continue
                if len(shape) != len(shapes[tap.node][0]):
                    # windows describe the first output of a layer; what another output reads is unknown
                    box_read = (None,) * len(shapes[tap.node][0])
                before = source[tap.node]
                if before not in pending:
                    pending[before] = [box_read]
                else:
                    _add(pending[before], box_read)
    return at_inputs


def _middle_box(shape: Shape, channels: Collection[int]) -> Box:
    return tuple(
        None if type(n) is not int else ((0, n),) if axis in channels else ((n // 2, n // 2 + 1),)
        for axis, n in enumerate(shape)
    )


def _box(shape: Shape, channels: Collection[int], position: Sequence[int]) -> Box:
    index = iter(position)
    ranges = (
        range(integer(n)) if axis in channels else range(i := next(index), i + 1)
        for axis, n in enumerate(shape)
    )
    return tuple(((units.start, units.stop),) for units in ranges)


def _box_read(box: Box, window: Window, shape: Shape, out: Shape) -> Box | None:
    """What a layer reads of an input of this shape for a box of its output; None if nothing."""
    if not any(box):  # all are unknown
        return (None,) * len(shape)
    box_read: list[IndexSet | None] = []
    certain = True
    given: Any = None
    taken: IndexSet | None = None
    for read, n in zip(window, shape, strict=True):
        if isinstance(read, Taps):
            numbers = n, read.stride, read.offset, read.count, read.dilation
            before, given = given, (box[read.axis], numbers) if concrete(numbers) else None
            if given is None or given != before:  # the width is usually read like the height
                taken = indices_read(box[read.axis], read, n)
            units = taken
        elif isinstance(read, Scattered):
            axes = read.axes or range(len(out))
            everything = all(box[a] == ((0, out[a]),) for a in axes)
            units = ((0, n),) if everything and type(n) is int else None
        elif isinstance(read, _WHATEVER_UNITS):
            units = indices_read(None, read, n)
        else:
            units = indices_read(box[read.axis], read, n)
        if units == ():
            return None
        # some unit of a flattened axis is certainly read; any other unknown set may be padding only,
        # and then nothing is read along the other axes either
        certain = certain and (units is not None or isinstance(read, Scattered | Whole))
        box_read.append(units)
    return tuple(box_read) if certain else (None,) * len(box_read)


def _reads_padding(box: Box, window: Window, shape: Shape, channels: Collection[int]) -> bool:
    """Whether a window reads padding along some axis.

    Along the channel axis the inputs of a concatenation are parts of the output; that is no padding.
    """
    return any(
        reads_padding(box[read.axis], read, n)
        for read, n in zip(window, shape, strict=True)
        if isinstance(read, Taps | Phases) and not (read.axis in channels and _is_part(read))
    )


def _is_part(read: Taps | Phases) -> bool:
    return isinstance(read, Taps) and read.count == 1


def _add(boxes: list[Box], box: Box) -> None:
    """Add a box to those of the same tensor, in place, merging it with one of them where that is exact."""
    for k, other in enumerate(boxes):
        if _inside(box, other):
            return
        if _inside(other, box):
            boxes[k] = box
            return
        differing = [axis for axis, (old, new) in enumerate(zip(other, box, strict=True)) if old != new]
        if len(differing) == 1:
            (a,) = differing
            boxes[k] = (*box[:a], _union(box[a], other[a]), *box[a + 1 :])
            return
    boxes.append(box)
    if len(boxes) > MAX_BOXES:
        hull = boxes[0]
        for other in boxes[1:]:
            hull = tuple(map(_union, hull, other))
        boxes[:] = [hull]


def _inside(box: Box, other: Box) -> bool:
    return all(
        a == b or (a is not None and b is not None and contains(b, a))
        for a, b in zip(box, other, strict=True)
    )


def _union(a: IndexSet | None, b: IndexSet | None) -> IndexSet | None:
    return None if a is None or b is None else union(a, b)


def _bounds(units: Sequence[IndexSet | None]) -> tuple[int, int] | None:
    known: list[IndexSet] = [u for u in units if u is not None]
    if len(known) < len(units):
        return None
    return (min(u[0][0] for u in known), max(u[-1][1] for u in known) - 1) if known else (0, -1)


def _extent(units: Sequence[IndexSet | None]) -> int | None:
    known: list[IndexSet] = [u for u in units if u is not None]
    if len(known) < len(units):
        return None
    return max(u[-1][1] for u in known) - min(u[0][0] for u in known) if known else 0
