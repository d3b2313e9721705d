"""What an analysis found: frozen rows and totals, and their form as data (JSON of `analyze`).

A figure is an int where it is exact, an expression where it still holds a symbol, an
`Unknown` where it hangs on a layer that nobody knows, and None where it has no meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Shape, Size
from archcalc.layers.base import Weight
from archcalc.symbolic import Expr
from archcalc.unknown import Unknown

if TYPE_CHECKING:
    from archcalc.analyses.effective_field import EffectiveField
    from archcalc.analyses.gradients import Gradient
    from archcalc.analyses.mean_field.verdicts import Verdict
    from archcalc.analyses.receptive_field import Field
    from archcalc.fit import Fit

SCHEMA_VERSION = 1
SEVERITIES = ("info", "warning", "error")


class Finding(NamedTuple):
    """Something a reader should know; `layer` is None where it concerns the whole network."""

    rule: str
    severity: str
    layer: str | None
    message: str
    suggestion: str

    def at_least(self, severity: str) -> bool:
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One call of a layer, or (`members` > 1) a group of them.

    Work is that of one sample, bytes are those of the whole batch; `flops` follow the report's
    convention. A row inside a block that
    is repeated a symbolic number of times stands for all `copies`: its counts are multiplied,
    its shapes and weights are those of one copy.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    output_shapes: tuple[Shape, ...]
    shared_with: str | None
    weights: tuple[Weight, ...]
    parameters: Size
    trainable_parameters: Size
    macs: Size
    flops: Size
    elementwise_operations: Size
    activation_bytes: Size
    training_activation_bytes: Size
    receptive_fields: Mapping[str, Field | None] = field(default_factory=dict)
    effective_fields: Mapping[str, EffectiveField | None] = field(default_factory=dict)
    copies: Size = 1
    members: int = 1
    gradient: Gradient | None = None  # only where it was asked for

    @property
    def output_shape(self) -> Shape:
        """Shape of the first output, without the batch axis."""
        return self.output_shapes[0]

    @property
    def non_trainable_parameters(self) -> Size:
        return self.parameters - self.trainable_parameters

    @property
    def receptive_field(self) -> Field | None:
        """What one unit of the output sees of the model's first input; None if nothing."""
        return next(iter(self.receptive_fields.values()), None)

    @property
    def effective_field(self) -> EffectiveField | None:
        """How widely that dependence is spread, in the model's first input; None if nothing is seen."""
        return next(iter(self.effective_fields.values()), None)

    @property
    def effective_receptive_field_sigma(self) -> tuple[Any, ...] | None:
        """Standard deviation of the effective field along each spatial axis, in input units."""
        return None if self.effective_field is None else self.effective_field.sigma

    @property
    def unknown(self) -> dict[str, str]:
        """The figures that are unknown, each with the reason."""
        found = _unknown_among(self, _ROW_FIGURES)
        for axes in (self.output_shapes, *(_parts(f) for f in self.receptive_fields.values() if f)):
            for reason in _reasons(axes):
                found.setdefault("output_shape" if axes is self.output_shapes else "receptive_field", reason)
        for reason in _reasons(e.sigma for e in self.effective_fields.values() if e):
            found.setdefault("effective_receptive_field_sigma", reason)
        return found

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "inputs": list(self.inputs),
            "output_shape": plain(self.output_shape),
            "shared_with": self.shared_with,
            "copies": plain(self.copies),
            **{name: plain(getattr(self, name)) for name in _ROW_FIGURES},
            "weights": [
                {"name": w.name, "shape": plain(w.shape), "trainable": w.trainable} for w in self.weights
            ],
            "receptive_field": _field_dict(self.receptive_field),
            "effective_receptive_field_sigma": plain(self.effective_receptive_field_sigma),
            "unknown": self.unknown,
        }
        if self.gradient is not None:
            found["gradient"] = self.gradient.to_dict()
        if len(self.output_shapes) > 1:
            found["output_shapes"] = plain(self.output_shapes)
        if len(self.receptive_fields) > 1:
            found["receptive_fields"] = {n: _field_dict(f) for n, f in self.receptive_fields.items()}
            found["effective_receptive_field_sigmas"] = {
                n: None if e is None else plain(e.sigma) for n, e in self.effective_fields.items()
            }
        return found

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        return f"Row({self.name!r}, {self.type}, {shape}, {thousands(self.parameters)} parameters)"


_ROW_FIGURES = (
    "parameters",
    "trainable_parameters",
    "macs",
    "flops",
    "elementwise_operations",
    "activation_bytes",
    "training_activation_bytes",
)


@dataclass(frozen=True, slots=True, repr=False)
class Totals:
    """Sums over all rows; work of one sample, bytes of the whole batch."""

    parameters: Size
    trainable_parameters: Size
    non_trainable_parameters: Size
    weight_bytes: Size
    macs: Size
    flops: Size
    elementwise_operations: Size
    activation_bytes: Size
    peak_activation_bytes: Size
    best_peak_activation_bytes: Size
    training_activation_bytes: Size
    gradient_bytes: Size
    optimizer_bytes: Size
    training_bytes: Size
    peak_activation_layer: str | None = None  # at whose step the peak stands

    @property
    def unknown(self) -> dict[str, str]:
        """The totals that are unknown, each with the reason."""
        return _unknown_among(self, _TOTALS)

    def to_dict(self) -> dict[str, Any]:
        found = {name: plain(getattr(self, name)) for name in _TOTALS}
        return found | {"peak_activation_layer": self.peak_activation_layer, "unknown": self.unknown}

    def __repr__(self) -> str:
        return f"Totals({', '.join(f'{n}={thousands(getattr(self, n))}' for n in _TOTALS)})"


