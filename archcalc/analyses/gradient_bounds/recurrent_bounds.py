"""Bounds of recurrent layers: how much a step's change reaches each later step, summed over all.

With r[t][s] a bound of the Jacobian of output t in input s, the norm of the whole is at most that
of the matrix r, itself at most the root of its largest row sum times its largest column sum.
The bounds of a step follow from the cells' equations and from how large states and gates can be at
that step, which is worked out from the first step on: states start at zero, or where they are given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import exp, hypot, inf, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from archcalc.analyses.gradient_bounds import value_ranges as ranges
from archcalc.analyses.gradient_bounds.terms import IDENTITY, Bound, infinite, named, times
from archcalc.analyses.gradient_bounds.terms import hypot as root_sum
from archcalc.analyses.gradient_bounds.value_ranges import ANY, UNIT, Interval
from archcalc.layers.primitives import Convolve, Matrix, Primitives, Recur, Stacked

if TYPE_CHECKING:
    from archcalc.analyses.gradient_bounds.setting import Setting  # which asks this module

# the table of steps is square in their number
MAX_STEPS = 1024
# beyond it rounding is no longer certain to be relative
LARGEST = 1e300
NOTHING = Interval(0.0, 0.0)

# the bound of a chain of primitives of one input over an interval, and the interval of what it makes
Through = Callable[[Primitives, Interval], tuple[Bound, Interval]]


def recurrent(
    primitive: Recur,
    values: Sequence[Interval],
    setting: Setting,
    through: Through,
) -> tuple[tuple[Bound, ...], Interval]:
    """A bound for the sequence and for each initial state, and the interval of the output.

    Where steps may be masked, each may also leave output and states as they were.
    """
    name = f"gain({setting.layer})"
    if type(primitive.steps) is not int or primitive.steps > MAX_STEPS:
        return (infinite(f"{primitive.steps} steps of a recurrence: open, or more than {MAX_STEPS}"),) * len(
            values
        ), ANY
    cell = CELLS[primitive.kind](primitive, setting, through)
    run = _Run(cell, values, setting.masked)
    if not run.finite:
        functions = " and gates of ".join(
            _title(f) for f in (primitive.activation, primitive.gate) if f is not None
        )
        reason = f"a {primitive.kind.upper()} cell of {functions} has slopes or states without bound"
        return (infinite(reason),) * len(values), ANY
    if cell.open:
        return (named(name, None),) * len(values), run.image()
    states = [named(name, run.from_state(k)) for k in range(len(values) - 1)]
    return (named(name, run.from_inputs()), *states), run.image()


def stacked(
    primitive: Stacked,
    values: Sequence[Interval],
    setting: Setting,
    through: Through,
) -> tuple[tuple[Bound, ...], Interval]:
    """The same for recurrences one behind the other, the states of each of which may leave as well."""
    x, *given = values
    states = iter(given)
    along: list[Bound] = [IDENTITY]  # of every input so far, in the sequence that the next cell reads
    left: list[list[Bound]] = [[]]  # of every input, in what leaves
    images: list[Interval] = []
    for i, cell in enumerate(primitive.cells):
        last = i + 1 == len(primitive.cells)
        rest = (replace(setting, layer=f"{setting.layer}/{cell.name}"), through)
        mine = (x, *(next(states) for _ in range(cell.states if given else 0)))
        sequence, x = recurrent(replace(cell, state=False), mine, *rest)
        # all but the last leave by their states alone; their last output is one
        leaves, image = recurrent(cell if last else replace(cell, sequence=False), mine, *rest)
        along += [IDENTITY] * (len(mine) - 1)
        left += [[] for _ in mine[1:]]
        for k, before in enumerate(along):
            which = max(k - len(along) + len(mine), 0)  # earlier inputs come by the sequence
            if last or cell.state:
                left[k].append(times(before, leaves[which]))
            along[k] = times(before, sequence[which])
        if last or cell.state:
            images.append(image)
    return tuple(map(root_sum, left)), ranges.around(images)


def _title(primitives: Primitives) -> str:
    return ", ".join(getattr(s, "function", type(s).__name__.lower()) for s in primitives) or "linear"


# -- one step -------------------------------------------------------------------------------------------
Array: TypeAlias = Any  # numbers, or as many of them as there are changes side by side


class Change(NamedTuple):
    """Bounds of the changes of a step's input, and of output and cell state of the step before."""

    x: Array = 0.0
    h: Array = 0.0
    c: Array = 0.0


class Values(NamedTuple):
    """What output and cell state lie within."""

    h: Interval = NOTHING
    c: Interval = NOTHING


