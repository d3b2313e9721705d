"""The memory of a run by definition: every value with its first and last time, every buffer with its values.

Written from docs/memory.md, not from the code: a run is a list of times, at each of which values are read and
written, and the most bytes are those of the time at which the buffers that exist are largest.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from archcalc.analyses.memory.held import Call
from archcalc.graph import Graph, Tap

FOREVER = 10**9


@dataclass
class Time:
    """What happens at one time: `written` values have bytes, a way, and values to take the buffer of."""

    read: list[Hashable] = field(default_factory=list)
    written: list[tuple[Hashable, int, str, list[Hashable]]] = field(default_factory=list)
    working: int = 0
    before: int = 0  # held before anything is written


def peak(times: Sequence[Time], always: dict[Hashable, int], to_end: set[Hashable]) -> int:
    """The most bytes; `always` are alive at all times."""
    last = dict.fromkeys(to_end, FOREVER)
    for t, time in enumerate(times):
        for value in [*time.read, *(w[0] for w in time.written)]:
            last[value] = max(last.get(value, -1), t)
    buffers: list[tuple[int, int, list[Hashable]]] = [(-1, size, [v]) for v, size in always.items()]
    for value in always:
        last[value] = FOREVER

    def of(value: Hashable) -> tuple[int, int, list[Hashable]] | None:
        return next((b for b in buffers if value in b[2]), None)

    for t, time in enumerate(times):
        for value, size, way, sources in time.written:
            taken = None
            for source in sources if way != "new" else []:
                candidate = of(source)
                if candidate and (way == "view" or all(last[v] <= t for v in candidate[2])):
                    taken = candidate
                    break
            if taken:
                taken[2].append(value)
            else:
                buffers.append((t, size, [value]))

    def alive(t: int, *, written: bool) -> int:
        return sum(
            size
            for born, size, values in buffers
            if (born <= t if written else born < t) and max(last[v] for v in values) >= t
        )

    totals = [alive(t, written=True) + time.working for t, time in enumerate(times)]
    totals += [alive(t, written=False) + time.before for t, time in enumerate(times) if time.before]
    return max(totals, default=sum(always.values()))


def is_reached(graph: Graph, calls: Sequence[Call], i: int) -> bool:
    """Whether a path along which gradients flow leads from the outputs to a node that has one."""
    if not calls[i].has_gradient:
        return False
    readers = [
        (j, k) for j, node in enumerate(graph.nodes) for k, tap in enumerate(node.inputs) if tap.node == i
    ]
    return any(tap.node == i for tap in graph.outputs) or any(
        calls[j].flows[k] and is_reached(graph, calls, j) for j, k in readers
    )


def forward(graph: Graph, calls: Sequence[Call], order: Sequence[int], *, training: bool) -> list[Time]:
    """The times of a forward pass."""
    times = []
    for i in order:
        if i in graph.inputs:
            continue
        call, time = calls[i], Time(read=list(graph.nodes[i].inputs))
        way = call.held.value if len(call.outputs) == 1 else "new"
        sources: list[Hashable] = list(graph.nodes[i].inputs)
        if way == "reused":
            sources = [t for t in graph.nodes[i].inputs if calls[t.node].outputs[t.output] == call.outputs[0]]
        elif way == "view":
            sources = sources[:1]
        for k, size in enumerate(call.outputs):
            time.written.append((Tap(i, k), int(size), way, sources))
        if training and is_reached(graph, calls, i):
            time.written.append((("inside", i), int(call.saved + call.copies), "new", []))
            time.working = int(call.forward)
        else:
            time.working = int(call.inference + call.copies)
        times.append(time)
    return times


def labels(graph: Graph, calls: Sequence[Call]) -> dict[Hashable, int]:
    """They are as large as the outputs that have a gradient, and alive at all times of a step."""
    return {
        ("labels", n): int(calls[tap.node].outputs[tap.output])
        for n, tap in enumerate(graph.outputs)
        if calls[tap.node].has_gradient
    }


def step(
    graph: Graph, calls: Sequence[Call], order: Sequence[int], blocks: Sequence[Sequence[int]] = ()
) -> list[Time]:
    """The times of a training step, in which each of the blocks, parts of the order, is recomputed."""
    run = _Step(graph, calls, order, blocks)
    return [*run.forward(), *run.losses(), *run.backward(), *run.late, *run.updates()]


class _Step:
    def __init__(
        self, graph: Graph, calls: Sequence[Call], order: Sequence[int], blocks: Sequence[Sequence[int]]
    ) -> None:
        self.graph, self.calls, self.order, self.blocks = graph, calls, order, blocks
        self.arrived: dict[Tap, list[Hashable]] = {}
        self.kernels: dict[int, list[Hashable]] = {}
        self.late: list[Time] = []
        self.block: Sequence[int] = ()  # the one whose backward pass this is

    def forward(self) -> list[Time]:
        """A block runs forward first without keeping anything inside it."""
        times = dict(zip([i for i in self.order if i not in self.graph.inputs], self._forward(), strict=True))
        for i in (i for block in self.blocks for i in block):
            if is_reached(self.graph, self.calls, i):
                call, time = self.calls[i], times[i]
                time.written = [w for w in time.written if w[0] != ("inside", i)]
                time.working = int(call.copies + max(call.inference, call.forward))
        return list(times.values())

    def _forward(self) -> list[Time]:
        return forward(self.graph, self.calls, self.order, training=True)

    def losses(self) -> list[Time]:
        times = []
        for n, tap in enumerate(self.graph.outputs):
            if self.calls[tap.node].has_gradient:
                size = int(self.calls[tap.node].outputs[tap.output])
                self.arrived.setdefault(tap, []).append(("loss", n))
                times.append(Time([tap], [(("loss", n), size, "new", [])], 3 * size))
        return times

    def backward(self) -> list[Time]:
        times: list[Time] = []
        done: set[int] = set()
        for i in reversed(self.order):
            block = next((b for b in self.blocks if i in b), None)
            if i in done:
                continue
            times += self._of_layer(i) if block is None else self._of_block(block)
            done |= set(block or ())
        return times

    def _of_block(self, block: Sequence[int]) -> list[Time]:
        """Layers from which the backward pass of the block needs something run again, on copies."""
        times, self.late = self.late, []
        self.block = block
        if not any(self.arrived.get(Tap(i, k)) for i in block for k in range(len(self.calls[i].outputs))):
            self.block = ()
            return times
        back = [time for i in reversed(block) for time in self._of_layer(i)]
        needed = {value for time in (*back, *self.late) for value in time.read}
        again: list[Time] = []
        all_times = dict(
            zip([i for i in self.order if i not in self.graph.inputs], self._forward(), strict=True)
        )
        for i in reversed(block):
            writes = {self._value(Tap(i, k)) for k in range(len(self.calls[i].outputs))}
            if not (needed & writes or (("inside", i) in needed and self.calls[i].saved)):
                continue
            time = all_times[i]
            time.read = [self._value(value) for value in time.read]
            time.written = [
                (v if v == ("inside", i) else self._value(v), n, way, [self._value(s) for s in sources])
                for v, n, way, sources in time.written
            ]
            needed |= set(time.read)
            again.insert(0, time)
        copies: list[Time] = []
        for tap in dict.fromkeys(t for i in block for t in self.graph.nodes[i].inputs if t.node not in block):
            if self._value(tap) in needed:
                size = int(self.calls[tap.node].outputs[tap.output])
                copies.append(Time([tap], [(self._value(tap), size, "reused", [tap])]))
        self.block = ()
        return [*times, *copies, *again, *back]

    def _value(self, tap: Hashable) -> Hashable:
        return ("again", self.block[0], tap) if self.block else tap

    def _of_layer(self, i: int) -> list[Time]:
        call, node = self.calls[i], self.graph.nodes[i]
        parts = [p for k in range(len(call.outputs)) for p in self.arrived.get(Tap(i, k), [])]
        if i in self.graph.inputs or not call.has_gradient or not parts:
            return []
        read = [*parts, ("inside", i), *(self._value(node.inputs[k]) for k in call.reads)]
        read += [self._value(Tap(i, k)) for k in range(len(call.outputs))] if call.held.output else []
        time = Time(list(read), working=int(call.backward), before=int(call.early))
        for k, tap in enumerate(node.inputs):
            if not self.calls[tap.node].has_gradient:
                continue
            size = int(self.calls[tap.node].outputs[tap.output])
            way = call.held.gradient if size == call.outputs[0] else "new"
            way = "reused" if way == "view" and len(parts) > 1 else way
            time.written.append((("part", i, k), size, way, list(parts)))
            self.arrived.setdefault(tap, []).append(("part", i, k))
        time.working += int(call.into) if time.written else 0
        times = [time, *self.late]
        self.late = []
        if call.trained:
            owner = i if node.shared_with is None else node.shared_with
            mine = self.kernels.setdefault(owner, [])
            mine.append(("kernel", i))
            made = (("kernel", i), int(call.gradients), "new", [])
            if call.held.sparse:  # rows of the embedding, which are those of the gradient of its output
                made = (("kernel", i), int(call.outputs[0]), "reused", list(parts))
            self.late.append(Time(list(read), [made]))
            if owner == i and len(mine) > 1 and not call.held.sparse:
                added = ("kernels", i)
                self.late.append(Time(list(mine), [(added, int(call.gradients), "reused", list(mine))]))
                self.kernels[owner] = [added]
        return times

    def updates(self) -> list[Time]:
        gradients = [k for keys in self.kernels.values() for k in keys]
        trained = [call for call in self.calls if call.trained]
        sparse = [call for call in trained if call.held.sparse]
        most = [int(2 * call.gradients + 2 * call.outputs[0]) for call in sparse]
        most += [max((int(call.gradients) for call in trained), default=0)]
        return [Time(gradients, working=working) for working in most]
