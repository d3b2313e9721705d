"""`solve`: the configuration of a network that is the best under budgets, and the proof that it is."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import Any

from archcalc.arith.symbolic import Symbol
from archcalc.design.budgets import AT_MOST, Budget, budgets
from archcalc.design.figures import checked
from archcalc.design.forms import Forms
from archcalc.design.landscape import Landscape, Places
from archcalc.design.regions import regions
from archcalc.design.search import Best, Goal, LateError, Search
from archcalc.design.solution import INFEASIBLE, SOLVED, UNPROVED, Nearest, Neighbour, Solution
from archcalc.design.unknowns import Unknown, driven, unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.quantities import BYTES, TABLE
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.readers import as_graph
from archcalc.report.options import AnalysisOptions

TIME_LIMIT = 60.0  # seconds
MAX_STEPS = 32  # values tried for the next one whose layers fit together


def solve(
    graph: Any,
    unknowns: Mapping[str, Any] | Sequence[str] | str,
    *,
    maximize: str | None = None,
    minimize: str | None = None,
    at_most: Mapping[str, Any] | None = None,
    at_least: Mapping[str, Any] | None = None,
    let: Mapping[str, Any] | None = None,
    multiples: Mapping[str, int] | None = None,
    symbols: Mapping[str, int | None] | None = None,
    time_limit: float | None = TIME_LIMIT,
    **options: Any,
) -> Solution:
    """The best configuration of a network under budgets: exact, with a proof that no other is better.

    Parameters
    ----------
    graph
        The network: a path to a spec, `keras:NAME`, a live Keras model, decoded JSON (all that
        `archcalc.load` takes), or a graph from there.
    unknowns
        The symbols to solve for, each with its values: `{"w": range(8, 513, 8), "n": [2, 3, 5], "H": None}`.
        None is the range that the network declares, without an end if it declares none; text as on the
        command line (`"8:512:8"`, the last value included) works too. `{"w,d": [(10, 11), (12, 14)]}` are
        symbols that only take these values together. One name, or several, stands for None each.
    maximize, minimize
        A figure (`"macs"`, `"receptive_field"`, `"output_size@LAYER"`) or an unknown. Without either, the
        only unknown is to be largest.
    at_most, at_least
        Budgets by figure: `{"parameters": 5e6}`; text with a unit for bytes (`"1.5GiB"`).
    let
        Symbols that follow from the unknowns: `{"w": "10 + phi"}`.
    multiples
        Unknowns of which only multiples of a number count: `{"w": 8}`.
    symbols
        Values of other symbols, instead of those they have.
    time_limit
        Seconds after which the best configuration so far is returned with the status `"unproved"`.
    options
        As for `archcalc.analyze`: `batch`, `dtype`, `optimizer`, `ema`, `accumulation`, `checkpoint`,
        `convention`.

    Raises
    ------
    ArchcalcError
        An unknown, figure or value that does not exist; an unknown without an end that no budget limits.
    """
    wanted = unknowns if isinstance(unknowns, Mapping) else dict.fromkeys(_names(unknowns))
    network = _network(graph, symbols or {}, wanted)
    opened = _opened(network, _each(wanted))
    sought = tuple(_unknowns(opened, wanted, multiples or {}))
    follow = driven(let or {}, sought)
    limits = tuple(budgets(at_most or {}, at_least or {}, network))
    goal = _goal(maximize, minimize, sought, follow, network)
    figures = dict.fromkeys(b.figure for b in limits) | _figure_of(goal, sought, follow)
    _refuse_idle(options, figures)
    deadline = None if time_limit is None else time.monotonic() + time_limit
    whole = Landscape(network, sought, follow, tuple(figures), AnalysisOptions(**options), opened)
    return _Question(whole, limits, goal, deadline).answer()


_BATCHED = ("activation_bytes", "peak_activation_bytes", "best_peak_activation_bytes")
_TRAINING = ("training_bytes", "training_activation_bytes")
# options of an analysis -> the figures that they change
CHANGES: dict[str, Collection[str]] = {
    "batch": (*_BATCHED, *_TRAINING),
    "dtype": [q.name for q in TABLE if q.unit == BYTES],
    **dict.fromkeys(("optimizer", "ema", "accumulation"), ("optimizer_bytes", "training_bytes")),
    "checkpoint": ("training_macs", *_TRAINING),
    "convention": ("flops",),
}


def _refuse_idle(options: Mapping[str, Any], figures: Collection[str]) -> None:
    """Refuse options that would change nothing."""
    defaults = AnalysisOptions()
    for name, value in options.items():
        if name not in CHANGES:
            raise ArchcalcError(f"{name}: not an option here; the options are {', '.join(CHANGES)}")
        if value != getattr(defaults, name) and not set(figures) & set(CHANGES[name]):
            raise ArchcalcError(f"{name} changes no figure of this question, only {', '.join(CHANGES[name])}")


def _names(unknowns: Sequence[str] | str) -> Sequence[str]:
    return [unknowns] if isinstance(unknowns, str) else list(unknowns)


def _network(graph: Any, symbols: Mapping[str, int | None], wanted: Mapping[str, Any]) -> Graph:
    for name in symbols.keys() & _each(wanted):
        raise ArchcalcError(f"{name} is solved for, so it has no value of its own")
    return with_values(as_graph(graph), symbols)


def _figure_of(goal: Goal, sought: Sequence[Unknown], follow: Mapping[str, Any]) -> dict[str, None]:
    """The goal, if it is a figure."""
    symbol = goal.name in follow or any(goal.name in u.names for u in sought)
    return {} if symbol else {goal.name: None}


def _each(wanted: Mapping[str, Any]) -> set[str]:
    return {name.strip() for key in wanted for name in key.split(",")}


def _opened(graph: Graph, names: set[str]) -> Graph:
    """The network with those symbols open that can be; the others are sampled."""
    for name in names & graph.symbols.keys():
        with suppress(ArchcalcError):
            graph = with_values(graph, {name: None})
    return graph


def _unknowns(opened: Graph, wanted: Mapping[str, Any], multiples: Mapping[str, int]) -> Iterator[Unknown]:
    if not wanted:
        raise ArchcalcError("what is to be solved for? Name an unknown, as in --for w")
    names = _each(wanted)
    for name in multiples:
        if name not in names:
            raise ArchcalcError(f"{name} is no unknown; multiples are for unknowns")
    # a name that only other symbols follow from may be 0
    declared = {name: Symbol(name) for name in opened.symbols} | open_symbols(opened)
    seen: set[str] = set()
    for key, values in wanted.items():
        made = unknown(key, values, declared, multiples.get(key, 1))
        if not seen.isdisjoint(made.names):
            raise ArchcalcError(f"{key}: each unknown is named once")
        seen |= {*made.names}
        yield made


def _goal(
    maximize: str | None,
    minimize: str | None,
    sought: Sequence[Unknown],
    follow: Mapping[str, Any],
    graph: Graph,
) -> Goal:
    if maximize and minimize:
        raise ArchcalcError("either maximize or minimize; state the other figure as a budget")
    names = [name for u in sought for name in u.names]
    if not maximize and not minimize:
        if len(names) > 1:
            raise ArchcalcError(
                f"of several unknowns, say what to maximize or minimize: {', '.join(names)}, or a figure"
            )
        return Goal(names[0], 1 if minimize is None else -1)
    name = str(maximize or minimize)
    if name not in names and name not in follow:
        name = checked(name, graph)
    return Goal(name, 1 if maximize else -1)


def _assumed(forms: Sequence[Forms]) -> tuple[str, ...]:
    """What some closed forms assume beyond ranges, which have forms of their own below them."""
    return tuple(dict.fromkeys(c.text for f in forms for c in f.conditions))


class _Question:
    """A question, and the steps to its answer."""

    def __init__(
        self, whole: Landscape, limits: Sequence[Budget], goal: Goal, deadline: float | None
    ) -> None:
        self.whole, self.limits, self.goal, self.deadline = whole, tuple(limits), goal, deadline
        self.parts: list[Landscape] = []
        self.boxes = 0

    def answer(self) -> Solution:
        search = Search(self.limits, self.goal, self.deadline)
        try:
            self._run(search)
        except LateError:
            return self._solution(UNPROVED, search, limit=search.limit)
        if search.best is None:
            return self._solution(INFEASIBLE, search, conflict=self._conflict())
        return self._solution(SOLVED, search)

    def _run(self, search: Search) -> Best | None:
        """The search through every part of the landscape; parts are worked out once."""
        if self.parts:
            for part in self.parts:
                search.through(part)
        else:
            parts = []
            for part in regions(self.whole):
                parts.append(part)
                search.through(part)
            self.parts = parts
        self.boxes += search.boxes
        return search.best

    # -- what is around the answer -----------------------------------------------------------
    def _solution(self, status: str, search: Search, **more: Any) -> Solution:
        best, whole = search.best, self.whole
        places = () if best is None else self._places(best)
        if best is not None and whole.by_integers(places) != best.figures:
            raise AssertionError(f"the closed forms and the analysis of {whole.assigned(places)} differ")
        neighbours = () if best is None else tuple(self._neighbours(best, places))
        binding = [b for b in self.limits if any(n.better and b in n.broken for n in neighbours)]
        limit = more.pop("limit", None)
        forms = [p.forms for p in (self.parts or [whole]) if p.forms is not None]
        known = {} if best is None else self._known(places, best.figures)
        return Solution(
            status=status,
            network=whole.graph.name,
            goal=self.goal.text,
            sought=self.goal.name,
            unknowns=tuple(map(str, whole.unknowns)),
            values={} if best is None else whole.values(places),
            symbols={} if best is None else whole.assigned(places),
            objective=known.get(self.goal.name),
            figures={} if best is None else best.figures,
            budgets=self.limits,
            binding=tuple(binding),
            neighbours=neighbours,
            conflict=tuple(more.pop("conflict", ())),
            limit=None if limit is None or not isfinite(limit) else self.goal.sign * int(limit),
            assumptions=_assumed(forms),
            outside=search.outside,
            boxes=self.boxes or search.boxes,
        )

    def _places(self, best: Best) -> Places:
        """Where the best configuration is in the whole landscape."""
        left = list(best.values)
        places = []
        for u in self.whole.unknowns:
            values = tuple(left[: len(u.names)])
            del left[: len(u.names)]
            places.append(u.values.index(values) if u.values else (values[0] - u.start) // u.step)
        return tuple(places)

    def _known(self, places: Places, figures: Mapping[str, int]) -> dict[str, int]:
        return {**figures, **self.whole.values(places), **self.whole.assigned(places)}

    def _neighbours(self, best: Best, places: Places) -> Iterator[Neighbour]:
        """The next configurations along each unknown, by the analysis of integers."""
        for axis, u in enumerate(self.whole.unknowns):
            for step in (1, -1):
                for distance in range(1, MAX_STEPS + 1):
                    place = places[axis] + step * distance
                    if place < 0 or (u.last is not None and place > u.last):
                        break
                    beside = (*places[:axis], place, *places[axis + 1 :])
                    figures = self.whole.by_integers(beside)
                    if figures is not None:
                        yield self._neighbour(u, place, beside, figures, best)
                        break

    def _neighbour(
        self, u: Unknown, place: int, beside: Places, figures: dict[str, int], best: Best
    ) -> Neighbour:
        broken = tuple(b for b in self.limits if not b.met(figures[b.figure]))
        score = self.goal.sign * self._known(beside, figures)[self.goal.name]
        return Neighbour(u.name, u.at(place), figures, broken, better=score > best.score)

    # -- why there is no answer ----------------------------------------------------------------
    def _conflict(self) -> Iterator[Nearest]:
        """Budgets that exclude each other, none of which can be left out, each with its nearest figure."""
        needed = list(self.limits)
        for budget in self.limits:
            others = [b for b in needed if b != budget]
            if self._feasible(others) is False:
                needed = others
        for budget in needed:
            others = [b for b in needed if b != budget]
            goal = Goal(budget.figure, -1 if budget.kind == AT_MOST else 1)
            nearest = self._try(Search(others, goal, self.deadline))
            if nearest is None:
                yield Nearest(budget, None, {})
            else:
                yield Nearest(
                    budget, nearest.figures[budget.figure], self.whole.values(self._places(nearest))
                )

    def _feasible(self, limits: Sequence[Budget]) -> bool | None:
        """Whether some configuration meets these budgets; None if that is not known in time."""
        search = Search(limits, Goal(""), self.deadline)
        try:
            return self._run(search) is not None
        except (LateError, ArchcalcError):
            return None

    def _try(self, search: Search) -> Best | None:
        try:
            return self._run(search)
        except (LateError, ArchcalcError):
            return search.best
