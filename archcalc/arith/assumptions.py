"""Assumptions of an analysis about its symbols, simplified.

Conditions on one symbol are solved: `(H-7)//2 - 3 >= 0` becomes `H >= 13`, and
`2*((H+1)//2) == H` becomes `H % 2 == 0`. Other conditions are recorded as written.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm
from typing import Any, NamedTuple

from archcalc.arith import ranges
from archcalc.arith.symbolic import OPEN, Expr, Symbol, evaluate, expr_of, is_polynomial
from archcalc.errors import LayerError

MAX_EXAMINED_TERMS = 500_000


class Condition(NamedTuple):
    """An assumption to be checked at values: `value` is one of `allowed`, or if that is None at least 0."""

    text: str
    value: Any
    allowed: frozenset[int] | None = None

    def met(self, value: int) -> bool:
        return value >= 0 if self.allowed is None else value in self.allowed

    def between(self, low: int | None, high: int | None) -> bool | None:
        """Whether every value between these ends meets it: yes, no, or None where some may."""
        if self.allowed is None:
            return True if low is not None and low >= 0 else False if high is not None and high < 0 else None
        if low is None or high is None or high - low > len(self.allowed):
            some = any((low is None or low <= v) and (high is None or v <= high) for v in self.allowed)
            return None if some else False
        return _unanimous(v in self.allowed for v in range(low, high + 1))


class Assumptions:
    """Conditions that hold in the scope of one analysis; later questions may use them.

    Once `MAX_EXAMINED_TERMS` terms were examined, every further question is answered
    "unknown", which is always correct and keeps the analysis from running on.
    """

    def __init__(self) -> None:
        self._examined = 0
        self._ranges: dict[str, tuple[int, int | None]] = {}
        self._declared: dict[str, tuple[int, int | None]] = {}
        self._residues: dict[str, tuple[int, frozenset[int]]] = {}
        self._symbols: dict[str, Symbol] = {}
        self._stated: dict[str, Condition] = {}
        self._copies: dict[str, Any] = {}  # indices of copies of blocks, with the number of copies

    # -- questions ---------------------------------------------------------------------
    def sign(self, x: Expr) -> tuple[bool | None, bool | None]:
        """(whether `x >= 0`, whether `x == 0`), each True, False or None (unknown)."""
        if self._examined > MAX_EXAMINED_TERMS:
            return None, None
        before = ranges.examined_terms()
        try:
            return self._sign(x)
        finally:
            self._examined += ranges.examined_terms() - before

    def _sign(self, x: Expr) -> tuple[bool | None, bool | None]:
        x = x * x.denominator  # has the same sign, and integer values
        self._learn(x)
        low = ranges.lower(x, self._ranges)
        if low is not None and low > 0:
            return True, False
        high = ranges.upper(x, self._ranges)
        if high is not None and high < 0:
            return False, False
        values = self._periodic(x)
        if values is not None:
            at_least = _unanimous(v >= 0 for v in values)
            return at_least, _unanimous(v == 0 for v in values)
        if low is not None and low == 0 == high:
            return True, True
        return (True if low is not None and low >= 0 else None), None

    def samples(self, symbols: Mapping[str, Symbol]) -> list[dict[str, int]]:
        """A few values of all symbols in which their ranges and residues hold, the least ones first."""
        points = []
        for number in range(10):
            wide = 1 if number < 4 else 20
            point = {}
            for place, (name, symbol) in enumerate(sorted(symbols.items()), start=1):
                low, high = self._range(symbol)
                step = self._residues.get(name, (1, frozenset()))[0]
                value = self._first(name, low) + step * wide * (number * (5 * place + 2) % 13)
                point[name] = value if high is None or value <= high else self._first(name, low)
            points.append(point)
        return points

    # -- statements --------------------------------------------------------------------
    def state_nonnegative(self, x: Expr, text: str, refusal: str) -> None:
        """Assume `x >= 0`; recorded as `text` if it cannot be solved.

        Raises `LayerError(refusal)` if it contradicts the assumptions so far.
        """
        x = x * x.denominator
        index = self._index(x)
        if index is not None:
            return self._at_both_ends(x, index, refusal)
        if len(x.symbols) == 1 and is_polynomial(x):
            ((name, symbol),) = x.symbols.items()
            low, high = self._range(symbol)
            if ranges.nondecreasing(x):
                least = ranges.least_argument(x, name, low)
                if least is not None:
                    return self._narrow(symbol, least, high, refusal)
            elif ranges.nondecreasing(-x - 1):
                beyond = ranges.least_argument(-x - 1, name, low)
                if beyond is not None:
                    return self._narrow(symbol, low, beyond - 1, refusal)
        self._stated[text] = Condition(text, x)
        return None

    def state_zero(self, x: Expr, text: str, refusal: str) -> None:
        """Assume `x == 0`; `text` and `refusal` as for `state_nonnegative`."""
        x = x * x.denominator
        index = self._index(x)
        if index is not None:
            raise LayerError(f"{refusal}, in each copy {index} of the block")
        length = ranges.period(x)
        stated = Condition(text, x, frozenset({0}))
        if length is None:
            self._stated[text] = stated
            return
        ((name, symbol),) = x.symbols.items()
        values = ranges.values_by_residue(x, length, self._range(symbol)[0])
        self._symbols[name] = symbol
        self._meet(name, length, frozenset(r for r, v in values.items() if v == 0), stated, refusal)

    def of_copies(self, index: str, count: Any) -> None:
        """From now on state of every copy 0, ..., `count` - 1 of a block what is stated of `index`."""
        self._copies[index] = count

    def _index(self, x: Expr) -> str | None:
        return next((name for name in self._copies if name in x.symbols), None)

    def _at_both_ends(self, x: Expr, index: str, refusal: str) -> None:
        """Assume `x >= 0` for every copy: for the first and the last one, where nothing between is less."""
        if not ranges.is_monotone(x, index):
            raise LayerError(f"{refusal}, in each copy {index} of the block")
        for copy in (0, self._copies[index] - 1):
            end: Any = evaluate(x, {index: copy}, OPEN)
            if isinstance(end, Expr):
                if self.sign(end)[0] is not True:
                    self.state_nonnegative(end, f"{end} >= 0", refusal)
            elif end < 0:
                raise LayerError(f"{refusal}, in copy {copy} of the block")

    def texts(self) -> list[str]:
        """All assumptions beyond the declared ranges of symbols, in the expression language."""
        return [condition.text for condition in self.conditions()]

    def conditions(self) -> list[Condition]:
        """The same, to be checked at values of the symbols."""
        conditions = []
        for name, (low, high) in sorted(self._ranges.items()):
            declared_low, declared_high = self._declared[name]
            of = expr_of(self._symbols[name])
            if low > self._first(name, declared_low):
                conditions.append(Condition(f"{name} >= {low}", of - low))
            if high is not None and high != declared_high:
                conditions.append(Condition(f"{name} <= {high}", high - of))
        for name, (length, residues) in sorted(self._residues.items()):
            text = _residue_text(name, length, residues)
            conditions.append(Condition(text, expr_of(self._symbols[name]) % length, residues))
        return [*conditions, *self._stated.values()]

    def _first(self, name: str, low: int) -> int:
        """The least value >= `low` that the symbol's residues allow."""
        length, residues = self._residues.get(name, (1, frozenset({0})))
        return next(v for v in range(low, low + length) if v % length in residues)

    # -- inner ---------------------------------------------------------------------------
    def _learn(self, x: Expr) -> None:
        for name, symbol in x.symbols.items():
            if name not in self._ranges:
                self._symbols[name] = symbol
                self._ranges[name] = self._declared[name] = (symbol.minimum, symbol.maximum)

    def _range(self, symbol: Symbol) -> tuple[int, int | None]:
        return self._ranges.get(symbol.name, (symbol.minimum, symbol.maximum))

    def _narrow(self, symbol: Symbol, low: int, high: int | None, refusal: str) -> None:
        if high is not None and low > high:
            raise LayerError(refusal)
        self._ranges[symbol.name] = (low, high)

    def _periodic(self, x: Expr) -> list[Any] | None:
        length = ranges.period(x)
        if length is None:
            return None
        ((name, symbol),) = x.symbols.items()
        known = self._residues.get(name)
        if known is not None:
            length = lcm(length, known[0])
            if length > ranges.MAX_PERIOD:
                return None
        values = ranges.values_by_residue(x, length, self._range(symbol)[0])
        return [v for r, v in values.items() if known is None or r % known[0] in known[1]]

    def _meet(
        self, name: str, length: int, residues: frozenset[int], stated: Condition, refusal: str
    ) -> None:
        old_length, old_residues = self._residues.get(name, (1, frozenset({0})))
        common = lcm(length, old_length)
        if common > ranges.MAX_PERIOD:
            self._stated[stated.text] = stated
            return
        both = frozenset(
            r for r in range(common) if r % length in residues and r % old_length in old_residues
        )
        if not both:
            raise LayerError(refusal)
        # {0, 4} modulo 8 is {0} modulo 4
        for shorter in (d for d in range(1, common + 1) if common % d == 0):
            if all((r + shorter) % common in both for r in both):
                self._residues[name] = (shorter, frozenset(r % shorter for r in both))
                break


def _unanimous(answers: Any) -> bool | None:
    distinct = set(answers)
    return distinct.pop() if len(distinct) == 1 else None


def _residue_text(name: str, length: int, residues: frozenset[int]) -> str:
    if len(residues) == 1:
        return f"{name} % {length} == {next(iter(residues))}"
    return f"{name} % {length} in {{{', '.join(map(str, sorted(residues)))}}}"
