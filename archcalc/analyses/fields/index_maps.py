"""What the units of one layer see of one axis of a model input, as quasi-affine maps.

Unit `i = period*q + r` along one axis of a layer's output sees the indices from
`lo.step*q + lo.values[r]` to `hi.step*q + hi.values[r]`: the bounding interval of what it
depends on. The period is 1 except after upsampling. A few numbers describe all units of a
layer, so that fields compose forward along the graph (docs/receptive-field.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm
from typing import Any, NamedTuple, TypeAlias

from archcalc.arith import (
    Size,
    at_most,
    ceil_div,
    certainly,
    choose,
    equal,
    floor_div,
    in_scope,
    is_array,
    is_symbolic,
    largest,
    require_at_least,
    smallest,
)
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError

MAX_PERIOD = 1024
MAX_READS = 1 << 16  # table entries looked up for one layer
MAX_MAPS = 8
MAX_BITS = 4096  # of a stride
BEYOND = 1 << 60  # where an extremum of no units is never the answer

TOO_MANY_PHASES = Unknown(f"the field repeats only after more than {MAX_PERIOD} units")
TOO_MANY_MAPS = Unknown(f"more than {MAX_MAPS} branches move over the input at different rates")
TOO_LARGE = Unknown(f"the stride exceeds 2^{MAX_BITS}")
PHASE = Unknown("which phase of an upsampling is read depends on a symbol; give it a value with --set")
DIRECTION = Unknown("the sign of a stride depends on a symbol; give it a value with --set")


class Endpoint(NamedTuple):
    """An end of the interval: `step*q + values[r]` at unit `len(values)*q + r`; None if that sees nothing."""

    step: Size
    values: tuple[Any, ...]


class Domain(NamedTuple):
    """A map is defined for units `start <= i < stop` along `axis` (one input of a concatenation)."""

    axis: int
    start: Size
    stop: Size


class IndexMap(NamedTuple):
    """From units along `axis` of a layer's output to intervals `lo..hi` (None: the same for all units).

    `whole`: some layer on the path reads a whole axis. `domains`: the units for which it is defined.
    """

    axis: int | None
    lo: Endpoint
    hi: Endpoint
    whole: bool = False
    domains: tuple[Domain, ...] = ()

    @property
    def period(self) -> int:
        return len(self.lo.values)


class Digit(NamedTuple):
    """A digit of the positions along an axis: the interval moves by `step` with `(i - start)//inner % radix`.

    `total`: how many positions there are from `start` on, if the axis has not been cut since.
    """

    axis: int
    step: int
    start: int
    inner: int
    radix: int
    total: int


class ScatteredUnit(NamedTuple):
    """The interval of one unit of a flattened axis; without `digits`, which unit it is, is not tracked.

    `axes`: the output axes that determine the unit (empty: any may). `lo`, `hi`: the union of all
    units' intervals; `last_lo`, `first_hi`: their intersection; `largest`, `smallest`: their sizes.
    With digits all intervals are of one size, and `lo` is the start where all digits are 0.
    """

    axes: tuple[int, ...]
    lo: Size
    hi: Size
    largest: Size
    smallest: Size
    last_lo: Size
    first_hi: Size
    domains: tuple[Domain, ...] = ()
    digits: tuple[Digit, ...] = ()


# what the units of a layer see of one input axis: the hull of several maps; empty if they see nothing
Dependence: TypeAlias = "tuple[IndexMap | ScatteredUnit, ...] | Unknown"


def identity(axis: int) -> Dependence:
    """Unit i along `axis` sees index i."""
    endpoint = Endpoint(1, (0,))
    return (IndexMap(axis, endpoint, endpoint),)


def constant(lo: Size, hi: Size, *, whole: bool, domains: tuple[Domain, ...] = ()) -> IndexMap:
    """Every unit sees `lo..hi`."""
    return IndexMap(None, Endpoint(0, (lo,)), Endpoint(0, (hi,)), whole, domains)


def unit_of(lo: Size, width: Size, digits: tuple[Digit, ...], domains: tuple[Domain, ...]) -> ScatteredUnit:
    """The unit that sees `width` indices from `lo` on where all its digits are 0."""
    reach = sum(digit.step * (digit.radix - 1) for digit in digits)
    axes = tuple(sorted({digit.axis for digit in digits}))
    first_hi = lo + width - 1
    return ScatteredUnit(axes, lo, first_hi + reach, width, width, lo + reach, first_hi, domains, digits)


def as_map(unit: ScatteredUnit) -> IndexMap | None:
    """The same as a map, if the unit has one digit, the first of its axis."""
    if len(unit.digits) != 1 or unit.domains:
        return None
    (digit,) = unit.digits
    if digit.start or digit.inner * digit.radix != digit.total or digit.inner > MAX_PERIOD:
        return None
    lo, hi = (Endpoint(digit.step, (end,) * digit.inner) for end in (unit.lo, unit.first_hi))
    return IndexMap(digit.axis, lo, hi)


# -- endpoints ----------------------------------------------------------------------------------
def at(endpoint: Endpoint, unit: Size) -> Any:
    """The endpoint of one unit: None if it sees nothing, `Unknown` if its phase depends on a symbol."""
    if len(endpoint.values) == 1:
        value = endpoint.values[0]
        return None if value is None else endpoint.step * unit + value
    if type(unit) is not int:
        return PHASE
    q, r = divmod(unit, len(endpoint.values))
    value = endpoint.values[r]
    return None if value is None else endpoint.step * q + value


def is_nondecreasing(endpoint: Endpoint) -> bool | None:
    """Whether an endpoint does not decrease from one period to the next; None where that is unknown."""
    if type(endpoint.step) is int:
        return endpoint.step >= 0
    if certainly(at_most(0, endpoint.step)):
        return True
    return False if certainly(at_most(endpoint.step, 0)) else None


def monotone(endpoint: Endpoint) -> bool:
    """Whether an endpoint certainly does not decrease from unit to unit, and every unit sees something."""
    values = endpoint.values
    if len(values) == 1:
        return values[0] is not None and is_nondecreasing(endpoint) is True
    if any(v is None for v in values):
        return False
    following = (*values[1:], values[0] + endpoint.step)
    return all(certainly(at_most(a, b)) for a, b in zip(values, following, strict=True))


def expand(endpoint: Endpoint, period: int) -> Endpoint:
    """The same endpoint, written with a multiple of its period."""
    times = period // len(endpoint.values)
    if times == 1:
        return endpoint
    values = [None if v is None else v + endpoint.step * m for m in range(times) for v in endpoint.values]
    return Endpoint(endpoint.step * times, tuple(values))


def reduced(index_map: IndexMap) -> IndexMap:
    """The same map, written with its least period, and with `axis=None` if it is constant."""
    period = index_map.period
    for shorter in range(1, period // 2 + 1):
        if period % shorter == 0:
            lo, hi = (_shortened(e, shorter) for e in (index_map.lo, index_map.hi))
            if lo is not None and hi is not None:
                is_constant = shorter == 1 and lo.step == hi.step == 0
                return index_map._replace(axis=None if is_constant else index_map.axis, lo=lo, hi=hi)
    return index_map


def _shortened(endpoint: Endpoint, period: int) -> Endpoint | None:
    times = len(endpoint.values) // period
    if type(endpoint.step) is not int or endpoint.step % times or any(map(is_array, endpoint.values)):
        return None
    candidate = Endpoint(endpoint.step // times, endpoint.values[:period])
    return candidate if expand(candidate, len(endpoint.values)) == endpoint else None


def difference(a: Endpoint, b: Endpoint) -> Endpoint:
    """`a - b` unit by unit; None where either sees nothing."""
    period = lcm(len(a.values), len(b.values))
    a, b = expand(a, period), expand(b, period)
    values = (None if v is None or w is None else v - w for v, w in zip(a.values, b.values, strict=True))
    return Endpoint(a.step - b.step, tuple(values))


def extreme(endpoint: Endpoint, start: Size, stop: Size, *, is_max: bool) -> Any:
    """The largest or smallest value over units `start <= i < stop`; None if all see nothing."""
    period = len(endpoint.values)
    up = is_nondecreasing(endpoint)
    constant_step = type(endpoint.step) is int and endpoint.step == 0
    integral = type(start) is int and type(stop) is int
    several = is_array(start) or is_array(stop)
    candidates: list[Any] = []
    for r, value in enumerate(endpoint.values):
        if value is None:
            continue
        first, last = phase_range(start, stop, period, r)
        if type(first) is type(last) is int and first > last:
            continue
        if period > 1 and (is_symbolic(first) or is_symbolic(last)) and not _has_units(first, last):
            continue
        if constant_step and not integral and not several:
            candidates.append(value)
            continue
        ends = []
        if up is None or up is not is_max:
            ends.append(endpoint.step * first + value)
        if up is None or up is is_max:
            ends.append(endpoint.step * last + value)
        if several:  # some configurations may have no unit of this phase
            ends = [choose(at_most(first, last), end, -BEYOND if is_max else BEYOND) for end in ends]
        candidates += ends
    if not candidates:
        return None
    return (largest if is_max else smallest)(*_distinct(candidates))


def _has_units(first: Size, last: Size) -> bool:
    """Whether a phase has a unit; where that depends on symbols it is assumed."""
    answer = at_most(first, last)
    if answer is None and in_scope():
        try:
            require_at_least(last, first, "a phase without units")
        except LayerError:
            return False
    return answer is not False


def phase_range(start: Size, stop: Size, period: int, r: int) -> tuple[Size, Size]:
    """The first and last q with `start <= period*q + r < stop`."""
    if period == 1:
        return start, stop - 1
    return ceil_div(start - r, period), floor_div(stop - 1 - r, period)


def _distinct(values: list[Any]) -> Sequence[Any]:
    try:
        return list(dict.fromkeys(values))
    except TypeError:  # arrays have no hash
        return values


# -- maps ---------------------------------------------------------------------------------------
def join(parts: Iterable[IndexMap | ScatteredUnit]) -> Dependence:
    """The hull of what several branches see: maps of equal axis and stride are merged into one."""
    distinct: list[IndexMap | ScatteredUnit] = []
    given = list(parts)
    if any(part is not given[0] for part in given):
        given = [(isinstance(part, ScatteredUnit) and as_map(part)) or part for part in given]
    for part in given:
        for k, other in enumerate(distinct):
            if part is other:
                break
            if isinstance(part, ScatteredUnit) or isinstance(other, ScatteredUnit):
                if part == other:
                    break
            elif _move_alike(part, other):
                merged = _merged(part, other)
                if isinstance(merged, Unknown):
                    return merged
                distinct[k] = merged
                break
        else:
            distinct.append(part)
    return tuple(distinct) if len(distinct) <= MAX_MAPS else TOO_MANY_MAPS


def join_all(dependences: Iterable[Dependence]) -> Dependence:
    """The hull of several dependences; `Unknown` if one of them is."""
    parts: list[IndexMap | ScatteredUnit] = []
    first: Dependence | None = None
    several = False
    for dependence in dependences:
        if isinstance(dependence, Unknown):
            return dependence
        several = several or (first is not None and dependence is not first)
        first = dependence if first is None else first
        parts += dependence
    return join(parts) if several or first is None else first


def _move_alike(a: IndexMap, b: IndexMap) -> bool:
    if a.axis != b.axis or a.whole is not b.whole or a.domains != b.domains:
        return False
    return same(a.lo.step * b.period, b.lo.step * a.period) and same(
        a.hi.step * b.period, b.hi.step * a.period
    )


def same(a: Any, b: Any) -> bool:
    """Whether two numbers, or fractions written as text, are certainly equal."""
    if isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and bool(a == b)
    if type(a) is int and type(b) is int:
        return a == b
    return certainly(equal(a, b))


def _merged(a: IndexMap, b: IndexMap) -> IndexMap | Unknown:
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


def _both(a: Endpoint, b: Endpoint, pick: Any) -> Endpoint:
    values = (
        w if v is None else v if w is None else pick(v, w) for v, w in zip(a.values, b.values, strict=True)
    )
    return Endpoint(a.step, tuple(values))


def known(index_map: IndexMap) -> IndexMap | Unknown:
    """The map, or the `Unknown` among its numbers."""
    for endpoint in (index_map.lo, index_map.hi):
        for value in (endpoint.step, *endpoint.values):
            if isinstance(value, Unknown):
                return value
    if type(index_map.hi.step) is int and index_map.hi.step.bit_length() > MAX_BITS:
        return TOO_LARGE
    return index_map
