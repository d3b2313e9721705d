"""A sentence that explains a convention's figure by its terms."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.arith import Size, total
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.conventions.counting import Counted, Part
from archcalc.conventions.terms import BIAS, MULTIPLY_ADDS, TERMS
from archcalc.graph import Graph

_TIMES = {1: "once", 2: "twice"}
_UNITS = {MULTIPLY_ADDS: ("macs",), BIAS: ("bias",)}  # the fields of `Part` that a term is proportional to
_OPERATORS = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division"}


def terms(graph: Graph, counted: Sequence[Counted]) -> dict[str, Size]:
    """The figure of all nodes whose figure is known, split into terms; those that are zero are left out."""
    parts = [() if isinstance(of_node.flops, Unknown) else of_node.parts for of_node in counted]
    amounts = {
        term: total(graph.of_all_copies(total(p.counts.get(term, 0) for p in of_node) for of_node in parts))
        for term in TERMS
    }
    return {term: amount for term, amount in amounts.items() if amount != 0}


def explain(counted: Sequence[Counted], amounts: dict[str, Size]) -> str:
    """How often each term counts, and what does not count at all."""
    parts = [part for of_node in counted for part in of_node.parts]
    clauses = [_clause(term, amount, parts) for term, amount in amounts.items()]
    if not clauses:
        clauses = ["counts nothing"]
    left_out = _left_out(parts)
    return "; ".join(clauses) + (f"; without {', '.join(left_out)}" if left_out else "")


def _clause(term: str, amount: Size, parts: Sequence[Part]) -> str:
    counting = [p for p in parts if p.counts.get(term, 0) != 0]
    if term == MULTIPLY_ADDS:
        return _multiply_adds(amount, counting)
    rates = _rates(counting, term)
    return f"{_figure(amount)} for {term}" + (f" ({rates})" if rates else "")


def _multiply_adds(amount: Size, parts: Sequence[Part]) -> str:
    rate = _rate(parts, MULTIPLY_ADDS)
    if rate in _TIMES:
        figure = _figure(amount)
        return f"multiply-adds {_TIMES[rate]} {figure if figure.startswith('(') else f'({figure})'}"
    return (
        f"{_figure(amount)} for multiply-adds ({_rates(parts, MULTIPLY_ADDS) or 'not in proportion to them'})"
    )


def _rates(parts: Sequence[Part], term: str) -> str:
    """`2 a unit of X, Y` if all kinds count equally often, else a rate for each kind that has one."""
    kinds = sorted({p.kind for p in parts})
    rates = {kind: _rate([p for p in parts if p.kind == kind], term) for kind in kinds}
    unit = "multiply-add" if term == MULTIPLY_ADDS else "unit"
    distinct = {rate for rate in rates.values() if rate is not None}
    if len(distinct) == 1 and None not in rates.values():
        return f"{distinct.pop()} a {unit} of {', '.join(kinds)}"
    return ", ".join(f"{kind} {rates[kind]} a {unit}" for kind in kinds if rates[kind] is not None)


def _rate(parts: Sequence[Part], term: str) -> int | None:
    """How often each multiply-add or unit counts; None unless that is the same integer for all parts."""
    for units in _UNITS.get(term, ("units", "out_units")):
        rates = {_quotient(p.counts[term], getattr(p, units)) for p in parts}
        if len(rates) == 1 and None not in rates:
            return rates.pop()
    return None


def _quotient(amount: Size, units: Size) -> int | None:
    return next((n for n in range(1, 12) if amount == n * units), None)


def _left_out(parts: Sequence[Part]) -> list[str]:
    """The kinds that compute something but count nothing, and the bias if no bias counts."""
    counting = {p.kind for p in parts if any(n != 0 for n in p.counts.values())}
    busy = {p.kind for p in parts if not p.idle}
    idle = sorted(_OPERATORS.get(kind, kind) for kind in busy - counting)
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
