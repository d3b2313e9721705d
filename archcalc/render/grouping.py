"""The rows of a table: those of one block or of several equal layers as one, the largest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from archcalc.arith import total
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph.blocks import block_of, separator
from archcalc.graph.quantities import SUMMED, TABLE
from archcalc.report.options import TableOptions
from archcalc.report.rows import Row

if TYPE_CHECKING:
    from archcalc.report.report import Report


def fold(rows: Sequence[Row], depth: int | None) -> tuple[Row, ...]:
    """Neighbouring rows whose names share their first `depth` parts, as one row each.

    Parts end at `/`, as in `stem/a`. A network without any `/` in its names (most Keras
    models) is grouped by the parts between `_` instead: `block1_conv1` and `block1_pool`
    belong to `block1`. A group shows summed figures, and the shape and the field of its last row.
    None groups nothing.
    """
    if depth is None:
        return tuple(rows)
    parts_end = separator(row.name for row in rows)
    runs: list[tuple[str, list[Row]]] = []
    for row in rows:
        key = block_of(row.name, depth, parts_end)
        if runs and runs[-1][0] == key and key:
            runs[-1][1].append(row)
        else:
            runs.append((key, [row]))
    return tuple(members[0] if len(members) == 1 else _group(key, members) for key, members in runs)


def arranged(report: Report, table: TableOptions) -> tuple[Row, ...]:
    """The rows that a table shows: blocks and equal rows folded, or the largest first.

    Raises `ArchcalcError` where rows cannot be ordered, because their figures depend on symbols.
    """
    rows = fold(report.rows, table.depth)
    if table.sort is not None or table.top is not None:
        return _largest_first(rows, table.sort or "parameters", table.top)
    return rows if table.unfolded else _equal_folded(rows)


def _largest_first(rows: Sequence[Row], column: str, top: int | None) -> tuple[Row, ...]:
    name = next(q.name for q in TABLE if q.column.lower() == column)
    figures = {id(row): getattr(row, name) for row in rows}
    symbolic = next((f for f in figures.values() if isinstance(f, Expr)), None)
    if symbolic is not None:
        raise ArchcalcError(
            f"cannot sort by {column}, which depends on {', '.join(symbolic.symbols)}; give values with --set"
        )
    # what is unknown may be the largest
    ordered = sorted(rows, key=lambda row: _size(figures[id(row)]), reverse=True)
    if top is None or len(ordered) <= top + 1:
        return tuple(ordered)
    others = ordered[top:]
    return (*ordered[:top], _group(f"({len(others)} others)", others, alike=False))


def _size(figure: Any) -> float:
    return inf if isinstance(figure, Unknown) else figure


def _equal_folded(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows with each run of at least `EQUAL` equal ones as one; gradients differ in every row."""
    folded: list[Row] = []
    for _, group in groupby(rows, key=_content):
        members = list(group)
        if len(members) < EQUAL or members[0].gradient is not None:
            folded += members
            continue
        name = _span(members[0].name, members[-1].name)
        folded.append(_group(name, members, kind=f"{len(members)} x {members[0].type}"))
    return tuple(folded)


EQUAL = 4


def _span(first: str, last: str) -> str:
    """`body[2..9]/a` for names that differ in one number, else `first ... last`."""
    a, b = (re.split(r"([0-9]+)", name) for name in (first, last))
    differing = [i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    if len(a) != len(b) or len(differing) != 1 or differing[0] % 2 == 0:
        return f"{first} ... {last}"
    a[differing[0]] += f"..{b[differing[0]]}"
    return "".join(a)


def _content(row: Row) -> tuple[Any, ...]:
    """What equal rows have in common: everything but their names, inputs and fields."""
    figures = tuple(getattr(row, name) for name in SUMMED)
    return (row.type, row.output_shapes, row.shared_with is None, row.copies, row.members, figures)


def _group(name: str, members: Sequence[Row], *, kind: str = "", alike: bool = True) -> Row:
    """One row for several; rows that are not `alike` have no shape and no field in common."""
    last = members[-1]
    figures: dict[str, Any] = {f: total(getattr(row, f) for row in members) for f in SUMMED}
    figures |= {
        f: getattr(last, f) for f in ("output_shapes", "receptive_fields", "effective_fields", "gradient")
    }
    if not alike:
        figures |= {"output_shapes": (), "receptive_fields": {}, "effective_fields": {}, "gradient": None}
    figures |= {"name": name, "type": kind or f"{len(members)} layers", "inputs": _outside(members)}
    figures |= {"shared_with": None, "weights": (), "copies": 1, "members": len(members)}
    return Row(SimpleNamespace(**{figure: [value] for figure, value in figures.items()}), 0)


def _outside(members: Iterable[Row]) -> tuple[str, ...]:
    """The inputs of a group that come from outside it."""
    inside = {row.name for row in members}
    return tuple(dict.fromkeys(name for row in members for name in row.inputs if name not in inside))
