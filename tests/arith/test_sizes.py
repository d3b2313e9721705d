"""Arithmetic on integers, symbols and arrays; questions with three answers; requirements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith import arrays, substitute
from archcalc.arith.sizes import MAX_UNORDERED
from archcalc.arith.symbolic import Expr, symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError, UndecidedError
from archcalc.layers.spatial import pad_before, window_count
from tests.arith.expression_trees import SYMBOLS, expression, points, trees, value

H, W = SYMBOLS["H"], SYMBOLS["W"]
SMALL = st.integers(1, 40)


# -- what comes in ----------------------------------------------------------------------------------
def test_integers_come_in_plain() -> None:
    assert type(arith.integer(np.int64(5))) is int
    assert type(arith.integer(np.uint8(5))) is int
    for wrong in (True, 2.0, np.float64(2), "3", None, np.True_):
        with pytest.raises(TypeError):
            arith.integer(wrong)


# -- the same on three kinds of numbers ---------------------------------------------------------------
@given(SMALL, SMALL)
def test_divisions(a: int, b: int) -> None:
    for given_a, at in ((a, {}), (H, {"H": a})):
        for given_b, at_b in ((b, {}), (W, {"W": b})):
            point = at | at_b
            assert substitute(arith.floor_div(given_a, given_b), point) == a // b
            assert substitute(arith.ceil_div(given_a, given_b), point) == -(-a // b)
    assert list(arith.ceil_div(arrays.array([a, a + 1]), b)) == [-(-a // b), -(-(a + 1) // b)]


@given(st.lists(trees(leaves=4), max_size=5), points())
def test_sums_products_and_extrema(many: list[Any], point: dict[str, int]) -> None:
    exact = [value(t, point) for t in many]
    given_ = [expression(t) for t in many]
    assert substitute(arith.total(given_), point) == sum(exact)
    product = 1
    for v in exact:
        product *= v
    assert substitute(arith.prod(given_), point) == product
    if many:
        assert substitute(arith.largest(*given_), point) == max(exact)
        assert substitute(arith.smallest(*given_), point) == min(exact)
        rows = [arrays.array([v, v + 1]) for v in exact]
        assert list(arith.largest(*rows, exact[0])) == [max(exact), max(max(exact) + 1, exact[0])]


def test_extrema_of_what_can_be_ordered_are_not_kept() -> None:
    assert arith.largest(H, 1) == H
    assert arith.largest(H + 2, H, 1) == H + 2
    assert arith.smallest(H, H * W) == H
    assert str(arith.largest(H, 5)) == "max(5, H)"
    with arith.scope():
        arith.require_at_least(H, 6, "small")
        assert arith.largest(H, 5) == H


def test_a_largest_that_too_many_sizes_share_is_unknown() -> None:
    many = [i * H + (1000 - i) * W for i in range(1, MAX_UNORDERED + 2)]
    assert str(arith.largest(*many[:-1])).count(",") == MAX_UNORDERED - 1
    assert isinstance(arith.largest(*many), Unknown)


def test_many_sizes_are_ordered_as_proofs_alone_order_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a few configurations leaves out proofs that would fail, and no others."""
    many = [a * H * H // 3 + b * H + (a * b) % 7 * W + c for a in range(4) for b in range(5) for c in (0, 9)]
    for extremum in (arith.largest, arith.smallest):
        looked = extremum(*many)
        with monkeypatch.context() as patch:
            patch.setattr(arith.sizes, "FEW_SIZES", len(many))
            assert extremum(*many) == looked
        point = {"H": 11, "W": 5}
        chosen = max if extremum is arith.largest else min
        assert substitute(looked, point) == chosen(substitute(size, point) for size in many)


def test_total_of_many_symbolic_terms_is_one_pass() -> None:
    terms = [symbol(f"s{i % 50}") * i for i in range(5000)]
    assert len(arith.total(terms).terms) == 50


# -- questions --------------------------------------------------------------------------------------
@given(trees(leaves=6), trees(leaves=6), st.lists(points(), min_size=4, max_size=8))
def test_answers_are_never_wrong(a: Any, b: Any, at: list[dict[str, int]]) -> None:
    x, y = expression(a), expression(b)
    same, ordered = arith.equal(x, y), arith.at_most(x, y)
    assert {same, ordered} <= {True, False, None}
    for point in at:
        left, right = value(a, point), value(b, point)
        assert same in (None, left == right)
        assert ordered in (None, left <= right)


@given(st.integers(0, 30), st.integers(1, 9), st.integers(0, 30), st.integers(1, 9), st.integers(1, 200))
def test_chains_over_one_axis_are_decided(c: int, d: int, e: int, f: int, h: int) -> None:
    """Sizes of the same slope differ by a bounded amount, which is found, one residue at a time."""
    a, b = (H + c) // d, (H + e) // d
    assert arith.at_most(a, b) in ((True, None) if c <= e else (False, None, True))
    if c <= e:
        assert arith.at_most(a, b) is True
    if c + d <= e:
        assert arith.equal(a, b) is False
    halves = 2 * ((H + 1) // 2)
    assert arith.at_most(H, halves) is True
    assert arith.at_most(halves, H) is None
    assert arith.at_most((H + c) // (d * f), (H + c) // d) is True
    assert substitute(a, {"H": h}) == (h + c) // d


def test_undecided_is_neither_yes_nor_no() -> None:
    assert arith.equal(H, W) is None
    assert arith.equal(H, H + 1) is False
    assert arith.at_most(1, H) is True
    assert arith.at_most(2, H) is None
    assert arith.at_most(2, symbol("n", 2, 9)) is True
    assert arith.at_most(symbol("n", 2, 9), 9) is True
    assert list(arith.equal(arrays.array([1, 2]), 2)) == [False, True]
    assert arith.equal(Unknown("why"), 3) is None


def test_certainly() -> None:
    assert arith.certainly(True)
    assert not arith.certainly(None)
    assert not arith.certainly(False)
    assert arith.certainly(arrays.array([1, 1]) == 1)
    assert not arith.certainly(arrays.array([1, 2]) == 1)


def test_choose_goes_by_element_and_refuses_to_guess() -> None:
    assert arith.choose(True, 1, 2) == 1
    assert list(arith.choose(arrays.array([1, 5]) >= 3, arrays.array([10, 20]), 7)) == [7, 20]
    with pytest.raises(UndecidedError, match="--set"):
        arith.choose(None, 1, 2)


# -- requirements -----------------------------------------------------------------------------------
def test_a_requirement_raises_on_integers() -> None:
    arith.require_at_least(3, 3, "never")
    with pytest.raises(LayerError, match="2 is too small"):
        arith.require_at_least(2, 3, lambda: "2 is too small")
    with pytest.raises(LayerError, match="differ"):
        arith.require_equal(2, 3, "differ")


def test_a_requirement_masks_arrays() -> None:
    with arith.scope() as scope:
        arith.require_at_least(arrays.array([1, 5, 9]), 3, "small")
        arith.require_equal(arrays.array([4, 4, 6]), 4, "differ")
    assert list(scope.valid) == [False, True, False]
    with pytest.raises(LayerError, match="small"):
        arith.require_at_least(arrays.array([1, 5]), 3, "small")  # nobody is there to mask it
    arith.require_at_least(arrays.array([3, 5]), 3, "small")


def test_a_requirement_is_assumed_of_symbols() -> None:
    with arith.scope() as scope:
        arith.require_at_least((H - 7) // 2, 3, "small")
        arith.require_equal(2 * ((H + 1) // 2), H, "odd")
        assert arith.equal((H + 1) // 2, H // 2) is True
    assert scope.assumptions.texts() == ["H >= 13", "H % 2 == 0"]
    with pytest.raises(UndecidedError, match="small"):
        arith.require_at_least(H, 3, "small")


def test_a_requirement_that_cannot_hold_is_refused() -> None:
    with pytest.raises(LayerError, match="never"), arith.scope():
        arith.require_at_least(2, H + 2, "never")
    with arith.scope():
        arith.require_at_least(5, H, "fits")
        with pytest.raises(LayerError, match="never"):
            arith.require_at_least(H, 6, "never")


def test_require_equal_returns_what_is_shorter_to_read() -> None:
    with arith.scope():
        assert arith.require_equal((H + 1) // 2 + 3, W, "differ") == W
        assert arith.require_equal(H, 8, "differ") == 8
        assert arith.require_equal(8, H, "differ") == 8


@given(SMALL, st.integers(1, 8))
def test_exact_division(a: int, b: int) -> None:
    assert arith.exact_div(a * b, b) == a
    if a % b:
        with pytest.raises(LayerError, match=f"{a} is not divisible by {b}"):
            arith.exact_div(a, b)
    with arith.scope() as scope:
        assert list(arith.exact_div(arrays.array([a, a * b]), b))[1] == a
    assert list(np.broadcast_to(scope.valid, 2)) == [a % b == 0, True]
    with arith.scope() as scope:
        share = arith.exact_div(H, b)
    assert substitute(share, {"H": a * b}) == a
    assert scope.assumptions.texts() == ([] if b == 1 else [f"H % {b} == 0"])


def test_exact_division_of_symbols_by_symbols_says_what_it_assumes() -> None:
    with arith.scope() as scope:
        share = arith.exact_div(H, W)
    assert scope.assumptions.texts() == ["(H) % (W) == 0"]
    assert substitute(share, {"H": 12, "W": 4}) == 3
    with arith.scope() as scope:
        assert arith.exact_div(6 * H * W, 3 * W) == 2 * H
        assert scope.assumptions.texts() == []
    with pytest.raises(LayerError), arith.scope():
        arith.exact_div(3 * H, 2 * H)


@pytest.mark.parametrize(
    ("a", "b", "meet"), [(4, 4, 4), (1, 4, 4), (4, 1, 4), (1, 1, 1), (H, 1, H), (1, H, H), (H, H, H)]
)
def test_broadcasting(a: Any, b: Any, meet: Any) -> None:
    assert arith.broadcast(a, b, "no") == meet


def test_broadcasting_refuses_masks_and_assumes() -> None:
    with pytest.raises(LayerError, match="no"):
        arith.broadcast(3, 4, "no")
    with arith.scope() as scope:
        assert list(arith.broadcast(arrays.array([1, 4, 3]), arrays.array([4, 1, 2]), "no"))[:2] == [4, 4]
    assert list(scope.valid) == [True, True, False]
    with arith.scope() as scope:
        arith.broadcast(H, W, "no")
    assert scope.assumptions.texts() == ["H == W"]


# -- unknown figures ----------------------------------------------------------------------------------
def test_an_unknown_figure_absorbs_what_it_enters() -> None:
    hidden = Unknown("the Lambda 'x' hides it")
    for figure in (
        hidden + 1,
        3 * hidden,
        hidden // 2,
        H - hidden,
        arrays.array([1, 2]) * hidden,
        arith.prod([2, hidden]),
        arith.total([H, 2, hidden]),
        arith.largest(1, hidden),
        arith.exact_div(hidden, 2),
    ):
        assert figure is hidden
    arith.require_at_least(hidden, 3, "not asked")
    assert arith.require_equal(hidden, 3, "not asked") == 3
    with pytest.raises(TypeError, match="Lambda"):
        bool(hidden)


# -- windows: refused, masked, assumed ------------------------------------------------------------------
def test_a_window_longer_than_the_axis() -> None:
    with pytest.raises(LayerError, match="an axis of 2 is shorter than the window of 3"):
        window_count(2, 3, 1, 1, "valid")
    with pytest.raises(LayerError, match="window of 5"):
        window_count(4, 3, 1, 2, "valid")
    with arith.scope() as scope:
        sizes = window_count(arrays.array([2, 3, 9]), 3, 2, 1, "valid")
    assert list(scope.valid) == [False, True, True]
    assert list(sizes)[1:] == [1, 4]
    with arith.scope() as scope:
        size = window_count(H, 7, 2, 1, "valid")
    assert scope.assumptions.texts() == ["H >= 7"]
    assert size == (H - 5) // 2
    assert window_count(2, 3, 1, 1, "same") == 2


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_is_tensorflows(n: int, k: int, s: int, d: int) -> None:
    """By counting: windows every s units cover the axis, an odd zero is added after it."""
    ke = d * (k - 1) + 1
    count = len(range(0, n, s))
    zeros = max((count - 1) * s + ke - n, 0)
    assert window_count(n, k, s, d, "same") == count
    assert pad_before(n, k, s, d, "same") == zeros // 2
    assert pad_before(n, k, s, d, "causal") == ke - 1
    with arith.scope():
        before = pad_before(H, k, s, d, "same")
    assert substitute(before, {"H": n}) == zeros // 2


# -- scopes ---------------------------------------------------------------------------------------------
def test_scopes_nest_and_end() -> None:
    with arith.scope() as outer:
        arith.require_at_least(H, 5, "small")
        with arith.scope() as inner:
            arith.require_at_least(W, 2, "small")
            assert arith.at_most(5, H) is None  # an inner scope knows its own assumptions only
        assert arith.at_most(5, H) is True
    assert inner.assumptions.texts() == ["W >= 2"]
    assert outer.assumptions.texts() == ["H >= 5"]
    assert arith.at_most(5, H) is None
    with arith.scope(outer) as again:
        assert again is outer
        assert arith.at_most(5, H) is True
    assert isinstance(H, Expr)
