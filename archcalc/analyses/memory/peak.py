"""The most bytes of activations that inference holds at once.

Inference holds a tensor from the step that makes it to its last reader; model inputs from
the start, model outputs to the end; the order is Keras's (`order`), or another. Each layer call makes one
tensor per output: an activation named on the layer works in place, and a Reshape is counted
as a copy. What training holds stands in `training`. Buffers that a
kernel needs inside one step (im2col, cuDNN workspaces) are in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arith import Size, largest, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Repeat, Tap

MAX_NESTED_REPEATS = 6


class Peak(NamedTuple):
    """The most bytes alive at once, at whose step, and whose tensors they are.

    `node` is None, and `held` empty, where that depends on symbols.
    """

    bytes: Size
    node: int | None
    held: tuple[tuple[Tap, Size], ...] = ()


def peak(graph: Graph, made: Sequence[Sequence[Size]], order: Sequence[int]) -> Peak:
    """The most bytes that are alive at once while inference walks the nodes in this order.

    All inputs are there from the start; one that nobody reads is gone before the first step.
    `made` are the bytes of `tensors`. Where blocks stand for a symbolic number of copies, the
    order has to be that of the rows.
    """
    walk = _Walk(graph, order)
    if walk.too_deep:
        return Peak(Unknown(f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep"), None)
    last: dict[Tap, int] = {}
    for number, step in enumerate(walk.steps):
        for tap in step.reads:
            last[tap] = number
    kept = {walk.made_by(t) for t in graph.outputs}
    inputs = set(graph.inputs)
    spans: list[tuple[Tap, Size, int, int]] = []  # what is alive from which step to which
    freed: list[list[Size]] = [[] for _ in walk.steps]
    for number, step in enumerate(walk.steps):
        begins = 0 if step.node in inputs else number
        for output, size in enumerate(made[step.node]):
            ends = last.get(Tap(number, output), number)
            if Tap(number, output) in kept:
                ends = len(walk.steps)
            else:
                freed[ends].append(size)
            spans.append((Tap(step.node, output), size, begins, ends))
    alive: Size = total(size for i in graph.inputs for size in made[i])
    heights: dict[Size, int] = {}
    for number, (step, gone) in enumerate(zip(walk.steps, freed, strict=True)):
        if step.node not in inputs:
            alive = alive + total(made[step.node])
        heights.setdefault(alive, number)
        alive = alive - total(gone)
    most = largest(*heights) if heights else 0
    if most not in heights:
        return Peak(most, None)
    at = heights[most]
    held = tuple((tap, size) for tap, size, begins, ends in spans if begins <= at <= ends)
    return Peak(most, walk.steps[at].node, held)


class _Step(NamedTuple):
    """One execution of a node; the taps in `reads` number steps, not nodes."""

    node: int
    reads: tuple[Tap, ...]


class _Walk:
    """The steps of one forward pass.

    A block that is repeated a symbolic number of times runs twice here: what is alive in
    its third copy and later is what is alive in the second.
    """

    def __init__(self, graph: Graph, order: Sequence[int]) -> None:
        self.steps: list[_Step] = []
        self.too_deep = False
        self._nodes = graph.nodes
        self._step_of: dict[int, int] = {}
        self._instead: dict[Tap, Tap] = {}
        self._starting: dict[int, list[Repeat]] = {}
        for repeat in sorted(graph.repeats, key=lambda r: -r.last):
            self._starting.setdefault(repeat.first, []).append(repeat)
        self._inputs = set(graph.inputs)
        for i in graph.inputs:
            self._step(i)
        if graph.repeats:
            self._run(0, len(graph.nodes) - 1, ())
        else:
            for i in order:
                if i not in self._inputs:
                    self._step(i)

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
            if i not in self._inputs:
                self._step(i)
            i += 1

    def _step(self, i: int) -> None:
        self.steps.append(_Step(i, tuple(map(self.made_by, self._nodes[i].inputs))))
        self._step_of[i] = len(self.steps) - 1

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
