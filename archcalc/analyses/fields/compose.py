"""Composition: what a layer's output sees, from what its input sees and which units it reads.

One function per `Read` of archcalc/layers/window.py. Every tap is followed (the hull of the
taps, not of the interval they span), because a map may skip units or go back and forth.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any, TypeAlias

from archcalc.analyses.fields.axis_figures import scattered
from archcalc.analyses.fields.index_maps import (
    DIRECTION,
    MAX_PERIOD,
    MAX_READS,
    PHASE,
    TOO_MANY_PHASES,
    Dependence,
    Domain,
    Edge,
    Piece,
    Scatter,
    at,
    constant,
    extreme,
    join,
    known,
    monotone,
    reduced,
    rises,
)
from archcalc.arith import Shape, Size, ceil_div, certainly, equal, is_array, largest, smallest
from archcalc.arith.unknown import Unknown
from archcalc.layers.window import (
    Blocks,
    Fixed,
    Phases,
    Prefix,
    Read,
    Scattered,
    Section,
    Taps,
    Unstated,
    Whole,
    Window,
)

SEAM = Unknown("a window reaches over the seam of a concatenation along this axis")
FLATTENED = Unknown("a window slides over a flattened axis")
ONE_OF_FLATTENED = Unknown("one fixed unit is read of a flattened axis")
BACK_AND_FORTH = Unknown("a causal read of a field that does not move steadily")
CONFIGURATIONS = Unknown("the parts of a concatenation are followed for one configuration at a time")
SYMBOLIC_BLOCKS = Unknown("how many units read the same block depends on a symbol")

Made: TypeAlias = Piece | Scatter | Unknown | None


def through(dependence: Dependence, window: Window, shape: Shape) -> Dependence:
    """What the output of a layer sees, if its input of this shape sees `dependence`."""
    if isinstance(dependence, Unknown):
        return dependence
    parts: list[Piece | Scatter] = []
    changed = False
    for part in dependence:
        if isinstance(part, Scatter):
            made = _scatter_through(part, window, shape)
        else:
            made = _piece_through(part, window, shape)
        if isinstance(made, Unknown):
            return made
        changed = changed or made is not part
        if made is not None:
            parts.append(made)
    if not changed:
        return dependence
    return join(parts) if len(parts) > 1 else tuple(parts)


def _piece_through(piece: Piece, window: Window, shape: Shape) -> Made:
    made = _with_holes(piece, window) if piece.axis is None else _moved(piece, window, shape)
    if isinstance(made, Piece) and (piece.domains or any(type(r) is Section for r in window)):
        return _confined(piece, made, window)
    return made


def _moved(piece: Piece, window: Window, shape: Shape) -> Made:
    assert piece.axis is not None
    read, n = window[piece.axis], shape[piece.axis]
    match read:
        case Taps():
            return _taps(piece, read)
        case Phases():
            return _phases(piece, read.axis, read.step, [[o for o, _ in row] for row in read.reads])
        case Whole():
            return _whole(piece, n)
        case Fixed():
            return _fixed(piece, read.index)
        case Prefix():
            return _prefix(piece, read, n)
        case Section():
            return _taps(piece, Taps(read.axis, 1, -read.start))
        case Blocks():
            return _blocks(piece, read)
        case Scattered():
            return scattered(piece, read, n)
        case Unstated():
            return Unknown(read.reason)
    raise AssertionError(f"every read is known here, but not {read!r}")


def _with_holes(piece: Piece, window: Window) -> Made:
    """A constant piece behind a read that leaves out some phases, which then see nothing."""
    for read in window:
        if type(read) is Phases and not all(read.reads):
            if not any(read.reads):
                return None
            lo, hi = (
                Edge(0, tuple(edge.values[0] if row else None for row in read.reads))
                for edge in (piece.lo, piece.hi)
            )
            return piece._replace(axis=read.axis, lo=lo, hi=hi)
    return piece


# -- taps and phases ------------------------------------------------------------------------------
def _taps(piece: Piece, read: Taps) -> Made:
    axis, stride, offset, count, dilation = read.axis, read.stride, read.offset, read.count, read.dilation
    if _is(stride, 1) and _is(offset, 0) and _is(count, 1):
        return piece if axis == piece.axis else piece._replace(axis=axis)
    period = piece.period
    if period == 1:
        last = offset + dilation * (count - 1)
        (lo, (low,)), (hi, (high,)) = piece.lo, piece.hi
        ends = (
            (offset, last)
            if type(lo) is type(hi) is int and lo >= 0 <= hi
            else _two_ends(piece, offset, last)
        )
        if ends is None:
            return DIRECTION
        made = Piece(
            axis,
            Edge(lo * stride, (lo * ends[0] + low,)),
            Edge(hi * stride, (hi * ends[1] + high,)),
            piece.whole,
        )
        return made if _is(stride, 1) and type(ends[0]) is type(ends[1]) is int else known(made)
    stride, offset, count, dilation = map(_plain, (stride, offset, count, dilation))
    if not all(type(v) is int for v in (stride, offset, count, dilation)):
        return PHASE
    new_period = period // gcd(period, stride)
    reads = [stride * r + offset for r in range(new_period)]
    if monotone(piece.lo) and monotone(piece.hi):
        offsets: Sequence[int] = (0, dilation * (count - 1))
    else:
        # taps a whole cycle apart see the same phase: the extremes are among the first and last
        cycle = min(count, period // gcd(period, dilation))
        if new_period * 2 * cycle > MAX_READS:
            return TOO_MANY_PHASES
        ends_of = {*range(cycle), *range(count - cycle, count)}
        offsets = [dilation * t for t in sorted(ends_of)]
    return _table(piece, axis, stride * new_period, [[base + o for o in offsets] for base in reads])


def _two_ends(piece: Piece, first: Size, last: Size) -> tuple[Size, Size] | None:
    """The taps that reach lowest and highest."""
    up, down = rises(piece.lo), rises(piece.hi)
    if up is None or down is None:
        return None
    return (first if up else last), (last if down else first)


def _phases(piece: Piece, axis: int, step: int, reads: Sequence[Sequence[int]]) -> Made:
    """Unit `len(reads)*q + r` reads `step*q + o` for each o of `reads[r]`."""
    times = piece.period // gcd(piece.period, step)
    if times * len(reads) > MAX_PERIOD or times * sum(map(len, reads)) > MAX_READS:
        return TOO_MANY_PHASES
    rows = [[step * m + o for o in row] for m in range(times) for row in reads]
    return _table(piece, axis, step * times, rows)


def _table(piece: Piece, axis: int, shift: int, reads: Sequence[Sequence[int]]) -> Made:
    """Row r of the output reads the units `reads[r]`; one period on, all move by `shift` units."""
    lo = _edge(piece.lo, shift, reads, smallest)
    hi = _edge(piece.hi, shift, reads, largest)
    if all(v is None for v in lo.values):
        return None
    return known(reduced(Piece(axis, lo, hi, piece.whole)))


def _edge(edge: Edge, shift: int, reads: Sequence[Sequence[int]], pick: Any) -> Edge:
    values = []
    for row in reads:
        seen = [v for v in (at(edge, unit) for unit in row) if v is not None]
        values.append(pick(*seen) if seen else None)
    return Edge(edge.step * (shift // len(edge.values)), tuple(values))


def _blocks(piece: Piece, read: Blocks) -> Made:
    if type(read.outer) is not int or type(read.inner) is not int:
        return SYMBOLIC_BLOCKS
    if monotone(piece.lo) and monotone(piece.hi):
        whole_block: Sequence[int] = (0, read.inner - 1)
    else:
        whole_block = range(read.inner)
    if read.outer * len(whole_block) > MAX_READS:
        return TOO_MANY_PHASES
    return _phases(piece, read.axis, read.inner, [whole_block] * read.outer)


# -- reads that do not move -------------------------------------------------------------------------
def _section(read: Section) -> Domain:
    return Domain(read.axis, read.start, read.start + read.length)


def _whole(piece: Piece, n: Size) -> Made:
    # units that all see the same, if anything, do not see more together
    still = piece.period > 1 and all(
        _is(edge.step, 0) and len({v for v in edge.values if v is not None}) == 1
        for edge in (piece.lo, piece.hi)
    )
    return _hull(piece, 0, n, whole=piece.whole if still else True)


def _fixed(piece: Piece, index: Size) -> Made:
    lo, hi = at(piece.lo, index), at(piece.hi, index)
    return None if lo is None or hi is None else known(constant(lo, hi, whole=piece.whole))


def _hull(piece: Piece, start: Size, stop: Size, *, whole: bool) -> Made:
    for domain in piece.domains:
        if domain.axis == piece.axis:
            start, stop = largest(start, domain.start), smallest(stop, domain.stop)
    lo = extreme(piece.lo, start, stop, is_max=False)
    hi = extreme(piece.hi, start, stop, is_max=True)
    return None if lo is None or hi is None else known(constant(lo, hi, whole=whole))


def _prefix(piece: Piece, read: Prefix, n: Size) -> Made:
    if not (monotone(piece.lo) and monotone(piece.hi)):
        return BACK_AND_FORTH
    period = piece.period
    if read.backwards:
        end = extreme(piece.hi, 0, n, is_max=True)
        made = Piece(read.axis, piece.lo, Edge(0, (end,) * period), piece.whole)
    else:
        start = Edge(0, (at(piece.lo, 0),) * period)
        made = Piece(read.axis, start, piece.hi, piece.whole)
    if read.turned:
        return _taps(made, Taps(read.axis, -1, n - 1))
    return known(made)


def _plain(value: Size) -> Size:
    """The integer that all elements of an array are; else the size itself."""
    if is_array(value):
        first = int(value.flat[0])
        return first if certainly(equal(value, first)) else value
    return value


def _is(value: Size, number: int) -> bool:
    return type(value) is int and value == number


# -- parts of a concatenation ------------------------------------------------------------------------
def _confined(piece: Piece, made: Piece, window: Window) -> Made:
    """`made` where `piece` exists and the sections of the window have units."""
    kept = [_section(read) for read in window if isinstance(read, Section)]
    for domain in piece.domains:
        read = window[domain.axis]
        if isinstance(read, Section):
            read = Taps(read.axis, 1, -read.start)
        if isinstance(read, Taps):
            single = _is(read.count, 1)
            steady = type(read.stride) is int and read.stride > 0 and (single or _is(read.dilation, 1))
            if not steady or (domain.axis == piece.axis and not single):
                return SEAM
            reach = read.count - 1
            start = ceil_div(domain.start - read.offset - reach, read.stride)
            stop = ceil_div(domain.stop - read.offset, read.stride)
            kept.append(Domain(read.axis, start, stop))
        elif isinstance(read, Fixed) and all(type(v) is int for v in (read.index, domain.start, domain.stop)):
            if not domain.start <= read.index < domain.stop:
                return None
        elif not isinstance(read, Whole):
            return SEAM
    if any(is_array(end) for domain in kept for end in (domain.start, domain.stop)):
        return CONFIGURATIONS
    return made._replace(domains=tuple(sorted(kept, key=str)))


# -- flattened axes ---------------------------------------------------------------------------------
def _scatter_through(part: Scatter, window: Window, shape: Shape) -> Made:
    axes = part.axes or tuple(range(len(shape)))
    reads = [window[a] for a in axes if not (type(shape[a]) is int and shape[a] == 1)]
    if part.domains:
        return SEAM
    if all(isinstance(r, Whole) for r in reads) and reads:
        return constant(part.lo, part.hi, whole=True)
    if not all(map(_single, reads)):
        return FLATTENED
    if reads and all(isinstance(r, Fixed) for r in reads):
        return ONE_OF_FLATTENED
    if any(isinstance(r, Scattered | Section) for r in reads):
        axes_now: tuple[int, ...] = ()
    else:
        axes_now = tuple(sorted({r.axis for r in reads if isinstance(r, Taps | Phases)}))
    domains = tuple(_section(r) for r in reads if isinstance(r, Section))
    if any(is_array(end) for domain in domains for end in (domain.start, domain.stop)):
        return CONFIGURATIONS
    if axes_now == part.axes and not domains:
        return part
    return part._replace(axes=axes_now, domains=domains)


def _single(read: Read) -> bool:
    """Whether one unit is read at most."""
    if isinstance(read, Taps):
        return _is(read.count, 1)
    if isinstance(read, Phases):
        return all(len(row) <= 1 for row in read.reads)
    return isinstance(read, Fixed | Scattered | Section)
