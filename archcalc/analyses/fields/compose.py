"""Composition: what a layer's output sees, from what its input sees and which units the layer reads.

One function per `Read` of archcalc/layers/window.py. The result is the hull over the taps, not over the
interval that they span, because a map may leave out units or be non-monotone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any, TypeAlias

from archcalc.analyses.fields.axis_figures import scattered
from archcalc.analyses.fields.digits import digits_through
from archcalc.analyses.fields.index_maps import (
    DIRECTION,
    MAX_PERIOD,
    MAX_READS,
    PHASE,
    TOO_MANY_PHASES,
    Dependence,
    Domain,
    Endpoint,
    IndexMap,
    ScatteredUnit,
    at,
    constant,
    extreme,
    is_nondecreasing,
    join,
    known,
    monotone,
    reduced,
    same,
)
from archcalc.arith import Shape, Size, ceil_div, certainly, concrete, equal, is_array, largest, smallest
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
    UnknownRead,
    Whole,
    Window,
)

SEAM = Unknown("a window reaches over the seam of a concatenation along this axis")
FLATTENED = Unknown("a window slides over a flattened axis")
CUT = Unknown("some units of a flattened axis are left out")
ONE_OF_FLATTENED = Unknown("a layer reads one fixed unit of a flattened axis")
BACK_AND_FORTH = Unknown("a causal layer reads units whose fields move back and forth")
CONFIGURATIONS = Unknown("the parts of a concatenation are followed for one configuration at a time")
SYMBOLIC_BLOCKS = Unknown("how many units read the same block depends on a symbol")

Composed: TypeAlias = IndexMap | ScatteredUnit | Unknown | None


def through(dependence: Dependence, window: Window, shape: Shape, out: Shape) -> Dependence:
    """What outputs of shape `out` see if the layer's input has this shape and sees `dependence`."""
    if isinstance(dependence, Unknown):
        return dependence
    parts: list[IndexMap | ScatteredUnit] = []
    changed = False
    for part in dependence:
        if isinstance(part, ScatteredUnit):
            composed = _scattered_through(part, window, shape, out)
        else:
            composed = _map_through(part, window, shape)
        if isinstance(composed, Unknown):
            return composed
        changed = changed or composed is not part
        if composed is not None:
            parts.append(composed)
    if not changed:
        return dependence
    return join(parts) if len(parts) > 1 else tuple(parts)


def _map_through(index_map: IndexMap, window: Window, shape: Shape) -> Composed:
    if index_map.axis is None:
        composed = _constant_through(index_map, window)
    else:
        composed = _moving_through(index_map, window, shape)
    if isinstance(composed, IndexMap) and (index_map.domains or Section in map(type, window)):
        return _restricted(index_map, composed, window)
    return composed


def _moving_through(index_map: IndexMap, window: Window, shape: Shape) -> Composed:
    assert index_map.axis is not None
    read, n = window[index_map.axis], shape[index_map.axis]
    match read:
        case Taps():
            return _taps(index_map, read)
        case Phases():
            return _phases(index_map, read.axis, read.step, [[o for o, _ in row] for row in read.reads])
        case Whole():
            return _whole(index_map, n)
        case Fixed():
            return _fixed(index_map, read.index)
        case Prefix():
            return _prefix(index_map, read, n)
        case Section():
            return _taps(index_map, Taps(read.axis, 1, -read.start))
        case Blocks():
            return _blocks(index_map, read)
        case Scattered():
            return scattered(index_map, read, n)
        case UnknownRead():
            return Unknown(read.reason)
    raise AssertionError(f"every read is known here, but not {read!r}")


def _constant_through(index_map: IndexMap, window: Window) -> Composed:
    """A constant map, of which units whose phase reads nothing see nothing."""
    for read in window:
        if type(read) is Phases and not all(read.reads):
            if not any(read.reads):
                return None
            lo, hi = (
                Endpoint(0, tuple(endpoint.values[0] if row else None for row in read.reads))
                for endpoint in (index_map.lo, index_map.hi)
            )
            return index_map._replace(axis=read.axis, lo=lo, hi=hi)
    return index_map


