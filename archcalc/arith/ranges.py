"""Bounds of symbolic sizes that hold for every value that the symbols may take.

Floors are relaxed: `x//d` lies between `(x-d+1)/d` and `x/d`, so that terms which cancel up to
rounding cancel here too. A bound that cannot be found is `None`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import wraps
from itertools import product
from math import ceil, lcm, prod
from typing import Any

from archcalc.arith.symbolic import (
    UNIT,
    Atom,
    Coefficient,
    Expr,
    Extremum,
    Floor,
    Monomial,
    Power,
    Sum,
    Symbol,
    evaluate,
    expr_of,
    is_polynomial,
)

Bound = Coefficient | None
Ranges = Mapping[str, tuple[int, int | None]]

MAX_PERIOD = 4096
MAX_SEARCH = 1 << 64
MAX_PAIRED = 64  # terms up to which positive and negative ones are compared in pairs
MAX_STEPS = 200


class _Effort(threading.local):
    """Work of the current thread: recursion depth and bounds of this question, terms of all questions."""

    depth = 0
    steps = 0
    terms = 0


_effort = _Effort()
_Search = Callable[["int | Fraction | Expr", Ranges], Bound]


def _limited(search: _Search) -> _Search:
    """Make a search return None after `MAX_STEPS` bounds.

    Extrema inside floors inside extrema branch exponentially; no bound is always a correct answer.
    """

    @wraps(search)
    def limited(x: int | Fraction | Expr, ranges: Ranges) -> Bound:
        if _effort.depth == 0:
            _effort.steps = 0
        if _effort.steps >= MAX_STEPS:
            return None
        _effort.steps += 1
        _effort.depth += 1
        _effort.terms += len(x.terms) if isinstance(x, Expr) else 1
        try:
            return search(x, ranges)
        finally:
            _effort.depth -= 1

    return limited


def examined_terms() -> int:
    """How many terms this thread has examined so far, a measure of work."""
    return _effort.terms


@_limited
def lower(x: int | Fraction | Expr, ranges: Ranges) -> Bound:
    """The best known lower bound of `x`, or `None`; `ranges` replace the symbols' declared ranges."""
    if not isinstance(x, Expr):
        return x
    chosen = next((m for m in x.terms if _lone(m, Extremum)), None)
    if chosen is not None and sum(1 for m in x.terms if _lone(m, Extremum)) <= 3:
        atom = chosen[0][0]
        assert isinstance(atom, Extremum)
        coefficient = x.terms[chosen]
        rest = x - expr_of(atom) * coefficient
        bounds = [lower(rest + value * coefficient, ranges) for value in atom.values]
        return _most(bounds) if (coefficient > 0) == atom.is_max else _least(bounds)
    best = _most([_by_terms(x, ranges), _by_terms(_relaxed(x), ranges), _by_shift(_relaxed(x), ranges)])
    best = _by_terms(_paired(x, ranges), ranges) if best is None else best
    # an integer: the relaxed bound of H//2 - H//4 lies above -1, so 0 is a bound too
    return ceil(best) if best is not None and is_polynomial(x) else best


def upper(x: int | Fraction | Expr, ranges: Ranges) -> Bound:
    """The best known upper bound of `x`, or `None`."""
    below = lower(-x, ranges)
    return None if below is None else -below


def nondecreasing(x: int | Expr) -> bool:
    """Whether `x` certainly does not decrease when a symbol grows."""
    if not isinstance(x, Expr):
        return True
    for monomial, coefficient in x.terms.items():
        if monomial and coefficient < 0:
            return False
        for atom, exponent in monomial:
            if exponent < 0 or isinstance(atom, Power | Sum):
                return False
            if isinstance(atom, Floor) and isinstance(atom.divisor, Expr):
                return False
            if not all(map(nondecreasing, atom.arguments())):
                return False
    return True


def is_monotone(x: Expr, name: str) -> bool:
    """Whether `x` certainly only rises or only falls with a symbol, whatever the others are.

    It does if it is linear in a single quantity that does: the symbol, `2**symbol`, a floor of such an `x`.
    """
    varying = {
        (tuple((a, e) for a, e in monomial if name in expr_of(a).symbols)): None for monomial in x.terms
    }
    varying.pop((), None)
    if len(varying) != 1 or len(next(iter(varying))) != 1:
        return False
    ((atom, exponent),) = next(iter(varying))
    if isinstance(atom, Power):
        return isinstance(atom.base, int) and is_monotone(atom.exponent, name)
    if isinstance(atom, Floor):
        return isinstance(atom.divisor, int) and is_monotone(atom.numerator, name)
    return exponent == 1 and isinstance(atom, Symbol)


