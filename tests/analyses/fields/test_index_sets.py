"""Runs of units against plain sets, unit by unit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyses.fields import index_sets
from archcalc.analyses.fields.index_sets import contains, merged, reaches_out, read_units, union
from archcalc.arith.symbolic import symbol
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Read, Section, Taps, Unstated, Whole
from tests.analyses.fields.toy import a_read, units_read

N = symbol("n")


def expand(found: Any) -> set[int]:
    return {unit for start, stop in found for unit in range(start, stop)}


def check_form(found: Any) -> None:
    """Runs are in order, none is empty, and gaps are between them."""
    assert all(start < stop for start, stop in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@st.composite
def sets(draw: st.DrawFn, size: int = 16, least: int = 0) -> set[int]:
    return draw(st.sets(st.integers(0, size - 1), min_size=least))


def as_runs(units: set[int]) -> Any:
    return merged((unit, unit + 1) for unit in units)


@given(sets(), sets())
def test_unions_and_inclusion_are_those_of_sets(a: set[int], b: set[int]) -> None:
    one, other = as_runs(a), as_runs(b)
    check_form(one)
    assert expand(one) == a
    both = union(one, other)
    check_form(both)
    assert expand(both) == a | b
    assert contains(one, other) is (b <= a)
    assert contains(both, one)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9))))
def test_runs_that_overlap_become_one(given: list[tuple[int, int]]) -> None:
    pairs = [(start, start + length) for start, length in given]
    found = merged(pairs)
    check_form(found)
    assert expand(found) == expand(pairs)


def read_of(n: int, m: int) -> st.SearchStrategy[Read]:
    return st.one_of(
        a_read(n, 0, m, False, True, True),
        st.builds(Section, st.just(0), st.integers(0, m), st.integers(1, n)),
        st.builds(Taps, st.just(0), st.just(1), st.integers(-9, 9), st.integers(1, 4), st.integers(1, 9)),
    )


@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_units_read_for_a_set_are_those_of_each_unit(data: st.DataObject, n: int, m: int) -> None:
    read = data.draw(read_of(n, m))
    units = data.draw(sets(m, 1))
    found = read_units(as_runs(units), read, n)
    assert found is not None
    check_form(found)
    assert expand(found) == {j for unit in units for j in units_read(read, n, (unit,)) if 0 <= j < n}


@pytest.mark.parametrize(
    "read",
    [
        Taps(0, stride=N),
        Taps(0, offset=N),
        Taps(0, count=N),
        Taps(0, dilation=N),
        Blocks(0, N, 2),
        Blocks(0, 2, N),
        Section(0, N, 2),
        Section(0, 2, N),
        Fixed(N),
        Unstated("nobody says"),
    ],
)
def test_what_hangs_on_a_symbol_is_not_known(read: Read) -> None:
    assert read_units(((0, 3),), read, 9) is None


@pytest.mark.parametrize(
    "read", [Whole(), Fixed(0), Taps(0), Prefix(0), Section(0, 0, 1), Phases(0, 1, (((0, 1.0),),))]
)
def test_units_of_an_open_axis_are_not_known(read: Read) -> None:
    assert read_units(((0, 3),), read, N) is None


def test_of_units_that_are_not_known_only_what_does_not_move_is() -> None:
    assert read_units(None, Whole(), 5) == ((0, 5),)
    assert read_units(None, Fixed(3), 5) == ((3, 4),)
    assert read_units(None, Taps(0), 5) is None


def test_too_many_runs_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_sets, "MAX_RUNS", 3)
    assert merged((k, k + 1) for k in (0, 2, 4)) == ((0, 1), (2, 3), (4, 5))
    assert merged((k, k + 1) for k in (0, 2, 4, 6)) is None
    assert merged((k, k + 1) for k in range(12)) == ((0, 12),)
    assert merged((k, k + 1) for k in range(13)) is None


def test_the_taps_of_wide_strides_are_only_those_that_touch_the_axis() -> None:
    """However many units ask: the work is that of the axis."""
    assert read_units(((0, 10**9),), Taps(0, 2, -(10**9) + 1, 1), 4) == ((1, 2), (3, 4))
    assert read_units(((0, 1),), Taps(0, 2, 1, 10**9, 3), 8) == ((1, 2), (4, 5), (7, 8))


@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_a_window_reaches_out_where_some_tap_does(data: st.DataObject, n: int, m: int) -> None:
    read = data.draw(read_of(n, m))
    units = data.draw(sets(m, 1))
    out = any(not 0 <= j < n for unit in units for j in units_read(read, n, (unit,)))
    assert reaches_out(as_runs(units), read, n) is (out and isinstance(read, Taps | Phases))
