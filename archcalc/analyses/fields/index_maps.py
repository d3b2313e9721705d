"""What the units of one layer see of one axis of a model input, as quasi-affine maps.

Unit `i = period*q + r` along one axis of a layer's output sees the indices from
`lo.step*q + lo.values[r]` to `hi.step*q + hi.values[r]`: the bounding interval of what it
depends on. The period is 1 but behind upsampling. All units of a layer, and all layers,
are described by a handful of numbers each, so that fields compose forward along the graph
(docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm
from typing import Any, NamedTuple, TypeAlias

from archcalc.arith import Size, at_most, ceil_div, certainly, equal, floor_div, is_array, largest, smallest
from archcalc.arith.unknown import Unknown

MAX_PERIOD = 1024
MAX_READS = 1 << 16  # table entries looked up for one layer
MAX_PIECES = 8
MAX_BITS = 4096  # of a stride; sizes beyond are no figure that anybody reads

TOO_MANY_PHASES = Unknown(f"the field repeats only after more than {MAX_PERIOD} units")
TOO_MANY_PIECES = Unknown(f"more than {MAX_PIECES} branches move over the input at different rates")
TOO_LARGE = Unknown(f"the stride exceeds 2^{MAX_BITS}")
PHASE = Unknown("which phase of an upsampling is read depends on a symbol; give it a value with --set")
DIRECTION = Unknown("the sign of a stride depends on a symbol; give it a value with --set")


class Edge(NamedTuple):
    """One end of the interval: `step*q + values[r]` at unit `len(values)*q + r`; None sees nothing."""

    step: Size
    values: tuple[Any, ...]


class Domain(NamedTuple):
    """Only units `start <= i < stop` along `axis` have this piece (parts of a concatenation)."""

    axis: int
    start: Size
    stop: Size


class Piece(NamedTuple):
    """One interval, moving along `axis` of the layer's output (None: the same for all units).

    `whole` marks a dependence that came through a read of a whole axis.
    """

    axis: int | None
    lo: Edge
    hi: Edge
    whole: bool = False
    domains: tuple[Domain, ...] = ()

    @property
    def period(self) -> int:
        return len(self.lo.values)


class Scatter(NamedTuple):
    """The interval of some single unit of a flattened axis; which one is not tracked.

    `axes` are those of the output that decide (empty: any). `lo`, `hi` bound the intervals
    of all units, `last_lo` and `first_hi` what all of them contain.
    """

    axes: tuple[int, ...]
    lo: Size
    hi: Size
    largest: Size
    smallest: Size
    last_lo: Size
    first_hi: Size
    domains: tuple[Domain, ...] = ()


# what the units of a layer see of one input axis: the hull of pieces; empty if they see nothing
Dependence: TypeAlias = "tuple[Piece | Scatter, ...] | Unknown"


def identity(axis: int) -> Dependence:
    """Unit i along `axis` sees index i."""
    edge = Edge(1, (0,))
    return (Piece(axis, edge, edge),)


def constant(lo: Size, hi: Size, *, whole: bool, domains: tuple[Domain, ...] = ()) -> Piece:
    """Every unit sees `lo..hi`."""
    return Piece(None, Edge(0, (lo,)), Edge(0, (hi,)), whole, domains)


# -- edges --------------------------------------------------------------------------------------
def at(edge: Edge, unit: Size) -> Any:
    """The edge at one unit: None where that sees nothing, unknown where its phase is."""
    if len(edge.values) == 1:
        value = edge.values[0]
        return None if value is None else edge.step * unit + value
    if type(unit) is not int:
        return PHASE
    q, r = divmod(unit, len(edge.values))
    value = edge.values[r]
    return None if value is None else edge.step * q + value


def rises(edge: Edge) -> bool | None:
    """Whether the edge never falls from one period to the next; None where nobody knows."""
    if type(edge.step) is int:
        return edge.step >= 0
    if certainly(at_most(0, edge.step)):
        return True
    return False if certainly(at_most(edge.step, 0)) else None


def monotone(edge: Edge) -> bool:
    """Whether the edge certainly never falls from any unit to the next, and no unit sees nothing."""
    values = edge.values
    if len(values) == 1:
        return values[0] is not None and rises(edge) is True
    if any(v is None for v in values):
        return False
    after = (*values[1:], values[0] + edge.step)
    return all(certainly(at_most(a, b)) for a, b in zip(values, after, strict=True))


def expand(edge: Edge, period: int) -> Edge:
    """The same edge, written with a multiple of its period."""
    times = period // len(edge.values)
    if times == 1:
        return edge
    values = [None if v is None else v + edge.step * m for m in range(times) for v in edge.values]
    return Edge(edge.step * times, tuple(values))


def reduced(piece: Piece) -> Piece:
    """The same piece, written with its least period, and as constant if it does not move."""
    period = piece.period
    for shorter in range(1, period // 2 + 1):
        if period % shorter == 0:
            lo, hi = (_shortened(e, shorter) for e in (piece.lo, piece.hi))
            if lo is not None and hi is not None:
                still = shorter == 1 and lo.step == hi.step == 0
                return piece._replace(axis=None if still else piece.axis, lo=lo, hi=hi)
    return piece


def _shortened(edge: Edge, period: int) -> Edge | None:
    times = len(edge.values) // period
    if type(edge.step) is not int or edge.step % times or any(map(is_array, edge.values)):
        return None
    candidate = Edge(edge.step // times, edge.values[:period])
    return candidate if expand(candidate, len(edge.values)) == edge else None


def difference(a: Edge, b: Edge) -> Edge:
    """`a - b` unit by unit; None where either sees nothing."""
    period = lcm(len(a.values), len(b.values))
    a, b = expand(a, period), expand(b, period)
    values = (None if v is None or w is None else v - w for v, w in zip(a.values, b.values, strict=True))
    return Edge(a.step - b.step, tuple(values))


def extreme(edge: Edge, start: Size, stop: Size, *, is_max: bool) -> Any:
    """The largest or smallest value over units `start <= i < stop`; None if all see nothing."""
    period = len(edge.values)
    up = rises(edge)
    still = type(edge.step) is int and edge.step == 0
    integral = type(start) is int and type(stop) is int
    found = []
    for r, value in enumerate(edge.values):
        if value is None:
            continue
        if still and not integral:
            found.append(value)
            continue
        first, last = rows(start, stop, period, r)
        if integral and first > last:
            continue
        if up is None or up is not is_max:
            found.append(edge.step * first + value)
        if up is None or up is is_max:
            found.append(edge.step * last + value)
    if not found:
        return None
    return (largest if is_max else smallest)(*_distinct(found))


def rows(start: Size, stop: Size, period: int, r: int) -> tuple[Size, Size]:
    """The first and last q with `start <= period*q + r < stop`."""
    if period == 1:
        return start, stop - 1
    return ceil_div(start - r, period), floor_div(stop - 1 - r, period)


def _distinct(values: list[Any]) -> Sequence[Any]:
    try:
        return list(dict.fromkeys(values))
    except TypeError:  # arrays have no hash
        return values


# -- pieces -------------------------------------------------------------------------------------
def join(parts: Iterable[Piece | Scatter]) -> Dependence:
    """The hull of what several branches see: pieces that move alike become one."""
    kept: list[Piece | Scatter] = []
    for part in parts:
        for k, other in enumerate(kept):
            if part is other:
                break
            if isinstance(part, Scatter) or isinstance(other, Scatter):
                if part == other:
                    break
            elif _move_alike(part, other):
                merged = _merged(part, other)
                if isinstance(merged, Unknown):
                    return merged
                kept[k] = merged
                break
        else:
            kept.append(part)
    return tuple(kept) if len(kept) <= MAX_PIECES else TOO_MANY_PIECES


def join_all(dependences: Iterable[Dependence]) -> Dependence:
    """The hull of several dependences; unknown if one is."""
    parts: list[Piece | Scatter] = []
    first: Dependence | None = None
    several = False
    for dependence in dependences:
        if isinstance(dependence, Unknown):
            return dependence
        several = several or (first is not None and dependence is not first)
        first = dependence if first is None else first
        parts += dependence
    return join(parts) if several or first is None else first


def _move_alike(a: Piece, b: Piece) -> bool:
    if a.axis != b.axis or a.whole is not b.whole or a.domains != b.domains:
        return False
    return same(a.lo.step * b.period, b.lo.step * a.period) and same(
        a.hi.step * b.period, b.hi.step * a.period
    )


def same(a: Any, b: Any) -> bool:
    """Whether two numbers, or texts of fractions, are certainly equal."""
    if isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and bool(a == b)
    if type(a) is int and type(b) is int:
        return a == b
    return certainly(equal(a, b))


def _merged(a: Piece, b: Piece) -> Piece | Unknown:
    if len(a.lo.values) == len(b.lo.values) == 1:
        (low,), (other_low,), (high,), (other_high,) = a.lo.values, b.lo.values, a.hi.values, b.hi.values
        if type(low) is type(other_low) is type(high) is type(other_high) is int:
            if low <= other_low and high >= other_high:
                return a
            if low >= other_low and high <= other_high:
                return b
    period = lcm(a.period, b.period)
    if period > MAX_PERIOD:
        return TOO_MANY_PHASES
    lo = _both(expand(a.lo, period), expand(b.lo, period), smallest)
    hi = _both(expand(a.hi, period), expand(b.hi, period), largest)
    return known(reduced(a._replace(lo=lo, hi=hi)))


def _both(a: Edge, b: Edge, pick: Any) -> Edge:
    values = (
        w if v is None else v if w is None else pick(v, w) for v, w in zip(a.values, b.values, strict=True)
    )
    return Edge(a.step, tuple(values))


def known(piece: Piece) -> Piece | Unknown:
    """The piece, or the unknown figure that entered it."""
    for edge in (piece.lo, piece.hi):
        for value in (edge.step, *edge.values):
            if isinstance(value, Unknown):
                return value
    if type(piece.hi.step) is int and piece.hi.step.bit_length() > MAX_BITS:
        return TOO_LARGE
    return piece
