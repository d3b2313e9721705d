"""Formulas as products: multiplied out they are the sum, and they are shown only where they are shorter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.arith.factoring import factored, shortest
from archcalc.arith.symbolic import Expr, symbol

H, W = symbol("H"), symbol("W")


@pytest.mark.parametrize(
    ("sum_", "text"),
    [
        (448 * H**2 - 1792 * H + 1792, "448*(H - 2)**2"),
        (9 * H * W, "9*H*W"),
        (27 * H * W**2 + 54 * H**2 * W**2, "27*H*W**2*(2*H + 1)"),
        (5088 * H**2 - 38912 * H + 76032, "5088*H**2 - 38912*H + 76032"),
        ((2 * W - 1) ** 2 * (H + 3) * 7, "7*(H + 3)*(2*W - 1)**2"),
        (H // 2 + 1, "(H//2) + 1"),
        (H + 1, "H + 1"),
        (12, "12"),
    ],
)
def test_the_shorter_form(sum_: Any, text: str) -> None:
    assert shortest(sum_) == text


LINEAR = st.tuples(st.integers(1, 4), st.sampled_from([H, W]), st.integers(-9, 9))


@given(st.lists(LINEAR, min_size=1, max_size=4), st.integers(1, 12))
def test_multiplied_out_it_is_the_sum(parts: list[tuple[int, Any, int]], content: int) -> None:
    whole: Any = content
    for a, x, b in parts:
        whole = whole * (a * x + b)
    found = factored(whole)
    if found is None:
        assert len(parts) == 1
        return
    product: Any = found.content
    for base, exponent in found.powers:
        product = product * base**exponent
    assert product == whole
    # all linear factors are found: none is left in a base of higher degree
    degrees = [
        max(sum(e for _, e in m) for m in base.terms) for base, _ in found.powers if isinstance(base, Expr)
    ]
    assert max(degrees) == 1
