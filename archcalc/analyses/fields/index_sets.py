"""Sets of indices along one axis as disjoint intervals, and the indices that a layer reads for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from archcalc.arith import Size, concrete
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Read, Section, Taps, UnknownRead, Whole

# half-open intervals [start, stop) in increasing order, with gaps between them; an unknown set is None
IndexSet: TypeAlias = tuple[tuple[int, int], ...]

MAX_INTERVALS = 1 << 16


def union(a: IndexSet, b: IndexSet) -> IndexSet | None:
    """The union of two sets; None if it has too many intervals."""
    return merged([*a, *b])


def contains(a: IndexSet, b: IndexSet) -> bool:
    """Whether b is a subset of a."""
    position = 0
    for start, stop in b:
        while position < len(a) and a[position][1] < stop:
            position += 1
        if position == len(a) or a[position][0] > start:
            return False
    return True


def merged(intervals: Iterable[tuple[int, int]]) -> IndexSet | None:
    """The set that intervals in any order cover; None if there are more than `MAX_INTERVALS`."""
    unordered = list(islice(intervals, 4 * MAX_INTERVALS + 1))
    if len(unordered) > 4 * MAX_INTERVALS:
        return None
    disjoint: list[tuple[int, int]] = []
    for start, stop in sorted(unordered):
        if disjoint and start <= disjoint[-1][1]:
            if stop > disjoint[-1][1]:
                disjoint[-1] = (disjoint[-1][0], stop)
        else:
            disjoint.append((start, stop))
    return tuple(disjoint) if len(disjoint) <= MAX_INTERVALS else None


def indices_read(units: IndexSet | None, read: Read, n: Size) -> IndexSet | None:
    """The indices of an input axis of size n that output `units` read through `read`, without padding.

    None where they are unknown: symbolic sizes or reads, flattened axes, reads that are not stated.
    """
    if type(n) is not int:
        return None
    if isinstance(read, Taps) and units is not None:
        fields = (read.stride, read.offset, read.count, read.dilation)
        if not concrete(fields):
            return None
        if fields[:3] == (1, 0, 1) and units[-1][1] <= n:
            return units
        one = _interval(*units[0], *fields) if len(units) == 1 else None
        if one is not None:
            first, stop = max(one[0], 0), min(one[1], n)
            return ((first, stop),) if first < stop else ()
        return _clipped(_taps(units, n, *fields), n)
    if isinstance(read, Whole):
        return ((0, n),)
    if isinstance(read, Fixed):
        return _clipped([(read.index, read.index + 1)], n) if type(read.index) is int else None
    if units is None or isinstance(read, UnknownRead):
        return None
    if isinstance(read, Prefix):
        first, last = units[0][0], units[-1][1]
        if read.mirrored:
            first, last = n - last, n - first
        return _clipped([(first, n) if read.backwards else (0, last)], n)
    if isinstance(read, Phases):
        return _clipped(_phases(units, read), n)
    if isinstance(read, Section):
        if type(read.start) is not int or type(read.length) is not int:
            return None
        return _clipped([(a - read.start, b - read.start) for a, b in units], min(n, read.length))
    if isinstance(read, Blocks):
        outer, inner = read.outputs, read.inputs
        if type(outer) is not int or type(inner) is not int:
            return None
        return _clipped([(inner * (a // outer), inner * ((b - 1) // outer + 1)) for a, b in units], n)
    return None


def reads_padding(units: IndexSet | None, read: Read, n: Size) -> bool:
    """Whether output `units` read padding before or after an input axis of size n; False where unknown."""
    if units is None or type(n) is not int:
        return False
    if isinstance(read, Taps):
        fields = (read.stride, read.offset, read.count, read.dilation)
        if not concrete(fields):
            return False
        stride, offset, count, dilation = fields
        ends = [stride * i + offset for i in (units[0][0], units[-1][1] - 1)]
        return min(ends) < 0 or max(ends) + dilation * (count - 1) >= n
    if isinstance(read, Phases):
        return any(a < 0 or b > n for a, b in _phases(units, read))
    return False


def _clipped(intervals: Iterable[tuple[int, int]], n: int) -> IndexSet | None:
    return merged((max(a, 0), min(b, n)) for a, b in intervals if a < n and b > 0)


def _taps(
    units: IndexSet, n: int, stride: int, offset: int, count: int, dilation: int
) -> Iterator[tuple[int, int]]:
    reach = dilation * (count - 1)
    for a, b in units:
        one = _interval(a, b, stride, offset, count, dilation)
        if one is not None:
            yield one
        elif stride == 1:
            for t in _taps_within(a + offset, b + offset, n, count, dilation):
                yield a + offset + dilation * t, b + offset + dilation * t
        else:
            for i in _within(a, b, stride, offset, reach, n):
                first = stride * i + offset
                if dilation == 1:
                    yield first, first + count
                else:
                    for t in _taps_within(first, first + 1, n, count, dilation):
                        yield first + dilation * t, first + dilation * t + 1


def _interval(a: int, b: int, stride: int, offset: int, count: int, dilation: int) -> tuple[int, int] | None:
    """The indices that output units a..b-1 read, if those are an interval."""
    if stride == 1 and (count == 1 or dilation <= b - a):
        return a + offset, b + offset + dilation * (count - 1)
    if dilation == 1 and 0 < abs(stride) <= count:
        ends = stride * a, stride * (b - 1)
        return min(ends) + offset, max(ends) + offset + count
    return None


def _within(a: int, b: int, stride: int, offset: int, reach: int, n: int) -> range:
    """The output units in [a, b) some of whose taps may be in 0..n-1."""
    if stride > 0:
        return range(max(a, -((reach + offset) // stride)), min(b, -((offset - n) // stride)))
    return range(a, b)


def _taps_within(a: int, b: int, n: int, count: int, dilation: int) -> range:
    """The taps t for which the indices a..b-1, shifted by `dilation*t`, meet 0..n-1."""
    return range(max(0, -((b - 1) // dilation)), min(count, -((a - n) // dilation)))


def _phases(units: IndexSet, read: Phases) -> Iterator[tuple[int, int]]:
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
