"""Receptive fields of every node, by one forward composition over the graph.

The receptive field is what a unit of a layer's output *can* depend on, by architecture alone: a
bounding interval along each spatial axis of each model input, padding included. All nodes together
take time linear in the number of edges (source: Araujo, Norris & Sim 2019, "Computing Receptive
Fields of Convolutional Neural Networks", generalised to phases, whole-axis reads and branches;
docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from archcalc.analyses.copies import last_copies
from archcalc.analyses.fields.axis_figures import AxisField, axis_field
from archcalc.analyses.fields.clipping import clipped_sizes
from archcalc.analyses.fields.index_maps import Dependence, ScatteredUnit
from archcalc.analyses.fields.intervals import IntervalAlgebra
from archcalc.analyses.fields.propagate import Propagation
from archcalc.analyses.fields.sliding import Dependences, Sliding, dependences
from archcalc.analyses.fields.windows import Windows, windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, concrete
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of a layer's output in one model input; an entry per spatial axis.

    It is the field of one position with all of its channels. Entries are integers, expressions, None
    where the figure has no meaning, or `Unknown` with the reason.

    Attributes
    ----------
    size, min_size
        Input units from the first to the last that a position sees, padding included: the
        largest and the smallest over all positions of the output.
    stride
        Input units from one position to the next (`"1/2"` after upsampling), along the paths
        that do not read a whole axis; None where branches disagree or the field does not move.
    offset
        The first index that position 0 sees; negative in the padding.
    is_global
        Whether a layer on some path reads a whole axis, or every position's interval covers the axis.
    local_size
        `size` without the paths that read a whole axis; None where there are no other paths.
    clipped_size
        Extent of the input units that position n//2 depends on, without the padding of any layer;
        None where it was not requested or a size is symbolic.
    axes
        The axes of the input to which the entries belong, counted from 0 without the batch.
    """

    size: tuple[Any, ...]
    min_size: tuple[Any, ...]
    stride: tuple[Any, ...]
    offset: tuple[Any, ...]
    is_global: tuple[Any, ...]
    local_size: tuple[Any, ...]
    clipped_size: tuple[Any, ...] | None = None
    axes: tuple[int, ...] = ()


Fields = list[dict[str, Field | None]]


def fields(
    graph: Graph,
    shapes: Shapes,
    clipped: str | Iterable[int] = "outputs",
    reads: Windows | None = None,
) -> Fields:
    """The receptive field of each node's output in each model input, by the input's name.

    Parameters
    ----------
    graph, shapes
        The network and its shapes, as `shapes.infer` returns them.
    clipped
        For which nodes `clipped_size` is computed, one backward pass each: `"outputs"`,
        `"all"`, `"none"`, or node numbers.
    reads
        `windows(graph, shapes)`, if already computed.

    Returns
    -------
    One dictionary per node with an entry for every model input, None where no path leads
    from that input to the node.

    Raises
    ------
    ArchcalcError
        `clipped` is a string other than these.
    """
    reads = windows(graph, shapes) if reads is None else reads
    inputs = [_input(graph, shapes, i, reads.axes[i]) for i in graph.inputs]
    by_node, flattened = _unclipped(graph, shapes, reads, inputs)
    shapes = last_copies(graph, shapes)
    for i in _nodes_to_clip(graph, clipped):
        sizes = clipped_sizes(graph, shapes, reads, reads.axes, i)
        row = by_node[i] = {**by_node[i]}  # other nodes may have the same one
        for root in inputs:
            field = row[root.name]
            if field is not None:
                # position n//2 of a flattened axis is no position along the input's axis
                unclear = flattened.get((reads.source[i], root.node), ())
                exact = tuple(None if a in unclear else size for a, size in enumerate(sizes[root.node]))
                row[root.name] = replace(field, clipped_size=exact)
    return by_node


class _Input(NamedTuple):
    """A model input: its node and name, the axes to describe, and their sizes.

    `integers` are the sizes, empty where one of them is none; `least` is the smallest of them.
    """

    node: int
    name: str
    axes: tuple[int, ...]
    extents: Shape
    integers: tuple[int, ...]
    least: int


def _input(graph: Graph, shapes: Shapes, node: int, axes: tuple[int, ...]) -> _Input:
    extents = tuple(shapes[node][0][a] for a in axes)
    numbers = extents if concrete(extents) else ()
    return _Input(node, graph.nodes[node].name, axes, extents, numbers, min(numbers, default=0))


