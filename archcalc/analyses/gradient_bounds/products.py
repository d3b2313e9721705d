"""Bounds of the gradient at every layer: products of norms along paths, added where paths meet.

For each row the 2-norm of the Jacobian of the model's output (all outputs as one vector) in the
row's output is at most B, with B = 1 at the output and B(u) the sum over the readers v of
B(v) * L(v <- u): one pass in reverse topological order. A block repeated a symbolic number of times
contributes the power of one copy's bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archcalc.analyses.gradient_bounds import primitive_bounds
from archcalc.analyses.gradient_bounds.primitive_bounds import ChainBound
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.smallest_gain import smallest_gain
from archcalc.analyses.gradient_bounds.terms import (
    IDENTITY,
    ZERO,
    Bound,
    hypot,
    number,
    one_less,
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
    """Of one row: its own factor, and bounds of the gradient at its output from above and below."""

    local: Bound
    upper: Bound
    lower: Bound

    @property
    def formula(self) -> str:
        """The upper bound as a formula in the norms of weights."""
        return text(self.upper.term)


@dataclass
class Model:
    """A network with what each layer does to a change, ready for passes backward.

    `norms` has one entry a node; `inputs` the interval of values for model inputs (by name, or for all).
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

    def __post_init__(self) -> None:
        self.chain_bounds = []
        self.values = []
        self.masked = []
        for node in self.graph.nodes:
            self.masked.append(node.layer.makes_mask or any(self.masked[t.node] for t in node.inputs))
        starts = [0] * len(self.graph.nodes)  # of the innermost block that a node is repeated in
        for repeat in self.graph.repeats:
            for i in range(repeat.first, repeat.last + 1):
                starts[i] = max(starts[i], repeat.first)
        for i, node in enumerate(self.graph.nodes):
            shapes = self.graph.input_shapes(self.shapes, node)
            # what a later copy of a block reads is not known from the first one
            values = [ANY if t.node < starts[i] else self.values[t.node] for t in node.inputs]
            if not node.inputs:
                self.chain_bounds.append(ChainBound((), ANY))
                self.values.append(self._given(node.name))
                continue
            found = primitive_bounds.chain_bound(
                node.layer.primitives(*shapes), shapes, values, self.setting(i)
            )
            bounds = tuple(b.because(node.name) for b in found.bounds)
            self.chain_bounds.append(ChainBound(bounds, found.values))
            self.values.append(found.values)

    def setting(self, node: int) -> Setting:
        """What bounds of a node's primitives depend on besides these."""
        named = self.graph.nodes[node]
        hidden = self.masked[node] and named.layer.reads_masks
        return Setting(named.name, self.norms[node], self.training, self.tight, hidden)

    def _given(self, name: str) -> Interval:
        return self.inputs.get(name, ANY) if isinstance(self.inputs, Mapping) else self.inputs

    def local(self, node: int) -> Bound:
        """The layer's own factor: of all its inputs together."""
        return hypot(self.chain_bounds[node].bounds) if self.chain_bounds[node].bounds else IDENTITY


