"""Closed forms as one straight-line program: the same steps on integers, on arrays, and on ranges.

Sums are written by Horner's rule and equal parts are computed once, so that a dozen figures of a network
take about as many operations as their longest formula has terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archcalc.arith.symbolic import (
    UNIT,
    Atom,
    Expr,
    Extremum,
    Floor,
    Monomial,
    Power,
    Sum,
    Symbol,
    fraction_of,
)

Ends = tuple[int | None, int | None]  # the least and the largest value, None where there is none
Box = Mapping[str, Ends]


class Step(NamedTuple):
    """One operation: `symbol` (`a` is its name), `constant` (`a` its value), else on two earlier steps."""

    operation: str
    a: Any
    b: int = -1


class Tape:
    """The program of several formulas; `outputs` maps each name to the step that has its value."""

    def __init__(self, formulas: Mapping[str, int | Expr]) -> None:
        self.steps: list[Step] = []
        self._known: dict[Step, int] = {}
        self.outputs = {name: self._expression(formula) for name, formula in formulas.items()}
        self.symbols = sorted(step.a for step in self.steps if step.operation == "symbol")
        last = {operand: i for i, step in enumerate(self.steps) for operand in _operands(step)}
        kept = set(self.outputs.values())
        self._done: list[list[int]] = [[] for _ in self.steps]  # what no later step reads
        for operand, i in last.items():
            if operand not in kept:
                self._done[i].append(operand)

    # -- evaluation --------------------------------------------------------------------------
    def run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Each formula's value; `values` of symbols are integers or arrays of integers.

        Arrays of int64 overflow in silence: `reach` says beforehand whether they can. Raises `KeyError`
        for a symbol without a value, and `ZeroDivisionError` where a formula divides by zero.
        """
        at: list[Any] = [None] * len(self.steps)
        for i, (operation, a, b) in enumerate(self.steps):
            if operation == "symbol":
                at[i] = values[a]
            elif operation == "constant":
                at[i] = a
            else:
                at[i] = _ON_VALUES[operation](at[a], at[b])
            for done in self._done[i]:
                at[done] = None
        return {name: at[i] for name, i in self.outputs.items()}

    def bounds(self, box: Box) -> dict[str, Ends]:
        """Bounds of each formula while every symbol is between the two ends that `box` gives it."""
        ends = self._ends(box)
        return {name: ends[i] for name, i in self.outputs.items()}

    def reach(self, box: Box) -> int | None:
        """The largest absolute value that any step can have in the box, None where there is no bound."""
        reach = 0
        for low, high in self._ends(box):
            if low is None or high is None:
                return None
            reach = max(reach, -low, high)
        return reach

    def _ends(self, box: Box) -> list[Ends]:
        ends: list[Ends] = []
        for operation, a, b in self.steps:
            if operation == "symbol":
                ends.append(box[a])
            elif operation == "constant":
                ends.append((a, a))
            else:
                ends.append(_ON_ENDS[operation](ends[a], ends[b]))
        return ends

    # -- compilation -------------------------------------------------------------------------
    def _step(self, operation: str, a: Any, b: int = -1) -> int:
        if operation in ("add", "multiply", "largest", "smallest") and a > b:
            a, b = b, a
        step = Step(operation, a, b)
        if step not in self._known:
            self._known[step] = len(self.steps)
            self.steps.append(step)
        return self._known[step]

    def _expression(self, x: Any) -> int:
        if not isinstance(x, Expr):
            return self._step("constant", int(x))
        top, bottom = fraction_of(x)
        numerator = self._polynomial(top.terms if isinstance(top, Expr) else {UNIT: top})
        if not isinstance(bottom, Expr) and bottom == 1:
            return numerator
        return self._step("quotient", numerator, self._expression(bottom))

    def _polynomial(self, terms: Mapping[Monomial, Any]) -> int:
        """By Horner's rule: what has the most frequent atom as a factor is that atom times a polynomial."""
        frequent = Counter(atom for monomial in terms for atom, _ in monomial)
        if not frequent:
            return self._step("constant", int(sum(terms.values())))
        atom = max(frequent, key=lambda a: (frequent[a], a.key))
        power = min(e for m in terms for a, e in m if a == atom)
        inside: dict[Monomial, Any] = {}
        outside: dict[Monomial, Any] = {}
        for monomial, coefficient in terms.items():
            exponents = dict(monomial)
            if atom not in exponents:
                outside[monomial] = coefficient
                continue
            exponents[atom] -= power
            inside[tuple((a, e) for a, e in exponents.items() if e)] = coefficient
        product = factor = self._atom(atom)
        for _ in range(power - 1):
            product = self._step("multiply", product, factor)
        if inside != {UNIT: 1}:
            product = self._step("multiply", product, self._polynomial(inside))
        return self._step("add", product, self._polynomial(outside)) if outside else product

    def _atom(self, atom: Atom) -> int:
        if isinstance(atom, Symbol):
            return self._step("symbol", atom.name)
        if isinstance(atom, Floor):
            return self._step("floor", self._expression(atom.numerator), self._expression(atom.divisor))
        if isinstance(atom, Extremum):
            first, *others = map(self._expression, atom.values)
            for other in others:
                first = self._step("largest" if atom.is_max else "smallest", first, other)
            return first
        if isinstance(atom, Power):
            return self._step("power", self._expression(atom.base), self._expression(atom.exponent))
        assert isinstance(atom, Sum)
        return self._expression(atom.value)