def least_argument(x: Expr, name: str, start: int) -> int | None:
    """The least value >= `start` of the only symbol at which the nondecreasing `x` is >= 0, or None."""

    def holds(value: int) -> bool:
        return bool(evaluate(x, {name: value}) >= 0)

    step = 1
    while not holds(start + step):
        step *= 2
        if step > MAX_SEARCH:
            return None
    low, high = start, start + step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def period(x: Expr) -> int | None:
    """The period of `x` in its only symbol, or None if it grows (or has several symbols)."""
    if len(x.symbols) != 1:
        return None
    flat, divisors = _without_floors(x)
    if flat is None or any(isinstance(flat, Expr) and m for m in getattr(flat, "terms", ())):
        return None
    length = lcm(*divisors) if divisors else 1
    return length if length <= MAX_PERIOD else None


def always_divisible(x: Expr, divisor: int) -> bool:
    """Whether `divisor` certainly divides `x`, by trying all residues of its atoms: 2 | n**2 - n."""
    atoms = list(x.atoms())
    if abs(divisor) ** len(atoms) > MAX_PERIOD or not is_polynomial(x):
        return False
    for residues in product(range(abs(divisor)), repeat=len(atoms)):
        at = dict(zip(atoms, residues, strict=True))
        value = sum(int(c) * prod(pow(at[a], e, divisor) for a, e in m) for m, c in x.terms.items())
        if value % divisor:
            return False
    return True


