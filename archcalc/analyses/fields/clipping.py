"""Which input units one place of an output really depends on: one pass backward through the graph.

What padding adds is cut off at every tensor on the way. Units are followed as sets and not
only as intervals, because near a border a dilated window may hit the axis with one inner tap
and miss it with all others; and as boxes (products of sets along the axes), because a branch
that falls into the padding along one axis contributes nothing along the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import TypeAlias

from archcalc.analyses.fields.index_sets import (
    Runs,
    Units,
    contains,
    reaches_out,
    read_units,
    union,
)
from archcalc.analyses.fields.windows import Windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape
from archcalc.graph import Graph
from archcalc.layers.window import Fixed, Phases, Scattered, Taps, Unstated, Whole, Window

Box: TypeAlias = tuple[Units, ...]

# boxes of one tensor that are followed apart; beyond that their hulls along each axis are
MAX_BOXES = 8


def clipped_sizes(
    graph: Graph, shapes: Shapes, windows: Windows, roots: Mapping[int, Sequence[int]], node: int
) -> dict[int, tuple[int | None, ...]]:
    """Extents of the input units behind place n//2 (all channels) of a node's output.

    For each root (an input node and its axes of interest) an entry per axis: the number of
    units from the first to the last, 0 if there are none, None if they are not known.
    """
    boxes = _boxes_at_inputs(graph, shapes, windows, node)
    return {
        root: tuple(_extent([box[a] for box in boxes.get(root, [])]) for a in axes)
        for root, axes in roots.items()
    }


def clipped_boxes(
    graph: Graph, shapes: Shapes, windows: Windows, node: int, position: Sequence[int]
) -> dict[int, tuple[tuple[int, int] | None, ...]]:
    """The bounding box of the input units behind one place (all channels) of a node's output.

    `place` has an index for every axis of the output but the channels. For each input node an
    entry per axis: the first and the last unit, (0, -1) if there are none, None if not known.
    """
    boxes = _boxes_at_inputs(
        graph, shapes, windows, node, _box(shapes[node][0], windows.channels[node], position)
    )
    return {
        root: tuple(_bounds([box[a] for box in boxes.get(root, [])]) for a in range(len(shapes[root][0])))
        for root in graph.inputs
    }


def is_cut(graph: Graph, shapes: Shapes, windows: Windows, node: int, position: Sequence[int]) -> bool:
    """Whether a window on the way to one place reaches out of the tensor that it reads."""
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
    """What is read of each input; `cut` takes the nodes whose windows reach out."""
    if graph.repeats or not all(type(n) is int for i in graph.inputs for n in shapes[i][0]):
        return {i: [(None,) * len(shapes[i][0])] for i in graph.inputs}
    at = _position(shapes[node][0], windows.channels[node]) if at is None else at
    wanted: dict[int, list[Box]] = {node: [at]}
    waiting = [-node]
    found: dict[int, list[Box]] = {}
    while waiting:
        i = -heappop(waiting)
        boxes = wanted.pop(i)
        reader = graph.nodes[i]
        if not reader.inputs:
            found[i] = boxes
            continue
        for tap, window in zip(reader.inputs, windows.reads[i], strict=True):
            shape = shapes[tap.node][tap.output]
            made = [_read(box, window, shape, shapes[i][0]) for box in boxes]
            if cut is not None and any(
                _reaches_out(box, window, shape, windows.channels[i]) for box in boxes
            ):
                cut.append(i)
            if len(shape) != len(shapes[tap.node][0]):
                # what another output of that layer reads is not stated
                made = [None if box is None else (None,) * len(shapes[tap.node][0]) for box in made]
            for box in made:
                if box is None:
                    continue
                if tap.node not in wanted:
                    wanted[tap.node] = [box]
                    heappush(waiting, -tap.node)
                else:
                    _add(wanted[tap.node], box)
    return found


def _position(shape: Shape, channels: int | None) -> Box:
    return tuple(
        None if type(n) is not int else ((0, n),) if axis == channels else ((n // 2, n // 2 + 1),)
        for axis, n in enumerate(shape)
    )


def _box(shape: Shape, channels: int | None, position: Sequence[int]) -> Box:
    index = iter(position)
    chosen = (
        range(n) if axis == channels else range(i := next(index), i + 1) for axis, n in enumerate(shape)
    )
    return tuple(((units.start, units.stop),) for units in chosen)


def _read(box: Box, window: Window, shape: Shape, out: Shape) -> Box | None:
    """What a layer reads of an input of this shape for a box of its output; None if nothing."""
    if all(units is None for units in box):
        return (None,) * len(shape)
    made: list[Units] = []
    sure = True
    for read, n in zip(window, shape, strict=True):
        if isinstance(read, Scattered):
            axes = read.axes or range(len(out))
            everything = type(n) is int and all(box[a] == ((0, out[a]),) for a in axes)
            units: Units = ((0, n),) if everything else None
        elif isinstance(read, Whole | Fixed | Unstated):
            units = read_units(None, read, n)
        else:
            units = read_units(box[read.axis], read, n)
        if units == ():
            return None
        # of a flattened axis some unit is read; any other unknown set may lie in the padding,
        # and then nothing is read along the other axes either
        sure = sure and (units is not None or isinstance(read, Scattered | Whole))
        made.append(units)
    return tuple(made) if sure else (None,) * len(made)


def _reaches_out(box: Box, window: Window, shape: Shape, channels: int | None) -> bool:
    """Along some axis; of the channels each input of a concatenation has its part, and lacks nothing."""
    return any(
        reaches_out(box[read.axis], read, n)
        for read, n in zip(window, shape, strict=True)
        if isinstance(read, Taps | Phases) and not (read.axis == channels and _is_part(read))
    )


def _is_part(read: Taps | Phases) -> bool:
    return isinstance(read, Taps) and read.count == 1


def _add(boxes: list[Box], box: Box) -> None:
    """Join a box to others of the same tensor, in place."""
    for k, other in enumerate(boxes):
        if _inside(box, other):
            return
        if _inside(other, box):
            boxes[k] = box
            return
        differing = [a for a, (one, two) in enumerate(zip(box, other, strict=True)) if one != two]
        if len(differing) == 1:
            (a,) = differing
            boxes[k] = (*box[:a], _union(box[a], other[a]), *box[a + 1 :])
            return
    boxes.append(box)
    if len(boxes) > MAX_BOXES:
        hull = boxes[0]
        for other in boxes[1:]:
            hull = tuple(_union(one, two) for one, two in zip(hull, other, strict=True))
        boxes[:] = [hull]


def _inside(box: Box, other: Box) -> bool:
    return all(
        one == two or (one is not None and two is not None and contains(two, one))
        for one, two in zip(box, other, strict=True)
    )


def _union(a: Units, b: Units) -> Units:
    return None if a is None or b is None else union(a, b)


def _bounds(units: Sequence[Units]) -> tuple[int, int] | None:
    known: list[Runs] = [u for u in units if u is not None]
    if len(known) < len(units):
        return None
    return (min(u[0][0] for u in known), max(u[-1][1] for u in known) - 1) if known else (0, -1)


def _extent(units: Sequence[Units]) -> int | None:
    known: list[Runs] = [u for u in units if u is not None]
    if len(known) < len(units):
        return None
    return max(u[-1][1] for u in known) - min(u[0][0] for u in known) if known else 0
