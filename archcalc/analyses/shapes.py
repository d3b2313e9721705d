"""Output shapes of every node; all faults of a network are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from archcalc.analyses.copies import refuse_arrays, shape_of_copy
from archcalc.arith import Shape, certainly, equal, for_each_copy, is_array, require_equal
from archcalc.arith.symbolic import symbol
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Cases, Graph, Node, Repeat, Shapes, Tap
from archcalc.layers.base import Layer, Weight, show

Weights = list[tuple[Weight, ...]]
_Result = tuple[tuple[Shape, ...], tuple[Weight, ...], int]

MAX_BITS = 2048  # of a tensor's sizes together, so that every figure can be printed
MAX_GROWING = 3  # nested blocks that change their shape; each is run several times
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
    walk = _Walk(graph)
    walk.through(graph.parts())
    if not walk.faults:
        try:
            for tap in graph.outputs:
                walk.shape(tap)
        except NetworkError as fault:
            walk.faults += fault.faults
    if walk.faults:
        raise NetworkError(list(dict.fromkeys(walk.faults)))
    shapes = Shapes(cast("list[tuple[Shape, ...]]", walk.shapes))
    shapes.indices, shapes.read = frozenset(walk.numbered), walk.read
    if not graph.repeats:  # else a node may have had other inputs in another run of its block
        shapes.cases = walk.cases
    return shapes, walk.declared


class _Walk:
    """One pass over the graph; of a block that changes its input's shape, several."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes: list[Any] = [None] * len(graph.nodes)  # of a node's outputs; None for a faulty one
        self.declared: Weights = [()] * len(graph.nodes)
        self.faults: list[tuple[str, str]] = []
        self.read: dict[str, tuple[Shape, ...]] = {}
        self.replaced: dict[Tap, Shape] = {}  # tensors of which readers here see another copy's
        self.numbered: dict[str, Repeat] = {}
        self._arrays = any(map(is_array, graph.symbols.values()))
        self.cases = Cases(graph.nodes)
        self.cases.of = [0] * len(graph.nodes)
        self._results: list[_Result] = []  # of each case
        self._left = max(TENSORS_A_NODE * len(graph.nodes), MIN_TENSORS)

    def through(self, parts: Iterable[int | Repeat], depth: int = 0) -> None:
        for part in parts:
            if type(part) is int:
                self._node(part)
            else:
                self._block(cast(Repeat, part), depth + 1)

    def shape(self, tap: Tap) -> Shape:
        """The shape of a tensor as it is read here; raises `NetworkError` for an output out of range."""
        if self.replaced and tap in self.replaced:
            return self.replaced[tap]
        outputs = self.shapes[tap.node]
        assert outputs is not None
        if tap.output >= len(outputs):
            name = self.graph.nodes[tap.node].name
            raise NetworkError([(name, f"has {len(outputs)} outputs, output number {tap.output} is read")])
        shape: Shape = outputs[tap.output]
        return shape

    def _node(self, i: int) -> None:
        node, shapes = self.graph.nodes[i], self.shapes
        shapes[i] = None
        try:
            inputs = self._inputs(node)
            if inputs is None or self._left < 0:
                return
            case = self.cases.find(node.layer, inputs)
            if case is None:
                self._results.append(_declared(node.layer, *inputs))
                case = self.cases.add(node.layer, inputs)
        except ArchcalcError as fault:
            self.faults.append((node.name, str(fault)))
            return
        outputs, weights, size = self._results[case]
        self._left -= size
        if self._left < 0:
            self.faults.append((node.name, "from here on layers hold too many inputs, outputs and weights"))
            return
        shapes[i], self.declared[i], self.cases.of[i] = outputs, weights, case
        if self.replaced and not self.replaced.keys().isdisjoint(node.inputs):
            self.read[node.name] = inputs

    def _inputs(self, node: Node) -> tuple[Shape, ...] | None:
        """The shapes that a node reads; None after a faulty one. Raises `NetworkError` as `shape` does."""
        shapes = self.shapes
        if not self.replaced:
            try:
                return tuple([shapes[i][output] for i, output in node.inputs])
            except (IndexError, TypeError):
                pass  # the others are asked for one by one
        if any(shapes[tap.node] is None for tap in node.inputs):
            return None
        return tuple(map(self.shape, node.inputs))

    def _block(self, repeat: Repeat, depth: int) -> None:
        """A block that is repeated a symbolic number of times: once as the first copy, and as any other."""
        self.replaced.pop(repeat.out, None)  # from a run of what is around it on other sizes
        self._inside(repeat, depth)
        if self.shapes[repeat.source.node] is None or self.shapes[repeat.out.node] is None:
            return
        source, out = self.shape(repeat.source), self.shape(repeat.out)
        try:
            if self._arrays:
                refuse_arrays(repeat, source, out)
                of_copy = None
            else:
                of_copy = shape_of_copy(repeat, source, out, partial(self._tried, repeat, depth))
            if of_copy is None:
                _require_same_shape(repeat, source, out)
            else:
                self._copies(repeat, of_copy, depth)
        except ArchcalcError as fault:
            self.faults.append((self.graph.nodes[repeat.first].name, str(fault)))

    def _inside(self, repeat: Repeat, depth: int) -> None:
        self.through(self.graph.parts(repeat.first, repeat.last, repeat), depth)

    def _output(self, repeat: Repeat, depth: int, source: Shape) -> Shape:
        """What a copy of a block gives that reads this shape; raises `ArchcalcError` if there is none."""
        if depth > MAX_GROWING:
            raise ArchcalcError(f"blocks that change their shape, nested deeper than {MAX_GROWING}")
        outer, before = self.faults, self.replaced
        self.faults, self.replaced = [], {**before, repeat.source: source}
        try:
            self._inside(repeat, depth)
            if self.faults:
                raise ArchcalcError("; ".join(f"{name}: {text}" for name, text in self.faults))
            return self.shape(repeat.out)
        finally:
            self.faults, self.replaced = outer, before

    def _tried(self, repeat: Repeat, depth: int, source: Shape) -> Shape:
        """The same, and everything stays as it is."""
        inside, read = slice(repeat.first, repeat.last + 1), dict(self.read)
        shapes, declared = self.shapes[inside], self.declared[inside]
        try:
            return self._output(repeat, depth, source)
        finally:
            self.shapes[inside], self.declared[inside], self.read = shapes, declared, read

    def _copies(self, repeat: Repeat, of_copy: Callable[[Any], Shape], depth: int) -> None:
        """All copies of a block that changes its shape."""
        if self.numbered.setdefault(repeat.index, repeat) is not repeat:
            raise ArchcalcError(f"two blocks that change their shape number their copies {repeat.index}")
        index: Any = symbol(repeat.index, 0)
        for_each_copy(repeat.index, repeat.count)
        out = self._output(repeat, depth, of_copy(index))
        for a, b in zip(out, of_copy(index + 1), strict=True):
            if not certainly(equal(a, b)):
                raise ArchcalcError(
                    f"the copies of the block from here on follow no rule: {show(out)} is not "
                    f"{show(of_copy(index + 1))}"
                )
        self.replaced[repeat.out] = of_copy(repeat.count)


