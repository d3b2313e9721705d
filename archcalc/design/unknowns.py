"""The unknowns of a design question: the values that each may take, and the symbols that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archcalc import arith
from archcalc.arith.expressions import is_symbol_name, parse
from archcalc.arith.integers import integer
from archcalc.arith.symbolic import Expr, Symbol, symbol
from archcalc.errors import ArchcalcError

Values = Sequence[tuple[int, ...]]
_RANGE = r"\s*(\d*)\s*:\s*(\d*)\s*(?::\s*(\d+)\s*)?"
MAX_DIGITS = 18


@dataclass(frozen=True)
class Unknown:
    """One unknown, or several that only take certain values together.

    `values` lists them where they were listed; else they run from `start` in steps of `step`, `count` of them
    or without an end. A place is the number of a value in this order.
    """

    names: tuple[str, ...]
    start: int = 1
    step: int = 1
    count: int | None = None
    values: Values = ()

    @property
    def name(self) -> str:
        return ",".join(self.names)

    @property
    def last(self) -> int | None:
        """The place of the last value; None where there is no end."""
        return len(self.values) - 1 if self.values else None if self.count is None else self.count - 1

    def at(self, place: int) -> dict[str, int]:
        """The symbols' values at a place."""
        if self.values:
            return dict(zip(self.names, self.values[place], strict=True))
        return {self.names[0]: self.start + self.step * place}

    def ends(self, first: int, last: int | None) -> dict[str, tuple[int, int | None]]:
        """The least and the largest value of each symbol from one place to another."""
        if self.values:
            part = self.values[first : None if last is None else last + 1]
            return {n: (min(v), max(v)) for n, v in zip(self.names, zip(*part, strict=True), strict=True)}
        high = None if last is None else self.start + self.step * last
        return {self.names[0]: (self.start + self.step * first, high)}

    def __str__(self) -> str:
        if self.values:
            return f"{self.name} among {len(self.values):,} values"
        end = "" if self.count is None else f" to {self.at(self.count - 1)[self.name]:,}"
        return f"{self.name} from {self.start:,}{end}{f' in steps of {self.step:,}' if self.step > 1 else ''}"


def unknown(names: str, wanted: Any, declared: Mapping[str, Symbol], multiple: int = 1) -> Unknown:
    """The unknown that somebody asks for.

    Parameters
    ----------
    names
        A symbol, or several with commas between them.
    wanted
        None for the range that the network declares; text, `8:512:8` with the last value included (each end
        may be left out) or `8,16,32`; a `range`; or a list of integers (of several symbols, of their values
        together).
    declared
        The network's symbols with their ranges.
    multiple
        Only values that this number divides.

    Raises
    ------
    ArchcalcError
        A name or a value that the symbol cannot take; nothing left to choose from.
    """
    split = tuple(name.strip() for name in names.split(","))
    for name in split:
        if not is_symbol_name(name):
            raise ArchcalcError(f"{name!r} cannot name an unknown")
    symbols = [declared.get(name) or Symbol(name, 0) for name in split]
    if isinstance(wanted, str):
        wanted = _read(split, wanted)
    if len(split) > 1 or isinstance(wanted, list | tuple):
        return _listed(split, wanted, symbols, multiple)
    stated = _as_range(names, wanted)
    low, high = _within(split[0], stated.get("start"), stated.get("stop"), symbols[0])
    step = stated.get("step") or 1
    if multiple > 1:
        if step > 1:
            raise ArchcalcError(f"{names}: state a step or a multiple, not both")
        low, step = -(-low // multiple) * multiple, multiple
    count = None if high is None else (high - low) // step + 1
    if count is not None and count < 1:
        raise ArchcalcError(f"{names}: there is no value to choose from ({low} to {high} in steps of {step})")
    return Unknown(split, low, step, count)


def _as_range(names: str, wanted: Any) -> Mapping[str, int | None]:
    """`start`, `stop` (included) and `step` of what is wanted, where they are stated."""
    if wanted is None or isinstance(wanted, Mapping):
        return wanted or {}
    if not isinstance(wanted, range) or not wanted:
        raise ArchcalcError(f"{names}: expected a range or a list of values, got {wanted!r}")
    low, high = sorted((wanted[0], wanted[-1]))
    return {"start": low, "stop": high, "step": abs(wanted.step)}


def _within(name: str, start: int | None, stop: int | None, declared: Symbol) -> tuple[int, int | None]:
    low = declared.minimum if start is None else start
    high = declared.maximum if stop is None else stop
    if low < declared.minimum or (
        high is not None and declared.maximum is not None and high > declared.maximum
    ):
        most = "" if declared.maximum is None else f" and at most {declared.maximum}"
        raise ArchcalcError(f"{name}: declared as at least {declared.minimum}{most}; got {low}:{high or ''}")
    return low, high


def _read(names: tuple[str, ...], text: str) -> Any:
    if any(len(digits) > MAX_DIGITS for digits in re.findall(r"\d+", text)):
        raise ArchcalcError(f"{','.join(names)}: a number of more than {MAX_DIGITS} digits")
    match = re.fullmatch(_RANGE, text)
    if match is not None and len(names) == 1:
        start, stop, step = (int(part) if part else None for part in match.groups())
        if step == 0:
            raise ArchcalcError(f"{names[0]}: a step of 0")
        return {"start": start, "stop": stop, "step": step}
    rows = [row.split(",") for row in text.split(";")] if len(names) > 1 else [[v] for v in text.split(",")]
    try:
        numbers = [tuple(int(value) for value in row) for row in rows]
    except ValueError:
        form = "a,b;c,d" if len(names) > 1 else "8:512:8, or 8,16,32"
        raise ArchcalcError(f"{','.join(names)}={text}: expected {form}") from None
    return numbers if len(names) > 1 else [row[0] for row in numbers]


def _listed(names: tuple[str, ...], wanted: Any, symbols: Sequence[Symbol], multiple: int) -> Unknown:
    if wanted is None or not isinstance(wanted, Iterable):
        raise ArchcalcError(f"{','.join(names)}: list the values that they take together")
    try:
        rows = [tuple(map(integer, row)) if isinstance(row, Iterable) else (integer(row),) for row in wanted]
    except TypeError as wrong:
        raise ArchcalcError(f"{','.join(names)}: {wrong}") from None
    for row in rows:
        if len(row) != len(names):
            raise ArchcalcError(f"{','.join(names)}: expected {len(names)} values, got {row}")
        for value, declared in zip(row, symbols, strict=True):
            _within(declared.name, value, value, declared)
    rows = sorted({row for row in rows if all(v % multiple == 0 for v in row)})
    if not rows:
        raise ArchcalcError(f"{','.join(names)}: there is no value to choose from")
    return Unknown(names, values=tuple(rows))


def driven(texts: Mapping[str, Any], unknowns: Sequence[Unknown]) -> dict[str, Expr | int]:
    """Symbols that follow from the unknowns: `{"w": "10 + 2*phi"}`.

    Raises `ArchcalcError` for a text that is no expression in the unknowns.
    """
    free: dict[str, Any] = {
        name: symbol(name, u.ends(0, u.last)[name][0], u.ends(0, u.last)[name][1])
        for u in unknowns
        for name in u.names
    }
    formulas: dict[str, Expr | int] = {}
    for name, text in texts.items():
        if name in free:
            raise ArchcalcError(f"{name} is an unknown; it cannot follow from the others as well")
        try:
            with arith.scope():
                formulas[name] = parse(str(text), free)
        except ArchcalcError as wrong:
            raise ArchcalcError(f"{name}: {wrong}") from None
    return formulas
