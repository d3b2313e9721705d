"""Bounds of the gradient at every layer: products of norms along paths, added where paths meet.

The 2-norm of the Jacobian of the model's output (all outputs as one vector) with respect to the output
of node u is at most B(u), where B = 1 at the output and B(u) is the sum of B(v) * L(v <- u) over the
nodes v that read u: one pass in reverse topological order. Where the paths from u meet in a concatenation,
B(u) is also at most that of the join times a bound from u forward to it, in which squares add up. A block
repeated a symbolic number of times contributes the power of one copy's bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archcalc.analyses.gradient_bounds import joins, primitive_bounds
from archcalc.analyses.gradient_bounds.primitive_bounds import ChainBound
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.smallest_gain import smallest_gain
from archcalc.analyses.gradient_bounds.terms import (
    IDENTITY,
    ZERO,
    Bound,
    hypot,
    number,
    one_minus,
    plus,
    power,
    text,
    times,
)
from archcalc.analyses.gradient_bounds.value_ranges import ANY, Interval
from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.analyses.shapes import Shapes
from archcalc.graph import Graph, Repeat, Tap


class RowBounds(NamedTuple):
    """A bound of a row's own Jacobian, and upper and lower bounds of the gradient at its output."""

    local: Bound
    upper: Bound
    lower: Bound

    @property
    def formula(self) -> str:
        """The upper bound as a formula in the norms of weights."""
        return text(self.upper.term)


@dataclass
class Model:
    """A network with bounds of each layer's Jacobian and with the range of values of each node.

    `norms` has an entry per node; `inputs` is the range of the model inputs (by name, or of all).
    """

    graph: Graph
    shapes: Shapes
    norms: Sequence[Norms]
    training: bool = False
    tight: bool = True
    inputs: Interval | Mapping[str, Interval] = ANY
    chain_bounds: list[ChainBound] = field(init=False)
    values: list[Interval] = field(init=False)
    masked: list[bool] = field(init=False)  # whether a mask may reach a node
    squares: list[bool] = field(init=False)  # whether the bounds of a node's inputs add up in squares

    def __post_init__(self) -> None:
        self.chain_bounds = []
        self.values = []
        self.masked = []
        self.squares = []
        for node in self.graph.nodes:
            self.masked.append(
                node.layer.makes_mask or bool(node.masks) or any(self.masked[t.node] for t in node.inputs)
            )
        starts = [0] * len(self.graph.nodes)  # the first node of the innermost repeated block around a node
        for repeat in self.graph.repeats:
            for i in range(repeat.first, repeat.last + 1):
                starts[i] = max(starts[i], repeat.first)
        for i, node in enumerate(self.graph.nodes):
            shapes = self.graph.input_shapes(self.shapes, node)
            # later copies of a block may read values outside of the range that the first copy reads
            values = [ANY if t.node < starts[i] else self.values[t.node] for t in node.inputs]
            if not node.inputs:
                self.chain_bounds.append(ChainBound((), ANY))
                self.values.append(self._input_range(node.name))
                self.squares.append(False)
                continue
            primitives = node.layer.primitives(*shapes)
            self.squares.append(joins.adds_squares(primitives))
            chain = primitive_bounds.chain_bound(primitives, shapes, values, self.setting(i))
            bounds = tuple(b.attributed_to(node.name) for b in chain.bounds)
            self.chain_bounds.append(ChainBound(bounds, chain.values))
            self.values.append(chain.values)

    def setting(self, node: int) -> Setting:
        """The setting in which a node's primitives are bounded."""
        name, layer = self.graph.nodes[node].name, self.graph.nodes[node].layer
        masked = self.masked[node] and layer.reads_masks
        return Setting(name, self.norms[node], self.training, self.tight, masked)

    def _input_range(self, name: str) -> Interval:
        return self.inputs.get(name, ANY) if isinstance(self.inputs, Mapping) else self.inputs

    def local(self, node: int) -> Bound:
        """A bound of the layer's Jacobian with respect to all its inputs together."""
        return hypot(self.chain_bounds[node].bounds) if self.chain_bounds[node].bounds else IDENTITY


