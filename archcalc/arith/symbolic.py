"""Symbolic sizes: polynomials over integer-valued atoms, with a normal form for floor division.

The normal form (derived in docs/how-figures-are-computed.md): multiples of the divisor are moved
out of the floor, `(x//a + m)//d` becomes `(x + a*m)//(a*d)`, and a common factor of numerator and
divisor cancels. So every size along a chain of convolutions and poolings is one floor atom plus
an integer, and equal sizes compare equal.

Operations whose result is a plain integer return an `int`, never a constant expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from numbers import Integral
from typing import Any, NamedTuple, TypeAlias, cast

from archcalc.errors import ExpressionError

MAX_TERMS = 20_000
MAX_NESTING = 100

Coefficient: TypeAlias = int | Fraction
Number: TypeAlias = "int | Fraction | Expr"


class Atom:
    """An integer-valued quantity that polynomials treat as a variable."""

    __slots__ = ("_hash", "key", "nesting")

    _parts: tuple[str, ...] = ()  # the arguments of the constructor
    key: str
    nesting: int
    _hash: int

    def _seal(self, key: str, nesting: int) -> None:
        if nesting > MAX_NESTING:
            raise ExpressionError(
                f"a symbolic size nests {nesting} operations deep (limit {MAX_NESTING}); "
                "give its symbols values with --set"
            )
        self.key = key
        self.nesting = nesting
        self._hash = hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self.key == other.key)

    def __reduce__(self) -> tuple[Any, ...]:
        # made again from its parts: the hash of a text differs from process to process
        return type(self), tuple(getattr(self, name) for name in self._parts)

    def __repr__(self) -> str:
        return self.key

    def arguments(self) -> tuple[Expr, ...]:
        """The expressions inside this atom."""
        return ()

    def evaluate(self, of: Callable[[Any], Any], rules: Arithmetic) -> Any:
        """The atom's value; `of` evaluates an expression inside it."""
        raise AssertionError("every kind of atom has its own `evaluate`")


class Symbol(Atom):
    """A named positive integer with a range, `minimum <= name <= maximum`."""

    __slots__ = ("maximum", "minimum", "name")
    _parts = ("name", "minimum", "maximum")

    def __init__(self, name: str, minimum: int = 1, maximum: int | None = None) -> None:
        self.name = name
        self.minimum = minimum
        self.maximum = maximum
        self._seal(name, 0)


class Floor(Atom):
    """`floor(numerator / divisor)`, in normal form."""

    __slots__ = ("divisor", "numerator")
    _parts = ("numerator", "divisor")

    def __init__(self, numerator: Expr, divisor: int | Expr) -> None:
        self.numerator = numerator
        self.divisor = divisor
        inner = max(numerator.nesting, divisor.nesting if isinstance(divisor, Expr) else 0)
        self._seal(f"{_grouped(numerator)}//{_grouped(divisor)}", inner + 1)

    def arguments(self) -> tuple[Expr, ...]:
        return (self.numerator, self.divisor) if isinstance(self.divisor, Expr) else (self.numerator,)

    def evaluate(self, of: Callable[[Any], Any], rules: Arithmetic) -> Any:
        return of(self.numerator) // of(self.divisor)


class Extremum(Atom):
    """The largest or smallest of expressions whose order is unknown."""

    __slots__ = ("is_max", "values")
    _parts = ("values", "is_max")

    def __init__(self, values: Iterable[int | Expr], is_max: bool) -> None:
        self.values = tuple(sorted(values, key=str))
        self.is_max = is_max
        nesting = max(v.nesting for v in self.values if isinstance(v, Expr))
        word = "max" if is_max else "min"
        self._seal(f"{word}({', '.join(map(str, self.values))})", nesting + 1)

    def arguments(self) -> tuple[Expr, ...]:
        return tuple(v for v in self.values if isinstance(v, Expr))

    def evaluate(self, of: Callable[[Any], Any], rules: Arithmetic) -> Any:
        return (rules.largest if self.is_max else rules.smallest)(*map(of, self.values))


class Power(Atom):
    """`base ** exponent` with a symbolic exponent."""

    __slots__ = ("base", "exponent")
    _parts = ("base", "exponent")

    def __init__(self, base: int | Expr, exponent: Expr) -> None:
        self.base = base
        self.exponent = exponent
        inner = max(exponent.nesting, base.nesting if isinstance(base, Expr) else 0)
        self._seal(f"{_grouped(base)}**{_grouped(exponent)}", inner + 1)

    def arguments(self) -> tuple[Expr, ...]:
        return (self.base, self.exponent) if isinstance(self.base, Expr) else (self.exponent,)

    def evaluate(self, of: Callable[[Any], Any], rules: Arithmetic) -> Any:
        return of(self.base) ** of(self.exponent)