# -- taps and phases ------------------------------------------------------------------------------
def _taps(index_map: IndexMap, read: Taps) -> Composed:
    axis, stride, offset, count, dilation = read.axis, read.stride, read.offset, read.count, read.dilation
    if _is(stride, 1) and _is(offset, 0) and _is(count, 1):
        return index_map if axis == index_map.axis else index_map._replace(axis=axis)
    period = index_map.period
    if period == 1:
        last = offset + dilation * (count - 1)
        (lo, (low,)), (hi, (high,)) = index_map.lo, index_map.hi
        ends = (
            (offset, last)
            if type(lo) is type(hi) is int and lo >= 0 <= hi
            else _two_ends(index_map, offset, last)
        )
        if ends is None:
            return DIRECTION
        composed = IndexMap(
            axis,
            Endpoint(lo * stride, (lo * ends[0] + low,)),
            Endpoint(hi * stride, (hi * ends[1] + high,)),
            index_map.whole,
        )
        return composed if _is(stride, 1) and type(ends[0]) is type(ends[1]) is int else known(composed)
    stride, offset, count, dilation = map(_plain, (stride, offset, count, dilation))
    if not (type(stride) is type(offset) is type(count) is type(dilation) is int):
        return PHASE
    new_period = period // gcd(period, stride)
    reads = [stride * r + offset for r in range(new_period)]
    if monotone(index_map.lo) and monotone(index_map.hi):
        offsets: Sequence[int] = (0, dilation * (count - 1))
    else:
        # taps a whole cycle apart see the same phase, so the extremes are in the first or the last cycle
        cycle = min(count, period // gcd(period, dilation))
        if new_period * 2 * cycle > MAX_READS:
            return TOO_MANY_PHASES
        ends_of = {*range(cycle), *range(count - cycle, count)}
        offsets = [dilation * t for t in sorted(ends_of)]
    return _table(index_map, axis, stride * new_period, [[base + o for o in offsets] for base in reads])


def _two_ends(index_map: IndexMap, first: Size, last: Size) -> tuple[Size, Size] | None:
    """The offsets of the taps that see the lowest and the highest index; None if they are unknown."""
    up, down = is_nondecreasing(index_map.lo), is_nondecreasing(index_map.hi)
    if up is None or down is None:
        return None
    return (first if up else last), (last if down else first)


def _phases(index_map: IndexMap, axis: int, step: int, reads: Sequence[Sequence[int]]) -> Composed:
    """Unit `len(reads)*q + r` reads `step*q + o` for each o of `reads[r]`."""
    times = index_map.period // gcd(index_map.period, step)
    if times * len(reads) > MAX_PERIOD or times * sum(map(len, reads)) > MAX_READS:
        return TOO_MANY_PHASES
    rows = [[step * m + o for o in row] for m in range(times) for row in reads]
    return _table(index_map, axis, step * times, rows)


def _table(index_map: IndexMap, axis: int, shift: int, reads: Sequence[Sequence[int]]) -> Composed:
    """Units of phase r read the units `reads[r]`, and one period later those `shift` units further."""
    lo = _endpoint(index_map.lo, shift, reads, smallest)
    hi = _endpoint(index_map.hi, shift, reads, largest)
    if all(v is None for v in lo.values):
        return None
    return known(reduced(IndexMap(axis, lo, hi, index_map.whole)))


def _endpoint(endpoint: Endpoint, shift: int, reads: Sequence[Sequence[int]], pick: Any) -> Endpoint:
    values = []
    for row in reads:
        seen = [v for v in (at(endpoint, unit) for unit in row) if v is not None]
        values.append(pick(*seen) if seen else None)
    return Endpoint(endpoint.step * (shift // len(endpoint.values)), tuple(values))


def _blocks(index_map: IndexMap, read: Blocks) -> Composed:
    if type(read.outputs) is not int or type(read.inputs) is not int:
        return SYMBOLIC_BLOCKS
    if monotone(index_map.lo) and monotone(index_map.hi):
        whole_block: Sequence[int] = (0, read.inputs - 1)
    else:
        whole_block = range(read.inputs)
    if read.outputs * len(whole_block) > MAX_READS:
        return TOO_MANY_PHASES
    return _phases(index_map, read.axis, read.inputs, [whole_block] * read.outputs)


# -- whole axes, fixed units and prefixes --------------------------------------------------------------
def _section(read: Section) -> Domain:
    return Domain(read.axis, read.start, read.start + read.length)


def _whole(index_map: IndexMap, n: Size) -> Composed:
    # where all units that see anything see the same, reading all of them adds nothing
    all_same = index_map.period > 1 and all(
        _is(endpoint.step, 0) and len({v for v in endpoint.values if v is not None}) == 1
        for endpoint in (index_map.lo, index_map.hi)
    )
    return _hull(index_map, 0, n, whole=index_map.whole if all_same else True)


def _fixed(index_map: IndexMap, index: Size) -> Composed:
    lo, hi = at(index_map.lo, index), at(index_map.hi, index)
    return None if lo is None or hi is None else known(constant(lo, hi, whole=index_map.whole))


def _hull(index_map: IndexMap, start: Size, stop: Size, *, whole: bool) -> Composed:
    for domain in index_map.domains:
        if domain.axis == index_map.axis:
            start, stop = largest(start, domain.start), smallest(stop, domain.stop)
    lo = extreme(index_map.lo, start, stop, is_max=False)
    hi = extreme(index_map.hi, start, stop, is_max=True)
    return None if lo is None or hi is None else known(constant(lo, hi, whole=whole))


def _prefix(index_map: IndexMap, read: Prefix, n: Size) -> Composed:
    if not (monotone(index_map.lo) and monotone(index_map.hi)):
        return BACK_AND_FORTH
    period = index_map.period
    if read.backwards:
        end = extreme(index_map.hi, 0, n, is_max=True)
        prefix = IndexMap(read.axis, index_map.lo, Endpoint(0, (end,) * period), index_map.whole)
    else:
        start = Endpoint(0, (at(index_map.lo, 0),) * period)
        prefix = IndexMap(read.axis, start, index_map.hi, index_map.whole)
    if read.mirrored:
        return _taps(prefix, Taps(read.axis, -1, n - 1))
    return known(prefix)


def _plain(value: Any) -> Any:
    """The common value of an array whose elements are all equal; any other size unchanged."""
    if is_array(value):
        first = int(value.flat[0])
        return first if certainly(equal(value, first)) else value
    return value


def _is(value: Size, number: int) -> bool:
    return type(value) is int and value == number


# -- parts of a concatenation ------------------------------------------------------------------------
def _restricted(index_map: IndexMap, composed: IndexMap, window: Window) -> Composed:
    """`composed`, restricted to units that read the domains of `index_map` and the window's sections."""
    domains = [_section(read) for read in window if isinstance(read, Section)]
    for domain in index_map.domains:
        read = window[domain.axis]
        if isinstance(read, Section):
            read = Taps(read.axis, 1, -read.start)
        if isinstance(read, Taps):
            single = _is(read.count, 1)
            steady = type(read.stride) is int and read.stride > 0 and (single or _is(read.dilation, 1))
            if not steady or (domain.axis == index_map.axis and not single):
                return SEAM
            reach = read.count - 1
            start = ceil_div(domain.start - read.offset - reach, read.stride)
            stop = ceil_div(domain.stop - read.offset, read.stride)
            domains.append(Domain(read.axis, start, stop))
        elif isinstance(read, Fixed) and concrete(ends := (domain.start, read.index, domain.stop)):
            if not ends[0] <= ends[1] < ends[2]:
                return None
        elif not isinstance(read, Whole):
            return SEAM
    if any(is_array(end) for domain in domains for end in (domain.start, domain.stop)):
        return CONFIGURATIONS
    return composed._replace(domains=tuple(sorted(domains, key=str)))


# -- flattened axes ---------------------------------------------------------------------------------
def _scattered_through(part: ScatteredUnit, window: Window, shape: Shape, out: Shape) -> Composed:
    if any(type(read) is Phases and not any(read.reads) for read in window):
        return None  # a weight, which reads nothing
    if part.digits:
        seen = digits_through(part, window, shape, out)
        if seen is not None:
            return seen[0] if seen else None
    axes = part.axes or tuple(range(len(shape)))
    long = [a for a in axes if not (type(shape[a]) is int and shape[a] == 1)]
    reads = [window[a] for a in long]
    if part.domains:
        return SEAM
    if all(isinstance(r, Whole) for r in reads) and reads:
        return constant(part.lo, part.hi, whole=True)
    if not all(map(_single, reads)):
        return FLATTENED
    for n, read in zip((shape[a] for a in long), reads, strict=True):
        if isinstance(read, Taps) and not same(n, out[read.axis]):
            return CUT
    if reads and all(isinstance(r, Fixed) for r in reads):
        return ONE_OF_FLATTENED
    if any(isinstance(r, Scattered | Section) for r in reads):
        output_axes: tuple[int, ...] = ()
    else:
        output_axes = tuple(sorted({r.axis for r in reads if isinstance(r, Taps | Phases)}))
    domains = tuple(_section(r) for r in reads if isinstance(r, Section))
    if any(is_array(end) for domain in domains for end in (domain.start, domain.stop)):
        return CONFIGURATIONS
    if output_axes == part.axes and not domains and not part.digits:
        return part
    return part._replace(axes=output_axes, domains=domains, digits=())


def _single(read: Read) -> bool:
    """Whether a read reads at most one unit."""
    if isinstance(read, Taps):
        return _is(read.count, 1)
    if isinstance(read, Phases):
        return all(len(row) <= 1 for row in read.reads)
    return isinstance(read, Fixed | Scattered | Section)
