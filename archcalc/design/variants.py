"""The networks of a sweep: one, or several where a swept symbol changes the structure.

A symbol stays open, and figures are closed forms in it, wherever the network can be analysed so. One that
cannot (the repeats of a block that changes its shape, say) has one network for each of its values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from archcalc import arith
from archcalc.arith.assumptions import Condition as Assumption
from archcalc.arith.expressions import is_symbol_name, parse
from archcalc.arith.symbolic import Expr, Symbol, symbol
from archcalc.design.forms import Forms
from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.report.options import AnalysisOptions

MAX_VARIANTS = 10_000
Axes = Mapping[str, "range | tuple[int, ...]"]


class Variant(NamedTuple):
    """One network of a sweep: what tells it from the others, its open graph, and its closed forms.

    `assumptions`: when the forms hold, and when the values of dependent symbols are allowed.
    """

    label: Mapping[str, Any]
    graph: Graph
    forms: Forms
    assumptions: Sequence[Assumption]


class Question(NamedTuple):
    """What a sweep is about: the axes, the symbols that follow from them, and the figures."""

    axes: Axes
    let: Mapping[str, str]
    figures: Sequence[str]
    options: AnalysisOptions

    def dependent(self) -> tuple[dict[str, Any], list[Assumption]]:
        """The expressions of `let` in the axes' symbols, and when they are integers.

        Raises `ArchcalcError` for what is no expression of them.
        """
        known: dict[str, Any] = {
            name: symbol(name, min(min(v[0], v[-1]), min(v[0], v[-1])), None) for name, v in self.axes.items()
        }
        found: dict[str, Any] = {}
        with arith.scope() as scope:
            for name, text in self.let.items():
                if name in self.axes:
                    raise ArchcalcError(f"{name} has values (--over) and an expression (--let); leave one out")
                if not is_symbol_name(name):
                    raise ArchcalcError(f"{name!r} is no name of a symbol")
                try:
                    found[name] = parse(text, {**known, **found})
                except ArchcalcError as fault:
                    raise ArchcalcError(f"{name}: {fault}") from None
        return found, scope.assumptions.conditions()


class Variants:
    """The networks of some sources in a space, made one after the other."""

    def __init__(self, sources: Mapping[str, Graph], asked: Question) -> None:
        """Raises `ArchcalcError` where the space does not fit to a network."""
        self.asked = asked
        self.let, self._integral = asked.dependent()
        self._sources = sources
        self._structural = {label: self._fixed(graph) for label, graph in sources.items()}
        self.structural = tuple(
            name for name in asked.axes if any(name in names for names in self._structural.values())
        )
        # one set of numbered columns for all sources
        self.open_axes = {name: v for name, v in asked.axes.items() if name not in self.structural}
        self.count = len(sources) * prod(len(asked.axes[name]) for name in self.structural)
        if self.count > MAX_VARIANTS:
            raise ArchcalcError(
                f"{', '.join(self.structural)} change the structure, which gives {self.count:,} networks to "
                f"analyse one by one (limit {MAX_VARIANTS:,}); give fewer values"
            )

    def __iter__(self) -> Iterator[Variant | None]:
        """Every network in order; None where the structure with these values is no network."""
        for source, graph in self._sources.items():
            values = [self.asked.axes[name] for name in self.structural]
            for chosen in product(*values):
                fixed = dict(zip(self.structural, chosen, strict=True))
                label = {**({"source": source} if len(self._sources) > 1 else {}), **fixed}
                try:
                    yield self._variant(label, self._opened(graph, fixed))
                except ArchcalcError:
                    if not fixed:
                        raise
                    yield None

    def _variant(self, label: Mapping[str, Any], graph: Graph) -> Variant:
        forms = Forms.of(graph, self.asked.figures, self.asked.options)
        return Variant(label, graph, forms, [*self._integral, *self._allowed(graph), *forms.conditions])

    def _allowed(self, graph: Graph) -> Iterator[Assumption]:
        """That the values of dependent symbols are within their declared ranges."""
        declared = open_symbols(graph)
        for name in self.let:
            of: Any = symbol(name)
            limits = declared.get(name, Symbol(name))
            yield Assumption(f"{name} >= {limits.minimum}", of - limits.minimum)
            if limits.maximum is not None:
                yield Assumption(f"{name} <= {limits.maximum}", limits.maximum - of)

    def _opened(self, graph: Graph, fixed: Mapping[str, int]) -> Graph:
        """The graph with swept symbols open, but for those that are fixed."""
        has = {*graph.symbols, *open_symbols(graph)}
        wanted = [*self.asked.axes, *self.let]
        opened = with_values(graph, {name: fixed.get(name) for name in wanted if name in has})
        return opened

    def _fixed(self, graph: Graph) -> set[str]:
        """The swept symbols that cannot stay open in this graph."""
        self._check(graph)
        first = {name: values[0] for name, values in self.asked.axes.items()}
        if self._open_with(graph, {}):
            return set()
        alone = {
            name for name in first if not self._open_with(graph, {k: v for k, v in first.items() if k != name})
        }
        if not self._open_with(graph, {name: first[name] for name in alone}):
            self._forms(graph, {})  # raises what is wrong
        return alone

    def _open_with(self, graph: Graph, fixed: Mapping[str, int]) -> bool:
        try:
            self._forms(graph, fixed)
        except ArchcalcError:
            return False
        return True

    def _forms(self, graph: Graph, fixed: Mapping[str, int]) -> Forms:
        return Forms.of(self._opened(graph, fixed), (), self.asked.options)

    def _check(self, graph: Graph) -> None:
        """Raise `ArchcalcError` unless every symbol of the graph has values, within its range."""
        declared = open_symbols(graph)
        has = {**dict.fromkeys(graph.symbols), **dict.fromkeys(declared)}
        used = {name for x in self.let.values() if isinstance(x, Expr) for name in x.symbols}
        where = graph.source or graph.name
        for name in (*self.asked.axes, *self.let):
            if name not in has and name not in used:
                known = f"its symbols are {', '.join(has)}" if has else "it has none"
                raise ArchcalcError(f"{where}: no symbol is named {name!r}{did_you_mean(name, has, known)}")
        for name in declared:
            if graph.symbols.get(name) is None and name not in self.asked.axes and name not in self.let:
                raise ArchcalcError(
                    f"{where}: {name} has no value: --over {name}=16:256:8, --let {name}=... or --set {name}=16"
                )
        limits = open_symbols(self._opened(graph, {})) if self._readable(graph) else declared
        for name, values in self.asked.axes.items():
            if name in limits:
                _within(name, values, limits[name])

    def _readable(self, graph: Graph) -> bool:
        try:
            self._opened(graph, {})
        except ArchcalcError:
            return False
        return True


def _within(name: str, values: range | tuple[int, ...], limits: Symbol) -> None:
    for value in (min(values), max(values)):
        if value < limits.minimum or (limits.maximum is not None and value > limits.maximum):
            upper = "" if limits.maximum is None else f" and at most {limits.maximum}"
            raise ArchcalcError(f"{name}={value}: declared as at least {limits.minimum}{upper}")


def shipped(graph: Graph) -> Graph:
    """The graph without the way back to its file, which cannot be sent to another process."""
    return dataclasses.replace(graph, origin=None)


def labels(sources: Iterable[str]) -> list[str]:
    """Names that tell sources apart: the file's, or where that is the same the whole path."""
    paths = list(sources)
    short = [path.rsplit("/", 1)[-1] for path in paths]
    return short if len(set(short)) == len(short) else paths
