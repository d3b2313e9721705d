"""A forward pass over the graph: for each node, what its output sees of each model input.

How this is described (by intervals, by moments) is up to an `Algebra`; the order of nodes,
merging, and blocks that are repeated a symbolic number of times are the same for all. A repeated
block is first described relative to its input; its description is raised to the power of the
number of copies and then composed with that of its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from archcalc.analyses.fields.windows import Windows
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, Size
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ExpressionError
from archcalc.graph import Graph, Node, Repeat, Tap
from archcalc.layers.window import Window

S = TypeVar("S")

CHANGING = Unknown("what a block sees changes from copy to copy, with the size of the axis that it reads")


def mentions(state: Any, index: str) -> bool:
    """Whether the number of a block's copy enters in a description."""
    if isinstance(state, Expr):
        return index in state.symbols
    return isinstance(state, tuple) and any(mentions(part, index) for part in state)


class Algebra(Protocol[S]):
    """Descriptions of what a layer's output sees of one root, and how they compose.

    A root is a model input, or the input of a repeated block.
    """

    def start(self, axes: Sequence[int]) -> S:
        """The description of the root itself along its `axes`."""

    def unknown(self, axes: int, why: Unknown) -> S:
        """The description for this number of axes where it is unknown."""

    def through(self, state: S, window: Window, shape: Shape, out: Shape) -> S:
        """What a layer with outputs of shape `out` sees through an input of `shape`, which sees `state`."""

    def join(self, branches: Sequence[tuple[int, S]], node: Node, inputs: Sequence[Shape]) -> S:
        """What a layer sees through several inputs, given as (index of the input, state)."""

    def power(self, block: S, count: Size, shape: Shape) -> S:
        """`count` copies in a row of a block whose input and output have this shape."""

    def without(self, state: S, index: str) -> S:
        """The description, unknown wherever the number of the copy of a block enters in it."""

    def chain(self, relative: S, base: S) -> S:
        """What a layer sees of a root if it sees `relative` of a tensor that sees `base` of the root."""


