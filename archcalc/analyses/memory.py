"""Bytes: of weights, of activations in inference and training, of what an optimiser keeps.

Inference holds a tensor from the step that makes it to its last reader; model inputs from
the start, model outputs to the end; the order is the graph's own. Each layer call makes one
tensor per output: an activation named on the layer works in place, and a Reshape is counted
as a copy. Training keeps every one of these tensors for the backward pass. Buffers that a
kernel needs inside one step (im2col, cuDNN workspaces) are in neither.
"""

from __future__ import annotations

from typing import NamedTuple

from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size, largest, prod, total
from archcalc.graph import Graph, Repeat, Tap
from archcalc.layers.base import Layer
from archcalc.unknown import Unknown

BYTES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "bool": 1,
}


class Precision(NamedTuple):
    """Bytes of one weight and of one activation."""

    weight: int
    activation: int


# Keras's dtype policies: the mixed ones keep weights, gradients and optimiser state in float32
PRECISIONS = {
    **{name: Precision(BYTES[name], BYTES[name]) for name in ("float16", "bfloat16", "float32", "float64")},
    "mixed_float16": Precision(4, 2),
    "mixed_bfloat16": Precision(4, 2),
}

# variables that Keras's optimisers keep per trainable parameter, in the weight's own dtype
OPTIMIZER_SLOTS = {
    "none": 0,
    "sgd": 0,
    "momentum": 1,
    "rmsprop": 1,
    "adagrad": 1,
    "lion": 1,
    "adam": 2,
    "adamw": 2,
    "adamax": 2,
    "nadam": 2,
    "adadelta": 2,
    "ftrl": 2,
    "lamb": 2,
}


MAX_NESTED_REPEATS = 6


def activations(graph: Graph, shapes: Shapes, precision: Precision, batch: Size = 1) -> list[Size]:
    """For each node the bytes of its outputs over the batch, times the copies it stands for."""
    copies = graph.multiplicities()
    made = _made(graph, shapes, precision, batch)
    return [copies.get(i, 1) * total(mine) for i, mine in enumerate(made)]


def peak(graph: Graph, shapes: Shapes, precision: Precision, batch: Size = 1) -> Size:
    """The most bytes that are alive at once while inference walks the nodes in order."""
    made = _made(graph, shapes, precision, batch)
    order = _Order(graph)
    if order.too_deep:
        return Unknown(f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep")
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
    heights: dict[Size, None] = {alive: None}
    for step, gone in zip(order.steps, freed, strict=True):
        if step.node not in inputs:
            alive = alive + total(made[step.node])
        heights[alive] = None
        alive = alive - total(gone)
    return largest(*heights)


def _made(graph: Graph, shapes: Shapes, precision: Precision, batch: Size) -> list[list[Size]]:
    """For each node the bytes of each of its outputs, one copy of it."""
    found = []
    for node, outputs in zip(graph.nodes, shapes, strict=True):
        each = batch * activation_bytes(node.layer, precision)
        found.append([each * prod(shape) for shape in outputs])
    return found


def activation_bytes(layer: Layer, precision: Precision) -> int:
    """Bytes of one unit: an input of integers (tokens, raw pixels) keeps its own type."""
    own = getattr(layer, "dtype", None) if type(layer).__name__ == "InputLayer" else None
    if isinstance(own, str) and own in BYTES and "float" not in own:
        return BYTES[own]
    return precision.activation


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
