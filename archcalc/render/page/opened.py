"""A report at values of all of its symbols, and the same network in closed form beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from archcalc import arith
from archcalc.arith import expressions
from archcalc.arith.symbolic import Expr
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.report.columns import Figures
from archcalc.report.report import Report

# values that are tried for open symbols: of an image's side, of another axis of an input, of the number
# of copies of a block, and of anything else
IMAGE, AXIS, COPIES, OTHER = (224, 128, 64, 32), (128, 64, 32), (4, 3, 2, 1), (32, 16, 8)


class Opened(NamedTuple):
    """`at` has a value of every symbol, `closed` none (None: `why`); `start` are the values of `at`."""

    at: Report
    closed: Report | None
    start: dict[str, int]
    why: str = ""


def opened(report: Report) -> Opened:
    """Raises `ArchcalcError` where no values of the open symbols suit the network."""
    symbols = dict(report.symbols)
    if not symbols:
        return Opened(report, None, {})
    try:
        fixed = {name: None for name, value in symbols.items() if value is not None}
        closed: Report | None = _again(report, fixed) if fixed else report
        why = ""
    except ArchcalcError as fault:
        closed, why = None, str(fault)
    given = {name: int(value) for name, value in symbols.items() if value is not None}
    if len(given) == len(symbols):
        return Opened(report, closed, given, why)
    for values in _tried(report, symbols):
        try:
            at = _again(report, {n: v for n, v in values.items() if symbols[n] is None})
        except ArchcalcError as fault:
            refusal = str(fault)
            continue
        return Opened(at, closed, given | values, why)
    raise ArchcalcError(
        f"no value that was tried suits the open symbols; give them values with --set ({refusal})"
    )


def _again(report: Report, symbols: Mapping[str, int | None]) -> Report:
    of = report._of
    again = Report(Figures(with_values(of.graph, symbols), of.asked, of.gradient_options))
    if again.has_symbols:
        again.work_out()
    return again


def _tried(report: Report, symbols: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """Values of the open symbols: those that are usual, then the least that the assumptions allow."""
    graph: Graph = report._of.graph
    usual = {name: _usual(name, graph, report) for name in symbols}
    least = report.scope.assumptions.samples(report._open)
    for k in range(max(map(len, usual.values()))):
        yield {n: symbols[n] or _within(usual[n][min(k, len(usual[n]) - 1)], n, report) for n in symbols}
    for point in least:
        yield {n: symbols[n] or point.get(n, 1) for n in symbols}


def _within(value: int, name: str, report: Report) -> int:
    low, high = report.ranges.get(name, (1, None))
    return max(low, value if high is None else min(value, high))


def _usual(name: str, graph: Graph, report: Report) -> tuple[int, ...]:
    if any(isinstance(r.count, Expr) and name in r.count.symbols for r in graph.repeats):
        return COPIES
    for shape in report.inputs.values():
        if any(isinstance(size, Expr) and name in size.symbols for size in shape):
            return IMAGE if len(shape) > 2 else AXIS
    return OTHER


class Condition(NamedTuple):
    """An assumption as data: `left` compared with `right` by `relation`; or its text alone."""

    text: str
    left: Any = None
    relation: str = ""
    right: Any = None


def conditions(report: Report) -> list[Condition]:
    """What the closed forms assume, so that a page can say where they do not hold."""
    found = []
    for text in report.assumptions:
        relation = next((sign for sign in (">=", "<=", "==") if sign in text), "")
        condition = Condition(text)
        if relation:
            left, right = text.split(relation)
            try:
                with arith.scope():
                    sides = expressions.restore(left.strip()), expressions.restore(right.strip())
                condition = Condition(text, sides[0], relation, sides[1])
            except ArchcalcError:
                pass
        found.append(condition)
    return found