class Propagation(Generic[S]):
    """The pass itself: iterate over it for (node, what its output sees of each root).

    `roots`: the input nodes with the axes to describe. `states`: the descriptions by node; the entry
    of a node is emptied once all of its readers have been yielded.
    """

    # Inside a repeated block, states are relative to the block's input: its root is -1 for the
    # outermost open block, -2 for the one inside it. Closing a block makes them relative to the outer root.

    def __init__(
        self,
        graph: Graph,
        shapes: Shapes,
        windows: Windows,
        roots: Mapping[int, Sequence[int]],
        algebra: Algebra[S],
    ) -> None:
        self.graph = graph
        self.shapes = shapes
        self.windows = windows
        self.roots = roots
        self.algebra = algebra
        self.states: list[dict[int, S]] = []
        self.open: list[Repeat] = []

    def __iter__(self) -> Iterator[tuple[int, dict[int, S]]]:
        nodes, states = self.graph.nodes, self.states
        readers = [0] * len(nodes)
        for node in nodes:
            for tap in node.inputs:
                readers[tap.node] += 1
        for part in self.graph.parts():
            self.pass_through(part)
            for i in range(part.first, part.last + 1) if isinstance(part, Repeat) else (part,):
                yield i, states[i]
                for tap in nodes[i].inputs:
                    readers[tap.node] -= 1
                    if not readers[tap.node]:
                        states[tap.node] = {}

    def pass_through(self, part: int | Repeat) -> None:
        if not isinstance(part, Repeat):
            node = self.graph.nodes[part]
            is_source = self.windows.source[part] == part
            self.states.append(self.state_of(part, node) if is_source else self.read(node.inputs[0]))
            return
        self.open.append(part)
        for inner in self.graph.parts(part.first, part.last, part):
            self.pass_through(inner)
        self.close_block()

    def state_of(self, i: int, node: Node) -> dict[int, S]:
        if not node.inputs:
            return {i: self.algebra.start(self.roots[i])} if i in self.roots else {}
        reads, shapes = self.windows.reads[i], self.shapes
        if len(node.inputs) == 1 and not shapes.read:  # no copies of a block read other shapes
            (tap,) = node.inputs
            return self.through(i, tap, reads[0], shapes[tap.node][tap.output])
        inputs = self.graph.input_shapes(shapes, node)
        branches: dict[int, list[tuple[int, S]]] = {}
        for position, way in enumerate(zip(node.inputs, reads, inputs, strict=True)):
            for root, branch in self.through(i, *way).items():
                branches.setdefault(root, []).append((position, branch))
        return {root: self.joined(root, states, node, inputs) for root, states in branches.items()}

    def through(self, i: int, tap: Tap, window: Window, shape: Shape) -> dict[int, S]:
        """What node i sees of each root through one of its inputs."""
        shapes, algebra = self.shapes, self.algebra
        # states describe the axes of a node's first output
        other_output = len(shape) != len(shapes[tap.node][0])
        seen: dict[int, S] = {}
        for root, state in self.read(tap).items():
            try:
                if other_output:
                    seen[root] = algebra.unknown(self.axes(root), self.why_other_output(tap))
                else:
                    seen[root] = algebra.through(state, window, shape, shapes[i][0])
            except ExpressionError as fault:
                seen[root] = algebra.unknown(self.axes(root), Unknown(str(fault)))
        return seen

    def joined(self, root: int, branches: list[tuple[int, S]], node: Node, inputs: Sequence[Shape]) -> S:
        try:
            return self.algebra.join(branches, node, inputs)
        except ExpressionError as fault:
            return self.algebra.unknown(self.axes(root), Unknown(str(fault)))

    def why_other_output(self, tap: Tap) -> Unknown:
        name = self.graph.nodes[tap.node].name
        return Unknown(f"nothing states what output number {tap.output} of {name!r} sees")

    def axes(self, root: int) -> int:
        if root >= 0:
            return len(self.roots[root])
        return len(self.shape(self.open[-root - 1].source))

    def shape(self, tap: Tap) -> Shape:
        return self.shapes[tap.node][tap.output]

    def read(self, tap: Tap) -> dict[int, S]:
        """What a tap sees, relative to the innermost open block."""
        return self.state_at(tap, len(self.open)) if self.open else self.states[tap.node]

    # -- repeated blocks -------------------------------------------------------------------------
    def state_at(self, tap: Tap, depth: int) -> dict[int, S]:
        """What a tap sees, relative to the innermost of the first `depth` open blocks."""
        if depth == 0:
            return self.states[tap.node]
        root, repeat = -depth, self.open[depth - 1]
        if tap.node >= repeat.first:
            return self.states[tap.node]
        axes = range(len(self.shape(repeat.source)))
        if tap == repeat.source:
            return {root: self.algebra.start(axes)}
        if not self.state_at(tap, 0):
            return {}
        why = f"each copy of a repeated block reads {self.graph.nodes[tap.node].name!r} besides its input"
        return {root: self.algebra.unknown(len(axes), Unknown(why))}

    def close_block(self) -> None:
        root, repeat = -len(self.open), self.open[-1]
        base = self.state_at(repeat.source, len(self.open) - 1)
        inside = range(repeat.first, repeat.last + 1)
        relative = [self.states[i].get(root) for i in inside]
        if repeat.index in self.shapes.indices:  # below, all copies see the same of what they read
            relative = [s if s is None else self.algebra.without(s, repeat.index) for s in relative]
        block = relative[repeat.out.node - repeat.first]
        if block is None:
            last_input: dict[int, S] = {}
        else:
            previous = self.algebra.power(block, repeat.count - 1, self.shape(repeat.source))
            last_input = {outer: self.algebra.chain(previous, state) for outer, state in base.items()}
        composed: dict[int, dict[int, S]] = {}
        for i, state in zip(inside, relative, strict=True):
            if state is not None:
                if id(state) not in composed:
                    composed[id(state)] = {
                        outer: self.algebra.chain(state, base) for outer, base in last_input.items()
                    }
                self.states[i] = composed[id(state)]
        self.open.pop()
