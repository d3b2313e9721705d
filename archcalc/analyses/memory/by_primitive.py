"""What each primitive holds: the rules from which those of layer types follow.

The rules follow TensorFlow's traced graph of a training step in Keras 3.15: tests compare what is kept with
such a graph. What is held while a primitive runs follows its operations there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archcalc.analyses.memory.held import REUSED, VIEW, Held
from archcalc.arith import Shape, Size, ceil_div, certainly, equal, largest, prod, smallest
from archcalc.layers import primitives as prim
from archcalc.layers.functions import described


class Use(NamedTuple):
    """A primitive between tensors of two shapes."""

    primitive: Any
    x: Shape
    y: Shape

    @property
    def before(self) -> Size:
        return prod(self.x)

    @property
    def after(self) -> Size:
        return prod(self.y)


NOTHING = Held(value=REUSED, gradient=REUSED)
ALIAS = Held(value=VIEW, gradient=VIEW)
MOVED = Held()  # a new tensor, a new gradient
STOPPED = Held(stops=True)


def held_by(primitive: prim.Primitive, x: Shape, y: Shape) -> Held:
    """What the primitive holds between tensors of these shapes."""
    rule = RULES.get(type(primitive), estimate)
    return rule if isinstance(rule, Held) else rule(Use(primitive, x, y))


def estimate(use: Use) -> Held:
    """A function of several operations, of which nothing more is known: its input, output and two steps."""
    units = use.after
    return Held((0,), output=True, hidden=2 * units, inference=units, forward=units, backward=2 * units)


# -- with weights -----------------------------------------------------------------------------------
def _convolve(use: Use) -> Held:
    """The input; dilated and causal kernels run on a padded copy, dilated sides rounded up to the rate."""
    p = use.primitive
    dilated = not all(certainly(equal(w.dilation, 1)) for w in p.windows)
    causal = len(p.windows) == 1 and not p.transposed and _is_causal(p.windows[0])
    if not dilated and not causal:
        return Held(for_weights=(0,))
    sides: list[Size] = []
    for w in p.windows:
        reach = w.dilation * (w.kernel - 1)
        padded = w.size if certainly(equal(w.positions, w.size - reach)) else w.size + reach
        plain = certainly(equal(w.dilation, 1)) and not causal
        sides.append(w.size if plain else ceil_div(padded, w.dilation) * w.dilation)
    copy = use.x[p.channel_axis] * prod(sides)
    # a dilated kernel runs on space moved into the batch: a copy of its output too, and of both gradients
    moved = use.after if dilated else 0
    # the padded copy is freed before the output is made of its own copy
    inference = largest(copy + moved - use.after, moved) if dilated else copy
    return Held(copied=copy, inference=inference, forward=moved, backward=copy + moved)


def _is_causal(window: prim.SlidingWindow) -> bool:
    reach = window.dilation * (window.kernel - 1)
    return certainly(equal(window.pad_before, reach)) and not certainly(equal(reach, 0))


def _locally_connected(use: Use) -> Held:
    """A copy of every window is kept; parts of it pass, and a gradient of each part as large as the input."""
    p, before, after = use.primitive, use.before, use.after
    taps = prod(w.kernel for w in p.windows)
    windows = use.x[p.channel_axis] * taps * prod(w.positions for w in p.windows)
    return Held(
        copied=windows,
        inference=largest(2 * windows - after, after),
        forward=largest(windows - after, after),
        backward=after,
        into=taps * before,
        rearranged=0 if p.implementation == 1 else windows * p.filters,
    )


AHEAD = 32  # steps: `parallel_iterations` of the loop in which Keras runs a recurrence


def _recur(use: Use) -> Held:
    """For each step its input, gates and states. Steps are the first axis of copies of input and output.

    Inputs of gates do not read the state: in inference they are computed for steps ahead.
    """
    p = use.primitive
    units, sequence = p.steps * p.units, use.before
    kept = {"simple": 1, "lstm": 7, "gru": 6}[p.kind]
    gates = {"simple": 1, "lstm": 4, "gru": 3}[p.kind] * p.units
    dropped = sequence * int(p.dropout > 0) + units * int(p.recurrent_dropout > 0)
    out = units if p.return_sequences else 0
    ahead = smallest(p.steps, AHEAD) * gates
    return Held(
        hidden=sequence + kept * units + dropped,
        inference=largest(largest(sequence, out) + out + 2 * gates, sequence + ahead - out),
        forward=out + 2 * gates,
        backward=out + 2 * gates,
        into=sequence,
    )


# -- of each unit -------------------------------------------------------------------------------------
# functions that Keras or their gradient computes in several operations, though they keep few values
IN_PARTS = {"silu", "swish", "mish", "gelu"}
IN_FLOAT32 = {"erfinv"}  # whatever the precision; its output there is kept, and counted beside that in half


def _pointwise(use: Use) -> Held:
    """What the function's derivative reads; several operations need room beside it."""
    p, units = use.primitive, use.after
    if p.function == "prelu":
        return Held(hidden=2 * units, inference=units, backward=2 * units)
    function = described(p.function, dict(p.parameters))
    saved = function.saved
    if saved is None:
        return STOPPED if function.slopes == (0.0, 0.0) else estimate(use)
    if not any(saved):
        return NOTHING
    several = units if saved.hidden + saved.masks > 0 or p.function in IN_PARTS else 0
    return Held(
        inputs=(0,) if saved.input else (),
        output=saved.output,
        hidden=saved.hidden * units,
        masks=saved.masks * units,
        float32_units=units if p.function in IN_FLOAT32 else 0,
        # TensorFlow fuses a gelu with the matrix or convolution before it, where nothing is kept
        inference=0 if p.function == "gelu" else several,
        forward=several if not saved.hidden else 0,
        backward=2 * several,
        value=REUSED,
        gradient=REUSED,
    )


