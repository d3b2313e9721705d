"""`solve` against looking at every configuration, and on the questions that it is made for."""

from __future__ import annotations

from typing import Any

import pytest

import archcalc
from archcalc.cli import shipped
from tests.design.problems import problem


def example(name: str) -> Any:
    return archcalc.load(shipped.available()[name])


def check(seed: int) -> str:
    asked = problem(seed)
    found, wanted = asked.solve(), asked.best()
    assert found.outside == 0
    if wanted is None:
        assert found.status == "infeasible"
        check_conflict(asked, found)
    else:
        assert found.status == "solved"
        assert (found.objective, tuple(found.values[n] for n in asked.unknowns)) == wanted
        row = asked.table[tuple(found.values[n] for n in asked.unknowns)]
        assert found.figures == {name: row[name] for name in found.figures}
    return str(found.status)


def check_conflict(asked: Any, found: Any) -> None:
    """The budgets named exclude each other, no fewer do, and each is as near as it can come."""
    named = [n.budget for n in found.conflict]
    rows = asked.table.values()
    assert named
    assert not any(all(b.met(row[b.figure]) for b in named) for row in rows)
    for nearest in found.conflict:
        others = [b for b in named if b != nearest.budget]
        values = [row[nearest.budget.figure] for row in rows if all(b.met(row[b.figure]) for b in others)]
        assert values
        assert nearest.value == (min if nearest.budget.kind == "at_most" else max)(values)


@pytest.mark.parametrize("seed", range(12))
def test_answers_are_those_of_every_configuration(seed: int) -> None:
    check(seed)


@pytest.mark.slow
def test_three_hundred_problems() -> None:
    found = [check(seed) for seed in range(12, 312)]
    assert found.count("solved") > 150
    assert found.count("infeasible") > 30