class Backward:
    """One pass from the tensors in `seeds` back to the nodes `first` to `last`, inside the block `around`.

    `as_vector`: the bounds are of all seeds as one vector, and not of the sum of functions of each.
    """

    def __init__(
        self,
        model: Model,
        seeds: Mapping[Tap, Bound],
        first: int = 0,
        last: int | None = None,
        *,
        around: Repeat | None = None,
        as_vector: bool = False,
    ) -> None:
        self.model = model
        self.seeds = seeds
        self.as_vector = as_vector
        self.graph = model.graph
        self.first = first
        self.taps: dict[Tap, list[Bound]] = {tap: [bound] for tap, bound in seeds.items()}
        self.last = len(self.graph.nodes) - 1 if last is None else last
        parts = self.graph.parts(first, self.last, around)
        self._repeats = {part.last: part for part in parts if isinstance(part, Repeat)}
        self._joins = self._square_joins()
        self.at: dict[int, Bound] = {}

    def run(self) -> dict[int, Bound]:
        """The bound at every node's outputs, taken together."""
        i = self.last
        while i >= self.first:
            repeat = self._repeats.get(i)
            if repeat is not None:
                self._through(repeat)
                i = repeat.first - 1
                continue
            self.at[i] = self._least(i, self._gathered(i))
            self._send(i)
            i -= 1
        return self.at

    def _gathered(self, node: int) -> Bound:
        outputs = len(self.model.shapes[node])
        return hypot([plus(self.taps.pop(Tap(node, k), ())) for k in range(outputs)])

    def _square_joins(self) -> dict[int, int]:
        """Forks whose paths meet after a node where squares add up, with the node where they meet."""
        graph, squares = self.graph, self.model.squares
        if not any(squares[self.first : self.last + 1]) and len(self.seeds) < 2:
            return {}
        blocks = [(r.first, r.last) for r in self._repeats.values()]
        readers = graph.consumers()
        ends = Counter(tap.node for tap in self.seeds)
        return {
            fork: join
            for fork, join in joins.joins(graph, self.seeds, self.first, self.last).items()
            if len(readers[fork]) + ends[fork] > 1
            and join - fork <= joins.LONGEST
            and (any(squares[fork + 1 : join + 1]) or (self.as_vector and join > self.last))
            and (self.as_vector or join <= self.last or len(self.seeds) == 1)
            and not any(a <= join and fork <= b for a, b in blocks)
        }

    def _least(self, node: int, gathered: Bound) -> Bound:
        """The bound gathered from all readers, or that through the join if it is smaller."""
        join = self._joins.get(node)
        if join is None:
            return gathered
        graph, model = self.graph, self.model
        last = min(join, self.last)
        reached = joins.forward(graph, model.chain_bounds, model.squares, node, last)
        if join > self.last:
            through = hypot([times(reached[t.node], b) for t, b in self.seeds.items() if t.node in reached])
        else:
            through = times(reached[join], self.at[join])
        if isinstance(gathered.log, float):
            return through if isinstance(through.log, float) and through.log < gathered.log else gathered
        return gathered if through.unbounded else through

    def _send(self, node: int) -> None:
        bound = self.at[node]
        if bound.is_zero:
            return
        edges = zip(self.graph.nodes[node].inputs, self.model.chain_bounds[node].bounds, strict=False)
        for tap, factor in edges:
            self.taps.setdefault(tap, []).append(times(factor, bound))

    def _through(self, repeat: Repeat) -> None:
        """`count` copies in a row; the bounds are those of the first copy, the farthest from the output."""
        after = plus(self.taps.pop(repeat.out, ()))
        inner = Backward(self.model, {repeat.out: IDENTITY}, repeat.first, repeat.last, around=repeat)
        relative = inner.run()
        one_copy = plus(inner.taps.get(repeat.source, ()))
        following = times(power(one_copy, repeat.count - 1), after)
        for node, bound in relative.items():
            self.at[node] = times(bound, following)
        if not after.is_zero:
            self.taps.setdefault(repeat.source, []).append(times(power(one_copy, repeat.count), after))


