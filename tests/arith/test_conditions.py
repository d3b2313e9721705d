"""Conditions on figures, against Python's own comparisons, and where their faults are placed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.arith.arrays import array
from archcalc.arith.conditions import parse
from archcalc.errors import ExpressionError

NAMES = ("parameters", "w", "n")

numbers = st.one_of(st.sampled_from(NAMES), st.integers(0, 9).map(str))
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.sampled_from([" // 3", " % 4", " ** 2"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=4,
)
comparisons = st.lists(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sums), min_size=1, max_size=2
).flatmap(lambda rest: sums.map(lambda first: first + "".join(f" {sign} {other}" for sign, other in rest)))
truths = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join),
        inner.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=4,
)
POINTS = [{"parameters": p, "w": w, "n": n} for p in (0, 3, 10**6) for w in (1, 2, 7) for n in (1, 4)]


def by_python(text: str, values: dict[str, int]) -> bool:
    # the text is of the strategies above
    return bool(eval(text, {"__builtins__": {}}, values))


@given(truths)
def test_means_what_python_means(text: str) -> None:
    condition = parse(text, NAMES)
    expected = [by_python(text, point) for point in POINTS]
    assert [bool(condition.holds(point)) for point in POINTS] == expected
    columns = {name: array([point[name] for point in POINTS]) for name in NAMES}
    assert np.broadcast_to(np.asarray(condition.holds(columns)), len(POINTS)).tolist() == expected


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("parameters < 5e6", [True, False]),
        ("parameters <= 5_000_000", [True, True]),
        ("parameters / 2 < 2.5e6", [True, False]),
        ("1.5 * w <= 3", [True, False]),
        ("8 > w >= 2 and not n == 2", [True, False]),
        ("parameters < 1e18", [True, True]),
    ],
)
def test_numbers(text: str, holds: list[bool]) -> None:
    columns = {"parameters": array([4_999_999, 5_000_000]), "w": array([2, 8]), "n": array([1, 2])}
    condition = parse(text, NAMES)
    assert np.broadcast_to(np.asarray(condition.holds(columns)), 2).tolist() == holds


@pytest.mark.parametrize(
    ("text", "fault", "column"),
    [
        ("w", "a number where a condition is expected", 2),
        ("w < ", "expected a number, a symbol or '('", 5),
        ("w = 3", "write ==", 3),
        ("w < 3 && n < 2", "unexpected character '&'", 7),
        ("w < 3 and n", "a number where a condition is expected", 7),
        ("parametres < 3", "did you mean 'parameters'?", 1),
        ("(w < 3) < n", "a condition where a number is expected", 9),
        ("w + (n < 3) < 2", "a condition where a number is expected", 3),
        ("parameters / n < 3", "multiply the other side", 12),
        ("w < 1e999999999", "too many digits", 5),
        ("w not 3", "expected an operator", 3),
        ("(w < 3", "this '(' is never closed", 1),
        ("", "an empty text", None),
        ("max(w < 3, 2) > 1", "a condition where a number is expected", 4),
    ],
)
def test_faults_are_placed(text: str, fault: str, column: int | None) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(text, NAMES)
    assert fault in str(raised.value)
    if column is not None:
        assert f"(column {column} of" in str(raised.value)
