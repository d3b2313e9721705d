"""Sums over the copies of a block against adding up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from archcalc.arith.arrays import array
from archcalc.arith.sums import at_copy, over_copies, power
from archcalc.arith.symbolic import Expr, symbol
from archcalc.arith.unknown import Unknown

C, D, K, N = symbol("i", 0), symbol("j", 0), symbol("k"), symbol("n")


def drawn(draw: random.Random) -> Any:
    """A random polynomial in i, k and powers of small bases."""
    terms = []
    for _ in range(draw.randint(1, 4)):
        term: Any = draw.randint(-5, 9) * C ** draw.randint(0, 4) * K ** draw.randint(0, 2)
        for _ in range(draw.randint(0, 2)):
            term = term * draw.randint(2, 6) ** (draw.randint(1, 2) * C + draw.randint(0, 2))
        terms.append(term)
    return sum(terms) + C


def value(x: Any, **at: int) -> Any:
    return x.evaluate({n: at[n] for n in x.symbols}) if isinstance(x, Expr) else x


@pytest.mark.parametrize("seed", range(40))
def test_a_sum_is_that_of_its_terms(seed: int) -> None:
    draw = random.Random(seed)
    of_one, k = drawn(draw), draw.randint(1, 5)
    whole, last = over_copies(of_one, "i", N), at_copy(of_one, "i", N - 1)
    for n in range(1, 8):
        terms = [value(of_one, i=i, k=k) for i in range(n)]
        assert value(whole, n=n, k=k) == sum(terms)
        assert value(last, n=n, k=k) == terms[-1]


def test_sums_of_sums() -> None:
    triangle = over_copies(over_copies(C * D + 1, "j", C + 1), "i", N)
    for n in range(1, 6):
        assert value(triangle, n=n) == sum(i * j + 1 for i in range(n) for j in range(i + 1))


def test_sums_of_arrays_of_copies() -> None:
    found = over_copies(3 * C**2 + 2**C, "i", array([1, 2, 5]))
    assert list(found) == [sum(3 * i**2 + 2**i for i in range(n)) for n in (1, 2, 5)]


@pytest.mark.parametrize("of_one", [C // 2, 1 / (C + 1) * 6, C**C, (-C + 3) ** 40])
def test_what_has_no_form_is_unknown(of_one: Any) -> None:
    assert isinstance(over_copies(of_one, "i", N), Unknown)


def test_powers_have_one_form() -> None:
    assert power(2, N + 1) == 2 * 2**N
    assert power(8, N) == (2**N) ** 3
    assert power(6, N) == 6**N