def bounds(model: Model) -> list[RowBounds]:
    """Bounds for every row of a network."""
    graph = model.graph
    # an output that is listed twice counts twice in the vector of all outputs
    seeds = {tap: number(graph.outputs.count(tap) ** 0.5) for tap in graph.outputs}
    upper = Backward(model, seeds, as_vector=True).run()
    lower = _lower(model)
    return [RowBounds(model.local(i), upper[i], lower[i]) for i in range(len(graph.nodes))]


# -- lower bounds -----------------------------------------------------------------------------------------
def _lower(model: Model) -> list[Bound]:
    """Lower bounds for nodes with a single path to the single output, apart from identity skips; else zero.

    For J = A B, norm(J) >= norm(A) * s if norm(B^T v) >= s * norm(v) for all v: s = 1 for a permutation,
    the smallest singular value of a matrix whose transpose is injective, and 1 - L for x + F(x) with an
    L-Lipschitz F.
    """
    graph = model.graph
    lower = [ZERO] * len(graph.nodes)
    if len(graph.outputs) != 1 or graph.repeats:
        return lower
    consumers = graph.consumers()
    output = graph.outputs[0].node
    lower[output] = IDENTITY
    joins = _residual_blocks(graph, consumers)
    for i in range(output - 1, -1, -1):
        readers = set(consumers[i])
        if len(model.shapes[i]) > 1 or not readers:
            continue
        if len(consumers[i]) == 1:
            (v,) = readers
            lower[i] = times(_node_gain(model, v), lower[v])
        elif i in joins:
            v = joins[i]
            lower[i] = times(_residual_gain(model, i, v), lower[v])
    return lower


def _node_gain(model: Model, node: int) -> Bound:
    """The smallest gain of a layer with one input, at inference; else zero."""
    reader = model.graph.nodes[node]
    if len(reader.inputs) != 1:
        return ZERO
    shapes = model.graph.input_shapes(model.shapes, reader)
    if model.training:
        return ZERO
    return smallest_gain(reader.layer.primitives(*shapes), model.norms[node])


def _residual_blocks(graph: Graph, consumers: Sequence[Sequence[int]]) -> dict[int, int]:
    """The nodes at which an identity skip begins, with the node at which all paths from there meet again."""
    joins: dict[int, int] = {}
    for v, node in enumerate(graph.nodes):
        for tap in node.inputs:
            u = tap.node
            if len(node.inputs) == 2 and len(consumers[u]) == 2 and u not in joins and v == max(consumers[u]):
                # nodes between the two read nothing before the fork, and no node after the join reads them
                inside = range(u + 1, v)
                if all(
                    t.node <= u or t.node in inside for j in inside for t in graph.nodes[j].inputs
                ) and all(j <= v for i in inside for j in consumers[i]):
                    joins[u] = v
    return joins


def _residual_gain(model: Model, fork: int, join: int) -> Bound:
    """1 - L for a residual block x + F(x) with an L-Lipschitz F; zero if the join is no plain sum."""
    node = model.graph.nodes[join]
    shapes = model.graph.input_shapes(model.shapes, node)
    primitives = node.layer.primitives(*shapes)
    if (
        [t.node for t in node.inputs].count(fork) != 1
        or not primitive_bounds.is_plain_sum(primitives)
        or shapes[0] != shapes[1]
    ):
        return ZERO
    other = next(t for t in node.inputs if t.node != fork)
    inner = Backward(model, {other: IDENTITY}, fork + 1, join - 1)
    inner.run()
    return one_minus(plus(inner.taps.get(Tap(fork, 0), ())))


__all__ = ["Backward", "Model", "RowBounds", "bounds"]
