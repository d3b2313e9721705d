"""Bounds of recurrent layers, from bounds of the change at each step caused by each earlier step.

If r[t][s] bounds the Jacobian of output t with respect to input s, the norm of the layer's Jacobian is at
most that of the matrix r, which is at most the square root of its largest row sum times its largest
column sum. The bounds of a step follow from the equations of the cell and from the ranges of states and
gates at that step, which are propagated from the initial states (zero, or an input of the layer).
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
from archcalc.arith import integer
from archcalc.layers.primitives import Convolve, Matrix, Primitives, Recur, Stacked

if TYPE_CHECKING:
    from archcalc.analyses.gradient_bounds.setting import Setting

# the work grows with the square of the number of steps
MAX_STEPS = 1024
# larger bounds count as infinite, because sums may overflow
LARGEST = 1e300
NOTHING = Interval(0.0, 0.0)

# the bound of a chain of primitives with one input of some range, and the range of its output
BoundOf = Callable[[Primitives, Interval], tuple[Bound, Interval]]


def recurrent(
    primitive: Recur,
    values: Sequence[Interval],
    setting: Setting,
    bound_of: BoundOf,
) -> tuple[tuple[Bound, ...], Interval]:
    """A bound for the sequence and for each initial state, and the range of the output.

    Where a mask may hide steps, each step may also repeat the output and the states before it.
    """
    name = f"gain({setting.layer})"
    if type(primitive.steps) is not int or primitive.steps > MAX_STEPS:
        reason = f"a recurrence of {primitive.steps} steps, which is symbolic or more than {MAX_STEPS}"
        return (infinite(reason),) * len(values), ANY
    cell = CELLS[primitive.kind](primitive, setting, bound_of)
    run = _Run(cell, values, setting.masked)
    if not run.finite:
        functions = " and gates of ".join(
            _title(f) for f in (primitive.activation, primitive.gate_activation) if f is not None
        )
        reason = f"a {primitive.kind.upper()} cell of {functions} has unbounded slopes or states"
        return (infinite(reason),) * len(values), ANY
    if cell.unknown_weights:
        return (named(name, None),) * len(values), run.image()
    states = [named(name, run.from_state(k)) for k in range(len(values) - 1)]
    return (named(name, run.from_inputs()), *states), run.image()


def stacked(
    primitive: Stacked,
    values: Sequence[Interval],
    setting: Setting,
    bound_of: BoundOf,
) -> tuple[tuple[Bound, ...], Interval]:
    """The same for stacked cells, each of which reads the sequence of the cell before."""
    x, *initial = values
    states = iter(initial)
    to_sequence: list[Bound] = [IDENTITY]  # by input so far: of the sequence that the next cell reads
    to_output: list[list[Bound]] = [[]]  # by input: of each output of the layer
    images: list[Interval] = []
    for i, cell in enumerate(primitive.cells):
        last = i + 1 == len(primitive.cells)
        rest = (replace(setting, layer=f"{setting.layer}/{cell.name}"), bound_of)
        inputs = (x, *(next(states) for _ in range(cell.states if initial else 0)))
        sequence, x = recurrent(replace(cell, return_state=False), inputs, *rest)
        # of all cells but the last only the states, its last output among them, are outputs of the layer
        outputs, image = recurrent(cell if last else replace(cell, return_sequences=False), inputs, *rest)
        to_sequence += [IDENTITY] * (len(inputs) - 1)
        to_output += [[] for _ in inputs[1:]]
        for k, before in enumerate(to_sequence):
            which = max(
                k - len(to_sequence) + len(inputs), 0
            )  # earlier inputs reach the cell by its sequence
            if last or cell.return_state:
                to_output[k].append(times(before, outputs[which]))
            to_sequence[k] = times(before, sequence[which])
        if last or cell.return_state:
            images.append(image)
    return tuple(map(root_sum, to_output)), ranges.enclosing(images)


def _title(primitives: Primitives) -> str:
    return ", ".join(getattr(s, "function", type(s).__name__.lower()) for s in primitives) or "linear"


# -- one step -------------------------------------------------------------------------------------------
Array: TypeAlias = Any  # a number, or an array with an element for each of several changes


class Change(NamedTuple):
    """Bounds of the changes of a step's input x, and of the output h and cell state c of the step before."""

    x: Array = 0.0
    h: Array = 0.0
    c: Array = 0.0


class Values(NamedTuple):
    """The ranges of output and cell state."""

    h: Interval = NOTHING
    c: Interval = NOTHING


Step = Callable[[Change], Change]


