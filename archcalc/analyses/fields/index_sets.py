"""Sets of units of one axis as runs, and what a read makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from archcalc.arith import Size
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Read, Section, Taps, Unstated, Whole

# disjoint [start, stop) in order, with gaps between; None if the set is not known
Runs: TypeAlias = tuple[tuple[int, int], ...]
Units: TypeAlias = "Runs | None"

MAX_RUNS = 1 << 16


def union(a: Runs, b: Runs) -> Units:
    """The units of either set."""
    return merged([*a, *b])


def contains(a: Runs, b: Runs) -> bool:
    """Whether every unit of b is one of a."""
    position = 0
    for start, stop in b:
        while position < len(a) and a[position][1] < stop:
            position += 1
        if position == len(a) or a[position][0] > start:
            return False
    return True


def merged(runs: Iterable[tuple[int, int]]) -> Units:
    """Runs in any order as a set; None if there are too many to be worth following."""
    given = list(islice(runs, 4 * MAX_RUNS + 1))
    if len(given) > 4 * MAX_RUNS:
        return None
    found: list[tuple[int, int]] = []
    for start, stop in sorted(given):
        if found and start <= found[-1][1]:
            if stop > found[-1][1]:
                found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return tuple(found) if len(found) <= MAX_RUNS else None


def read_units(units: Units, read: Read, n: Size) -> Units:
    """The units inside an axis of n that are read for `units` of the output axis of `read`.

    None where they are not known: symbolic sizes and reads, flattened axes, unstated reads.
    """
    if type(n) is not int:
        return None
    if isinstance(read, Whole):
        return ((0, n),)
    if isinstance(read, Fixed):
        return _clipped([(read.index, read.index + 1)], n) if type(read.index) is int else None
    if units is None or isinstance(read, Unstated):
        return None
    if isinstance(read, Prefix):
        first, last = units[0][0], units[-1][1]
        if read.turned:
            first, last = n - last, n - first
        return _clipped([(first, n) if read.backwards else (0, last)], n)
    if isinstance(read, Taps):
        fields = (read.stride, read.offset, read.count, read.dilation)
        return _clipped(_taps(units, n, *fields), n) if all(type(f) is int for f in fields) else None
    if isinstance(read, Phases):
        return _clipped(_phases(units, read), n)
    if isinstance(read, Section):
        if type(read.start) is not int or type(read.length) is not int:
            return None
        return _clipped([(a - read.start, b - read.start) for a, b in units], min(n, read.length))
    if isinstance(read, Blocks):
        outer, inner = read.outer, read.inner
        if type(outer) is not int or type(inner) is not int:
            return None
        return _clipped([(inner * (a // outer), inner * ((b - 1) // outer + 1)) for a, b in units], n)
    return None


def reaches_out(units: Units, read: Read, n: Size) -> bool:
    """Whether some of what is read for `units` lies before or behind an axis of n; False where not known."""
    if units is None or type(n) is not int:
        return False
    if isinstance(read, Taps):
        fields = (read.stride, read.offset, read.count, read.dilation)
        if not all(type(f) is int for f in fields):
            return False
        ends = [read.stride * i + read.offset for i in (units[0][0], units[-1][1] - 1)]
        return bool(min(ends) < 0 or max(ends) + read.dilation * (read.count - 1) >= n)
    if isinstance(read, Phases):
        return any(a < 0 or b > n for a, b in _phases(units, read))
    return False


def _clipped(runs: Iterable[tuple[int, int]], n: int) -> Units:
    return merged((max(a, 0), min(b, n)) for a, b in runs if a < n and b > 0)


def _taps(
    units: Runs, n: int, stride: int, offset: int, count: int, dilation: int
) -> Iterator[tuple[int, int]]:
    reach = dilation * (count - 1)
    for a, b in units:
        if stride == 1 and (count == 1 or dilation <= b - a):
            yield a + offset, b + offset + reach
        elif stride == 1:
            for t in _taps_within(a + offset, b + offset, n, count, dilation):
                yield a + offset + dilation * t, b + offset + dilation * t
        elif dilation == 1 and 0 < abs(stride) <= count:
            ends = stride * a, stride * (b - 1)
            yield min(ends) + offset, max(ends) + offset + count
        else:
            for i in _within(a, b, stride, offset, reach, n):
                first = stride * i + offset
                if dilation == 1:
                    yield first, first + count
                else:
                    for t in _taps_within(first, first + 1, n, count, dilation):
                        yield first + dilation * t, first + dilation * t + 1


def _within(a: int, b: int, stride: int, offset: int, reach: int, n: int) -> range:
    """The units of a run whose taps touch 0..n-1."""
    if stride > 0:
        return range(max(a, -((reach + offset) // stride)), min(b, -((offset - n) // stride)))
    return range(a, b)


def _taps_within(a: int, b: int, n: int, count: int, dilation: int) -> range:
    """The taps t for which the units a..b-1, moved by `dilation*t`, touch 0..n-1."""
    return range(max(0, -((b - 1) // dilation)), min(count, -((a - n) // dilation)))


def _phases(units: Runs, read: Phases) -> Iterator[tuple[int, int]]:
    period, step = read.period, read.step
    for a, b in units:
        for r, row in enumerate(read.reads):
            first, last = -((r - a) // period), (b - 1 - r) // period
            if first > last:
                continue
            for offset, _ in row:
                if step == 1:
                    yield first + offset, last + offset + 1
                else:
                    for q in range(first, last + 1):
                        yield step * q + offset, step * q + offset + 1
