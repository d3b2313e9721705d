"""Assumptions about symbols: solved for one symbol, else recorded as text."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc import arith
from archcalc.arith import ranges, symbolic
from archcalc.arith.symbolic import symbol
from archcalc.errors import LayerError

H, n, w = symbol("H"), symbol("n"), symbol("w")


def assumed(*requirements: tuple[str, Any, Any]) -> list[str]:
    with arith.scope() as scope:
        for kind, a, b in requirements:
            if kind == ">=":
                arith.require_at_least(a, b, "refused")
            elif kind == "==":
                arith.require_equal(a, b, "refused")
            else:
                arith.require_integer(symbolic.divide(a, b), "refused")
    return scope.assumptions.texts()


@pytest.mark.parametrize(
    ("requirement", "text"),
    [
        ((">=", (H - 7) // 2, 3), ["H >= 13"]),
        ((">=", symbolic.divide(H, 2), 3), ["H >= 6"]),
        ((">=", symbolic.divide(H * 3 - 5, 4), 1), ["H >= 3"]),
        ((">=", 9, H * 2), ["H <= 4"]),
        (("==", 2 * ((H + 1) // 2), H), ["H % 2 == 0"]),
        (("exact", H, 4), ["H % 4 == 0"]),
        (("exact", n * n - n, 2), []),
        (("exact", n * (n + 1) * (n + 2), 6), []),
        (("exact", n * w, 2), ["(n*w) % (2) == 0"]),
        ((">=", H, n), ["H >= n"]),
    ],
)
def test_requirements(requirement: tuple[str, Any, Any], text: list[str]) -> None:
    assert assumed(requirement) == text


def test_requirements_meet() -> None:
    assert assumed((">=", H, 15), (">=", H, 3), ("exact", H, 4), ("exact", H, 6)) == [
        "H >= 15",
        "H % 12 == 0",
    ]


def test_a_least_value_that_the_residues_imply_is_not_repeated() -> None:
    assert assumed((">=", symbolic.divide(H, 2), 1), ("exact", H, 2)) == ["H % 2 == 0"]
    assert assumed((">=", H, 12), ("exact", H, 12)) == ["H % 12 == 0"]


def test_what_no_value_meets_is_refused() -> None:
    with pytest.raises(LayerError, match="refused"):
        assumed(("exact", H, 2), ("exact", H - 1, 2))


@pytest.mark.parametrize("divisor", [2, 3, 4, 5, 6])
def test_divisibility_is_that_of_every_value(divisor: int) -> None:
    for x in (n * n - n, n * (n + 1) * (n + 2), n**4 - n**2, n * 4 + 2, n**5 - n):
        truth = all(arith.substitute(x, {"n": v}) % divisor == 0 for v in range(1, 61))
        assert ranges.always_divisible(x, divisor) == truth
