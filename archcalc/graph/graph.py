"""The graph of a network: one node per call of a layer, in topological order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from archcalc.arith import Shape, Size
from archcalc.errors import ArchcalcError
from archcalc.layers.base import Layer

if TYPE_CHECKING:
    import networkx


T = TypeVar("T")


class GraphError(ArchcalcError, ValueError):
    """The nodes do not form a network."""


class Tap(NamedTuple):
    """One output of one node, as the source of an input."""

    node: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer."""

    name: str
    layer: Layer
    inputs: tuple[Tap, ...] = ()
    shared_with: int | None = None  # the earlier node that owns the weights


@dataclass(frozen=True, slots=True)
class Repeat:
    """Nodes `first..last` are repeated in sequence `count` times, where `count` is symbolic.

    The block keeps its shape: copy j+1 reads the output `out` of copy j where copy 1 reads `source`.
    """

    first: int
    last: int
    source: Tap
    out: Tap
    count: Size


class Origin(NamedTuple):
    """Where a graph's nodes come from: `read` gives the graph with other values of its symbols.

    A graph whose nodes are no longer these was changed afterwards, and cannot be read again.
    """

    nodes: tuple[Node, ...]
    read: Callable[[Mapping[str, int | None]], Graph]


class Once(Generic[T]):
    """A function of a layer and its input shapes that is called once for a layer object on equal shapes.

    Readers make one object of equal layers, of which a deep network has few.
    """

    def __init__(self, figure: Callable[..., T]) -> None:
        self._figure = figure
        self._known: dict[tuple[int, tuple[Shape, ...]], T] = {}  # by the object: hashing a layer takes long

    def __call__(self, layer: Layer, inputs: tuple[Shape, ...]) -> T:
        key = id(layer), inputs
        try:
            if key in self._known:
                return self._known[key]
        except TypeError:  # arrays of sizes, or unknown ones
            return self._figure(layer, *inputs)
        value = self._known[key] = self._figure(layer, *inputs)
        return value


