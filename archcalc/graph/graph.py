"""The graph of a network: one node per call of a layer, in topological order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from archcalc.arith import Shape, Size
from archcalc.arith.sums import over_copies
from archcalc.errors import ArchcalcError
from archcalc.graph.compiled import Compile, Suppression
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


class CallMask(NamedTuple):
    """A mask that a call names: the argument of Keras's `call`, and its tensors.

    `several`: the argument is a list with a mask, or None, for each input (`Attention`).
    """

    argument: str
    taps: tuple[Tap | None, ...]
    several: bool = False

    def moved(self, move: Callable[[Tap], Tap]) -> CallMask:
        """The same mask where each tensor has another number."""
        return self._replace(taps=tuple(None if t is None else move(t) for t in self.taps))


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer."""

    name: str
    layer: Layer
    inputs: tuple[Tap, ...] = ()
    shared_with: int | None = None  # the earlier node that owns the weights
    masks: tuple[CallMask, ...] = ()  # those that the call names; they enter no shape, window or gradient

    def with_layer(self, layer: Layer) -> Node:
        """The same call of another layer."""
        return Node(self.name, layer, self.inputs, self.shared_with, self.masks)

    @property
    def reads(self) -> tuple[Tap, ...]:
        """Every tensor that the call needs: its inputs, and its masks."""
        if not self.masks:
            return self.inputs
        return (*self.inputs, *(t for mask in self.masks for t in mask.taps if t is not None))


@dataclass(frozen=True, slots=True)
class Repeat:
    """Nodes `first..last` are repeated in sequence `count` times, where `count` is symbolic.

    Copy j+1 reads the output `out` of copy j where copy 1 reads `source`. In figures of one copy `index` is
    its number, from 0 on. There are at least `least` copies.
    """

    first: int
    last: int
    source: Tap
    out: Tap
    count: Size
    index: str = "i"
    least: int = 1


class Shapes(list[tuple[Shape, ...]]):
    """The shapes of each node's outputs.

    In a block that changes the shape its copies read, they are those of copy number `index`; `indices` has
    the indices of these blocks. `read`: the input shapes, by name, of nodes that read another copy: in such a
    block the copy before, after it the last one.
    """

    def __init__(self, shapes: Iterable[tuple[Shape, ...]] = ()) -> None:
        super().__init__(shapes)
        self.indices: frozenset[str] = frozenset()
        self.read: Mapping[str, tuple[Shape, ...]] = {}
        self.cases: Cases | None = None


class Cases:
    """The calls of a network, where all of one layer object on equal input shapes are one case.

    What follows from a layer and its input shapes is worked out once for each case: readers make one object
    of equal layers, and a deep network has few. `of` has the number of each call's case; `calls` has the
    cases, in the order in which they first appear.
    """

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes  # of which these are the calls
        self.calls: list[tuple[Layer, tuple[Shape, ...]]] = []
        self.of: list[int] = []
        self._numbers: dict[tuple[int, tuple[Shape, ...]], int] = {}  # by the object: hashing it takes long

    def find(self, layer: Layer, inputs: tuple[Shape, ...]) -> int | None:
        """The number of the case of a call, if there was one like it."""
        try:
            return self._numbers.get((id(layer), inputs))
        except TypeError:  # arrays of sizes
            return None

    def add(self, layer: Layer, inputs: tuple[Shape, ...]) -> int:
        """The number of a case that was not found."""
        number = len(self.calls)
        self.calls.append((layer, inputs))
        with suppress(TypeError):
            self._numbers[id(layer), inputs] = number
        return number


class Origin(NamedTuple):
    """Where a graph's nodes come from: `read` gives the graph with other values of its symbols.

    A graph whose nodes are no longer these was changed afterwards, and cannot be read again.
    """

    nodes: tuple[Node, ...]
    read: Callable[[Mapping[str, int | None]], Graph]


