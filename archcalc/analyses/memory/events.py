"""What runs in a forward pass, as events that read and write values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from archcalc.analyses.memory.held import NEW, VIEW, Call
from archcalc.analyses.memory.pool import HELD, Bytes, Event, Key, Write
from archcalc.analyses.memory.recompute import NOTHING, Plan
from archcalc.analyses.memory.steps import Run
from archcalc.arith import Size, certainly, equal, is_known, largest
from archcalc.graph import Graph, Tap


def surely_same(a: Size, b: Size) -> bool:
    return certainly(equal(a, b))


def taken_over(
    call: Call,
    reads: Sequence[Tap],
    size: Callable[[Tap], Size],
    same: Callable[[Size, Size], bool] = surely_same,
) -> tuple[Tap, ...]:
    """The tensors of those that a call reads whose buffer its output may take over, or shares."""
    way = call.way
    if way == NEW:
        return ()
    if way == VIEW:
        return tuple(reads[:1])
    return tuple(tap for tap in reads if same(size(tap), call.outputs[0]))


@dataclass(eq=False, repr=False)
class Program:
    """The events of a run, and what is alive before the first and after the last of them."""

    graph: Graph
    run: Run
    calls: Sequence[Call]
    plan: Plan = NOTHING  # which blocks are recomputed
    different: dict[tuple[Size, Size], None] = field(default_factory=dict)  # sizes taken to be different
    # what the forward pass of each step reads and writes, where the steps are few
    made: dict[int, tuple[tuple[Key, ...], tuple[Write, ...]]] = field(default_factory=dict)

    def same(self, a: Size, b: Size) -> bool:
        """Whether two sizes are equal; where that depends on symbols they are taken to be different."""
        if type(a) is int and type(b) is int:
            return a == b
        answer = equal(a, b)
        if answer is None and is_known(a) and is_known(b):
            self.different[a, b] = None
        return certainly(answer)

    def at_start(self) -> list[Write]:
        inputs = set(self.graph.inputs)
        return [
            Write(Tap(number, k), Bytes(0, size))
            for number, step in enumerate(self.run.steps)
            if step.node in inputs
            for k, size in enumerate(self.calls[step.node].outputs)
        ]

    def labels(self) -> list[Write]:
        """They belong to the batch, and are as large as the outputs."""
        return [
            Write(("labels", n), Bytes(0, self.size(tap)))
            for n, tap in enumerate(self.run.outputs)
            if self.flows(tap)
        ]

    def flows(self, tap: Tap) -> bool:
        """Whether a tensor has a gradient."""
        node = self.run.steps[tap.node].node
        return self.calls[node].has_gradient and node not in self.graph.inputs

    def inference(self) -> Iterator[Event]:
        inputs = set(self.graph.inputs)
        for number, step in enumerate(self.run.steps):
            if step.node not in inputs and step.between is None:
                yield self.forward(number, training=False)

    def forward(self, number: int, *, training: bool, key: Callable[[Tap], Key] | None = None) -> Event:
        """A call's forward pass; `key` gives the values that it reads and writes where it runs again."""
        step = self.run.steps[number]
        call = self.calls[step.node]
        phase = "backward" if key else "forward"
        reads, writes = self._accesses(number, key)
        if not training or not call.has_gradient:
            return Event(step.node, phase, reads, writes, Bytes(call.copies, call.inference))
        if step.node in self.plan.block_of and not key:  # nothing is kept
            working = Bytes(call.copies, largest(call.inference, call.forward))
            return Event(step.node, phase, reads, writes, working)
        inside = Write(("inside", number), Bytes(call.copies, call.saved))
        return Event(step.node, phase, reads, (*writes, inside), Bytes(0, call.forward))

    def _accesses(
        self, number: int, key: Callable[[Tap], Key] | None
    ) -> tuple[tuple[Key, ...], tuple[Write, ...]]:
        """What a call's forward pass reads and writes."""
        if key is None and number in self.made:
            return self.made[number]
        step = self.run.steps[number]
        call = self.calls[step.node]
        outputs = tuple([Tap(number, k) for k in range(len(call.outputs))])
        taken = taken_over(call, step.reads, self.size, self.same)
        reads, sources, written = (
            taps if key is None else tuple(map(key, taps)) for taps in (step.reads, taken, outputs)
        )
        way = call.way
        writes = tuple(
            [Write(to, Bytes(0, size), way, sources) for to, size in zip(written, call.outputs, strict=True)]
        )
        if key is None and len(self.run.steps) <= HELD:
            self.made[number] = reads, writes
        return reads, writes

    def size(self, tap: Tap) -> Size:
        return self.calls[self.run.steps[tap.node].node].outputs[tap.output]
