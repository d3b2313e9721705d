"""`sweep`: every configuration of a design space, its figures exact, and the best of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from math import prod
from typing import Any

from archcalc.arith import conditions
from archcalc.design import engines
from archcalc.design.density import Density
from archcalc.design.figures import NAMES, checked
from archcalc.design.pareto import Front
from archcalc.design.rows import Rows, Work
from archcalc.design.space import Space, span
from archcalc.design.sweep_result import Extremes, Sweep
from archcalc.design.unfinished import Unfinished
from archcalc.design.variants import Axes, Question, Variant, Variants, labels, shipped
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.readers import as_graph
from archcalc.report.options import AnalysisOptions

FIGURES = ("parameters", "macs", "receptive_field")
LIMIT = 10**9
BOX = 1 << 18  # configurations computed at once: their arrays fit into a cache
Tell = Callable[[str, int, int], object]


def sweep(
    source: Any,
    over: Mapping[str, Any],
    *,
    let: Mapping[str, str] | None = None,
    figures: Sequence[str] = (),
    where: str | None = None,
    minimize: Sequence[str] = (),
    maximize: Sequence[str] = (),
    symbols: Mapping[str, int | None] | None = None,
    output: str | None = None,
    resume: bool = False,
    density: bool = False,
    limit: int = LIMIT,
    engine: str = "local",
    scheduler: str | None = None,
    progress: Tell | None = None,
    **options: Any,
) -> Sweep:
    """Every configuration of a design space: its figures, the best, and a file of all (docs/sweep.md).

    Parameters
    ----------
    source, symbols
        A network with symbols, or a list of networks, the variants; values of symbols that are not swept.
    over, let
        Values of each swept symbol: `"16:256:8"` with the stop included, `"1,2,5"`, or integers; the last one
        varies fastest. Symbols that follow from others: `{"f": "4*w"}`.
    figures, where
        Totals, `receptive_field`, `output_size@LAYER`; by default parameters, MACs and the receptive field.
        Only configurations that meet a condition: `"parameters < 5e6 and receptive_field >= 200"`.
    minimize, maximize, density
        Objectives, figures or swept symbols; whether to count over two of them, for `Sweep.plot`.
    output, resume
        A .parquet, .csv or .arrow file, whole at the end; whether to continue from `FILE.part`.
    limit, engine, scheduler, progress
        The most configurations. `"local"`, or `"dask"` with an address. Is told (step, done, in all).
    options
        Those of `archcalc.analyze` that change figures: `batch`, `dtype`, `convention` and others.

    Raises `ArchcalcError` for a space, condition, figure or file that cannot be.
    """
    axes = _axes(over, limit, len(source) if isinstance(source, list | tuple) else 1)
    twice = next((name for name in symbols or {} if name in over or name in (let or {})), None)
    if twice is not None:
        raise ArchcalcError(f"{twice} is swept and set; leave one out")
    if resume and output is None:
        raise ArchcalcError("resume: there is no file to continue; name it with -o")
    graphs = _graphs(source, symbols or {})
    asked = _Asked(graphs, axes, let or {}, figures, where, minimize, maximize, AnalysisOptions(**options))
    with engines.chosen(engine, scheduler) as compute:
        if output is None:
            return asked.run(compute, None, progress, density)
        unfinished = Unfinished(output, asked.described(), resume=resume)
        with closing(unfinished):
            return asked.run(compute, unfinished, progress, density)._replace(output=output)


def _axes(over: Mapping[str, Any], limit: int, sources: int) -> Axes:
    """The values of each axis; raises `ArchcalcError` if they are too many together."""
    if not over:
        raise ArchcalcError("nothing to sweep over: --over w=16:256:8")
    axes = {}
    for name, values in over.items():
        try:
            axes[name] = span(values)
        except ArchcalcError as fault:
            raise ArchcalcError(f"{name}: {fault}") from None
    count = sources * prod(map(len, axes.values()))
    if count > limit:
        lengths = " × ".join(f"{len(values):,}" for values in axes.values())
        raise ArchcalcError(
            f"{count:,} configurations ({lengths}), more than the limit of {limit:,}; nothing was computed. "
            "Narrow the space, or raise --limit"
        )
    return axes


def _graphs(source: Any, symbols: Mapping[str, int | None]) -> dict[str, Graph]:
    sources = list(source) if isinstance(source, list | tuple) else [source]
    graphs = list(map(as_graph, sources))
    for name in symbols:
        if len(graphs) > 1 and not any(name in graph.symbols for graph in graphs):
            raise ArchcalcError(f"{name}: none of the networks has this symbol")
    graphs = [
        with_values(g, {n: v for n, v in symbols.items() if len(graphs) == 1 or n in g.symbols})
        for g in graphs
    ]
    names = labels(graph.source or graph.name for graph in graphs)
    if len(set(names)) < len(names):
        raise ArchcalcError(f"the same network twice: {', '.join(names)}")
    return dict(zip(names, graphs, strict=True))


class _Asked:
    """What a sweep is asked, checked before any work."""

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        axes: Axes,
        let: Mapping[str, str],
        figures: Sequence[str],
        where: str | None,
        minimize: Sequence[str],
        maximize: Sequence[str],
        options: AnalysisOptions,
    ) -> None:
        self.graphs = graphs
        self.axes = axes
        self.let = let
        graph = next(iter(graphs.values()))
        symbols = {*axes, *let}
        least, most = (
            [n if n in symbols else checked(n, graph) for n in names] for names in (minimize, maximize)
        )
        for name in most:
            if name in least:
                raise ArchcalcError(f"{name} is to be minimized and maximized; leave one out")
        self.objectives = {**dict.fromkeys(least, False), **dict.fromkeys(most, True)}
        self.where = self._condition(where)
        named = [checked(name, graph) for name in figures] or list(FIGURES)
        conditional = [n for n in NAMES if self.where is not None and n in self.where.names]
        wanted = dict.fromkeys([*named, *self.objectives, *conditional])
        self.figures = tuple(name for name in wanted if name not in symbols)
        self.options = options
        self.variants = Variants(graphs, Question(axes, let, self.figures, options))

    @property
    def configurations(self) -> int:
        return len(self.graphs) * prod(map(len, self.axes.values()))

    def _condition(self, where: str | None) -> conditions.Condition | None:
        if where is None:
            return None
        try:
            return conditions.parse(where, [*NAMES, *self.axes, *self.let])
        except ArchcalcError as fault:
            raise ArchcalcError(f"where: {fault}") from None

    def described(self) -> dict[str, Any]:
        """What the sweep is, so that another one does not continue it."""
        networks = {
            name: hashlib.sha256(repr((g.nodes, g.inputs, g.outputs, g.repeats)).encode()).hexdigest()
            for name, g in self.graphs.items()
        }
        return {
            "networks": networks,
            "over": [[name, str(values)] for name, values in self.axes.items()],
            "let": dict(self.let),
            "figures": list(self.figures),
            "where": self.where.text if self.where else None,
            "options": repr(self.options),
            "archcalc": engines.version(),
        }

    def run(
        self, compute: engines.Engine, unfinished: Unfinished | None, tell: Tell | None, density: bool
    ) -> Sweep:
        """The sweep, from the first configuration to the file."""
        found = _Found(self, density)
        parts = _Parts(self, unfinished, found)
        with closing(compute(iter(parts), unfinished)) as results:
            for _, rows in results:
                found.add(rows)
                if tell is not None:
                    tell("configurations", found.seen, self.configurations)
        if unfinished is not None:
            if tell is not None:
                tell("writing the file", 0, 0)
            unfinished.finish(parts.number)
        return found.result()


class _Parts:
    """The parts of a sweep in order; `number` is at last how many there are."""

    def __init__(self, asked: _Asked, unfinished: Unfinished | None, found: _Found) -> None:
        self.asked = asked
        self.done = unfinished.done() if unfinished is not None else set()
        self.found = found
        self.number = 0

    def __iter__(self) -> Iterator[engines.Part]:
        for variant in self.asked.variants:
            if isinstance(variant, int):
                self.found.invalid += variant
                continue
            space = Space(variant.axes, BOX)
            work = self._work(variant, space)
            self.found.unknown |= variant.forms.missing
            for box in range(space.boxes):
                yield self.number, None if self.number in self.done else work, box
                self.number += 1

    def _work(self, variant: Variant, space: Space) -> Work:
        asked, forms = self.asked, variant.forms
        by_rules = tuple(name for name in asked.figures if name not in forms.formulas)
        return Work(
            variant.label,
            space,
            asked.variants.let,
            (*(["source"] if "source" in variant.label else []), *asked.axes, *asked.let, *asked.figures),
            forms.formulas,
            variant.assumptions,
            by_rules,
            shipped(variant.graph) if by_rules or variant.premises else None,
            asked.options,
            asked.where,
            variant.premises,
        )


class _Found:
    """What a sweep has found so far."""

    def __init__(self, asked: _Asked, density: bool) -> None:
        self.asked = asked
        self.selected = self.invalid = self.unmatched = 0
        self.extremes: dict[str, Extremes] = {}
        self.unknown: dict[str, str] = {}  # figures without a closed form, and why
        self.null: set[str] = set()
        self.front = Front(asked.objectives) if asked.objectives else None
        two = list(asked.objectives)[:2]
        if density and len(two) < 2:
            raise ArchcalcError("density: over two objectives; name another with minimize or maximize")
        self.density = Density(*two) if density else None

    def add(self, rows: Rows) -> None:
        """Take in the rows of the next part."""
        self.selected += rows.selected
        self.invalid += rows.invalid
        self.unmatched += rows.unmatched
        if not rows.selected:
            return
        columns = {name: column for name, column in rows.columns.items() if column is not None}
        self.null |= rows.columns.keys() - columns.keys()
        for name in self.asked.figures:
            if name in columns:
                ends = Extremes(int(columns[name].min()), int(columns[name].max()))
                self.extremes[name] = ends.joined(self.extremes.get(name))
        for name in self.asked.objectives:
            if name not in columns:
                raise ArchcalcError(
                    f"{name} cannot be an objective: it is unknown ({self.unknown.get(name)})"
                )
        if self.front is not None:
            self.front.add(columns)
        if self.density is not None:
            self.density.add(columns[self.density.x], columns[self.density.y])

    @property
    def seen(self) -> int:
        """The configurations that were looked at."""
        return self.selected + self.invalid + self.unmatched

    def result(self) -> Sweep:
        asked = self.asked
        return Sweep(
            sources=tuple(asked.graphs),
            axes=asked.axes,
            let=asked.let,
            structural=asked.variants.structural,
            where=asked.where.text if asked.where else None,
            objectives=asked.objectives,
            selected=self.selected,
            invalid=self.invalid,
            unmatched=self.unmatched,
            figures={name: self.extremes.get(name) for name in asked.figures},
            unknown={name: self.unknown.get(name, "") for name in sorted(self.null)},
            front=tuple(self.front.rows()) if self.front is not None else (),
            density=self.density,
        )
