"""Groups rows of one block into one row, for tables of `--depth` levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from archcalc.arith import total
from archcalc.graph.quantities import SUMMED
from archcalc.report.rows import Row


def fold(rows: Sequence[Row], depth: int | None) -> tuple[Row, ...]:
    """Neighbouring rows whose names share their first `depth` parts, as one row each.

    Parts end at `/`, as in `stem/a`. A network without any `/` in its names (most Keras
    models) is grouped by the parts between `_` instead: `block1_conv1` and `block1_pool`
    belong to `block1`. A group shows summed figures, and the shape and the field of its last row.
    None groups nothing.
    """
    if depth is None:
        return tuple(rows)
    separator = "/" if any("/" in row.name for row in rows) else "_"
    runs: list[tuple[str, list[Row]]] = []
    for row in rows:
        key = _prefix(row.name, depth, separator)
        if runs and runs[-1][0] == key and key:
            runs[-1][1].append(row)
        else:
            runs.append((key, [row]))
    return tuple(members[0] if len(members) == 1 else _group(key, members) for key, members in runs)


def _prefix(name: str, depth: int, separator: str) -> str:
    """The first `depth` parts of a name; empty if it belongs to no group."""
    parts = name.split(separator)
    if separator == "/":
        return separator.join(parts[:depth]) if len(parts) > depth else ""
    # conv2d_3 is Keras's third Conv2D, not a member of a block named conv2d
    if len(parts) <= depth or (len(parts) == depth + 1 and parts[depth].isdecimal()):
        return ""
    return separator.join(parts[:depth])


def _group(name: str, members: list[Row]) -> Row:
    last = members[-1]
    figures: dict[str, Any] = {f: total(getattr(row, f) for row in members) for f in SUMMED}
    figures |= {
        f: getattr(last, f) for f in ("output_shapes", "receptive_fields", "effective_fields", "gradient")
    }
    figures |= {"name": name, "type": f"{len(members)} layers", "inputs": _outside(members)}
    figures |= {"shared_with": None, "weights": (), "copies": 1, "members": len(members)}
    return Row(SimpleNamespace(**{figure: [value] for figure, value in figures.items()}), 0)


def _outside(members: Iterable[Row]) -> tuple[str, ...]:
    """The inputs of a group that come from outside it."""
    inside = {row.name for row in members}
    return tuple(dict.fromkeys(name for row in members for name in row.inputs if name not in inside))
