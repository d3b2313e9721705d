"""The networks of a sweep: one, or several where a swept symbol changes the structure.

A symbol stays open, and figures are closed forms in it, wherever the network can be analysed so. One that
cannot (the repeats of a block that halves its image, say) has one network for each of its values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple, TypeAlias

from archcalc import arith
from archcalc.arith.assumptions import Condition as Assumption
from archcalc.arith.expressions import is_symbol_name, parse
from archcalc.arith.symbolic import Expr, Symbol, symbol
from archcalc.arith.tape import Tape
from archcalc.design.forms import Forms
from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.report.elements import ONE_BY_ONE
from archcalc.report.options import AnalysisOptions

MAX_VARIANTS = 10_000
FEW = 20  # configurations that are analysed one by one rather than by closed forms of their memory
MAX_TRIED = 10_000_000  # values of an axis that are tried
Values: TypeAlias = "range | tuple[int, ...]"
Axes = Mapping[str, Values]


class Variant(NamedTuple):
    """One network of a sweep: what is fixed in it, its open axes and graph, and its closed forms.

    `assumptions`: when there is a network. `premises`: when the forms hold for it.
    """

    label: Mapping[str, Any]
    axes: Axes
    graph: Graph
    forms: Forms
    assumptions: Sequence[Assumption]
    premises: Sequence[Assumption]


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
        known: dict[str, Any] = {name: symbol(name) for name in self.axes}
        found: dict[str, Any] = {}
        with arith.scope() as scope:
            for name, text in self.let.items():
                if name in self.axes:
                    raise ArchcalcError(
                        f"{name} has values (--over) and an expression (--let); leave one out"
                    )
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
        self._formless: set[str] = set()  # figures for which there was no closed form
        self._check_names()
        self._structural = {label: self._fixed(graph) for label, graph in sources.items()}
        self.structural = tuple(
            name for name in asked.axes if any(name in names for names in self._structural.values())
        )

    def __iter__(self) -> Iterator[Variant | int]:
        """Every network in order; a number of configurations where the structure is no network."""
        made = 0
        for source, graph in self._sources.items():
            label = {"source": source} if len(self._sources) > 1 else {}
            structural = self._structural[source]
            cut = {
                name: [range(v, v + 1) for v in values] if name in structural else [values]
                for name, values in self.asked.axes.items()
            }
            for variant in self._each(graph, label, cut):
                made += 1
                if made > MAX_VARIANTS:
                    names = ", ".join(self.structural) or "some symbols"
                    raise ArchcalcError(
                        f"{names} change the structure, which gives more than {MAX_VARIANTS:,} networks to "
                        "analyse one by one; give fewer values"
                    )
                yield variant

    def _each(
        self, graph: Graph, label: Mapping[str, str], cut: Mapping[str, Sequence[Values]]
    ) -> Iterator[Variant | int]:
        """The networks of a space whose axes are cut into these pieces."""
        for pieces in product(*cut.values()):
            axes = dict(zip(cut, pieces, strict=True))
            fixed = {name: values[0] for name, values in axes.items() if len(values) == 1}
            open_axes = {name: values for name, values in axes.items() if name not in fixed}
            try:
                opened = self._opened(graph, fixed)
                finer = self._without_empty_repeats(opened, axes)
                if finer is None:
                    variant = self._variant({**label, **fixed}, opened, open_axes)
                    finer = self._without_exceptions(variant, axes)
                    if finer is None:
                        yield variant
            except ArchcalcError:
                if not fixed:
                    raise
                yield prod(map(len, axes.values()))
            else:
                if finer is not None:
                    yield from self._each(graph, label, finer)

    def _without_empty_repeats(self, graph: Graph, axes: Axes) -> dict[str, list[Values]] | None:
        """The axes in pieces, so that values for which a block is left out stand alone; None if none are.

        With open symbols a block is repeated at least once: without it the network is another one.
        """
        for repeat in graph.repeats:
            count = arith.substitute(repeat.count, self.let)
            names = (
                sorted(count.symbols.keys() & axes.keys(), key=lambda n: len(axes[n]))
                if isinstance(count, Expr)
                else []
            )
            if not names:
                continue
            tape = Tape({"count": count})
            ends = {n: (min(axes[n][0], axes[n][-1]), max(axes[n][0], axes[n][-1])) for n in names}
            low = tape.bounds(ends)["count"][0] if count.symbols.keys() <= ends.keys() else None
            if low is not None and low >= 1:
                continue
            name = names[0]
            alone = set(axes[name]) if len(names) > 1 else _zeros(tape, name, axes[name])
            if alone:
                return {n: _pieces(v, alone) if n == name else [v] for n, v in axes.items()}
        return None

    def _variant(self, label: Mapping[str, Any], graph: Graph, axes: Axes) -> Variant:
        required = Forms.of(graph, (), self.asked.options).conditions
        few = prod(map(len, axes.values())) <= FEW
        kept = {name for name in self.asked.figures if name in ONE_BY_ONE and (few or name in self._formless)}
        forms = Forms.of(graph, [n for n in self.asked.figures if n not in kept], self.asked.options)
        self._formless |= forms.missing.keys()
        premises = [c for c in forms.conditions if c not in required]
        assumptions = [*self._integral, *self._allowed(graph), *required]
        return Variant(label, axes, graph, forms, assumptions, premises)

    def _without_exceptions(self, forms: Variant, axes: Axes) -> dict[str, list[Values]] | None:
        """The axes in pieces, so that values for which the forms do not hold stand alone; None if none are.

        Those of memory hold from some number of copies of a block on.
        """
        for premise in forms.premises:
            names = [] if isinstance(premise.value, int) else list(premise.value.symbols)
            if len(names) == 1 and names[0] in forms.axes and premise.allowed is None:
                (name,) = names
                alone = _below_zero(Tape({"it": premise.value}), name, axes[name])
                if 0 < len(alone) <= FEW:
                    return {n: _pieces(v, alone) if n == name else [v] for n, v in axes.items()}
        return None

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
        return with_values(graph, {name: fixed.get(name) for name in wanted if name in has})

    def _fixed(self, graph: Graph) -> set[str]:
        """The swept symbols that cannot stay open in this graph."""
        self._check(graph)
        first = {name: values[0] for name, values in self.asked.axes.items()}
        if self._open_with(graph, {}):
            return set()
        alone = {
            name
            for name in first
            if not self._open_with(graph, {k: v for k, v in first.items() if k != name})
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
        """The forms without any figure; raises `ArchcalcError` where some symbol cannot stay open."""
        opened = self._opened(graph, fixed)
        forms = Forms.of(opened, (), self.asked.options)
        if forms.changing:  # what has no form cannot be computed by rules on arrays either
            for reason in Forms.of(opened, self.asked.figures, self.asked.options).missing.values():
                raise ArchcalcError(reason)
        return forms

    def _check_names(self) -> None:
        """Raise `ArchcalcError` for a symbol that changes nothing."""
        graphs = self._sources.values()
        has = {name: None for graph in graphs for name in (*graph.symbols, *open_symbols(graph))}
        used = {name for x in self.let.values() if isinstance(x, Expr) for name in x.symbols}
        for name in (*self.asked.axes, *self.let):
            if name not in has and name not in used:
                known = f"the symbols are {', '.join(has)}" if has else "there are none"
                where = ", ".join(graph.source or graph.name for graph in graphs)
                raise ArchcalcError(f"{where}: no symbol is named {name!r}{did_you_mean(name, has, known)}")

    def _check(self, graph: Graph) -> None:
        """Raise `ArchcalcError` unless every symbol of the graph has values, within its range."""
        declared = open_symbols(graph)
        where = graph.source or graph.name
        for name in declared:
            if graph.symbols.get(name) is None and name not in self.asked.axes and name not in self.let:
                raise ArchcalcError(
                    f"{where}: {name} has no value: --over {name}=16:256:8, or --set {name}=16"
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


def _zeros(tape: Tape, name: str, values: Values) -> set[int]:
    """The values of the only symbol for which a count is zero."""
    import numpy as np

    if len(values) > MAX_TRIED:
        return set()
    tried = np.array(values, dtype=np.int64)
    zero = np.asarray(tape.run({name: tried})["count"]) == 0
    found: set[int] = set(tried[np.broadcast_to(zero, tried.shape)].tolist()) if len(values) > 1 else set()
    return found


def _below_zero(tape: Tape, name: str, values: Values) -> set[int]:
    """The values of the only symbol of a formula for which it is negative."""
    if len(values) > MAX_TRIED or len(values) == 1:
        return set()
    import numpy as np

    tried = np.array(values, dtype=np.int64)
    found: set[int] = set(tried[np.broadcast_to(tape.run({name: tried})["it"] < 0, tried.shape)].tolist())
    return found


def _pieces(values: Values, alone: set[int]) -> list[Values]:
    """The values in their order, in as few pieces as possible in which the others stand alone."""
    pieces: list[Values] = []
    start = 0
    for i, value in enumerate(values):
        if value in alone:
            pieces += [values[start:i]] if i > start else []
            pieces.append(values[i : i + 1])
            start = i + 1
    return pieces + ([values[start:]] if start < len(values) else [])


def shipped(graph: Graph) -> Graph:
    """The graph without the way back to its file, which cannot be sent to another process."""
    return dataclasses.replace(graph, origin=None)


def labels(sources: Iterable[str]) -> list[str]:
    """Names that tell sources apart: the file's, or where that is the same the whole path."""
    paths = list(sources)
    short = [path.rsplit("/", 1)[-1] for path in paths]
    return short if len(set(short)) == len(short) else paths
