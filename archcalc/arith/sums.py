"""Sums of a size over the copies of a repeated block, in closed form."""

from __future__ import annotations

from fractions import Fraction
from math import comb, lcm
from typing import Any, NamedTuple

from archcalc.arith.sizes import Size, is_array, substitute, total
from archcalc.arith.symbolic import Atom, Expr, Monomial, Power, Symbol, divide, expr_of
from archcalc.arith.unknown import Unknown

MAX_DEGREE = 32  # of the index in a sum; a size is linear in it, and a tensor has few axes


class _Term(NamedTuple):
    """`factor * index**degree * ratio**index`, where factor and ratio are without the index."""

    factor: Any
    degree: int
    ratio: int


def over_copies(of_one: Size, index: str, count: Size) -> Size:
    """The sum of `of_one` over `index` = 0, ..., `count` - 1.

    Sources: Faulhaber's formula and the geometric sum, both as differences F(count) - F(0) with
    F(i + 1) - F(i) = i**degree * ratio**i. Unknown where the index is inside a floor, a maximum or a divisor.
    """
    if not isinstance(of_one, Expr) or index not in of_one.symbols:
        return count * of_one
    terms = [_term(monomial, coefficient, index) for monomial, coefficient in of_one.terms.items()]
    known = [term for term in terms if term is not None and term.degree <= MAX_DEGREE]
    if len(known) < len(terms):
        return Unknown(f"the sum of {of_one} over all copies of a block has no closed form")
    return total(_summed(term, count) for term in known)


def at_copy(of_one: Size, index: str, copy: Any) -> Size:
    """The figure of one copy, `copy` of those that `index` numbers."""
    if not isinstance(of_one, Expr) or index not in of_one.symbols:
        return of_one
    terms = [_term(monomial, coefficient, index) for monomial, coefficient in of_one.terms.items()]
    known = [term for term in terms if term is not None]
    if len(known) < len(terms):
        put_in: Size = substitute(of_one, {index: copy})
        return put_in
    return total(t.factor * (copy**t.degree if t.degree else 1) * power(t.ratio, copy) for t in known)


def power(base: int, exponent: Any) -> Any:
    """`base**exponent` in one form: `2**(n + 1)` is `2*2**n`, and `4**n` is `(2**n)**2`."""
    if base == 1:
        return 1
    if not isinstance(exponent, Expr):
        return base**exponent if is_array(exponent) else Fraction(base) ** exponent
    constant = int(exponent.constant)
    root, times = next((r, e) for e in range(base.bit_length(), 0, -1) if (r := _root(base, e)) ** e == base)
    return expr_of(Power(root, exponent - constant)) ** times * Fraction(base) ** constant


def _root(base: int, exponent: int) -> int:
    return round(base ** (1 / exponent)) if exponent > 1 else base


def _term(monomial: Monomial, coefficient: Any, index: str) -> _Term | None:
    term = _Term(coefficient, 0, 1)
    for atom, exponent in monomial:
        if isinstance(atom, Symbol) and atom.name == index and exponent > 0:
            term = term._replace(degree=term.degree + exponent)
        elif index not in expr_of(atom).symbols:
            term = term._replace(factor=term.factor * Expr({((atom, exponent),): 1}))
        else:
            split = _exponential(atom, index) if exponent > 0 else None
            if split is None:
                return None
            factor, ratio = split
            term = _Term(term.factor * factor**exponent, term.degree, term.ratio * ratio**exponent)
    return term


def _exponential(atom: Atom, index: str) -> tuple[Any, int] | None:
    """(f, r) of an atom that is `f * r**index`; None for others."""
    if not isinstance(atom, Power) or not isinstance(atom.base, int):
        return None
    step = next((c for m, c in atom.exponent.terms.items() if [(a.key, e) for a, e in m] == [(index, 1)]), 0)
    rest = atom.exponent - expr_of(Symbol(index, 0)) * step
    if not isinstance(step, int) or step < 1 or (isinstance(rest, Expr) and index in rest.symbols):
        return None
    return power(atom.base, rest), atom.base**step


def _summed(term: _Term, count: Size) -> Size:
    """A term's sum over all copies: F(count) - F(0)."""
    scale, *numbers = _antidifference(term.degree, term.ratio)
    raised: Any = power(term.ratio, count)
    of_count: Any = 0
    for number in reversed(numbers):
        of_count = of_count * count + number
    difference = raised * of_count - numbers[0]
    whole: Any = difference // scale if is_array(difference) else divide(difference, scale)
    summed: Size = term.factor * whole
    return summed


def _antidifference(degree: int, ratio: int) -> list[int]:
    """The coefficients of a polynomial P with r**(i+1) P(i+1) - r**i P(i) = i**degree * r**i.

    As integers over the first one, a common denominator; the constant comes next. In the equation the
    highest power of i fixes the highest coefficient, and so on down.
    """
    highest = degree + (ratio == 1)
    found = [Fraction(0)] * (highest + 1)
    for power_ in range(highest, -1, -1):
        known = sum(comb(j, power_) * found[j] for j in range(power_ + 1, highest + 1))
        if ratio != 1:
            found[power_] = Fraction((power_ == degree) - ratio * known) / (ratio - 1)
        elif power_ > 0:  # found[power_] enters in the equation of the power below
            below = power_ - 1
            known = sum(comb(j, below) * found[j] for j in range(power_ + 1, highest + 1))
            found[power_] = Fraction((below == degree) - known) / power_
    scale = lcm(*(c.denominator for c in found))
    return [scale, *(int(c * scale) for c in found)]
