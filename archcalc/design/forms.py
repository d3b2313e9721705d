"""Exact closed forms of a network's figures in its open symbols, and when they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archcalc.arith.assumptions import Condition
from archcalc.arith.symbolic import Expr, Symbol
from archcalc.arith.tape import Tape
from archcalc.arith.unknown import Unknown
from archcalc.design.figures import Reader
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols
from archcalc.report.options import AnalysisOptions


@dataclass(frozen=True)
class Forms:
    """Closed forms of some figures.

    `symbols` are the open ones with their ranges, `conditions` what the forms assume of them beyond these;
    where a condition does not hold, the network with these integers has to be analysed itself.
    `missing`: the figures without a closed form, with the reason. `changing`: copies of some block differ, so
    that the layers' rules do not run on arrays of values.
    """

    symbols: Mapping[str, Symbol]
    formulas: Mapping[str, int | Expr]
    missing: Mapping[str, str]
    conditions: Sequence[Condition]
    premises: Sequence[Condition] = ()  # those of the conditions that are no requirements of the network
    changing: bool = False

    @classmethod
    def of(cls, graph: Graph, names: Sequence[str], options: AnalysisOptions | None = None) -> Forms:
        """The closed forms of the figures of these names (`archcalc.design.figures`).

        Raises `NetworkError` where no values of the symbols make layers fit together.
        """
        read = Reader(graph, options or AnalysisOptions())
        figures: dict[str, Any] = {name: read(name) for name in names}
        formulas = {name: x for name, x in figures.items() if isinstance(x, int | Expr)}
        missing = {name: x.reason for name, x in figures.items() if isinstance(x, Unknown)}
        premises = [c for name in formulas for c in read.premises(name)]
        conditions = {c.text: c for c in [*read.of.scope.assumptions.conditions(), *premises]}
        found = formulas, missing, tuple(conditions.values()), tuple(premises)
        return cls(open_symbols(graph), *found, bool(read.of.output_shapes.indices))

    @cached_property
    def tape(self) -> Tape:
        """The formulas, and then the conditions, as one program; the latter are named by their texts."""
        return Tape({**self.formulas, **{c.text: c.value for c in self.conditions}})

    def at(self, values: Mapping[str, int]) -> dict[str, int] | None:
        """The figures with these values of all symbols; None where the forms do not hold.

        Raises `ArchcalcError` for a symbol without a value.
        """
        try:
            found = self.tape.run(values)
        except KeyError as symbol:
            raise ArchcalcError(f"{symbol.args[0]} needs a value") from None
        except ZeroDivisionError:  # a divisor of 0 is excluded by a condition
            return None
        for condition in self.conditions:
            if not condition.met(found.pop(condition.text)):
                return None
        return found

    def holds(self, values: Mapping[str, Any]) -> Any:
        """Where the forms hold: an array of truth values, or True, for arrays of the symbols' values."""
        import numpy as np

        found = Tape({c.text: c.value for c in self.conditions}).run(values)
        valid: Any = True
        for condition in self.conditions:
            value = found[condition.text]
            allowed = condition.allowed
            valid &= value >= 0 if allowed is None else np.isin(value, sorted(allowed))
        return valid
