"""Follow-on errors: a claim that is wrong only because an earlier one is, and right given that one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from archcalc.arith import total
from archcalc.errors import ArchcalcError
from archcalc.graph.quantities import SUMMED
from archcalc.layers.opaque import Opaque
from archcalc.report.columns import Figures
from archcalc.review.counting import COUNTED
from archcalc.review.slips.fields import Rules, axes
from archcalc.review.subject import NotJudgedError, Subject

MOST_PARTS = 10  # wrong claims whose subsets are tried


class Follow(NamedTuple):
    """The claims (by number) that a claim follows from, and how."""

    claims: tuple[int, ...]
    how: str


class Earlier(NamedTuple):
    """A wrong claim of the same author."""

    number: int
    subject: Subject

    @property
    def value(self) -> Any:
        return self.subject.claim.value


def follow(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Follow | None:
    """The wrong claims that lead to this value if everything else is right; None if none do."""
    for way in (_sums, _of_filters, _converted, _after_shapes, _after_fields):
        found = next(way(subject, value, wrong), None)
        if found is not None:
            return found
    return None


# -- sums ------------------------------------------------------------------------------------------------
def _sums(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Iterator[Follow]:
    """The sum over layers, with what was stated for some of them."""
    quantity = subject.quantity
    if quantity not in (*SUMMED, *COUNTED) or subject.claim.per is not None:
        return
    parts = [p for p in map(_part, _within(subject, wrong)) if p is not None][:MOST_PARTS]
    for number in range(len(parts), 0, -1):
        for chosen in combinations(parts, number):
            nodes = [n for part in chosen for n in part.nodes]
            if len(set(nodes)) < len(nodes):
                continue
            reached = subject.truth + total(part.stated - part.true for part in chosen)
            if isinstance(reached, int) and reached == value:
                yield Follow(
                    tuple(sorted(p.number for p in chosen)), "the sum with what was stated for parts"
                )


def _within(subject: Subject, wrong: Sequence[Earlier]) -> Iterator[Earlier]:
    for earlier in wrong:
        other = earlier.subject
        same = other.quantity == subject.quantity and set(other.nodes) <= set(subject.nodes)
        per_layer = other.claim.per == "layer"
        if same and (per_layer or (other.claim.per is None and set(other.nodes) != set(subject.nodes))):
            yield earlier


class Part(NamedTuple):
    number: int
    nodes: tuple[int, ...]
    stated: int
    true: Any


def _part(earlier: Earlier) -> Part | None:
    """What a claim states for its layers together."""
    other, stated = earlier.subject, earlier.value
    if not isinstance(stated, int):
        return None
    times = sum(map(other.weighs, other.nodes)) if other.claim.per == "layer" else 1
    return Part(earlier.number, other.nodes, times * stated, times * other.truth)


# -- one figure from another of the same layers ---------------------------------------------------------
def _of_filters(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Iterator[Follow]:
    """A layer's figure from that of one filter."""
    if subject.claim.per == "filter" or not isinstance(value, int):
        return
    for earlier in wrong:
        other = earlier.subject
        if other.claim.per != "filter" or other.quantity != subject.quantity:
            continue
        layers = [i for i in subject.nodes if subject.weighs(i)]
        if not layers or not set(layers) <= set(other.nodes) or not isinstance(earlier.value, int):
            continue
        filters = [subject.filters(i) for i in layers]
        times = filters[0] if subject.claim.per == "layer" else sum(filters)
        if earlier.value * times == value:
            yield Follow((earlier.number,), f"{earlier.value:,} for each of {times:,} filters")


def _converted(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Iterator[Follow]:
    """FLOPs from MACs, bytes from parameters, or the other way round."""
    if not isinstance(value, int):
        return
    each = subject.of.options.precision.weight
    ways = {
        ("macs", "flops"): (2, 1),
        ("flops", "macs"): (1, 2),
        ("parameters", "weight_bytes"): (each, 1),
        ("weight_bytes", "parameters"): (1, each),
    }
    for earlier in wrong:
        other = earlier.subject
        up, down = ways.get((other.quantity, subject.quantity), (0, 1))
        same = set(other.nodes) == set(subject.nodes) and other.claim.per == subject.claim.per
        if same and up and isinstance(earlier.value, int) and earlier.value * up == value * down:
            yield Follow((earlier.number,), f"{earlier.value:,} {other.quantity}, converted")


# -- what comes after a wrong shape or field ---------------------------------------------------------------
def _after_shapes(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Iterator[Follow]:
    for earlier in wrong:
        other = earlier.subject
        if other.quantity != "output_shape" or other.node in subject.nodes or not subject.claim.layers:
            continue
        figures = _with_shape(subject.of, other.node, earlier.value)
        if figures is None:
            continue
        try:
            reached = Subject(figures, subject.claim, subject.nodes).truth
        except (ArchcalcError, NotJudgedError):
            continue
        if reached != subject.truth and reached == value:
            yield Follow((earlier.number,), f"with the shape stated for {subject.of.name[other.node]}")


def _with_shape(of: Figures, node: int, shape: Any) -> Figures | None:
    """The network in which one layer has this output shape."""
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(n, int) and 0 < n < 10**9 for n in sizes) or not of.graph.nodes[node].inputs:
        return None
    try:
        stated = dataclasses.replace(of.graph.nodes[node], layer=Opaque(stated_shape=sizes, stated_macs=0))
        nodes = (*of.graph.nodes[:node], stated, *of.graph.nodes[node + 1 :])
        return Figures(dataclasses.replace(of.graph, nodes=nodes, origin=None), of.asked)
    except ArchcalcError:
        return None


def _after_fields(subject: Subject, value: Any, wrong: Sequence[Earlier]) -> Iterator[Follow]:
    if subject.quantity != "receptive_field":
        return
    known = axes(subject.of, subject.node)
    for earlier in wrong if known else ():
        other = earlier.subject
        assert known is not None
        if other.quantity != "receptive_field" or other.node not in known[0].nodes[:-1]:
            continue
        at = known[0].nodes.index(other.node)
        stated = _along(earlier.value, len(known))
        reached = tuple(axis.field(Rules(given={at: n})) for axis, n in zip(known, stated, strict=True))
        if reached == _along(value, len(known)) and reached != subject.truth:
            yield Follow((earlier.number,), f"with the field stated for {subject.of.name[other.node]}")


def _along(value: Any, axes_: int) -> tuple[Any, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return values * axes_ if len(values) == 1 else values
