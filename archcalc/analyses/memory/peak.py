"""Peak activation memory of inference: the most bytes that are held at once.

Inference holds a tensor from the step that computes it to the last step that reads it, model inputs
from the start, model outputs to the end. The order of steps is Keras's (`order`) or any other. Each
layer call computes one tensor per output: an activation named on the layer works in place, a Reshape
counts as a copy. `training` covers training. Buffers that a kernel needs inside one step (im2col,
cuDNN workspaces) are counted in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcalc.arith import Size, largest, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Repeat, Tap

MAX_NESTED_REPEATS = 6


class Peak(NamedTuple):
    """The most bytes alive at once, the node that runs then, and the tensors that are alive.

    `node` is None and `held` is empty where they depend on symbols.
    """

    bytes: Size
    node: int | None
    held: tuple[tuple[Tap, Size], ...] = ()


def peak(graph: Graph, tensor_bytes: Sequence[Sequence[Size]], order: Sequence[int]) -> Peak:
    """The peak while inference runs the nodes in this order; `tensor_bytes` as `memory.tensors` returns them.

    All inputs are alive at the start; an input that no node reads is freed before the first step.
    Where blocks represent a symbolic number of copies, `order` has to be that of the nodes.
    """
    run = _Run(graph, order)
    if run.too_deep:
        return Peak(Unknown(f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep"), None)
    last: dict[Tap, int] = {}
    for number, step in enumerate(run.steps):
        for tap in step.reads:
            last[tap] = number
    outputs = {run.source(t) for t in graph.outputs}
    inputs = set(graph.inputs)
    lifetimes: list[tuple[Tap, Size, int, int]] = []  # tensor, its bytes, first and last step
    freed: list[list[Size]] = [[] for _ in run.steps]
    for number, step in enumerate(run.steps):
        begins = 0 if step.node in inputs else number
        for output, size in enumerate(tensor_bytes[step.node]):
            ends = last.get(Tap(number, output), number)
            if Tap(number, output) in outputs:
                ends = len(run.steps)
            else:
                freed[ends].append(size)
            lifetimes.append((Tap(step.node, output), size, begins, ends))
    alive: Size = total(size for i in graph.inputs for size in tensor_bytes[i])
    first_step: dict[Size, int] = {}  # by the bytes that are alive in it
    for number, (step, sizes) in enumerate(zip(run.steps, freed, strict=True)):
        if step.node not in inputs:
            alive = alive + total(tensor_bytes[step.node])
        first_step.setdefault(alive, number)
        alive = alive - total(sizes)
    most = largest(*first_step) if first_step else 0
    if most not in first_step:
        return Peak(most, None)
    at = first_step[most]
    held = tuple((tap, size) for tap, size, begins, ends in lifetimes if begins <= at <= ends)
    return Peak(most, run.steps[at].node, held)


class _Step(NamedTuple):
    """One execution of a node; the taps in `reads` hold numbers of steps, not of nodes."""

    node: int
    reads: tuple[Tap, ...]


class _Run:
    """The steps of one forward pass.

    A block that is repeated a symbolic number of times runs twice: its later copies hold as many
    bytes as the second one.
    """

    def __init__(self, graph: Graph, order: Sequence[int]) -> None:
        self.steps: list[_Step] = []
        self.too_deep = False
        self._nodes = graph.nodes
        self._step_of: dict[int, int] = {}
        self._replaced: dict[Tap, Tap] = {}
        self._graph = graph
        self._inputs = set(graph.inputs)
        for i in graph.inputs:
            self._step(i)
        if graph.repeats:
            self._run(graph.parts(), 1)
        else:
            for i in order:
                if i not in self._inputs:
                    self._step(i)

    def source(self, tap: Tap) -> Tap:
        """The latest step that computed a tensor of the graph, and the number of its output."""
        return self._replaced.get(tap) or Tap(self._step_of[tap.node], tap.output)

    def _run(self, parts: Iterable[int | Repeat], depth: int) -> None:
        for part in parts:
            if isinstance(part, Repeat):
                self._run_twice(part, depth)
            elif part not in self._inputs:
                self._step(part)

    def _step(self, i: int) -> None:
        self.steps.append(_Step(i, tuple(map(self.source, self._nodes[i].inputs))))
        self._step_of[i] = len(self.steps) - 1

    def _run_twice(self, repeat: Repeat, depth: int) -> None:
        inside = list(self._graph.parts(repeat.first, repeat.last, repeat))
        self._run(inside, depth + 1)
        if depth > MAX_NESTED_REPEATS:
            self.too_deep = True
            return
        before = self._replaced.get(repeat.source)
        self._replaced[repeat.source] = self.source(repeat.out)
        self._run(inside, depth + 1)
        if before is None:
            del self._replaced[repeat.source]
        else:
            self._replaced[repeat.source] = before
