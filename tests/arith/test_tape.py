"""Formulas as programs: on integers, arrays and ranges they give what Python's arithmetic gives."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith.symbolic import symbol
from archcalc.arith.tape import Tape
from tests.arith.expression_trees import NAMES, Tree, expression, trees, value

POINTS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(1, 60)))


def tape_of(tree: Tree) -> Tape:
    with arith.scope():
        formula = None
        with suppress(ZeroDivisionError):
            formula = expression(tree)
    assume(formula is not None)
    return Tape({"x": formula})  # type: ignore[dict-item]


@given(trees(), POINTS)
def test_on_integers(tree: Tree, at: dict[str, int]) -> None:
    assert tape_of(tree).run(at) == {"x": value(tree, at)}


@given(trees(), st.lists(POINTS, min_size=1, max_size=5))
def test_on_arrays(tree: Tree, points: list[dict[str, int]]) -> None:
    tape = tape_of(tree)
    reach = tape.reach({name: (min(p[name] for p in points), max(p[name] for p in points)) for name in NAMES})
    assume(reach is not None and reach < 2**63)
    columns = {name: np.array([p[name] for p in points]) for name in NAMES}
    found = np.broadcast_to(tape.run(columns)["x"], len(points))
    assert found.tolist() == [value(tree, p) for p in points]


@given(trees(), POINTS, st.fixed_dictionaries(dict.fromkeys(NAMES, st.tuples(*[st.integers(0, 20)] * 2))))
def test_ranges_contain_every_value(
    tree: Tree, at: dict[str, int], around: dict[str, tuple[int, int]]
) -> None:
    box = {n: (max(1, at[n] - around[n][0]), at[n] + around[n][1]) for n in NAMES}
    open_box = {n: (low, None if high % 3 == 0 else high) for n, (low, high) in box.items()}
    exact = value(tree, at)
    for ranges in (box, open_box):
        low, high = tape_of(tree).bounds(ranges)["x"]
        assert low is None or low <= exact
        assert high is None or exact <= high


def test_equal_parts_are_computed_once() -> None:
    w, h = symbol("w"), symbol("H")
    few = Tape({"a": 9 * w * w + (h // 2) ** 2, "b": 18 * w * w + 4 * (h // 2) ** 2})
    assert len([s for s in few.steps if s.operation == "floor"]) == 1
    # Horner: one multiplication and one addition a power
    assert len(Tape({"a": w**3 + 2 * w**2 + 3 * w + 4}).steps) <= 9


def test_what_cannot_be_bounded_is_said() -> None:
    w = symbol("w")
    assert Tape({"a": w * w}).bounds({"w": (3, None)})["a"] == (9, None)
    assert Tape({"a": w * w}).reach({"w": (3, None)}) is None
    assert Tape({"a": w * w}).reach({"w": (1, 10**10)}) == 10**20