class Sum(Atom):
    """A polynomial as one factor; occurs only with a negative exponent, as a divisor."""

    __slots__ = ("value",)
    _parts = ("value",)

    def __init__(self, value: Expr) -> None:
        self.value = value
        self._seal(f"({value})", value.nesting + 1)

    def arguments(self) -> tuple[Expr, ...]:
        return (self.value,)

    def evaluate(self, of: Callable[[Any], Any], rules: Arithmetic) -> Any:
        return of(self.value)


Monomial = tuple[tuple[Atom, int], ...]
UNIT: Monomial = ()


class Expr:
    """An immutable polynomial with rational coefficients over atoms.

    Equality means equal normal forms. Order and truth value are not defined, so that no code
    branches on an undecided size: use `arith.at_most` or `arith.equal`.
    """

    __slots__ = ("__dict__", "nesting", "terms")

    # numpy then calls our operators in mixed operations, and they refuse arrays
    __array_ufunc__ = None

    terms: dict[Monomial, Coefficient]
    nesting: int

    def __init__(self, terms: dict[Monomial, Coefficient]) -> None:
        if len(terms) > MAX_TERMS:
            raise ExpressionError(
                f"a symbolic figure grew to {len(terms)} terms (limit {MAX_TERMS}); "
                "give some of its symbols values with --set"
            )
        self.terms = terms
        self.nesting = max((a.nesting for m in terms for a, _ in m), default=0)

    # -- identity -------------------------------------------------------------------
    def __reduce__(self) -> tuple[Any, ...]:
        return Expr, (self.terms,)

    @cached_property
    def _frozen(self) -> frozenset[tuple[Monomial, Coefficient]]:
        return frozenset(self.terms.items())

    def __hash__(self) -> int:
        return hash(self._frozen)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Expr) and self.terms == other.terms

    def __bool__(self) -> bool:
        raise TypeError(f"the symbolic size {self} has no truth value; ask arith.equal or arith.at_most")

    # -- ring operations --------------------------------------------------------------
    def __add__(self, other: Number) -> Any:
        if isinstance(other, Expr):
            terms = dict(self.terms)
            for monomial, coefficient in other.terms.items():
                terms[monomial] = terms.get(monomial, 0) + coefficient
        elif isinstance(other, int | Fraction):
            terms = dict(self.terms)
            terms[UNIT] = terms.get(UNIT, 0) + other
        else:
            return NotImplemented
        return _normal(terms)

    __radd__ = __add__

    def __neg__(self) -> Any:
        return Expr({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Number) -> Any:
        if not isinstance(other, Expr | int | Fraction):
            return NotImplemented
        return self + (-other)

    def __rsub__(self, other: Number) -> Any:
        if not isinstance(other, int | Fraction):
            return NotImplemented
        return (-self) + other

    def __mul__(self, other: Number) -> Any:
        if isinstance(other, Expr):
            if len(self.terms) * len(other.terms) > 50 * MAX_TERMS:
                raise ExpressionError(
                    "a symbolic figure grew too large; give some of its symbols values with --set"
                )
            terms: dict[Monomial, Coefficient] = {}
            for m1, c1 in self.terms.items():
                for m2, c2 in other.terms.items():
                    monomial = _times(m1, m2)
                    terms[monomial] = terms.get(monomial, 0) + c1 * c2
            return _normal(terms)
        if isinstance(other, int | Fraction):
            return _normal({m: c * other for m, c in self.terms.items()})
        return NotImplemented

    __rmul__ = __mul__

    def __pow__(self, exponent: Number) -> Any:
        if isinstance(exponent, Expr):
            return expr_of(Power(self, exponent))
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent <= 0:
            return divide(1, self**-exponent) if exponent else 1
        if len(self.terms) == 1:
            ((monomial, coefficient),) = self.terms.items()
            return _normal({tuple((a, e * exponent) for a, e in monomial): coefficient**exponent})
        result: Any = 1
        square: Any = self
        while exponent:
            if exponent & 1:
                result = result * square
            exponent >>= 1
            if exponent:
                square = square * square
        return result

    def __rpow__(self, base: Number) -> Any:
        if not isinstance(base, int):
            return NotImplemented
        return base if base in (0, 1) else expr_of(Power(base, self))

    def __floordiv__(self, other: Number) -> Any:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: Number) -> Any:
        return floor_divide(other, self)

    def __mod__(self, other: Number) -> Any:
        return self - other * floor_divide(self, other)

    def __rmod__(self, other: Number) -> Any:
        return other - self * floor_divide(other, self)

    def __truediv__(self, other: Number | float) -> Any:
        if isinstance(other, float) and other.is_integer():
            other = int(other)  # 1e9
        return divide(self, other) if isinstance(other, Expr | int | Fraction) else NotImplemented

    def __rtruediv__(self, other: Number) -> Any:
        return divide(other, self) if isinstance(other, int | Fraction) else NotImplemented

    def __pos__(self) -> Expr:
        return self

    # -- values ------------------------------------------------------------------------
    def subs(self, *values: Any, **named: Any) -> Any:
        """The expression with some symbols replaced: `subs(H=32)`, `subs({"H": 32})`, `subs("H", 32)`.

        A value is an integer, a fraction or another expression; the result is an int where it can be.
        Raises `ExpressionError` for other values and for symbols that the expression does not have.
        """
        return self._with(values, named)

    def _with(self, values: Sequence[Any], named: Mapping[str, Any]) -> Any:
        pairs = [values] if len(values) == 2 else [p for v in values for p in dict(v).items()]
        given = {str(name): value for name, value in [*pairs, *named.items()]}
        for name, value in given.items():
            if name not in self.symbols:
                known = f"its symbols are {', '.join(self.symbols)}" if self.symbols else "it has none"
                raise ExpressionError(f"{self} has no symbol {name}; {known}")
            if isinstance(value, bool) or not isinstance(value, Integral | Fraction | Expr):
                raise ExpressionError(f"{name}: expected an integer or an expression, got {value!r}")
        plain = {name: int(v) if isinstance(v, Integral) else v for name, v in given.items()}
        return evaluate(self, plain, OPEN)

    def evaluate(self, *values: Any, **named: Any) -> Any:
        """The number that the expression is with these values: `evaluate(H=32)`.

        Raises `ExpressionError` where a symbol is left without a value.
        """
        value = self._with(values, named)
        if not isinstance(value, Expr):
            return value
        if value.symbols:
            raise ExpressionError(f"{value} is not a number: {', '.join(value.symbols)} needs a value")
        return value.constant

    def __int__(self) -> int:
        if self.symbols:
            values = ", ".join(f"{name}=..." for name in self.symbols)
            raise TypeError(f"{self} is not a number before its symbols have values: evaluate({values})")
        if self.denominator != 1:
            raise TypeError(f"{self} is not an integer")
        return int(self.constant)

    def _sympy_(self) -> Any:
        """The expression for sympy, which asks for it in `sympify` and in arithmetic."""
        from archcalc.arith.to_sympy import to_sympy

        return to_sympy(self)

    # -- inspection --------------------------------------------------------------------
    def atoms(self) -> Iterator[Atom]:
        """The distinct atoms of the polynomial, without those inside other atoms."""
        yield from dict.fromkeys(a for m in self.terms for a, _ in m)

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """All symbols of the expression by name, sorted."""
        symbols: dict[str, Symbol] = {}
        for atom in self.atoms():
            if isinstance(atom, Symbol):
                symbols[atom.name] = atom
            for argument in atom.arguments():
                symbols.update(argument.symbols)
        return dict(sorted(symbols.items()))

    @property
    def constant(self) -> Coefficient:
        """The constant term."""
        return self.terms.get(UNIT, 0)

    @property
    def denominator(self) -> int:
        """The least common denominator of the coefficients."""
        return lcm(*(c.denominator for c in self.terms.values()))

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Expr({self._text})"

    @cached_property
    def _text(self) -> str:
        only = _single_atom(self)
        if only is not None:
            return only.key
        pieces: list[str] = []
        for monomial, coefficient in sorted(self.terms.items(), key=_print_order):
            text = _term_text(monomial, coefficient if coefficient > 0 else -coefficient)
            if not pieces:
                pieces.append(f"-{text}" if coefficient < 0 else text)
            else:
                pieces.append(f" {'-' if coefficient < 0 else '+'} {text}")
        return "".join(pieces) or "0"


