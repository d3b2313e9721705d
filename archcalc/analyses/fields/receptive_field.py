"""Receptive fields of every node, by one forward composition over the graph.

The receptive field is what a unit of a layer's output *can* depend on, by architecture alone: a
bounding interval along each spatial axis of each model input, padding included. All nodes together
take time linear in the number of edges (source: Araujo, Norris & Sim 2019, "Computing Receptive
Fields of Convolutional Neural Networks", generalised to phases, whole-axis reads and branches;
docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from archcalc.analyses.fields.axis_figures import AxisField, axis_field
from archcalc.analyses.fields.clipping import clipped_sizes
from archcalc.analyses.fields.index_maps import Dependence, ScatteredUnit
from archcalc.analyses.fields.intervals import Dependences, IntervalAlgebra
from archcalc.analyses.fields.propagate import Propagation
from archcalc.analyses.fields.windows import Windows, windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape
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
    roots = reads.axes
    names = [(i, graph.nodes[i].name, tuple(shapes[i][0][a] for a in roots[i])) for i in graph.inputs]
    propagation = Propagation(graph, shapes, reads, roots, IntervalAlgebra())
    by_node: Fields = []
    flattened: set[tuple[int, int, int]] = set()  # node, root, axis
    for i, state in propagation:
        row: dict[str, Field | None] = {}
        for root, name, extents in names:
            axes = state.get(root)
            if axes is None:
                row[name] = None
                continue
            row[name] = _inherited(graph, shapes, propagation, by_node, i, root, axes) or _field(
                axes, shapes[i][0], extents, roots[root]
            )
            flattened |= {(i, root, a) for a, seen in enumerate(axes) if _has_scattered(seen)}
        by_node.append(row)
    for i in _nodes_to_clip(graph, clipped):
        sizes = clipped_sizes(graph, shapes, reads, roots, i)
        for root, name, _ in names:
            field = by_node[i][name]
            if field is not None:
                # position n//2 of a flattened axis is no position along the input's axis
                exact = (None if (i, root, a) in flattened else size for a, size in enumerate(sizes[root]))
                by_node[i][name] = replace(field, clipped_size=tuple(exact))
    return by_node


def _has_scattered(seen: Dependence) -> bool:
    return not isinstance(seen, Unknown) and any(isinstance(part, ScatteredUnit) for part in seen)


def _inherited(
    graph: Graph,
    shapes: Shapes,
    propagation: Propagation[Dependences],
    by_node: Fields,
    node: int,
    root: int,
    axes: Dependences,
) -> Field | None:
    """The field of an input of a node, if the node changes neither the field nor the shape."""
    for tap in graph.nodes[node].inputs:
        if propagation.states[tap.node].get(root) is axes:
            shape, before = shapes[node][0], shapes[tap.node][0]
            if shape is before or (_comparable(shape) and _comparable(before) and shape == before):
                return by_node[tap.node][graph.nodes[root].name]
    return None


def _field(axes: Dependences, shape: Shape, extents: Shape, numbers: tuple[int, ...]) -> Field:
    fields: list[AxisField] = []
    for k, (seen, extent) in enumerate(zip(axes, extents, strict=True)):
        # with square images and kernels the second axis repeats the first
        if k and _alike(axes[0], seen, shape) and _comparable((extent,)) and extent == extents[0]:
            fields.append(fields[0])
        else:
            fields.append(axis_field(seen, shape, extent))
    entries = zip(*fields, strict=True) if fields else ((),) * len(AxisField._fields)
    return Field(*entries, clipped_size=None, axes=numbers)


def _alike(first: Dependence, second: Dependence, shape: Shape) -> bool:
    """Whether the dependences along two axes have the same numbers."""
    if isinstance(first, Unknown) or isinstance(second, Unknown) or len(first) != 1 or len(second) != 1:
        return False
    (a,), (b,) = first, second
    if isinstance(a, ScatteredUnit) or isinstance(b, ScatteredUnit) or a.axis is None or b.axis is None:
        return False
    if a.whole or b.whole or a.domains or b.domains:
        return False
    numbers = [n for edge in (a.lo, a.hi, b.lo, b.hi) for n in (edge.step, *edge.values)]
    return _comparable((shape[a.axis], shape[b.axis], *numbers)) and (
        (a.lo, a.hi, shape[a.axis]) == (b.lo, b.hi, shape[b.axis])
    )


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
