"""The columns of every table: where a figure comes from, and how each kind of table writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from archcalc.graph.quantities import BYTES, TABLE, Quantity
from archcalc.render import text
from archcalc.render.text import Glyphs
from archcalc.report.rows import Row
from archcalc.report.totals import Totals


class Column(NamedTuple):
    """One column of the tables for people."""

    key: str
    title: str
    figure: Callable[[Row], Any]
    write: Callable[[Any, Glyphs], str]
    numeric: bool = True
    total: Callable[[Totals], Any] | None = None

    def heading(self, glyphs: Glyphs) -> str:
        return self.title.replace("σ", "sigma") if glyphs is text.ASCII else self.title


def _parameters(row: Row) -> Any:
    return row.parameters if row.shared_with is None else "shared"


def _write_parameters(figure: Any, glyphs: Glyphs) -> str:
    return figure if isinstance(figure, str) else text.count(figure, glyphs)


LAYER = Column("layer", "Layer", lambda row: row.name, lambda v, g: text.printable(v, g), numeric=False)
TYPE = Column("type", "Type", lambda row: row.type, lambda v, g: text.printable(v, g), numeric=False)
OUTPUT = Column("output", "Output", lambda row: row.output_shapes, text.outputs, numeric=False)


def _column(quantity: Quantity) -> Column:
    """The column of a quantity: the rows' figures, and their sum."""
    figure, write = attrgetter(quantity.name), text.amount if quantity.unit == BYTES else text.count
    key = quantity.column.lower()
    if quantity.name == "parameters":
        return Column(key, quantity.column, _parameters, _write_parameters, total=figure)
    return Column(key, quantity.column, figure, write, total=figure)


_BY_NAME = {q.name: _column(q) for q in TABLE if q.column}
PARAMETERS, TRAINABLE = _BY_NAME["parameters"], _BY_NAME["trainable_parameters"]
MACS, FLOPS, ELEMENTWISE = (_BY_NAME[name] for name in ("macs", "flops", "elementwise_operations"))
ACTIVATIONS, TRAINING = _BY_NAME["activation_bytes"], _BY_NAME["training_activation_bytes"]


def flops_column(convention: str) -> Column:
    """The column of FLOPs; the title names their convention unless it is archcalc's."""
    return FLOPS if convention == "archcalc" else FLOPS._replace(title=f"FLOPs ({convention})")


FIELD = Column("field", "Field", lambda row: row.receptive_field, text.field, numeric=False)
SIGMA = Column("sigma", "Effective σ", lambda row: row.effective_field, text.spread)
GRADIENT = Column("gradient", "Gradient", lambda row: row.gradient, text.gradient)

# the order of reading, and the order in which a wider terminal gains columns
ORDER = (LAYER, TYPE, OUTPUT, *_BY_NAME.values(), FIELD, SIGMA, GRADIENT)
ALWAYS = (LAYER, PARAMETERS)
ESSENTIAL = (MACS, OUTPUT, FIELD)
# the effective field takes long, and only `--columns sigma` shows it
_FIRST = (*ESSENTIAL, GRADIENT, TYPE, ACTIVATIONS, TRAINING, FLOPS, ELEMENTWISE, TRAINABLE)
GAINED = (*_FIRST, *(column for column in ORDER if column not in (*ALWAYS, *_FIRST, SIGMA)))
EVERYWHERE = (LAYER, TYPE, OUTPUT, PARAMETERS, MACS, FIELD)


def requested(names: Sequence[str], convention: str) -> tuple[Column, ...]:
    """The columns of these names, after that of the layers."""
    known = {c.key: c for c in ORDER} | {FLOPS.key: flops_column(convention)}
    return (LAYER, *(known[name] for name in names))


def everywhere(
    convention: str, rows: Sequence[Row], names: Sequence[str] | None = None
) -> tuple[Column, ...]:
    """The columns of documents; FLOPs and gradients are among them on request."""
    if names is not None:
        return requested(names, convention)
    columns: tuple[Column, ...] = EVERYWHERE
    if convention != "archcalc":
        columns = (*EVERYWHERE[:-1], flops_column(convention), EVERYWHERE[-1])
    return (*columns, GRADIENT) if any(row.gradient is not None for row in rows) else columns