@dataclass(frozen=True)
class Graph:
    """A network; built by `Graph.of` (from nodes in any order) or a reader.

    Attributes: `nodes` in topological order; `inputs` the indices of the input nodes, in
    the model's order; `outputs` the outputs of the model; `symbols` every declared symbol with its
    value or None; `compiled`, what it is trained with, `claims` and `suppressions` as the file states them;
    `source` and `format` of the file it was read from; `left_out`, in words, what the file states and no
    graph holds; `origin` for reading it again, where it has symbols.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[Tap, ...]
    repeats: tuple[Repeat, ...] = ()
    symbols: Mapping[str, Any] = field(default_factory=dict)
    compiled: Compile | None = None
    claims: tuple[Any, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    source: str = ""
    format: str = "graph"
    left_out: tuple[str, ...] = ()
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
        parents = [[t.node for t in inputs] for _, _, inputs in wired]
        order = topological_order(parents)
        if len(order) < len(wired):
            raise GraphError(f"a cycle: {shown_cycle([nodes[i][0] for i in cycle(parents)])}")
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

    @property
    def optimizer(self) -> str | None:
        """The optimizer that the file states, as the table of optimizers' state names it."""
        return None if self.compiled is None else self.compiled.state

    def index(self) -> dict[str, int]:
        """Node indices by name."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    def input_shapes(self, shapes: Sequence[Sequence[Shape]], node: Node) -> tuple[Shape, ...]:
        """The input shapes of a node, given the output shapes of every earlier node."""
        if isinstance(shapes, Shapes) and node.name in shapes.read:
            return shapes.read[node.name]
        return tuple([shapes[t.node][t.output] for t in node.inputs])

    def each(self, shapes: Sequence[Sequence[Shape]], figure: Callable[..., T]) -> Iterator[T]:
        """`figure(layer, *input shapes)` of each node, worked out once for equal layers on equal shapes."""
        cases = self.cases(shapes)
        known: list[T] = []
        for case in cases.of:
            if case == len(known):  # numbers are in the order of their first appearance
                layer, inputs = cases.calls[case]
                known.append(figure(layer, *inputs))
            yield known[case]

    def cases(self, shapes: Sequence[Sequence[Shape]]) -> Cases:
        """The cases of its calls on these shapes."""
        if isinstance(shapes, Shapes) and shapes.cases is not None and shapes.cases.nodes is self.nodes:
            return shapes.cases
        cases = Cases(self.nodes)
        for node in self.nodes:
            inputs = self.input_shapes(shapes, node)
            case = cases.find(node.layer, inputs)
            cases.of.append(cases.add(node.layer, inputs) if case is None else case)
        if isinstance(shapes, Shapes):
            shapes.cases = cases
        return cases

    def each_layer(self, figure: Callable[[Layer], T]) -> Iterator[T]:
        """`figure(layer)` of each node, worked out once for each layer object."""
        known: dict[Layer, T] = {}
        for node in self.nodes:
            layer = node.layer
            if layer not in known:
                known[layer] = figure(layer)
            yield known[layer]

    def consumers(self) -> list[list[int]]:
        """For each node, the indices of the nodes that read it, once per input; masks are no inputs."""
        consumers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for t in node.inputs:
                consumers[t.node].append(i)
        return consumers

    def leading_to_outputs(self) -> set[int]:
        """The nodes on which some output of the model depends; Keras builds no others."""
        leading = {t.node for t in self.outputs}
        ends = {r.last for r in self.repeats}
        for i in reversed(range(len(self.nodes))):
            if i in ends:  # each copy of a repeated block reads the output of the one before
                leading |= {
                    r.out.node
                    for r in self.repeats
                    if r.last == i and not leading.isdisjoint(range(r.first, i + 1))
                }
            if i in leading:
                leading.update([t.node for t in self.nodes[i].reads])
        return leading

    def parts(
        self, first: int = 0, last: int | None = None, around: Repeat | None = None
    ) -> Iterator[int | Repeat]:
        """The nodes `first..last` in order, where each outermost repeated block among them is one part.

        With `around` those inside this block. Of blocks of the same nodes the later one is the outer one.
        """
        end = len(self.nodes) - 1 if last is None else last
        if not self.repeats:
            yield from range(first, end + 1)
            return
        starting: dict[int, Repeat] = {}
        for repeat in sorted(self.repeats, key=lambda r: r.last - r.first):
            if repeat is around:
                break
            if first <= repeat.first and repeat.last <= end:
                starting[repeat.first] = repeat
        if not starting:
            yield from range(first, end + 1)
            return
        i = first
        while i <= end:
            block = starting.get(i)
            yield i if block is None else block
            i = i + 1 if block is None else block.last + 1

    def multiplicities(self) -> dict[int, Size]:
        """The number of copies of each node inside a symbolic repeat; other nodes are left out."""
        counts: dict[int, Size] = {}
        for repeat in self.repeats:
            for i in range(repeat.first, repeat.last + 1):
                counts[i] = counts.get(i, 1) * repeat.count
        return counts

    def of_all_copies(self, of_one: Iterable[Size]) -> list[Size]:
        """The figures of all copies of each node, from those of one copy."""
        figures = list(of_one)
        for repeat in sorted(self.repeats, key=lambda r: r.last - r.first):  # the inner ones first
            for i in range(repeat.first, repeat.last + 1):
                figures[i] = over_copies(figures[i], repeat.index, repeat.count)
        return figures

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

    def _repr_html_(self) -> str:
        from archcalc.render.notebook_tables import graph_html

        return graph_html(self)

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self.nodes)} nodes)"


def topological_order(parents: Sequence[Iterable[int]]) -> list[int]:
    """Indices in topological order, the lowest possible first; nodes of and after cycles are left out."""
    if all(parent < i for i, sources in enumerate(parents) for parent in sources):
        return list(range(len(parents)))  # as most files have them
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


def cycle(parents: Sequence[Iterable[int]]) -> list[int]:
    """The indices along one cycle, each a parent of the next, beginning with the lowest."""
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(dict(enumerate(parents))).prepare()
    except CycleError as found:
        loop: list[int] = found.args[1][:-1]
        start = loop.index(min(loop))
        return loop[start:] + loop[:start]
    raise ValueError("there is no cycle")


def shown_cycle(names: Sequence[str]) -> str:
    """The layers along a cycle, from the first to itself, shortened if there are many."""
    loop = [*names, names[0]]
    shown = loop if len(loop) <= 8 else [*loop[:4], f"... {len(loop) - 6:,} more ...", *loop[-2:]]
    return " -> ".join(shown)


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
        renumbered.append(replace(node, shared_with=None if owner == i else owner))
    return tuple(renumbered)
