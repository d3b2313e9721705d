"""The steps of one forward pass: executions of nodes, and what each of them reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arith import Size
from archcalc.graph import Graph, Repeat, Tap

MAX_NESTED_REPEATS = 6
MAX_NESTED_IN_FULL = 3  # deeper ones run two copies each


class Step(NamedTuple):
    """One execution of a node; the taps in `reads` hold numbers of steps, not of nodes.

    `copy` numbers the copies of repeated blocks that it is in, the outermost first. A step with `between`
    stands for the `copies` of that block between those that run; it runs no node.
    """

    node: int
    reads: tuple[Tap, ...] = ()
    copy: tuple[int, ...] = ()
    between: Repeat | None = None
    copies: Size = 0


class Run:
    """The steps of one forward pass, inputs first.

    Of a block that is repeated a symbolic number of times the first copies and as many last ones run, `ends`
    of each; all between them are alike. `least_copies` has the blocks' numbers of copies, each with the least
    number from which that is so.
    """

    def __init__(self, graph: Graph, order: Sequence[int], ends: int = 1) -> None:
        self._ends = ends
        self.least_copies: dict[Size, int] = {}
        self._copy: tuple[int, ...] = ()
        self.steps: list[Step] = []
        self.too_deep = False
        self._position: dict[int, int] = {}
        self.scattered = False  # whether other nodes run between those of a repeated block
        self._nodes = graph.nodes
        self._order = list(order)
        self._step_of: dict[int, int] = {}
        self._replaced: dict[Tap, Tap] = {}
        self._starting: dict[int, list[Repeat]] = {}
        inner_first = sorted(graph.repeats, key=lambda r: r.last - r.first)
        for repeat in reversed(inner_first):
            start, end = self._positions(repeat)
            self.scattered |= end - start != repeat.last - repeat.first
            self._starting.setdefault(start, []).append(repeat)
        self._inputs = set(graph.inputs)
        for i in graph.inputs:
            self._step(i)
        if not self.scattered:
            self._run(0, len(self._order) - 1, ())
        self.outputs = () if self.scattered else tuple(map(self.source, graph.outputs))

    def source(self, tap: Tap) -> Tap:
        """The latest step that computed a tensor of the graph, and the number of its output."""
        if tap in self._replaced:
            return self._replaced[tap]
        number = self._step_of[tap.node]
        return tap if number == tap.node else Tap(number, tap.output)

    def _positions(self, repeat: Repeat) -> tuple[int, int]:
        """Where in the order the first and the last node of a repeated block run."""
        if not self._position:
            self._position = {node: at for at, node in enumerate(self._order)}
        places = [self._position[i] for i in range(repeat.first, repeat.last + 1)]
        return min(places), max(places)

    def _run(self, first: int, last: int, inside: tuple[Repeat, ...]) -> None:
        at = first
        while at <= last:
            inner = next((r for r in self._starting.get(at, ()) if not any(r is o for o in inside)), None)
            if inner is not None:
                self._run_copies(inner, (*inside, inner))
                at = self._positions(inner)[1] + 1
                continue
            if self._order[at] not in self._inputs:
                self._step(self._order[at])
            at += 1

    def _step(self, i: int) -> None:
        inputs, step_of = self._nodes[i].inputs, self._step_of
        moved = bool(self._replaced)
        for source, _ in inputs:
            moved = moved or step_of[source] != source
        if moved:
            inputs = tuple(map(self.source, inputs))
        step_of[i] = len(self.steps)
        self.steps.append(Step(i, inputs, self._copy))

    def _run_copies(self, repeat: Repeat, inside: tuple[Repeat, ...]) -> None:
        before, outer = self._replaced.get(repeat.source), self._copy
        self._copy = (*outer, 0)
        self._run(*self._positions(repeat), inside)
        if len(inside) > MAX_NESTED_REPEATS:
            self.too_deep = True
            return
        ends = self._ends if len(inside) <= MAX_NESTED_IN_FULL else 1
        self.least_copies[repeat.count] = 2 * ends
        self._replaced[repeat.source] = self.source(repeat.out)
        for number in range(1, 2 * ends):
            if number == ends:
                self.steps.append(Step(repeat.first, (), outer, repeat, repeat.count - 2 * ends))
            self._copy = (*outer, number)
            self._run(*self._positions(repeat), inside)
            self._replaced[repeat.source] = self.source(repeat.out)
        self._copy = outer
        if before is None:
            del self._replaced[repeat.source]
        else:
            self._replaced[repeat.source] = before
