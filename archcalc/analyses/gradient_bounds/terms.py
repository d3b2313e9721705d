"""Bounds as numbers and as formulas: products and sums of norms that stay readable at any depth.

A number is kept as its natural logarithm, so that neither 10^5000 nor 10^-5000 leaves its range. A
formula is a tree that shares its parts, and what all terms of a sum have in common is drawn out in
front: a residual block gives `(1 + L)`, and a chain of them stays a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log, log1p
from typing import TypeAlias

from archcalc.arith import Size, is_array
from archcalc.arith.symbolic import Expr

# how far back along a product a common part is looked for: a block of a network is not longer
MAX_BRANCH = 64
# a longer formula is cut: nobody reads it
MAX_FACTORS = 40


# -- formulas ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A plain number, by its logarithm."""

    log: float


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A quantity with a name: `norm(conv1/kernel)`."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """A product; chains of them lean to the right, towards the output of the network."""

    first: Term
    rest: Term


@dataclass(frozen=True, slots=True, eq=False)
class Plus:
    """A sum, or with `root` the root of the sum of squares."""

    terms: tuple[Term, ...]
    root: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """A power with a symbolic exponent."""

    base: Term
    exponent: Size


Term: TypeAlias = Number | Norm | Times | Plus | Raised
ONE = Number(0.0)


def text(term: Term) -> str:
    """A formula as text, of `MAX_FACTORS` factors at most."""
    factors: list[str] = []
    coefficient, cut = 0.0, False
    waiting: list[Term] = [term]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Times):
            waiting += [part.rest, part.first]
        elif isinstance(part, Number):
            coefficient += part.log
        elif len(factors) == MAX_FACTORS:
            cut = True
            break
        else:
            factors.append(_factor(part))
    if coefficient == -inf:
        return "0"
    if cut:
        factors.append("...")
    front, back = _number(coefficient)
    if not factors:
        return (front or "1") + back
    return "*".join([*([front] if front else []), *factors]) + back


def _factor(part: Term) -> str:
    match part:
        case Norm(name):
            return name
        case Raised(base, exponent):
            power = str(exponent) if str(exponent).isalnum() else f"({exponent})"
            inner = text(base)
            closed = inner.isalnum() or isinstance(base, Plus)
            return f"{inner if closed else f'({inner})'}^{power}"
        case Plus(terms, root):
            if root:
                return f"sqrt({' + '.join(f'({text(t)})^2' for t in terms)})"
            return f"({' + '.join(map(text, terms))})"
    raise TypeError(f"no factor: {part!r}")


def _number(logarithm: float) -> tuple[str, str]:
    """A coefficient as it is written before the factors, and behind them."""
    if logarithm == 0.0:
        return "", ""
    if abs(logarithm) > 600:
        return f"10^{logarithm / log(10):.6g}", ""
    value = exp(logarithm)
    for form, number in (("", value), ("/", 1 / value)):
        whole = round(number)
        if 0 < whole < 10**6 and abs(number - whole) < 1e-9 * number:
            if form:
                return "", f"/{whole}"
            return ("" if whole == 1 else str(whole)), ""
    return f"{value:.6g}", ""


def _common(terms: Sequence[Term]) -> Term | None:
    """The part that all terms end with; None if there is none within reach."""
    paths: list[list[Term]] = []
    for term in terms:
        path = [term]
        while isinstance(path[-1], Times) and len(path) < MAX_BRANCH:
            path.append(path[-1].rest)
        paths.append(path)
    shared = set(map(id, paths[0])).intersection(*(map(id, p) for p in paths[1:]))
    return next((part for part in paths[0] if id(part) in shared), None)


def _before(term: Term, end: Term) -> Term:
    """The product without the part that it ends with."""
    factors = []
    while term is not end:
        assert isinstance(term, Times)
        factors.append(term.first)
        term = term.rest
    found: Term = ONE
    for factor in reversed(factors):
        found = factor if found is ONE else Times(factor, found)
    return found


def _summed(terms: Sequence[Term], *, root: bool) -> Term:
    if len(terms) == 1:
        return terms[0]
    end = _common(terms)
    if end is None or end is ONE:
        return Plus(tuple(terms), root)
    return Times(Plus(tuple(_before(t, end) for t in terms), root), end)


# -- numbers -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Linear:
    """A logarithm that is linear in symbolic sizes: a constant, and a coefficient for each size."""

    constant: float
    terms: tuple[tuple[Size, float], ...]

    def log10(self) -> str:
        parts = [f"{self.constant / log(10):.6g}"] if self.constant else []
        parts += [f"{value / log(10):.6g}*{_in_product(size)}" for size, value in self.terms]
        return " + ".join(parts).replace("+ -", "- ")


def _in_product(size: Size) -> str:
    shown = str(size)
    return shown if shown.isalnum() else f"({shown})"


Log: TypeAlias = "float | Linear | None"


def _added(a: Log, b: Log) -> Log:
    if a is None or b is None:
        # zero times something that has no number is still zero
        return -inf if -inf in (a, b) else None
    if isinstance(a, float) and isinstance(b, float):
        return -inf if -inf in (a, b) else a + b
    left = a if isinstance(a, Linear) else Linear(a, ())
    right = b if isinstance(b, Linear) else Linear(b, ())
    if not isfinite(left.constant + right.constant):
        return left.constant + right.constant
    found = dict(left.terms)
    for size, value in right.terms:
        found[size] = found.get(size, 0.0) + value
    return Linear(left.constant + right.constant, tuple((s, v) for s, v in found.items() if v))


def _log_sum(logs: Sequence[Log], power: float) -> Log:
    """Log of (the sum of powers)^(1/power)."""
    present = [x for x in logs if x != -inf]
    if not present:
        return -inf
    if len(present) == 1:
        return present[0]
    if any(x == inf for x in present):
        return inf
    numbers = [x for x in present if isinstance(x, float)]
    if len(numbers) == len(present):
        most = max(numbers)
        return most + log(sum(exp(power * (x - most)) for x in numbers)) / power
    linear = [x if isinstance(x, Linear) else Linear(x, ()) for x in present if x is not None]
    if len(linear) == len(present) and len({x.terms for x in linear}) == 1:
        constant = _log_sum([x.constant for x in linear], power)
        assert isinstance(constant, float)
        return Linear(constant, linear[0].terms)
    return None


# -- both ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A factor that a norm grows by at most: its logarithm, its formula, and why it is infinite.

    `log` is a float, linear in symbolic sizes, or None where it holds a norm without a number.
    """

    log: Log
    term: Term
    cause: str | None = None

    @property
    def is_zero(self) -> bool:
        return self.log == -inf

    @property
    def unbounded(self) -> bool:
        return self.cause is not None

    def because(self, layer: str) -> Bound:
        """The same, an infinite one with the layer that it comes from."""
        return self if self.cause is None else Bound(self.log, self.term, f"{layer}: {self.cause}")