Step = Callable[[Change], Change]


class Cell(ABC):
    """What a step makes of changes, given what its input and the states before it lie within."""

    def __init__(self, primitive: Recur, setting: Setting, through: Through) -> None:
        self.primitive = primitive
        self.through = through
        self.norms = setting.norms
        of_x, of_h = (primitive.dropout, primitive.recurrent_dropout) if setting.training else (0.0, 0.0)
        self.w, self.of_x = self._product(primitive.kernel, of_x)
        self.u, self.of_h = self._product(primitive.recurrent, of_h)
        bias = 0.0 if primitive.bias is None else self.norms.largest(primitive.bias)
        self.bias = inf if bias is None else bias

    @property
    def reads_bias(self) -> bool:
        """Whether the bias has part in how changes pass."""
        return False

    @property
    def open(self) -> bool:
        """Whether the weights have no norms; the numbers of steps mean nothing then, but for being finite."""
        return self.w is None or self.u is None or (self.reads_bias and self.bias == inf)

    def _product(self, primitive: Matrix | Convolve, rate: float) -> tuple[float | None, float]:
        """The norm of a linear primitive, and the most that it makes of values of at most 1."""
        bound, _ = self.through((primitive,), ANY)
        kept = 1 / (1 - rate) if rate < 1.0 else 0.0
        found = self.norms.reach(primitive)
        reach = inf if found is None else ranges.times(kept, found[0])
        if bound.is_zero:
            return 0.0, reach
        return (None if not isinstance(bound.log, float) else kept * _power(bound.log)), reach

    def slope(self, primitives: Primitives, x: Interval) -> tuple[float, Interval]:
        """The steepest slope of a function over an interval, and the interval of its values."""
        bound, image = self.through(primitives, x)
        if bound.is_zero:
            return 0.0, image
        return (_power(bound.log) if isinstance(bound.log, float) else inf), image

    def sums(self, x: Interval, h: Interval, biases: int = 1) -> Interval:
        """The values of W x + U h + biases."""
        size = ranges.times(self.of_x, x.size) + self.largest_product(h) + biases * self.bias
        return ranges.symmetric(size)

    def largest_product(self, h: Interval) -> float:
        """The largest unit of U h."""
        units = self.primitive.units
        by_norm = inf if self.u is None or type(units) is not int else self.u * sqrt(units)
        return ranges.times(min(self.of_h, by_norm), h.size)

    def reaching(self, change: Change) -> Array:
        """The change of W x + U h."""
        # what is open is one as well as another
        w, u = (1.0 if norm is None else norm for norm in (self.w, self.u))
        return w * change.x + u * change.h

    @abstractmethod
    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        """The changes that a step makes of changes, and the values of its states."""


class Simple(Cell):
    """h' = phi(W x + U h + b)."""

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        slope, image = self.slope(self.primitive.activation, self.sums(x, before.h))
        return lambda d: Change(h=slope * self.reaching(d), c=d.c), Values(image)


class LSTM(Cell):
    """c' = f c + i phi(z), h' = o phi(c'), gates i, f, o of the sums."""

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        primitive = self.primitive
        assert primitive.gate is not None
        sums = self.sums(x, before.h)
        of_gate, gate = self.slope(primitive.gate, sums)
        of_candidate, candidate = self.slope(primitive.activation, sums)
        c = ranges.summed((ranges.product(gate, before.c), ranges.product(gate, candidate)))
        of_c, image = self.slope(primitive.activation, c)
        # forget, input and candidate are different parts of one change
        parts = hypot(before.c.size * of_gate, candidate.size * of_gate, gate.size * of_candidate)

        def made(d: Change) -> Change:
            z = self.reaching(d)
            cell = gate.size * d.c + parts * z
            return Change(h=gate.size * of_c * cell + image.size * of_gate * z, c=cell)

        return made, Values(ranges.product(gate, image), c)


