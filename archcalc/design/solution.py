"""The answer to a design question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archcalc.design.budgets import Budget
from archcalc.report.values import stamp

SOLVED, INFEASIBLE, UNPROVED = "solved", "infeasible", "unproved"


@dataclass(frozen=True)
class Neighbour:
    """The next configuration with one unknown changed: its figures, and the budgets it breaks.

    `better`: whether the goal would be better there.
    """

    unknown: str
    values: Mapping[str, int]
    figures: Mapping[str, int]
    broken: tuple[Budget, ...]
    better: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "unknown": self.unknown,
            "values": dict(self.values),
            "figures": dict(self.figures),
            "broken": [b.to_dict() for b in self.broken],
            "better": self.better,
        }


@dataclass(frozen=True)
class Nearest:
    """A budget that the others exclude: the nearest that its figure comes to it, and where."""

    budget: Budget
    value: int | None
    values: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {**self.budget.to_dict(), "nearest": self.value, "values": dict(self.values)}


@dataclass(frozen=True)
class Solution:
    """What `archcalc.solve` found. Nothing here prints; a notebook and rich show it as a table.

    Attributes
    ----------
    status
        `"solved"`; `"infeasible"`, no configuration meets all budgets; `"unproved"`, the time was over.
    goal, unknowns
        The question in words; `sought` is the figure or unknown that is largest or smallest.
    values
        The unknowns' values, empty where no configuration was found.
    symbols
        The values of the network's symbols that follow.
    objective
        The goal's figure.
    figures
        The figures of this configuration by name.
    budgets
        The budgets that were asked for.
    binding
        Those that exclude the better configurations one step away.
    neighbours
        The configurations one step away.
    conflict
        Where nothing meets all budgets: some that exclude each other, none of them without need, and how near
        the figure of each comes to it under the others.
    limit
        Where the time was over: a value of the goal that nothing exceeds, if one is known.
    assumptions
        Where the closed forms hold; `outside` counts the other configurations that were not examined (None:
        they have no end).
    boxes
        How many sets of configurations were bounded, a measure of the work.
    """

    status: str
    network: str
    goal: str
    sought: str
    unknowns: tuple[str, ...]
    values: Mapping[str, int]
    symbols: Mapping[str, int]
    objective: int | None
    figures: Mapping[str, int]
    budgets: tuple[Budget, ...]
    binding: tuple[Budget, ...]
    neighbours: tuple[Neighbour, ...]
    conflict: tuple[Nearest, ...]
    limit: int | None
    assumptions: tuple[str, ...]
    outside: int | None
    boxes: int

    @property
    def proved(self) -> bool:
        return self.status != UNPROVED

    def __getitem__(self, unknown: str) -> int:
        """An unknown's value: `solution["w"]`."""
        return self.values[unknown]

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data, ready for `json.dumps`; the keys stay as they are."""
        return {
            **stamp(),
            "status": self.status,
            "network": self.network,
            "goal": self.goal,
            "sought": self.sought,
            "unknowns": list(self.unknowns),
            "values": dict(self.values),
            "symbols": dict(self.symbols),
            "objective": self.objective,
            "figures": dict(self.figures),
            "budgets": [b.to_dict() for b in self.budgets],
            "binding": [b.to_dict() for b in self.binding],
            "neighbours": [n.to_dict() for n in self.neighbours],
            "conflict": [n.to_dict() for n in self.conflict],
            "limit": self.limit,
            "assumptions": list(self.assumptions),
            "outside": self.outside,
            "boxes": self.boxes,
        }

    def to_text(self, width: int = 120, *, ascii: bool = False) -> str:
        """The answer for a terminal of that width."""
        from archcalc.render.solution import solution_text

        return solution_text(self, width=width, ascii=ascii)

    def __str__(self) -> str:
        from archcalc.render.screen import only_ascii, screen_width

        return self.to_text(screen_width(), ascii=only_ascii()).rstrip("\n")

    def __rich__(self) -> Any:
        from archcalc.render.solution import SolutionView

        return SolutionView(self)

    def _repr_html_(self) -> str:
        from archcalc.render.notebook_tables import solution_html

        return solution_html(self)