def _unclipped(
    graph: Graph, shapes: Shapes, reads: Windows, inputs: Sequence[_Input]
) -> tuple[Fields, dict[tuple[int, int], list[int]]]:
    """The fields of every node, and the axes of which (node, model input) sees a flattened one.

    Elementwise layers share the row of their input, and have no entry of their own for flattened axes.
    """
    propagation = Propagation(graph, shapes, reads, reads.axes, IntervalAlgebra(reads.common_taps))
    shapes = last_copies(graph, shapes)
    by_node: Fields = []
    flattened: dict[tuple[int, int], list[int]] = {}
    for i, state in propagation:
        taps, shape = graph.nodes[i].inputs, shapes[i][0]
        if reads.source[i] != i and not graph.repeats:  # the rows of a block are those of its last copy
            by_node.append(by_node[reads.source[i]])
            continue
        row: dict[str, Field | None] = {}
        for root in inputs:
            seen = state.get(root.node)
            if seen is None:
                row[root.name] = None
                continue
            for tap in taps:
                # the field of an input, if the node changes neither that nor the shape
                if propagation.states[tap.node].get(root.node) is seen and _same(shape, shapes[tap.node][0]):
                    row[root.name] = by_node[tap.node][root.name]
                    break
            else:
                row[root.name] = _field(seen, shape, root)
            if not isinstance(seen, Sliding) and (axes := _scattered_axes(seen)):
                flattened[i, root.node] = axes
        by_node.append(row)
    return by_node, flattened


def _scattered_axes(seen: Dependences) -> list[int]:
    return [
        axis
        for axis, of_axis in enumerate(seen)
        if not isinstance(of_axis, Unknown) and any(isinstance(part, ScatteredUnit) for part in of_axis)
    ]


def _field(seen: Sliding | Dependences, shape: Shape, root: _Input) -> Field:
    extents = root.extents
    if isinstance(seen, Sliding):
        covers = _coverage(seen, shape, root)
        if covers is not None:
            each = len(extents)
            size = (seen.high - seen.low + 1,) * each
            return Field(size, size, (seen.step,) * each, (seen.low,) * each, covers, size, None, root.axes)
    fields: list[AxisField] = []
    axes = dependences(seen)
    for k, (of_axis, extent) in enumerate(zip(axes, extents, strict=True)):
        # with square images and kernels the second axis repeats the first
        if k and _alike(axes[0], of_axis, shape) and _comparable((extent,)) and extent == extents[0]:
            fields.append(fields[0])
        else:
            fields.append(axis_field(of_axis, shape, extent))
    entries = zip(*fields, strict=True) if fields else ((),) * len(AxisField._fields)
    return Field(*entries, clipped_size=None, axes=root.axes)


def _coverage(seen: Sliding, shape: Shape, root: _Input) -> tuple[bool, ...] | None:
    """Whether every position's interval covers the axis, for each axis; None if a size is no integer."""
    axes, step, low, high = seen
    width = high - low + 1
    if width < root.least:
        return (False,) * len(axes)
    sides = tuple([shape[axis] for axis in axes])
    if not root.integers or not concrete(sides):
        return None
    # the first position reaches the end of the axis, and the last one its beginning
    return tuple(
        [
            n <= width and n - 1 <= high and step * (side - 1) + low <= 0
            for n, side in zip(root.integers, sides, strict=True)
        ]
    )


def _alike(first: Dependence, second: Dependence, shape: Shape) -> bool:
    """Whether the dependences along two axes have the same numbers."""
    if isinstance(first, Unknown) or isinstance(second, Unknown) or len(first) != 1 or len(second) != 1:
        return False
    (a,), (b,) = first, second
    if isinstance(a, ScatteredUnit) or isinstance(b, ScatteredUnit) or a.whole != b.whole:
        return False
    if a.domains or b.domains:
        return False
    sides: list[Any] = [None if seen.axis is None else shape[seen.axis] for seen in (a, b)]
    numbers = [n for edge in (a.lo, a.hi, b.lo, b.hi) for n in (edge.step, *edge.values)]
    return _comparable((*sides, *numbers)) and (a.lo, a.hi, sides[0]) == (b.lo, b.hi, sides[1])


def _same(shape: Shape, other: Shape) -> bool:
    return shape is other or (_comparable(shape) and _comparable(other) and shape == other)


def _comparable(shape: Shape) -> bool:
    """Whether `==` of these sizes is a truth value, which it is not for arrays."""
    return _COMPARABLE.issuperset(map(type, shape))


_COMPARABLE = frozenset({int, Expr, type(None)})


def _nodes_to_clip(graph: Graph, clipped: str | Iterable[int]) -> list[int]:
    if clipped == "outputs":
        return list(dict.fromkeys(t.node for t in graph.outputs))
    if clipped == "all":
        return list(range(len(graph.nodes)))
    if clipped == "none":
        return []
    if isinstance(clipped, str):
        raise ArchcalcError(f"clipped={clipped!r}: expected 'outputs', 'all', 'none' or node numbers")
    return list(clipped)
