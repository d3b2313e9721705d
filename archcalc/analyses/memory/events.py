"""What runs in a forward pass: events that read and write values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from archcalc.analyses.memory.held import NEW, VIEW, Call
from archcalc.analyses.memory.lifetimes import Lifetimes
from archcalc.analyses.memory.recompute import NOTHING, Plan
from archcalc.analyses.memory.steps import Run
from archcalc.arith import Size, certainly, equal, is_known
from archcalc.graph import Graph, Tap

T = TypeVar("T")


def surely_same(a: Size, b: Size) -> bool:
    return certainly(equal(a, b))


def taken_over(
    call: Call,
    reads: Sequence[T],
    size: Callable[[T], Size],
    same: Callable[[Size, Size], bool] = surely_same,
) -> Sequence[T]:
    """Those of the tensors that a call reads whose buffer its output may take over, or shares."""
    way = call.way
    if way == NEW:
        return ()
    if way == VIEW:
        return reads[:1]
    return [tap for tap in reads if same(size(tap), call.outputs[0])]


@dataclass(eq=False, repr=False)
class Program:
    """The steps of a run, and what each of them holds."""

    graph: Graph
    run: Run
    calls: Sequence[Call]
    plan: Plan = NOTHING  # which blocks are recomputed
    different: dict[tuple[Size, Size], None] = field(default_factory=dict)  # sizes taken to be different

    def same(self, a: Size, b: Size) -> bool:
        """Whether two sizes are equal; where that depends on symbols they are taken to be different."""
        if type(a) is int and type(b) is int:
            return a == b
        answer = equal(a, b)
        if answer is None and is_known(a) and is_known(b):
            self.different[a, b] = None
        return certainly(answer)


class Execution:
    """A program that runs: the batch is alive from the start, and with the outputs to the end."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps, self.calls = program.run.steps, program.calls
        self.values = Lifetimes()
        self.inputs = set(program.graph.inputs)
        self.out: list[Sequence[int]] = [()] * len(self.steps)  # by step, the values of its outputs
        for number, step in enumerate(self.steps):
            if step.node in self.inputs:
                self.out[number] = [self.values.write(size) for size in self.calls[step.node].outputs]
        self.given = [value for written in self.out for value in written]  # what is there from the start

    def end(self) -> None:
        self.values.end([*self.given, *self.of(self.program.run.outputs)])

    def of(self, tensors: Iterable[tuple[int, int]]) -> list[int]:
        """The values of tensors, given by the numbers of their steps and outputs."""
        out = self.out
        return [out[number][k] for number, k in tensors]

    def inference(self) -> None:
        self.values.phase("forward")
        for number, step in enumerate(self.steps):
            if step.node not in self.inputs and step.between is None:
                call = self.calls[step.node]
                self.forward(number, call.inference, call.copies)
        self.end()

    def forward(self, number: int, sample: Size, fixed: Size = 0) -> None:
        """The forward pass of a call, which holds these bytes beside its outputs."""
        step, values = self.steps[number], self.values
        call = self.calls[step.node]
        reads = self.of(step.reads)
        values.event(step.node, reads, sample, fixed)
        sources = taken_over(call, reads, values.sample.__getitem__, self.program.same)
        if sources:
            self.out[number] = [values.write(call.outputs[0], 0, call.held.value, sources)]
        else:
            self.out[number] = [values.write(size) for size in call.outputs]

    def tensors(self, among: Container[int]) -> Iterator[tuple[int, Tap]]:
        """The tensors of the graph whose values are among these, with them."""
        for step, written in zip(self.steps, self.out, strict=True):
            for k, value in enumerate(written):
                if value in among:
                    yield value, Tap(step.node, k)
