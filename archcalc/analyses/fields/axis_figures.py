"""The figures of a field along one input axis: its size over all units, stride, offset and coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product
from math import lcm, prod
from typing import Any, NamedTuple, TypeAlias

from archcalc.analyses.fields.digits import split
from archcalc.analyses.fields.index_maps import (
    Dependence,
    Endpoint,
    IndexMap,
    ScatteredUnit,
    at,
    difference,
    expand,
    extreme,
    phase_range,
    same,
)
from archcalc.arith import (
    Shape,
    Size,
    at_most,
    certainly,
    concrete,
    equal,
    integers,
    is_array,
    largest,
    smallest,
)
from archcalc.arith.symbolic import divide
from archcalc.arith.unknown import Unknown
from archcalc.layers.window import Scattered

MAX_REGIONS = 64
MAX_POSITIONS = 4096

POSITION = Unknown("the smallest field depends on where branches cross; give the symbols values with --set")
SEAMS = Unknown("the order of the parts of a concatenation depends on a symbol")
FRACTIONS = Unknown("the stride is a fraction in some configurations")
FLATTENED_BRANCHES = Unknown("branches meet on a flattened axis")

Span: TypeAlias = tuple[Size, Size]
Lines: TypeAlias = "list[tuple[int, int]]"  # (step, value) of q -> step*q + value


class AxisField(NamedTuple):
    """A field along one axis of a model input; `receptive_field.Field` explains the entries."""

    size: Any
    min_size: Any
    stride: Any
    offset: Any
    is_global: Any
    local_size: Any


def axis_field(dependence: Dependence, shape: Shape, extent: Size) -> AxisField:
    """The field of a layer's output of `shape` along an input axis of `extent` units."""
    if isinstance(dependence, Unknown):
        return AxisField(*(dependence,) * 6)
    if len(dependence) == 1:
        (part,) = dependence
        if isinstance(part, IndexMap) and part.period == 1 and not part.domains and not part.whole:
            (step, low), (rate, high) = part.lo, part.hi
            if type(step) is type(rate) is int and step == rate:
                size = high[0] - low[0] + 1
                covers = _covers([part], {}, shape, extent, size)
                return AxisField(size, size, step, low[0], covers, size)
    regions = list(_regions(dependence, shape))
    if isinstance(regions[0], Unknown):
        return AxisField(*(regions[0],) * 6)
    sizes, least, local, covers = [], [], [], []
    whole = False
    for region, span in regions:
        near = [p for p in region if not (isinstance(p, IndexMap) and p.whole)]
        far = [p for p in region if isinstance(p, IndexMap) and p.whole]
        whole = whole or any(_reach(p, span, shape)[0] is not None for p in far)
        sizes.append(_widest(region, span, shape))
        least.append(_narrowest(region, span, shape))
        covers.append(_covers(region, span, shape, extent, sizes[-1]))
        if near:
            local.append(_widest(near, span, shape))
    return AxisField(
        largest(*sizes),
        smallest(*least),
        _stride([p for p in dependence if not (isinstance(p, IndexMap) and p.whole)]),
        _offset(regions[0][0]),
        whole or _all(covers),
        largest(*local) if local else None,
    )


def _all(answers: Sequence[Any]) -> bool | None:
    """Whether all answers are yes; None where that is undecided."""
    if all(certainly(a) for a in answers):
        return True
    return False if any(map(_certainly_not, answers)) else None


def _certainly_not(answer: Any) -> bool:
    """Whether an answer is certainly no, for every element of an array."""
    return answer is False or (is_array(answer) and not answer.any())


# -- regions: the parts of a concatenation ------------------------------------------------------
def _regions(dependence: Sequence[IndexMap | ScatteredUnit], shape: Shape) -> Iterator[Any]:
    """(maps, span of each axis) for each region with the same maps; one `Unknown` if they are undecided."""
    domains = {d for p in dependence for d in p.domains}
    if not domains:
        yield dependence, {}
        return
    cuts: dict[int, list[Size]] = {}
    for axis in sorted({d.axis for d in domains}):
        ends = {e for d in domains if d.axis == axis for e in (d.start, d.stop)}
        ordered = _ordered([0, shape[axis], *ends], shape[axis])
        if ordered is None:
            yield SEAMS
            return
        cuts[axis] = ordered
    spans = [[(axis, span) for span in pairwise(c)] for axis, c in cuts.items()]
    count = 1
    for s in spans:
        count *= len(s)
    if count > MAX_REGIONS:
        yield SEAMS
        return
    for region in product(*spans):
        span = dict(region)
        yield [p for p in dependence if all(_inside(span[d.axis], d) for d in p.domains)], span


