"""Bounding intervals carried along the graph: the algebra behind `receptive_field.fields`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import gcd, lcm
from typing import TypeAlias

from archcalc.analyses.fields.compose import FLATTENED, SEAM, through
from archcalc.analyses.fields.index_maps import (
    MAX_PERIOD,
    PHASE,
    TOO_MANY_PHASES,
    Dependence,
    Edge,
    Piece,
    Scatter,
    at,
    constant,
    identity,
    join,
    join_all,
    known,
    monotone,
)
from archcalc.arith import Shape, Size, certainly, equal, largest, smallest
from archcalc.arith.unknown import Unknown
from archcalc.graph import Node
from archcalc.layers.window import Window

# what is seen along each axis of a root
Hull: TypeAlias = tuple[Dependence, ...]

NOT_STEADY = Unknown("a block that is repeated a symbolic number of times does not move in even steps")
FLATTENED_BLOCK = Unknown("a block that is repeated a symbolic number of times flattens an axis")


class Hulls:
    """Each root axis is described by itself."""

    def start(self, axes: Sequence[int]) -> Hull:
        return tuple(identity(a) for a in axes)

    def unknown(self, axes: int, why: Unknown) -> Hull:
        return (why,) * axes

    def through(self, state: Hull, window: Window, shape: Shape) -> Hull:
        made = tuple([through(dependence, window, shape) for dependence in state])
        # layers that change nothing share one object, and their figures are worked out once
        return state if all(a is b for a, b in zip(made, state, strict=True)) else made

    def join(self, branches: Sequence[tuple[int, Hull]], node: Node, inputs: Sequence[Shape]) -> Hull:
        if len(branches) == 1:
            return branches[0][1]
        return tuple(join_all(seen) for seen in zip(*(state for _, state in branches), strict=True))

    def power(self, block: Hull, count: Size, shape: Shape) -> Hull:
        return tuple(_power(seen, axis, count) for axis, seen in enumerate(block))

    def chain(self, relative: Hull, base: Hull) -> Hull:
        return tuple(_chain(relative, seen) for seen in base)


def _power(block: Dependence, axis: int, count: Size) -> Dependence:
    """`count` copies of a block that reads `i+a .. i+b`: `i + count*a .. i + count*b`.

    A whole-axis read in the block sees the hull of what all units of the copy before see.
    """
    if isinstance(block, Unknown):
        return block
    made: list[Piece] = []
    low: Size = 0
    high: Size = 0
    for part in block:
        if isinstance(part, Scatter):
            return FLATTENED_BLOCK
        if part.axis is None:
            continue
        steady = part.period == 1 and all(certainly(equal(e.step, 1)) for e in (part.lo, part.hi))
        if part.axis != axis or not steady or part.domains or made:
            return NOT_STEADY
        low, high = part.lo.values[0], part.hi.values[0]
        moved = Edge(1, (count * low,)), Edge(1, (count * high,))
        made.append(Piece(axis, *moved))
    for part in block:
        if isinstance(part, Piece) and part.axis is None:
            if not part.whole:
                return NOT_STEADY
            first, last = part.lo.values[0], part.hi.values[0]
            made.append(
                constant(
                    smallest(first, first + (count - 1) * low),
                    largest(last, last + (count - 1) * high),
                    whole=True,
                )
            )
    return tuple(made)


def _chain(relative: Hull, base: Dependence) -> Dependence:
    """What sees `relative` of a tensor whose units see `base`."""
    if isinstance(base, Unknown):
        return base
    parts: list[Piece | Scatter] = []
    for seen in base:
        if isinstance(seen, Piece) and seen.axis is None:
            parts.append(seen)
            continue
        axes = [seen.axis] if isinstance(seen, Piece) and seen.axis is not None else range(len(relative))
        for block in (relative[a] for a in axes):
            if isinstance(block, Unknown):
                return block
            for part in block:
                made = _behind(part, seen)
                if isinstance(made, Unknown):
                    return made
                parts.append(made)
    return join(parts)


def _behind(part: Piece | Scatter, seen: Piece | Scatter) -> Piece | Unknown:
    """The composition of two pieces, whose inner one must not go back and forth."""
    if isinstance(part, Scatter) or isinstance(seen, Scatter):
        return FLATTENED
    if part.domains or seen.domains:
        return SEAM
    if not (monotone(seen.lo) and monotone(seen.hi)):
        return NOT_STEADY
    whole = part.whole or seen.whole
    steps = (part.lo.step, part.hi.step)
    if seen.period == 1:
        times = 1
    elif all(type(s) is int for s in steps):
        times = lcm(*(seen.period // gcd(seen.period, s) for s in steps))
    else:
        return PHASE
    if times * part.period > MAX_PERIOD:
        return TOO_MANY_PHASES
    lo, hi = (_composed(outer, inner, times) for outer, inner in ((part.lo, seen.lo), (part.hi, seen.hi)))
    return known(Piece(part.axis, lo, hi, whole))


def _composed(outer: Edge, inner: Edge, times: int) -> Edge:
    values = tuple(
        None if v is None else at(inner, outer.step * m + v) for m, v in product(range(times), outer.values)
    )
    if len(inner.values) == 1:
        return Edge(inner.step * outer.step, values)
    return Edge(inner.step * (outer.step * times // len(inner.values)), values)