@dataclass(frozen=True)
class Graph:
    """A network; built by `Graph.of` (from nodes in any order) or a reader.

    Attributes: `nodes` in topological order; `inputs` the indices of the input nodes, in
    the model's order; `outputs` the outputs of the model; `symbols` every declared symbol with its
    value or None; `optimizer` the file's, if it states one; `claims` as stated in the file; `source` and
    `format` of the file it was read from; `origin` for reading it again, where it has symbols.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[Tap, ...]
    repeats: tuple[Repeat, ...] = ()
    symbols: Mapping[str, Any] = field(default_factory=dict)
    optimizer: str | None = None
    claims: tuple[Any, ...] = ()
    source: str = ""
    format: str = "graph"
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        name: str,
        nodes: Sequence[tuple[str, Layer, Sequence[str | tuple[str, int]]]],
        outputs: Sequence[str | tuple[str, int]],
        *,
        shared: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Graph:
        """A graph from named nodes in any order; inputs are the `InputLayer` nodes.

        Raises `GraphError` for unknown or repeated names and for cycles.
        """
        index = {n: i for i, (n, _, _) in enumerate(nodes)}
        if len(index) != len(nodes):
            twice = next(n for i, (n, _, _) in enumerate(nodes) if index[n] != i)
            raise GraphError(f"the name {twice!r} appears twice")

        def tap(reference: str | tuple[str, int]) -> Tap:
            target, output = (reference, 0) if isinstance(reference, str) else reference
            if target not in index:
                raise GraphError(f"no layer is named {target!r}")
            return Tap(index[target], output)

        wired = [(n, layer, tuple(map(tap, inputs))) for n, layer, inputs in nodes]
        order = topological_order([[t.node for t in inputs] for _, _, inputs in wired])
        if len(order) < len(wired):
            raise GraphError(f"a cycle: {' -> '.join(_cycle([i for _, _, i in wired], order, nodes))}")
        new = {old: i for i, old in enumerate(order)}

        def moved(t: Tap) -> Tap:
            return Tap(new[t.node], t.output)

        shared = shared or {}
        ordered = tuple(
            Node(
                wired[old][0],
                wired[old][1],
                tuple(map(moved, wired[old][2])),
                new[index[shared[wired[old][0]]]] if wired[old][0] in shared else None,
            )
            for old in order
        )
        inputs = tuple(
            new[i] for i, (_, layer, _) in enumerate(wired) if type(layer).__name__ == "InputLayer"
        )
        return cls(name, owners_first(ordered), inputs, tuple(moved(tap(o)) for o in outputs), **more)

    def index(self) -> dict[str, int]:
        """Node indices by name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    def input_shapes(self, shapes: Sequence[Sequence[Shape]], node: Node) -> tuple[Shape, ...]:
        """The input shapes of a node, given the output shapes of every earlier node."""
        return tuple(shapes[t.node][t.output] for t in node.inputs)

    def each(self, shapes: Sequence[Sequence[Shape]], figure: Callable[..., T]) -> Iterator[T]:
        """`figure(layer, *input shapes)` of each node, worked out once for equal layers on equal shapes."""
        once = Once(figure)
        return (once(node.layer, self.input_shapes(shapes, node)) for node in self.nodes)

    def consumers(self) -> list[list[int]]:
        """For each node, the indices of the nodes that read it, once per input."""
        consumers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for t in node.inputs:
                consumers[t.node].append(i)
        return consumers

    def leading_to_outputs(self) -> set[int]:
        """The nodes on which some output of the model depends; Keras builds no others."""
        leading = {t.node for t in self.outputs}
        for i in reversed(range(len(self.nodes))):
            # each copy of a repeated block reads the output of the one before
            leading |= {
                r.out.node
                for r in self.repeats
                if r.last == i and not leading.isdisjoint(range(r.first, i + 1))
            }
            if i in leading:
                leading |= {t.node for t in self.nodes[i].inputs}
        return leading

    def multiplicities(self) -> dict[int, Size]:
        """The number of copies of each node inside a symbolic repeat; other nodes are left out."""
        counts: dict[int, Size] = {}
        for repeat in self.repeats:
            for i in range(repeat.first, repeat.last + 1):
                counts[i] = counts.get(i, 1) * repeat.count
        return counts

    def to_networkx(self) -> networkx.MultiDiGraph:
        """The network for networkx's algorithms; edges have the input `position` and `output` number."""
        import networkx

        view = networkx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            view.add_node(node.name, layer=node.layer, type=type(node.layer).__name__)
        for node in self.nodes:
            for position, t in enumerate(node.inputs):
                view.add_edge(self.nodes[t.node].name, node.name, position=position, output=t.output)
        return view

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self.nodes)} nodes)"


def topological_order(parents: Sequence[Iterable[int]]) -> list[int]:
    """Indices in topological order, the lowest possible first; nodes of and after cycles are left out."""
    import heapq

    children: list[list[int]] = [[] for _ in parents]
    missing = [0] * len(parents)
    for i, sources in enumerate(parents):
        for parent in sources:
            children[parent].append(i)
            missing[i] += 1
    ready = [i for i, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for child in children[i]:
            missing[child] -= 1
            if missing[child] == 0:
                heapq.heappush(ready, child)
    return order


def _cycle(
    inputs: list[tuple[Tap, ...]], order: list[int], nodes: Sequence[tuple[str, Any, Any]]
) -> list[str]:
    """The names of the layers along one cycle, shortened if there are many."""
    remaining = set(range(len(nodes))) - set(order)
    i = min(remaining)
    seen: dict[int, int] = {}
    path: list[int] = []
    while i not in seen:
        seen[i] = len(path)
        path.append(i)
        i = next(t.node for t in inputs[i] if t.node in remaining)
    loop = [nodes[j][0] for j in reversed(path[seen[i] :])]
    loop = [*loop, loop[0]]
    return loop if len(loop) <= 8 else [*loop[:4], "...", *loop[-3:]]


def owners_first(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes with shared weights owned by the first call in topological order."""
    first: dict[int, int] = {}
    for i, node in enumerate(nodes):
        owner = i if node.shared_with is None else node.shared_with
        first.setdefault(owner, i)
    if all(owner == i for owner, i in first.items()):
        return nodes
    renumbered = []
    for i, node in enumerate(nodes):
        owner = first[i if node.shared_with is None else node.shared_with]
        renumbered.append(Node(node.name, node.layer, node.inputs, None if owner == i else owner))
    return tuple(renumbered)
