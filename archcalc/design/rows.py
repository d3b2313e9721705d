"""The rows of a part of a sweep: the figures of every configuration in a box, exact, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import arith
from archcalc.arith.assumptions import Condition as Assumption
from archcalc.arith.conditions import Condition
from archcalc.arith.tape import Tape
from archcalc.arith.unknown import Unknown
from archcalc.design.space import Space
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.report.elements import ONE_BY_ONE, Elements
from archcalc.report.options import AnalysisOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT64 = 2**63 - 1
MAX_APART = 10_000  # configurations of a box that are analysed one by one


class Rows(NamedTuple):
    """The configurations of a box that are networks and meet the condition, in their order.

    A column is an array of int64, or of Python's integers beyond that; None if the figure is unknown.
    `selected` is their number; `invalid` configurations are no network, `unmatched` ones do not meet the
    condition.
    """

    columns: dict[str, NDArray[Any] | None]
    selected: int
    invalid: int
    unmatched: int


@dataclass(frozen=True)
class Work:
    """All that is needed to compute the rows of any box of a space; it can be sent to another process.

    `label`: what is the same in all rows. `let`: symbols that follow from others. `columns`: those of the
    rows, in their order. `formulas` and `assumptions`: closed forms and when they hold.
    `premises`: outside them the forms are wrong, and each configuration is analysed by itself.
    `by_rules`: the figures without one, for which the layers' rules run on arrays through the `graph`.
    """

    label: Mapping[str, Any]
    space: Space
    let: Mapping[str, Any]
    columns: Sequence[str]
    formulas: Mapping[str, Any]
    assumptions: Sequence[Assumption]
    by_rules: Sequence[str] = ()
    graph: Graph | None = None
    options: AnalysisOptions = field(default_factory=AnalysisOptions)
    where: Condition | None = None
    premises: Sequence[Assumption] = ()

    # -- compiled once in each process --------------------------------------------------------
    @cached_property
    def _lets(self) -> tuple[Tape, bool]:
        return self._compiled(self.let, self._given)

    @cached_property
    def _given(self) -> dict[str, tuple[int, int]]:
        fixed = {name: (value, value) for name, value in self.label.items() if isinstance(value, int)}
        return {**fixed, **self.space.ranges()}

    @cached_property
    def _ranges(self) -> dict[str, tuple[int | None, int | None]]:
        return {**self._given, **self._lets[0].bounds(self._given)}

    @cached_property
    def _tests(self) -> tuple[Tape, bool]:
        return self._compiled({a.text: a.value for a in self.assumptions}, self._ranges)

    @cached_property
    def _premises(self) -> tuple[Tape, bool]:
        return self._compiled({p.text: p.value for p in self.premises}, self._ranges)

    @cached_property
    def _forms(self) -> tuple[Tape, bool]:
        return self._compiled(self.formulas, self._ranges)

    def _compiled(self, formulas: Mapping[str, Any], ranges: Any) -> tuple[Tape, bool]:
        """The program, and whether a step may leave int64 somewhere in the space."""
        tape = Tape(formulas)
        reach = tape.reach({name: ranges[name] for name in tape.symbols})
        return tape, reach is None or reach > INT64

    # -- rows --------------------------------------------------------------------------------
    def rows(self, number: int) -> Rows:
        """The rows of a box."""
        import numpy as np

        box = self.space.box(number)
        shape = box.shape
        values: dict[str, Any] = {**self.label, **self.space.columns(box)}
        with np.errstate(all="ignore"):  # where an assumption does not hold, anything may come out
            values |= _run(self._lets, values)
            valid = self._met(self._tests, self.assumptions, values, shape)
        total = prod(shape)
        if valid is not None:
            values = {
                name: column if isinstance(column, int | str) else np.broadcast_to(column, shape)[valid]
                for name, column in values.items()
            }
            shape = (int(np.count_nonzero(valid)),)
        if not prod(shape):
            return Rows({name: np.array([], dtype=np.int64) for name in self.columns}, 0, total, 0)
        figures, networks = self._figures(values, shape)
        apart = self._met(self._premises, self.premises, values, shape)
        if apart is not None:
            networks = self._by_themselves(~apart, values, figures, networks, shape)
        values |= figures
        selected = self._selected(values, networks, shape)
        columns = {name: _flat(values[name], shape, selected) for name in self.columns}
        count = prod(shape) if selected is None else int(np.count_nonzero(selected))
        valid_count = prod(shape) if networks is None else int(np.count_nonzero(networks))
        return Rows(columns, count, total - valid_count, valid_count - count)

    def _selected(self, values: Mapping[str, Any], networks: Any, shape: tuple[int, ...]) -> Any:
        """Which configurations are networks and meet the condition; None if all do."""
        import numpy as np

        if self.where is None:
            return networks
        unknown = next((name for name in self.where.names if isinstance(values[name], Unknown)), None)
        if unknown is not None:
            raise ArchcalcError(f"where: {unknown} is unknown: {values[unknown].reason}")
        holds = self.where.holds({name: _exact(values[name]) for name in self.where.names})
        holds = np.broadcast_to(np.asarray(holds, dtype=bool), shape)
        return holds if networks is None else networks & holds

    def _met(
        self,
        compiled: tuple[Tape, bool],
        assumptions: Sequence[Assumption],
        values: Mapping[str, Any],
        shape: tuple[int, ...],
    ) -> Any:
        """Where all assumptions hold; None if everywhere."""
        import numpy as np

        met: Any = True
        found = _run(compiled, values)
        for assumption in assumptions:
            value, allowed = np.asarray(found[assumption.text]), assumption.allowed
            met = met & (value >= 0 if allowed is None else np.isin(value, sorted(allowed)))
        return None if np.all(met) else np.broadcast_to(met, shape)

    def _by_themselves(
        self,
        places: Any,
        values: Mapping[str, Any],
        figures: dict[str, Any],
        networks: Any,
        shape: tuple[int, ...],
    ) -> Any:
        """Put the figures of single configurations in their places; returns where there are networks."""
        import numpy as np

        from archcalc.design.figures import Reader
        from archcalc.graph.substitution import with_values

        assert self.graph is not None
        chosen = np.argwhere(places)
        premises = " and ".join(p.text for p in self.premises)
        _require_few(len(chosen), f"the closed forms hold only where {premises}")
        patched = {
            name: np.array(np.broadcast_to(np.asarray(figures[name]), shape), dtype=object)
            for name in figures
            if not isinstance(figures[name], Unknown)
        }
        networks = np.array(True if networks is None else networks) & np.ones(shape, dtype=bool)
        for at in map(tuple, chosen):
            point = {
                name: int(np.broadcast_to(np.asarray(column), shape)[at])
                for name, column in values.items()
                if name in self.graph.symbols
            }
            try:
                read = Reader(with_values(self.graph, point), self.options)
                for name, column in patched.items():
                    column[at] = read(name)
            except ArchcalcError:
                networks[at] = False
        figures |= {name: narrowed(column) for name, column in patched.items()}
        return networks

    def _figures(self, values: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[dict[str, Any], Any]:
        """The figures, and where the rules found that there is such a network (None: everywhere)."""
        figures = _run(self._forms, values)
        if not self.by_rules or self.graph is None:
            return figures, None
        import numpy as np

        from archcalc.design.figures import Reader
        from archcalc.graph.substitution import with_values

        used = {name: _exact(column) for name, column in values.items() if name in self.graph.symbols}
        with arith.scope() as made:
            graph = with_values(self.graph, used)
        read = Reader(graph, self.options)
        alone = [name for name in self.by_rules if name in ONE_BY_ONE]
        if alone:
            _require_few(prod(shape), f"there is no closed form of {', '.join(alone)}")
            read.of.elements = Elements(self.graph, used)
        figures |= {name: read(name) for name in self.by_rules}
        with arith.scope(read.of.scope):
            arith.exclude(made.valid)
        valid = read.of.scope.valid
        return figures, None if np.all(valid) else np.broadcast_to(np.asarray(valid, dtype=bool), shape)


def _run(compiled: tuple[Tape, bool], values: Mapping[str, Any]) -> dict[str, Any]:
    tape, wide = compiled
    needed = {name: _exact(values[name]) if wide else values[name] for name in tape.symbols}
    return tape.run(needed)


def _exact(column: Any) -> Any:
    """An array that never overflows."""
    from archcalc.arith import arrays

    return column if isinstance(column, int | arrays.ExactArray) else arrays.array(column)


def _flat(column: Any, shape: tuple[int, ...], selected: Any) -> Any:
    """A column of the selected rows, None if it is unknown."""
    import numpy as np

    if column is None or isinstance(column, Unknown):
        return None
    if isinstance(column, int | str):
        fits = isinstance(column, int) and abs(column) <= INT64
        column = np.array(column, dtype=np.int64 if fits else object)
    full = np.broadcast_to(np.asarray(column), shape)
    return full.reshape(-1) if selected is None else full[selected]


def _require_few(number: int, why: str) -> None:
    if number > MAX_APART:
        raise ArchcalcError(
            f"{why}; {number:,} configurations are left to be analysed one by one, more than {MAX_APART:,}: "
            "sweep fewer of them, or leave out the figures of memory"
        )


def narrowed(column: Any) -> Any:
    """An array of Python's integers as int64, if all of them are within its range."""
    import numpy as np

    return column.astype(np.int64) if all(abs(v) <= INT64 for v in column.reshape(-1)) else column
