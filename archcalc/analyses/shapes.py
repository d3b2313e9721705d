"""Output shapes of every node; all faults of a network are reported at once."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arith import Shape, require_equal
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Once, Repeat
from archcalc.layers.base import Layer, Weight, show

Shapes = list[tuple[Shape, ...]]
Weights = list[tuple[Weight, ...]]

MAX_BITS = 2048  # of a tensor's sizes together, so that every figure can be printed
MAX_RANK = 64  # as in numpy; some rules compare axes pairwise
# tensors of all nodes together: a few layers may have many tensors each, a long network may not
TENSORS_A_NODE, MIN_TENSORS = 20, 1_000_000


def infer(graph: Graph) -> Shapes:
    """The shapes of each node's outputs, without the batch axis.

    Raises `NetworkError` with every independent fault.
    """
    return shapes_and_weights(graph)[0]


def shapes_and_weights(graph: Graph) -> tuple[Shapes, Weights]:
    """The shapes of each node's outputs, and the weights that its layer declares for its inputs.

    Raises `NetworkError` with every independent fault: layers after a faulty layer are skipped,
    because they could only repeat its fault.
    """
    shapes: list[tuple[Shape, ...] | None] = []
    declared: Weights = []
    faults: list[tuple[str, str]] = []
    declare = Once(_declared)
    tensors = max(TENSORS_A_NODE * len(graph.nodes), MIN_TENSORS)
    for node in graph.nodes:
        if any(shapes[t.node] is None for t in node.inputs):
            shapes.append(None)
            continue
        try:
            inputs = _shapes_of(graph, shapes, node.inputs)
            outputs, weights = declare(node.layer, tuple(inputs))
            tensors -= len(inputs) + len(outputs) + len(weights)
            if tensors < 0:
                faults.append((node.name, "from here on layers hold too many inputs, outputs and weights"))
                shapes.append(None)
                break
            shapes.append(outputs)
            declared.append(weights)
        except ArchcalcError as fault:
            faults.append((node.name, str(fault)))
            shapes.append(None)
    inferred = [s for s in shapes if s is not None]
    if len(inferred) == len(shapes):
        try:
            _shapes_of(graph, inferred, graph.outputs)
        except NetworkError as fault:
            faults += fault.faults
        for repeat in graph.repeats:
            try:
                _require_same_shape(repeat, inferred)
            except ArchcalcError as fault:
                faults.append((graph.nodes[repeat.first].name, str(fault)))
    if faults:
        raise NetworkError(faults)
    return inferred, declared


def _declared(layer: Layer, *inputs: Shape) -> tuple[tuple[Shape, ...], tuple[Weight, ...]]:
    """The shapes of a layer's outputs, and its weights."""
    outputs = layer.output_shapes(*inputs)
    # some faults (groups that do not divide the channels) appear only in the weights
    weights = layer.weights(*inputs)
    for shape in outputs:
        _require_printable(shape)
    return outputs, weights


def _require_printable(shape: Shape) -> None:
    if len(shape) > MAX_RANK:
        raise LayerError(f"a tensor of {len(shape):,} axes; figures are computed for up to {MAX_RANK}")
    if sum(n.bit_length() for n in shape if type(n) is int) > MAX_BITS:
        raise LayerError(f"a tensor with sizes of more than {MAX_BITS:,} bits in all")


def _shapes_of(
    graph: Graph, shapes: Sequence[tuple[Shape, ...] | None], taps: Sequence[tuple[int, int]]
) -> list[Shape]:
    """The shapes of tensors, given as (node, output); raises `NetworkError` for an output out of range."""
    of_taps = []
    for node, output in taps:
        outputs = shapes[node]
        assert outputs is not None
        if output >= len(outputs):
            name = graph.nodes[node].name
            raise NetworkError([(name, f"has {len(outputs)} outputs, output number {output} is read")])
        of_taps.append(outputs[output])
    return of_taps


def _require_same_shape(repeat: Repeat, shapes: Shapes) -> None:
    """Raise unless a block that is repeated a symbolic number of times preserves the shape of its input."""
    source = shapes[repeat.source.node][repeat.source.output]
    out = shapes[repeat.out.node][repeat.out.output]

    def message() -> str:
        return (
            f"the block from here on is repeated {repeat.count} times, so it must keep its shape, "
            f"but it takes {show(source)} and gives {show(out)}"
        )

    if len(source) != len(out):
        raise ArchcalcError(message())
    for a, b in zip(source, out, strict=True):
        require_equal(a, b, message)
