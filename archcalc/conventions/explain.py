"""Why one convention's figure is what it is, in words made from its terms."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arith import Size, total
from archcalc.arith.symbolic import Expr
from archcalc.conventions.counting import Counted, Part
from archcalc.conventions.terms import BIAS, MULTIPLY_ADDS, TERMS

_TIMES = {1: "once", 2: "twice"}
_UNITS = {MULTIPLY_ADDS: ("macs",), BIAS: ("bias",)}  # what a term is in proportion to
_IN_WORDS = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division"}


def terms(counted: Sequence[Counted], copies: Sequence[Size]) -> dict[str, Size]:
    """The figure by what it is spent on; terms that are zero are left out."""
    found = {
        term: total(
            n * part.counts[term]
            for one, n in zip(counted, copies, strict=True)
            for part in one.parts
            if term in part.counts
        )
        for term in TERMS
    }
    return {term: amount for term, amount in found.items() if amount != 0}


def explain(counted: Sequence[Counted], amounts: dict[str, Size]) -> str:
    """What is counted how often, and what not at all."""
    parts = [part for one in counted for part in one.parts]
    said = [_said(term, amount, parts) for term, amount in amounts.items()]
    if not said:
        said = ["counts nothing"]
    left_out = _left_out(parts)
    return "; ".join(said) + (f"; without {', '.join(left_out)}" if left_out else "")


def _said(term: str, amount: Size, parts: Sequence[Part]) -> str:
    mine = [p for p in parts if p.counts.get(term, 0) != 0]
    if term == MULTIPLY_ADDS:
        return _multiply_adds(amount, mine)
    how = _rates(mine, term)
    return f"{_figure(amount)} for {term}" + (f" ({how})" if how else "")


def _multiply_adds(amount: Size, mine: Sequence[Part]) -> str:
    rate = _rate(mine, MULTIPLY_ADDS)
    if rate in _TIMES:
        return f"multiply-adds {_TIMES[rate]} ({_figure(amount)})"
    return (
        f"{_figure(amount)} for multiply-adds ({_rates(mine, MULTIPLY_ADDS) or 'not in proportion to them'})"
    )


def _rates(parts: Sequence[Part], term: str) -> str:
    """`2 a unit`, or which kind of thing counts how often."""
    kinds = sorted({p.kind for p in parts})
    found = {kind: _rate([p for p in parts if p.kind == kind], term) for kind in kinds}
    unit = "multiply-add" if term == MULTIPLY_ADDS else "unit"
    known = {rate for rate in found.values() if rate is not None}
    if len(known) == 1 and None not in found.values():
        return f"{known.pop()} a {unit} of {', '.join(kinds)}"
    return ", ".join(f"{kind} {found[kind]} a {unit}" for kind in kinds if found[kind] is not None)


def _rate(parts: Sequence[Part], term: str) -> int | None:
    """How often each multiply-add or unit counts, where that is the same whole number for all."""
    for units in _UNITS.get(term, ("units", "out_units")):
        rates = {_quotient(p.counts[term], getattr(p, units)) for p in parts}
        if len(rates) == 1 and None not in rates:
            return rates.pop()
    return None


def _quotient(amount: Size, units: Size) -> int | None:
    return next((n for n in range(1, 12) if amount == n * units), None)


def _left_out(parts: Sequence[Part]) -> list[str]:
    """What is there and counts nothing."""
    counting = {p.kind for p in parts if any(n != 0 for n in p.counts.values())}
    busy = {p.kind for p in parts if not p.idle}
    idle = sorted(_IN_WORDS.get(kind, kind) for kind in busy - counting)
    biased = [p for p in parts if p.bias != 0]
    if biased and all(p.counts.get(BIAS, 0) == 0 for p in biased):
        return ["bias", *idle]
    return idle


def _figure(amount: Size) -> str:
    return (
        f"{amount:,}"
        if isinstance(amount, int)
        else f"({amount})"
        if isinstance(amount, Expr)
        else str(amount)
    )
