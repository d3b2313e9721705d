"""Bounds of recurrent layers: how much a step's change reaches each later step, summed over all.

With r[t][s] a bound of the Jacobian of output t in input s, the norm of the whole is at most that
of the matrix r, itself at most the root of its largest row sum times its largest column sum.
States of gated cells stay bounded (gates lie in [0, 1]), and so do their slopes: derived here from
the cells' equations, step by step.
"""

from __future__ import annotations

from math import hypot, inf, sqrt

from archcalc.analyses import value_ranges as ranges
from archcalc.analyses.bound_terms import Bound, infinite, named
from archcalc.analyses.value_ranges import ANY, Interval
from archcalc.analyses.weight_norms import Norms
from archcalc.layers.stages import Matrix, Recur

# the table of steps is square in their number
MAX_STEPS = 1024
# sums of such numbers stay within double precision
LARGEST = 1e300


def recurrent(
    stage: Recur, inputs: int, layer: str, norms: Norms, training: bool
) -> tuple[tuple[Bound, ...], Interval]:
    """A bound for the sequence and for each initial state, and the interval of the output."""
    name = f"gain({layer})"
    if type(stage.steps) is not int or stage.steps > MAX_STEPS:
        return (
            infinite(f"{stage.steps} steps of a recurrence: open, or more than {MAX_STEPS}"),
        ) * inputs, ANY
    image = _image(stage)
    gates = ranges.image(stage.gate, {}, ANY)
    if stage.kind != "simple":
        if stage.initial:
            return (infinite("initial states have no bound"),) * inputs, ANY
        if image.size == inf or not (gates.low >= 0.0 and gates.high <= 1.0):
            reason = f"a {stage.kind.upper()} with {stage.activation} and gates of {stage.gate}"
            return (infinite(f"{reason} has states without bound"),) * inputs, ANY
    w = norms.spectral(Matrix(f"{stage.prefix}kernel"))
    u = norms.spectral(Matrix(f"{stage.prefix}recurrent_kernel"))
    if w is None or u is None:
        return (named(name, None),) * inputs, image
    if training:
        w, u = w * _kept(stage.dropout), u * _kept(stage.recurrent_dropout)
    table = _Table(stage, w, u, _bias(stage, norms))
    if table.bias is None:
        return (named(name, None),) * inputs, image
    states = [named(name, table.from_state())] * (inputs - 1)
    return (named(name, table.from_inputs()), *states), image


def _image(stage: Recur) -> Interval:
    """The values of outputs and states."""
    found = ranges.image(stage.activation, {}, ANY)
    if stage.kind == "simple":
        return found
    # products with gates and mixtures with the state before, which starts at zero
    found = found.with_zero()
    return found.scaled(float(stage.steps)) if stage.kind == "lstm" and stage.state else found


def _kept(rate: float) -> float:
    return 1 / (1 - rate) if rate < 1.0 else 0.0


def _bias(stage: Recur, norms: Norms) -> float | None:
    name = f"{stage.prefix}bias"
    return norms.largest(name) if name in stage.weights else 0.0


def _steepest(function: str) -> float:
    low, high = ranges.slope(function, {}, ANY)
    return max(abs(low), abs(high))


class _Table:
    """How a change spreads: at step t, a change of input and of the state before move output and state."""

    def __init__(self, stage: Recur, w: float, u: float, bias: float | None) -> None:
        self.stage = stage
        self.w = w
        self.u = u
        self.bias = bias
        self.slope = _steepest(stage.activation)
        self.gate = _steepest(stage.gate) if stage.kind != "simple" else 0.0
        self.top = ranges.image(stage.activation, {}, ANY).size if stage.kind != "simple" else 0.0

    def step(self, t: int, x: float, h: float, c: float) -> tuple[float, float]:
        """Bounds of the changes of output and cell state at step t (from 1) from those of its inputs."""
        z = self.w * x + self.u * h
        if self.stage.kind == "simple":
            return self.slope * z, 0.0
        if self.stage.kind == "lstm":
            before = (t - 1) * self.top  # |c| grows by one product of gate and candidate a step
            of_gates = hypot(before * self.gate, self.top * self.gate, self.slope)
            cell = c + of_gates * z
            return self.slope * cell + self.top * self.gate * z, cell
        assert self.bias is not None
        if self.stage.reset_after:
            inner = self.u * sqrt(self.stage.units) * self.top + self.bias
            candidate = self.w * x + self.u * h + inner * self.gate * z
        else:
            candidate = self.w * x + self.u * (h + self.top * self.gate * z)
        return h + 2 * self.top * self.gate * z + self.slope * candidate, 0.0

    def response(self, first: int, x: float, h: float) -> list[float]:
        """What a change at step `first` makes of every output from there on."""
        found = []
        cell = 0.0
        for t in range(first, self.stage.steps + 1):
            h, cell = self.step(t, x, h, cell)
            # the last output leaves a second time as the state, and so does the cell's
            left = hypot(h, h, cell) if self.stage.state and t == self.stage.steps else h
            found.append(left)
            x = 0.0
        return found

    def from_inputs(self) -> float:
        columns = [self.response(s, 1.0, 0.0) for s in range(1, self.stage.steps + 1)]
        if not all(v < LARGEST for column in columns for v in column):
            return inf
        if not self.stage.sequence:
            return hypot(*(column[-1] for column in columns))
        # row t has the entries columns[s][t - s]
        rows = (sum(columns[s][t - s] for s in range(t + 1)) for t in range(self.stage.steps))
        return sqrt(max(rows)) * sqrt(max(map(sum, columns)))

    def from_state(self) -> float:
        found = self.response(1, 0.0, 1.0)
        if not all(v < LARGEST for v in found):
            return inf
        return hypot(*found) if self.stage.sequence else found[-1]
