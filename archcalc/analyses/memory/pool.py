"""Memory while events run one after the other: buffers are taken, shared, handed on and freed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from archcalc.analyses.memory.held import NEW, REUSED, VIEW
from archcalc.arith import Size

Key = Hashable  # the name of a value: a tensor, a gradient, what a call keeps inside


class Bytes(NamedTuple):
    """Bytes that do not depend on the batch, and bytes of each sample."""

    fixed: Size = 0
    sample: Size = 0

    def at(self, batch: Size) -> Size:
        return self.fixed + batch * self.sample

    def exceeds(self, other: Bytes) -> bool:
        """Whether both are numbers, and these are at least as many with every batch."""
        a, b, c, d = self.fixed, other.fixed, self.sample, other.sample
        if type(a) is int and type(b) is int and type(c) is int and type(d) is int:
            return a >= b and c >= d
        return False


NOTHING = Bytes()
END = sys.maxsize  # the number of an event after the last one


class Write(NamedTuple):
    """A new value: its bytes, and the values whose buffer it may take over (VIEW: shares in any case)."""

    key: Key
    bytes: Bytes
    way: str = NEW
    sources: tuple[Key, ...] = ()


class Event(NamedTuple):
    """Something that runs: what it reads and writes, and what it holds in the meantime.

    `early` is held before anything is written.
    """

    node: int | None
    phase: str
    reads: tuple[Key, ...] = ()
    writes: tuple[Write, ...] = ()
    working: Bytes = NOTHING
    early: Bytes = NOTHING


Events = Callable[[], Iterable[Event]]  # of a run from its start, each time it is called
HELD = 10_000  # of a run with so many steps they are made once: a few MiB


def replayed(events: Events, steps: int) -> Events:
    """The same events of a run, made once where its steps are few."""
    return events if steps > HELD else partial(iter, list(events()))


class Moment(NamedTuple):
    """The bytes alive at one time, and what runs then: the number of the event, its node, its phase."""

    bytes: Bytes
    event: int
    node: int | None = None
    phase: str = ""


class Buffer:
    """The memory of one or more values, its users."""

    __slots__ = ("size", "users")

    def __init__(self, size: Bytes) -> None:
        self.size = size
        self.users: list[Key] = []


class Pool:
    """The moments of a run, or of its part up to event number `stop`.

    `events` is called twice, so that a long run need not be held (`replayed`). `at_start` are alive from
    the start, `to_end` to the end. Of moments in a row that exceed each other only the largest are kept.
    """

    def __init__(
        self,
        events: Events,
        at_start: Sequence[Write],
        to_end: Collection[Key],
        stop: int | None = None,
    ) -> None:
        self._last: dict[Key, int] = {}
        for number, event in enumerate(events()):
            for key in event.reads:
                self._last[key] = number
            for write in event.writes:
                self._last[write.key] = number
        for key in to_end:
            self._last[key] = END
        self._buffer: dict[Key, Buffer] = {}
        self._fixed: Size = 0
        self._sample: Size = 0
        for write in at_start:
            self._last.setdefault(write.key, -1)
            self._take(write, -1)
        self.moments: list[Moment] = []
        for number, event in enumerate(events()):
            self._run(number, event, number == stop)
            if number == stop:
                break

    @property
    def alive(self) -> Bytes:
        return Bytes(self._fixed, self._sample)

    def alive_now(self) -> list[tuple[Key, Bytes]]:
        """The values that have a buffer, each buffer once."""
        first: dict[int, tuple[Key, Bytes]] = {}
        for key, buffer in self._buffer.items():
            first.setdefault(id(buffer), (key, buffer.size))
        return [*first.values()]

    def _run(self, number: int, event: Event, stop: bool) -> None:
        if event.early != NOTHING:
            self._see(event.early, number, event)
        for write in event.writes:
            self._take(write, number)
        self._see(event.working, number, event)
        if stop:
            return
        last = self._last
        for key in (*event.reads, *[write.key for write in event.writes]):
            if last.get(key) == number:
                del last[key]
                self._drop(key)

    def _see(self, working: Bytes, number: int, event: Event) -> None:
        """The moment at which an event also holds these bytes."""
        now, moments = Bytes(self._fixed + working.fixed, self._sample + working.sample), self.moments
        while moments and now != moments[-1].bytes and now.exceeds(moments[-1].bytes):
            moments.pop()
        if not moments or not moments[-1].bytes.exceeds(now):
            moments.append(Moment(now, number, event.node, event.phase))

    def _take(self, write: Write, number: int) -> None:
        buffer = None
        if write.way == VIEW and write.sources:
            buffer = self._buffer.get(write.sources[0])
        elif write.way == REUSED:
            buffer = self._reusable(write, number)
        if buffer is None:
            buffer = Buffer(write.bytes)
            self._fixed = self._fixed + write.bytes.fixed
            self._sample = self._sample + write.bytes.sample
        if write.key not in buffer.users:
            buffer.users.append(write.key)
        self._buffer[write.key] = buffer

    def _reusable(self, write: Write, number: int) -> Buffer | None:
        """The buffer of a source that nothing else uses, and that nothing reads later."""
        for key in write.sources:
            buffer = self._buffer.get(key)
            if buffer is not None and all(self._last[user] == number for user in buffer.users):
                return buffer
        return None

    def _drop(self, key: Key) -> None:
        buffer = self._buffer.pop(key, None)
        if buffer is None:
            return
        buffer.users.remove(key)
        if not buffer.users:
            self._fixed = self._fixed - buffer.size.fixed
            self._sample = self._sample - buffer.size.sample


class EveryMoment(Pool):
    """A pool that keeps all moments, for a curve of them."""

    def _see(self, working: Bytes, number: int, event: Event) -> None:
        now = Bytes(self._fixed + working.fixed, self._sample + working.sample)
        self.moments.append(Moment(now, number, event.node, event.phase))
