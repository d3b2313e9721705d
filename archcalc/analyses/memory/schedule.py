"""The order of one forward pass whose peak memory is lowest.

Finding it is NP-hard in general (Sethi 1975, on register allocation) and easy on most networks: no
order needs less than its largest single step, and many nodes can run as soon as their inputs exist.
A lower bound is tried first, then a greedy order, then a search whose answer is proved to be optimal
if it ends within its limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcalc.graph import Graph

# limits of the search: steps in all partial orders together, and nodes of the network
MAX_RUNS, MAX_NODES = 20_000, 5_000


class Schedule(NamedTuple):
    """An order of the nodes and its peak in bytes; `optimal`: no order has a lower peak."""

    order: Sequence[int]
    bytes: int
    optimal: bool


def best(graph: Graph, tensors: Sequence[Sequence[int]], start: Schedule) -> Schedule:
    """The best order found, never worse than `start`; `tensors` are bytes by node and output."""
    problem = _Problem.of(graph, tensors)
    bound = problem.bound()
    lowest = start
    if lowest.bytes > bound:
        order, most = problem.greedy()
        if most < lowest.bytes:
            lowest = Schedule(order, most, False)
    if lowest.bytes > bound and len(graph.nodes) <= MAX_NODES:
        return problem.search(lowest, bound)
    return lowest._replace(optimal=lowest.bytes <= bound)


class _State(NamedTuple):
    """A partial order of the nodes."""

    done: int  # the nodes that ran, as bits
    last: Any  # the same nodes in order, as a linked list, so that states share their beginnings
    alive: int  # bytes
    ready: frozenset[int]  # the nodes that may run next


@dataclass
class _Problem:
    """The nodes to run and the tensors to hold, which are numbered consecutively."""

    inputs: tuple[int, ...]
    at_start: int  # bytes of the network's inputs, which are alive from the start
    after_start: int  # the same without inputs that no node reads
    at_end: int  # bytes of the network's outputs, which stay alive to the end
    output_bytes: list[int]  # bytes that running a node adds
    step_bytes: list[int]  # the same with all tensors that it reads
    frees: list[list[int]]  # by node, the tensors that may be freed after it
    size: list[int]  # by tensor, in bytes
    readers: list[list[int]]  # by tensor, the nodes that must run before it is freed
    parents: list[set[int]]
    consumers: list[list[int]]

    @classmethod
    def of(cls, graph: Graph, tensors: Sequence[Sequence[int]]) -> _Problem:
        taps = [(i, k) for i, sizes in enumerate(tensors) for k in range(len(sizes))]
        number = {tap: n for n, tap in enumerate(taps)}
        size = [each for sizes in tensors for each in sizes]
        frees = [sorted({number[t] for t in node.inputs}) for node in graph.nodes]
        readers: list[list[int]] = [[] for _ in size]
        for i, read in enumerate(frees):
            for tensor in read:
                readers[tensor].append(i)
        inputs = set(graph.inputs)
        output_bytes = [0 if i in inputs else sum(sizes) for i, sizes in enumerate(tensors)]
        step_bytes = [
            added + sum(size[t] for t in read) for added, read in zip(output_bytes, frees, strict=True)
        ]
        outputs = {number[tap] for tap in graph.outputs}
        for (i, _), tensor in number.items():
            if not readers[tensor] and tensor not in outputs:
                frees[i].append(tensor)  # no node reads it: it is freed at once
                readers[tensor].append(i)
        frees = [[t for t in freed if t not in outputs] for freed in frees]
        parents = [{t.node for t in node.inputs} - inputs for node in graph.nodes]
        consumers: list[list[int]] = [[] for _ in graph.nodes]
        for i, of_node in enumerate(parents):
            for parent in of_node:
                consumers[parent].append(i)
        at_start = sum(sum(tensors[i]) for i in inputs)
        return cls(
            graph.inputs,
            at_start,
            at_start - sum(size[t] for i in inputs for t in frees[i]),
            sum(size[t] for t in outputs),
            output_bytes,
            step_bytes,
            frees,
            size,
            readers,
            parents,
            consumers,
        )

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
        most, alive = self.at_start, self.after_start
        order = list(self.inputs)
        while heap:
            growth, i = heapq.heappop(heap)
            if done[i] or growth != growths[i]:
                continue  # an outdated entry: the node is in the heap again with a smaller growth
            done[i] = True
            order.append(i)
            most = max(most, alive + self.output_bytes[i])
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
        start = _State(inputs, (), self.after_start, first)
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
                needed = state.alive + self.output_bytes[i]
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
            added = self.output_bytes[i]
            if state.alive + added <= most and added <= self._freed_after(state.done, i, readers):
                return i
        return None

    def _run(self, state: _State, i: int, parents: list[int], readers: list[int]) -> _State:
        done = state.done | 1 << i
        opened = {c for c in self.consumers[i] if not parents[c] & ~done}
        alive = state.alive + self.output_bytes[i] - self._freed_after(state.done, i, readers)
        return _State(done, (state.last, i), alive, state.ready - {i} | opened)

    def _freed_after(self, done: int, i: int, readers: list[int]) -> int:
        """The bytes of tensors that node `i` is the last to read, once the nodes in `done` have run."""
        done |= 1 << i
        return sum(self.size[t] for t in self.frees[i] if not readers[t] & ~done)


def _in_order(last: Any) -> list[int]:
    reversed_order = []
    while last:
        last, i = last
        reversed_order.append(i)
    return reversed_order[::-1]
