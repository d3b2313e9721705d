"""The graph of a network: one node per call of a layer, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Shape, Size
from archcalc.errors import ArchcalcError
from archcalc.layers.base import Layer

if TYPE_CHECKING:
    import networkx


class GraphError(ArchcalcError, ValueError):
    """The nodes do not form a network."""


class Tap(NamedTuple):
    """One output of one node: where an input comes from."""

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
    """Nodes `first..last` stand for `count` copies in a row, `count` being symbolic.

    The block keeps its shape: copy j+1 reads the output `out` where copy 1 read `source`.
    """

    first: int
    last: int
    source: Tap
    out: Tap
    count: Size


@dataclass(frozen=True)
class Graph:
    """A network. Build one with `Graph.of` (any order) or a reader.

    Attributes: `nodes` in topological order; `inputs` the indices of the input nodes, in
    the model's order; `outputs` the taps that leave the model; `symbols` every declared
    symbol with its value or None; `claims` as the file states them; `source` and `format`
    say where it was read from.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[Tap, ...]
    repeats: tuple[Repeat, ...] = ()
    symbols: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[Any, ...] = ()
    source: str = ""
    format: str = "graph"

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
            raise GraphError(f"the name {twice!r} stands twice")

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
        made = tuple(
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
        return cls(name, owners_first(made), inputs, tuple(moved(tap(o)) for o in outputs), **more)

    def index(self) -> dict[str, int]:
        """Node numbers by name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    def input_shapes(self, shapes: Sequence[Sequence[Shape]], node: Node) -> tuple[Shape, ...]:
        """The shapes that a node reads, given every earlier node's output shapes."""
        return tuple(shapes[t.node][t.output] for t in node.inputs)

    def consumers(self) -> list[list[int]]:
        """For each node, the nodes that read it (twice, if they read it twice)."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for t in node.inputs:
                found[t.node].append(i)
        return found

    def multiplicities(self) -> dict[int, Size]:
        """Copies per node, for the nodes inside symbolic repeats; 1 for all others."""
        found: dict[int, Size] = {}
        for repeat in self.repeats:
            for i in range(repeat.first, repeat.last + 1):
                found[i] = found.get(i, 1) * repeat.count
        return found

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A view for networkx's algorithms; edges carry their input's position and output number."""
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
    """Positions in an order that reads nothing before it is made; stable; cycles are left out."""
    import heapq

    children: list[list[int]] = [[] for _ in parents]
    missing = [0] * len(parents)
    for i, mine in enumerate(parents):
        for parent in mine:
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
    """The names along one cycle, shortened if it is long."""
    left = set(range(len(nodes))) - set(order)
    i = min(left)
    seen: dict[int, int] = {}
    path: list[int] = []
    while i not in seen:
        seen[i] = len(path)
        path.append(i)
        i = next(t.node for t in inputs[i] if t.node in left)
    loop = [nodes[j][0] for j in reversed(path[seen[i] :])]
    loop = [*loop, loop[0]]
    return loop if len(loop) <= 8 else [*loop[:4], "...", *loop[-3:]]


def owners_first(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Weights belong to the first call in topological order, whoever declared them."""
    first: dict[int, int] = {}
    for i, node in enumerate(nodes):
        owner = i if node.shared_with is None else node.shared_with
        first.setdefault(owner, i)
    if all(owner == i for owner, i in first.items()):
        return nodes
    made = []
    for i, node in enumerate(nodes):
        owner = first[i if node.shared_with is None else node.shared_with]
        made.append(Node(node.name, node.layer, node.inputs, None if owner == i else owner))
    return tuple(made)
