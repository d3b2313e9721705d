"""The only number-aware code: arithmetic that runs on int, symbol and array alike.

Layer rules use `+ - * // **` and what stands here; they never compare, divide exactly or
take a maximum on their own. Each question has three answers (yes, no, unknown), and each
requirement three forms: integers raise, arrays are masked, symbols are assumed and noted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from archcalc.arith import ranges, symbolic
from archcalc.arith.assumptions import Assumptions
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError, UndecidedError

# int, Expr, or archcalc.arith.arrays.ExactArray; `Any`, because the rules are generic over all three
Size: TypeAlias = Any
Shape: TypeAlias = tuple[Size, ...]
Message: TypeAlias = str | Callable[[], str]

_FEW = 1_000  # a closed form that names each divisor of more would not be read


@dataclass
class Scope:
    """Where the requirements of one analysis leave their notes."""

    assumptions: Assumptions = field(default_factory=Assumptions)
    valid: Any = True  # True, or a boolean array: which configurations are admissible


_scope: ContextVar[Scope | None] = ContextVar("archcalc_scope", default=None)


@contextmanager
def scope(given: Scope | None = None) -> Iterator[Scope]:
    """Collect assumptions and masks of everything evaluated inside."""
    token = _scope.set(given or Scope())
    try:
        current = _scope.get()
        assert current is not None
        yield current
    finally:
        _scope.reset(token)


def is_symbolic(value: Any) -> bool:
    return isinstance(value, Expr)


def is_array(value: Any) -> bool:
    return not isinstance(value, int | Expr | Unknown) and hasattr(value, "__array_ufunc__")


def is_known(value: Any) -> bool:
    return not isinstance(value, Unknown)


# -- arithmetic ------------------------------------------------------------------------------
def floor_div(a: Size, b: Size) -> Size:
    """`floor(a / b)`."""
    return a // b


def ceil_div(a: Size, b: Size) -> Size:
    """`ceil(a / b)`, written so that symbolic results join the normal form."""
    return (a + b - 1) // b


def exact_div(a: Size, b: Size, message: Message = "") -> Size:
    """`a / b`, which must be an integer: raises, masks, or assumes that it is.

    Raises `LayerError` (int), `UndecidedError` (symbol or array outside a scope).
    """
    if type(a) is int and type(b) is int:
        quotient, rest = divmod(a, b)
        if rest:
            raise LayerError(_text(message) or f"{a} is not divisible by {b}")
        return quotient
    unknown = _unknown(a, b)
    if unknown is not None:
        return unknown
    if isinstance(a, Expr) or isinstance(b, Expr):
        quotient = symbolic.divide(a, b)
        if isinstance(a, Expr) and type(b) is int and ranges.always_divisible(a, b):
            return quotient
        if isinstance(quotient, Expr):
            require_equal(a - b * symbolic.floor_divide(a, b), 0, message, note=f"({a}) % ({b}) == 0")
        elif not isinstance(quotient, int):
            raise LayerError(_text(message) or f"{a} is not divisible by {b}")
        return quotient
    require_equal(a % b, 0, message)
    return a // b


def common_divisor(a: Size, b: Size) -> Size:
    """The greatest common divisor; of two symbols where one divides the other, else unknown.

    Source: the sum over the divisors d of m of phi(d) where d divides n is gcd(n, m), after Cesàro.
    """
    if type(a) is int and type(b) is int:
        return math.gcd(a, b)
    unknown = _unknown(a, b)
    if unknown is not None:
        return unknown
    if is_array(a) or is_array(b):
        from archcalc.arith import arrays

        return arrays.common_divisor(a, b)
    for part, whole in ((a, b), (b, a)):
        if certainly(equal(floor_div(whole, part) * part, whole)):
            return part
    if type(a) is int:
        a, b = b, a
    if type(b) is int and b <= _FEW:
        divisors = [d for d in range(1, b + 1) if b % d == 0]
        return total(_totient(d) * (floor_div(a, d) - floor_div(a - 1, d)) for d in divisors)
    return Unknown(f"the greatest common divisor of {a} and {b} is not known")


def _totient(n: int) -> int:
    return sum(math.gcd(k, n) == 1 for k in range(1, n + 1))


def prod(sizes: Any) -> Size:
    """The product of sizes; 1 for none."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def total(sizes: Any) -> Size:
    """The sum of sizes; one pass even for many symbolic terms."""
    plain = 0
    terms: dict[Any, Any] = {}
    rest: Size = 0
    for size in sizes:
        if type(size) is int:
            plain += size
        elif isinstance(size, Expr):
            for monomial, coefficient in size.terms.items():
                terms[monomial] = terms.get(monomial, 0) + coefficient
        else:
            rest = rest + size
    return (Expr(terms) + plain if terms else plain) + rest


def largest(*sizes: Size) -> Size:
    """The maximum; symbolic sizes that cannot be ordered stay as `max(...)`."""
    return _extremum(sizes, is_max=True)


def smallest(*sizes: Size) -> Size:
    """The minimum; symbolic sizes that cannot be ordered stay as `min(...)`."""
    return _extremum(sizes, is_max=False)


# each further size is compared with all that are kept
MAX_UNORDERED = 100
MAX_COMPARISONS = 100_000


