"""The order of one forward pass that holds the fewest bytes at once.

To find it is NP-hard in general (Sethi 1975, on register allocation) and easy on most
networks: no order holds less than its largest single step, and many nodes can be run as soon
as they may. So a bound comes first, then a greedy order, then a search that proves its
answer where it ends within its limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcalc.graph import Graph

# of the search: nodes run in all partial orders together, and nodes of the network
MAX_RUNS, MAX_NODES = 20_000, 5_000


class Schedule(NamedTuple):
    """An order of the nodes and the most bytes that it holds; `optimal`: no order holds fewer."""

    order: Sequence[int]
    bytes: int
    optimal: bool


def best(graph: Graph, tensors: Sequence[Sequence[int]], start: Schedule) -> Schedule:
    """The best order found, never worse than `start`; `tensors` are bytes by node and output."""
    work = _Work.of(graph, tensors)
    bound = work.bound()
    found = start
    if found.bytes > bound:
        order, most = work.greedy()
        if most < found.bytes:
            found = Schedule(order, most, False)
    if found.bytes > bound and len(graph.nodes) <= MAX_NODES:
        return work.search(found, bound)
    return found._replace(optimal=found.bytes <= bound)


class _State(NamedTuple):
    """A partial order: which nodes ran, as bits and in order, what is alive, and what may run next."""

    done: int
    last: Any  # a linked list of the nodes, so that states share their pasts
    alive: int
    ready: frozenset[int]


@dataclass
class _Work:
    """What has to run, and what that makes and lets go; tensors are numbered through."""

    inputs: tuple[int, ...]
    at_first: int  # bytes of the network's inputs, which are there from the start
    after_first: int  # without those that nobody reads
    at_last: int  # bytes of its outputs, which stay to the end
    made: list[int]  # bytes that running a node adds
    needs: list[int]  # and those together with all that it reads
    reads: list[list[int]]  # tensors that may go after a node
    size: list[int]
    readers: list[list[int]]  # of each tensor, the nodes after all of which it goes
    parents: list[set[int]]
    consumers: list[list[int]]

    @classmethod
    def of(cls, graph: Graph, tensors: Sequence[Sequence[int]]) -> _Work:
        number = {(i, k): 0 for i, mine in enumerate(tensors) for k in range(len(mine))}
        number = {tap: n for n, tap in enumerate(number)}
        size = [each for mine in tensors for each in mine]
        reads = [sorted({number[t] for t in node.inputs}) for node in graph.nodes]
        readers: list[list[int]] = [[] for _ in size]
        for i, mine in enumerate(reads):
            for tensor in mine:
                readers[tensor].append(i)
        inputs = set(graph.inputs)
        made = [0 if i in inputs else sum(mine) for i, mine in enumerate(tensors)]
        needs = [m + sum(size[t] for t in mine) for m, mine in zip(made, reads, strict=True)]
        kept = {number[tap] for tap in graph.outputs}
        for (i, _), tensor in number.items():
            if not readers[tensor] and tensor not in kept:
                reads[i].append(tensor)  # nobody reads it: it goes when it was made
                readers[tensor].append(i)
        reads = [[t for t in mine if t not in kept] for mine in reads]
        parents = [{t.node for t in node.inputs} - inputs for node in graph.nodes]
        consumers: list[list[int]] = [[] for _ in graph.nodes]
        for i, above in enumerate(parents):
            for parent in above:
                consumers[parent].append(i)
        at_first = sum(sum(tensors[i]) for i in inputs)
        return cls(
            graph.inputs,
            at_first,
            at_first - sum(size[t] for i in inputs for t in reads[i]),
            sum(size[t] for t in kept),
            made,
            needs,
            reads,
            size,
            readers,
            parents,
            consumers,
        )

    def bound(self) -> int:
        """What every order holds at least: at its start, at its end, and at each step."""
        return max(self.at_first, self.at_last, *self.needs)

    def greedy(self) -> tuple[list[int], int]:
        """Always next the node that adds the least to what stays alive."""
        waiting = [len(above) for above in self.parents]
        left = [len(mine) for mine in self.readers]
        done = [False] * len(waiting)
        for i in self.inputs:
            done[i] = True
        grows = [made - self._lets_go(i, left) for i, made in enumerate(self.made)]
        heap = [(grows[i], i) for i, count in enumerate(waiting) if not count and not done[i]]
        heapq.heapify(heap)
        most, alive = self.at_first, self.after_first
        order = list(self.inputs)
        while heap:
            growth, i = heapq.heappop(heap)
            if done[i] or growth != grows[i]:
                continue  # it was entered again with a smaller growth
            done[i] = True
            order.append(i)
            most = max(most, alive + self.made[i])
            alive += growth
            for tensor in self.reads[i]:
                left[tensor] -= 1
                if left[tensor] == 1:
                    other = next(r for r in self.readers[tensor] if not done[r])
                    grows[other] -= self.size[tensor]
                    if waiting[other] == 0:
                        heapq.heappush(heap, (grows[other], other))
            for child in self.consumers[i]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    heapq.heappush(heap, (grows[child], child))
        return order, most

    def _lets_go(self, i: int, left: list[int]) -> int:
        return sum(self.size[t] for t in self.reads[i] if left[t] == 1)

    def search(self, known: Schedule, bound: int) -> Schedule:
        """Partial orders by their peak, smallest first: the first one that is whole is the best.

        A node that adds nothing to what stays alive, and stays within the peak so far, runs at
        once: moved there, it makes no order worse. What reaches the peak already known is dropped.
        """
        above = [sum(1 << p for p in mine) for mine in self.parents]
        after = [sum(1 << r for r in mine) for mine in self.readers]
        everything = (1 << len(self.made)) - 1
        inputs = sum(1 << i for i in self.inputs)
        first = frozenset(i for i, mine in enumerate(self.parents) if not mine and not inputs >> i & 1)
        start = _State(inputs, (), self.after_first, first)
        heap: list[tuple[int, int, int, _State]] = [(bound, 0, 0, start)]
        seen: set[int] = set()
        runs = entered = 0
        while heap and runs <= MAX_RUNS:
            most, _, _, state = heapq.heappop(heap)
            while (i := self._harmless(state, most, after)) is not None:
                state = self._run(state, i, above, after)
                runs += 1
            if state.done == everything:
                return Schedule([*self.inputs, *_in_order(state.last)], most, True)
            if state.done in seen:
                continue
            seen.add(state.done)
            for i in sorted(state.ready):
                height = state.alive + self.made[i]
                if height < known.bytes:
                    following = self._run(state, i, above, after)
                    runs += 1
                    entered += 1
                    entry = (max(most, height), -following.done.bit_count(), entered, following)
                    heapq.heappush(heap, entry)
        return known._replace(optimal=not heap)

    def _harmless(self, state: _State, most: int, after: list[int]) -> int | None:
        for i in state.ready:
            if state.alive + self.made[i] <= most and self.made[i] <= self._gone(state.done, i, after):
                return i
        return None

    def _run(self, state: _State, i: int, above: list[int], after: list[int]) -> _State:
        done = state.done | 1 << i
        opened = {c for c in self.consumers[i] if not above[c] & ~done}
        alive = state.alive + self.made[i] - self._gone(state.done, i, after)
        return _State(done, (state.last, i), alive, state.ready - {i} | opened)

    def _gone(self, done: int, i: int, after: list[int]) -> int:
        """Bytes that go with node `i`, its readers being the last."""
        done |= 1 << i
        return sum(self.size[t] for t in self.reads[i] if not after[t] & ~done)


def _in_order(last: Any) -> list[int]:
    found = []
    while last:
        last, i = last
        found.append(i)
    return found[::-1]
