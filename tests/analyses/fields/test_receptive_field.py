"""Fields of every node against brute force over every unit of small random networks."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from archcalc.analyses.fields.index_maps import TOO_MANY_MAPS
from archcalc.analyses.fields.receptive_field import Field, fields
from archcalc.analyses.shapes import infer
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.window import Blocks, Phases, Prefix, Section
from tests.analyses.fields.toy import Oracle, all_reads, networks, positions


def width(hull: tuple[int, int] | None) -> int:
    return 0 if hull is None else hull[1] - hull[0] + 1


def expect(graph: Graph) -> None:
    """Compare every figure of every node with what its units see, one by one."""
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    cycle = prod(r.period for r in all_reads(graph) if isinstance(r, Phases))
    cycle *= prod(r.outputs for r in all_reads(graph) if isinstance(r, Blocks))
    causal = any(isinstance(r, Prefix | Section) for r in all_reads(graph))
    for i, row in enumerate(fields(graph, shapes, "none")):
        for root in graph.inputs:
            field = row[graph.nodes[root].name]
            extents = shapes[root][0][:-1]
            for axis, extent in enumerate(extents):
                units = positions(shapes[i][0])
                kinds = [oracle.seen(i, u, root, axis) for u in units]
                if field is None:
                    assert not any(kinds)
                    continue
                at = Figures(field, axis)
                if isinstance(at.size, Unknown):
                    assert causal or at.size is TOO_MANY_MAPS, at.size.reason
                    event("unknown")
                    continue
                hulls = [oracle.hull(i, u, root, axis) for u in units]
                local = [oracle.hull(i, u, root, axis, local=True) for u in units]
                assert at.size == max(map(width, hulls))
                assert at.min_size == min(map(width, hulls))
                assert (at.local_size or 0) == max(map(width, local))
                assert at.offset == (None if hulls[0] is None else hulls[0][0])
                covered = all(h is not None and h[0] <= 0 and h[1] >= extent - 1 for h in hulls)
                whole = any(flag for kind in kinds for _, flag in kind)
                assert at.is_global is (whole or covered)
                if at.stride is not None and not causal:
                    expect_stride(oracle, i, root, axis, cycle, Fraction(at.stride))


def expect_stride(oracle: Oracle, node: int, root: int, axis: int, cycle: int, stride: Fraction) -> None:
    """A step of one cycle along some output axis moves the local interval by that many strides."""
    sides = len(oracle.shapes[node][0]) - 1
    start = (0,) * (sides + 1)

    def moved(along: int) -> bool:
        end = tuple(cycle if a == along else 0 for a in range(sides + 1))
        first, second = (oracle.hull(node, u, root, axis, local=True) for u in (start, end))
        return (first is None and second is None) or (
            first is not None
            and second is not None
            and all(b - a == stride * cycle for a, b in zip(first, second, strict=True))
        )

    assert any(moved(a) for a in range(sides))


class Figures:
    """One axis of a field."""

    def __init__(self, field: Field, axis: int) -> None:
        self.field = field
        self.axis = axis

    def __getattr__(self, name: str) -> Any:
        return getattr(self.field, name)[self.axis]


@given(networks(1))
def test_fields_over_one_axis_are_those_of_every_unit(graph: Graph) -> None:
    expect(graph)


@given(networks(2, holes=False))
def test_fields_over_two_axes_are_those_of_every_unit(graph: Graph) -> None:
    expect(graph)


@given(networks(1, parts=True) | networks(2, holes=False, parts=True))
def test_fields_after_concatenations_are_those_of_every_unit(graph: Graph) -> None:
    expect(graph)


@given(st.sampled_from([1, 2]).flatmap(lambda rank: networks(rank, parts=True)))
def test_clipped_fields_are_the_extent_of_the_units_that_exist(graph: Graph) -> None:
    expect_clipped(graph)


def expect_clipped(graph: Graph) -> None:
    """Compare the clipped field of every node with the units that its middle position depends on."""
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    for i, row in enumerate(fields(graph, shapes, "all")):
        *sides, channels = shapes[i][0]
        seen: dict[int, set[tuple[int, ...]]] = {}
        for c in range(channels):
            for root, units in oracle.real(i, (*(n // 2 for n in sides), c)).items():
                seen.setdefault(root, set()).update(units)
        for root in graph.inputs:
            field = row[graph.nodes[root].name]
            rank = len(shapes[root][0]) - 1
            units = seen.get(root, set())
            extents = tuple(max(c) - min(c) + 1 for c in list(zip(*units, strict=True))[:-1]) or (0,) * rank
            assert (field.clipped_size if field else (0,) * rank) == extents
