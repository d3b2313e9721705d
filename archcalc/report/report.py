"""The result of an analysis, and its form as data (JSON of `analyze`).

A figure is an int where it is exact, an expression where it contains a symbol, an `Unknown` where it
depends on an unknown layer, and None where it has no meaning. It is computed when it is first read,
and then kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analyses import work
from archcalc.analyses.memory.peak import Peak
from archcalc.arith import Scope, Shape, Size, certainly, symbolic
from archcalc.arith.symbolic import Expr, Symbol
from archcalc.errors import ArchcalcError
from archcalc.graph.quantities import BYTES, SUMMED, TABLE, TOTALS
from archcalc.graph.substitution import block_name
from archcalc.report import findings, row_data
from archcalc.report.caveats import caveats
from archcalc.report.checkpoint import Checkpoint, checkpoint
from archcalc.report.columns import Figures, once
from archcalc.report.fit import Fit, fit
from archcalc.report.rows import Row, Rows
from archcalc.report.rule import Finding as Finding
from archcalc.report.stated import findings as stated_findings
from archcalc.report.totals import Totals
from archcalc.report.values import Frozen, stamp, thousands, to_json_value

if TYPE_CHECKING:
    from archcalc.analyses.mean_field.verdicts import Verdict

# what a layer states; all other figures follow from these
STATED = ("output_shape", "parameters", "macs", "elementwise_operations", "receptive_field")


class PeakActivations(NamedTuple):
    """The most bytes alive at once in one order of the layers, over the whole batch.

    `layer` is the one computed at that moment, `held` maps layers to the bytes of their outputs that are
    alive then; both are empty where that depends on symbols. `order` is None for Keras's own order;
    `optimal`: it is proved that no order needs less.
    """

    bytes: Size
    layer: str | None
    held: Mapping[str, Size]
    order: tuple[str, ...] | None
    optimal: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "bytes": to_json_value(self.bytes),
            "layer": self.layer,
            "held": {name: to_json_value(size) for name, size in self.held.items()},
            "order": None if self.order is None else list(self.order),
            "optimal": self.optimal,
        }


class Report(Frozen):
    """The result of `archcalc.analyze`. Nothing here prints; a notebook and rich show it as a table.

    Figures are computed when they are read: a report that is asked only for its parameters computes
    no fields. All of them are those of the graph and the options that `analyze` was given.
    """

    name: str
    source: str
    format: str
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    output_shapes: tuple[Shape, ...]
    totals: Totals
    _of: Figures

    def __init__(self, figures: Figures) -> None:
        graph = figures.graph
        vars(self).update(
            name=graph.name,
            source=graph.source,
            format=graph.format,
            inputs={graph.nodes[i].name: figures.output_shapes[i][0] for i in graph.inputs},
            outputs=tuple(graph.nodes[t.node].name for t in graph.outputs),
            output_shapes=tuple(figures.final_shapes[t.node][t.output] for t in graph.outputs),
            totals=Totals(figures),
            _of=figures,
        )

    @property
    def scope(self) -> Scope:
        return self._of.scope

    @property
    def valid(self) -> Any:
        """Where the figures hold, if symbols have arrays of values: True, or an array of truth values.

        They do not where layers do not fit together, or where a repeated block would be left out.
        """
        valid = self._of.scope.valid
        return True if certainly(valid) else valid

    @property
    def _of_arrays(self) -> bool:
        return self._of.elements is not None

    def _require_numbers(self) -> None:
        if self._of_arrays:
            raise ArchcalcError(
                "figures that are arrays make no table; read them (report.totals.parameters), or give each "
                "symbol one value"
            )

    @property
    def has_symbols(self) -> bool:
        """Whether figures are closed forms in open symbols."""
        return self._of.has_symbols

    @once
    def rows(self) -> tuple[Row, ...]:
        """One row per call of a layer, in topological order."""
        return tuple([Row(self._of, i) for i in range(len(self._of.graph.nodes))])

    @once
    def layers(self) -> Rows:
        """Rows by name: `report.layers["conv1"].macs`."""
        return Rows(self.rows)

    @once
    def peaks(self) -> tuple[PeakActivations, PeakActivations]:
        """The most bytes alive at once in inference, in Keras's order and in the best one found."""
        peaks = self._of.peaks
        optimal = peaks.optimal and peaks.order is None
        return (
            self._named(peaks.usual, None, optimal),
            self._named(peaks.best, peaks.order, peaks.optimal),
        )

    @once
    def fit(self) -> Fit | None:
        """Whether it fits into the stated memory, and the largest batch that does."""
        options = self._of.options
        return None if options.memory is None else fit(self.totals, self._of, int(options.memory))

    @once
    def checkpoint(self) -> Checkpoint | None:
        """What recomputing the blocks in `checkpoint` saves and costs."""
        return checkpoint(self.totals, self._of) if self._of.blocks else None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What becomes of the gradients, in words, if they were requested."""
        return self._of.verdicts

    @once
    def findings(self) -> tuple[Finding, ...]:
        """What a reader should know."""
        of = self._of
        return (
            *(() if of.all_known else _unknown_layers(self.rows)),
            *stated_findings(of.asked, of.options, of.graph),
            *findings.unused(of),
            *findings.assumed(of),
            *findings.measured(of),
            *findings.not_runnable(of),
            *findings.recomputed(of),
            *caveats(of),
            *findings.too_large(self.fit, of.options.batch),
        )

    # -- what the figures depend on ----------------------------------------------------------
    @once
    def _open(self) -> dict[str, Symbol]:
        """Open symbols, including those that a graph built by hand does not declare."""
        if not self._of.has_symbols:
            return {}
        figures = [getattr(self.totals, name) for name in TOTALS]
        figures += [size for row in self.rows if row.type == "InputLayer" for size in row.output_shape]
        symbols = {name: s for x in figures if isinstance(x, Expr) for name, s in x.symbols.items()}
        return dict(sorted(symbols.items()))

    @property
    def symbols(self) -> Mapping[str, Any]:
        """Every symbol with its value, None where it is open."""
        return {**dict.fromkeys(self._open), **self._of.graph.symbols}

    @property
    def ranges(self) -> Mapping[str, tuple[int, int | None]]:
        """The open symbols' ranges, as declared."""
        return {name: (s.minimum, s.maximum) for name, s in self._open.items()}

    @property
    def copy_numbers(self) -> Mapping[str, tuple[str, Any]]:
        """The names that shapes have for the number of a copy, from 0 on: (its block, how many copies).

        Only blocks that change their input's shape need one, where the number of their copies is open.
        """
        graph, indices = self._of.graph, self._of.output_shapes.indices
        named = {}
        for k, r in enumerate(graph.repeats):
            if r.index in indices:
                # of blocks of the same nodes the later one is the outer one
                outer = [o for o in graph.repeats[k + 1 :] if o.first <= r.first <= r.last <= o.last]
                named[r.index] = block_name(graph, r, 1 + len(outer)), r.count
        return named

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the figures assume about open symbols."""
        return tuple(self.scope.assumptions.texts())

    @once
    def conventions(self) -> Mapping[str, Any]:
        """What the figures count."""
        options = self._of.options
        return {
            **_flops_convention(options.convention, self.rows),
            **{q.name: q.note for q in TABLE if q.note and q.name in WORK},
            "batch": options.batch,
            "dtype": options.dtype,
            "optimizer": options.optimizer,
            **{q.name: q.note for q in TABLE if q.note and q.name not in WORK},
            **self._of.gradient_conventions,
        }

    def work_out(self) -> None:
        """Compute every figure, in one order: with open symbols, figures depend on earlier assumptions."""
        for figure in IN_ORDER:
            getattr(self._of, figure)
        for name in TOTALS:
            getattr(self.totals, name)
        getattr(self, "checkpoint")  # noqa: B009 - it is computed when it is read

    @property
    def formulas(self) -> dict[str, str]:
        """The totals that contain a symbol, in closed form."""
        return {
            name: str(getattr(self.totals, name))
            for name in TOTALS
            if isinstance(getattr(self.totals, name), Expr)
        }

    @once
    def defaults(self) -> Mapping[str, int | None]:
        """The values that the source gives the open symbols; None for those that it leaves open."""
        origin = self._of.graph.origin
        if not self._open or origin is None:
            return dict.fromkeys(self._open)
        stated = origin.read({}).symbols
        return {name: stated.get(name) for name in self._open}

    @once
    def formula_conditions(self) -> Mapping[str, tuple[str, ...]]:
        """What single formulas assume of symbols, beyond `assumptions`."""
        texts = {name: tuple(c.text for c in self.totals.premises(name)) for name in self.formulas}
        return {name: needed for name, needed in texts.items() if needed}

    @once
    def formula_values(self) -> Mapping[str, int]:
        """The formulas' values at the defaults; of those that hold there, if all have one."""
        usual: dict[str, Any] = dict(self.defaults)
        if not usual or None in usual.values():
            return {}
        met = [*self.scope.assumptions.conditions()]
        values = {}
        for name in self.formulas:
            conditions = [*met, *self.totals.premises(name)]
            if all(c.met(symbolic.evaluate(c.value, usual)) for c in conditions):
                values[name] = int(symbolic.evaluate(getattr(self.totals, name), usual))
        return values

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for `json.dumps`; the keys stay as they are."""
        return {**self.streamed(), "layers": [*row_data.all_data(self._of)]}

    def streamed(self) -> dict[str, Any]:
        """The same, but with an iterator over the layers, which need not be in memory together."""
        return {
            **stamp(),
            "model": {
                "name": self.name,
                "source": self.source,
                "format": self.format,
                "inputs": {name: to_json_value(shape) for name, shape in self.inputs.items()},
                "outputs": list(self.outputs),
            },
            "symbols": {name: to_json_value(value) for name, value in self.symbols.items()},
            "symbol_ranges": {name: list(ends) for name, ends in self.ranges.items()},
            **self._copy_numbers(),
            "assumptions": list(self.assumptions),
            "conventions": dict(self.conventions),
            "totals": self.totals.to_dict(),
            "peak_activations": dict(
                zip(("keras_order", "best_order"), (p.to_dict() for p in self.peaks), strict=True)
            ),
            "fit": None if self.fit is None else self.fit.to_dict(),
            "checkpoint": None if self.checkpoint is None else self.checkpoint.to_dict(),
            "layers": row_data.parts(self._of),
            "formulas": self.formulas,
            "formula_conditions": {name: list(texts) for name, texts in self.formula_conditions.items()},
            "defaults": dict(self.defaults),
            "formula_values": dict(self.formula_values),
            "verdicts": [v.to_dict() for v in self.verdicts],
            "findings": [f._asdict() for f in self.findings],
        }

    def _copy_numbers(self) -> dict[str, Any]:
        named = {
            name: {"block": block, "copies": to_json_value(count)}
            for name, (block, count) in self.copy_numbers.items()
        }
        return {"copy_numbers": named} if named else {}

    def to_text(self, width: int = 120, *, ascii: bool = False, **table: Any) -> str:
        """The table and totals, for a terminal of that width; `table` as for `to_markdown`."""
        from archcalc.render.terminal import terminal_text

        self._require_numbers()
        return terminal_text(self, width=width, ascii=ascii, **table)

    def to_markdown(self, **table: Any) -> str:
        """The table and totals as Markdown.

        `table` says what the table shows: `depth=1` a row per block, `columns=("output", "training")`
        these columns, `sort="macs"` the largest first, `top=10` the ten largest, `unfolded=True` each of
        several equal rows.
        """
        from archcalc.render.markdown import markdown

        self._require_numbers()
        return markdown(self, **table)

    def to_csv(self, *, depth: int | None = None) -> str:
        """One line per row, every figure exact."""
        from archcalc.render.csv import csv_lines

        self._require_numbers()
        return "".join(csv_lines(self, depth=depth))

    def to_latex(self, **table: Any) -> str:
        """A booktabs table; `table` as for `to_markdown`."""
        from archcalc.render.latex import latex

        self._require_numbers()
        return latex(self, **table)

    def __str__(self) -> str:
        from archcalc.render.screen import only_ascii, screen_width

        if self._of_arrays:
            return repr(self)
        return self.to_text(screen_width(), ascii=only_ascii()).rstrip("\n")

    def __rich__(self) -> Any:
        from archcalc.render.terminal import ReportView

        if self._of_arrays:
            return repr(self)
        return ReportView(self)

    def _repr_html_(self) -> str:
        from archcalc.render import notebook

        if self._of_arrays:
            return notebook.preformatted(repr(self))
        return notebook.html(self)

    def _named(self, peak: Peak, order: Sequence[int] | None, optimal: bool) -> PeakActivations:
        """A peak with names instead of numbers."""
        names = self._of.name
        held: dict[str, Size] = {}
        for tap, size in peak.held:
            held[names[tap.node]] = held.get(names[tap.node], 0) + size
        return PeakActivations(
            peak.bytes,
            None if peak.node is None else names[peak.node],
            held,
            None if order is None else tuple(names[i] for i in order),
            optimal,
        )

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Report) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like its rows

    def __repr__(self) -> str:
        t = self.totals
        if self._of.elements is not None:
            number = self._of.elements.number
            return f"Report({self.name!r}: {len(self.rows)} layers, figures of {number:,} configurations)"
        return (
            f"Report({self.name!r}: {len(self.rows)} layers, {thousands(t.parameters)} parameters, "
            f"{thousands(t.macs)} MACs)"
        )


WORK = tuple(q.name for q in TABLE if q.unit != BYTES and q.total)
# the order in which analyses run on open symbols
IN_ORDER = (*SUMMED, "peaks", "receptive_fields", "effective_fields", "verdicts", "optimizer_bytes")


def _unknown_layers(rows: Sequence[Row]) -> Iterator[Finding]:
    """A finding for each layer at which something unknown enters the network."""
    unknown = {row.name: reasons for row in rows if (reasons := row.unknown_without_sigma)}
    for row in rows:
        figures = unknown.get(row.name)
        if not figures:
            continue
        inherited = {figure for name in row.inputs for figure in unknown.get(name, ())}
        if "output_shape" in inherited:
            continue
        new = {
            f: figures[f] for f in STATED if f in figures and not (f in inherited and f == "receptive_field")
        }
        if not new:
            continue
        # the reasons of the other figures are in their row
        message = f"unknown {', '.join(new).replace('_', ' ')}: {next(iter(new.values()))}"
        if list(new) == ["receptive_field"]:
            yield Finding("unknown-field", "info", row.name, message, "its other figures are exact")
        else:
            remedy = "state them in an Opaque layer, or use a type that `archcalc layers` lists"
            yield Finding("unknown-layer", "warning", row.name, message, remedy)


def _flops_convention(convention: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The tool whose convention FLOPs follow, and the layer types whose work it does not count."""
    if convention == "archcalc":
        return {"flops": convention, "flops_per_mac": work.FLOPS_PER_MAC}
    from archcalc.conventions.counting import CONVENTIONS

    used = CONVENTIONS[convention]
    skipped = {
        row.type for row in rows if row.flops == 0 and (row.macs, row.elementwise_operations) != (0, 0)
    }
    return {
        "flops": convention,
        "flops_tool": used.tool,
        "flops_unit": used.unit,
        "flops_per_mac": used.per_mac,
        "flops_not_counted": sorted(skipped),
    }
