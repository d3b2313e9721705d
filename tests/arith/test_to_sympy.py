"""Our expressions and their sympy form have the same value everywhere."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import sympy

from archcalc import arith
from archcalc.arith import substitute, symbolic
from archcalc.arith.symbolic import symbol
from archcalc.arith.to_sympy import to_sympy

H, n = symbol("H"), symbol("n")


@pytest.mark.parametrize(
    "value",
    [
        H * 9 - 4,
        symbolic.divide(H * H - H, 2),
        (H * 2 + 5) // 3,
        H // (n + 1),
        arith.largest(H - n, 7),
        arith.smallest(H - n, 7),
        3 ** (n + 1) * H,
        symbolic.divide(H, n + 2),
    ],
    ids=str,
)
def test_values_agree(value: Any) -> None:
    form = to_sympy(value)
    for h in (4, 12, 35):
        for m in (1, 2, 5):
            plain = {s: v for s, v in {"H": h, "n": m}.items() if s in value.symbols}
            ours = symbolic.divide(*(substitute(p, plain) for p in symbolic.fraction_of(value)))
            theirs = form.subs({sympy.Symbol(s, integer=True, positive=True): v for s, v in plain.items()})
            assert sympy.Rational(ours) == theirs.doit()


def test_integers() -> None:
    assert to_sympy(12) == 12


def test_sixty_nested_floors_are_not_evaluated() -> None:
    size: Any = H
    for i in range(60):
        size = (size * 2 + n) // (3 + i % 2)
    assert to_sympy(size).free_symbols == {sympy.Symbol(s, integer=True, positive=True) for s in ("H", "n")}


def test_expressions_do_not_import_sympy() -> None:
    code = "import archcalc.arith.expressions, sys; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