IDENTITY = Bound(0.0, ONE)
ZERO = Bound(-inf, Number(-inf))


def number(value: float) -> Bound:
    """A plain factor."""
    if value == 1.0:
        return IDENTITY
    if value == 0.0:
        return ZERO
    if value == inf:
        return infinite("the factor has no bound")
    return Bound(log(value), Number(log(value)))


def infinite(cause: str) -> Bound:
    """No bound, for this reason."""
    return Bound(inf, Norm("inf"), cause)


def named(name: str, value: float | None) -> Bound:
    """A norm with a name, and its value where there is one."""
    if value is None:
        return Bound(None, Norm(name))
    if value == inf:
        return infinite(f"{name} exceeds the range of double precision")
    return ZERO if value == 0.0 else Bound(log(value), Norm(name))


def root_of(size: Size) -> Bound:
    """The square root of a size."""
    if type(size) is int:
        return number(float(size) ** 0.5)
    if isinstance(size, Expr):
        return Bound(None, Norm(f"sqrt({size})"))
    return infinite(f"of a size that is {'an array' if is_array(size) else 'unknown'}")


def times(*factors: Bound) -> Bound:
    """The product; the last factors are those nearest to the network's output."""
    if any(f.is_zero for f in factors):
        return ZERO
    for f in factors:
        if f.cause is not None:
            return f
    found = factors[-1]
    for factor in reversed(factors[:-1]):
        if factor is IDENTITY:
            continue
        if found is IDENTITY:
            found = factor
            continue
        found = Bound(_added(factor.log, found.log), Times(factor.term, found.term))
    return found


def plus(bounds: Iterable[Bound]) -> Bound:
    """The sum: paths side by side."""
    return _joined(bounds, 1.0)


def hypot(bounds: Iterable[Bound]) -> Bound:
    """The root of the sum of squares: parts of one tensor."""
    return _joined(bounds, 2.0)


def _joined(bounds: Iterable[Bound], power: float) -> Bound:
    present = [b for b in bounds if not b.is_zero]
    if not present:
        return ZERO
    for bound in present:
        if bound.cause is not None:
            return bound
    if len(present) == 1:
        return present[0]
    term = _summed([b.term for b in present], root=power == 2.0)
    return Bound(_log_sum([b.log for b in present], power), term)


def power(base: Bound, exponent: Size) -> Bound:
    """A power: whole, or with a symbolic exponent, where the logarithm becomes linear in it."""
    if base.is_zero or base.cause is not None or base is IDENTITY:
        return base
    found: Log
    if base.log is None or isinstance(base.log, Linear):
        found = None
    elif isinstance(exponent, Expr):
        found = Linear(0.0, ((exponent, base.log),)) if base.log else 0.0
    else:
        found = base.log * exponent
    return Bound(found, Raised(base.term, exponent))


def one_less(loss: Bound) -> Bound:
    """`max(0, 1 - loss)`: what an identity keeps beside a branch; zero where the branch has no number."""
    if not isinstance(loss.log, float) or loss.log >= 0:
        return ZERO
    kept = log1p(-exp(loss.log))
    return Bound(kept, Plus((ONE, Times(Number(0.0), loss.term)))) if kept else IDENTITY
