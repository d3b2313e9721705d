"""Bounds as numbers and as formulas: products and sums of norms that stay readable at any depth.

A number is stored as its natural logarithm, so that 10^5000 and 10^-5000 are in range. A formula is a
tree with shared subtrees, and a factor that all terms of a sum end with is factored out: a residual
block gives `(1 + L)`, and a chain of them stays a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log, log1p
from typing import Any, TypeAlias

from archcalc.arith import Size, is_array
from archcalc.arith.symbolic import Expr

# factors of a product that are searched for a common end: more than a block of a network has
MAX_BRANCH = 64
# longer formulas are truncated: the factors of one product, and those of all products in the text, because
# sums within sums have a factor for each path through the network
MAX_FACTORS = 40
MAX_TEXT = 500
# logarithms of factors this close to 1 are sums that should be 0; as coefficients they would name a symbol
ROUNDING = 1e-12


# -- formulas ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number, by its logarithm."""

    log: float


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A symbol such as `norm(conv1/kernel)`."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product; `rest` is the part nearer to the output of the network."""

    first: Term
    rest: Term


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A sum; with `root` the square root of the sum of squares."""

    terms: tuple[Term, ...]
    root: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """A power with a symbolic exponent."""

    base: Term
    exponent: Size


Term: TypeAlias = Number | Norm | Product | Sum | Power
ONE = Number(0.0)


class _Budget:
    """How many factors a text may still have."""

    def __init__(self) -> None:
        self.left = MAX_TEXT


def text(term: Term, budget: _Budget | None = None) -> str:
    """A formula as text, with at most `MAX_FACTORS` factors in each product and `MAX_TEXT` in all."""
    budget = budget or _Budget()
    factors: list[str] = []
    coefficient, cut = 0.0, False
    waiting: list[Term] = [term]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Product):
            waiting += [part.rest, part.first]
        elif isinstance(part, Number):
            coefficient += part.log
        elif len(factors) == MAX_FACTORS or not budget.left:
            cut = True
            break
        else:
            budget.left -= 1
            factors.append(_factor(part, budget))
    if coefficient == -inf:
        return "0"
    if cut:
        factors.append("...")
    prefix, suffix = _number(coefficient)
    if not factors:
        return (prefix or "1") + suffix
    return "*".join([*([prefix] if prefix else []), *factors]) + suffix


def _factor(part: Term, budget: _Budget) -> str:
    match part:
        case Norm(name):
            return name
        case Power(base, exponent):
            power = str(exponent) if str(exponent).isalnum() else f"({exponent})"
            inner = text(base, budget)
            closed = inner.isalnum() or isinstance(base, Sum)
            return f"{inner if closed else f'({inner})'}^{power}"
        case Sum(terms, root):
            if root:
                return f"sqrt({' + '.join(f'({text(t, budget)})^2' for t in terms)})"
            return f"({' + '.join(text(t, budget) for t in terms)})"
    raise TypeError(f"no factor: {part!r}")


def _number(logarithm: float) -> tuple[str, str]:
    """The text of a coefficient: a prefix and a suffix of the factors, one of which is empty."""
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
    """The subtree that all terms end with; None if it begins after their first `MAX_BRANCH` factors."""
    paths: list[list[Term]] = []
    for term in terms:
        path = [term]
        while isinstance(path[-1], Product) and len(path) < MAX_BRANCH:
            path.append(path[-1].rest)
        paths.append(path)
    common = set(map(id, paths[0])).intersection(*(map(id, p) for p in paths[1:]))
    return next((part for part in paths[0] if id(part) in common), None)


def _before(term: Term, end: Term) -> Term:
    """The product without the subtree `end`, with which it ends."""
    factors = []
    while term is not end:
        assert isinstance(term, Product)
        factors.append(term.first)
        term = term.rest
    product: Term = ONE
    for factor in reversed(factors):
        product = factor if product is ONE else Product(factor, product)
    return product


def _summed(terms: Sequence[Term], *, root: bool) -> Term:
    if len(terms) == 1:
        return terms[0]
    end = _common(terms)
    if end is None or end is ONE:
        return Sum(tuple(terms), root)
    return Product(Sum(tuple(_before(t, end) for t in terms), root), end)


# -- numbers -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class LinearLog:
    """A logarithm that is linear in symbolic sizes: a constant and a coefficient for each size."""

    constant: float
    terms: tuple[tuple[Size, float], ...]

    def log10(self) -> str:
        parts = [f"{self.constant / log(10):.6g}"] if self.constant else []
        parts += [f"{value / log(10):.6g}*{_in_product(size)}" for size, value in self.terms]
        return " + ".join(parts).replace("+ -", "- ")


def _in_product(size: Size) -> str:
    shown = str(size)
    return shown if shown.isalnum() else f"({shown})"


Log: TypeAlias = "float | LinearLog | None"


def _added(a: Log, b: Log) -> Log:
    if a is None or b is None:
        # zero times a norm without a number is zero
        return -inf if -inf in (a, b) else None
    if isinstance(a, float) and isinstance(b, float):
        return -inf if -inf in (a, b) else a + b
    left = a if isinstance(a, LinearLog) else LinearLog(a, ())
    right = b if isinstance(b, LinearLog) else LinearLog(b, ())
    if not isfinite(left.constant + right.constant):
        return left.constant + right.constant
    coefficients = dict(left.terms)
    for size, value in right.terms:
        coefficients[size] = coefficients.get(size, 0.0) + value
    terms = tuple((s, v) for s, v in coefficients.items() if abs(v) > ROUNDING)
    constant = left.constant + right.constant
    return LinearLog(constant, terms) if terms else constant


def _log_sum(logs: Sequence[Log], power: float) -> Log:
    """The logarithm of (the sum of x^power)^(1/power), from the logarithms of all x."""
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
    linear = [x if isinstance(x, LinearLog) else LinearLog(x, ()) for x in present if x is not None]
    if len(linear) == len(present) and len({x.terms for x in linear}) == 1:
        constant = _log_sum([x.constant for x in linear], power)
        assert isinstance(constant, float)
        return LinearLog(constant, linear[0].terms)
    return None


# -- bounds ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A bound of a Jacobian's norm: its logarithm, its formula, and the cause if it is infinite.

    `log` is a float, a `LinearLog`, or None if the formula contains a norm without a number.
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

    def attributed_to(self, layer: str) -> Bound:
        """The same bound; if it is infinite, its cause begins with the name of the layer."""
        return self if self.cause is None else Bound(self.log, self.term, f"{layer}: {self.cause}")


IDENTITY = Bound(0.0, ONE)
ZERO = Bound(-inf, Number(-inf))


def number(value: float) -> Bound:
    """A bound that is a plain number."""
    if value == 1.0:
        return IDENTITY
    if value == 0.0:
        return ZERO
    if value == inf:
        return infinite("an infinite factor")
    return Bound(log(value), Number(log(value)))


def infinite(cause: str) -> Bound:
    """An infinite bound, for this reason."""
    return Bound(inf, Norm("inf"), cause)


def named(name: str, value: float | None) -> Bound:
    """A bound written as a symbol, with its value if known."""
    if value is None:
        return Bound(None, Norm(name))
    if value == inf:
        return infinite(f"{name} exceeds the range of double precision")
    return ZERO if value == 0.0 else Bound(log(value), Norm(name))


def root_of(size: Size) -> Bound:
    """The square root of a size, as a bound."""
    if type(size) is int:
        return number(float(size) ** 0.5)
    if isinstance(size, Expr):
        if any(symbol.minimum == 0 for symbol in size.symbols.values()):  # the number of a block's copy
            return infinite(f"a size changes from copy to copy of a block, {size}")
        return Bound(None, Norm(f"sqrt({size})"))
    return infinite(f"a size is {'an array' if is_array(size) else 'unknown'}")


def times(*factors: Bound) -> Bound:
    """The product of bounds, the last of which is nearest to the network's output."""
    if any(f.is_zero for f in factors):
        return ZERO
    for f in factors:
        if f.cause is not None:
            return f
    product = factors[-1]
    for factor in reversed(factors[:-1]):
        if factor is IDENTITY:
            continue
        if product is IDENTITY:
            product = factor
            continue
        product = Bound(_added(factor.log, product.log), Product(factor.term, product.term))
    return product


def plus(bounds: Iterable[Bound]) -> Bound:
    """The sum of bounds of parallel paths."""
    return _joined(bounds, 1.0)


def hypot(bounds: Iterable[Bound]) -> Bound:
    """The root of the sum of squares, for bounds of different parts of one tensor."""
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
    """A power with an integer exponent, or with a symbolic one, in which the logarithm is then linear."""
    if base.is_zero or base.cause is not None or base is IDENTITY:
        return base
    logarithm: Log
    if base.log is None or isinstance(base.log, LinearLog):
        logarithm = None
    elif isinstance(exponent, Expr):
        logarithm = LinearLog(0.0, ((exponent, base.log),)) if abs(base.log) > ROUNDING else 0.0
    else:
        factor: Any = exponent
        logarithm = base.log * factor
    return Bound(logarithm, Power(base.term, exponent))


def one_minus(branch: Bound) -> Bound:
    """`max(0, 1 - branch)`, a lower bound of identity plus branch; zero if the branch has no number."""
    if not isinstance(branch.log, float) or branch.log >= 0:
        return ZERO
    logarithm = log1p(-exp(branch.log))
    return Bound(logarithm, Sum((ONE, Product(Number(0.0), branch.term)))) if logarithm else IDENTITY
