"""What runs in a forward pass and in a training step, as events that read and write values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archcalc.analyses.memory.held import NEW, REUSED, VIEW, Held
from archcalc.analyses.memory.pool import Bytes, Event, Key, Write
from archcalc.analyses.memory.steps import Run
from archcalc.arith import Size, certainly, equal, largest
from archcalc.graph import Graph, Tap


class Call(NamedTuple):
    """What one call of a layer holds, in bytes of one sample.

    `outputs`, the part that is `saved` for the backward pass inside the call, and what is held while it runs;
    `gradients` are those of its trained weights, `copies` those of weights, in half precision say.
    `flows`: whether a gradient is computed for each input; `reads`: the inputs that the backward pass reads.
    """

    outputs: tuple[Size, ...]
    held: Held
    inference: Size = 0
    saved: Size = 0
    forward: Size = 0
    backward: Size = 0
    into: Size = 0
    early: Size = 0
    gradients: Size = 0
    copies: Size = 0
    trained: bool = False
    flows: tuple[bool, ...] = ()
    reads: tuple[int, ...] = ()

    @property
    def way(self) -> str:
        """How the output comes to its buffer."""
        return self.held.value if len(self.outputs) == 1 else NEW

    @property
    def has_gradient(self) -> bool:
        return self.trained or any(self.flows)


def taken_over(call: Call, reads: Sequence[Tap], sizes: Sequence[Size]) -> tuple[Tap, ...]:
    """The tensors of those that a call reads whose buffer its output may take over, or shares."""
    if call.way == VIEW:
        return tuple(reads[:1])
    if call.way == NEW:
        return ()
    return tuple(
        tap for tap, size in zip(reads, sizes, strict=True) if certainly(equal(size, call.outputs[0]))
    )


@dataclass
class Program:
    """The events of a run, and what is alive before the first and after the last of them."""

    graph: Graph
    run: Run
    calls: Sequence[Call]

    def at_start(self) -> list[Write]:
        inputs = set(self.graph.inputs)
        return [
            Write(Tap(number, k), Bytes(0, size))
            for number, step in enumerate(self.run.steps)
            if step.node in inputs
            for k, size in enumerate(self.calls[step.node].outputs)
        ]

    def inference(self) -> list[Event]:
        inputs = set(self.graph.inputs)
        return [
            self.forward(number, training=False)
            for number, step in enumerate(self.run.steps)
            if step.node not in inputs and step.between is None
        ]

    def forward(self, number: int, *, training: bool) -> Event:
        step = self.run.steps[number]
        call = self.calls[step.node]
        way = call.way
        sources = taken_over(call, step.reads, [self.size(tap) for tap in step.reads])
        writes = tuple(
            Write(Tap(number, k), Bytes(0, size), way, sources) for k, size in enumerate(call.outputs)
        )
        if not training or not call.has_gradient:
            return Event(step.node, "forward", step.reads, writes, Bytes(call.copies, call.inference))
        inside = Write(("inside", number), Bytes(call.copies, call.saved))
        return Event(step.node, "forward", step.reads, (*writes, inside), Bytes(0, call.forward))

    def size(self, tap: Tap) -> Size:
        return self.calls[self.run.steps[tap.node].node].outputs[tap.output]

    def step(self) -> list[Event]:
        """The forward pass, the loss, the backward pass in reverse, and the optimizer."""
        return list(_Backward(self).events())


class _Backward:
    """A training step: gradients are parts until all readers of a tensor have added theirs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps, self.calls = program.run.steps, program.calls
        self.parts: dict[Tap, list[Key]] = {}  # of the gradient of a tensor
        self.kernels: dict[int, list[Key]] = {}  # of the gradients of a node's weights
        self.late: list[Event] = []  # that run while the next layer's gradient is computed
        self.inputs = set(program.graph.inputs)

    def events(self) -> Iterator[Event]:
        numbers = range(len(self.steps))
        for number in numbers:
            if self.steps[number].between is not None:
                yield self._between_forward(number)
            elif self.steps[number].node not in self.inputs:
                yield self.program.forward(number, training=True)
        yield from self._loss()
        for number in reversed(numbers):
            if self.steps[number].between is not None:
                yield self._between_backward(number)
            elif self.steps[number].node not in self.inputs:
                yield from self._backward(number)
        yield from self.late
        # an update makes a temporary tensor of a weight's size
        largest_layer = largest(0, *{call.gradients for call in self.calls if call.trained})
        gradients = tuple(key for keys in self.kernels.values() for key in keys)
        yield Event(None, "update", gradients, working=Bytes(largest_layer, 0))

    def _between_forward(self, number: int) -> Event:
        kept, _ = self._copies(number)
        return Event(None, "forward", (), (Write(("between", number), Bytes(0, kept)),))

    def _between_backward(self, number: int) -> Event:
        _, gradients = self._copies(number)
        key = ("gradients between", number)
        self.kernels[-1 - number] = [key]
        return Event(None, "backward", (("between", number),), (Write(key, Bytes(gradients, 0)),))

    def _copies(self, number: int) -> tuple[Size, Size]:
        """What all copies of a block but two keep, and the gradients of their weights."""
        repeat = self.steps[number].between
        assert repeat is not None
        kept: Size = 0
        gradients: Size = 0
        for i in range(repeat.first, repeat.last + 1):
            times = repeat.count - 2
            for other in self.program.graph.repeats:
                if other is not repeat and other.first >= repeat.first and other.last <= repeat.last:
                    times = times * (other.count if other.first <= i <= other.last else 1)
            call = self.calls[i]
            kept = kept + times * (
                call.saved + sum(call.outputs[1:], call.outputs[0]) * int(call.has_gradient)
            )
            gradients = gradients + times * call.gradients
        return kept, gradients

    def _flows(self, tap: Tap) -> bool:
        return (
            self.calls[self.steps[tap.node].node].has_gradient
            and self.steps[tap.node].node not in self.inputs
        )

    def _loss(self) -> Iterator[Event]:
        """The loss reads the outputs and labels of their size, and its gradient is as large."""
        for tap in self.program.run.outputs:
            if self._flows(tap):
                size = Bytes(0, self.program.size(tap))
                key = ("gradient", tap, len(self.parts.setdefault(tap, [])), "loss")
                self.parts[tap].append(key)
                yield Event(None, "loss", (tap,), (Write(key, size),), size)

    def _backward(self, number: int) -> Iterator[Event]:
        step, call = self.steps[number], self.calls[self.steps[number].node]
        outgoing = [key for k in range(len(call.outputs)) for key in self.parts.get(Tap(number, k), ())]
        if not call.has_gradient or not outgoing:
            return
        reads: list[Key] = [*outgoing, ("inside", number), *(step.reads[k] for k in call.reads)]
        if call.held.output:
            reads += [Tap(number, k) for k in range(len(call.outputs))]
        writes = []
        for k, tap in enumerate(step.reads):
            if call.flows[k] and self._flows(tap):
                key = ("gradient", tap, number, k)
                self.parts.setdefault(tap, []).append(key)
                writes.append(self._gradient(call, key, self.program.size(tap), outgoing))
        late, self.late = self.late, []
        working = Bytes(0, call.backward + (call.into if writes else 0))
        yield Event(step.node, "backward", tuple(reads), tuple(writes), working, Bytes(0, call.early))
        yield from late
        if call.trained:
            self.late = list(self._kernel(number, tuple(reads)))

    def _kernel(self, number: int, reads: tuple[Key, ...]) -> Iterator[Event]:
        """The gradients of a call's weights, while the layer before it computes its own."""
        step, call = self.steps[number], self.calls[self.steps[number].node]
        node = self.program.graph.nodes[step.node]
        owner = step.node if node.shared_with is None else node.shared_with
        if self.program.graph.repeats:
            owner = -len(self.steps) - number  # copies of a block have weights of their own
        parts = self.kernels.setdefault(owner, [])
        parts.append(("kernel", number))
        size = Bytes(call.gradients, 0)
        yield Event(step.node, "backward", reads, (Write(parts[-1], size),))
        if owner == step.node and len(parts) > 1:
            key = ("kernel", owner, "sum")
            yield Event(step.node, "backward", tuple(parts), (Write(key, size, REUSED, tuple(parts)),))
            self.kernels[owner] = [key]

    def _gradient(self, call: Call, key: Key, size: Size, outgoing: Sequence[Key]) -> Write:
        """The gradient of an input, in the buffer of the output's where the layer allows that."""
        way = call.held.gradient
        if way != NEW and not certainly(equal(size, call.outputs[0])):
            way = NEW
        if way == VIEW and len(outgoing) > 1:
            way = REUSED  # the sum of all parts is made in the buffer of one
        return Write(key, Bytes(0, size), way, tuple(outgoing))
