"""Arithmetic on sizes, the same for integers, symbols and arrays; only this module distinguishes them.

Layer rules use `+ - * // **` and these functions; they never compare sizes, divide exactly or
take a maximum by other means. A question about sizes has three answers (yes, no, unknown). A
requirement that fails raises an error for integers and masks elements of arrays; for symbols,
where it cannot be decided, it becomes a recorded assumption.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

from archcalc.arith import ranges, symbolic
from archcalc.arith.assumptions import Assumptions
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError, UndecidedError

if TYPE_CHECKING:

    class Size(Protocol):
        """An int, an Expr, an ExactArray or an Unknown, with what all of them have in common.

        No order, quotient or truth value: mypy refuses `a < b`, `a / b`, `max(a, b)` and `if a`.
        """

        def __add__(self, other: Any, /) -> Size: ...
        def __radd__(self, other: Any, /) -> Size: ...
        def __sub__(self, other: Any, /) -> Size: ...
        def __rsub__(self, other: Any, /) -> Size: ...
        def __mul__(self, other: Any, /) -> Size: ...
        def __rmul__(self, other: Any, /) -> Size: ...
        def __floordiv__(self, other: Any, /) -> Size: ...
        def __rfloordiv__(self, other: Any, /) -> Size: ...
        def __mod__(self, other: Any, /) -> Size: ...
        def __rmod__(self, other: Any, /) -> Size: ...
        def __pow__(self, other: Any, /) -> Size: ...
        def __rpow__(self, other: Any, /) -> Size: ...
        def __neg__(self) -> Size: ...
else:
    Size = Any
Shape: TypeAlias = tuple[Size, ...]
Message: TypeAlias = str | Callable[[], str]

_MAX_GCD_ARGUMENT = 1_000  # the greatest common divisor with a larger number has too long a closed form


@dataclass(eq=False, repr=False)
class Scope:
    """What the requirements of one analysis recorded: assumptions about symbols, a mask for arrays."""

    assumptions: Assumptions = field(default_factory=Assumptions)
    valid: Any = True  # True, or a boolean array: which configurations are valid


_scope: ContextVar[Scope | None] = ContextVar("archcalc_scope", default=None)


@contextmanager
def scope(existing: Scope | None = None) -> Iterator[Scope]:
    """A context that collects the assumptions and masks of everything evaluated inside."""
    token = _scope.set(existing or Scope())
    try:
        current = _scope.get()
        assert current is not None
        yield current
    finally:
        _scope.reset(token)


def in_scope() -> bool:
    """Whether assumptions are recorded here."""
    return _scope.get() is not None


def is_symbolic(value: Any) -> bool:
    return isinstance(value, Expr)


def is_array(value: Any) -> bool:
    return not isinstance(value, int | Expr | Unknown) and hasattr(value, "__array_ufunc__")


def is_known(value: Any) -> bool:
    return not isinstance(value, Unknown)


def concrete(sizes: tuple[Size, ...]) -> TypeGuard[tuple[int, ...]]:
    """Whether all sizes are plain integers, so that code may order and divide them as numbers."""
    return _PLAIN.issuperset(map(type, sizes))


_PLAIN = frozenset({int})


# -- arithmetic ------------------------------------------------------------------------------
def floor_div(a: Size, b: Size) -> Size:
    """`floor(a / b)`."""
    return a // b


def ceil_div(a: Size, b: Size) -> Size:
    """`ceil(a / b)`, written so that symbolic results join the normal form."""
    return (a + b - 1) // b


def exact_div(a: Size, b: Size, message: Message = "") -> Size:
    """`a / b`, required to be an integer (an error, a mask or an assumption, as for `require_equal`).

    Raises `LayerError` (int), `UndecidedError` (symbol or array outside a scope).
    """
    if isinstance(a, int) and isinstance(b, int):  # among them those that record their arithmetic
        whole, rest = divmod(a, b)
        if rest:
            raise LayerError(_text(message) or f"{a} is not divisible by {b}")
        return whole
    unknown = _unknown(a, b)
    if unknown is not None:
        return unknown
    if isinstance(a, int | Expr) and isinstance(b, int | Expr):
        quotient: Size = symbolic.divide(a, b)
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
    """The greatest common divisor; of two symbols only if one divides the other, else unknown.

    Source: Cesàro's identity, gcd(n, m) is the sum of phi(d) over the common divisors d of n and m.
    """
    if type(a) is int and type(b) is int:
        return math.gcd(a, b)
    unknown = _unknown(a, b)
    if unknown is not None:
        return unknown
    if is_array(a) or is_array(b):
        from archcalc.arith import arrays

        common: Size = arrays.common_divisor(a, b)
        return common
    for part, whole in ((a, b), (b, a)):
        if certainly(equal(floor_div(whole, part) * part, whole)):
            return part
    if type(a) is int:
        a, b = b, a
    if type(b) is int and b <= _MAX_GCD_ARGUMENT:
        divisors = [d for d in range(1, b + 1) if b % d == 0]
        return total(_totient(d) * (floor_div(a, d) - floor_div(a - 1, d)) for d in divisors)
    return Unknown(f"the greatest common divisor of {a} and {b} is not known")


def _totient(n: int) -> int:
    return sum(math.gcd(k, n) == 1 for k in range(1, n + 1))


def prod(sizes: Any) -> Size:
    """The product of sizes; 1 for none."""
    product: Size = reduce(operator.mul, sizes, 1)
    return product


def total(sizes: Any) -> Size:
    """The sum of sizes, in one pass even over many symbolic terms."""
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


MAX_UNORDERED = 100  # sizes of unknown order in one `max` or `min`
MAX_COMPARISONS = 100_000  # every further size is compared with all of these
FEW_SIZES = 4  # so few are ordered by proofs alone


def _extremum(sizes: tuple[Size, ...], *, is_max: bool) -> Size:
    if concrete(sizes):
        return max(sizes) if is_max else min(sizes)
    unknown = _unknown(*sizes)
    if unknown is not None:
        return unknown
    if any(is_array(s) for s in sizes):
        from archcalc.arith import arrays

        elementwise: Size = arrays.extremum(sizes, is_max=is_max)
        return elementwise
    # a proof costs thousands of times more than a look at a few configurations that may refute it
    seen = _at_samples(sizes)

    def beyond(size: Size, other: Size) -> bool:
        """Whether `other` is the larger one (for a minimum the smaller one) whatever the symbols are."""
        low, high = (size, other) if is_max else (other, size)
        return all(map(operator.le, seen[low], seen[high])) and bool(at_most(low, high))

    candidates: list[Any] = []
    comparisons = 0
    for size in sizes:
        comparisons += 2 * len(candidates)
        if any(beyond(size, k) for k in candidates):
            continue
        candidates = [k for k in candidates if not beyond(k, size)]
        candidates.append(size)
        if len(candidates) > MAX_UNORDERED or comparisons > MAX_COMPARISONS:
            which = "largest" if is_max else "smallest"
            return Unknown(
                f"the {which} of {len(sizes):,} sizes that their symbols do not order; give symbols a value"
            )
    extremum: Size = candidates[0] if len(candidates) == 1 else symbolic.extremum(candidates, is_max=is_max)
    return extremum


def _at_samples(sizes: Sequence[Size]) -> dict[Size, list[Any]]:
    """Each size in a few configurations that the assumptions allow; in none if there are few sizes."""
    seen: dict[Size, list[Any]] = {s: [] for s in sizes}
    if len(seen) <= FEW_SIZES:
        return seen
    symbols = {name: symbol for s in seen if isinstance(s, Expr) for name, symbol in s.symbols.items()}
    for point in _assumptions().samples(symbols):
        try:
            values = tuple(substitute(s, point) for s in seen)
        except LayerError:  # an assumption on several symbols does not hold there
            continue
        if concrete(values):
            for of_size, value in zip(seen.values(), values, strict=True):
                of_size.append(value)
    return seen


def substitute(x: Any, values: Mapping[str, Any]) -> Any:
    """`x` with symbols replaced by integers, expressions or arrays.

    Raises `LayerError` if a quotient that was assumed to be exact is not.
    """
    return symbolic.evaluate(x, values, symbolic.Arithmetic(largest, smallest, exact_div))


def choose(condition: Any, if_true: Size, if_false: Size) -> Size:
    """`if_true` where the condition holds, else `if_false`; element by element for arrays.

    Raises `UndecidedError` if the condition is unknown (None).
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
        difference: Any = b - a
        if not isinstance(difference, Expr):
            return difference >= 0
        return _assumptions().sign(difference)[0]
    left: Any = a  # of arrays, one element a configuration
    return left <= b


