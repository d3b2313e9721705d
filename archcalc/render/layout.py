"""Which columns fit a width, and how cells fold: names and shapes fold, numbers never do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.arith.symbolic import Expr
from archcalc.render.cells import cell_len, set_cell_size
from archcalc.render.columns import (
    ALWAYS,
    ESSENTIAL,
    FLOPS,
    GAINED,
    GRADIENT,
    LAYER,
    ORDER,
    PARAMETERS,
    TRAINABLE,
    Column,
    flops_column,
    requested,
)
from archcalc.render.text import Glyphs
from archcalc.report.rows import Row
from archcalc.report.totals import Totals

GAP = 2
MARGIN = 1
NAME_MINIMUM = 12
NAME_TIGHT = 16  # for another essential column, names beyond this width are folded
NAME_COMFORT = 24  # for any other column, those beyond this
CELL_COMFORT = 20  # of expressions and shapes
MAX_LINES = 4

_NAME_BREAK = r"(?<=[/_.\-\s])"  # compiled when they are needed
_ESCAPE = r"\\U[0-9a-f]{8}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}"  # a character of an ASCII table
# between terms, between the sides of a shape that are sums, and only if necessary between factors
_TERM_BREAK = re.compile(r" (?=[+-])|(?<=[×x])(?=\()|(?<=, )")
_FACTOR_BREAK = r" (?=[+-])|(?<=[×x])|(?<=[^*]\*)(?=[^*])"


@dataclass(eq=False, repr=False)
class Laid:
    """One column with the texts of all rows and the width it got."""

    column: Column
    texts: list[str]
    total: str | None
    minimum: int = 0
    natural: int = 0
    width: int = 0
    heaviest: int | None = None  # the row that holds the largest figure
    zeros: set[int] = field(default_factory=set)

    @property
    def tight(self) -> int:
        """The width to which this column is folded to make room for essential columns."""
        return min(self.natural, NAME_TIGHT) if self.column is LAYER else self.minimum

    @property
    def comfort(self) -> int:
        """The width from which this column is easy to read."""
        limit = NAME_COMFORT if self.column is LAYER else CELL_COMFORT
        return max(self.minimum, min(self.natural, limit))

    def cell(self, number: int) -> list[str]:
        return self.folded(self.texts[number])

    def folded(self, text: str) -> list[str]:
        """The text in lines of the column's width."""
        if cell_len(text) <= self.width:
            return [text]
        if self.column is LAYER:
            return folded_name(text, self.width)
        lines: list[str] = []
        whole: list[str] = []  # terms that fit a line, to be packed
        for term in _TERM_BREAK.split(text):
            if cell_len(term) <= self.width:
                whole.append(term)
            else:
                lines += _packed(whole, self.width) if whole else []
                lines += _packed(re.split(_FACTOR_BREAK, term), self.width)
                whole = []
        return lines + (_packed(whole, self.width) if whole else [])


def lay_out(
    rows: Sequence[Row],
    totals: Totals,
    width: int,
    glyphs: Glyphs,
    convention: str = "archcalc",
    names: Sequence[str] | None = None,
) -> list[Laid]:
    """The columns that fit, with their widths, in the order of reading; or those of these names.

    FLOPs in the convention of another tool, and gradients, were requested: their columns are always there.
    """
    if names is not None:
        chosen = [_laid(c, rows, totals, glyphs) for c in requested(names, convention)]
        _share(chosen, width)
        return chosen
    flops = flops_column(convention)
    always = ALWAYS if flops is FLOPS else (*ALWAYS, flops)
    if any(row.gradient is not None for row in rows):
        always = (*always, GRADIENT)
    laid = {c.key: _laid(c, rows, totals, glyphs) for c in always}
    for column in GAINED:
        if column.key in laid:
            continue
        candidate = _laid(column, rows, totals, glyphs)
        if all(text in ("", glyphs.nothing) for text in candidate.texts):
            continue  # a column without content
        if column is TRAINABLE and candidate.total == laid[PARAMETERS.key].total:
            continue  # the same figures again
        trial = [*laid.values(), candidate]
        needed = sum(x.tight if column in ESSENTIAL else x.comfort for x in trial)
        if MARGIN + needed + GAP * (len(trial) - 1) > width:
            break  # later columns matter less, and a wider table should only gain columns
        laid[column.key] = candidate
    columns = [laid[c.key] for c in ORDER if c.key in laid]
    _share(columns, width)
    return columns


