"""What runs in a training step: events that read and write values."""

from __future__ import annotations

from functools import cached_property

from archcalc.analyses.memory.copies_held import HeldTensors
from archcalc.analyses.memory.events import Execution, Program
from archcalc.analyses.memory.held import NEW, REUSED, VIEW, Call
from archcalc.analyses.memory.lifetimes import BEFORE
from archcalc.analyses.memory.recompute import NOTHING, reached
from archcalc.analyses.memory.training import held_tensors
from archcalc.arith import Size, largest
from archcalc.graph import Tap

# what Adam makes of a sparse gradient: tensors of the weight's size, and of the gradient's
DENSE, SPARSE = 2, 2


class TrainingStep(Execution):
    """The forward pass, the loss, the backward pass in reverse, and the optimizer.

    Gradients are parts until all readers of a tensor have added theirs.
    """

    def __init__(self, program: Program, inference: Execution | None = None) -> None:
        """`inference`: a run of the same program, which recomputes nothing and repeats no block."""
        super().__init__(program)
        self.plan = program.plan
        self.flows = reached(program.graph, self.calls)  # by node, through whose outputs gradients flow
        self.given_forward = inference
        self.inside: dict[int, int] = {}  # what the calls of a step keep
        self.between: dict[int, int] = {}  # the same of copies of a block that do not run
        self.parts: dict[tuple[int, int], list[int]] = {}  # of the gradient of a tensor
        self.kernels: dict[int, list[int]] = {}  # gradients of a node's weights
        self.late: list[tuple[int, list[int], list[int]]] = []  # that are computed beside the next layer's
        self.spans = self.plan.spans(self.steps)  # steps that run again together, by their last one
        self.again = False  # whether this is the backward pass of such a span

    def run(self) -> None:
        within = {number for span in self.spans.values() for number in span}
        if self.given_forward is None:
            self.values.phase("forward")
            for number, step in enumerate(self.steps):
                if step.between is None:
                    self._forward(number)
                elif number not in within:
                    self._keep_between(number)
        else:
            self._forward_as_in(self.given_forward)
        for tap in self.program.run.outputs:  # labels belong to the batch, and are as large as the outputs
            if self.flows[self.steps[tap.node].node]:
                self.given.append(self.values.insert(BEFORE, self._size(tap)))
        self.values.phase("loss")
        self._loss()
        self.values.phase("backward")
        for number in reversed(range(len(self.steps))):
            if number in self.spans:
                self._span(self.spans[number])
            elif number not in within:
                self._backward(number)
        self._kernels()
        self.values.phase("update")
        self._update()
        self.end()

    def _size(self, tap: Tap) -> Size:
        return self.calls[self.steps[tap.node].node].outputs[tap.output]

    def _update(self) -> None:
        """The optimizer makes a temporary tensor of a weight's size, and more where a gradient is sparse."""
        gradients = [value for values in self.kernels.values() for value in values]
        for call in self.calls:
            if call.held.sparse and call.trained:
                self.values.event(None, gradients, SPARSE * call.outputs[0], DENSE * call.gradients)
        largest_layer = largest(0, *dict.fromkeys(call.gradients for call in self.calls if call.trained))
        self.values.event(None, gradients, fixed=largest_layer)

    def _forward_as_in(self, inference: Execution) -> None:
        """The forward pass, from that of inference: what is kept comes to it, and calls hold other bytes."""
        working: list[Size] = []
        fixed: dict[int, Size] = {}
        kept: list[tuple[int, Call]] = []
        for number, step in enumerate(self.steps):
            i, event = step.node, len(working)
            if i in self.inputs:
                continue
            call = self.calls[i]
            if not self.flows[i]:
                working.append(call.inference)
                if call.copies != 0:
                    fixed[event] = call.copies
                continue
            working.append(call.forward)
            if call.saved != 0 or call.copies != 0:
                kept.append((number, call))
        values = self.values = inference.values.again(working, fixed)
        self.out = inference.out
        for number, call in kept:
            self.inside[number] = values.insert(number - len(self.inputs), call.saved, call.copies)

    def _forward(self, number: int) -> None:
        """A call's forward pass, the first one or within a span another one."""
        step = self.steps[number]
        if step.node in self.inputs:
            return
        call = self.calls[step.node]
        if not self.flows[step.node]:
            self.forward(number, call.inference, call.copies)
        elif not self.again and step.node in self.plan.block_of:  # nothing is kept
            self.forward(number, largest(call.inference, call.forward), call.copies)
        else:
            self.forward(number, call.forward)
            if call.saved != 0 or call.copies != 0:
                self.inside[number] = self.values.write(call.saved, call.copies)

    def _span(self, span: range) -> None:
        """A block's backward pass, after it has run forward again on a copy of what it reads."""
        self._kernels()
        if not any(number in span and parts for (number, _), parts in self.parts.items()):
            return
        values = self.values
        outside = dict.fromkeys(tap for n in span for tap in self.steps[n].reads if tap.node not in span)
        sources, copies = self.of(outside), []
        before = {number: self.out[number] for number in (*span, *[tap.node for tap in outside])}
        for tap, source in zip(outside, sources, strict=True):
            values.event(None)
            copies.append(values.write(self._size(tap), 0, REUSED, (source,)))
            self.out[tap.node] = [copies[-1] if v == source else v for v in self.out[tap.node]]
        self.again = True
        for number in span:
            step = self.steps[number]
            if step.between is not None:
                self._keep_between(number)
            elif step.node in self.plan.again:
                self._forward(number)
        for number in reversed(span):
            self._backward(number)
        self.again = False
        for number, first in before.items():
            self.out[number] = first
        for source, copy in zip(sources, copies, strict=True):
            values.copied(source, copy)

    def _keep_between(self, number: int) -> None:
        kept, _ = self._copies(number)
        self.values.event(None)
        self.between[number] = self.values.write(kept)

    def _copies(self, number: int) -> tuple[Size, Size]:
        """What the copies of a block that do not run keep, and the gradients of their weights."""
        repeat, repeats = self.steps[number].between, self.program.graph.repeats
        assert repeat is not None
        block, held = repeats.index(repeat), self._held_again if self.again else self._held
        kept: Size = 0
        gradients: Size = 0
        for i in range(repeat.first, repeat.last + 1):
            call, times = self.calls[i], self.steps[number].copies
            kept = kept + times * held.in_other_copies(i, call.outputs, block)
            around = held.around(i)
            for inner in around[: around.index(block)]:
                times = times * repeats[inner].count
            if self.flows[i]:
                kept = kept + (times * call.saved if self.again or i not in self.plan.block_of else 0)
                gradients = gradients + times * call.gradients
        return kept, gradients

    @cached_property
    def _held(self) -> HeldTensors:
        return held_tensors(self.program.graph, self.calls, self.plan, self.flows)

    @cached_property
    def _held_again(self) -> HeldTensors:
        """The same where nothing is recomputed, as in a block that runs again."""
        return held_tensors(self.program.graph, self.calls, NOTHING, self.flows)

    def _loss(self) -> None:
        """The loss reads the outputs, and its gradient is as large.

        A mean squared error computes the difference, twice the difference and its square.
        """
        for tap in self.program.run.outputs:
            if self.flows[self.steps[tap.node].node]:
                size = self._size(tap)
                self.values.event(None, self.of((tap,)), 3 * size)
                self.parts.setdefault(tap, []).append(self.values.write(size))

    def _backward(self, number: int) -> None:
        step = self.steps[number]
        if step.between is not None:
            _, gradients = self._copies(number)
            # while one falls the other grows: either all is kept, or all gradients are made
            self.values.event(None, (self.between[number],))
            self.values.event(None)
            self.kernels[-1 - number] = [self.values.write(0, gradients)]
        elif self.flows[step.node]:
            self._layer(number)

    def _layer(self, number: int) -> None:
        step = self.steps[number]
        call, values, parts = self.calls[step.node], self.values, self.parts
        outgoing = parts.pop((number, 0), [])
        for k in range(1, len(call.outputs)):
            outgoing = outgoing + parts.pop((number, k), [])
        if not outgoing:
            return
        reads = outgoing + self.of([step.reads[k] for k in call.reads])
        if call.held.output:
            reads += self.out[number]
        if number in self.inside:
            reads.append(self.inside[number])
        flows, steps = self.flows, self.steps
        to = [
            tap
            for tap, flow in zip(step.reads, call.flows, strict=False)
            if flow and flows[steps[tap.node].node]
        ]
        working = call.backward + call.into if to else call.backward
        values.event(step.node, reads, working, early=call.early)
        for tap in to:
            size = self._size(tap)
            way = self._way(call, size, len(outgoing))
            parts.setdefault(tap, []).append(values.write(size, 0, way, outgoing))
        self._kernels()
        if call.trained:
            self.late.append((number, reads, outgoing))

    def _way(self, call: Call, size: Size, outgoing: int) -> str:
        """How the gradient of an input comes to its buffer: in the output's where the layer allows that."""
        way = call.held.gradient
        if way == NEW or not self.program.same(size, call.outputs[0]):
            return NEW
        # the sum of all parts is made in the buffer of one
        return REUSED if way == VIEW and outgoing > 1 else way

    def _kernels(self) -> None:
        """The gradients of a call's weights, while the layer before it computes its own.

        That of an embedding is sparse: the gradients of its outputs, with their rows.
        """
        if not self.late:
            return
        late, self.late = self.late, []
        for number, reads, outgoing in late:
            step, call = self.steps[number], self.calls[self.steps[number].node]
            node = self.program.graph.nodes[step.node]
            owner = step.node if node.shared_with is None else node.shared_with
            if self.program.graph.repeats:
                owner = -len(self.steps) - number  # copies of a block have weights of their own
            parts = self.kernels.setdefault(owner, [])
            self.values.event(step.node, reads)
            if call.held.sparse:
                parts.append(self.values.write(call.outputs[0], 0, REUSED, outgoing))
            else:
                parts.append(self.values.write(0, call.gradients))
            if owner == step.node and len(parts) > 1 and not call.held.sparse:
                self.values.event(step.node, parts)
                self.kernels[owner] = [self.values.write(0, call.gradients, REUSED, parts)]
