"""The normal form of symbolic sizes, against plain integer arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith import arrays, substitute
from archcalc.arith.symbolic import Expr, Floor, divide, symbol
from archcalc.errors import ExpressionError, LayerError
from tests.arith.expression_trees import NAMES, SYMBOLS, expression, points, trees, value

H, W = SYMBOLS["H"], SYMBOLS["W"]


@given(trees(), st.lists(points(), min_size=1, max_size=4))
def test_an_expression_has_the_value_of_its_tree(tree: Any, at: list[dict[str, int]]) -> None:
    result = expression(tree)
    for point in at:
        assert substitute(result, point) == value(tree, point)
        assert type(substitute(result, point)) is int


@given(trees(), points())
def test_symbols_may_be_replaced_one_after_the_other(tree: Any, point: dict[str, int]) -> None:
    result = expression(tree)
    for name in NAMES:
        result = substitute(result, {name: point[name]})
    assert result == value(tree, point)


@given(trees(), st.lists(points(), min_size=2, max_size=5))
def test_symbols_may_be_replaced_by_arrays(tree: Any, at: list[dict[str, int]]) -> None:
    columns = {name: arrays.array([p[name] for p in at]) for name in NAMES}
    result = substitute(expression(tree), columns)
    values = list(result) if arith.is_array(result) else [result] * len(at)
    assert values == [value(tree, p) for p in at]


@given(trees(), trees(), points())
def test_symbols_may_be_replaced_by_expressions(tree: Any, inner: Any, point: dict[str, int]) -> None:
    replaced = substitute(expression(tree), {"H": expression(("+", 1, ("*", inner, inner)))})
    h = 1 + value(inner, point) ** 2
    assert substitute(replaced, point) == value(tree, {**point, "H": h})


@given(trees(), trees(), points())
def test_equal_expressions_are_equal_everywhere(a: Any, b: Any, point: dict[str, int]) -> None:
    if expression(a) == expression(b):
        assert value(a, point) == value(b, point)


@given(trees())
def test_equality_and_hash_do_not_depend_on_the_order_of_operations(tree: Any) -> None:
    x = expression(tree)
    there_and_back = x + H * W - 7 - W * H + 7
    assert there_and_back == x
    if isinstance(x, Expr):
        assert hash(there_and_back) == hash(x)
        assert str(there_and_back) == str(x)


def test_whatever_is_constant_is_a_plain_integer() -> None:
    for constant in (H - H + 3, 0 * H, (2 * H + 1) // 2 - H, (H * W) // W - H + 1, H**0, H // H, (4 * H) % 2):
        assert type(constant) is int


# -- the normal form of floor division ------------------------------------------------------------
@given(st.integers(1, 12), st.integers(1, 12), st.integers(-30, 30), st.integers(-30, 30))
def test_nested_floors_are_one_floor(a: int, b: int, c: int, e: int) -> None:
    nested = ((H + c) // a + e) // b
    assert nested == (H + c + a * e) // (a * b)


@given(st.integers(1, 20), st.integers(-60, 60), st.integers(-20, 20))
def test_integers_leave_the_floor(d: int, c: int, e: int) -> None:
    assert (H + c) // d + e == (H + c + d * e) // d


@given(st.integers(1, 40), st.integers(-50, 50), st.integers(1, 40))
def test_common_factors_cancel(a: int, c: int, d: int) -> None:
    quotient = (a * H + c) // d
    floors = [atom for atom in getattr(quotient, "terms", {}) for atom, _ in atom if isinstance(atom, Floor)]
    for floor in floors:
        coefficient = floor.numerator.terms[next(m for m in floor.numerator.terms if m)]
        assert 0 < coefficient < floor.divisor
        assert Fraction(int(coefficient), floor.divisor).denominator == floor.divisor
        assert 0 <= floor.numerator.constant < floor.divisor


def test_the_sizes_of_the_issue() -> None:
    assert (H - 7) // 2 + 1 == (H - 5) // 2
    assert arith.equal((H - 7) // 2 + 1, (H - 5) // 2) is True
    assert str((H - 7) // 2 + 1) == str((H - 5) // 2)
    assert arith.equal(2 * ((H + 1) // 2), H) is None


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 4), st.booleans()), min_size=1, max_size=30))
def test_a_chain_of_windows_is_one_atom_and_an_integer(layers: list[tuple[int, int, bool]]) -> None:
    size: Any = H
    for k, s, same in layers:
        size = arith.ceil_div(size, s) if same else arith.floor_div(size - k, s) + 1
    assert len(size.terms) <= 2
    for start in (10**6, 10**6 + 1, 10**40 + 7):
        n = start
        for k, s, same in layers:
            n = -(-n // s) if same else (n - k) // s + 1
        assert substitute(size, {"H": start}) == n


def test_sixty_strides_of_two_are_one_atom() -> None:
    size: Any = H
    for _ in range(60):
        size = (size + 1) // 2
    assert size == (H + 2**60 - 1) // 2**60
    assert (len(size.terms), size.nesting) == (1, 1)
    n = 3**50
    assert substitute(size, {"H": n}) == -(-n // 2**60)


def test_two_thousand_valid_layers_stay_three_terms() -> None:
    size: Any = (H - 3) // 2 + 1
    flops: Any = 0
    with arith.scope() as scope:
        for _ in range(2000):
            arith.require_at_least(size, 3, "too small")
            size = size - 3 + 1
            flops = flops + size
    assert len(size.terms) == 2
    assert len(flops.terms) <= 3
    # 2000 layers take 4000 units off (H-3)//2 + 1, and the last one needs 3
    assert scope.assumptions.texts() == ["H >= 8003"]


# -- exact quotients --------------------------------------------------------------------------------
def test_exact_quotients_keep_their_divisor() -> None:
    share = divide(H * W, 4)
    assert substitute(share, {"H": 6, "W": 2}) == 3
    with pytest.raises(LayerError):
        substitute(share, {"H": 3, "W": 3})
    assert divide(6 * H * W, 2 * H) == 3 * W
    assert divide(2 * H + 2, H + 1) == 2
    assert substitute(divide(H, W + 1) * 2, {"H": 6, "W": 3}) == 3


@given(st.integers(1, 9), st.integers(1, 9), points())
def test_a_quotient_times_its_divisor_is_what_it_was(a: int, b: int, point: dict[str, int]) -> None:
    x = a * H * W + b * H
    assert substitute(divide(x, H) * H, point) == substitute(x, point)
    assert divide(x, H) * H == x


# -- limits and refusals ------------------------------------------------------------------------------
def test_a_symbolic_size_has_no_truth_value_and_no_order() -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(H)
    with pytest.raises(TypeError):
        H < 3  # noqa: B015
    with pytest.raises(TypeError):
        H + 1.5
    with pytest.raises(ZeroDivisionError):
        H // 0


def test_growth_is_limited() -> None:
    many = [symbol(f"s{i}") for i in range(200)]
    with pytest.raises(ExpressionError, match="--set"):
        arith.total(many) ** 3


def test_depth_is_limited() -> None:
    def nested(depth: int) -> Any:
        deep: Any = H
        for _ in range(depth):
            deep = (deep * W) // (W + 1)
        return deep

    assert nested(90).nesting >= 90
    with pytest.raises(ExpressionError, match="--set"):
        nested(200)


def test_negative_divisors_floor_as_integers_do() -> None:
    for h in range(1, 20):
        assert substitute(H // -3, {"H": h}) == h // -3
        assert substitute((2 * H - 9) // -4, {"H": h}) == (2 * h - 9) // -4


@given(points())
def test_powers_with_symbols_above(point: dict[str, int]) -> None:
    x = 3 ** SYMBOLS["k"] + H ** SYMBOLS["k"]
    assert substitute(x, point) == 3 ** point["k"] + point["H"] ** point["k"]
    assert 1 ** SYMBOLS["k"] == 1