def _dropout(use: Use) -> Held:
    p, units = use.primitive, use.before
    if not p.rate:
        return ALIAS
    if p.noise or p.alpha:
        return Held(inputs=(0,), hidden=units, forward=units, backward=units)
    return Held(masks=units, forward=units, value=REUSED, gradient=REUSED)


def _noise(use: Use) -> Held:
    """Augmentations: what two further operations keep, such as a sum and its clipping."""
    if use.primitive.unused_weights:
        return ALIAS
    return Held(hidden=2 * use.before, forward=use.before, inference=0, backward=use.before)


# -- normalisation ------------------------------------------------------------------------------------
def _batch_standardise(use: Use) -> Held:
    """As x * a + b with numbers for each channel; by constants, the difference is kept."""
    p, units = use.primitive, use.before
    if not p.batch_statistics:
        return NOTHING._replace(hidden=0 if p.inverse else units)
    return Held(inputs=(0,), upcast=True, forward=units, backward=2 * units, value=REUSED)


def _standardise(use: Use) -> Held:
    """As x * a + b with numbers for each group; without a mean the quotient before gamma is kept, too."""
    p, units = use.primitive, use.before
    groups = p.groups * _others(use.x, p.axes)
    if not p.centre:
        quotient = Held(inputs=(0,), hidden=units + groups, upcast=True)
        return quotient._replace(inference=units, forward=units, backward=2 * units)
    channels = prod(use.x[axis] for axis in p.weight_axes) if p.gamma else 0
    hidden = 3 * groups + channels
    return Held(inputs=(0,), hidden=hidden, upcast=True, inference=units, forward=units, backward=2 * units)


def _others(x: Shape, axes: tuple[int, ...]) -> Size:
    return prod(n for axis, n in enumerate(x) if axis not in axes)


def _normalise(use: Use) -> Held:
    units = use.before
    groups = _others(use.x, use.primitive.axes)
    return Held(inputs=(0,), hidden=2 * groups, inference=units, forward=units, backward=2 * units)


# -- without weights ------------------------------------------------------------------------------------
def _reduce(use: Use) -> Held:
    units = use.before
    match use.primitive.kind:
        case "mean" | "sum":
            return MOVED
        case "max" | "min" | "amax" | "amin":
            return Held(inputs=(0,), output=True, backward=units)
        case "any" | "all" | "argmax" | "argmin" | "count_nonzero":
            return STOPPED
        case "prod":
            return Held(inputs=(0,), backward=2 * units)
        case "var":
            return Held(hidden=units, inference=units, backward=units)
        case "median":
            return Held(hidden=units + use.after, inference=units, backward=units)
    return Held(inputs=(0,), output=True, inference=units, forward=units, backward=2 * units)


def _softmax(use: Use) -> Held:
    """Along another axis than the last it runs on a transposed copy."""
    units = use.before
    if use.primitive.axes == (len(use.x) - 1,):
        return Held(output=True, backward=units, value=REUSED, gradient=REUSED)
    return Held(hidden=units, inference=units, forward=units, backward=2 * units)


# values inside, and bytes of masks, of functions of two tensors that Keras computes in parts
_OF_TWO = {"fmod": (4, 0), "hypot": (6, 0), "logaddexp": (2, 1)}


def _merge(use: Use) -> Held:
    p, units = use.primitive, use.after
    count = len(p.repeats)
    match p.kind:
        case "add":
            return Held(value=REUSED, gradient=VIEW)
        case "concatenate" | "stack":
            return MOVED
        case "stop" | "floor_divide":
            return STOPPED
        case "average":
            return Held(hidden=units, value=REUSED, gradient=VIEW)
        case "choose":
            return Held(masks=units, value=REUSED, backward=units)
    hidden, masks = _OF_TWO.get(p.kind, (max(count - 2, 0), 0))
    return Held(
        inputs=tuple(range(count)), output=p.kind == "power", hidden=hidden * units, masks=masks * units,
        backward=units,
    )  # fmt: skip


def _contract(use: Use) -> Held:
    tensors = tuple(range(sum(c is None for c in use.primitive.constants)))
    own = Held(inputs=tensors)
    # each operand is divided by its norm
    return (
        own if not use.primitive.normalised else own._replace(hidden=2 * use.before, backward=2 * use.before)
    )


Rule = Callable[[Use], Held]
RULES: Mapping[type, Held | Rule] = {
    prim.Matrix: Held(for_weights=(0,)),
    prim.Convolve: _convolve,
    prim.LocallyConnected: _locally_connected,
    prim.Lookup: Held(for_weights=(0,), sparse=True),
    prim.Recur: _recur,
    prim.Pointwise: _pointwise,
    prim.Scale: lambda use: NOTHING._replace(for_weights=(0,) if use.primitive.weight else ()),
    prim.Offset: NOTHING,
    prim.ZeroGradient: STOPPED,
    prim.TrainingNoise: _noise,
    prim.Dropout: _dropout,
    prim.BatchStandardise: _batch_standardise,
    prim.Standardise: _standardise,
    prim.Normalise: _normalise,
    prim.Pool: lambda use: Held(inputs=(0,), output=True) if use.primitive.kind == "max" else MOVED,
    prim.Reduce: _reduce,
    prim.Upsample: MOVED,
    prim.Resample: Held(inputs=(0,)),
    prim.ConstantMatrix: MOVED,
    prim.Permute: MOVED,
    prim.Reshape: ALIAS,
    prim.Pad: MOVED,
    prim.Select: MOVED,
    prim.Repeat: MOVED,
    prim.Softmax: _softmax,
    prim.Merge: _merge,
    prim.Contract: _contract,
}
