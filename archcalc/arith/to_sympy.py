"""Conversion of symbolic sizes to sympy expressions, for output through sympy's printers.

The conversion follows the structure of an expression and never parses text. sympy takes half a
second to import, so this module is imported only when a formula is to be printed.
"""

from __future__ import annotations

from typing import Any

import sympy

from archcalc.arith.symbolic import Atom, Expr, Extremum, Floor, Power, Sum, Symbol


def to_sympy(x: Any) -> sympy.Expr:
    """The sympy expression of an integer, a fraction or an `Expr`.

    Symbols become positive integers. Floors and extrema are left unevaluated: an `Expr` is already
    in normal form, and sympy's evaluation of nested floors takes seconds.
    """
    if not isinstance(x, Expr):
        return sympy.Rational(x.numerator, x.denominator)
    terms = []
    for monomial, coefficient in x.terms.items():
        factors = [_atom(atom) ** exponent for atom, exponent in monomial]
        terms.append(sympy.Mul(to_sympy(coefficient), *factors))
    return sympy.Add(*terms)


def _atom(atom: Atom) -> sympy.Expr:
    match atom:
        case Symbol(name=name):
            return sympy.Symbol(name, integer=True, positive=True)
        case Floor(numerator=numerator, divisor=divisor):
            return sympy.floor(to_sympy(numerator) / to_sympy(divisor), evaluate=False)
        case Extremum(values=values, is_max=is_max):
            return (sympy.Max if is_max else sympy.Min)(*map(to_sympy, values), evaluate=False)
        case Power(base=base, exponent=exponent):
            return to_sympy(base) ** to_sympy(exponent)
        case Sum(value=value):
            return to_sympy(value)
    raise TypeError(f"no sympy form of {atom!r}")
