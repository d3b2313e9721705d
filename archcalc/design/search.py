"""The best configuration under budgets, by branch and bound: complete, and exact in integers.

A box of configurations is given up only where the bounds of its closed forms say so: no configuration in it
meets some budget, or none is better than the best one found. Nothing is assumed to be monotone. The boxes
with the best bounds come first, so that one unknown under a rising budget takes the steps of a bisection.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from itertools import product
from math import inf, prod
from typing import NamedTuple

from archcalc.arith.tape import Ends
from archcalc.design.budgets import Budget
from archcalc.design.landscape import Box, Landscape, Outlook, Places
from archcalc.errors import ArchcalcError

FARTHEST = 2**40  # the place up to which an unknown without an end is followed
MAX_OUTSIDE = 2_000  # configurations outside the closed forms' conditions that are analysed one by one


class UnboundedError(ArchcalcError):
    """An unknown has no end, and no budget limits it."""


class LateError(Exception):
    """The time is over."""


class Goal(NamedTuple):
    """What is to be largest (`sign` 1) or smallest (-1): a figure or an unknown; "" for any solution."""

    name: str
    sign: int = 1

    def most(self, ends: Ends) -> int | float:
        """The best score between two ends."""
        end = ends[1] if self.sign > 0 else ends[0]
        return inf if end is None else self.sign * end

    @property
    def text(self) -> str:
        return f"{'largest' if self.sign > 0 else 'smallest'} {self.name}"


class Best(NamedTuple):
    """A configuration that meets every budget; of equal ones that with the least values."""

    score: int
    values: tuple[int, ...]  # of the unknowns in their order
    figures: dict[str, int]


class Search:
    """The search for a goal under budgets, through one landscape or several.

    `deadline` is a time of `time.monotonic`. `best` is what was found so far, `boxes` counts the work.
    `outside` counts configurations that were not examined, because the closed forms do not hold there and
    there are too many for analysing each; None if they have no end. `limit` is a score that nothing exceeds.
    """

    def __init__(self, budgets: Sequence[Budget], goal: Goal, deadline: float | None = None) -> None:
        self.budgets, self.goal, self.deadline = budgets, goal, deadline
        self.best: Best | None = None
        self.boxes = 0
        self.outside: int | None = 0
        self.limit: float = -inf
        self._heap: list[tuple[float, Places, Box, bool]] = []
        self._left: list[Box] = []

    def through(self, landscape: Landscape) -> None:
        """Search all configurations of a landscape. Raises `LateError`, `UnboundedError`."""
        self.landscape = landscape
        self._heap, self._left = [], []
        try:
            self._consider(tuple((0, u.last) for u in landscape.unknowns))
            while self._heap and not self._done:
                self._check_time()
                bound, places, box, holds = heapq.heappop(self._heap)
                if self._beaten(-bound, places):
                    self._leave(box, holds=holds)
                elif all(first == last for first, last in box):
                    self._point(places)
                else:
                    for part in self._parts(box):
                        self._consider(part)
            for places in self._outside():
                self._check_time()
                self._point(places)
        except LateError:
            self.limit = max(self.limit, *(-bound for bound, *_ in self._heap), -inf)
            raise

    @property
    def _done(self) -> bool:
        return self.best is not None and not self.goal.name

    def _check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise LateError

    # -- boxes -------------------------------------------------------------------------------
    def _consider(self, box: Box) -> None:
        """Keep a box unless it is certain that it has no better configuration."""
        self.boxes += 1
        outlook = self.landscape.outlook(box)
        if not outlook.exists:
            return
        single = all(first == last for first, last in box)
        places = tuple(first for first, _ in box)
        bound = self._bound(outlook)
        if not single and (
            outlook.holds is False
            or any(budget.never(*outlook.ends[budget.figure]) for budget in self.budgets)
            or self._beaten(bound, places)
        ):
            self._leave(box, holds=outlook.holds is True)
            return
        heapq.heappush(self._heap, (-bound, places, box, outlook.holds is True))

    def _bound(self, outlook: Outlook) -> float:
        """The best score in a box; where the forms do not hold, that of an unknown is still certain."""
        if not self.goal.name:
            return 0
        return self.goal.most(outlook.ends[self.goal.name])

    def _beaten(self, bound: float, places: Places) -> bool:
        if self.best is None or bound > self.best.score:
            return False
        return bound < self.best.score or self._values(places) >= self.best.values

    def _leave(self, box: Box, *, holds: bool) -> None:
        """Give a box up; its configurations where the closed forms do not hold are looked at later."""
        if not holds and not (self._exact_goal and self._beaten(self._reach(box), tuple(b[0] for b in box))):
            self._left.append(box)

    @property
    def _exact_goal(self) -> bool:
        """Whether the goal is an unknown or follows from some, whatever the closed forms are."""
        return bool(self.goal.name) and self.goal.name not in self.landscape.names

    def _reach(self, box: Box) -> float:
        return self.goal.most(self.landscape.box_ends(box)[self.goal.name])

    def _parts(self, box: Box) -> Iterator[Box]:
        """The box in two, across the unknown with the most values left."""
        sizes = [inf if last is None else last - first for first, last in box]
        axis = sizes.index(max(sizes))
        first, last = box[axis]
        if last is None and first >= FARTHEST:
            raise UnboundedError(_unbounded(self.landscape, axis, self.goal))
        middle = max(2 * first, 15) if last is None else (first + last) // 2
        for part in ((first, middle), (middle + 1, last)):
            yield (*box[:axis], part, *box[axis + 1 :])

    # -- configurations ----------------------------------------------------------------------
    def _values(self, places: Places) -> tuple[int, ...]:
        return tuple(self.landscape.values(places).values())

    def _point(self, places: Places) -> None:
        figures = self.landscape.at(places)
        if figures is None or not all(b.met(figures[b.figure]) for b in self.budgets):
            return
        known = figures | self.landscape.values(places) | self.landscape.assigned(places)
        score = self.goal.sign * known[self.goal.name] if self.goal.name else 0
        found = Best(score, self._values(places), figures)
        if self.best is None or (-found.score, found.values) < (-self.best.score, self.best.values):
            self.best = found

    def _outside(self) -> Iterator[Places]:
        """The configurations of boxes that were given up, as far as no closed form holds there."""
        if self._done:
            return
        sizes = [_size(box) for box in self._left]
        if None in sizes or sum(s or 0 for s in sizes) > MAX_OUTSIDE:
            known = None if None in sizes or self.outside is None else sum(s or 0 for s in sizes)
            self.outside = None if known is None or self.outside is None else self.outside + known
            return
        for box in self._left:
            for places in product(*(range(first, (last or 0) + 1) for first, last in box)):
                if not self.landscape.certain(places):
                    yield places


def _size(box: Box) -> int | None:
    lengths = [None if last is None else last - first + 1 for first, last in box]
    return None if None in lengths else prod(n for n in lengths if n is not None)


def _unbounded(landscape: Landscape, axis: int, goal: Goal) -> str:
    unknown = landscape.unknowns[axis]
    reason = (
        f"no budget limits it while the {goal.text} is sought" if goal.name else "no configuration was found"
    )
    return (
        f"{unknown.name} has no upper bound, and {reason}: state one "
        f"(--for {unknown.name}={unknown.start}:1024), or another budget"
    )
