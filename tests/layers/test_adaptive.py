"""Adaptive pooling's windows, counted one by one."""

from __future__ import annotations

from math import ceil, floor

import pytest

from archcalc import arrays
from archcalc.layers.adaptive import AdaptiveAveragePooling2D
from archcalc.symbolic import symbol
from archcalc.unknown import Unknown


def window_sizes(n: int, m: int) -> int:
    return sum(ceil((i + 1) * n / m) - floor(i * n / m) for i in range(m))


@pytest.mark.parametrize("sides", [(7, 6), (5, 9), (8, 8), (1, 3), (12, 10)])
@pytest.mark.parametrize("out", [(1, 1), (2, 3), (4, 4), (3, 10)])
def test_every_unit_of_every_window_is_an_operation(sides: tuple[int, int], out: tuple[int, int]) -> None:
    layer = AdaptiveAveragePooling2D(output_size=out)
    rows, columns = (window_sizes(n, m) for n, m in zip(sides, out, strict=True))
    assert layer.elementwise_ops((*sides, 5)) == rows * columns * 5


def test_symbols_that_divide_are_exact_and_others_unknown() -> None:
    n = symbol("n")
    assert AdaptiveAveragePooling2D(output_size=(1, n)).elementwise_ops((8, 4 * n, 1)) == 8 * 4 * n
    assert isinstance(AdaptiveAveragePooling2D(output_size=3).elementwise_ops((n, n, 1)), Unknown)


def test_arrays_element_by_element() -> None:
    n = arrays.array([4, 5, 6])
    made = AdaptiveAveragePooling2D(output_size=(4, 1)).elementwise_ops((n, 1, 1))
    assert list(made) == [window_sizes(k, 4) for k in (4, 5, 6)]
