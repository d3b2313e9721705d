"""One network's FLOPs in every convention, and why they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archcalc import arith
from archcalc.analyses import shapes, work
from archcalc.arith import Size, total
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.conventions.counting import CONVENTIONS, Convention, activations, flops
from archcalc.conventions.explain import explain, terms
from archcalc.conventions.strides import moved_strides
from archcalc.graph import Graph
from archcalc.graph.substitution import restate, with_values
from archcalc.readers import as_graph
from archcalc.report.values import thousands, to_json_value


@dataclass(frozen=True)
class Compared:
    """One convention: its total, the terms that add up to it, and both in words.

    `activations`: the units that the tool counts as activations, None for tools without such a figure.
    """

    name: str
    tool: str
    unit: str
    per_mac: int
    flops: Size
    terms: Mapping[str, Size]
    words: str
    activations: Size | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "convention": self.name,
            "tool": self.tool,
            "unit": self.unit,
            "flops_per_mac": self.per_mac,
            "flops": to_json_value(self.flops),
            **(
                {"flops_at_least": to_json_value(self.flops.known)} if isinstance(self.flops, AtLeast) else {}
            ),
            "terms": {term: to_json_value(amount) for term, amount in self.terms.items()},
            "words": self.words,
            "activations": None if self.activations is None else to_json_value(self.activations),
        }


@dataclass(frozen=True)
class Comparison:
    """The result of `archcalc.compare_conventions`; figures are those of one sample at inference."""

    name: str
    source: str
    format: str
    macs: Size
    rows: tuple[Compared, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {
            "schema_version": 1,
            "model": {"name": self.name, "source": self.source, "format": self.format},
            "macs": to_json_value(self.macs),
            "conventions": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
        }

    def to_markdown(self) -> str:
        """One table and the notes, as Markdown."""
        from archcalc.render.comparison import markdown

        return markdown(self)

    def to_csv(self) -> str:
        """One line per convention."""
        from archcalc.render.comparison import csv_text

        return csv_text(self)

    def to_text(self, width: int = 120, *, ascii: bool = False) -> str:
        """One table and the notes, for a terminal of that width."""
        from archcalc.render.comparison import text

        return text(self, width, ascii=ascii)

    def __str__(self) -> str:
        from archcalc.render.screen import only_ascii, screen_width

        return self.to_text(screen_width(), ascii=only_ascii()).rstrip("\n")


def compare_conventions(graph: Any, symbols: Mapping[str, int] | None = None) -> Comparison:
    """A network's FLOPs as archcalc and eight other tools count them.

    Parameters
    ----------
    graph
        The network: a graph, or anything that `archcalc.load` takes.
    symbols
        Values of symbols, instead of those they have; open ones stay in the figures.

    Raises
    ------
    NetworkError
        Layers that do not fit together.
    """
    graph = as_graph(graph)
    with arith.scope():
        if symbols:
            graph = with_values(graph, symbols)
        restate(graph)
        inferred = shapes.infer(graph)
        macs = _known_part(work.macs(graph, inferred))
        rows = tuple(_compared(graph, inferred, convention) for convention in CONVENTIONS.values())
        notes = (*_spread(rows), *_activations(rows), *_strides(graph, inferred, macs))
    return Comparison(graph.name, graph.source, graph.format, macs, rows, notes)


def _known_part(figures: Sequence[Size]) -> Size:
    """The sum; of those that are known where some are not."""
    unknown = [figure for figure in figures if isinstance(figure, Unknown)]
    known = total(figure for figure in figures if not isinstance(figure, Unknown))
    return AtLeast(unknown[0].reason, known, ()) if unknown else known


def _compared(graph: Graph, inferred: shapes.Shapes, convention: Convention) -> Compared:
    counted = flops(graph, inferred, convention.name)
    hidden = {
        node.name: count.flops.reason
        for node, count in zip(graph.nodes, counted, strict=True)
        if isinstance(count.flops, Unknown)
    }
    known = [count for count in counted if not isinstance(count.flops, Unknown)]
    amounts = terms(graph, counted)
    words = explain(known, amounts)
    figure: Size = total(amounts.values())
    if hidden:
        names = ", ".join(map(repr, list(hidden)[:3])) + (", …" if len(hidden) > 3 else "")
        reason = f"depends on {names}: {next(iter(hidden.values()))}"
        figure = AtLeast(reason, figure, tuple(hidden))
        words = f"{reason}; of the other layers: {words}"
    elif convention.name == "archcalc":
        words = f"{words.split('; without')[0]}; everything else counts separately, as elementwise operations"
    tool = (convention.name, convention.tool, convention.unit, convention.per_mac)
    units = activations(graph, inferred) if convention.name == "fvcore" else None
    return Compared(*tool, figure, amounts, words, units)


def _spread(rows: tuple[Compared, ...]) -> list[str]:
    """How far the figures are apart, and how far if a multiply-add counts the same everywhere."""
    known = [(row, row.flops) for row in rows if isinstance(row.flops, int) and row.flops > 0]
    if len(known) < 2:
        return []
    (low, least), (high, most) = (pick(known, key=lambda counted: counted[1]) for pick in (min, max))
    alike = [flops / row.per_mac for row, flops in known]
    twice = ", ".join(row.name for row, _ in known if row.per_mac == 2)
    return [
        f"{high.name} reports {most / least:.2f} times as many FLOPs as {low.name}; with a "
        f"multiply-add counted once everywhere (twice in {twice}) it is {max(alike) / min(alike):.2f} times"
    ]


def _activations(rows: tuple[Compared, ...]) -> list[str]:
    """The figures of tools that count activations, too."""
    return [
        f"{row.name} counts {thousands(row.activations)} activations: units that convolutions and products "
        "of matrices output"
        for row in rows
        if row.activations is not None and not isinstance(row.activations, Unknown)
    ]


def _strides(graph: Graph, inferred: shapes.Shapes, macs: Size) -> list[str]:
    """The multiply-adds of the same network with its strides on the other convolutions."""
    moved = moved_strides(graph, inferred)
    if moved is None or not isinstance(moved.macs, int) or moved.macs == macs:
        return []
    (source, target), *others = moved.pairs
    more = f" and {len(others)} more" if others else ""
    return [
        f"the position of strides is architecture, not counting: with the stride of {source!r} on {target!r}"
        f"{more} it would have {thousands(moved.macs)} multiply-adds instead of {thousands(macs)}"
    ]
