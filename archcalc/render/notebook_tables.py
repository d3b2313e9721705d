"""HTML for a notebook cell: a graph, a verification, the results of solve and sweep; every text escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.errors import ArchcalcError
from archcalc.render.notebook import MAX_ROWS
from archcalc.render.solution import facts as solution_facts
from archcalc.render.solution import headline
from archcalc.render.sweep import figure
from archcalc.render.text import UNICODE, count, outputs, printable
from archcalc.report.columns import type_name
from archcalc.report.verification import AGREES, CANNOT_RUN, DIFFERS

if TYPE_CHECKING:
    from archcalc.design.solution import Solution
    from archcalc.design.sweep_result import Sweep
    from archcalc.graph import Graph
    from archcalc.report.verification import Verification

LEFT = "text-align: left"


def graph_html(graph: Graph) -> str:
    """The layers in their order: type, output shape, inputs; no figures, which `analyze` gives."""
    names = [printable(node.name) for node in graph.nodes]
    try:
        with arith.scope():
            known, _ = shapes.shapes_and_weights(graph)
        sizes = list(map(outputs, known))
    except ArchcalcError:  # `analyze` says what does not fit together
        sizes = ["?"] * len(names)
    rows = [
        (name, type_name(node.layer), size, ", ".join(names[t.node] for t in node.inputs))
        for name, node, size in zip(names, graph.nodes, sizes, strict=True)
    ]
    ends = f"{len(names):,} layers; outputs: {', '.join(names[t.node] for t in graph.outputs)}"
    return _shown(graph.name, ends, ("Layer", "Type", "Output", "Inputs"), rows)


def verification_html(result: Verification) -> str:
    """The outcome, what differs, and why checks could not run."""
    counts = result.counts()
    compared = counts[AGREES] + counts[DIFFERS]
    if not compared:
        outcome = "no figure could be compared with Keras"
    elif result.agrees:
        outcome = f"✓ all {compared:,} figures agree with Keras"
    else:
        outcome = f"✗ {counts[DIFFERS]:,} of {compared:,} figures differ from Keras"
    kinds = Counter(check.what for check in result.checks if check.verdict != CANNOT_RUN)
    reasons = Counter((c.what, c.reason) for c in result.checks if c.verdict == CANNOT_RUN)
    notes = [("compared", ", ".join(f"{what} ({n:,})" for what, n in kinds.items()))] if kinds else []
    notes += [("cannot run here", f"{what} ({n:,}): {why}") for (what, why), n in reasons.most_common(10)]
    notes += [("skipped", what) for what in result.skipped]
    rows = [
        (c.what, c.layer or "whole network", count(c.predicted), count(c.measured), c.reason)
        for c in result.differences
    ]
    head = ("What differs", "Layer", "archcalc", "Keras", "")
    return _shown(result.name, outcome, head if rows else (), rows, notes)


def solution_html(solution: Solution) -> str:
    """The answer of `solve`, its budgets, and what was proved."""
    name, _, answer = headline(solution, UNICODE).partition(": ")
    return _shown(name, answer, ("Fact", "Value"), list(solution_facts(solution, UNICODE)))


def sweep_html(sweep: Sweep) -> str:
    """The range of each figure, or the best configurations where some are sought."""
    if sweep.objectives and sweep.front:
        head = list(sweep.front[0])
        rows = [tuple(figure(name, row[name]) for name in head) for row in sweep.front]
    else:
        head = ["", "least", "largest"]
        ends = sweep.figures.items()
        rows = [(n, figure(n, e.least), figure(n, e.largest)) for n, e in ends if e is not None]
    found = f"{sweep.configurations:,} configurations, {sweep.selected:,} selected"
    return _shown(", ".join(sweep.sources), found, head, rows, list(sweep.unknown.items()))


def _shown(
    name: str,
    line: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Iterable[tuple[str, str]] = (),
) -> str:
    titles = "".join(f'<th style="{LEFT}">{escape(title)}</th>' for title in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{LEFT}">{escape(printable(cell))}</td>' for cell in row) + "</tr>"
        for row in rows[:MAX_ROWS]
    )
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>" if head else ""
    cut = len(rows) - MAX_ROWS
    more = f"<p>and {cut:,} more</p>" if cut > 0 else ""
    facts = "".join(f"<dt>{escape(term)}</dt><dd>{escape(printable(text))}</dd>" for term, text in notes)
    facts = f"<dl>{facts}</dl>" if facts else ""
    return f"<div><p><strong>{escape(printable(name))}</strong> {escape(line)}</p>{table}{more}{facts}</div>"
