"""Bounding intervals of receptive fields as an algebra for `propagate`; `receptive_field.fields` uses it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import gcd, lcm

from archcalc.analyses.fields.compose import FLATTENED, SEAM, through
from archcalc.analyses.fields.index_maps import (
    MAX_PERIOD,
    PHASE,
    TOO_MANY_PHASES,
    Dependence,
    Endpoint,
    IndexMap,
    ScatteredUnit,
    at,
    constant,
    join,
    join_all,
    known,
    monotone,
)
from archcalc.analyses.fields.propagate import CHANGING, mentions
from archcalc.analyses.fields.sliding import CommonTapsOf, Dependences, Sliding, condensed, dependences
from archcalc.arith import Shape, Size, certainly, concrete, equal, largest, smallest
from archcalc.arith.unknown import Unknown
from archcalc.graph import Node
from archcalc.layers.window import Window

NOT_STEADY = Unknown("a block that is repeated a symbolic number of times does not move in even steps")
FLATTENED_BLOCK = Unknown("a block that is repeated a symbolic number of times flattens an axis")


class IntervalAlgebra:
    """Intervals along each axis of a root, independently of its other axes."""

    def __init__(self, common_taps: CommonTapsOf | None = None) -> None:
        self.common_taps = common_taps or CommonTapsOf()

    def start(self, axes: Sequence[int]) -> Sliding | Dependences:
        return Sliding(tuple(axes), 1, 0, 0) if axes else ()

    def unknown(self, axes: int, why: Unknown) -> Dependences:
        return (why,) * axes

    def through(
        self, state: Sliding | Dependences, window: Window, shape: Shape, out: Shape
    ) -> Sliding | Dependences:
        if isinstance(state, Sliding):
            taps = self.common_taps(window, state.axes)
            moved = None if taps is None else state.through(taps)
            if moved is not None:
                return moved
        seen = dependences(state)
        composed = tuple([through(dependence, window, shape, out) for dependence in seen])
        # layers that change nothing share one object, so that their fields are computed once
        return state if all(a is b for a, b in zip(composed, seen, strict=True)) else condensed(composed)

    def join(
        self, branches: Sequence[tuple[int, Sliding | Dependences]], node: Node, inputs: Sequence[Shape]
    ) -> Sliding | Dependences:
        first = branches[0][1]
        if len(branches) == 1:
            return first
        sliding = [state for _, state in branches if isinstance(state, Sliding)]
        if len(sliding) == len(branches) and len({state[:2] for state in sliding}) == 1:
            # intervals that move at the same rate: so does their hull
            axes, step, _, _ = sliding[0]
            hull = Sliding(axes, step, min(s.low for s in sliding), max(s.high for s in sliding))
            return first if hull == first else hull
        seen_by_branch = [dependences(state) for _, state in branches]
        return tuple(join_all(seen) for seen in zip(*seen_by_branch, strict=True))

    def power(self, block: Sliding | Dependences, count: Size, shape: Shape) -> Dependences:
        return tuple(_power(seen, axis, count) for axis, seen in enumerate(dependences(block)))

    def without(self, state: Sliding | Dependences, index: str) -> Dependences:
        return tuple(CHANGING if mentions(seen, index) else seen for seen in dependences(state))

    def chain(self, relative: Sliding | Dependences, base: Sliding | Dependences) -> Dependences:
        outer = dependences(relative)
        return tuple(_chain(outer, seen) for seen in dependences(base))


def _power(block: Dependence, axis: int, count: Size) -> Dependence:
    """What `count` copies of a block see: `i + count*a .. i + count*b` where one copy sees `i+a .. i+b`.

    Where the block reads a whole axis, it sees the hull of what all units of the previous copy see.
    """
    if isinstance(block, Unknown):
        return block
    maps: list[IndexMap] = []
    low: Size = 0
    high: Size = 0
    for part in block:
        if isinstance(part, ScatteredUnit):
            return FLATTENED_BLOCK
        if part.axis is None:
            continue
        steady = part.period == 1 and all(certainly(equal(e.step, 1)) for e in (part.lo, part.hi))
        if part.axis != axis or not steady or part.domains or maps:
            return NOT_STEADY
        low, high = part.lo.values[0], part.hi.values[0]
        moved = Endpoint(1, (count * low,)), Endpoint(1, (count * high,))
        maps.append(IndexMap(axis, *moved))
    for part in block:
        if isinstance(part, IndexMap) and part.axis is None:
            if not part.whole:
                return NOT_STEADY
            first, last = part.lo.values[0], part.hi.values[0]
            maps.append(
                constant(
                    smallest(first, first + (count - 1) * low),
                    largest(last, last + (count - 1) * high),
                    whole=True,
                )
            )
    return tuple(maps)


def _chain(relative: Dependences, base: Dependence) -> Dependence:
    """What units see that see `relative` of a tensor whose own units see `base`."""
    if isinstance(base, Unknown):
        return base
    parts: list[IndexMap | ScatteredUnit] = []
    for seen in base:
        if isinstance(seen, IndexMap) and seen.axis is None:
            parts.append(seen)
            continue
        axes = [seen.axis] if isinstance(seen, IndexMap) and seen.axis is not None else range(len(relative))
        for block in (relative[a] for a in axes):
            if isinstance(block, Unknown):
                return block
            for part in block:
                composed = _composed_map(part, seen)
                if isinstance(composed, Unknown):
                    return composed
                parts.append(composed)
    return join(parts)


def _composed_map(part: IndexMap | ScatteredUnit, seen: IndexMap | ScatteredUnit) -> IndexMap | Unknown:
    """The map that applies `part` and then `seen`, which must be monotone."""
    if isinstance(part, ScatteredUnit) or isinstance(seen, ScatteredUnit):
        return FLATTENED
    if part.domains or seen.domains:
        return SEAM
    if not (monotone(seen.lo) and monotone(seen.hi)):
        return NOT_STEADY
    whole = part.whole or seen.whole
    steps = (part.lo.step, part.hi.step)
    if seen.period == 1:
        times = 1
    elif concrete(steps):
        times = lcm(*(seen.period // gcd(seen.period, s) for s in steps))
    else:
        return PHASE
    if times * part.period > MAX_PERIOD:
        return TOO_MANY_PHASES
    lo, hi = (
        _composed_endpoint(first, then, times) for first, then in ((part.lo, seen.lo), (part.hi, seen.hi))
    )
    return known(IndexMap(part.axis, lo, hi, whole))


def _composed_endpoint(first: Endpoint, then: Endpoint, times: int) -> Endpoint:
    values = tuple(
        None if v is None else at(then, first.step * m + v) for m, v in product(range(times), first.values)
    )
    if len(then.values) == 1:
        return Endpoint(then.step * first.step, values)
    return Endpoint(then.step * (first.step * times // len(then.values)), values)
