"""The figures of a network over the configurations of its unknowns: at one of them, and bounds over many.

Two roads lead to a figure: the closed form, and the analysis of the network with integers for its symbols.
The second is taken where there is no closed form, and where its conditions do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from archcalc.arith.symbolic import Expr
from archcalc.arith.tape import Ends, Tape
from archcalc.design.figures import Reader
from archcalc.design.forms import Forms
from archcalc.design.unknowns import Unknown
from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.report.options import AnalysisOptions

Places = tuple[int, ...]  # the number of each unknown's value
Box = tuple[tuple[int, int | None], ...]  # from which place to which, of each unknown
OPEN: Ends = (None, None)


class UnknownFigureError(ArchcalcError):
    """A figure that a question is about is unknown in some configuration."""


class Outlook(NamedTuple):
    """What is certain of every configuration in a box.

    `holds`: whether the closed forms hold, None where that differs or is unknown; `exists` is False where no
    configuration is a network. The bounds are those of the configurations where the forms hold.
    """

    ends: Mapping[str, Ends]
    holds: bool | None
    exists: bool = True


class Landscape:
    """Figures by configuration."""

    def __init__(
        self,
        graph: Graph,
        unknowns: Sequence[Unknown],
        follow: Mapping[str, int | Expr],
        names: Sequence[str],
        options: AnalysisOptions,
        opened: Graph | None = None,
    ) -> None:
        self.graph, self.unknowns, self.names, self.options = graph, unknowns, tuple(names), options
        self.opened = graph if opened is None else opened  # the same network with symbols open
        self.rules, self.follow = dict(follow), Tape(follow)
        _check(graph, [name for u in unknowns for name in u.names], follow)
        free = {name for u in unknowns for name in u.names if name not in _only_in(follow, graph)} | set(
            follow
        )
        self.symbols = tuple(sorted(free))
        self.forms: Forms | None = None
        self.reason = ""  # why there are no closed forms
        ends = self.box_ends(tuple((0, u.last) for u in unknowns))
        given = {name: low if low == high else None for name, (low, high) in ends.items() if name in free}
        try:
            self.forms = Forms.of(with_values(self.opened, given), self.names, options)
        except ArchcalcError as problem:
            self.reason = str(problem).splitlines()[0]
        if self.forms is not None:
            others = sorted(self.forms.symbols.keys() - free)
            if others:
                raise ArchcalcError(
                    f"{others[0]} has no value; give it one (--set {others[0]}=...) or solve for it"
                )
        self.by_integers = lru_cache(maxsize=100_000)(self._by_integers)

    # -- one configuration -------------------------------------------------------------------
    def values(self, places: Places) -> dict[str, int]:
        """The unknowns' values."""
        return {name: v for u, p in zip(self.unknowns, places, strict=True) for name, v in u.at(p).items()}

    def assigned(self, places: Places) -> dict[str, int]:
        """The values of the network's symbols."""
        given = self.values(places)
        every = given | self.follow.run(given)
        return {name: every[name] for name in self.symbols}

    def at(self, places: Places) -> dict[str, int] | None:
        """The figures of a configuration, None where it is no network."""
        assigned = self.assigned(places)
        found = None
        if self.forms is not None and self._declared({n: (v, v) for n, v in assigned.items()}):
            found = self.forms.at(assigned)
        if found is None or self.forms is None or self.forms.missing:
            return self.by_integers(places)
        return found

    def certain(self, places: Places) -> bool:
        """Whether the closed forms hold at a configuration, or it is certainly no network."""
        outlook = self.outlook(tuple((p, p) for p in places))
        return outlook.holds is True or not outlook.exists

    def _by_integers(self, places: Places) -> dict[str, int] | None:
        """The same by the analysis of the network with integers, which uses no closed form."""
        try:
            read = Reader(with_values(self.graph, self.assigned(places)), self.options)
            figures: dict[str, Any] = {name: read(name) for name in self.names}
        except ArchcalcError:
            return None
        for name, value in figures.items():
            if not isinstance(value, int):
                raise UnknownFigureError(f"{name} is unknown: {getattr(value, 'reason', value)}")
        return figures

    # -- many configurations -----------------------------------------------------------------
    def box_ends(self, box: Box) -> dict[str, Ends]:
        """Bounds of the unknowns and of the symbols that follow from them."""
        given: dict[str, Ends] = {}
        for u, (first, last) in zip(self.unknowns, box, strict=True):
            given |= u.ends(first, last)
        return given | self.follow.bounds(given)

    def outlook(self, box: Box) -> Outlook:
        ends = self.box_ends(box)
        if self.forms is None:
            return Outlook(ends | dict.fromkeys(self.names, OPEN), None)
        declared = self._declared(ends)
        if declared is False:
            return Outlook(ends, False, exists=False)
        bounds = self.forms.tape.bounds({name: ends[name] for name in self.symbols})
        holds: bool | None = declared
        for condition in self.forms.conditions:
            answer = condition.between(*bounds[condition.text])
            holds = False if answer is False else holds if answer is True or holds is False else None
        missing = dict.fromkeys(self.forms.missing, OPEN)
        return Outlook(ends | {n: bounds[n] for n in self.forms.formulas} | missing, holds)

    def _declared(self, ends: Mapping[str, Ends]) -> bool | None:
        """Whether all symbols are in the ranges that the network declares: yes, no, or some are."""
        assert self.forms is not None
        answer: bool | None = True
        for name, symbol in self.forms.symbols.items():
            low, high = ends[name]
            least, most = symbol.minimum, symbol.maximum
            if (high is not None and high < least) or (most is not None and low is not None and low > most):
                return False
            if low is None or low < least or (most is not None and (high is None or high > most)):
                answer = None
        return answer


def _check(graph: Graph, names: Sequence[str], follow: Mapping[str, int | Expr]) -> None:
    known = {*open_symbols(graph), *graph.symbols}
    used = {name for x in follow.values() if isinstance(x, Expr) for name in x.symbols}
    for name in [*follow, *names]:
        if name not in known and (name in follow or name not in used):
            shown = f"its symbols are {', '.join(sorted(known))}" if known else "it has none"
            raise ArchcalcError(
                f"{graph.source or graph.name}: no symbol is named {name!r}"
                f"{did_you_mean(name, known) or f'; {shown}'}"
            )


def _only_in(follow: Mapping[str, int | Expr], graph: Graph) -> set[str]:
    """Unknowns that the network does not name: it has symbols that follow from them."""
    used = {name for x in follow.values() if isinstance(x, Expr) for name in x.symbols}
    return used - {*open_symbols(graph), *graph.symbols}
