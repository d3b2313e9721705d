"""The values of a run: when each is written and last read, and the bytes that are alive in between."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, count
from operator import add, sub
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

    A value has bytes that do not depend on the batch, and bytes of each sample. What is written before the
    first event is alive from the start. Columns instead of objects: a long run has a million of each.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[int | None, str]] = []  # by event, its node and phase
        self._working: tuple[list[Size], list[Size]] = [], []  # held while an event runs
        self._early: dict[int, Size] = {}  # and before anything is written, of each sample
        self.fixed: list[Size] = []  # by value
        self.sample: list[Size] = []
        self.born = array("q")  # the events that write and last read it
        self.last = array("q")
        self._sources: dict[int, tuple[str, Sequence[int]]] = {}

    def event(
        self,
        node: int | None,
        phase: str,
        reads: Sequence[int] = (),
        fixed: Size = 0,
        sample: Size = 0,
        early: Size = 0,
    ) -> int:
        """Something runs: what it reads, and the bytes that it holds in the meantime."""
        number = len(self._runs)
        self._runs.append((node, phase))
        self._working[0].append(fixed)
        self._working[1].append(sample)
        if type(early) is not int or early:
            self._early[number] = early
        last = self.last
        for value in reads:
            last[value] = number
        return number

    def write(self, fixed: Size, sample: Size, way: str = NEW, sources: Sequence[int] = ()) -> int:
        """The latest event writes a value, which may take over the buffer of a source (VIEW: shares it)."""
        value = len(self.born)
        number = len(self._runs) - 1
        self.born.append(number)
        self.last.append(number)
        self.fixed.append(fixed)
        self.sample.append(sample)
        if way != NEW and sources:
            self._sources[value] = way, sources
        return value

    def end(self, kept: Iterable[int]) -> None:
        """These values are alive to the end, and those that were there from the start."""
        from_start = bisect_right(self.born, BEFORE)
        for value in (*range(from_start), *kept):
            self.last[value] = END

    def copied(self, source: int, copy: int) -> None:
        """A copy reads its source when it is made; one that nothing reads is not made after all."""
        made = self.born[copy]
        if self.last[copy] > made:
            self.last[source] = max(self.last[source], made)
        else:
            self.fixed[copy] = self.sample[copy] = 0
            del self._sources[copy]

    def what(self, event: int) -> tuple[int | None, str]:
        """The node that runs at an event, and the phase."""
        return (None, "") if event == BEFORE else self._runs[event]

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

        Events that hold something before they write come a second time in the end.
        """
        fixed, written = self._alive(self.fixed)
        sample, written = self._alive(self.sample)
        yield fixed[0], sample[0], BEFORE
        at_work = (map(add, alive[1:], self._working[k]) for k, alive in enumerate((fixed, sample)))
        yield from zip(*at_work, count())
        for event, early in self._early.items():
            yield fixed[event + 1], sample[event + 1] - written[event + 1] + early, event

    def _alive(self, sizes: Sequence[Size]) -> tuple[list[Size], list[Size]]:
        """Of one of the two kinds of bytes, those alive once an event has written, and those that it writes.

        Both begin with what is there from the start.
        """
        buffer, freed = self._buffers
        events = len(self._runs) + 1
        written: list[Size] = [0] * events
        falls: list[Size] = [0] * (events + 1)  # before an event
        for value, first in enumerate(buffer):
            if first == value:
                written[self.born[value] + 1] += sizes[value]
                if freed[value] != END:
                    falls[freed[value] + 2] += sizes[value]
        return list(accumulate(map(sub, written, falls))), written

    def alive(self, event: int) -> Iterator[tuple[int, Size]]:
        """Of each buffer at an event one value that is alive, and the bytes of a sample."""
        seen = set()
        buffer, _ = self._buffers
        for value, (born, last) in enumerate(zip(self.born, self.last, strict=True)):
            if born <= event <= last and buffer[value] not in seen:
                seen.add(buffer[value])
                yield value, self.sample[buffer[value]]