def symbol(name: str, minimum: int = 1, maximum: int | None = None) -> Expr:
    """A symbol as an expression: a positive integer of the given range."""
    return expr_of(Symbol(name, minimum, maximum))


def expr_of(atom: Atom) -> Expr:
    return Expr({((atom, 1),): 1})


def floor_divide(x: Number, d: Number) -> Any:
    """`floor(x / d)` in normal form; exact for rational `x`.

    Raises `ZeroDivisionError` for `d = 0`.
    """
    if isinstance(d, Expr):
        quotient = divide(x, d)
        if not isinstance(quotient, Expr) or not _has_divisor(quotient):
            return floor_divide(quotient, 1) if isinstance(quotient, Expr) else quotient // 1
        scale = lcm(x.denominator, d.denominator)
        top = x * scale
        return expr_of(Floor(top if isinstance(top, Expr) else Expr({UNIT: top}), d * scale))
    if not isinstance(x, Expr):
        return x // d
    if d < 0:
        return floor_divide(-x, -d)
    if d == 0:
        raise ZeroDivisionError(f"{x} // 0")
    d = Fraction(d)
    scale = lcm(x.denominator, d.denominator)
    return _floor_terms({m: int(c * scale) for m, c in x.terms.items()}, int(d * scale))


def _floor_terms(terms: dict[Monomial, int], d: int) -> Any:
    outside: dict[Monomial, Coefficient] = {}
    while True:
        inside: dict[Monomial, int] = {}
        for monomial, coefficient in terms.items():
            whole, rest = divmod(coefficient, d) if _integral(monomial) else (0, coefficient)
            if whole:
                outside[monomial] = outside.get(monomial, 0) + whole
            if rest:
                inside[monomial] = rest
        constant = inside.pop(UNIT, 0)
        if not inside:
            return _normal(outside)
        if all(map(_integral, inside)):
            common = gcd(d, *inside.values())
            if common > 1:
                terms = {m: c // common for m, c in inside.items()}
                terms[UNIT] = constant // common
                d //= common
                continue
            nested = [m for m, c in inside.items() if c == 1 and _is_floor(m)]
            if len(nested) == 1:
                floor = cast(Floor, nested[0][0][0])
                inner = cast(int, floor.divisor)
                del inside[nested[0]]
                inside[UNIT] = constant
                terms = {m: inner * c for m, c in inside.items()}
                for monomial, c in floor.numerator.terms.items():
                    terms[monomial] = terms.get(monomial, 0) + int(c)
                d *= inner
                continue
        if constant:
            inside[UNIT] = constant
        atom = expr_of(Floor(Expr(cast("dict[Monomial, Coefficient]", inside)), d))
        return atom + _normal(outside) if outside else atom


def divide(x: Number, d: Number) -> Any:
    """`x / d` as an exact quotient, which need not be an integer.

    Raises `ZeroDivisionError` for `d = 0`.
    """
    if not isinstance(d, Expr):
        if not isinstance(x, Expr):
            return _plain(Fraction(x) / d)
        return x * (Fraction(1) / d)
    if isinstance(x, Expr) and x.terms.keys() == d.terms.keys():
        ratios = {Fraction(c) / d.terms[m] for m, c in x.terms.items()}
        if len(ratios) == 1:
            return _plain(ratios.pop())
    if len(d.terms) == 1:
        ((monomial, coefficient),) = d.terms.items()
        inverse = Expr({tuple((a, -e) for a, e in monomial): _plain(Fraction(1) / coefficient)})
    else:
        inverse = Expr({((Sum(d), -1),): 1})
    return x * inverse


def extremum(values: Iterable[int | Expr], *, is_max: bool) -> Any:
    """`max` or `min` of values whose pairwise order is unknown; nested extrema are merged."""
    flat: dict[int | Expr, None] = {}
    for value in values:
        inner = _single_atom(value)
        if isinstance(inner, Extremum) and inner.is_max == is_max:
            flat.update(dict.fromkeys(inner.values))
        else:
            flat[value] = None
    return next(iter(flat)) if len(flat) == 1 else expr_of(Extremum(flat, is_max=is_max))


def _single_atom(value: int | Expr) -> Atom | None:
    if isinstance(value, Expr) and len(value.terms) == 1:
        ((monomial, coefficient),) = value.terms.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            return monomial[0][0]
    return None


class Arithmetic(NamedTuple):
    """The functions that evaluate `max`, `min` and an exact quotient in an expression."""

    largest: Callable[..., Any]
    smallest: Callable[..., Any]
    divide: Callable[[Any, Any], Any]


RATIONALS = Arithmetic(max, min, lambda a, b: _plain(Fraction(a) / b))


def _most(values: Sequence[Any], *, is_max: bool) -> Any:
    """`max` or `min` of numbers and expressions."""
    numbers = [v for v in values if not isinstance(v, Expr)]
    most = [max(numbers) if is_max else min(numbers)] if numbers else []
    return extremum([*most, *(v for v in values if isinstance(v, Expr))], is_max=is_max)


# where symbols may be left without a value
OPEN = Arithmetic(lambda *v: _most(v, is_max=True), lambda *v: _most(v, is_max=False), divide)


def evaluate(x: Any, values: Mapping[str, Any], rules: Arithmetic = RATIONALS) -> Any:
    """`x` with symbols replaced by `values`; by default integers, with `rules` anything they handle."""

    def of(expression: Any) -> Any:
        if not isinstance(expression, Expr):
            return expression
        if not expression.symbols.keys() & values.keys():
            return expression if expression.symbols else _normal(expression.terms)
        top, bottom = fraction_of(expression)
        return rules.divide(polynomial(top), polynomial(bottom))

    def polynomial(expression: Any) -> Any:
        if not isinstance(expression, Expr):
            return expression
        total: Any = 0
        for monomial, coefficient in expression.terms.items():
            term: Any = coefficient
            for atom, exponent in monomial:
                if isinstance(atom, Symbol):
                    value = values[atom.name] if atom.name in values else expr_of(atom)
                else:
                    value = atom.evaluate(of, rules)
                term = term * value**exponent
            total = total + term
        return total

    return of(x)


def fraction_of(x: Expr) -> tuple[Any, Any]:
    """`x` as (polynomial with integer coefficients, polynomial divisor)."""
    negative: dict[Atom, int] = {}
    for monomial in x.terms:
        for atom, exponent in monomial:
            if exponent < 0:
                negative[atom] = max(negative.get(atom, 0), -exponent)
    bottom: Any = _normal({tuple(sorted(negative.items(), key=_atom_order)): x.denominator})
    return x * bottom, bottom


def is_polynomial(x: Expr) -> bool:
    """Whether `x` has integer coefficients and no divisors, and so is certainly an integer."""
    return not _has_divisor(x) and x.denominator == 1


def _has_divisor(x: Expr) -> bool:
    return any(e < 0 for m in x.terms for _, e in m)


def _integral(monomial: Monomial) -> bool:
    return all(e > 0 for _, e in monomial)


def _is_floor(monomial: Monomial) -> bool:
    if len(monomial) != 1 or monomial[0][1] != 1:
        return False
    atom = monomial[0][0]
    return isinstance(atom, Floor) and isinstance(atom.divisor, int)


def _atom_order(pair: tuple[Atom, int]) -> str:
    return pair[0].key


def _times(m1: Monomial, m2: Monomial) -> Monomial:
    if not m1:
        return m2
    if not m2:
        return m1
    exponents = dict(m1)
    for atom, exponent in m2:
        exponents[atom] = exponents.get(atom, 0) + exponent
    return tuple(sorted(((a, e) for a, e in exponents.items() if e), key=_atom_order))


def _plain(c: Coefficient) -> Coefficient:
    return c.numerator if c.denominator == 1 else c


def _normal(terms: dict[Monomial, Coefficient]) -> Any:
    terms = {m: _plain(c) for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1 and UNIT in terms and isinstance(terms[UNIT], int):
        return terms[UNIT]
    return Expr(terms)


def _print_order(item: tuple[Monomial, Coefficient]) -> tuple[int, str]:
    monomial = item[0]
    return (-sum(e for _, e in monomial), " ".join(a.key for a, _ in monomial))


def _grouped(x: int | Expr) -> str:
    text = str(x)
    return text if text.isidentifier() or text.isdecimal() else f"({text})"


def _term_text(monomial: Monomial, coefficient: Coefficient) -> str:
    above = [_factor_text(a, e) for a, e in monomial if e > 0]
    below = [_factor_text(a, -e) for a, e in monomial if e < 0]
    if coefficient.numerator != 1 or not above:
        above.insert(0, str(coefficient.numerator))
    if coefficient.denominator != 1:
        below.insert(0, str(coefficient.denominator))
    text = "*".join(above)
    return text + "".join(f"/{factor}" for factor in below)


def _factor_text(atom: Atom, exponent: int) -> str:
    text = f"({atom.key})" if isinstance(atom, Floor | Power) else atom.key
    return text if exponent == 1 else f"{text}**{exponent}"
