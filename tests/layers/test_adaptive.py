"""Adaptive pooling's windows, counted one by one."""

from __future__ import annotations

from math import ceil, floor

import pytest

from archcalc.arith import arrays, substitute
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.layers.adaptive import AdaptiveAveragePooling2D


def window_sizes(n: int, m: int) -> int:
    return sum(ceil((i + 1) * n / m) - floor(i * n / m) for i in range(m))


@pytest.mark.parametrize("sides", [(7, 6), (5, 9), (8, 8), (1, 3), (12, 10)])
@pytest.mark.parametrize("out", [(1, 1), (2, 3), (4, 4), (3, 10)])
def test_every_unit_of_every_window_is_an_operation(sides: tuple[int, int], out: tuple[int, int]) -> None:
    layer = AdaptiveAveragePooling2D(output_size=out)
    rows, columns = (window_sizes(n, m) for n, m in zip(sides, out, strict=True))
    assert layer.elementwise_ops((*sides, 5)) == rows * columns * 5


def test_symbols_that_divide_are_exact() -> None:
    n = symbol("n")
    assert AdaptiveAveragePooling2D(output_size=(1, n)).elementwise_ops((8, 4 * n, 1)) == 8 * 4 * n


def test_open_sides_have_a_closed_form_for_every_number_of_windows() -> None:
    for windows in range(1, 13):
        work = AdaptiveAveragePooling2D(output_size=(windows, 1)).elementwise_ops((symbol("n"), 1, 1))
        for n in range(1, 30):
            assert substitute(work, {"n": n}) == window_sizes(n, windows)


def test_two_symbols_that_share_no_known_divisor_are_unknown() -> None:
    n, m = symbol("n"), symbol("m")
    work = AdaptiveAveragePooling2D(output_size=(m, 1)).elementwise_ops((n, 1, 1))
    assert isinstance(work, Unknown)


def test_arrays_element_by_element() -> None:
    n = arrays.array([4, 5, 6])
    work = AdaptiveAveragePooling2D(output_size=(4, 1)).elementwise_ops((n, 1, 1))
    assert list(work) == [window_sizes(k, 4) for k in (4, 5, 6)]
