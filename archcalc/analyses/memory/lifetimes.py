"""The values of a run: when each is written and last read, and the bytes that are alive in between."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, count
from operator import add, itemgetter, sub
from typing import NamedTuple

from archcalc.analyses.memory.held import NEW, VIEW
from archcalc.arith import Size

END = sys.maxsize  # the number of an event after the last one
BEFORE = -1  # and of one before the first


class Moment(NamedTuple):
    """The bytes alive at an event: those that do not depend on the batch, and those of each sample."""

    fixed: Size
    sample: Size
    event: int = BEFORE
    node: int | None = None  # of what runs then, as its phase
    phase: str = ""

    def at(self, batch: Size) -> Size:
        return self.fixed + batch * self.sample


class Lifetimes:
    """Events in the order in which they run, and values, numbered in the order in which they are written.

    Bytes are those of each sample, `fixed` ones do not depend on the batch. What is written before the first
    event is there from the start. Columns instead of objects: a long run has a million of each.
    """

    def __init__(self) -> None:
        self.sample: list[Size] = []  # by value
        self.born = array("q")  # the events that write and last read it
        self.last = array("q")
        self._fixed: dict[int, Size] = {}  # where there are any
        self._sources: dict[int, tuple[str, Sequence[int]]] = {}
        self._nodes: list[int | None] = []  # by event
        self._working: list[Size] = []  # held while it runs
        self._fixed_working: dict[int, Size] = {}
        self._early: dict[int, Size] = {}  # held before anything is written
        self._phases: list[tuple[int, str]] = [(BEFORE, "")]  # the event at which each begins

    def phase(self, name: str) -> None:
        """From here on events belong to this phase."""
        self._phases.append((len(self._nodes), name))

    def event(
        self, node: int | None, reads: Sequence[int] = (), sample: Size = 0, fixed: Size = 0, early: Size = 0
    ) -> None:
        """Something runs: what it reads, and the bytes that it holds in the meantime."""
        number = len(self._nodes)
        self._nodes.append(node)
        self._working.append(sample)
        if fixed != 0:
            self._fixed_working[number] = fixed
        if early != 0:
            self._early[number] = early
        last = self.last
        for value in reads:
            last[value] = number

    def write(self, sample: Size, fixed: Size = 0, way: str = NEW, sources: Sequence[int] = ()) -> int:
        """The latest event writes a value, which may take over the buffer of a source (VIEW: shares it)."""
        value, number = len(self.sample), len(self._nodes) - 1
        self.sample.append(sample)
        self.born.append(number)
        self.last.append(number)
        if fixed != 0:
            self._fixed[value] = fixed
        if way != NEW and sources:
            self._sources[value] = way, sources
        return value

    def insert(self, event: int, sample: Size, fixed: Size = 0) -> int:
        """A value that an earlier event has written."""
        value = self.write(sample, fixed)
        self.born[value] = self.last[value] = event
        return value

    def again(self, working: list[Size], fixed: dict[int, Size]) -> Lifetimes:
        """A copy, in which events hold these bytes in the meantime."""
        other = Lifetimes()
        other.sample, other.born, other.last = self.sample[:], self.born[:], self.last[:]
        other._fixed, other._sources = {**self._fixed}, {**self._sources}
        other._nodes, other._working, other._fixed_working = self._nodes[:], working, fixed
        other._phases = self._phases[:]
        return other

    def copied(self, source: int, copy: int) -> None:
        """A copy reads its source when it is made; one that nothing reads is not made after all."""
        made = self.born[copy]
        if self.last[copy] > made:
            self.last[source] = max(self.last[source], made)
        else:
            self.sample[copy] = 0
            del self._sources[copy]

    def end(self, kept: Iterable[int]) -> None:
        """These values are alive to the end."""
        for value in kept:
            self.last[value] = END

    def what(self, event: int) -> tuple[int | None, str]:
        """The node that runs at an event, and the phase."""
        if event == BEFORE:
            return None, ""
        began = bisect_right(self._phases, event, key=itemgetter(0)) - 1
        return self._nodes[event], self._phases[began][1]

    @cached_property
    def _buffers(self) -> tuple[array[int], array[int]]:
        """For each value the first value in its buffer, and for each of these when the buffer is freed.

        A buffer is taken over where nothing else uses it, and nothing reads it later.
        """
        buffer, freed = array("q", range(len(self.born))), self.last[:]
        for value, (way, sources) in self._sources.items():
            for source in sources:
                first = buffer[source]
                if way == VIEW or freed[first] == self.born[value]:
                    buffer[value] = first
                    freed[first] = max(freed[first], self.last[value])
                    break
        return buffer, freed

    def moments(self) -> Iterator[tuple[Size, Size, int]]:
        """The bytes alive at each event, as fixed ones, those of a sample and the event's number.

        Events that hold something before they write come a second time, first of all.
        """
        sample, written = self._alive(enumerate(self.sample))
        fixed, fixed_written = self._alive(self._fixed.items())
        if not self._nodes:
            yield fixed[0], sample[0], BEFORE
        for event, early in self._early.items():
            at = event + 1
            yield fixed[at] - fixed_written[at], sample[at] - written[at] + early, event
        for event, working in self._fixed_working.items():
            fixed[event + 1] += working
        yield from zip(fixed[1:], map(add, sample[1:], self._working), count())

    def _alive(self, sizes: Iterable[tuple[int, Size]]) -> tuple[list[Size], list[Size]]:
        """Of values and their bytes, those alive once an event has written, and those that it writes.

        Both begin with what is there from the start.
        """
        buffer, freed = self._buffers
        events = len(self._nodes) + 1
        written: list[Size] = [0] * events
        falls: list[Size] = [0] * (events + 1)  # before an event
        born = self.born
        for value, size in sizes:
            if buffer[value] == value:
                written[born[value] + 1] += size
                if freed[value] != END:
                    falls[freed[value] + 2] += size
        return list(accumulate(map(sub, written, falls))), written

    def alive(self, event: int) -> dict[int, Size]:
        """Of each buffer at an event one value that is alive, and the bytes of a sample."""
        buffer, _ = self._buffers
        alive: dict[int, int] = {}  # by buffer
        for value, (born, last) in enumerate(zip(self.born, self.last, strict=True)):
            if born <= event <= last:
                alive.setdefault(buffer[value], value)
        return {value: self.sample[first] for first, value in alive.items()}