def certainly(answer: Any) -> bool:
    """Whether an answer of `equal` or `at_most` is True, for arrays in every element."""
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
    """Require `a >= b`: raises `LayerError` (int), masks (array), records an assumption (symbol)."""
    answer = at_most(b, a)
    if answer is True or _unknown(a, b) is not None:
        return
    if answer is None:
        difference: Any = a - b
        _noting(message).state_nonnegative(difference, f"{a} >= {b}", _text(message))
    else:
        _refuse(answer, message)


def require_equal(a: Size, b: Size, message: Message, note: str = "") -> Size:
    """Require `a == b`, as `require_at_least` does; returns the one with the shorter formula."""
    answer = equal(a, b)
    if _unknown(a, b) is not None:
        return a if is_known(a) else b
    if answer is None:
        difference: Any = a - b
        _noting(message).state_zero(difference, note or f"{a} == {b}", _text(message))
    elif answer is not True:
        _refuse(answer, message)
    if isinstance(a, Expr) and (not isinstance(b, Expr) or len(str(b)) < len(str(a))):
        return b
    return a


def broadcast(a: Size, b: Size, message: Message) -> Size:
    """The broadcast size of an axis from sizes `a` and `b`; requires that they are equal or one is 1."""
    if type(a) is int and type(b) is int and a == b:  # most often, and it saves three questions
        return a
    if certainly(equal(a, 1)):
        return b
    if certainly(equal(b, 1)):
        return a
    if is_array(a) or is_array(b):
        require_equal((a - b) * (a - 1) * (b - 1), 0, message)
        return largest(a, b)
    return require_equal(a, b, message)


def require_integer(a: Size, message: Message) -> None:
    """Require that the value of `a` is an integer: its quotients are exact (integers and arrays pass)."""
    if isinstance(a, Expr) and not symbolic.is_polynomial(a):
        exact_div(*symbolic.fraction_of(a), message)


def for_each_copy(index: str, count: Size) -> None:
    """State of every copy of a block, from now on in this scope, what is stated of its `index`."""
    current = _scope.get()
    if current is not None:
        current.assumptions.of_copies(index, count)


def exclude(valid: Any) -> None:
    """Mask in the current scope, if there is one, what an array of truth values denies."""
    current = _scope.get()
    if current is not None and valid is not True:
        current.valid = current.valid & valid


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