def _declared(layer: Layer, *inputs: Shape) -> _Result:
    """The shapes of a layer's outputs, its weights, and how many tensors these and its inputs are."""
    outputs = layer.output_shapes(*inputs)
    # some faults (groups that do not divide the channels) appear only in the weights
    weights = layer.weights(*inputs)
    for shape in outputs:
        _require_printable(shape)
    return outputs, weights, len(inputs) + len(outputs) + len(weights)


def _require_printable(shape: Shape) -> None:
    if len(shape) > MAX_RANK:
        raise LayerError(f"a tensor of {len(shape):,} axes; figures are computed for up to {MAX_RANK}")
    if sum(n.bit_length() for n in shape if type(n) is int) > MAX_BITS:
        raise LayerError(f"a tensor with sizes of more than {MAX_BITS:,} bits in all")


def _require_same_shape(repeat: Repeat, source: Shape, out: Shape) -> None:
    """Raise unless a block that is repeated a symbolic number of times preserves the shape of its input."""

    def message() -> str:
        return (
            f"the block from here on is repeated {repeat.count} times, so it must keep its shape, "
            f"but it takes {show(source)} and gives {show(out)}"
        )

    for a, b in zip(source, out, strict=True):
        require_equal(a, b, message)


__all__ = ["Shapes", "Weights", "infer", "shapes_and_weights"]
