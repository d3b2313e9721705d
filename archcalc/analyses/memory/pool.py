"""Memory while events run one after the other: buffers are taken, shared, handed on and freed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

from archcalc.analyses.memory.held import NEW, REUSED, VIEW
from archcalc.arith import Size

Key = Hashable  # the name of a value: a tensor, a gradient, what a call keeps inside


class Bytes(NamedTuple):
    """Bytes that do not depend on the batch, and bytes of each sample."""

    fixed: Size = 0
    sample: Size = 0

    def plus(self, other: Bytes) -> Bytes:
        return Bytes(self.fixed + other.fixed, self.sample + other.sample)

    def minus(self, other: Bytes) -> Bytes:
        return Bytes(self.fixed - other.fixed, self.sample - other.sample)

    def at(self, batch: Size) -> Size:
        return self.fixed + batch * self.sample


NOTHING = Bytes()


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


class Moment(NamedTuple):
    """The bytes alive at one time, and the number of the event that runs."""

    bytes: Bytes
    event: int


class Pool:
    """The moments of a run, or of its part up to event number `stop`.

    `at_start` are alive from the start, `to_end` to the end.
    """

    def __init__(
        self,
        events: Sequence[Event],
        at_start: Sequence[Write],
        to_end: Collection[Key],
        stop: int | None = None,
    ) -> None:
        self._last: dict[Key, int] = {}
        for number, event in enumerate(events):
            for key in (*event.reads, *(w.key for w in event.writes)):
                self._last[key] = number
        for key in to_end:
            self._last[key] = len(events)
        self._buffer: dict[Key, int] = {}
        self._size: list[Bytes] = []
        self._users: list[set[Key]] = []
        self.alive = NOTHING
        for write in at_start:
            self._last.setdefault(write.key, -1)
            self._take(write, -1)
        self.moments: list[Moment] = []
        for number, event in enumerate(events if stop is None else events[: stop + 1]):
            self._run(number, event, number == stop)

    def alive_now(self) -> list[tuple[Key, Bytes]]:
        """The values that have a buffer, each buffer once."""
        first: dict[int, Key] = {}
        for key, buffer in self._buffer.items():
            first.setdefault(buffer, key)
        return [(key, self._size[buffer]) for buffer, key in first.items()]

    def _run(self, number: int, event: Event, stop: bool) -> None:
        if event.early != NOTHING:
            self.moments.append(Moment(self.alive.plus(event.early), number))
        for write in event.writes:
            self._take(write, number)
        self.moments.append(Moment(self.alive.plus(event.working), number))
        if stop:
            return
        for key in {*event.reads, *(w.key for w in event.writes)}:
            if self._last[key] == number:
                self._drop(key)

    def _take(self, write: Write, number: int) -> None:
        if write.way == VIEW and write.sources and write.sources[0] in self._buffer:
            buffer = self._buffer[write.sources[0]]
        else:
            reused = self._reusable(write, number) if write.way == REUSED else None
            if reused is None:
                buffer = len(self._size)
                self._size.append(write.bytes)
                self._users.append(set())
                self.alive = self.alive.plus(write.bytes)
            else:
                buffer = reused
        self._users[buffer].add(write.key)
        self._buffer[write.key] = buffer

    def _reusable(self, write: Write, number: int) -> int | None:
        """The buffer of a source that nothing else uses, and that nothing reads later."""
        for key in write.sources:
            buffer = self._buffer.get(key)
            if buffer is not None and all(self._last[user] == number for user in self._users[buffer]):
                return buffer
        return None

    def _drop(self, key: Key) -> None:
        buffer = self._buffer.pop(key, None)
        if buffer is None:
            return
        self._users[buffer].discard(key)
        if not self._users[buffer]:
            self.alive = self.alive.minus(self._size[buffer])