class Cell(ABC):
    """A cell's equations: bounds of changes, and ranges of states, from those of the step before."""

    def __init__(self, primitive: Recur, setting: Setting, bound_of: BoundOf) -> None:
        self.primitive = primitive
        self.bound_of = bound_of
        self.norms = setting.norms
        of_x, of_h = (primitive.dropout, primitive.recurrent_dropout) if setting.training else (0.0, 0.0)
        self.w, self.of_x = self._product(primitive.kernel, of_x)
        self.u, self.of_h = self._product(primitive.recurrent, of_h)
        bias = 0.0 if primitive.bias is None else self.norms.largest(primitive.bias)
        self.bias = inf if bias is None else bias

    @property
    def reads_bias(self) -> bool:
        """Whether the bound of a step depends on the bias."""
        return False

    @property
    def unknown_weights(self) -> bool:
        """Whether norms of weights are missing; then bounds of steps only tell whether they are finite."""
        return self.w is None or self.u is None or (self.reads_bias and self.bias == inf)

    def _product(self, primitive: Matrix | Convolve, rate: float) -> tuple[float | None, float]:
        """The norm of a linear primitive after dropout, and its largest output for inputs in [-1, 1]."""
        bound, _ = self.bound_of((primitive,), ANY)
        dropout = 1 / (1 - rate) if rate < 1.0 else 0.0
        reach = self.norms.reach(primitive)
        largest = inf if reach is None else ranges.times(dropout, reach[0])
        if bound.is_zero:
            return 0.0, largest
        return (None if not isinstance(bound.log, float) else dropout * _power(bound.log)), largest

    def slope(self, primitives: Primitives, x: Interval) -> tuple[float, Interval]:
        """The largest slope of a function over an interval, and the range of its values."""
        bound, image = self.bound_of(primitives, x)
        if bound.is_zero:
            return 0.0, image
        return (_power(bound.log) if isinstance(bound.log, float) else inf), image

    def sums(self, x: Interval, h: Interval, biases: int = 1) -> Interval:
        """The range of W x + U h + biases."""
        size = ranges.times(self.of_x, x.size) + self.largest_product(h) + biases * self.bias
        return ranges.symmetric(size)

    def largest_product(self, h: Interval) -> float:
        """The largest magnitude of a unit of U h."""
        units = self.primitive.units
        by_norm = inf if self.u is None or type(units) is not int else self.u * sqrt(units)
        return ranges.times(min(self.of_h, by_norm), h.size)

    def preactivation_change(self, change: Change) -> Array:
        """A bound of the change of W x + U h."""
        # an unknown norm may have any finite value here (see `unknown_weights`)
        w, u = (1.0 if norm is None else norm for norm in (self.w, self.u))
        return w * change.x + u * change.h

    @abstractmethod
    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        """A bound of the change after the step as a function of the change before, and the states' ranges."""


class Simple(Cell):
    """h' = phi(W x + U h + b)."""

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        slope, image = self.slope(self.primitive.activation, self.sums(x, before.h))
        return lambda d: Change(h=slope * self.preactivation_change(d), c=d.c), Values(image)


class LSTM(Cell):
    """c' = f c + i phi(z), h' = o phi(c'), where the gates i, f, o are functions of the sums."""

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        primitive = self.primitive
        assert primitive.gate_activation is not None
        sums = self.sums(x, before.h)
        of_gate, gate = self.slope(primitive.gate_activation, sums)
        of_candidate, candidate = self.slope(primitive.activation, sums)
        c = ranges.summed((ranges.product(gate, before.c), ranges.product(gate, candidate)))
        of_c, image = self.slope(primitive.activation, c)
        # forget gate, input gate and candidate depend on different parts of z
        parts = hypot(before.c.size * of_gate, candidate.size * of_gate, gate.size * of_candidate)

        def step_change(d: Change) -> Change:
            z = self.preactivation_change(d)
            cell = gate.size * d.c + parts * z
            return Change(h=gate.size * of_c * cell + image.size * of_gate * z, c=cell)

        return step_change, Values(ranges.product(gate, image), c)


class GRU(Cell):
    """h' = g h + (1 - g) phi(W x + r (U h + b)), or phi(W x + U (r h)), with gates g, r of the sums."""

    @property
    def reads_bias(self) -> bool:
        return self.primitive.reset_after

    def step(self, x: Interval, before: Values) -> tuple[Step, Values]:
        primitive = self.primitive
        assert primitive.gate_activation is not None
        h = before.h
        of_gate, gate = self.slope(
            primitive.gate_activation, self.sums(x, h, 2 if primitive.reset_after else 1)
        )
        rest = Interval(1 - gate.high, 1 - gate.low)
        if primitive.reset_after:
            largest = self.largest_product(h) + self.bias
            sums = self.sums(x, NOTHING).size + ranges.times(gate.size, largest)
            inner = h.size if self.unknown_weights else largest
        else:
            inner = h.size
            sums = self.sums(x, ranges.product(gate, h)).size
        of_candidate, candidate = self.slope(primitive.activation, ranges.symmetric(sums))

        def step_change(d: Change) -> Change:
            z = self.preactivation_change(d)
            gated = gate.size * d.h
            if primitive.reset_after:
                new = self.preactivation_change(d._replace(h=gated)) + inner * of_gate * z
            else:
                new = self.preactivation_change(d._replace(h=gated + inner * of_gate * z))
            mixed = (h.size + candidate.size) * of_gate * z
            return Change(h=gated + mixed + rest.size * of_candidate * new, c=d.c)

        if gate.low >= UNIT.low and gate.high <= UNIT.high:
            return step_change, Values(ranges.enclosing((h, candidate)))
        return step_change, Values(ranges.summed((ranges.product(gate, h), ranges.product(rest, candidate))))