def _operands(step: Step) -> tuple[int, ...]:
    return () if step.b < 0 else (step.a, step.b)


# -- on values -----------------------------------------------------------------------------------
def _largest(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    import numpy as np

    return np.maximum(a, b)


def _smallest(a: Any, b: Any) -> Any:
    return -_largest(-a, -b)


_ON_VALUES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "floor": lambda a, b: a // b,
    "quotient": lambda a, b: a // b,  # exact, by the conditions under which the formula holds
    "power": lambda a, b: a**b,
    "largest": _largest,
    "smallest": _smallest,
}


# -- on ranges -----------------------------------------------------------------------------------
def _add_ends(a: Ends, b: Ends) -> Ends:
    low = None if a[0] is None or b[0] is None else a[0] + b[0]
    return low, None if a[1] is None or b[1] is None else a[1] + b[1]


def _multiply_ends(a: Ends, b: Ends) -> Ends:
    if a[0] is not None and b[0] is not None and a[0] >= 0 and b[0] >= 0:
        return a[0] * b[0], _product(a[1], b[1])
    if None in a or None in b:
        return _signed(a, b)
    products = [x * y for x in a for y in b if x is not None and y is not None]
    return min(products), max(products)


def _product(x: int | None, y: int | None) -> int | None:
    """Of two upper ends of ranges from 0 on."""
    if x == 0 or y == 0:
        return 0
    return None if x is None or y is None else x * y


def _signed(a: Ends, b: Ends) -> Ends:
    """Of ranges of which one has no end: only what a sign that never changes decides."""
    if (0, 0) in (a, b):
        return 0, 0
    for (low, high), other, swap in ((a, b, False), (b, a, True)):
        if high is not None and high <= 0:  # -(|a| * b)
            negated = (-high, None if low is None else -low)
            ends = _multiply_ends(negated, other) if not swap else _multiply_ends(other, negated)
            return (None if ends[1] is None else -ends[1], None if ends[0] is None else -ends[0])
        if low is not None and low >= 0 and other[1] is not None and other[1] > 0:
            # the other changes sign: its least value times the largest of this, if both are known
            least = None if other[0] is None or high is None else other[0] * high
            return least, None if high is None else other[1] * high
    return None, None


def _floor_ends(a: Ends, b: Ends) -> Ends:
    if b[0] is None or b[0] <= 0:
        return None, None
    low, high = a
    if low is not None:
        low = low // b[0] if low < 0 else (0 if b[1] is None else low // b[1])
    if high is not None:
        high = high // b[0] if high >= 0 else (-1 if b[1] is None else high // b[1])
    return low, high


def _power_ends(a: Ends, b: Ends) -> Ends:
    if a[0] is None or a[0] < 1 or b[0] is None or b[0] < 0:
        return None, None
    high = None if a[1] is None or b[1] is None or b[1] > 1_000 else a[1] ** b[1]
    return a[0] ** min(b[0], 1_000), high


def _largest_ends(a: Ends, b: Ends) -> Ends:
    lows = [x for x in (a[0], b[0]) if x is not None]
    return (max(lows) if lows else None), None if a[1] is None or b[1] is None else max(a[1], b[1])


def _smallest_ends(a: Ends, b: Ends) -> Ends:
    highs = [x for x in (a[1], b[1]) if x is not None]
    return None if a[0] is None or b[0] is None else min(a[0], b[0]), (min(highs) if highs else None)


_ON_ENDS: dict[str, Callable[[Ends, Ends], Ends]] = {
    "add": _add_ends,
    "multiply": _multiply_ends,
    "floor": _floor_ends,
    "quotient": _floor_ends,
    "power": _power_ends,
    "largest": _largest_ends,
    "smallest": _smallest_ends,
}
