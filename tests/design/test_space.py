"""The space of a sweep: every configuration once, in the order of nested loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.design.space import Space, span
from archcalc.errors import ArchcalcError

axes = st.lists(
    st.one_of(
        st.integers(1, 9).flatmap(lambda n: st.just(range(3, 3 + 2 * n, 2))),
        st.lists(st.integers(1, 50), min_size=1, max_size=7, unique=True).map(tuple),
    ),
    max_size=4,
)


@given(axes, st.integers(1, 60))
def test_boxes_are_nested_loops(values: list[Any], most: int) -> None:
    named = {f"x{k}": v for k, v in enumerate(values)}
    space = Space(named, most)
    rows: list[tuple[int, ...]] = []
    for number in range(space.boxes):
        box = space.box(number)
        assert np.prod(box.shape) <= most
        columns = [np.broadcast_to(c, box.shape).reshape(-1).tolist() for c in space.columns(box).values()]
        rows += zip(*columns, strict=True) if columns else [()]
    assert rows == list(product(*values))
    assert space.count == len(rows)
    assert space.ranges() == {name: (min(v), max(v)) for name, v in named.items()}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("16:64:16", [16, 32, 48, 64]),
        ("1:3", [1, 2, 3]),
        ("1:4:2", [1, 3]),
        ("7", [7]),
        ("8, 3,5", [8, 3, 5]),
        ("1:3,10:20:10", [1, 2, 3, 10, 20]),
        (range(4, 10, 3), [4, 7]),
        (np.array([2, 5]), [2, 5]),
        (6, [6]),
    ],
)
def test_values(text: Any, values: list[int]) -> None:
    assert list(span(text)) == values


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected START:STOP"),
        ("1:2:3:4", "expected START:STOP"),
        ("1:x", "expected START:STOP"),
        ("1.5", "expected START:STOP"),
        ("9:3", "write 3:9"),
        ("1:9:0", "at least 1"),
        ("0:9", "positive integer"),
        ("-3", "positive integer"),
        ("1,2,1", "1 stands twice"),
        ("1:9223372036854775808", "below 2\\*\\*63"),
        ([], "no value"),
        (["a"], "expected START:STOP"),
        (True, "expected START:STOP"),
        (2.5, "expected START:STOP"),
    ],
)
def test_what_is_no_axis(text: Any, fault: str) -> None:
    with pytest.raises(ArchcalcError, match=fault):
        span(text)


def test_a_large_axis_costs_nothing() -> None:
    space = Space({"w": span("1:1000000000000"), "n": span("1:20")}, 1 << 18)
    assert space.count == 20 * 10**12
    last = space.columns(space.box(space.boxes - 1))
    assert last["w"].reshape(-1)[-1] == 10**12