CELLS: dict[str, type[Cell]] = {"simple": Simple, "lstm": LSTM, "gru": GRU}


def _power(log: float) -> float:
    return exp(log) if log < 700 else inf


def _or_kept(step: Step) -> Step:
    """A step that may be masked: the larger change of the step and of repeating output and states."""

    def step_change(d: Change) -> Change:
        new = step(d)
        return Change(h=np.maximum(new.h, d.h), c=np.maximum(new.c, d.c))

    return step_change


def _either(a: Interval, b: Interval) -> Interval:
    return ranges.enclosing((a, b))


# -- all steps ------------------------------------------------------------------------------------------
class _Run:
    """A cell run along a sequence, from the ranges of the sequence and of its initial states."""

    def __init__(self, cell: Cell, values: Sequence[Interval], masked: bool) -> None:
        primitive = cell.primitive
        x, *initial = values
        self.primitive = primitive
        self.values = [Values(*initial)]
        self.steps: list[Step] = []
        for _ in range(integer(primitive.steps)):
            if len(self.values) > 1 and self.values[-1] == self.values[-2]:
                step = self.steps[-1]  # ranges have converged
                after = self.values[-1]
            else:
                step, after = cell.step(x, self.values[-1])
                if masked:
                    step, after = _or_kept(step), Values(*map(_either, self.values[-1], after))
            self.steps.append(step)
            self.values.append(after)
        # whether a change of 1 in all arguments of any step has a finite bound
        self.finite = all(v < inf for step in self.steps for v in step(Change(1.0, 1.0, 1.0)))

    def image(self) -> Interval:
        """The range of all outputs of the layer."""
        outputs = self.values[1:] if self.primitive.return_sequences else self.values[-1:]
        states = [self.values[-1].c] if self.primitive.return_state and self.primitive.kind == "lstm" else []
        return ranges.enclosing([*(v.h for v in outputs), *states])

    def _responses(self, change: Change, *, fed: bool) -> Iterator[Array]:
        """For each step, bounds of the change of its output for each of several changes of initial states.

        `fed`: the k-th change is one of the k-th step's input instead.
        """
        h, c = (np.array(v, float) for v in change[1:])
        for t, step in enumerate(self.steps):
            x = np.zeros_like(h)
            if fed:
                x[t] = 1.0
            _, h, c = step(Change(x, h, c))
            # with return_state the last output is returned a second time as a state, with the cell state
            last = self.primitive.return_state and t + 1 == len(self.steps)
            yield np.hypot(np.hypot(h, h), c) if last else h

    def from_inputs(self) -> float:
        """A bound of the Jacobian of the layer's outputs with respect to the sequence."""
        count = len(self.steps)
        nothing = np.zeros(count)
        columns, largest_row, response = nothing.copy(), 0.0, nothing
        with np.errstate(all="ignore"):
            for response in self._responses(Change(nothing, nothing, nothing), fed=True):
                columns += response
                largest_row = np.maximum(largest_row, response.sum())  # keeps NaN
            if not self.primitive.return_sequences:
                return _within_range(_norm(response))
            return _within_range(np.sqrt(largest_row) * np.sqrt(columns.max()))

    def from_state(self, which: int) -> float:
        """A bound of the Jacobian of the layer's outputs with respect to an initial state."""
        ones, nothing = np.ones(1), np.zeros(1)
        start = Change(nothing, ones, nothing) if which == 0 else Change(nothing, nothing, ones)
        with np.errstate(all="ignore"):
            responses = np.concatenate(list(self._responses(start, fed=False)))
            return _within_range(_norm(responses if self.primitive.return_sequences else responses[-1:]))


def _norm(values: Array) -> Array:
    """The 2-norm, scaled so that squares do not overflow."""
    largest = values.max()
    return largest * np.linalg.norm(values / largest) if largest > 0.0 else largest


def _within_range(bound: Any) -> float:
    return float(bound) if bound < LARGEST else inf
