"""A landscape in parts with closed forms of their own.

Where a closed form needs a symbol to be at least some number (a block that is there, copies between the first
and the last), the few configurations below get closed forms of their own, with that symbol as an integer. An
unknown that cannot be left open at all, because a block changes its shape with it, is sampled in the same
way: at each of its values the expressions of the spec are read again with the integer in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archcalc.arith.symbolic import expr_of
from archcalc.design.landscape import Landscape
from archcalc.design.unknowns import Unknown
from archcalc.errors import ArchcalcError

MAX_BELOW = 64  # values below a condition that get forms of their own
MAX_SAMPLED = 100_000  # values of an unknown that is sampled


def regions(whole: Landscape) -> Iterator[Landscape]:
    """The parts of a landscape, each of which has closed forms or is a single configuration.

    Raises `ArchcalcError` for an unknown without an end that cannot be left open.
    """
    if whole.forms is None:
        yield from _sampled(whole)
        return
    for axis, unknown in enumerate(whole.unknowns):
        place = _first_above(whole, unknown)
        if 0 < place <= MAX_BELOW:
            for below in range(place):
                yield from regions(_with(whole, axis, _single(unknown, below)))
            above = _from(unknown, place)
            if above is not None:
                yield from regions(_with(whole, axis, above))
            return
    yield whole


def _sampled(whole: Landscape) -> Iterator[Landscape]:
    open_axes = [i for i, u in enumerate(whole.unknowns) if u.last != 0]
    if not open_axes:
        yield whole
        return
    lasts = {i: whole.unknowns[i].last for i in open_axes}
    axis = min(open_axes, key=lambda i: MAX_SAMPLED + 1 if (last := lasts[i]) is None else last)
    unknown, last = whole.unknowns[axis], lasts[axis]
    if last is None or last > MAX_SAMPLED:
        raise ArchcalcError(
            f"{unknown.name} cannot be left open, so that it needs a range of at most {MAX_SAMPLED:,} values "
            f"(--for {unknown.name}={unknown.start}:{unknown.start + 31}): {whole.reason}"
        )
    for place in range(last + 1):
        yield from regions(_with(whole, axis, _single(unknown, place)))


def _first_above(whole: Landscape, unknown: Unknown) -> int:
    """The first place from which on the conditions `unknown >= number` hold."""
    assert whole.forms is not None
    if unknown.values or unknown.last == 0:
        return 0
    least = unknown.start
    for condition in whole.forms.conditions:
        x = condition.value
        symbols = list(x.symbols.values()) if condition.allowed is None else []
        if [s.name for s in symbols] == [unknown.name] and x - x.constant == expr_of(symbols[0]):
            least = max(least, int(-x.constant))
    return -((unknown.start - least) // unknown.step)


def _single(unknown: Unknown, place: int) -> Unknown:
    if unknown.values:
        return replace(unknown, values=(unknown.values[place],))
    return replace(unknown, start=unknown.at(place)[unknown.name], count=1)


def _from(unknown: Unknown, place: int) -> Unknown | None:
    count = None if unknown.count is None else unknown.count - place
    if count is not None and count < 1:
        return None
    return replace(unknown, start=unknown.at(place)[unknown.name], count=count)


def _with(whole: Landscape, axis: int, unknown: Unknown) -> Landscape:
    unknowns = [*whole.unknowns[:axis], unknown, *whole.unknowns[axis + 1 :]]
    return Landscape(whole.graph, unknowns, whole.rules, whole.names, whole.options, whole.opened)
