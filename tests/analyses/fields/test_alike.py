"""Axes that are read alike have one description: against brute force, and against every axis for itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from archcalc import arith
from archcalc.analyses.fields import effective_field, intervals
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.intervals import IntervalAlgebra
from archcalc.analyses.fields.propagate import Propagation
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.fields.sliding import CommonTapsOf, Sliding
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.testing.strategies import architectures
from tests.analyses.fields.alike import alike_networks
from tests.analyses.fields.test_effective_field import compare
from tests.analyses.fields.test_receptive_field import expect, expect_clipped
from tests.analyses.fields.test_repeated_toys import drawn
from tests.analyses.fields.toys_in_numbers import with_symbols


@given(alike_networks())
def test_fields_are_those_of_every_unit(graph: Graph) -> None:
    shapes = infer(graph)
    reads = windows(graph, shapes)
    states = Propagation(graph, shapes, reads, reads.axes, IntervalAlgebra())
    event(f"several axes in one: {any(type(s) is Sliding for _, state in states for s in state.values())}")
    expect(graph)


@given(alike_networks())
def test_clipped_fields_are_the_extent_of_the_units_that_exist(graph: Graph) -> None:
    expect_clipped(graph)


@given(alike_networks(parts=False, most=4))
def test_spreads_are_those_of_all_paths_together(graph: Graph) -> None:
    compare(graph)


def figures(graph: Graph) -> Any:
    """Every figure of every field, and what they assume; reasons of unknown figures included."""
    with arith.scope() as scope:
        shapes = infer(graph)
        rows = fields(graph, shapes), effective_fields(graph, shapes)
    return repr(rows), list(scope.assumptions.texts())


@settings(max_examples=40)
@given(
    st.one_of(
        alike_networks(),
        with_symbols(alike_networks()).map(lambda drawn: drawn[1]),
        drawn().map(lambda drawn: drawn.repeated()),
        architectures(),
    )
)
def test_no_figure_changes_where_every_axis_is_followed_for_itself(graph: Graph) -> None:
    together = figures(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CommonTapsOf, "__call__", lambda *_: None)
        for module in (intervals, effective_field):
            patch.setattr(module, "condensed", lambda state: state)
        assert figures(graph) == together
