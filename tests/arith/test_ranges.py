"""Bounds of symbolic sizes hold at every point; monotonicity and periods are correct."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from archcalc.arith import ranges, substitute
from archcalc.arith.symbolic import Expr
from tests.arith.expression_trees import NAMES, SYMBOLS, expression, trees, value

H, W = SYMBOLS["H"], SYMBOLS["W"]
RANGES = st.fixed_dictionaries(
    {name: st.tuples(st.integers(1, 12), st.one_of(st.none(), st.integers(0, 20))) for name in NAMES}
).map(lambda r: {n: (low, None if more is None else low + more) for n, (low, more) in r.items()})


@given(trees(leaves=8), RANGES, st.data())
def test_every_value_lies_between_the_bounds(tree: Any, declared: Any, data: st.DataObject) -> None:
    x = expression(tree)
    low, high = ranges.lower(x, declared), ranges.upper(x, declared)
    for _ in range(5):
        point = {
            n: data.draw(st.integers(least, least + 60 if most is None else most))
            for n, (least, most) in declared.items()
        }
        exact = value(tree, point)
        assert low is None or low <= exact
        assert high is None or exact <= high


@given(trees(leaves=8), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 30), min_size=3), st.data())
def test_nondecreasing_expressions_do_not_fall(tree: Any, point: dict[str, int], data: st.DataObject) -> None:
    if ranges.nondecreasing(expression(tree)):
        name = data.draw(st.sampled_from(NAMES))
        larger = {**point, name: point[name] + data.draw(st.integers(1, 5))}
        assert value(tree, point) <= value(tree, larger)


@given(st.integers(1, 9), st.integers(-200, 50), st.integers(1, 9), st.integers(1, 30))
def test_the_least_argument_is_found(a: int, c: int, d: int, start: int) -> None:
    x = (a * H + c) // d
    assume(isinstance(x, Expr))
    by_trying = next(h for h in range(start, 1000) if (a * h + c) // d >= 0)
    assert ranges.least_argument(x, "H", start) == by_trying


@given(st.integers(1, 6), st.integers(-9, 9), st.integers(1, 6), st.integers(-9, 9), st.integers(1, 50))
def test_periodic_expressions_repeat(a: int, c: int, d: int, e: int, start: int) -> None:
    x = a * d * ((H + c) // a) - a * d * ((H + e) // d)
    x = x if a == d else a * ((H + c) // a) - d * ((H + e) // d)
    assume(isinstance(x, Expr))
    length = ranges.period(x)
    assert length is not None
    table = ranges.values_by_residue(x, length, start)
    for h in range(start, start + 2 * length + 3):
        assert substitute(x, {"H": h}) == table[h % length]


def test_what_grows_has_no_period() -> None:
    assert ranges.period(2 * (H // 2) - H + H // 3) is None
    assert ranges.period(H * W) is None
    assert ranges.period(H - 2 * (H // 2)) == 2


def test_bounds_that_layers_need_are_found() -> None:
    free: dict[str, tuple[int, int | None]] = {}
    assert ranges.lower(H, free) == 1
    assert ranges.upper(H, free) is None
    assert ranges.lower(2 * ((H + 1) // 2) - H, free) == 0
    assert ranges.upper(2 * ((H + 1) // 2) - H, free) == 1
    assert ranges.lower(H * W - H, free) == 0
    assert ranges.lower((H - 3) // 2 + 1, {"H": (3, None)}) == 1