def _ordered(ends: list[Size], n: Size) -> list[Size] | None:
    """The distinct cuts within 0..n in increasing order; None where their order is undecided."""
    cuts: list[Size] = []
    for end in ends:
        if certainly(at_most(end, 0)):
            end = 0
        elif certainly(at_most(n, end)):
            end = n
        position = 0
        for other in cuts:
            if certainly(at_most(end, other)):
                break
            if not certainly(at_most(other, end)):
                return None
            position += 1
        if position == len(cuts) or not certainly(at_most(cuts[position], end)):
            cuts.insert(position, end)
    return cuts


def _inside(span: Span, domain: Any) -> bool:
    return certainly(at_most(domain.start, span[0])) and certainly(at_most(span[1], domain.stop))


def _span(axis: int | None, spans: Mapping[int, Span], shape: Shape) -> Span:
    if axis is None:
        return 0, 1
    return spans.get(axis, (0, shape[axis]))


# -- sizes ---------------------------------------------------------------------------------------
def _widest(parts: Sequence[IndexMap | ScatteredUnit], spans: Mapping[int, Span], shape: Shape) -> Size:
    """The size of the hull, the largest over all units."""
    sizes = []
    for a in parts:
        for b in parts:
            if isinstance(a, ScatteredUnit) or isinstance(b, ScatteredUnit):
                sizes.append(_with_scattered(a, b, parts))
                continue
            if a.axis == b.axis:
                reach = extreme(difference(a.hi, b.lo), *_span(a.axis, spans, shape), is_max=True)
            else:
                top = extreme(a.hi, *_span(a.axis, spans, shape), is_max=True)
                bottom = extreme(b.lo, *_span(b.axis, spans, shape), is_max=False)
                reach = None if top is None or bottom is None else top - bottom
            if reach is not None:
                sizes.append(reach + 1)
    return _largest_size(sizes)


def _largest_size(sizes: list[Any]) -> Size:
    if not sizes:
        return 0
    numbers: tuple[Size, ...] = tuple(sizes)
    return max(0, *numbers) if concrete(numbers) else largest(*numbers)


def _with_scattered(
    a: IndexMap | ScatteredUnit, b: IndexMap | ScatteredUnit, parts: Sequence[IndexMap | ScatteredUnit]
) -> Size:
    if a is b and isinstance(a, ScatteredUnit):
        return a.largest
    if all(isinstance(p, ScatteredUnit) or p.axis is None for p in parts) and len(parts) == 2:
        # one unit of a flattened axis and a constant interval: known if that contains all units' intervals
        interval = next((p for p in parts if isinstance(p, IndexMap)), None)
        unit = a if isinstance(a, ScatteredUnit) else b
        if interval is not None and isinstance(unit, ScatteredUnit):
            lo, hi = interval.lo.values[0], interval.hi.values[0]
            if certainly(at_most(lo, unit.lo)) and certainly(at_most(unit.hi, hi)):
                width: Size = hi - lo + 1
                return width
    return FLATTENED_BRANCHES


def _narrowest(parts: Sequence[IndexMap | ScatteredUnit], spans: Mapping[int, Span], shape: Shape) -> Size:
    """The size of the hull, the smallest over all units; 0 where a unit sees nothing."""
    if not parts:
        return 0
    parts = _without_contained(parts, spans, shape)
    if len(parts) == 1:
        (part,) = parts
        if isinstance(part, ScatteredUnit):
            return part.smallest
        width = difference(part.hi, part.lo)
        start, stop = _span(part.axis, spans, shape)
        least = extreme(width, start, stop, is_max=False)
        if least is None or _has_hole(width, start, stop):
            return 0
        return max(least + 1, 0) if type(least) is int else least + 1
    if any(isinstance(p, ScatteredUnit) for p in parts):
        return FLATTENED_BRANCHES
    maps = _integral(parts, spans, shape)
    if maps is None:
        return POSITION
    axes = _axes(maps)
    if len(axes) > 1:
        hulls = _hull_by_position(maps, spans, shape)
        return POSITION if hulls is None else min(0 if h is None else h[1] - h[0] + 1 for h in hulls)
    sizes = []
    for lows, highs, first, last in _phase_rows(maps, *_span(axes[0], spans, shape)):
        if not lows:
            return 0
        at_row = _hull_width(lows, highs)
        sizes.append(at_row(_least_position(at_row, first, last)))
    return max(0, min(sizes) + 1)


def _has_hole(endpoint: Endpoint, start: Size, stop: Size) -> bool:
    """Whether some unit of a span sees nothing."""
    for r, value in enumerate(endpoint.values):
        if value is None:
            first, last = phase_range(start, stop, len(endpoint.values), r)
            if not (type(first) is int and type(last) is int and first > last):
                return True
    return False


