"""The comparison of conventions: on a terminal, as Markdown, as CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from typing import TYPE_CHECKING

from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.render.markdown import escaped
from archcalc.render.text import ASCII, UNICODE, count, printable

if TYPE_CHECKING:
    from archcalc.arith import Size
    from archcalc.report.comparison import Comparison

MIN_WORDS = 30


def text(comparison: Comparison, width: int, *, ascii: bool = False) -> str:
    """A table whose last column folds; where there is no room for it, the words go below the row."""
    glyphs = ASCII if ascii else UNICODE
    figures = [count(row.flops, glyphs) for row in comparison.rows]
    left = max(len(row.name) for row in comparison.rows)
    right = max(map(len, [*figures, "Total"]))
    indent = 1 + left + 2 + right + 2
    if width - indent < MIN_WORDS:
        indent = 4
    title = f"{comparison.name}: FLOPs of one sample, {count(comparison.macs, glyphs)} multiply-adds"
    lines = [
        *(f" {w}" for w in _wrapped(printable(title, glyphs), width - 1)),
        "",
        f" {'Convention':<{left}}  {'Total':>{right}}  Terms",
        " " + glyphs.rule * (width - 2),
    ]
    for row, figure in zip(comparison.rows, figures, strict=True):
        head = f" {row.name:<{left}}  {figure:>{right}}"
        words = _wrapped(printable(row.words, glyphs), width - indent)
        if indent == 4:
            lines += [head, *(" " * indent + w for w in words)]
        else:
            lines += [f"{head}  {words[0]}", *(" " * indent + w for w in words[1:])]
    for note in comparison.notes:
        lines += ["", *(f" {w}" for w in _wrapped(printable(note, glyphs), width - 1))]
    lines += ["", *(f" {w}" for w in _wrapped(f"Tools: {_tools(comparison)}", width - 1))]
    return "\n".join(lines) + "\n"


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_on_hyphens=False) or [""]


def _tools(comparison: Comparison) -> str:
    return ", ".join(f"{row.tool} ({row.unit})" for row in comparison.rows)


def markdown(comparison: Comparison) -> str:
    """A table and the notes; names are escaped."""
    lines = [f"## {escaped(printable(comparison.name))}: FLOPs by convention", ""]
    lines += ["| Convention | Tool | Total | Terms |", "| --- | --- | ---: | --- |"]
    for row in comparison.rows:
        tool = escaped(f"{row.tool}: {row.unit}")
        lines.append(
            f"| {row.name} | {tool} | {escaped(count(row.flops))} | {escaped(printable(row.words))} |"
        )
    lines += ["", *(f"- {escaped(printable(note))}" for note in comparison.notes)]
    return "\n".join(lines).rstrip("\n") + "\n"


def csv_text(comparison: Comparison) -> str:
    """One line per convention, every figure exact."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["convention", "tool", "unit", "flops_per_mac", "flops", "words", "activations", "flops_at_least"]
    )
    for row in comparison.rows:
        figures = (_exact(row.flops), row.words, "" if row.activations is None else _exact(row.activations))
        known = _exact(row.flops.known) if isinstance(row.flops, AtLeast) else ""
        writer.writerow([row.name, row.tool, row.unit, row.per_mac, *figures, known])
    return out.getvalue()


def _exact(figure: Size) -> str:
    return "unknown" if isinstance(figure, Unknown) else str(figure)
