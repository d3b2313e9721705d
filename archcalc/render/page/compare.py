"""Two networks side by side as a page, with what changed between them in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.analyze import analyze
from archcalc.graph import Graph
from archcalc.render import text
from archcalc.render.diff.summary import LABELS, difference, figure, statements
from archcalc.render.page.assemble import assembled
from archcalc.render.page.data import source_name
from archcalc.render.page.groups import groups
from archcalc.render.text import printable
from archcalc.report.report import Report
from archcalc.review.diff.align import Side, align
from archcalc.review.diff.compare import KINDS, Diff


def diff_page(result: Diff, graphs: Sequence[Graph], symbols: Mapping[str, int | None]) -> str:
    """The page of a diff; of more than two networks only the totals.

    `graphs` and `symbols` are those of the diff.
    """
    reports = [analyze(g, {k: v for k, v in symbols.items() if k in g.symbols}) for g in graphs]
    names = [source_name(report) or printable(report.name) for report in reports]
    two = len(reports) == 2
    sides = align(*(report._of for report in reports)) if two else ()
    pictures = [_side(r, side, result, k) for k, (r, side) in enumerate(zip(reports, sides, strict=False))]
    changes = sorted(result.changes, key=lambda c: KINDS.index(c.kind))
    return assembled(
        "compare.html",
        {"sides": pictures},
        name=" and ".join(names),
        names=names,
        two=two,
        totals=[
            (LABELS[t.quantity], [figure(v, t.quantity) for v in t.values], difference(t) if two else "")
            for t in result.totals
        ],
        statements=[printable(s) for s in statements(result)] if two else [],
        unchanged=f"{result.unchanged:,} of {result.layers[1]:,} layers unchanged" if two else "",
        changes=[
            {
                "kind": c.kind,
                "layer": printable(c.b or c.a or ""),
                "type": c.type,
                "text": printable(c.text),
                "parameters": text.count(c.parameters),
            }
            for c in changes
        ],
    )


def _side(report: Report, side: Side, result: Diff, number: int) -> dict[str, Any]:
    """One network: its layers, their partners in the other, and what happened to each."""
    own = {name: i for i, name in enumerate(side.names)}
    kinds, texts = [""] * len(own), [""] * len(own)
    for change in result.changes:
        name = change.b if number else change.a
        if name is not None:
            row = own[name]
            texts[row] += ("; " if texts[row] else "") + printable(f"{change.kind}: {change.text}")
            # the first of these is the gravest
            kinds[row] = min(kinds[row] or change.kind, change.kind, key=KINDS.index)
    return {
        "layers": {
            "name": [printable(row.name) for row in report.rows],
            "type": [printable(row.type) for row in report.rows],
            "shape": [text.outputs(row.output_shapes) for row in report.rows],
            "inputs": [[t.node for t in node.inputs] for node in side.graph.nodes],
        },
        "tree": [p if isinstance(p, int) else p.to_data() for p in groups(report)],
        "kind": kinds,
        "text": texts,
        "partner": list(side.partner),
    }
