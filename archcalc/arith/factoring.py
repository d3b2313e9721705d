"""Formulas as products, where that is shorter: content, common powers, and linear factors in one symbol."""

from __future__ import annotations

from itertools import count
from math import gcd
from typing import Any, NamedTuple

from archcalc.arith.symbolic import UNIT, Expr, Monomial, Symbol, evaluate, expr_of, is_polynomial

MAX_TERMS, MAX_DEGREE, MAX_ROOT = 40, 8, 64


class Factors(NamedTuple):
    """`content * product(base ** exponent)`; a base is a symbol or a sum."""

    content: int
    powers: tuple[tuple[Expr, int], ...]

    def __str__(self) -> str:
        parts = [] if self.content == 1 and self.powers else [str(self.content)]
        for base, exponent in self.powers:
            text = str(base) if len(base.terms) == 1 else f"({base})"
            parts.append(text if exponent == 1 else f"{text}**{exponent}")
        return "*".join(parts)


def factored(x: Any) -> Factors | None:
    """The factors of a polynomial in symbols; None where it has none, or is something else."""
    if not isinstance(x, Expr) or not is_polynomial(x) or len(x.terms) > MAX_TERMS:
        return None
    if not all(isinstance(a, Symbol) and e <= MAX_DEGREE for m in x.terms for a, e in m):
        return None
    content = gcd(*(int(c) for c in x.terms.values()))
    shared = _common(list(x.terms))
    rest: Any = Expr({_less(m, shared): int(c) // content for m, c in x.terms.items()})
    powers: dict[Expr, int] = {expr_of(atom): e for atom, e in shared}
    for symbol in list(rest.symbols.values()):
        while isinstance(rest, Expr) and len(rest.terms) > 1:
            factor = _linear_factor(rest, symbol)
            if factor is None:
                break
            root, rest = factor
            powers[root] = powers.get(root, 0) + 1
    if isinstance(rest, Expr) and rest.terms != {UNIT: 1}:
        powers[rest] = powers.get(rest, 0) + 1
    elif not isinstance(rest, Expr):
        content *= int(rest)
    return (
        Factors(content, tuple(powers.items()))
        if len(powers) > 1 or content != 1
        else _power(content, powers)
    )


def _power(content: int, powers: dict[Expr, int]) -> Factors | None:
    return Factors(content, tuple(powers.items())) if any(e > 1 for e in powers.values()) else None


def shortest(x: Any) -> str:
    """The formula, as a product where that is shorter than the sum."""
    plain = str(x)
    product = factored(x)
    text = plain if product is None else str(product)
    return text if len(text) < len(plain) else plain


def _common(monomials: list[Monomial]) -> Monomial:
    """The powers that all monomials have in common."""
    powers = [dict(m) for m in monomials]
    least = {a: min(p.get(a, 0) for p in powers) for a in powers[0]}
    return tuple((a, e) for a, e in least.items() if e)


def _less(monomial: Monomial, divisor: Monomial) -> Monomial:
    exponents = dict(monomial)
    for atom, exponent in divisor:
        exponents[atom] -= exponent
    return tuple((a, e) for a, e in exponents.items() if e)


def _linear_factor(x: Expr, symbol: Symbol) -> tuple[Expr, Any] | None:
    """A factor `b*symbol - a` and the quotient."""
    coefficients = _in_one(x, symbol)
    others = {name: 3 + 2 * i for i, name in zip(count(1), x.symbols.keys() - {symbol.name}, strict=False)}
    numbers = [evaluate(c, others) if isinstance(c, Expr) else c for c in coefficients]
    for b in (1, 2, 3, 4):
        for a in range(-MAX_ROOT, MAX_ROOT + 1):
            if (
                gcd(a, b) == 1
                and sum(n * a**i * b ** (len(numbers) - 1 - i) for i, n in enumerate(numbers)) == 0
            ):
                quotient = _divided(coefficients, a, b, symbol)
                if quotient is not None:
                    return b * expr_of(symbol) - a, quotient
    return None


def _in_one(x: Expr, symbol: Symbol) -> list[Any]:
    """The coefficients of the symbol's powers, from the constant on."""
    found: dict[int, Any] = {}
    for monomial, coefficient in x.terms.items():
        exponents = dict(monomial)
        power = exponents.pop(symbol, 0)
        term = Expr({tuple(exponents.items()): coefficient}) if exponents else coefficient
        found[power] = found.get(power, 0) + term
    return [found.get(i, 0) for i in range(max(found) + 1)]


def _divided(coefficients: list[Any], a: int, b: int, symbol: Symbol) -> Any:
    """The quotient by `b*symbol - a`, None where it leaves a rest."""
    total: Any = 0
    carried: Any = 0
    quotient: list[Any] = []
    for coefficient in reversed(coefficients):
        carried = coefficient + quotient[-1] * a if quotient else coefficient
        if not isinstance(carried, Expr):
            if carried % b and len(quotient) < len(coefficients) - 1:
                return None
            quotient.append(carried // b)
        elif all(c % b == 0 for c in carried.terms.values()):
            quotient.append(Expr({m: int(c) // b for m, c in carried.terms.items()}))
        else:
            return None
    if isinstance(carried, Expr) or carried != 0:
        return None
    for power, part in enumerate(reversed(quotient[:-1])):
        total = total + part * (expr_of(symbol) ** power if power else 1)
    return total