def _without_contained(
    parts: Sequence[IndexMap | ScatteredUnit], spans: Mapping[int, Span], shape: Shape
) -> Sequence[IndexMap | ScatteredUnit]:
    """The parts without those that the only constant interval contains at every unit."""
    constants = [p for p in parts if isinstance(p, IndexMap) and p.axis is None]
    if len(constants) != 1 or len(parts) == 1:
        return parts
    (interval,) = constants
    lo, hi = interval.lo.values[0], interval.hi.values[0]
    remaining: list[IndexMap | ScatteredUnit] = [interval]
    for part in parts:
        if part is interval:
            continue
        low, high = _reach(part, spans, shape)
        inside = low is None or (certainly(at_most(lo, low)) and certainly(at_most(high, hi)))
        if not inside:
            remaining.append(part)
    return remaining


def _reach(part: IndexMap | ScatteredUnit, spans: Mapping[int, Span], shape: Shape) -> tuple[Any, Any]:
    if isinstance(part, ScatteredUnit):
        return part.lo, part.hi
    span = _span(part.axis, spans, shape)
    return extreme(part.lo, *span, is_max=False), extreme(part.hi, *span, is_max=True)


def _integral(
    parts: Sequence[IndexMap | ScatteredUnit], spans: Mapping[int, Span], shape: Shape
) -> list[IndexMap] | None:
    """The parts, if all of them are maps whose numbers and spans are integers; else None."""
    maps = [p for p in parts if isinstance(p, IndexMap)]
    numbers = [v for p in maps for e in (p.lo, p.hi) for v in (e.step, *e.values) if v is not None]
    numbers += [v for p in maps for v in _span(p.axis, spans, shape)]
    return maps if len(maps) == len(parts) and all(type(v) is int for v in numbers) else None


def _axes(maps: Sequence[IndexMap]) -> list[int | None]:
    """The axes along which the maps vary; [None] if all are constant."""
    moving = {p.axis for p in maps if p.axis is not None}
    return [*sorted(moving)] if moving else [None]


def _hull_by_position(
    maps: Sequence[IndexMap], spans: Mapping[int, Span], shape: Shape
) -> list[tuple[int, int] | None] | None:
    """The hull at every position along the axes on which the maps vary; None if there are too many."""
    axes = _axes(maps)
    ranges = [range(*integers(_span(axis, spans, shape))) for axis in axes]
    if prod(map(len, ranges)) > MAX_POSITIONS:
        return None
    hulls: list[tuple[int, int] | None] = []
    for position in product(*ranges):
        unit = {None: 0, **dict(zip(axes, position, strict=True))}
        ends = [(at(p.lo, unit[p.axis]), at(p.hi, unit[p.axis])) for p in maps]
        ends = [end for end in ends if end[0] is not None]
        hulls.append((min(lo for lo, _ in ends), max(hi for _, hi in ends)) if ends else None)
    return hulls


def _phase_rows(maps: Sequence[IndexMap], start: Size, stop: Size) -> Iterator[tuple[Lines, Lines, int, int]]:
    """For each phase: (step, value) of the lower and the upper endpoints, and the first and last q."""
    period = lcm(*(p.period for p in maps))
    lows = [expand(p.lo, period) for p in maps]
    highs = [expand(p.hi, period) for p in maps]
    for r in range(period):
        first, last = integers(phase_range(start, stop, period, r))
        if first <= last:
            yield _row(lows, r), _row(highs, r), first, last


def _row(endpoints: Sequence[Endpoint], r: int) -> Lines:
    return [(e.step, e.values[r]) for e in endpoints if e.values[r] is not None]


def _hull_width(lows: Lines, highs: Lines) -> Callable[[int], int]:
    return lambda q: max(s * q + v for s, v in highs) - min(s * q + v for s, v in lows)


def _least_position(convex: Callable[[int], int], first: int, last: int) -> int:
    """The argument in first..last at which a convex function is smallest."""
    while first < last:
        middle = (first + last) // 2
        if convex(middle + 1) >= convex(middle):
            last = middle
        else:
            first = middle + 1
    return first


# -- stride, offset, coverage --------------------------------------------------------------------
def _stride(parts: Sequence[IndexMap | ScatteredUnit]) -> Any:
    """Input units from one output unit to the next; None where the maps have no common stride."""
    if not parts or any(isinstance(p, ScatteredUnit) for p in parts):
        return None
    maps = [p for p in parts if isinstance(p, IndexMap)]
    moving = {p.axis for p in maps}
    rates: list[Any] = []
    for index_map in maps:
        for endpoint in (index_map.lo, index_map.hi):
            rate = _ratio(endpoint.step, index_map.period)
            if not any(same(rate, other) for other in rates):
                rates.append(rate)
    return rates[0] if len(rates) == 1 and len(moving) == 1 else None


