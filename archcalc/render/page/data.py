"""A report as the data of a page: one column per figure, each figure exact."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from archcalc.analyses.mean_field.verdicts import NUMBERS
from archcalc.analyses.memory.peak import timeline
from archcalc.arith.symbolic import Expr
from archcalc.graph.quantities import BYTES, SUMMED, TABLE, TOTALS
from archcalc.render.page.fields import views
from archcalc.render.page.figures import Figures, exact_value
from archcalc.render.page.groups import groups
from archcalc.render.page.opened import Opened, conditions
from archcalc.render.text import printable
from archcalc.report.report import Report
from archcalc.report.rows import Row
from archcalc.review.diff.compare import shown
from archcalc.review.diff.meaning import meaning

# of a closed form, when a symbol changes
NO_FORM = "no closed form: it is that of the values the page starts with"
COPY = "a copy of a repeated block: the table keeps the number of copies it starts with"
HIDDEN = ("_initializer", "_regularizer", "_constraint")
LONGEST_ARGUMENTS = 300
ENDS = {"size": "size", "min": "min_size", "step": "stride", "offset": "offset", "local": "local_size"}


def page_data(opened: Opened) -> dict[str, Any]:
    """Everything that a page computes with; what is only text is in its template."""
    report, figures = opened.at, Figures()
    columns = _columns(opened, figures)
    totals = {name: _figure(opened, figures, report.totals, name) for name in TOTALS}
    symbols = _symbols(opened, figures)
    return {
        "name": printable(report.name),
        "inputs": [[printable(name), exact_value(shape)] for name, shape in report.inputs.items()],
        "outputs": [report._of.graph.outputs[k].node for k in range(len(report.outputs))],
        "batch": report.conventions["batch"],
        "totals": totals,
        "units": {q.name: "bytes" if q.unit == BYTES else "" for q in TABLE},
        "layers": columns,
        "tree": [part if isinstance(part, int) else part.to_data() for part in groups(report)],
        "memory": _memory(report),
        "gradients": _gradients(report),
        "limits": {name: [round(low, 3), round(high, 3)] for name, (low, high) in NUMBERS.items()},
        **symbols,
        "expressions": figures.expressions,
        "atoms": figures.atoms,
        "whys": figures.whys,
    }


def source_name(report: Report) -> str:
    """Where a network was read from, without the folders of this machine."""
    source = report.source
    if re.match(r"(keras|python):", source) or not source:
        return printable(source)
    return printable(os.path.basename(source.replace("\\", "/")))


def _figure(opened: Opened, figures: Figures, owner: Any, name: str, beside: Any = None) -> Any:
    """A figure of `owner`; `beside` is the same owner in the closed report."""
    value = getattr(owner, name)
    if opened.closed is None:
        return figures.of(value, None, opened.why and NO_FORM)
    other = getattr(opened.closed.totals if beside is None else beside, name)
    return _beside(figures, value, other)


def _beside(figures: Figures, value: Any, other: Any) -> Any:
    if isinstance(value, tuple) and isinstance(other, tuple) and len(value) == len(other):
        return [_beside(figures, v, o) for v, o in zip(value, other, strict=True)]
    same = type(value) is type(other) and value == other
    return figures.of(value, other, "" if same or value is None else NO_FORM)


def _columns(opened: Opened, figures: Figures) -> dict[str, Any]:
    report = opened.at
    graph = report._of.graph
    texts: dict[str, int] = {}
    twins: dict[str, Row] = {} if opened.closed is None else {row.name: row for row in opened.closed.rows}
    columns: dict[str, Any] = {
        "name": [printable(row.name) for row in report.rows],
        "type": [printable(row.type) for row in report.rows],
        "inputs": [[t.node for t in node.inputs] for node in graph.nodes],
        "shared": [node.shared_with for node in graph.nodes],
        "shape": [_of_row(opened, figures, row, twins.get(row.name), "output_shape") for row in report.rows],
        "arguments": [texts.setdefault(_arguments(report, i), len(texts)) for i in range(len(report.rows))],
    }
    for name in SUMMED:
        columns[name] = [_of_row(opened, figures, row, twins.get(row.name), name) for row in report.rows]
    for name in SUMMED:
        if columns[name] == [0] * len(report.rows):
            columns[name] = 0
    columns["texts"] = list(texts)
    pool, numbers = views(report._of)
    columns["view"], columns["views"] = numbers, pool
    columns["field"] = [
        [_field(opened, figures, row, twins.get(row.name), name) for name in report.inputs]
        for row in report.rows
    ]
    return columns


def _of_row(opened: Opened, figures: Figures, row: Row, twin: Row | None, name: str) -> Any:
    value = getattr(row, name)
    if opened.closed is None:
        return _frozen(value, figures, NO_FORM if opened.why else "")
    if twin is None:
        return _frozen(value, figures, COPY)
    return _beside(figures, value, getattr(twin, name))


def _frozen(value: Any, figures: Figures, why: str) -> Any:
    if isinstance(value, tuple):
        return [figures.of(v, None, why) for v in value]
    return figures.of(value, None, why)


def _field(opened: Opened, figures: Figures, row: Row, twin: Row | None, name: str) -> Any:
    """Sizes, steps and offsets of a field, its spread; null where nothing of this input is seen."""
    field, effective = row.receptive_fields.get(name), row.effective_fields.get(name)
    if field is None or not field.size:
        return None
    other = None if twin is None else twin.receptive_fields.get(name)
    # of how many positions there are depends which of the sizes occur
    varies = other is not None and other.size != other.min_size
    if varies and twin and any(isinstance(n, Expr) for n in twin.output_shape):
        other = None
    data: dict[str, Any] = {}
    for key, member in ENDS.items():
        value = getattr(field, member)
        if key in ("local", "min") and value == field.size:
            continue
        if opened.closed is not None and other is not None:
            data[key] = _beside(figures, value, getattr(other, member))
        else:
            data[key] = _frozen(value, figures, NO_FORM if opened.start else "")
    whole = [x is True for x in field.is_global]  # unknown after a layer whose window nothing states
    if any(whole):
        data["whole"] = whole
    if effective is not None:
        data["sigma"] = exact_value(effective.sigma)
        if opened.start:
            data["sigmaFixed"] = 1
    return data


def _arguments(report: Report, node: int) -> str:
    """What a layer is told, in one line."""
    graph = report._of.graph
    taps = graph.nodes[node].inputs
    rank = 1 + len(report._of.output_shapes[taps[0].node][taps[0].output]) if taps else None
    told = meaning(graph.nodes[node].layer, rank).arguments
    text = ", ".join(f"{k} {shown(v)}" for k, v in told.items() if not k.endswith(HIDDEN) and k != "name")
    return printable(text if len(text) <= LONGEST_ARGUMENTS else text[:LONGEST_ARGUMENTS] + " …")


# -- along the forward pass -----------------------------------------------------------------------
def _memory(report: Report) -> dict[str, Any]:
    usual, best = report.peaks
    number = {row.name: i for i, row in enumerate(report.rows)}
    steps = timeline(report._of.peaks.course, report._of.options.batch)
    return {
        "steps": [[node, exact_value(size)] for node, size in steps],
        "peak": exact_value(usual.bytes),
        "at": None if usual.layer is None else number[usual.layer],
        "held": [[number[name], exact_value(size)] for name, size in _largest(usual.held)],
        "best": exact_value(best.bytes),
        "optimal": best.optimal,
        "same": best.order is None,
        "inputs": exact_value(sum(row.activation_bytes for row in report.rows if row.type == "InputLayer")),
    }


def _largest(held: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(held.items(), key=lambda item: -item[1])


GRADIENTS = ("upper_log10", "lower_log10", "expected_log10", "expected_log10_low", "expected_log10_high")


def _gradients(report: Report) -> dict[str, Any] | None:
    rows = [row.gradient for row in report.rows]
    if all(row is None for row in rows):
        return None
    names = {"upper": 0, "lower": 1, "expected": 2, "low": 3, "high": 4}
    return {
        **{k: [_number(getattr(row, GRADIENTS[n], None)) for row in rows] for k, n in names.items()},
        "cause": {i: row.cause for i, row in enumerate(rows) if row is not None and row.cause is not None},
        "points": [[label, printable(text)] for v in report.verdicts for label, text in v.points],
    }


def _number(value: Any) -> float | None:
    return round(value, 3) if isinstance(value, int | float) else None


# -- symbols --------------------------------------------------------------------------------------
def _symbols(opened: Opened, figures: Figures) -> dict[str, Any]:
    """The sliders, the conditions under which closed forms hold, and why there are none."""
    if opened.closed is None:
        return {"symbols": [], "conditions": [], "noSliders": opened.why}
    ranges = opened.closed.ranges
    symbols = []
    for name, value in opened.start.items():
        low, high = ranges.get(name, (1, None))
        symbols.append({"name": name, "value": value, "min": low, "max": high})
    given = [
        [c.text, _side(figures, c.left), c.relation, _side(figures, c.right)]
        for c in conditions(opened.closed)
    ]
    return {"symbols": symbols, "conditions": given, "noSliders": ""}


def _side(figures: Figures, value: Any) -> Any:
    return figures.of(0, value) if hasattr(value, "terms") else exact_value(value)
