"""What one unit of a flattened or split axis sees, followed by the digits of its position.

A row-major reshape of integer sizes writes positions in another mixed radix: of an axis of 12 that becomes
axes of 3 and 4, unit 4*i + j is at (i, j). Cutting an image into patches and joining windows again are such
reshapes. An interval that moves evenly along the axis moves evenly with each digit, so that what a layer
sees that reads all values of some digits (the pixels of a patch) is exactly known.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TypeAlias

from archcalc.analyses.fields.index_maps import (
    Digit,
    Domain,
    IndexMap,
    ScatteredUnit,
    as_map,
    constant,
    same,
    unit_of,
)
from archcalc.arith import Shape, Size, concrete
from archcalc.layers.window import Fixed, Read, Scattered, Section, Taps, Whole, Window

# none: no unit sees anything
Seen: TypeAlias = tuple[IndexMap | ScatteredUnit, ...]


def split(index_map: IndexMap, read: Scattered, n: Size) -> tuple[Digit, ...]:
    """The digits of the positions of `n` units that see an evenly moving interval; empty if unknown."""
    (step, lows), (rate, highs), period = index_map.lo, index_map.hi, index_map.period
    numbers = (step, rate, *lows, *highs, n)
    even = len(set(lows)) == len(set(highs)) == 1 if concrete(numbers) else False
    if not even or not concrete(numbers) or not numbers[0] == numbers[1] > 0 or numbers[-1] % period:
        return ()
    return _placed(Digit(0, numbers[0], 0, period, numbers[-1] // period, numbers[-1]), read) or ()


def _placed(digit: Digit, read: Scattered) -> tuple[Digit, ...] | None:
    """The digits of the output axes that make up a digit of an input axis; None where they do not fit."""
    if not read.sizes or digit.start:
        return None
    digits = []
    inner, count, step, below = read.inner * digit.inner, digit.radix, digit.step, 1
    for axis, size in zip(reversed(read.axes), reversed(read.sizes), strict=True):
        above = below * size
        if count > 1 and inner < above:
            room, misfit = divmod(above, inner)
            part = min(room, count)
            if misfit or inner % below or count % part or room % part:
                return None
            digits.append(Digit(axis, step, 0, inner // below, part, size))
            inner, count, step = inner * part, count // part, step * part
        below = above
    return tuple(digits)


def digits_through(part: ScatteredUnit, window: Window, shape: Shape, out: Shape) -> Seen | None:
    """What outputs of shape `out` see of an input of `shape` that sees `part`; None where it is unknown."""
    if any(_is_cut_off(domain, shape) for domain in part.domains):
        return ()
    domains = _domains(part.domains, window)
    if domains is None or not all(_complete(digit, part, shape) for digit in part.digits):
        return None
    lo, width = part.lo, part.largest
    remaining: list[Digit] = []
    whole = False
    for digit in part.digits:
        read = window[digit.axis]
        if isinstance(read, Whole):
            width += digit.step * (digit.radix - 1)
            whole = True
            continue
        if isinstance(read, Fixed) and type(read.index) is int:
            position = read.index - digit.start
            if not 0 <= position < digit.total:
                return ()
            lo += digit.step * (position // digit.inner % digit.radix)
            continue
        if isinstance(read, Taps) and digit.radix == shape[digit.axis]:
            taken = _taken(digit, read, out[read.axis])
            if taken is None:
                return None
            (offset, reach), moved = taken
            lo, width = lo + offset, width + reach
        else:
            found = _moved(
                digit, read, bool(domains) or same(shape[digit.axis], out[getattr(read, "axis", 0)])
            )
            if found is None:
                return None
            moved = found
        remaining += moved
    return (_unit(lo, width, _joined(remaining), domains, whole=whole),)


def _taken(digit: Digit, read: Taps, n: Size) -> tuple[tuple[int, int], tuple[Digit, ...]] | None:
    """Of the only digit of an axis: how far the interval moves and grows, and the digit of n outputs."""
    numbers = (read.stride, read.offset, read.count, read.dilation, n)
    if not concrete(numbers) or numbers[0] < 1:
        return None
    stride, offset, count, dilation, units = numbers
    moved = (digit.step * offset, digit.step * dilation * (count - 1))
    return moved, (Digit(read.axis, digit.step * stride, 0, 1, units, units),) if units > 1 else ()


def _is_cut_off(domain: Domain, shape: Shape) -> bool:
    """Whether no unit of a domain has remained."""
    ends = (domain.start, domain.stop, shape[domain.axis])
    return concrete(ends) and (ends[0] >= ends[2] or ends[1] <= 0)


def _complete(digit: Digit, part: ScatteredUnit, shape: Shape) -> bool:
    """Whether all values of a digit still occur along its axis, and nothing but them outside its domain."""
    n = shape[digit.axis]
    if type(n) is not int or digit.start < 0 or digit.start + digit.total > n:
        return False
    return digit.total == n or any(domain.axis == digit.axis for domain in part.domains)


def _moved(digit: Digit, read: Read, may_be_cut: bool) -> tuple[Digit, ...] | None:
    """A digit after a read of one unit each, if all units are read or those that are not can be told."""
    if isinstance(read, Scattered):
        return _placed(digit, read)
    if isinstance(read, Section) and type(read.start) is int:
        return (digit._replace(axis=read.axis, start=digit.start + read.start),)
    if isinstance(read, Taps) and type(read.offset) is int and (read.stride, read.count) == (1, 1):
        if not may_be_cut:
            return None
        return (digit._replace(axis=read.axis, start=digit.start - read.offset),)
    return None


def _domains(domains: Iterable[Domain], window: Window) -> tuple[Domain, ...] | None:
    """The units of the output that read those of `domains`; None where that is no interval of an axis."""
    moved = [Domain(r.axis, r.start, r.start + r.length) for r in window if isinstance(r, Section)]
    for axis, start, stop in domains:
        read = window[axis]
        if isinstance(read, Section):
            moved.append(Domain(read.axis, start + read.start, stop + read.start))
        elif isinstance(read, Taps) and (read.stride, read.count) == (1, 1):
            moved.append(Domain(read.axis, start - read.offset, stop - read.offset))
        elif not isinstance(read, Whole | Fixed):  # a fixed unit is checked with its digits
            return None
    ends = tuple(end for domain in moved for end in (domain.start, domain.stop))
    return tuple(sorted(set(moved))) if concrete(ends) else None


def _joined(digits: list[Digit]) -> tuple[Digit, ...]:
    """The digits in order; neighbours along one axis that count on are one."""
    joined: list[Digit] = []
    for digit in sorted(digits, key=attrgetter("axis", "start", "inner")):
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.axis, last.start, last.inner * last.radix) == (digit.axis, digit.start, digit.inner)
            and last.step * last.radix == digit.step
        ):
            joined[-1] = last._replace(radix=last.radix * digit.radix)
        else:
            joined.append(digit)
    return tuple(joined)


def _unit(
    lo: Size, width: Size, digits: tuple[Digit, ...], domains: tuple[Domain, ...], *, whole: bool
) -> IndexMap | ScatteredUnit:
    """What a unit sees by its digits: as an index map, where one describes it."""
    if not digits:
        return constant(lo, lo + width - 1, whole=whole, domains=domains)
    unit = unit_of(lo, width, digits, domains)
    return (unit.digits[0].inner == 1 and as_map(unit)) or unit