def _ratio(step: Any, period: int) -> Any:
    if period == 1:
        return step
    if is_array(step):
        return step // period if certainly(equal(step % period, 0)) else FRACTIONS
    if type(step) is int:
        rate = Fraction(step, period)
        return rate.numerator if rate.denominator == 1 else str(rate)
    return divide(step, period)


def _offset(parts: Sequence[IndexMap | ScatteredUnit]) -> Any:
    """The first index that unit 0 sees; None where it sees nothing or the axis is flattened."""
    if any(isinstance(p, ScatteredUnit) for p in parts):
        return None
    starts = [s for p in parts if isinstance(p, IndexMap) if (s := at(p.lo, 0)) is not None]
    return smallest(*starts) if starts else None


def _covers(
    parts: Sequence[IndexMap | ScatteredUnit],
    spans: Mapping[int, Span],
    shape: Shape,
    extent: Size,
    size: Size,
) -> Any:
    """Whether every unit's interval covers the whole axis; None where that is undecided."""
    wide_enough = at_most(extent, size)
    if not certainly(wide_enough):
        return False if _certainly_not(wide_enough) else None
    answers = [_covered_by(p, spans, shape, extent) for p in parts]
    if len(parts) < 2:
        return answers[0] if answers else False
    if any(certainly(a) for a in answers):
        return True
    maps = _integral(parts, spans, shape)
    if maps is None or type(extent) is not int:
        return None
    axes = _axes(maps)
    if len(axes) > 1:
        hulls = _hull_by_position(maps, spans, shape)
        return hulls and all(h is not None and h[0] <= 0 and h[1] >= extent - 1 for h in hulls)
    rows_of = _phase_rows(maps, *_span(axes[0], spans, shape))
    return all(_rows_cover(lows, highs, first, last, extent) for lows, highs, first, last in rows_of)


def _rows_cover(lows: Lines, highs: Lines, first: int, last: int, extent: int) -> bool:
    """Whether the interval from the lowest of `lows` to the highest of `highs` covers the axis at every q."""

    def start(q: int) -> int:
        return -min((s * q + v for s, v in lows), default=1)

    def end(q: int) -> int:
        return max((s * q + v for s, v in highs), default=-1)

    return (
        start(_least_position(start, first, last)) >= 0
        and end(_least_position(end, first, last)) >= extent - 1
    )


def _covered_by(part: IndexMap | ScatteredUnit, spans: Mapping[int, Span], shape: Shape, extent: Size) -> Any:
    if isinstance(part, ScatteredUnit):
        return _between(part.last_lo, part.first_hi, extent)
    span = _span(part.axis, spans, shape)
    if part.period == 1 and part.axis is not None:
        (step, (low,)), (rate, (high,)) = part.lo, part.hi
        if type(span[0]) is type(span[1]) is type(step) is type(rate) is int and step >= 0 <= rate:
            return _between(step * (span[1] - 1) + low, rate * span[0] + high, extent)
    if _has_hole(part.lo, *span):
        return False
    low = extreme(part.lo, *span, is_max=True)
    high = extreme(part.hi, *span, is_max=False)
    return low is not None and _between(low, high, extent)


def _between(low: Size, high: Size, extent: Size) -> Any:
    reaches, inside = at_most(extent - 1, high), at_most(low, 0)
    if is_array(reaches) and is_array(inside):
        return reaches & inside
    return reaches if inside is True else inside if reaches is True or _certainly_not(inside) else reaches


# -- flattened axes -------------------------------------------------------------------------------
def scattered(index_map: IndexMap, read: Scattered, n: Size) -> ScatteredUnit | Unknown | None:
    """One of the n units that `index_map` describes, not knowing which; None if they see nothing."""
    if index_map.domains:
        return FLATTENED_BRANCHES
    lo, hi = extreme(index_map.lo, 0, n, is_max=False), extreme(index_map.hi, 0, n, is_max=True)
    if lo is None or hi is None:
        return None
    shape = (n,) * ((index_map.axis or 0) + 1)
    unit = ScatteredUnit(
        read.axes,
        lo,
        hi,
        _widest([index_map], {}, shape),
        _narrowest([index_map], {}, shape),
        extreme(index_map.lo, 0, n, is_max=True),
        extreme(index_map.hi, 0, n, is_max=False),
        digits=split(index_map, read, n),
    )
    return next((v for v in unit if isinstance(v, Unknown)), unit)
