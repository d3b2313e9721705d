"""The text of bounds."""

from __future__ import annotations

from math import inf, log

import pytest

from archcalc.analyses.gradient_bounds.terms import named, number, plus, power, text, times
from archcalc.arith.symbolic import symbol


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1"), (3.0, "3"), (0.25, "1/4"), (1.7580993, "1.7581"), (0.4, "0.4"), (2.5e6, "2.5e+06"),
        (123456.0, "123456"), (1e-9, "1e-09"),
    ],
)  # fmt: skip
def test_numbers(value: float, written: str) -> None:
    assert text(number(value).term) == written


def test_products_and_sums() -> None:
    w = named("norm(w)", None)
    assert text(times(number(0.25), w).term) == "norm(w)/4"
    assert text(power(times(number(0.25), w), 30).term) in ("(norm(w)/4)^30", "norm(w)^30/1.15292e+18")
    assert text(plus([number(1.0), w]).term) == "(1 + norm(w))"
    assert text(named("norm(w)", inf).term) == "inf"


def test_a_symbol_whose_coefficient_is_rounding_is_not_named() -> None:
    n = symbol("n")
    for factors in ((3.0, 1 / 3), (0.1, 10.0), (0.7, 0.7, 0.7, 1 / 0.343)):
        base = times(*map(number, factors))
        product = times(number(0.03), power(base, n))
        assert product.log == pytest.approx(log(0.03))
    grows, shrinks = power(number(0.7), n), power(number(1 / 0.7), n)
    assert times(number(0.03), grows, shrinks).log == pytest.approx(log(0.03))
