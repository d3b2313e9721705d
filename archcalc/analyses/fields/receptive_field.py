"""Receptive fields of every node, by one forward composition over the graph.

What a unit of a layer's output *can* depend on, by architecture alone: the bounding
interval along each spatial axis of each model input, padding included. Linear in the number
of edges for all nodes together (source: Araujo, Norris & Sim 2019, "Computing Receptive
Fields of Convolutional Neural Networks", generalised to phases, whole-axis reads and
branches; docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from archcalc.analyses.fields.axis_figures import AxisField, axis_field
from archcalc.analyses.fields.clipping import clipped_sizes
from archcalc.analyses.fields.index_maps import Dependence, Scatter
from archcalc.analyses.fields.intervals import Hull, Hulls
from archcalc.analyses.fields.propagate import Flow
from archcalc.analyses.fields.windows import Windows, spatial_axes, windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph


@dataclass(frozen=True, slots=True)
class Field:
    """What one unit of a layer's output sees of one model input; an entry per spatial axis.

    A unit is a place with all of its channels. Entries are integers, expressions, None where
    the figure has no meaning, or `Unknown` with the reason.

    Attributes
    ----------
    size, min_size
        Input units between the first and the last that are seen, padding included: the
        largest and the smallest over all positions of the output.
    stride
        Input units from one place to the next (`"1/2"` after upsampling), along the paths
        that do not read a whole axis; None where branches disagree or nothing moves.
    offset
        The first index that position 0 sees; negative in the padding.
    is_global
        Whether a read of a whole axis lies on a path, or every position's interval covers the axis.
    local_size
        `size` without the paths that read a whole axis; None where there are no others.
    clipped_size
        Extent of the input units that position n//2 really depends on, with everything that
        padding cuts off left out at every layer; None where it was not asked for or a size
        is symbolic.
    """

    size: tuple[Any, ...]
    min_size: tuple[Any, ...]
    stride: tuple[Any, ...]
    offset: tuple[Any, ...]
    is_global: tuple[Any, ...]
    local_size: tuple[Any, ...]
    clipped_size: tuple[Any, ...] | None = None


Fields = list[dict[str, Field | None]]


def fields(
    graph: Graph,
    shapes: Shapes,
    clipped: str | Iterable[int] = "outputs",
    reads: Windows | None = None,
) -> Fields:
    """For each node, what its output sees of each model input, by the input's name.

    Parameters
    ----------
    graph, shapes
        The network and the shapes that `shapes.infer` found.
    clipped
        For which nodes `clipped_size` is computed, one backward pass each: `"outputs"`,
        `"all"`, `"none"`, or node numbers.
    reads
        `windows(graph, shapes)`, if they are at hand already.

    Returns
    -------
    One dictionary per node with an entry for every model input, None where no path leads
    from that input.

    Raises
    ------
    ArchcalcError
        `clipped` is not one of its words.
    """
    reads = windows(graph, shapes) if reads is None else reads
    roots = spatial_axes(graph, shapes)
    names = [(i, graph.nodes[i].name, tuple(shapes[i][0][a] for a in roots[i])) for i in graph.inputs]
    flow = Flow(graph, shapes, reads, roots, Hulls())
    found: Fields = []
    flattened: set[tuple[int, int, int]] = set()  # node, root, axis
    for i, state in flow:
        row: dict[str, Field | None] = {}
        for root, name, extents in names:
            hull = state.get(root)
            if hull is None:
                row[name] = None
                continue
            row[name] = _inherited(graph, shapes, flow, found, i, root, hull) or _field(
                hull, shapes[i][0], extents
            )
            flattened |= {(i, root, a) for a, seen in enumerate(hull) if _is_scattered(seen)}
        found.append(row)
    for i in _asked(graph, clipped):
        sizes = clipped_sizes(graph, shapes, reads, roots, i)
        for root, name, _ in names:
            field = found[i][name]
            if field is not None:
                # place n//2 of a flattened axis is no place of the input's axis
                exact = (None if (i, root, a) in flattened else size for a, size in enumerate(sizes[root]))
                found[i][name] = replace(field, clipped_size=tuple(exact))
    return found


def _is_scattered(seen: Dependence) -> bool:
    return not isinstance(seen, Unknown) and any(isinstance(part, Scatter) for part in seen)


def _inherited(
    graph: Graph, shapes: Shapes, flow: Flow[Hull], found: Fields, node: int, root: int, hull: Hull
) -> Field | None:
    """The field of a layer that a node reads, if the node changes neither field nor shape."""
    for tap in graph.nodes[node].inputs:
        if flow.states[tap.node].get(root) is hull:
            one, other = shapes[node][0], shapes[tap.node][0]
            if one is other or (_comparable(one) and _comparable(other) and one == other):
                return found[tap.node][graph.nodes[root].name]
    return None


def _field(hull: Hull, shape: Shape, extents: Shape) -> Field:
    axes: list[AxisField] = []
    for k, (seen, extent) in enumerate(zip(hull, extents, strict=True)):
        # square images and kernels: the second axis repeats the first
        if k and _alike(hull[0], seen, shape) and _comparable((extent,)) and extent == extents[0]:
            axes.append(axes[0])
        else:
            axes.append(axis_field(seen, shape, extent))
    return Field(*zip(*axes, strict=True)) if axes else Field(*((),) * len(AxisField._fields))


def _alike(one: Dependence, other: Dependence, shape: Shape) -> bool:
    """Whether two axes see the same in numbers."""
    if isinstance(one, Unknown) or isinstance(other, Unknown) or len(one) != 1 or len(other) != 1:
        return False
    (a,), (b,) = one, other
    if isinstance(a, Scatter) or isinstance(b, Scatter) or a.axis is None or b.axis is None:
        return False
    if a.whole or b.whole or a.domains or b.domains:
        return False
    numbers = [n for edge in (a.lo, a.hi, b.lo, b.hi) for n in (edge.step, *edge.values)]
    return _comparable((shape[a.axis], shape[b.axis], *numbers)) and (
        (a.lo, a.hi, shape[a.axis]) == (b.lo, b.hi, shape[b.axis])
    )


def _comparable(shape: Shape) -> bool:
    """Whether `==` of such sizes is a truth value, as that of arrays is not."""
    return all(type(n) is int or isinstance(n, Expr) or n is None for n in shape)


def _asked(graph: Graph, clipped: str | Iterable[int]) -> list[int]:
    if clipped == "outputs":
        return list(dict.fromkeys(t.node for t in graph.outputs))
    if clipped == "all":
        return list(range(len(graph.nodes)))
    if clipped == "none":
        return []
    if isinstance(clipped, str):
        raise ArchcalcError(f"clipped={clipped!r}: expected 'outputs', 'all', 'none' or node numbers")
    return list(clipped)