_TOTALS = tuple(f.name for f in fields(Totals) if f.name != "peak_activation_layer")


@dataclass(frozen=True, slots=True)
class PeakActivations:
    """The most bytes alive at once in one order of the layers, over the whole batch.

    `layer` is the one whose step it is, `held` the bytes by layer whose outputs are alive then; both
    are empty where that depends on symbols. `order` is None for Keras's own order; `optimal`: it is
    proved that no order needs less.
    """

    bytes: Size
    layer: str | None
    held: Mapping[str, Size]
    order: tuple[str, ...] | None
    optimal: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "bytes": plain(self.bytes),
            "layer": self.layer,
            "held": {name: plain(size) for name, size in self.held.items()},
            "order": None if self.order is None else list(self.order),
            "optimal": self.optimal,
        }


class Rows(Mapping[str, Row]):
    """Rows by name, in topological order."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Row:
        try:
            return self._rows[name]
        except KeyError:
            from difflib import get_close_matches

            near = get_close_matches(str(name), self._rows, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise KeyError(f"no layer is named {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} layers: {', '.join(list(self)[:4])}{', …' if len(self) > 4 else ''}>"


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `archcalc.analyze`. Nothing here prints; a notebook and rich show it as a table."""

    name: str
    source: str
    format: str
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    symbols: Mapping[str, Any]
    ranges: Mapping[str, tuple[int, int | None]]  # of the open symbols, as declared
    assumptions: tuple[str, ...]
    conventions: Mapping[str, Any]
    totals: Totals
    peaks: tuple[PeakActivations, PeakActivations]  # in Keras's order and in the best one found
    fit: Fit | None
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...] = ()  # on gradients, where they were asked for

    @cached_property
    def layers(self) -> Rows:
        """Rows by name: `report.layers["conv1"].macs`."""
        return Rows(self.rows)

    @property
    def formulas(self) -> dict[str, str]:
        """The totals that still hold a symbol, in closed form."""
        return {
            name: str(getattr(self.totals, name))
            for name in _TOTALS
            if isinstance(getattr(self.totals, name), Expr)
        }

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for `json.dumps`; the keys stay as they are."""
        from archcalc import __version__

        return {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "archcalc", "version": __version__},
            "model": {
                "name": self.name,
                "source": self.source,
                "format": self.format,
                "inputs": {name: plain(shape) for name, shape in self.inputs.items()},
                "outputs": list(self.outputs),
            },
            "symbols": {name: plain(value) for name, value in self.symbols.items()},
            "symbol_ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "assumptions": list(self.assumptions),
            "conventions": dict(self.conventions),
            "totals": self.totals.to_dict(),
            "peak_activations": dict(
                zip(("keras_order", "best_order"), (p.to_dict() for p in self.peaks), strict=True)
            ),
            "fit": None if self.fit is None else self.fit.to_dict(),
            "layers": [row.to_dict() for row in self.rows],
            "formulas": self.formulas,
            "verdicts": [v.to_dict() for v in self.verdicts],
            "findings": [f._asdict() for f in self.findings],
        }

    def to_markdown(self, *, depth: int | None = None) -> str:
        """The table and totals as Markdown."""
        from archcalc.render.markdown import markdown

        return markdown(self, depth=depth)

    def to_csv(self, *, depth: int | None = None) -> str:
        """One line a row, every figure exact."""
        from archcalc.render.csv import csv_text

        return csv_text(self, depth=depth)

    def to_latex(self, *, depth: int | None = None) -> str:
        """A booktabs table."""
        from archcalc.render.latex import latex

        return latex(self, depth=depth)

    def __rich__(self) -> Any:
        from archcalc.render.terminal import ReportView

        return ReportView(self)

    def _repr_html_(self) -> str:
        from archcalc.render.notebook import html

        return html(self)

    def __repr__(self) -> str:
        t = self.totals
        return (
            f"Report({self.name!r}: {len(self.rows)} layers, {thousands(t.parameters)} parameters, "
            f"{thousands(t.macs)} MACs)"
        )


def thousands(figure: Any) -> str:
    """A figure as text, an integer's thousands set apart."""
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


def plain(figure: Any) -> Any:
    """A figure as JSON has it: expressions and fractions as strings, the unknown as null."""
    if figure is None or isinstance(figure, int | str):
        return figure
    if isinstance(figure, tuple | list):
        return [plain(f) for f in figure]
    if isinstance(figure, Unknown):
        return None
    if isinstance(figure, float):
        return figure if isfinite(figure) else None
    if isinstance(figure, Fraction) and figure.denominator == 1:
        return figure.numerator
    return str(figure)


def _field_dict(found: Field | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "size": plain(found.size),
        "min_size": plain(found.min_size),
        "stride": plain(found.stride),
        "offset": plain(found.offset),
        "global": plain(found.is_global),
        "local_size": plain(found.local_size),
        "clipped_size": plain(found.clipped_size),
    }


def _parts(found: Field) -> tuple[Any, ...]:
    return (found.size, found.min_size, found.stride, found.offset)


def _unknown_among(owner: Any, names: tuple[str, ...]) -> dict[str, str]:
    values = ((name, getattr(owner, name)) for name in names)
    return {name: value.reason for name, value in values if isinstance(value, Unknown)}


def _reasons(groups: Iterable[Any]) -> list[str]:
    return [v.reason for group in groups if group for v in group if isinstance(v, Unknown)]
