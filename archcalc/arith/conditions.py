"""Conditions on figures, as users write them: `parameters < 5e6 and receptive_field >= 200`.

The language of expressions with `< <= > >= == !=`, `and or not` and numbers such as `5e6`; with Python's
precedence, and comparisons chain: `8 <= w < 64`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

from archcalc import arith
from archcalc.arith import symbolic
from archcalc.arith.expressions import PRECEDENCE, TOKEN, WRITTEN, Parser, Pending, Token, Value
from archcalc.arith.symbolic import Expr

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
MAX_EXPONENT = 19  # of a number such as 5e6


class Truth(NamedTuple):
    """What has a truth value: a comparison of `parts` with 0, or `and`, `or`, `not` of parts.

    `right` is what a further comparison continues: `8 <= w < 64`. Brackets end that.
    """

    operator: str
    parts: tuple[Any, ...]
    right: Any = None

    def holds(self, values: Mapping[str, Any]) -> Any:
        if self.operator in COMPARISONS:
            (difference,) = self.parts
            if isinstance(difference, Expr):
                difference = arith.substitute(difference, values)
            return COMPARISONS[self.operator](difference, 0)
        first, *others = (part.holds(values) for part in self.parts)
        if self.operator == "not":
            return first ^ True
        return first & others[0] if self.operator == "and" else first | others[0]


class Condition(NamedTuple):
    """A condition; `names` are the figures and symbols in it."""

    text: str
    names: frozenset[str]
    truth: Truth

    def holds(self, values: Mapping[str, Any]) -> Any:
        """Whether it holds for these values: a truth value, or an array of them where values are arrays."""
        return self.truth.holds(values)


def parse(text: str, names: Collection[str]) -> Condition:
    """The condition that a user wrote about figures of these names.

    Raises `ExpressionError`, which quotes the text and names the column.
    """
    parser = _Parser(text, {name: symbolic.symbol(name) for name in names}, WRITTEN, exact=False)
    truth: Truth = parser.parse()
    return Condition(text, frozenset(parser.used), truth)


class _Parser(Parser):
    """Conditions bind the least; what was parsed is a number or a `Truth`."""

    tokens = (
        r"(?s)(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<comparison><=|>=|==|!=|<|>|=)"
        r"|(?P<keyword>(?:and|or|not)\b)|" + TOKEN.partition("|")[2]
    )
    precedence = {
        "or": 1,
        "and": 2,
        "not": 3,
        **dict.fromkeys(COMPARISONS, 4),
        **{sign: rank + 4 for sign, rank in PRECEDENCE.items()},
    }
    prefixes = (*Parser.prefixes, "not")

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.used: set[str] = set()

    def _operand(self, token: Token, following: Token) -> bool:
        if token.text == "not":
            self.pending.append(Pending("not", token.position))
            return True
        return super()._operand(token, following)

    def _operator(self, token: Token) -> bool:
        if token.text in COMPARISONS or token.text in ("and", "or"):
            self._reduce(self.precedence[token.text])
            self.pending.append(Pending(token.text, token.position))
            return True
        if token.text in ("not", "="):
            self._fail("expected an operator" if token.text == "not" else "'=' compares nothing; write ==")
        return super()._operator(token)

    def _number(self, text: str) -> Value:
        digits, _, exponent = text.lower().partition("e")
        if len(digits) > self.limits.bits or (exponent and abs(int(exponent[:20])) > MAX_EXPONENT):
            self._fail(f"the number {text[:20]} has too many digits")
        return self._checked(Fraction(text.replace("_", "")))

    def _symbol(self, name: str) -> Value:
        value = super()._symbol(name)
        self.used.add(name)
        return value

    def _prefixed(self, operator: str, value: Value) -> Value:
        return (
            Truth("not", (self._truth(value),)) if operator == "not" else super()._prefixed(operator, value)
        )

    def _closed(self, function: str, arguments: list[Value]) -> Value:
        if not function and isinstance(arguments[0], Truth):
            return arguments[0]._replace(right=None)
        return super()._closed(function, arguments)

    def _binary(self, operator: str, left: Value, right: Value) -> Value:
        if operator in ("and", "or"):
            return Truth(operator, (self._truth(left), self._truth(right)))
        if operator not in COMPARISONS:
            return super()._binary(operator, left, right)
        right = self._plain(right)
        if isinstance(left, Truth) and left.right is not None:
            chained = self._binary(operator, left.right, right)
            return Truth("and", (left, chained), right)
        difference = self._plain(left) - right
        return Truth(operator, (difference * difference.denominator,), right)

    def _require_divisor(self, divisor: Value) -> None:
        if isinstance(divisor, Expr):
            self._fail(f"a division by {divisor}; multiply the other side with it instead")

    def _truth(self, value: Value) -> Truth:
        return value if isinstance(value, Truth) else self._missing()

    def _result(self, value: Value) -> Any:
        return self._truth(value)

    def _missing(self) -> NoReturn:
        self._fail("a number where a condition is expected, such as parameters < 5e6")

    def _plain(self, value: Value) -> Value:
        if isinstance(value, Truth):
            self._fail("a condition where a number is expected")
        return super()._plain(value)
