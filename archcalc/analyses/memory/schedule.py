"""The order of one forward pass whose peak memory is lowest.

Finding it is NP-hard in general (Sethi 1975, on register allocation) and easy on most networks: no
order needs less than its largest single step, and many nodes can run as soon as their inputs exist.
A lower bound is tried first, then a greedy order, then a search whose answer is proved to be optimal
if it ends within its limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcalc.analyses.memory.events import taken_over
from archcalc.analyses.memory.held import REUSED, VIEW, Call
from archcalc.analyses.memory.parts import around
from archcalc.graph import Graph

# limits of the search: steps in all partial orders together, and nodes of the network
MAX_RUNS, MAX_NODES = 20_000, 5_000
MAX_PART = 100  # nodes of a part of the network that is looked at first


class Schedule(NamedTuple):
    """An order of the nodes and its peak in bytes; `optimal`: no order has a lower peak."""

    order: Sequence[int]
    bytes: int
    optimal: bool


def best(graph: Graph, calls: Sequence[Call], batch: Any, start: Schedule, at: int | None) -> Schedule:
    """The best order found, never worse than `start`, whose peak is at node `at`; all bytes are integers."""
    if _is_best_around(graph, calls, batch, start, at):
        return start._replace(optimal=True)
    problem = _Problem.of(graph, calls, batch)
    bound = problem.bound()
    lowest = start
    if lowest.bytes > bound:
        order, most = problem.greedy()
        if most < lowest.bytes:
            lowest = Schedule(order, most, False)
    if lowest.bytes > bound and len(graph.nodes) <= MAX_NODES:
        return problem.search(lowest, bound)
    return lowest._replace(optimal=lowest.bytes <= bound)


def _is_best_around(graph: Graph, calls: Sequence[Call], batch: Any, start: Schedule, at: int | None) -> bool:
    """Whether the part of the network in which the peak is has no lower one; if not, nothing is known."""
    part = None if at is None else around(graph, calls, start.order, at)
    if part is None or len(part.calls) > MAX_PART:
        return False
    problem = _Problem.of(*part, batch)
    bound = problem.bound()
    if bound >= start.bytes:
        return True
    found = problem.search(start, bound)
    return found.optimal and found.bytes == start.bytes


class _State(NamedTuple):
    """A partial order of the nodes."""

    done: int  # the nodes that ran, as bits
    last: Any  # the same nodes in order, as a linked list, so that states share their beginnings
    alive: int  # bytes
    ready: frozenset[int]  # the nodes that may run next


@dataclass(eq=False, repr=False)
class _Problem:
    """The nodes to run and the buffers to hold, which are numbered consecutively.

    A view has the buffer of what it views. The batch that the network is called with is alive from the
    start to the end, and is not among the buffers.
    """

    inputs: tuple[int, ...]
    at_start: int  # bytes of the batch
    at_end: int  # the same with the network's outputs
    output_bytes: list[int]  # bytes that running a node adds
    inside: list[int]  # bytes that it holds only while it runs
    step_bytes: list[int]  # the least that a node can run with
    frees: list[list[int]]  # by node, the buffers that may be freed after it
    takes: list[list[int]]  # by node, the buffers that its output may take over if they are
    size: list[int]  # by buffer, in bytes
    readers: list[list[int]]  # by buffer, the nodes that must run before it is freed
    parents: list[set[int]]
    consumers: list[list[int]]

    @classmethod
    def of(cls, graph: Graph, calls: Sequence[Call], batch: Any) -> _Problem:
        number, size = _buffers(graph, calls, batch)
        readers: list[list[int]] = [[] for _ in size]
        consumers: list[list[int]] = [[] for _ in graph.nodes]
        read: list[list[int]] = []
        parents: list[set[int]] = []
        inputs = set(graph.inputs)
        for i, node in enumerate(graph.nodes):
            buffers = [number[source][k] for source, k in node.reads]
            read.append(sorted(set(buffers)) if len(buffers) > 1 else buffers)
            for buffer in read[i]:
                readers[buffer].append(i)
            parents.append({source for source, _ in node.reads} - inputs)
            for parent in parents[i]:
                consumers[parent].append(i)
        called = {buffer for i in inputs for buffer in number[i]}
        at_start = sum(size[b] for b in called)
        ends = {number[source][k] for source, k in graph.outputs}
        fixed = ends | called
        output_bytes, inside, step_bytes, frees, takes = [], [], [], [], []
        for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
            way = call.way
            own = [] if i in inputs or way == VIEW else number[i]
            freed = [b for b in read[i] if b not in fixed]
            for buffer in own:
                if not readers[buffer] and buffer not in fixed:
                    readers[buffer].append(i)  # no node reads it: it is freed at once
                    freed.append(buffer)
            frees.append(freed)
            output_bytes.append(sum([size[b] for b in own]))
            inside.append(batch * call.inference + call.copies)
            taken: list[int] = []
            if way == REUSED:
                of_same_size = taken_over(call, node.inputs, lambda tap: calls[tap.node].outputs[tap.output])
                taken = list({number[source][k] for source, k in of_same_size} - fixed)
            takes.append(taken)
            if i in inputs:
                step_bytes.append(0)
                continue
            reads = sum([size[b] for b in read[i] if b not in called])
            step_bytes.append(at_start + reads + inside[i] + (0 if taken else output_bytes[i]))
        at_end = at_start + sum(size[b] for b in ends - called)
        return cls(
            graph.inputs, at_start, at_end, output_bytes, inside, step_bytes, frees, takes, size, readers,
            parents, consumers,
        )  # fmt: skip

    def bound(self) -> int:
        """A lower bound of every order's peak: its start, its end and each of its steps."""
        return max(self.at_start, self.at_end, *self.step_bytes)

    def greedy(self) -> tuple[list[int], int]:
        """An order and its peak: each next node adds the fewest bytes to those that stay alive."""
        waiting = [len(of_node) for of_node in self.parents]
        left = [len(of_tensor) for of_tensor in self.readers]
        done = [False] * len(waiting)
        for i in self.inputs:
            done[i] = True
        growths = [added - self._freed_now(i, left) for i, added in enumerate(self.output_bytes)]
        heap = [(growths[i], i) for i, count in enumerate(waiting) if not count and not done[i]]
        heapq.heapify(heap)
        most = alive = self.at_start
        order = list(self.inputs)
        while heap:
            growth, i = heapq.heappop(heap)
            if done[i] or growth != growths[i]:
                continue  # an outdated entry: the node is in the heap again with a smaller growth
            done[i] = True
            order.append(i)
            most = max(most, alive + self._needed(i, {t for t in self.frees[i] if left[t] == 1}))
            alive += growth
            for tensor in self.frees[i]:
                left[tensor] -= 1
                if left[tensor] == 1:
                    other = next(r for r in self.readers[tensor] if not done[r])
                    growths[other] -= self.size[tensor]
                    if waiting[other] == 0:
                        heapq.heappush(heap, (growths[other], other))
            for child in self.consumers[i]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    heapq.heappush(heap, (growths[child], child))
        return order, most

    def _needed(self, i: int, freed: Container[int]) -> int:
        """The bytes that running node `i` adds, after which these buffers are freed."""
        in_place = any(t in freed for t in self.takes[i])
        return self.inside[i] + (0 if in_place else self.output_bytes[i])

    def _freed_now(self, i: int, left: list[int]) -> int:
        return sum(self.size[t] for t in self.frees[i] if left[t] == 1)

    def search(self, known: Schedule, bound: int) -> Schedule:
        """The best order: partial orders are extended by increasing peak until one is complete.

        A node that adds no bytes to those that stay alive, and stays within the peak so far, runs at
        once: moved there, it makes no order worse. Orders that reach the peak of `known` are dropped.
        """
        parents = [sum(1 << p for p in of_node) for of_node in self.parents]
        readers = [sum(1 << r for r in of_tensor) for of_tensor in self.readers]
        everything = (1 << len(self.output_bytes)) - 1
        inputs = sum(1 << i for i in self.inputs)
        first = frozenset(i for i, of_node in enumerate(parents) if not of_node and not inputs >> i & 1)
        start = _State(inputs, (), self.at_start, first)
        heap: list[tuple[int, int, int, _State]] = [(bound, 0, 0, start)]
        seen: set[int] = set()
        runs = entered = 0
        while heap and runs <= MAX_RUNS:
            most, _, _, state = heapq.heappop(heap)
            while (i := self._harmless(state, most, readers)) is not None:
                state = self._run(state, i, parents, readers)
                runs += 1
            if state.done == everything:
                return Schedule([*self.inputs, *_in_order(state.last)], most, True)
            if state.done in seen:
                continue
            seen.add(state.done)
            for i in sorted(state.ready):
                needed = state.alive + self._needed(i, self._freed_after(state.done, i, readers))
                if needed < known.bytes:
                    following = self._run(state, i, parents, readers)
                    runs += 1
                    entered += 1
                    entry = (max(most, needed), -following.done.bit_count(), entered, following)
                    heapq.heappush(heap, entry)
        return known._replace(optimal=not heap)

    def _harmless(self, state: _State, most: int, readers: list[int]) -> int | None:
        """A ready node whose run does not raise the peak and adds no bytes; None if there is none."""
        for i in state.ready:
            freed = self._freed_after(state.done, i, readers)
            needed = state.alive + self._needed(i, freed)
            if needed <= most and self.output_bytes[i] <= self._bytes(freed):
                return i
        return None

    def _run(self, state: _State, i: int, parents: list[int], readers: list[int]) -> _State:
        done = state.done | 1 << i
        opened = {c for c in self.consumers[i] if not parents[c] & ~done}
        alive = state.alive + self.output_bytes[i] - self._bytes(self._freed_after(state.done, i, readers))
        return _State(done, (state.last, i), alive, state.ready - {i} | opened)

    def _freed_after(self, done: int, i: int, readers: list[int]) -> list[int]:
        """The buffers that node `i` is the last to read, once the nodes in `done` have run."""
        done |= 1 << i
        return [t for t in self.frees[i] if not readers[t] & ~done]

    def _bytes(self, buffers: Sequence[int]) -> int:
        return sum(self.size[t] for t in buffers)


def _buffers(graph: Graph, calls: Sequence[Call], batch: Any) -> tuple[list[list[int]], list[int]]:
    """By node the buffers of its outputs, and the bytes of each buffer."""
    number: list[list[int]] = []
    size: list[int] = []
    for node, call in zip(graph.nodes, calls, strict=True):
        if node.inputs and call.way == VIEW:
            viewed = node.inputs[0]
            number.append([number[viewed.node][viewed.output]])
            continue
        number.append(list(range(len(size), len(size) + len(call.outputs))))
        size += [batch * each for each in call.outputs]
    return number, size


def _in_order(last: Any) -> list[int]:
    reversed_order = []
    while last:
        last, i = last
        reversed_order.append(i)
    return reversed_order[::-1]
