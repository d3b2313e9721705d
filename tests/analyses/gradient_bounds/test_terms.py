"""The text of bounds."""

from __future__ import annotations

from math import inf, log

import pytest

from archcalc.analyses.gradient_bounds.terms import MAX_TEXT, named, number, plus, power, text, times
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


def test_sums_within_sums_are_cut_where_their_text_would_double_with_each() -> None:
    """Each path through the network is a product, and 200 cells of two branches have 2^200 paths."""
    cell = named("norm(w)", None)
    for i in range(200):
        cell = plus([times(named(f"norm(a{i})", None), cell), times(named(f"norm(b{i})", None), cell, cell)])
    written = text(cell.term)
    assert 100 < written.count("norm(") <= MAX_TEXT
    assert "..." in written
    few = plus([times(named(f"norm(a{i})", None), named(f"norm(b{i})", None)) for i in range(200)])
    assert text(few.term).count("norm(") == 400


def test_a_symbol_whose_coefficient_is_rounding_is_not_named() -> None:
    n = symbol("n")
    for factors in ((3.0, 1 / 3), (0.1, 10.0), (0.7, 0.7, 0.7, 1 / 0.343)):
        base = times(*map(number, factors))
        product = times(number(0.03), power(base, n))
        assert product.log == pytest.approx(log(0.03))
    grows, shrinks = power(number(0.7), n), power(number(1 / 0.7), n)
    assert times(number(0.03), grows, shrinks).log == pytest.approx(log(0.03))
