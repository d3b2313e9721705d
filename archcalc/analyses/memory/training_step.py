"""What runs in a training step, as events that read and write values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.analyses.memory.events import Program
from archcalc.analyses.memory.held import NEW, REUSED, VIEW, Call
from archcalc.analyses.memory.pool import Bytes, Event, Key, Write
from archcalc.arith import Size, largest, total
from archcalc.graph import Repeat, Tap

# what Adam makes of a sparse gradient: tensors of the weight's size, and of the gradient's
DENSE, SPARSE = 2, 2


class TrainingStep:
    """The forward pass, the loss, the backward pass in reverse, and the optimizer.

    Gradients are parts until all readers of a tensor have added theirs.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps, self.calls, self.plan = program.run.steps, program.calls, program.plan
        self.parts: dict[Tap, list[Key]] = {}  # of the gradient of a tensor
        self.kernels: dict[int, list[Key]] = {}  # of the gradients of a node's weights
        self.late: list[Event] = []  # that run while the next layer's gradient is computed
        self.inputs = set(program.graph.inputs)
        self.spans = self.plan.spans(self.steps)  # steps that run again together, by their last one
        self.again: range | None = None  # those whose backward pass this is

    def events(self) -> Iterator[Event]:
        within = {number for span in self.spans.values() for number in span}
        for number in range(len(self.steps)):
            if self.steps[number].between is None or number not in within:
                yield from self._forward(number)
        yield from self._loss()
        for number in reversed(range(len(self.steps))):
            if number in self.spans:
                yield from self._span(self.spans[number])
            elif number not in within:
                yield from self._backward(number)
        yield from self.late
        yield from self._update()

    def _update(self) -> Iterator[Event]:
        """The optimizer makes a temporary tensor of a weight's size, and more where a gradient is sparse."""
        gradients = tuple(key for keys in self.kernels.values() for key in keys)
        for call in self.calls:
            if call.held.sparse and call.trained:
                working = Bytes(DENSE * call.gradients, SPARSE * call.outputs[0])
                yield Event(None, "update", gradients, working=working)
        largest_layer = largest(0, *{call.gradients for call in self.calls if call.trained})
        yield Event(None, "update", gradients, working=Bytes(largest_layer, 0))

    def _forward(self, number: int) -> Iterator[Event]:
        if self.steps[number].between is not None:
            kept, _ = self._copies(number)
            yield Event(None, "forward", (), (Write(("between", number), Bytes(0, kept)),))
        elif self.steps[number].node not in self.inputs:
            yield self.program.forward(number, training=True, key=self._key if self.again else None)

    def _span(self, span: range) -> Iterator[Event]:
        """A block's backward pass, after it has run forward again on a copy of what it reads."""
        yield from self.late
        self.late, self.again = [], span
        if any(tap.node in span and keys for tap, keys in self.parts.items()):
            again = [event for number in span if self._runs_again(number) for event in self._forward(number)]
            events = [*again, *(event for number in reversed(span) for event in self._backward(number))]
            read = {key for event in events for key in event.reads}
            outside = {tap: None for n in span for tap in self.steps[n].reads if tap.node not in span}
            for tap in outside:
                key = self._key(tap)
                if key in read:
                    write = Write(key, Bytes(0, self.program.size(tap)), REUSED, (tap,))
                    yield Event(None, "backward", (tap,), (write,))
            yield from events
        self.again = None

    def _runs_again(self, number: int) -> bool:
        step = self.steps[number]
        return step.between is not None or step.node in self.plan.again

    def _key(self, tap: Tap) -> Key:
        """The value that a tensor has in this pass: that of the forward pass, or what was computed again."""
        return ("again", self.again.start, tap) if self.again else tap

    def _copies(self, number: int) -> tuple[Size, Size]:
        """What the copies of a block that do not run keep, and the gradients of their weights."""
        repeat = self.steps[number].between
        assert repeat is not None
        kept: Size = 0
        gradients: Size = 0
        for i in range(repeat.first, repeat.last + 1):
            times = self.steps[number].copies
            for other in self.program.graph.repeats:
                if other is not repeat and other.first >= repeat.first and other.last <= repeat.last:
                    times = times * (other.count if other.first <= i <= other.last else 1)
            call = self.calls[i]
            kept = kept + times * self._kept(i, repeat)
            gradients = gradients + times * call.gradients
        return kept, gradients

    def _kept(self, i: int, repeat: Repeat) -> Size:
        """What one copy of a node keeps."""
        call, recomputed = self.calls[i], i in self.plan.block_of and not self.again
        inside = call.saved if call.has_gradient and not recomputed else 0
        outputs = (Tap(i, k) for k in range(len(call.outputs)))
        return inside + total(call.outputs[tap.output] for tap in outputs if self._is_read(tap, repeat))

    def _is_read(self, tap: Tap, repeat: Repeat) -> bool:
        """Whether the backward pass reads an output, in its own copy of a block or in the next one."""
        block = self.plan.block_of.get(tap.node) if not self.again else None
        if self.calls[tap.node].held.output and self.calls[tap.node].has_gradient and block is None:
            return True
        names = {tap, repeat.source} if tap == repeat.out else {tap}
        for c in range(repeat.first, repeat.last + 1):
            call, inputs = self.calls[c], self.program.graph.nodes[c].inputs
            if block is not None and c in block.nodes and tap != repeat.out:
                continue  # what is inside a block is computed again
            reads = [inputs[k] for k in call.reads] if call.has_gradient else []
            if not self.again and c in self.plan.again:
                reads += inputs
            if not names.isdisjoint(reads):
                return True
        return False

    def _loss(self) -> Iterator[Event]:
        """The loss reads the outputs, and its gradient is as large.

        A mean squared error computes the difference, twice the difference and its square.
        """
        for tap in self.program.run.outputs:
            if self.program.flows(tap):
                size = self.program.size(tap)
                key = ("gradient", tap, len(self.parts.setdefault(tap, [])), "loss")
                self.parts[tap].append(key)
                yield Event(None, "loss", (tap,), (Write(key, Bytes(0, size)),), Bytes(0, 3 * size))

    def _backward(self, number: int) -> Iterator[Event]:
        if self.steps[number].between is not None:
            _, gradients = self._copies(number)
            key = ("gradients between", number)
            self.kernels[-1 - number] = [key]
            # while one falls the other grows: either all is kept, or all gradients are made
            yield Event(None, "backward", (("between", number),))
            yield Event(None, "backward", (), (Write(key, Bytes(gradients, 0)),))
        elif self.steps[number].node not in self.inputs:
            yield from self._layer(number)

    def _layer(self, number: int) -> Iterator[Event]:
        step, call = self.steps[number], self.calls[self.steps[number].node]
        outgoing = [key for k in range(len(call.outputs)) for key in self.parts.get(Tap(number, k), ())]
        if not call.has_gradient or not outgoing:
            return
        reads: list[Key] = [*outgoing, ("inside", number), *(self._key(step.reads[k]) for k in call.reads)]
        if call.held.output:
            reads += [self._key(Tap(number, k)) for k in range(len(call.outputs))]
        writes = []
        for k, tap in enumerate(step.reads):
            if call.flows[k] and self.program.flows(tap):
                key = ("gradient", tap, number, k)
                self.parts.setdefault(tap, []).append(key)
                writes.append(self._gradient(call, key, self.program.size(tap), outgoing))
        late, self.late = self.late, []
        working = Bytes(0, call.backward + (call.into if writes else 0))
        yield Event(step.node, "backward", tuple(reads), tuple(writes), working, Bytes(0, call.early))
        yield from late
        if call.trained:
            self.late = list(self._kernel(number, tuple(reads), outgoing))

    def _kernel(self, number: int, reads: tuple[Key, ...], outgoing: Sequence[Key]) -> Iterator[Event]:
        """The gradients of a call's weights, while the layer before it computes its own.

        That of an embedding is sparse: the gradients of its outputs, with their rows.
        """
        step, call = self.steps[number], self.calls[self.steps[number].node]
        node = self.program.graph.nodes[step.node]
        owner = step.node if node.shared_with is None else node.shared_with
        if self.program.graph.repeats:
            owner = -len(self.steps) - number  # copies of a block have weights of their own
        parts = self.kernels.setdefault(owner, [])
        parts.append(("kernel", number))
        size = Bytes(call.gradients, 0)
        if call.held.sparse:
            made = Write(parts[-1], Bytes(0, call.outputs[0]), REUSED, tuple(outgoing))
        else:
            made = Write(parts[-1], size)
        yield Event(step.node, "backward", reads, (made,))
        if owner == step.node and len(parts) > 1 and not call.held.sparse:
            key = ("kernel", owner, "sum")
            yield Event(step.node, "backward", tuple(parts), (Write(key, size, REUSED, tuple(parts)),))
            self.kernels[owner] = [key]

    def _gradient(self, call: Call, key: Key, size: Size, outgoing: Sequence[Key]) -> Write:
        """The gradient of an input, in the buffer of the output's where the layer allows that."""
        way = call.held.gradient
        if way != NEW and not self.program.same(size, call.outputs[0]):
            way = NEW
        if way == VIEW and len(outgoing) > 1:
            way = REUSED  # the sum of all parts is made in the buffer of one
        return Write(key, Bytes(0, size), way, tuple(outgoing))