class Backward:
    """One pass from some outputs back to every tensor."""

    def __init__(
        self, model: Model, seeds: Mapping[Tap, Bound], first: int = 0, last: int | None = None
    ) -> None:
        self.model = model
        self.graph = model.graph
        self.first = first
        self.taps: dict[Tap, list[Bound]] = {tap: [bound] for tap, bound in seeds.items()}
        self.last = len(self.graph.nodes) - 1 if last is None else last
        self._repeats = {r.last: r for r in self._outermost()}
        self.at: dict[int, Bound] = {}

    def _outermost(self) -> list[Repeat]:
        inside = [r for r in self.graph.repeats if self.first <= r.first and r.last <= self.last]
        whole = (self.first, self.last)
        return [
            r
            for r in inside
            if (r.first, r.last) != whole
            and not any(
                o is not r and o.first <= r.first and r.last <= o.last and (o.first, o.last) != whole
                for o in inside
            )
        ]

    def run(self) -> dict[int, Bound]:
        """The bound at every node's output (all outputs of it together)."""
        i = self.last
        while i >= self.first:
            repeat = self._repeats.get(i)
            if repeat is not None:
                self._through(repeat)
                i = repeat.first - 1
                continue
            self.at[i] = self._gathered(i)
            self._send(i)
            i -= 1
        return self.at

    def _gathered(self, node: int) -> Bound:
        outputs = len(self.model.shapes[node])
        made = [plus(self.taps.pop(Tap(node, k), ())) for k in range(outputs)]
        return hypot(made)

    def _send(self, node: int) -> None:
        bound = self.at[node]
        if bound.is_zero:
            return
        edges = zip(self.graph.nodes[node].inputs, self.model.chain_bounds[node].bounds, strict=False)
        for tap, factor in edges:
            self.taps.setdefault(tap, []).append(times(factor, bound))

    def _through(self, repeat: Repeat) -> None:
        """`count` copies in a row: rows stand for the first copy, the farthest from the output."""
        after = plus(self.taps.pop(repeat.out, ()))
        inner = Backward(self.model, {repeat.out: IDENTITY}, repeat.first, repeat.last)
        relative = inner.run()
        one = plus(inner.taps.get(repeat.source, ()))
        behind = times(power(one, repeat.count - 1), after)
        for node, bound in relative.items():
            self.at[node] = times(bound, behind)
        if not after.is_zero:
            self.taps.setdefault(repeat.source, []).append(times(power(one, repeat.count), after))


def bounds(model: Model) -> list[RowBounds]:
    """Bounds for every row of a network."""
    graph = model.graph
    # an output that stands twice counts twice in the vector of all outputs
    seeds = {tap: number(graph.outputs.count(tap) ** 0.5) for tap in graph.outputs}
    upper = Backward(model, seeds).run()
    lower = _lower(model)
    return [RowBounds(model.local(i), upper[i], lower[i]) for i in range(len(graph.nodes))]


# -- from below -------------------------------------------------------------------------------------------
def _lower(model: Model) -> list[Bound]:
    """Of rows on the only way to the single output: what every layer keeps at least, and 1 - L past a skip.

    With J = A B, norm(J) >= norm(A) * s where B shrinks no vector that comes from behind by more than s:
    s = 1 for a permutation, the smallest singular value of a matrix with no more rows than columns, and
    1 - L for x + F(x) with an L-Lipschitz F.
    """
    graph = model.graph
    found = [ZERO] * len(graph.nodes)
    if len(graph.outputs) != 1 or graph.repeats:
        return found
    consumers = graph.consumers()
    output = graph.outputs[0].node
    found[output] = IDENTITY
    joins = _joins(graph, consumers)
    for i in range(output - 1, -1, -1):
        readers = set(consumers[i])
        if len(model.shapes[i]) > 1 or not readers:
            continue
        if len(consumers[i]) == 1:
            (v,) = readers
            found[i] = times(_keeps(model, v), found[v])
        elif i in joins:
            v = joins[i]
            found[i] = times(_past_skip(model, i, v), found[v])
    return found


def _keeps(model: Model, node: int) -> Bound:
    """What a layer of one input keeps of any change behind it."""
    layer = model.graph.nodes[node]
    if len(layer.inputs) != 1:
        return ZERO
    shapes = model.graph.input_shapes(model.shapes, layer)
    if model.training:
        return ZERO
    return smallest_gain(layer.layer.primitives(*shapes), model.norms[node])


def _joins(graph: Graph, consumers: Sequence[Sequence[int]]) -> dict[int, int]:
    """Forks of an identity skip and the addition where all ways from the fork meet again."""
    found: dict[int, int] = {}
    for v, node in enumerate(graph.nodes):
        for tap in node.inputs:
            u = tap.node
            if len(node.inputs) == 2 and len(consumers[u]) == 2 and u not in found and v == max(consumers[u]):
                # everything between must stay between: read by nothing behind the addition
                inside = range(u + 1, v)
                if all(
                    t.node <= u or t.node in inside for j in inside for t in graph.nodes[j].inputs
                ) and all(j <= v for i in inside for j in consumers[i]):
                    found[u] = v
    return found


def _past_skip(model: Model, fork: int, join: int) -> Bound:
    """1 - L of a residual block x + F(x); zero for any other way of joining."""
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
    return one_less(plus(inner.taps.get(Tap(fork, 0), ())))


__all__ = ["Backward", "Model", "RowBounds", "bounds"]
