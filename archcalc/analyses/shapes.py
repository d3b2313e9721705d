"""Output shapes of every node, with every fault of the network reported at once."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arith import Shape, require_equal
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Repeat
from archcalc.layers.base import Weight, show

Shapes = list[tuple[Shape, ...]]
Weights = list[tuple[Weight, ...]]

MAX_BITS = 2048  # of a tensor's sizes together: no figure gets too long to be printed
MAX_RANK = 64  # numpy's; rules compare axes with one another
# one layer with many tensors is fine, many of them (a block is repeated) are too much
TENSORS_A_NODE, MIN_TENSORS = 20, 1_000_000


def infer(graph: Graph) -> Shapes:
    """For each node the shapes of its outputs, without the batch axis.

    Raises `NetworkError` with every independent fault.
    """
    return shapes_and_weights(graph)[0]


def shapes_and_weights(graph: Graph) -> tuple[Shapes, Weights]:
    """For each node the shapes of its outputs, and the weights that its layer has for such inputs.

    Raises `NetworkError` with every independent fault: a layer whose input could not be
    worked out is passed over, because its fault would only repeat the earlier one.
    """
    shapes: list[tuple[Shape, ...] | None] = []
    owned: Weights = []
    faults: list[tuple[str, str]] = []
    tensors = max(TENSORS_A_NODE * len(graph.nodes), MIN_TENSORS)
    for node in graph.nodes:
        if any(shapes[t.node] is None for t in node.inputs):
            shapes.append(None)
            continue
        try:
            read = _read(graph, shapes, node.inputs)
            made = node.layer.output_shapes(*read)
            # some misfits (channels that groups do not divide) show in the weights alone
            weights = node.layer.weights(*read)
            for shape in made:
                _require_printable(shape)
            tensors -= len(read) + len(made) + len(weights)
            if tensors < 0:
                faults.append((node.name, "from here on layers hold too many inputs, outputs and weights"))
                shapes.append(None)
                break
            shapes.append(made)
            owned.append(weights)
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
    return found, owned


def _require_printable(shape: Shape) -> None:
    if len(shape) > MAX_RANK:
        raise LayerError(f"a tensor of {len(shape):,} axes; figures are computed for up to {MAX_RANK}")
    if sum(n.bit_length() for n in shape if type(n) is int) > MAX_BITS:
        raise LayerError(f"a tensor with sizes of more than {MAX_BITS:,} bits in all")


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
