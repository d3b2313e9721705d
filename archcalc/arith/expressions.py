"""The expression language of specs, and its parser: `"2*w"` becomes a size.

The language has integers, symbols, `+ - * // / % **`, parentheses and `floor ceil min max`, with
Python's precedence. `/` is exact: the whole expression must be an integer, which is checked
(numbers) or assumed and reported (symbols). `//` and `%` floor.

The parser is an operator-precedence loop over a text of limited length; it never recurses and
never runs text as code. `restore` parses whatever `str` prints of an expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import comb
from typing import Any, NamedTuple, NoReturn, TypeAlias

from archcalc import arith
from archcalc.arith import symbolic
from archcalc.arith.symbolic import Expr
from archcalc.errors import ArchcalcError, ExpressionError, did_you_mean

FUNCTIONS = ("ceil", "floor", "max", "min")

Value: TypeAlias = Any  # int, Fraction or Expr; inside the parser also `_PowerOfSum` or a list of summands


class Limits(NamedTuple):
    """Limits on the size of a text and of everything computed from it."""

    length: int  # characters
    nesting: int  # open parentheses
    exponent: int  # of a power, and of any symbol in the result
    bits: int  # of any integer
    terms: int  # of any sum
    levels: int  # of nested floors, extrema and symbolic powers


WRITTEN = Limits(length=1_000, nesting=50, exponent=64, bits=64, terms=100, levels=6)
PRINTED = Limits(
    length=4_000_000,
    nesting=2_000,
    exponent=100_000,
    bits=13_000,
    terms=symbolic.MAX_TERMS,
    levels=symbolic.MAX_NESTING,
)


def parse(text: str, symbols: Mapping[str, Any]) -> int | Expr:
    """The integer or expression that a user wrote as `text`; `symbols` maps each name to its size.

    Raises `ExpressionError`, which quotes the text and names the column. Exact quotients of symbols
    and symbolic divisors become assumptions of the current `arith.scope`; outside one they are
    refused.
    """
    value: int | Expr = Parser(text, symbols, WRITTEN, exact=True).parse()
    return value


def restore(text: str, symbols: Mapping[str, Any] | None = None) -> int | Expr:
    """The expression that was printed as `text`; its quotients are taken to be exact.

    Without `symbols` each name is a positive integer of unknown range.
    Raises `ExpressionError` for a text that no expression prints.
    """
    value: int | Expr = Parser(text, symbols, PRINTED, exact=False).parse()
    return value


def is_symbol_name(name: str) -> bool:
    """Whether a symbol may have this name: an identifier that is not a function of the language."""
    match = re.fullmatch(TOKEN, name)
    return match is not None and match.lastgroup == "name" and name.isidentifier() and name not in FUNCTIONS


# compiled when a file has an expression
TOKEN = (
    r"(?s)(?P<number>[0-9]+)|(?P<name>[^\W\d]\w*)|(?P<operator>\*\*|//|[-+*/%])"
    r"|(?P<bracket>[(),])|(?P<space>[ \t]+)|(?P<other>.)"
)

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "negative": 3, "positive": 3, "**": 4}


class Token(NamedTuple):
    kind: str
    text: str
    position: int


class Pending(NamedTuple):
    """An operator or open parenthesis on the stack, before its operand is complete."""

    operator: str
    position: int
    function: str = ""
    arguments_from: int = 0


class _PowerOfSum(NamedTuple):
    """A power of a sum, not yet expanded: as a divisor it stays one factor."""

    base: Expr
    exponent: int


class _LocatedError(ExpressionError):
    """An error whose text already names the column."""


class Parser:
    """The parser of one text; `values` and `pending` are the operand and operator stacks."""

    tokens = TOKEN
    precedence = PRECEDENCE
    prefixes: tuple[str, ...] = ("negative", "positive")

    def __init__(self, text: str, symbols: Mapping[str, Any] | None, limits: Limits, *, exact: bool) -> None:
        self.text = text
        self.symbols = symbols
        self.limits = limits
        self.exact = exact
        self.position = 0  # of the current token, for messages
        self.values: list[Value] = []
        self.pending: list[Pending] = []
        self.open = 0  # parentheses

    def parse(self) -> Any:
        """The value of the text."""
        if len(self.text) > self.limits.length:
            raise ExpressionError(
                f"an expression of {len(self.text):,} characters (limit {self.limits.length:,}): "
                f"{_excerpt(self.text, 0)}"
            )
        if not self.text.strip():
            raise ExpressionError("an empty text is no expression")
        try:
            return self._result(self._run())
        except ZeroDivisionError:
            self._fail("division by zero")
        except _LocatedError:
            raise
        except ArchcalcError as fault:
            self._fail(str(fault))

    def _run(self) -> Value:
        tokens = [*self._tokens(), Token("end", "", len(self.text))]
        operand_next = True
        for token, following in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
            self.position = token.position
            operand_next = self._operand(token, following) if operand_next else self._operator(token)
        return self.values.pop()

    def _result(self, value: Value) -> Any:
        return self._whole(self._plain(value))

    def _tokens(self) -> Iterator[Token]:
        for match in re.finditer(self.tokens, self.text):
            kind = match.lastgroup or "other"
            if kind == "other" or (kind == "name" and not match[0].isidentifier()):
                self.position = match.start()
                self._fail(f"unexpected character {match[0][:1]!r}")
            if kind != "space":
                yield Token(kind, match[0], match.start())

    # -- the two states of the loop ------------------------------------------------------------
    def _operand(self, token: Token, following: Token) -> bool:
        """Consume a token where an operand must begin; returns whether one must still begin."""
        if token.kind == "number":
            self.values.append(self._number(token.text))
            return False
        if token.kind == "name":
            if following.text != "(":
                self.values.append(self._symbol(token.text))
                return False
            if token.text not in FUNCTIONS:
                self._fail(f"{token.text!r} is not a function of the language ({', '.join(FUNCTIONS)})")
            self.pending.append(Pending("call", token.position, token.text))
            return True
        if token.text == "(":
            function = ""
            if self.pending and self.pending[-1].operator == "call":
                function = self.pending.pop().function
            self.pending.append(Pending("(", token.position, function, len(self.values)))
            self.open += 1
            if self.open > self.limits.nesting:
                self._fail(f"parentheses nested deeper than {self.limits.nesting}")
            return True
        if token.text in ("-", "+"):
            operator = "negative" if token.text == "-" else "positive"
            self.pending.append(Pending(operator, token.position))
            return True
        return self._fail("expected a number, a symbol or '('")

    def _operator(self, token: Token) -> bool:
        """Consume a token after an operand; returns whether another operand must follow."""
        if token.kind == "operator":
            # ** is right-associative: an equal operator on the stack is not applied yet
            self._reduce(self.precedence[token.text] + (token.text == "**"))
            self.pending.append(Pending(token.text, token.position))
            return True
        if token.kind in ("number", "name") or token.text == "(":
            self._fail("expected an operator")
        self._reduce(1)
        self.position = token.position
        if token.kind == "end":
            if self.pending:
                self.position = self.pending[-1].position
                self._fail("this '(' is never closed")
            return False
        if not self.pending:
            self._fail(f"there is no '(' before this {token.text!r}")
        if token.text == ",":
            if not self.pending[-1].function:
                self._fail("a comma is allowed only between the arguments of a function")
            return True
        self.open -= 1
        opened = self.pending.pop()
        arguments = self.values[opened.arguments_from :]
        del self.values[opened.arguments_from :]
        self.position = opened.position
        self.values.append(self._closed(opened.function, arguments))
        return False

    def _reduce(self, precedence: int) -> None:
        """Apply the operators on the stack that bind at least as tightly."""
        while self.pending and self.precedence.get(self.pending[-1].operator, 0) >= precedence:
            operator, self.position, *_ = self.pending.pop()
            right = self.values.pop()
            if operator in self.prefixes:
                self.values.append(self._prefixed(operator, right))
            elif operator in ("+", "-"):
                # a sum is evaluated once, when it is used: adding term by term is quadratic
                left = self.values.pop()
                summands = left if isinstance(left, list) else [self._plain(left)]
                right = self._plain(right)
                summands.append(right if operator == "+" else -right)
                self.values.append(summands)
            else:
                self.values.append(self._binary(operator, self.values.pop(), right))

    # -- values ----------------------------------------------------------------------------------
    def _number(self, text: str) -> Value:
        if len(text) > self.limits.bits:
            self._fail(f"a number of {len(text):,} digits")
        return self._checked(int(text))

    def _symbol(self, name: str) -> Value:
        if name in FUNCTIONS:
            self._fail(f"'(' must follow the function {name!r}")
        if self.symbols is None:
            return symbolic.symbol(name)
        if name in self.symbols:
            return self.symbols[name]
        declared = f"declared: {', '.join(self.symbols) or 'none'}"
        return self._fail(f"unknown symbol {name!r}{did_you_mean(name, self.symbols, declared)}")

    def _prefixed(self, operator: str, value: Value) -> Value:
        value = self._plain(value)
        return -value if operator == "negative" else value

    def _closed(self, function: str, arguments: list[Value]) -> Value:
        """The value of `(...)`, or of a call."""
        values = [self._plain(v) for v in arguments]
        return self._call(function, values) if function else values[0]

    def _binary(self, operator: str, left: Value, right: Value) -> Value:
        left = self._plain(left)
        if operator == "/" and isinstance(right, _PowerOfSum):
            self._require_divisor(right.base)
            for _ in range(right.exponent):
                left = symbolic.divide(left, right.base)
            return self._checked(left)
        right = self._plain(right)
        if operator == "**":
            return self._power(left, right)
        if operator == "*":
            if _terms(left) * _terms(right) > self.limits.terms * 100:
                self._fail("a product of too many terms")
            return self._checked(left * right)
        self._require_divisor(right)
        if operator == "/":
            return self._checked(symbolic.divide(left, right))
        floor = symbolic.floor_divide(left, right)
        return self._checked(floor if operator == "//" else left - right * floor)

    def _power(self, base: Value, exponent: Value) -> Value:
        exponent = self._whole(exponent)
        if isinstance(exponent, Expr):
            if self.exact:
                arith.require_at_least(exponent, 0, f"the exponent {exponent} is negative")
            return self._checked(self._whole(base) ** exponent)
        if exponent < 0:
            self._fail("a negative exponent; write 1/x")
        if exponent > self.limits.exponent:
            self._fail(f"an exponent above {self.limits.exponent}")
        if isinstance(base, Expr) and len(base.terms) > 1:
            return _PowerOfSum(base, exponent) if exponent > 1 else (base if exponent else 1)
        if not isinstance(base, Expr) and _bits(base) * exponent > 2 * self.limits.bits:
            self._fail(f"a number of more than {self.limits.bits} bits")
        return self._checked(base**exponent)

    def _call(self, function: str, arguments: list[Value]) -> Value:
        if function in ("min", "max"):
            whole = list(map(self._whole, arguments))
            if not self.exact and any(isinstance(v, Expr) for v in whole):
                # the values were compared before printing; comparing again could drop one of them
                return symbolic.extremum(whole, is_max=function == "max")
            return self._checked((arith.largest if function == "max" else arith.smallest)(*whole))
        if len(arguments) != 1:
            self._fail(f"{function} takes one argument, got {len(arguments)}")
        return self._checked((_floor if function == "floor" else _ceil)(arguments[0]))

    def _plain(self, value: Value) -> Value:
        """A plain value; lists of summands are added up and powers of sums expanded."""
        if isinstance(value, list):
            return self._checked(arith.total(value))
        if isinstance(value, _PowerOfSum):
            terms = len(value.base.terms)
            if comb(terms + value.exponent - 1, value.exponent) > self.limits.terms:
                self._fail("a power of a sum with too many terms")
            return self._checked(value.base**value.exponent)
        return value

    # -- limits and conditions -------------------------------------------------------------------
    def _checked(self, value: Value) -> Value:
        """The value if it is within the limits; fractions of denominator 1 become integers."""
        if isinstance(value, Expr):
            if len(value.terms) > self.limits.terms:
                self._fail(f"a sum of more than {self.limits.terms} terms")
            if value.nesting > self.limits.levels:
                self._fail(f"operations on symbols nested deeper than {self.limits.levels}")
            if any(e > self.limits.exponent for monomial in value.terms for _, e in monomial):
                self._fail(f"an exponent above {self.limits.exponent}")
            if max(map(_bits, value.terms.values())) > self.limits.bits:
                self._fail(f"a number of more than {self.limits.bits} bits")
            return value
        if _bits(value) > self.limits.bits:
            self._fail(f"a number of more than {self.limits.bits} bits")
        return value.numerator if value.denominator == 1 else value

    def _require_divisor(self, divisor: Value) -> None:
        if self.exact and isinstance(divisor, Expr):
            arith.require_at_least(divisor, 1, f"the divisor {divisor} must be positive")

    def _whole(self, value: Value) -> Any:
        """The value, which must be an integer; for symbols that is assumed."""

        def problem() -> str:
            return f"{value} is not an integer; // divides and floors"

        if isinstance(value, Fraction):
            self._fail(problem())
        if self.exact:
            arith.require_integer(value, problem)
        return value

    def _fail(self, problem: str) -> NoReturn:
        raise _LocatedError(f"{problem} (column {self.position + 1} of {_excerpt(self.text, self.position)})")


def _floor(x: Value) -> Value:
    return symbolic.floor_divide(x, 1) if isinstance(x, Expr) else x // 1


def _ceil(x: Value) -> Value:
    """The ceiling; of p/q it is (p + q - 1)//q, so that the result is in normal form."""
    top, bottom = symbolic.fraction_of(x) if isinstance(x, Expr) else (x.numerator, x.denominator)
    return symbolic.floor_divide(top + bottom - 1, bottom)


def _terms(x: Value) -> int:
    return len(x.terms) if isinstance(x, Expr) else 1


def _bits(x: int | Fraction) -> int:
    return max(x.numerator.bit_length(), x.denominator.bit_length())


def _excerpt(text: str, position: int) -> str:
    """The text around a position, quoted, with unprintable characters escaped."""
    start, end = max(0, position - 25), position + 25
    shown = ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
    return repr(shown)
