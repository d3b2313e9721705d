"""Index sets against Python sets, index by index."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyses.fields import index_sets
from archcalc.analyses.fields.index_sets import contains, indices_read, merged, reads_padding, union
from archcalc.arith.symbolic import symbol
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Read, Section, Taps, UnknownRead, Whole
from tests.analyses.fields.toy import a_read, units_read

N = symbol("n")


def expand(intervals: Any) -> set[int]:
    return {index for start, stop in intervals for index in range(start, stop)}


def check_form(intervals: Any) -> None:
    """Intervals are in increasing order, none is empty, and there are gaps between them."""
    assert all(start < stop for start, stop in intervals)
    assert all(before[1] < after[0] for before, after in pairwise(intervals))


@st.composite
def sets(draw: st.DrawFn, size: int = 16, least: int = 0) -> set[int]:
    return draw(st.sets(st.integers(0, size - 1), min_size=least))


def as_intervals(indices: set[int]) -> Any:
    return merged((index, index + 1) for index in indices)


@given(sets(), sets())
def test_unions_and_inclusion_are_those_of_sets(a: set[int], b: set[int]) -> None:
    first, second = as_intervals(a), as_intervals(b)
    check_form(first)
    assert expand(first) == a
    both = union(first, second)
    check_form(both)
    assert expand(both) == a | b
    assert contains(first, second) is (b <= a)
    assert contains(both, first)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9))))
def test_intervals_that_overlap_are_merged(lengths: list[tuple[int, int]]) -> None:
    intervals = [(start, start + length) for start, length in lengths]
    disjoint = merged(intervals)
    check_form(disjoint)
    assert expand(disjoint) == expand(intervals)


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
    indices = indices_read(as_intervals(units), read, n)
    assert indices is not None
    check_form(indices)
    assert expand(indices) == {j for unit in units for j in units_read(read, n, (unit,)) if 0 <= j < n}


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
        UnknownRead("not stated"),
    ],
)
def test_reads_that_depend_on_a_symbol_are_unknown(read: Read) -> None:
    assert indices_read(((0, 3),), read, 9) is None


@pytest.mark.parametrize(
    "read", [Whole(), Fixed(0), Taps(0), Prefix(0), Section(0, 0, 1), Phases(0, 1, (((0, 1.0),),))]
)
def test_indices_of_a_symbolic_axis_are_unknown(read: Read) -> None:
    assert indices_read(((0, 3),), read, N) is None


def test_for_unknown_units_only_reads_that_do_not_move_are_known() -> None:
    assert indices_read(None, Whole(), 5) == ((0, 5),)
    assert indices_read(None, Fixed(3), 5) == ((3, 4),)
    assert indices_read(None, Taps(0), 5) is None


def test_sets_of_too_many_intervals_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_sets, "MAX_INTERVALS", 3)
    assert merged((k, k + 1) for k in (0, 2, 4)) == ((0, 1), (2, 3), (4, 5))
    assert merged((k, k + 1) for k in (0, 2, 4, 6)) is None
    assert merged((k, k + 1) for k in range(12)) == ((0, 12),)
    assert merged((k, k + 1) for k in range(13)) is None


def test_only_taps_inside_the_axis_are_enumerated() -> None:
    """The work is bounded by the size of the axis, not by the number of units or taps."""
    assert indices_read(((0, 10**9),), Taps(0, 2, -(10**9) + 1, 1), 4) == ((1, 2), (3, 4))
    assert indices_read(((0, 1),), Taps(0, 2, 1, 10**9, 3), 8) == ((1, 2), (4, 5), (7, 8))


@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_a_window_reads_padding_where_some_tap_does(data: st.DataObject, n: int, m: int) -> None:
    read = data.draw(read_of(n, m))
    units = data.draw(sets(m, 1))
    out = any(not 0 <= j < n for unit in units for j in units_read(read, n, (unit,)))
    assert reads_padding(as_intervals(units), read, n) is (out and isinstance(read, Taps | Phases))