class GRU(Cell):
    """h' = g h + (1 - g) phi(W x + r (U h + b)), or phi(W x + U (r h)), gates g, r of the sums."""

    @property
    def reads_bias(self) -> bool:
        return self.primitive.reset_after

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        primitive = self.primitive
        assert primitive.gate is not None
        h = before.h
        of_gate, gate = self.slope(primitive.gate, self.sums(x, h, 2 if primitive.reset_after else 1))
        rest = Interval(1 - gate.high, 1 - gate.low)
        if primitive.reset_after:
            largest = self.largest_product(h) + self.bias
            sums = self.sums(x, NOTHING).size + ranges.times(gate.size, largest)
            inner = h.size if self.open else largest
        else:
            inner = h.size
            sums = self.sums(x, ranges.product(gate, h)).size
        of_candidate, candidate = self.slope(primitive.activation, ranges.symmetric(sums))

        def made(d: Change) -> Change:
            z = self.reaching(d)
            kept = gate.size * d.h
            if primitive.reset_after:
                new = self.reaching(d._replace(h=kept)) + inner * of_gate * z
            else:
                new = self.reaching(d._replace(h=kept + inner * of_gate * z))
            mixed = (h.size + candidate.size) * of_gate * z
            return Change(h=kept + mixed + rest.size * of_candidate * new, c=d.c)

        if gate.low >= UNIT.low and gate.high <= UNIT.high:
            return made, Values(ranges.around((h, candidate)))
        return made, Values(ranges.summed((ranges.product(gate, h), ranges.product(rest, candidate))))


CELLS: dict[str, type[Cell]] = {"simple": Simple, "lstm": LSTM, "gru": GRU}


def _power(log: float) -> float:
    return exp(log) if log < 700 else inf


def _or_kept(step: Step) -> Step:
    """The larger change of a step and of none, which repeats output and states."""

    def made(d: Change) -> Change:
        new = step(d)
        return Change(h=np.maximum(new.h, d.h), c=np.maximum(new.c, d.c))

    return made


def _either(a: Interval, b: Interval) -> Interval:
    return ranges.around((a, b))


# -- all steps ------------------------------------------------------------------------------------------
class _Run:
    """A cell along a sequence whose values, and those of its initial states, lie in these intervals."""

    def __init__(self, cell: Cell, values: Sequence[Interval], masked: bool) -> None:
        primitive = cell.primitive
        x, *given = values
        self.primitive = primitive
        self.values = [Values(*given)]
        self.steps: list[Step] = []
        for _ in range(primitive.steps):
            if len(self.values) > 1 and self.values[-1] == self.values[-2]:
                step = self.steps[-1]  # nothing changes any more
                after = self.values[-1]
            else:
                step, after = cell.step(x, self.values[-1])
                if masked:
                    step, after = _or_kept(step), Values(*map(_either, self.values[-1], after))
            self.steps.append(step)
            self.values.append(after)
        # what one step of a change of 1 everywhere makes
        self.finite = all(v < inf for step in self.steps for v in step(Change(1.0, 1.0, 1.0)))

    def image(self) -> Interval:
        """The values of all that leaves."""
        left = self.values[1:] if self.primitive.sequence else self.values[-1:]
        states = [self.values[-1].c] if self.primitive.state and self.primitive.kind == "lstm" else []
        return ranges.around([*(v.h for v in left), *states])

    def _responses(self, change: Change, *, fed: bool) -> Iterator[Array]:
        """What changes of the states at the start make of every step's output, one beside the other.

        `fed`: the k-th change is one of the k-th step's input instead.
        """
        h, c = (np.array(v, float) for v in change[1:])
        for t, step in enumerate(self.steps):
            x = np.zeros_like(h)
            if fed:
                x[t] = 1.0
            _, h, c = step(Change(x, h, c))
            # the last output leaves a second time as the state, and so does the cell's
            last = self.primitive.state and t + 1 == len(self.steps)
            yield np.hypot(np.hypot(h, h), c) if last else h

    def from_inputs(self) -> float:
        """A bound of the change of all that leaves by one of the sequence."""
        count = len(self.steps)
        nothing = np.zeros(count)
        columns, widest, left = nothing.copy(), 0.0, nothing
        with np.errstate(all="ignore"):
            for left in self._responses(Change(nothing, nothing, nothing), fed=True):
                columns += left
                widest = np.maximum(widest, left.sum())  # NaN stays
            if not self.primitive.sequence:
                return _within_range(_norm(left))
            return _within_range(np.sqrt(widest) * np.sqrt(columns.max()))

    def from_state(self, which: int) -> float:
        """A bound of the change of all that leaves by one of an initial state."""
        ones, nothing = np.ones(1), np.zeros(1)
        start = Change(nothing, ones, nothing) if which == 0 else Change(nothing, nothing, ones)
        with np.errstate(all="ignore"):
            left = np.concatenate(list(self._responses(start, fed=False)))
            return _within_range(_norm(left if self.primitive.sequence else left[-1:]))


def _norm(values: Array) -> Array:
    """The 2-norm, without squares that overflow."""
    largest = values.max()
    return largest * np.linalg.norm(values / largest) if largest > 0.0 else largest


def _within_range(bound: Any) -> float:
    return float(bound) if bound < LARGEST else inf
