"""CSV: one line per row, figures exact, `unknown` for unknown ones, nothing for those without a meaning."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from archcalc.arith.unknown import Unknown
from archcalc.graph.quantities import SUMMED
from archcalc.render.grouping import fold
from archcalc.report.report import Report
from archcalc.report.rows import Row

_FIELD_PARTS = ("size", "min_size", "stride", "offset", "is_global", "local_size", "clipped_size")


def csv_lines(report: Report, *, depth: int | None = None) -> Iterator[str]:
    """The table's lines; sizes along axes are joined by `x`, other figures along axes by a space."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = fold(report.rows, depth)
    columns = _COLUMNS | (_GRADIENTS if any(row.gradient is not None for row in rows) else {})
    glued = [(figure, "x" if n.endswith(("shape", "size")) else " ") for n, figure in columns.items()]
    convention = report.conventions["flops"]
    writer.writerow([*columns, "flops_convention"])
    for row in rows:
        yield out.getvalue()
        out.seek(0)
        out.truncate()
        writer.writerow([*(_cell(figure(row), glue) for figure, glue in glued), convention])
    yield out.getvalue()


def _part(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row.receptive_field, name, None)


_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name,
    "type": lambda row: row.type,
    "inputs": lambda row: " ".join(row.inputs),
    "output_shape": lambda row: row.output_shape,
    "shared_with": lambda row: row.shared_with,
    "copies": lambda row: row.copies,
    **{name: attrgetter(name) for name in SUMMED},
    **{f"receptive_field_{name.removeprefix('is_')}": _part(name) for name in _FIELD_PARTS},
    "effective_receptive_field_sigma": lambda row: row.effective_receptive_field_sigma,
}


def _gradient(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row.gradient, name, None)


_GRADIENTS: dict[str, Callable[[Row], Any]] = {
    f"gradient_{name}": _gradient(name)
    for name in (
        "local_log10",
        "upper_log10",
        "lower_log10",
        "expected_log10",
        "expected_log10_low",
        "expected_log10_high",
        "weight_gradient_log10",
        "tier",
        "unbounded",
    )
}


def _cell(value: Any, glue: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return glue.join(_cell("?" if v is None else v, glue) for v in value)
    return str(value)
