"""Output shapes of every node, with every fault of the network reported at once."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arith import Shape, require_equal
from archcalc.errors import ArchcalcError, NetworkError
from archcalc.graph import Graph, Repeat
from archcalc.layers.base import show

Shapes = list[tuple[Shape, ...]]


def infer(graph: Graph) -> Shapes:
    """For each node the shapes of its outputs, without the batch axis.

    Raises `NetworkError` with every independent fault: a layer whose input could not be
    worked out is passed over, because its fault would only repeat the earlier one.
    """
    shapes: list[tuple[Shape, ...] | None] = []
    faults: list[tuple[str, str]] = []
    for node in graph.nodes:
        if any(shapes[t.node] is None for t in node.inputs):
            shapes.append(None)
            continue
        try:
            read = _read(graph, shapes, node.inputs)
            made = node.layer.output_shapes(*read)
            # some misfits (channels that groups do not divide) show in the weights alone
            node.layer.weights(*read)
            shapes.append(made)
        except ArchcalcError as fault:
            faults.append((node.name, str(fault)))
            shapes.append(None)
    found = [s for s in shapes if s is not None]
    if len(found) == len(shapes):
        try:
            _read(graph, found, graph.outputs)
        except NetworkError as fault:
            faults += fault.faults
        for repeat in graph.repeats:
            try:
                _require_kept_shape(repeat, found)
            except ArchcalcError as fault:
                faults.append((graph.nodes[repeat.first].name, str(fault)))
    if faults:
        raise NetworkError(faults)
    return found


def _read(
    graph: Graph, shapes: Sequence[tuple[Shape, ...] | None], inputs: Sequence[tuple[int, int]]
) -> list[Shape]:
    read = []
    for node, output in inputs:
        made = shapes[node]
        assert made is not None
        if output >= len(made):
            name = graph.nodes[node].name
            raise NetworkError([(name, f"has {len(made)} outputs, output number {output} is read")])
        read.append(made[output])
    return read


def _require_kept_shape(repeat: Repeat, shapes: Shapes) -> None:
    """A block repeated a symbolic number of times must give what it takes."""
    taken = shapes[repeat.source.node][repeat.source.output]
    given = shapes[repeat.out.node][repeat.out.output]

    def message() -> str:
        return (
            f"the block from here on is repeated {repeat.count} times, so it must keep its shape, "
            f"but it takes {show(taken)} and gives {show(given)}"
        )

    if len(taken) != len(given):
        raise ArchcalcError(message())
    for a, b in zip(taken, given, strict=True):
        require_equal(a, b, message)
