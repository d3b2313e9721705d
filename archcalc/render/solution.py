"""The answer of `solve` on a terminal and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archcalc.design.figures import UNITS
from archcalc.design.solution import INFEASIBLE, UNPROVED, Neighbour, Solution
from archcalc.graph.quantities import BYTES
from archcalc.render.markdown import escaped
from archcalc.render.screen import lines_left_to_right
from archcalc.render.text import ASCII, UNICODE, Glyphs, amount, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from archcalc.design.budgets import Budget

PARAGRAPH = 110
SHOWN = 12  # neighbours


class SolutionView:
    """An answer for rich, as wide as its console."""

    def __init__(self, solution: Solution) -> None:
        self.solution = solution

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(solution_text(self.solution, width=options.max_width).rstrip("\n"))


def solution_text(solution: Solution, *, width: int, ascii: bool = False) -> str:
    """The answer, its budgets, the configurations one step away, and what was proved."""
    glyphs = ASCII if ascii else UNICODE
    lines = [*_wrapped(headline(solution, glyphs), width, 1, 1), ""]
    labelled = list(facts(solution, glyphs))
    indent = 3 + max(len(label) for label, _ in labelled)
    for label, text in labelled:
        lines += _wrapped(f"{label.ljust(indent - 1)}{text}", width, 1, indent)
    whole = "\n".join(line.rstrip() for line in lines) + "\n"
    return whole.encode("ascii", "backslashreplace").decode() if ascii else lines_left_to_right(whole)


def _wrapped(text: str, width: int, first: int, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        min(width, PARAGRAPH),
        initial_indent=" " * first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def markdown(solution: Solution) -> str:
    """The same as a list."""
    lines = [f"**{escaped(headline(solution, UNICODE))}**", ""]
    lines += [f"- {escaped(label)}: {escaped(text)}" for label, text in facts(solution, UNICODE)]
    return "\n".join(lines) + "\n"


def headline(solution: Solution, glyphs: Glyphs) -> str:
    """The answer in one sentence."""
    name = printable(solution.network, glyphs)
    if solution.status == INFEASIBLE:
        return f"{name}: no configuration meets the budgets"
    if not solution.values:
        return f"{name}: no configuration was found in time, and none was excluded"
    answer = _values(solution.values)
    if len(solution.values) == 1 and solution.sought in solution.values:
        answer = f"the {solution.goal} is {solution.objective:,}"
    elif solution.sought in solution.values:
        answer = f"the {solution.goal} is that of {_values(solution.values)}"
    else:
        answer = f"the {solution.goal} is {solution.objective:,}, with {_values(solution.values)}"
    late = "not proved in time; the best so far: " if solution.status == UNPROVED else ""
    return f"{name}: {late}{answer}"


def _values(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value:,}" for name, value in values.items())


def facts(solution: Solution, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    """Labelled lines."""
    if solution.symbols != solution.values and solution.symbols:
        yield "symbols", _values(solution.symbols)
    for name, value in solution.figures.items():
        told = "".join(_budget(b, value, solution) for b in solution.budgets if b.figure == name)
        yield name, _shown(name, value, glyphs) + told
    yield from _steps(solution, glyphs)
    yield from _conflict(solution)
    if solution.status == UNPROVED and solution.limit is not None:
        words = "more" if solution.goal.startswith("largest") else "less"
        yield "Known", f"no configuration has {words} than {solution.limit:,}"
    yield "Searched", "; ".join(solution.unknowns) + f" ({solution.boxes:,} sets bounded by closed forms)"
    if solution.outside != 0:
        many = "" if solution.outside is None else f"{solution.outside:,} "
        held = " and ".join(solution.assumptions)
        yield "Not searched", f"{many}configurations without {held}"


def _shown(name: str, value: int, glyphs: Glyphs) -> str:
    """An exact figure; bytes also in their most readable unit."""
    unit = UNITS.get(name.partition("@")[0], "")
    readable = f" = {amount(value, glyphs)}" if unit == BYTES and value >= 1024 else ""
    return f"{value:,}{' B' if unit == BYTES else ''}{readable}"


def _budget(budget: Budget, value: int, solution: Solution) -> str:
    left = abs(budget.limit - value)
    binding = ", binding" if budget in solution.binding else ""
    return f"; {budget.kind.replace('_', ' ')} {budget.limit:,}, {left:,} to spare{binding}"


def _steps(solution: Solution, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    if not solution.neighbours:
        return
    better = [n for n in solution.neighbours if n.better]
    if not better:
        yield "One step on", "no configuration with one unknown a step further is better"
    for number, neighbour in enumerate(better[:SHOWN]):
        yield "" if number else "One step on", _step(neighbour, glyphs)


def _step(neighbour: Neighbour, glyphs: Glyphs) -> str:
    where = _values(neighbour.values)
    parts = []
    for budget in neighbour.broken:
        value = neighbour.figures[budget.figure]
        side = "over" if budget.kind == "at_most" else "short of"
        beyond = f"{abs(value - budget.limit):,} {side} the budget"
        parts.append(f"{budget.figure} {_shown(budget.figure, value, glyphs)}, {beyond}")
    return f"{where}: {'; '.join(parts)}"


def _conflict(solution: Solution) -> Iterator[tuple[str, str]]:
    if solution.status != INFEASIBLE:
        return
    found = solution.conflict
    if not found:
        yield "Conflict", "no configuration of these unknowns is a network whose layers fit together"
    if len(found) > 1:
        yield "Conflict", f"{' and '.join(n.budget.text for n in found)} exclude each other"
    for nearest in found:
        least = "least" if nearest.budget.kind == "at_most" else "most"
        where = f" with {_values(nearest.values)}" if nearest.values else ""
        others = " under the others" if len(found) > 2 else " under the other" if len(found) > 1 else ""
        value = "unknown in this time" if nearest.value is None else f"{nearest.value:,}{where}"
        yield "" if len(found) > 1 else "Conflict", f"{nearest.budget.text}: the {least}{others} is {value}"