def values_by_residue(x: Expr, length: int, start: int) -> dict[int, Any]:
    """The values of `x`, which has period `length` in its only symbol, by the symbol's residue."""
    (name,) = x.symbols
    base = -(-start // length) * length
    return {r: evaluate(x, {name: base + r}) for r in range(length)}


def _without_floors(x: int | Expr) -> tuple[Any, set[int]]:
    """`x` up to a constant with floors as plain quotients (None if not affine), and all denominators."""
    if not isinstance(x, Expr):
        return x, set()
    total: Any = 0
    divisors: set[int] = {x.denominator}
    for monomial, coefficient in x.terms.items():
        if not monomial:
            total = total + coefficient
            continue
        if len(monomial) != 1 or monomial[0][1] != 1:
            return None, set()
        atom = monomial[0][0]
        if isinstance(atom, Symbol):
            total = total + expr_of(atom) * coefficient
        elif isinstance(atom, Floor) and isinstance(atom.divisor, int):
            inner, more = _without_floors(atom.numerator)
            if inner is None:
                return None, set()
            divisors |= {atom.divisor * d for d in more} | {atom.divisor}
            # rounding changes only the constant, and callers ask about growth alone
            total = total + inner * Fraction(1, atom.divisor) * coefficient
        else:
            return None, set()
    return total, divisors


def _relaxed(x: Expr) -> Any:
    """A lower bound of `x` in which no term is a multiple of one floor."""
    for _ in range(64):
        floors = [m for m in x.terms if _lone(m, Floor) and isinstance(_only(m).divisor, int)]
        if not floors:
            return x
        total: Any = Expr({m: c for m, c in x.terms.items() if m not in floors})
        for monomial in floors:
            floor, coefficient = _only(monomial), x.terms[monomial]
            slack = floor.divisor - 1 if coefficient > 0 else 0
            total = total + (floor.numerator - slack) * (Fraction(1, floor.divisor) * coefficient)
        if not isinstance(total, Expr):
            return total
        x = total
    return x


def _by_terms(x: Any, ranges: Ranges) -> Bound:
    if not isinstance(x, Expr):
        return Fraction(x)
    total: Coefficient = 0
    for monomial, coefficient in x.terms.items():
        bound = _monomial_bound(monomial, coefficient > 0, ranges)
        if bound is None:
            return None
        total += coefficient * bound
    return total


def _monomial_bound(monomial: Monomial, want_lower: bool, ranges: Ranges) -> Bound:
    """A bound of a product of nonnegative atoms."""
    result: Coefficient = 1
    for atom, exponent in monomial:
        low, high = _atom_range(atom, ranges)
        if len(monomial) == 1 and exponent == 1:
            return low if want_lower else high
        if low is None or low < 0:
            return None
        if (exponent > 0) == want_lower:
            if exponent < 0 and low == 0:
                return None
            result *= Fraction(low) ** exponent
        elif high is None:
            return 0 if want_lower else None
        else:
            result *= Fraction(high) ** exponent
    return result


def _atom_range(atom: Atom, ranges: Ranges) -> tuple[Bound, Bound]:
    if isinstance(atom, Symbol):
        return ranges.get(atom.name, (atom.minimum, atom.maximum))
    if isinstance(atom, Floor):
        low, high = lower(atom.numerator, ranges), upper(atom.numerator, ranges)
        if isinstance(atom.divisor, int):
            return _floored(low, atom.divisor), _floored(high, atom.divisor)
        least = lower(atom.divisor, ranges)
        if low is None or low < 0 or least is None or least <= 0:
            return None, None
        most = upper(atom.divisor, ranges)
        return (0 if most is None else low // most), (None if high is None else high // least)
    if isinstance(atom, Extremum):
        lows = [lower(v, ranges) for v in atom.values]
        highs = [upper(v, ranges) for v in atom.values]
        return (_most(lows), _all(highs, max)) if atom.is_max else (_all(lows, min), _least_known(highs))
    if isinstance(atom, Power):
        low, least = lower(atom.base, ranges), lower(atom.exponent, ranges)
        if low is None or low < 1 or least is None or least < 0:
            return None, None
        # no upper bound: it is rarely of use
        return Fraction(low) ** int(min(least, 64)), None
    assert isinstance(atom, Sum)
    return lower(atom.value, ranges), upper(atom.value, ranges)


def _by_shift(x: Any, ranges: Ranges) -> Bound:
    """A lower bound: with each atom written as its least value plus t >= 0, the constant term.

    None unless all other coefficients are nonnegative.
    """
    if not isinstance(x, Expr) or len(x.terms) > 200:
        return None
    polynomial: dict[Monomial, Coefficient] = {}
    for monomial, coefficient in x.terms.items():
        expanded: dict[Monomial, Coefficient] = {UNIT: coefficient}
        for atom, exponent in monomial:
            low = _atom_range(atom, ranges)[0]
            if low is None or exponent < 0 or exponent > 8:
                return None
            for _ in range(exponent):
                product: dict[Monomial, Coefficient] = {}
                for m, c in expanded.items():
                    raised = _raise(m, atom)
                    product[m] = product.get(m, 0) + c * low
                    product[raised] = product.get(raised, 0) + c
                expanded = product
        for m, c in expanded.items():
            polynomial[m] = polynomial.get(m, 0) + c
    constant = polynomial.pop(UNIT, 0)
    return constant if all(c >= 0 for c in polynomial.values()) else None


def _paired(x: Expr, ranges: Ranges) -> Any:
    """A lower bound of `x`: negative terms are cancelled against positive ones that exceed them.

    `512*H**2 - 1024*(H//2)**2` becomes `256*H**2`.
    """
    remaining = dict(x.terms)
    falling = [m for m, c in remaining.items() if c < 0 and m]
    if len(remaining) > MAX_PAIRED or len(falling) > MAX_PAIRED // 4:
        return x
    for monomial in falling:
        for larger in [m for m, c in remaining.items() if c > 0 and m]:
            ratio = _times_larger(larger, monomial, ranges)
            if ratio:
                paid = min(remaining[larger] * ratio, -remaining[monomial])
                remaining[larger] -= Fraction(paid) / ratio
                remaining[monomial] += paid
    return Expr({m: c for m, c in remaining.items() if c}) if any(remaining.values()) else 0


def _times_larger(larger: Monomial, smaller: Monomial, ranges: Ranges) -> int:
    """A factor k, found factor by factor, such that `larger >= k * smaller` for certain; 0 if none."""
    _effort.terms += 1
    if len(larger) != len(smaller):
        return 0
    times = 1
    for (a, exponent), (b, other) in zip(larger, smaller, strict=True):
        low = _atom_range(b, ranges)[0]
        if exponent != other or exponent < 0 or low is None or low < 0:
            return 0
        times *= _atom_times_larger(a, b, ranges) ** exponent
    return times


def _atom_times_larger(a: Atom, b: Atom, ranges: Ranges) -> int:
    if a == b:
        return 1
    (top, bottom), (other_top, other_bottom) = _as_fraction(a), _as_fraction(b)
    if top is None or other_top is None:
        return 0
    if top == other_top and other_bottom % bottom == 0:
        return other_bottom // bottom  # b is a//ratio
    difference = _by_terms(top * other_bottom - other_top * bottom, ranges)
    return int(difference is not None and difference >= 0)


def _as_fraction(atom: Atom) -> tuple[Any, int]:
    """Numerator and divisor of an atom that is floor(numerator / divisor); else the numerator is None."""
    if isinstance(atom, Symbol):
        return expr_of(atom), 1
    if isinstance(atom, Floor) and isinstance(atom.divisor, int):
        return atom.numerator, atom.divisor
    return None, 1


def _raise(monomial: Monomial, atom: Atom) -> Monomial:
    exponents = dict(monomial)
    exponents[atom] = exponents.get(atom, 0) + 1
    return tuple(sorted(exponents.items(), key=lambda pair: pair[0].key))


def _lone(monomial: Monomial, kind: type[Atom]) -> bool:
    return len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], kind)


def _only(monomial: Monomial) -> Any:
    return monomial[0][0]


def _floored(bound: Bound, divisor: int) -> Bound:
    return None if bound is None else bound // divisor


def _most(bounds: list[Bound]) -> Bound:
    known = [b for b in bounds if b is not None]
    return max(known) if known else None


def _least(bounds: list[Bound]) -> Bound:
    return _all(bounds, min)


def _least_known(bounds: list[Bound]) -> Bound:
    known = [b for b in bounds if b is not None]
    return min(known) if known else None


def _all(bounds: list[Bound], choose: Callable[[list[Coefficient]], Coefficient]) -> Bound:
    known = [b for b in bounds if b is not None]
    return choose(known) if len(known) == len(bounds) else None
