"""The memory of a run by definition: every value with its first and last time, every buffer with its values.

Written from docs/memory.md, not from the code: a run is a list of times, at each of which values are read and
written, and the most bytes are those of the time at which the buffers that exist are largest.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from archcalc.analyses.memory.events import Call
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
                if candidate and (way == "view" or all(last[v] == t for v in candidate[2])):
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
        if training and call.has_gradient:
            time.written.append((("inside", i), int(call.saved + call.copies), "new", []))
            time.working = int(call.forward)
        else:
            time.working = int(call.inference + call.copies)
        times.append(time)
    return times


def step(graph: Graph, calls: Sequence[Call], order: Sequence[int]) -> list[Time]:
    """The times of a training step."""
    times = forward(graph, calls, order, training=True)
    arrived: dict[Tap, list[Hashable]] = {}
    for n, tap in enumerate(graph.outputs):
        if calls[tap.node].has_gradient:
            size = int(calls[tap.node].outputs[tap.output])
            arrived.setdefault(tap, []).append(("loss", n))
            times.append(Time([tap], [(("loss", n), size, "new", [])], size))
    kernels: dict[int, list[Hashable]] = {}
    waiting: list[Time] = []
    for i in reversed(order):
        call, node = calls[i], graph.nodes[i]
        parts = [p for k in range(len(call.outputs)) for p in arrived.get(Tap(i, k), [])]
        if i in graph.inputs or not call.has_gradient or not parts:
            continue
        read = [*parts, ("inside", i), *(node.inputs[k] for k in call.reads)]
        read += [Tap(i, k) for k in range(len(call.outputs))] if call.held.output else []
        time = Time(list(read), working=int(call.backward), before=int(call.early))
        for k, tap in enumerate(node.inputs):
            if not calls[tap.node].has_gradient:
                continue
            size = int(calls[tap.node].outputs[tap.output])
            way = call.held.gradient if size == call.outputs[0] else "new"
            way = "reused" if way == "view" and len(parts) > 1 else way
            time.written.append((("part", i, k), size, way, list(parts)))
            arrived.setdefault(tap, []).append(("part", i, k))
        time.working += int(call.into) if time.written else 0
        times += [time, *waiting]
        waiting = []
        if call.trained:
            owner = i if node.shared_with is None else node.shared_with
            mine = kernels.setdefault(owner, [])
            mine.append(("kernel", i))
            waiting.append(Time(list(read), [(("kernel", i), int(call.gradients), "new", [])]))
            if owner == i and len(mine) > 1:
                added = ("kernels", i)
                waiting.append(Time(list(mine), [(added, int(call.gradients), "reused", list(mine))]))
                kernels[owner] = [added]
    times += waiting
    updated = max((int(call.gradients) for call in calls if call.trained), default=0)
    times.append(Time([k for keys in kernels.values() for k in keys], working=updated))
    return times