def _laid(column: Column, rows: Sequence[Row], totals: Totals, glyphs: Glyphs) -> Laid:
    texts: list[str] = []
    laid = Laid(column, texts, None)
    most: Any = 0
    for number, row in enumerate(rows):
        figure = column.figure(row)
        text = _brief(figure, column.write(figure, glyphs))
        texts.append(text)
        if type(figure) is int:
            if figure == 0:
                laid.zeros.add(number)
            elif figure > most:
                most, laid.heaviest = figure, number
    if column.total is not None:
        figure = column.total(totals)
        laid.total = _brief(figure, column.write(figure, glyphs))
    every = [column.heading(glyphs), *texts, *([laid.total] if laid.total is not None else [])]
    laid.natural = max(map(cell_len, every))
    if column is LAYER:
        laid.minimum = min(laid.natural, NAME_MINIMUM)
    else:
        laid.minimum = max(cell_len(piece) for text in set(every) for piece in _pieces(text))
    return laid


def _pieces(text: str) -> Iterator[str]:
    """Parts that are never broken: terms, or the factors of a term too long for any column."""
    for term in _TERM_BREAK.split(text):
        yield from re.split(_FACTOR_BREAK, term) if cell_len(term) > CELL_COMFORT else [term]


def _brief(figure: Any, text: str) -> str:
    """An expression too long for any cell, as its number of terms; JSON has it in full."""
    if isinstance(figure, Expr) and len(text) > MAX_LINES * CELL_COMFORT:
        return f"({len(figure.terms)} terms)"
    return text


def _share(laid: list[Laid], width: int) -> None:
    """Give each column its tight width, then its comfort, then the rest to columns that would fold."""
    for x in laid:
        x.width = x.tight
    left = width - MARGIN - GAP * (len(laid) - 1) - sum(x.width for x in laid)
    name, *others = laid
    if left < 0:
        name.width = max(name.minimum, name.width + left)
    for x, wanted in [
        *((x, x.comfort) for x in (*others, name)),
        *((x, x.natural) for x in (name, *others)),
    ]:
        more = max(0, min(left, wanted - x.width))
        x.width += more
        left -= more


def folded_name(name: str, width: int) -> list[str]:
    """A name in lines, broken after `/ _ . -`; beyond four lines its middle becomes `…`."""
    if cell_len(name) > MAX_LINES * width:
        name = _shortened(name, MAX_LINES * width - width // 2)
    pieces = []
    for piece in re.split(_NAME_BREAK, name):
        while cell_len(piece) > width:
            head = _beginning(piece, width)
            pieces.append(head)
            piece = piece[len(head) :]
        pieces.append(piece)
    return _packed(pieces, width, glue="")


def _shortened(name: str, width: int) -> str:
    mark = "…" if not name.isascii() else "..."
    keep = max(width - len(mark), 2)
    tail = set_cell_size(name[::-1], keep - keep // 2).rstrip()[::-1]
    start = len(name) - len(tail)
    within = _escape_around(name, start)
    return _beginning(name, keep // 2) + mark + (name[within.end() :] if within else tail)


def _beginning(name: str, width: int) -> str:
    """As much of a name as fits, an escaped character whole or not at all."""
    head = set_cell_size(name, width).rstrip()
    within = _escape_around(name, len(head))
    return name[: within.start()] if within and within.start() else head


def _escape_around(name: str, position: int) -> re.Match[str] | None:
    """The escaped character that a position divides."""
    return next((m for m in re.finditer(_ESCAPE, name) if m.start() < position < m.end()), None)


def _packed(pieces: Sequence[str], width: int, glue: str = " ") -> list[str]:
    """Pieces joined into as few lines as fit; a piece longer than the width keeps its line."""
    lines: list[str] = []
    for piece in pieces:
        if not piece:
            continue
        between = glue if lines and piece[0] in "+-" else ""
        if lines and cell_len(lines[-1] + between + piece) <= width:
            lines[-1] += between + piece
        else:
            lines.append(piece)
    return lines or [""]