def _extremum(sizes: tuple[Size, ...], *, is_max: bool) -> Size:
    if all(type(s) is int for s in sizes):
        return max(sizes) if is_max else min(sizes)
    unknown = _unknown(*sizes)
    if unknown is not None:
        return unknown
    if any(is_array(s) for s in sizes):
        from archcalc.arith import arrays

        return arrays.extremum(sizes, is_max=is_max)
    kept: list[Size] = []
    comparisons = 0
    for size in sizes:
        comparisons += 2 * len(kept)
        if any(at_most(size, k) if is_max else at_most(k, size) for k in kept):
            continue
        kept = [k for k in kept if not (at_most(k, size) if is_max else at_most(size, k))]
        kept.append(size)
        if len(kept) > MAX_UNORDERED or comparisons > MAX_COMPARISONS:
            which = "largest" if is_max else "smallest"
            return Unknown(
                f"the {which} of {len(sizes):,} sizes that their symbols do not order; give symbols a value"
            )
    return kept[0] if len(kept) == 1 else symbolic.extremum(kept, is_max=is_max)


def substitute(x: Any, values: Mapping[str, Any]) -> Any:
    """`x` with symbols replaced by integers, expressions or arrays.

    Raises `LayerError` where a quotient that was assumed to be exact is not.
    """
    return symbolic.evaluate(x, values, symbolic.Arithmetic(largest, smallest, exact_div))


def choose(condition: Any, if_true: Size, if_false: Size) -> Size:
    """`if_true` where a decided condition holds, else `if_false`; arrays go by element.

    Raises `UndecidedError` where the condition is unknown.
    """
    if condition is None:
        raise UndecidedError("this figure depends on a symbol's value; give it one with --set")
    if isinstance(condition, bool):
        return if_true if condition else if_false
    from archcalc.arith import arrays

    return arrays.where(condition, if_true, if_false)


# -- questions -------------------------------------------------------------------------------
def equal(a: Size, b: Size) -> Any:
    """Whether `a == b`: True, False, None (unknown), or a boolean array."""
    if type(a) is int and type(b) is int:
        return a == b
    if _unknown(a, b) is not None:
        return None
    if isinstance(a, Expr) or isinstance(b, Expr):
        difference = a - b
        if not isinstance(difference, Expr):
            return difference == 0
        return _assumptions().sign(difference)[1]
    return a == b


def at_most(a: Size, b: Size) -> Any:
    """Whether `a <= b`: True, False, None (unknown), or a boolean array."""
    if type(a) is int and type(b) is int:
        return a <= b
    if _unknown(a, b) is not None:
        return None
    if isinstance(a, Expr) or isinstance(b, Expr):
        difference = b - a
        if not isinstance(difference, Expr):
            return difference >= 0
        return _assumptions().sign(difference)[0]
    return a <= b


def certainly(answer: Any) -> bool:
    """Whether an answer of `equal` or `at_most` is yes, for every element of arrays."""
    if answer is None or isinstance(answer, bool):
        return answer is True
    return bool(answer.all())


def _unknown(*sizes: Size) -> Unknown | None:
    return next((s for s in sizes if isinstance(s, Unknown)), None)


def _assumptions() -> Assumptions:
    current = _scope.get()
    return current.assumptions if current is not None else Assumptions()


# -- requirements ----------------------------------------------------------------------------
def require_at_least(a: Size, b: Size, message: Message) -> None:
    """Require `a >= b`: raise `LayerError` (int), mask (array), assume and note (symbol)."""
    answer = at_most(b, a)
    if answer is True or _unknown(a, b) is not None:
        return
    if answer is None:
        _noting(message).state_nonnegative(a - b, f"{a} >= {b}", _text(message))
    else:
        _refuse(answer, message)


def require_equal(a: Size, b: Size, message: Message, note: str = "") -> Size:
    """Require `a == b`, as above; returns the one that is shorter to read."""
    answer = equal(a, b)
    if _unknown(a, b) is not None:
        return a if is_known(a) else b
    if answer is None:
        _noting(message).state_zero(a - b, note or f"{a} == {b}", _text(message))
    elif answer is not True:
        _refuse(answer, message)
    if isinstance(a, Expr) and (not isinstance(b, Expr) or len(str(b)) < len(str(a))):
        return b
    return a


def broadcast(a: Size, b: Size, message: Message) -> Size:
    """The size of an axis where `a` meets `b`: equal, or one of them 1; requires that."""
    if certainly(equal(a, 1)):
        return b
    if certainly(equal(b, 1)):
        return a
    if is_array(a) or is_array(b):
        require_equal((a - b) * (a - 1) * (b - 1), 0, message)
        return largest(a, b)
    return require_equal(a, b, message)


def require_integer(a: Size, message: Message) -> None:
    """Require that the quotients in an expression are exact; integers and arrays always are."""
    if isinstance(a, Expr) and not symbolic.is_polynomial(a):
        exact_div(*symbolic.fraction_of(a), message)


def _noting(message: Message) -> Assumptions:
    current = _scope.get()
    if current is None:
        raise UndecidedError(
            f"cannot decide for symbolic sizes: {_text(message)} "
            "(use archcalc.analyze, or `with arith.scope():`)"
        )
    return current.assumptions


def _refuse(answer: Any, message: Message) -> None:
    if answer is False:
        raise LayerError(_text(message))
    current = _scope.get()
    if current is not None:
        current.valid = current.valid & answer
    elif not answer.all():
        raise LayerError(_text(message))


def _text(message: Message) -> str:
    return message() if callable(message) else message
