"""HTML for a notebook cell: one table, totals below; every text escaped."""

from __future__ import annotations

from html import escape

from archcalc.render import summary
from archcalc.render.columns import LAYER, Column, everywhere
from archcalc.render.grouping import arranged
from archcalc.render.text import UNICODE, printable
from archcalc.report.options import TableOptions
from archcalc.report.report import Report

MAX_ROWS = 500
_STYLE = "font-variant-numeric: tabular-nums; white-space: nowrap"


def preformatted(line: str) -> str:
    """A line of plain text."""
    return f"<pre>{escape(line)}</pre>"


def html(report: Report) -> str:
    """The report as an HTML fragment; a table of more than `MAX_ROWS` rows is cut, with a note."""
    rows = arranged(report, TableOptions())
    columns = everywhere(report.conventions["flops"], rows)
    head = "".join(_cell(c, c.title, "th") for c in columns)
    body = "".join(
        f"<tr>{''.join(_cell(c, c.write(c.figure(row), UNICODE)) for c in columns)}</tr>"
        for row in rows[:MAX_ROWS]
    )
    foot = "".join(_cell(c, _total(c, report), "th") for c in columns)
    facts = [
        *summary.facts(report, UNICODE),
        *summary.formulas(report, UNICODE),
        *summary.premises(report),
    ]
    notes = "".join(f"<dt>{escape(f.label)}</dt><dd>{escape(f.text)}</dd>" for f in facts)
    notes += "".join(
        f"<dt>{escape(f.severity)}</dt><dd>{escape(printable(f'{f.layer or report.name}: {f.message}'))}</dd>"
        for f in report.findings
    )
    cut = len(rows) - MAX_ROWS
    more = f"<p>{cut:,} more rows: use <code>print(report.to_markdown())</code></p>" if cut > 0 else ""
    return (
        f"<div><p><strong>{escape(printable(report.name))}</strong> "
        f"{escape(summary.headline(report, UNICODE))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr>{foot}</tr></tfoot></table>{more}<dl>{notes}</dl></div>"
    )


def _cell(column: Column, text: str, tag: str = "td") -> str:
    side = "right" if column.numeric else "left"
    return f'<{tag} style="text-align: {side}; {_STYLE}">{escape(text)}</{tag}>'


def _total(column: Column, report: Report) -> str:
    if column is LAYER:
        return "Total"
    return "" if column.total is None else column.write(column.total(report.totals), UNICODE)
