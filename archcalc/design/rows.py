"""The rows of a part of a sweep: the figures of every configuration in a box, exact, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import arith
from archcalc.arith.assumptions import Condition as Assumption
from archcalc.arith.conditions import Condition
from archcalc.arith.tape import Tape
from archcalc.arith.unknown import Unknown
from archcalc.design.space import Space
from archcalc.graph import Graph
from archcalc.report.options import AnalysisOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT64 = 2**63 - 1


class Rows(NamedTuple):
    """The configurations of a box that are networks and meet the condition, in their order.

    A column is an array of int64, or of Python's integers beyond that; None if the figure is unknown.
    `invalid` configurations are no network, `unmatched` ones do not meet the condition.
    """

    columns: dict[str, NDArray[Any] | None]
    count: int
    invalid: int
    unmatched: int


@dataclass(frozen=True)
class Work:
    """All that is needed to compute the rows of any box of a space; it can be sent to another process.

    `let`: symbols that follow from the axes'. `formulas` and `assumptions`: closed forms and when they hold.
    `by_rules`: the figures without one, for which the layers' rules run on arrays through the `graph`.
    """

    label: Mapping[str, Any]
    space: Space
    let: Mapping[str, Any]
    figures: Sequence[str]
    formulas: Mapping[str, Any]
    assumptions: Sequence[Assumption]
    by_rules: Sequence[str] = ()
    graph: Graph | None = None
    options: AnalysisOptions = field(default_factory=AnalysisOptions)
    where: Condition | None = None

    # -- compiled once in each process --------------------------------------------------------
    @cached_property
    def _lets(self) -> tuple[Tape, bool]:
        return self._compiled(self.let, self.space.ranges())

    @cached_property
    def _ranges(self) -> dict[str, tuple[int | None, int | None]]:
        return {**self.space.ranges(), **self._lets[0].bounds(self.space.ranges())}

    @cached_property
    def _tests(self) -> tuple[Tape, bool]:
        return self._compiled({a.text: a.value for a in self.assumptions}, self._ranges)

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
        values: dict[str, Any] = dict(self.space.columns(box))
        with np.errstate(all="ignore"):  # where an assumption does not hold, anything may come out
            values |= _run(self._lets, values)
            valid = self._valid(values)
        total = int(np.prod(shape, dtype=object))
        if valid is not None:
            values = {name: np.broadcast_to(column, shape)[valid] for name, column in values.items()}
            shape = (int(np.count_nonzero(valid)),)
        figures, more = self._figures(values)
        columns = {**values, **{name: figures[name] for name in self.figures}}
        met = more
        if self.where is not None:
            needed = {name: _exact(columns[name]) for name in self.where.names}
            holds = np.asarray(self.where.holds(needed), dtype=bool)
            met = holds if met is None else met & holds
        kept = shape if met is None else np.broadcast_to(met, shape)
        unlabelled = {name: _flat(column, shape, met) for name, column in columns.items()}
        count = int(np.prod(shape, dtype=object)) if met is None else int(np.count_nonzero(kept))
        lost = 0 if more is None else int(np.count_nonzero(~np.broadcast_to(more, shape)))
        networks = int(np.prod(shape, dtype=object)) - lost
        labels = {name: _repeated(value, count) for name, value in self.label.items()}
        return Rows({**labels, **unlabelled}, count, total - networks, networks - count)

    def _valid(self, values: Mapping[str, Any]) -> Any:
        """Where all assumptions hold, as an array of the box's full shape; None if everywhere."""
        import numpy as np

        valid: Any = True
        found = _run(self._tests, values)
        for assumption in self.assumptions:
            value, allowed = found[assumption.text], assumption.allowed
            if allowed is None:
                valid = valid & (np.asarray(value) >= 0)
            else:
                valid = valid & np.isin(np.asarray(value), sorted(allowed))
        if np.all(valid):
            return None
        return np.broadcast_to(valid, np.broadcast_shapes(*(np.shape(v) for v in values.values())))

    def _figures(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """The figures, and where the rules found that there is such a network (None: everywhere)."""
        figures = _run(self._forms, values)
        if not self.by_rules or self.graph is None:
            return figures, None
        from archcalc.design.figures import Reader
        from archcalc.graph.substitution import with_values

        used = {name: _exact(column) for name, column in values.items() if name in self.graph.symbols}
        with arith.scope() as made:
            graph = with_values(self.graph, used)
        read = Reader(graph, self.options)
        figures |= {name: read(name) for name in self.by_rules}
        with arith.scope(read.of.scope):
            arith.exclude(made.valid)
        valid = read.of.scope.valid
        return figures, None if valid is True or valid.all() else valid


def _run(compiled: tuple[Tape, bool], values: Mapping[str, Any]) -> dict[str, Any]:
    tape, wide = compiled
    needed = {name: _exact(values[name]) if wide else values[name] for name in tape.symbols}
    return tape.run(needed)


def _exact(column: Any) -> Any:
    """An array that never overflows."""
    from archcalc.arith import arrays

    return column if isinstance(column, int) else arrays.array(column)


def _flat(column: Any, shape: tuple[int, ...], met: Any) -> Any:
    """A column of the kept rows, None if it is unknown."""
    import numpy as np

    if column is None or isinstance(column, Unknown):
        return None
    if isinstance(column, int):
        count = int(np.prod(shape)) if met is None else int(np.count_nonzero(np.broadcast_to(met, shape)))
        return _repeated(column, count)
    full = np.broadcast_to(np.asarray(column), shape)
    return full.reshape(-1) if met is None else full[np.broadcast_to(met, shape)]


def _repeated(value: Any, count: int) -> Any:
    import numpy as np

    kind = np.int64 if isinstance(value, int) and abs(value) <= INT64 else object
    return np.full(count, value, dtype=kind)
