"""Bytes: of weights, of activations in inference and training, of what an optimiser keeps.

Inference holds a tensor from the step that makes it to its last reader; model inputs from
the start, model outputs to the end; the order is the graph's own. Each layer call makes one
tensor per output: an activation named on the layer works in place, and a Reshape is counted
as a copy. What training holds stands in `training`. Buffers that a
kernel needs inside one step (im2col, cuDNN workspaces) are in neither.
"""

from __future__ import annotations

from typing import NamedTuple

from archcalc.analyses.precision import Precision
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size, largest, prod, total
from archcalc.dtypes import BYTES
from archcalc.graph import Graph, Repeat, Tap
from archcalc.unknown import Unknown

MAX_NESTED_REPEATS = 6


def tensors(graph: Graph, shapes: Shapes, precision: Precision, batch: Size) -> list[list[Size]]:
    """For each node the bytes of each of its outputs over the batch, one copy of it."""
    found = []
    types: list[str] = []
    for node, outputs in zip(graph.nodes, shapes, strict=True):
        types.append(node.layer.result_dtype(precision.compute, *(types[t.node] for t in node.inputs)))
        each = batch * BYTES.get(types[-1], Unknown(f"bytes of a {types[-1]} are not known here"))
        found.append([each * prod(shape) for shape in outputs])
    return found


def activations(graph: Graph, shapes: Shapes, precision: Precision, batch: Size = 1) -> list[Size]:
    """For each node the bytes of its outputs over the batch, times the copies it stands for."""
    copies = graph.multiplicities()
    made = tensors(graph, shapes, precision, batch)
    return [copies.get(i, 1) * total(mine) for i, mine in enumerate(made)]


class Peak(NamedTuple):
    """The most bytes alive at once, and the node whose step that is (None: it depends on symbols)."""

    bytes: Size
    node: int | None


def peak(graph: Graph, shapes: Shapes, precision: Precision, batch: Size = 1) -> Peak:
    """The most bytes that are alive at once while inference walks the nodes in order."""
    made = tensors(graph, shapes, precision, batch)
    order = _Order(graph)
    if order.too_deep:
        return Peak(Unknown(f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep"), None)
    last: dict[Tap, int] = {}
    for number, step in enumerate(order.steps):
        for tap in step.reads:
            last[tap] = number
    kept = {order.made_by(t) for t in graph.outputs}
    freed: list[list[Size]] = [[] for _ in order.steps]
    alive: Size = total(size for i in graph.inputs for size in made[i])
    for number, step in enumerate(order.steps):
        for output, size in enumerate(made[step.node]):
            tap = Tap(number, output)
            if tap not in kept:
                freed[last.get(tap, number)].append(size)
    inputs = set(graph.inputs)
    heights: dict[Size, int] = {}
    for step, gone in zip(order.steps, freed, strict=True):
        if step.node not in inputs:
            alive = alive + total(made[step.node])
        heights.setdefault(alive, step.node)
        alive = alive - total(gone)
    most = largest(*heights) if heights else 0
    return Peak(most, heights.get(most))


class _Step(NamedTuple):
    """One execution of a node; the taps in `reads` number steps, not nodes."""

    node: int
    reads: tuple[Tap, ...]


class _Order:
    """The steps of one forward pass.

    A block that is repeated a symbolic number of times runs twice here: what is alive in
    its third copy and later is what is alive in the second.
    """

    def __init__(self, graph: Graph) -> None:
        self.steps: list[_Step] = []
        self.too_deep = False
        self._nodes = graph.nodes
        self._step_of: dict[int, int] = {}
        self._instead: dict[Tap, Tap] = {}
        self._starting: dict[int, list[Repeat]] = {}
        for repeat in sorted(graph.repeats, key=lambda r: -r.last):
            self._starting.setdefault(repeat.first, []).append(repeat)
        self._run(0, len(graph.nodes) - 1, ())

    def made_by(self, tap: Tap) -> Tap:
        """The step whose output a tap of the graph is, at this point of the order."""
        return self._instead.get(tap) or Tap(self._step_of[tap.node], tap.output)

    def _run(self, first: int, last: int, inside: tuple[Repeat, ...]) -> None:
        i = first
        while i <= last:
            inner = next((r for r in self._starting.get(i, ()) if not any(r is o for o in inside)), None)
            if inner is not None:
                self._run_twice(inner, (*inside, inner))
                i = inner.last + 1
                continue
            self.steps.append(_Step(i, tuple(map(self.made_by, self._nodes[i].inputs))))
            self._step_of[i] = len(self.steps) - 1
            i += 1

    def _run_twice(self, repeat: Repeat, inside: tuple[Repeat, ...]) -> None:
        self._run(repeat.first, repeat.last, inside)
        if len(inside) > MAX_NESTED_REPEATS:
            self.too_deep = True
            return
        before = self._instead.get(repeat.source)
        self._instead[repeat.source] = self.made_by(repeat.out)
        self._run(repeat.first, repeat.last, inside)
        if before is None:
            del self._instead[repeat.source]
        else:
            self._instead[repeat.source] = before
