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

    `label`: what is the same in all rows. `let`: symbols that follow from others. `columns`: those of the
    rows, in their order. `formulas` and `assumptions`: closed forms and when they hold.
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
            valid = self._valid(values, shape)
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
        values |= figures
        kept = self._kept(values, networks, shape)
        columns = {name: _flat(values[name], shape, kept) for name in self.columns}
        count = prod(shape) if kept is None else int(np.count_nonzero(kept))
        valid_count = prod(shape) if networks is None else int(np.count_nonzero(networks))
        return Rows(columns, count, total - valid_count, valid_count - count)

    def _kept(self, values: Mapping[str, Any], networks: Any, shape: tuple[int, ...]) -> Any:
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

    def _valid(self, values: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
        """Where all assumptions hold; None if everywhere."""
        import numpy as np

        valid: Any = True
        found = _run(self._tests, values)
        for assumption in self.assumptions:
            value, allowed = found[assumption.text], assumption.allowed
            if allowed is None:
                valid = valid & (np.asarray(value) >= 0)
            else:
                valid = valid & np.isin(np.asarray(value), sorted(allowed))
        return None if np.all(valid) else np.broadcast_to(valid, shape)

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


def _flat(column: Any, shape: tuple[int, ...], kept: Any) -> Any:
    """A column of the kept rows, None if it is unknown."""
    import numpy as np

    if column is None or isinstance(column, Unknown):
        return None
    if isinstance(column, int | str):
        fits = isinstance(column, int) and abs(column) <= INT64
        column = np.array(column, dtype=np.int64 if fits else object)
    full = np.broadcast_to(np.asarray(column), shape)
    return full.reshape(-1) if kept is None else full[kept]
