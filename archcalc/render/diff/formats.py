"""Differences as text, JSON and Markdown."""

from __future__ import annotations

import textwrap

from archcalc.render.cells import cell_len, padded
from archcalc.render.diff.summary import LABELS, difference, figure, statements
from archcalc.render.json import json_text
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, printable
from archcalc.review.diff.compare import Diff

_ASCII = str.maketrans({"→": ">", "—": "-"})


def text(diff: Diff, width: int, *, ascii: bool = False) -> str:
    """The totals side by side, then what changed."""
    two, glyphs = len(diff.names) == 2, ASCII if ascii else UNICODE
    names = [printable(name, glyphs) for name in diff.names]
    head = ["", *names, *(["Difference"] if two else [])]
    rows = [[LABELS[t.quantity], *(figure(v, t.quantity, glyphs) for v in t.values)] for t in diff.totals]
    if two:
        rows = [[*row, difference(total, glyphs)] for row, total in zip(rows, diff.totals, strict=True)]
    lines = _table([head, *rows], width)
    if two:
        lines += ["", *_changes(diff, width)]
    if not ascii:
        return lines_left_to_right("\n".join(map(printable, lines))) + "\n"
    return "\n".join(printable(line.translate(_ASCII), ASCII) for line in lines) + "\n"


def _table(rows: list[list[str]], width: int) -> list[str]:
    """Columns as wide as they need; a table that is too wide has a line for each figure instead."""
    widths = [max(cell_len(row[k]) for row in rows) for k in range(len(rows[0]))]
    if sum(widths) + 2 * len(widths) <= width:
        return [
            "  ".join(
                padded(cell, w, right=k > 0) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
    head, *others = rows
    lines = []
    for row in others:
        lines.append(row[0])
        for name, cell in zip(head[1:], row[1:], strict=True):
            lines += textwrap.wrap(f"{name}: {cell}", width, initial_indent="  ", subsequent_indent="    ")
    return lines


def _changes(diff: Diff, width: int) -> list[str]:
    counts = f"{diff.unchanged} of {diff.layers[1]} layers unchanged"
    lines = [counts] if diff.changes else ["no layer changed"]
    for statement in statements(diff):
        lines += textwrap.wrap(statement, width, initial_indent="- ", subsequent_indent="  ")
    return lines


def markdown(diff: Diff) -> str:
    """The same for a pull request; the layers one by one are folded."""
    two = len(diff.names) == 2
    head = ["", *(f"`{_cell(name)}`" for name in diff.names), *(["Difference"] if two else [])]
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    for total in diff.totals:
        cells = [LABELS[total.quantity], *(figure(v, total.quantity) for v in total.values)]
        lines.append(_row([*cells, *([difference(total)] if two else [])]))
    if two:
        lines += ["", *(f"- {_cell(s)}" for s in statements(diff))]
    if two and diff.changes:
        lines += ["", "<details><summary>Layer by layer</summary>", "", _row(["Layer", "Type", "Change"])]
        lines.append(_row(["---"] * 3))
        for c in diff.changes:
            lines.append(_row([f"`{_cell(c.b or c.a or '')}`", c.type, _cell(f"{c.kind}: {c.text}")]))
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: str) -> str:
    return printable(value).replace("|", "\\|").replace("<", "&lt;")


def json_format(diff: Diff) -> str:
    return json_text(diff.to_dict())
