"""Markdown: the table as GitHub shows it, and the totals as a list."""

from __future__ import annotations

import re
from typing import Any

from archcalc.render import summary
from archcalc.render.columns import LAYER, Column, everywhere
from archcalc.render.grouping import arranged
from archcalc.render.text import UNICODE, printable
from archcalc.report.options import TableOptions
from archcalc.report.report import Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def markdown(report: Report, **options: Any) -> str:
    """The report; names and expressions are escaped, so nothing in them is markup."""
    table = TableOptions(**options)
    rows = arranged(report, table)
    columns = everywhere(report.conventions["flops"], rows, table.columns)
    lines = [f"## {escaped(printable(report.name))}", "", escaped(summary.headline(report, UNICODE)), ""]
    lines.append(_line([c.title for c in columns]))
    lines.append("|" + "|".join(" ---: " if c.numeric else " --- " for c in columns) + "|")
    for row in rows:
        lines.append(_line([escaped(c.write(c.figure(row), UNICODE)) for c in columns]))
    if any(c.total for c in columns):
        lines.append(_line([_total(c, report) for c in columns]))
    facts = [
        *summary.facts(report, UNICODE),
        *summary.formulas(report, UNICODE),
        *summary.premises(report),
    ]
    lines.append("")
    lines += [f"- {fact.label}: {escaped(fact.text)}" for fact in facts]
    for finding in report.findings:
        where = f"{escaped(printable(finding.layer))}: " if finding.layer is not None else ""
        lines.append(
            f"- **{finding.severity}** {where}{escaped(printable(finding.message))}; "
            f"{escaped(finding.suggestion)} ({finding.rule})"
        )
    shown = {c.key: [c.write(c.figure(row), UNICODE) for row in rows] for c in columns}
    lines += ["", *[f"{escaped(f'{r.label}: {r.text}.')}\n" for r in summary.remarks(report, shown, UNICODE)]]
    return "\n".join(lines).rstrip("\n") + "\n"


def _total(column: Column, report: Report) -> str:
    if column is LAYER:
        return "**Total**"
    if column.total is None:
        return ""
    return f"**{escaped(column.write(column.total(report.totals), UNICODE))}**"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """Text with every character escaped that is markup in Markdown."""
    return _SPECIAL.sub(r"\\\1", text)
