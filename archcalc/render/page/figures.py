"""Figures as data for a page: exact integers, and closed forms that the page evaluates itself.

An integer beyond 2^53 is a string of digits and a fraction `"1/2"`, since numbers of JSON lose them in a
browser. A closed form is a number into `expressions`, sums of products of `atoms`, each stored once.
Nothing in a page is parsed as code.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archcalc.arith.symbolic import Atom, Expr, Extremum, Floor, Power, Sum, Symbol
from archcalc.arith.unknown import Unknown
from archcalc.report.values import to_json_value

EXACT = 2**53
MAX_TERMS = 20_000  # of all closed forms of a page together


class Figures:
    """The figures of one page, and the closed forms among them.

    `{"e": 3, "v": 37}` is closed form number 3, which is 37 with the values that the page starts with;
    `{"f": 37, "why": 0}` has no closed form, for reason 0 of `whys`; `{"u": "…"}` is unknown;
    null has no meaning.
    """

    def __init__(self) -> None:
        self.expressions: list[list[list[Any]]] = []
        self.atoms: list[list[Any]] = []
        self.whys: list[str] = []
        self._terms = 0
        self._atom: dict[Atom, int] = {}
        self._expression: dict[Expr, int] = {}

    def of(self, value: Any, closed: Any = None, why: str = "") -> Any:
        """A figure: its value at the start, its closed form, or why it has none."""
        if isinstance(closed, Expr):
            number = self._number(closed)
            if number is not None:
                return {"e": number, "v": exact_value(value)}
            why = "its closed form is too long for a page"
        if not why:
            return exact_value(value)
        if why not in self.whys:
            self.whys.append(why)
        return {"f": exact_value(value), "why": self.whys.index(why)}

    def _number(self, expression: Expr) -> int | None:
        """The number of an expression; None where it is too long."""
        if expression not in self._expression:
            if self._terms + len(expression.terms) > MAX_TERMS:
                return None
            self._terms += len(expression.terms)
            terms = []
            for monomial, coefficient in expression.terms.items():
                term: list[Any] = [exact_value(coefficient)]
                for atom, exponent in monomial:
                    number = self._atom_number(atom)
                    if number is None:
                        return None
                    term += [number, exponent]
                terms.append(term)
            self.expressions.append(terms)
            self._expression[expression] = len(self.expressions) - 1
        return self._expression[expression]

    def _atom_number(self, atom: Atom) -> int | None:
        if atom not in self._atom:
            data = self._atom_data(atom)
            if data is None:
                return None
            self.atoms.append(data)
            self._atom[atom] = len(self.atoms) - 1
        return self._atom[atom]

    def _atom_data(self, atom: Atom) -> list[Any] | None:
        match atom:
            case Symbol(name=name):
                return ["symbol", name]
            case Floor(numerator=top, divisor=bottom):
                return self._applied("floor", (top, bottom))
            case Extremum(values=values, is_max=is_max):
                return self._applied("max" if is_max else "min", values)
            case Power(base=base, exponent=exponent):
                return self._applied("power", (base, exponent))
            case Sum(value=value):
                return self._applied("sum", (value,))
        return None

    def _applied(self, word: str, arguments: Sequence[Any]) -> list[Any] | None:
        numbers = [self._number(a if isinstance(a, Expr) else Expr({(): a})) for a in arguments]
        return None if None in numbers else [word, *numbers]


def exact_value(value: Any) -> Any:
    """A figure without symbols as JSON that a browser reads exactly."""
    if isinstance(value, Unknown):
        return {"u": value.reason}
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value)
    if isinstance(value, Fraction):
        return exact_value(value.numerator) if value.denominator == 1 else str(value)
    if isinstance(value, tuple | list):
        return [exact_value(v) for v in value]
    if isinstance(value, float):
        return to_json_value(round(value, 4))
    return to_json_value(value)
