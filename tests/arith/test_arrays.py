"""Exact arrays against Python's integers, far beyond int64."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith import arrays

# includes the limits of int64
INTEGERS = st.one_of(
    st.integers(-10, 10),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(2**62 - 2, 2**62 + 2),
    st.integers(-(2**80), 2**80),
)
ROWS = st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=5)


def exactly(numbers: Any) -> list[int]:
    values = list(numbers)
    assert all(type(v) is int for v in values), "a result is a fixed-width number"
    return values


@pytest.mark.parametrize("operate", [operator.add, operator.sub, operator.mul, max, min])
@given(rows=ROWS)
def test_pairs(operate: Callable[[Any, Any], Any], rows: list[tuple[int, int]]) -> None:
    a, b = (arrays.array(column) for column in zip(*rows, strict=True))
    by_element = {max: arith.largest, min: arith.smallest}.get(operate, operate)
    assert exactly(by_element(a, b)) == [operate(x, y) for x, y in rows]
    # with a plain integer on either side
    x, y = rows[0]
    assert exactly(by_element(a, y)) == [operate(v, y) for v, _ in rows]
    assert exactly(by_element(x, b)) == [operate(x, w) for _, w in rows]


@given(ROWS)
def test_divisions(rows: list[tuple[int, int]]) -> None:
    rows = [(x, y or 1) for x, y in rows]
    a, b = (arrays.array(column) for column in zip(*rows, strict=True))
    assert exactly(a // b) == [x // y for x, y in rows]
    assert exactly(a % b) == [x % y for x, y in rows]


@given(ROWS)
@example([(0, 0), (0, 2**63)])  # numpy reads the second column as floats
def test_comparisons(rows: list[tuple[int, int]]) -> None:
    a, b = (arrays.array(column) for column in zip(*rows, strict=True))
    assert list(a <= b) == [x <= y for x, y in rows]
    assert list(a == b) == [x == y for x, y in rows]
    assert list(a > rows[0][1]) == [x > rows[0][1] for x, _ in rows]


@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 40)), min_size=1, max_size=5))
def test_powers(rows: list[tuple[int, int]]) -> None:
    a, b = (arrays.array(column) for column in zip(*rows, strict=True))
    assert exactly(a**b) == [x**y for x, y in rows]
    assert exactly(a ** rows[0][1]) == [x ** rows[0][1] for x, _ in rows]


@given(st.lists(INTEGERS, min_size=1, max_size=5))
def test_one_operand_and_sums(row: list[int]) -> None:
    a = arrays.array(row)
    assert exactly(-a) == [-x for x in row]
    assert exactly(abs(a)) == [abs(x) for x in row]
    assert exactly(np.square(a)) == [x * x for x in row]
    total = a.sum()
    assert total == sum(row)
    assert type(total) is int
    assert a.prod() == arith.prod(row)
    assert exactly(np.cumsum(a)) == [sum(row[: i + 1]) for i in range(len(row))]
    assert exactly(arrays.where(a >= 0, a * 2, -a)) == [2 * x if x >= 0 else -x for x in row]


@given(st.lists(INTEGERS, min_size=1, max_size=5))
def test_elements_are_plain_integers(row: list[int]) -> None:
    a = arrays.array(row)
    assert type(a[0]) is int
    assert a[0] * 2**70 == row[0] * 2**70
    assert exactly(a[::-1]) == row[::-1]


def test_fixed_width_numbers_do_not_get_in() -> None:
    a = arrays.array([2**62])
    assert exactly(a + np.int64(2**62)) == [2**63]
    assert exactly(np.int64(4) * a) == [2**64]
    assert exactly(a * arrays.array(np.array([200], dtype=np.uint8))) == [200 * 2**62]
    assert exactly(arrays.array(np.array([2**64 - 1], dtype=np.uint64)) + 1) == [2**64]


def test_one_large_convolution_does_not_come_out_as_zero() -> None:
    side = arrays.array([2**16, 3])
    work = side * side * side * side * 2  # 2^65, which int64 wraps to 0
    assert exactly(work) == [2**65, 162]


def test_changing_in_place_makes_a_new_array() -> None:
    a = arrays.array([2**62])
    b = a
    b += 2**62
    assert exactly(b) == [2**63]
    assert exactly(a) == [2**62]
    with pytest.raises(TypeError, match="in place"):
        np.add(a, a, out=a)


def test_what_a_mask_excludes_may_divide_by_zero() -> None:
    a, b = arrays.array([7, 7]), arrays.array([2, 0])
    assert exactly(a // b) == [3, 0]
    assert exactly((a * 2**80) // b) == [7 * 2**79, 0]


@pytest.mark.parametrize("values", [[1.5], [2.0], [True], ["3"], np.array([2.5], dtype=object)])
def test_only_integers_make_an_array(values: Any) -> None:
    with pytest.raises(TypeError):
        arrays.array(values)


def test_real_functions_give_real_numbers() -> None:
    a = arrays.array([1, 100])
    assert np.allclose(np.log10(a), [0, 2])
    assert type(np.log10(a)) is np.ndarray
    assert np.allclose(a / 8, [0.125, 12.5])
    assert len(arrays.array([])) == 0
