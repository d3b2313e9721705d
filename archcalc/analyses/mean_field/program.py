"""The primitives of a graph, one after the other, with the transforms that interpret them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archcalc.analyses.initial import Draw, draw
from archcalc.analyses.mean_field import normalised, spatial, units, weighted
from archcalc.analyses.mean_field.functions import function
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import FLOOR, Forward, Pull, Unpredicted
from archcalc.layers import primitives as prim
from archcalc.layers.base import Weight
from archcalc.layers.interpolation import INTERPOLATIONS, phases
from archcalc.layers.operand import Constant

Made = tuple[Forward, list[Pull]]


@dataclass(frozen=True)
class Context:
    """What a primitive may need besides its inputs: the layer's weights and the bits of its roots."""

    weights: dict[str, Weight]
    root: Callable[[str], int]
    noise: Noise
    training: bool

    def drawn(self, name: str) -> Draw:
        weight = self.weights[name]
        shape = [int(n) for n in weight.shape]
        found = draw(weight.initializer, shape)
        if found is None:
            raise Unpredicted(f"the initialiser of {name}, whose elements are not independent")
        return found

    def start(self, name: str | None, default: float = 1.0) -> float:
        """Where a weight starts that is a constant; the root mean square of one that is drawn."""
        if name is None:
            return default
        found = self.drawn(name)
        return math.copysign(math.sqrt(found.mean**2 + found.variance), found.mean or 1.0)


def interpret(primitive: prim.Primitive, inputs: Sequence[Forward], context: Context) -> Made:
    """The primitive's output, and the way back for each input; raises `Unpredicted` with a reason."""
    handler = _HANDLERS.get(type(primitive))
    if handler is None:
        why = (
            getattr(primitive, "reason", None) or f"{type(primitive).__name__.lower()} has no mean-field rule"
        )
        raise Unpredicted(why)
    made: Made = handler(primitive, inputs, context)
    return made


def _one(made: tuple[Forward, Pull]) -> Made:
    return made[0], [made[1]]


def _matrix(primitive: prim.Matrix, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if primitive.equation is not None or primitive.shared or primitive.adapter is not None:
        raise Unpredicted("a matrix by an einsum equation or with an adapter has no mean-field rule")
    weight = c.weights[primitive.weight]
    made_axis = primitive.inputs[0] if primitive.transposed else primitive.outputs[0]
    count = int(weight.shape[made_axis])
    made, pull = weighted.matrix(x, c.drawn(primitive.weight), count, c.root(primitive.weight), c.noise)
    return _biased(made, pull, primitive.bias, c)


def _biased(made: Forward, pull: Pull, bias: str | None, c: Context) -> Made:
    if bias is None:
        return made, [pull]
    drawn = c.drawn(bias)
    moved, _ = units.offset(made, drawn.mean, drawn.variance)
    return moved, [pull]


def _reads(windows: Sequence[prim.SlidingWindow | prim.AdaptiveWindow]) -> list[tuple[int, Any]]:
    return [
        (s.axis, _portions(int(s.size), int(s.positions)))
        if isinstance(s, prim.AdaptiveWindow)
        else (
            s.axis,
            weighted.taps(
                int(s.size), int(s.positions), int(s.kernel), int(s.stride), int(s.dilation), int(s.before)
            ),
        )
        for s in windows
    ]


def _portions(size: int, positions: int) -> Any:
    """Which units each window reads."""
    taps = np.zeros((positions, size))
    for i in range(positions):
        taps[i, i * size // positions : -(-(i + 1) * size // positions)] = 1.0
    return taps


def _convolve(primitive: prim.Convolve, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if primitive.adapter is not None:
        raise Unpredicted("a kernel with an adapter has no mean-field rule")
    reads = _reads(primitive.windows)
    shape = list(x.shape)
    if primitive.transposed:
        reads = [(axis, taps.T) for axis, taps in reads]
    for axis, taps in reads:
        shape[axis] = len(taps)
    weight = c.weights[primitive.weight]
    if primitive.depthwise:
        shape[primitive.channel_axis] = x.shape[primitive.channel_axis] * int(weight.shape[-1])
    else:
        shape[primitive.channel_axis] = int(weight.shape[-2 if primitive.transposed else -1])
    made, pull = weighted.convolution(
        x,
        c.drawn(primitive.weight),
        tuple(shape),
        reads,
        primitive.channel_axis,
        int(primitive.groups),
        primitive.depthwise,
        c.root(primitive.weight),
        c.noise,
    )
    return _biased(made, pull, primitive.bias, c)


def _local(primitive: prim.LocallyConnected, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if primitive.implementation == 2:
        raise Unpredicted("implementation 2 draws a masked matrix, whose fans are those of the whole")
    reads = _reads(primitive.windows)
    shape = list(x.shape)
    for axis, taps in reads:
        shape[axis] = len(taps)
    shape[primitive.channel_axis] = int(primitive.filters)
    made, pull = weighted.convolution(
        x,
        c.drawn(primitive.weight),
        tuple(shape),
        reads,
        primitive.channel_axis,
        1,
        False,
        c.root(primitive.weight),
        c.noise,
    )
    return _biased(made, pull, primitive.bias, c)


def _pointwise(primitive: prim.Pointwise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    parameters = dict(primitive.parameters)
    name = primitive.function
    if name == "prelu":
        name, parameters = "leaky_relu", {"negative_slope": c.start(primitive.weight, 0.0)}
    phi = function(name, parameters)
    if phi is None:
        raise Unpredicted(f"the function {primitive.function} has no mean-field rule")
    made, pull = units.pointwise(x, phi, c.noise)
    if phi.kind != "linear":
        made = made.of_gaussian((phi, x.level, float(x.ratio.mean()), x.corr))
    return made, [pull]


def _factor(primitive: prim.Scale, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    value = np.asarray(primitive.value if primitive.weight is None else c.start(primitive.weight), float)
    if primitive.reciprocal:
        value = 1 / value
    with np.errstate(divide="ignore"):
        log_square = np.maximum(2 * np.log(np.abs(value)), FLOOR)
    log_square = log_square.reshape((1,) * (len(x.shape) - log_square.ndim) + log_square.shape)
    return _one(units.factor(x, log_square, -1.0 if np.all(value < 0) else 1.0))


def _offset(primitive: prim.Offset, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if primitive.weight is not None:
        drawn = c.drawn(primitive.weight)
        return _one(units.offset(x, drawn.mean, drawn.variance))
    if primitive.value is None:
        return x, [lambda g: g]
    value = np.asarray(primitive.value, float)
    return _one(units.offset(x, float(value.mean()), float(value.var())))


def _within(primitive: prim.Nested, inputs: Sequence[Forward], c: Context) -> Made:
    below = f"{primitive.prefix}/"
    inner = replace(
        c,
        weights={k.removeprefix(below): w for k, w in c.weights.items()},
        root=lambda name: c.root(below + name),
    )
    (x,) = inputs
    pulls: list[Pull] = []
    for step in primitive.inner:
        x, (pull,) = interpret(step, (x,), inner)
        pulls.append(pull)

    def back(g: Any) -> Any:
        for pull in reversed(pulls):
            g = pull(g)
        return g

    return x, [back]


def _disturb(_: prim.TrainingNoise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if c.training:
        raise Unpredicted("a random change in training has no mean-field rule")
    return x, [lambda g: g]


def _mask(primitive: prim.Dropout, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if not c.training or primitive.rate == 0:
        return x, [lambda g: g]
    if primitive.alpha:
        raise Unpredicted("alpha dropout has no mean-field rule")
    return _one(
        units.drop_samples(x, primitive.rate, c.noise)
        if primitive.whole
        else units.dropout(x, primitive.rate)
    )


def _batch(primitive: prim.BatchStandardise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if primitive.inverse:
        raise Unpredicted("an inverted normalisation has no mean-field rule")
    gamma = c.start(primitive.gamma)
    if primitive.moving and c.training:
        made, pull = normalised.over_batch(x, primitive.axes, primitive.epsilon, gamma, c.noise)
    else:
        if isinstance(primitive.variance, str | None):
            variance = c.start(primitive.variance)
        else:  # statistics of the data, known before training
            mean, spread = (_numbers(s) for s in (primitive.mean, primitive.variance))
            variance = float(spread.mean())
            x, _ = units.offset(x, -float(mean.mean()), float(mean.var()))
        epsilon = primitive.epsilon
        if primitive.floor:
            variance, epsilon = max(variance, epsilon**2), 0.0
        made, pull = normalised.by_constant(x, variance, epsilon, gamma)
    return _biased(made, pull, primitive.beta if isinstance(primitive.beta, str) else None, c)


def _numbers(constant: Any) -> Any:
    return np.asarray(constant.value if isinstance(constant, Constant) else constant, float)


def _standardise(primitive: prim.Standardise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    gamma = (
        c.start(primitive.gamma)
        if isinstance(primitive.gamma, str | None)
        else float(np.mean(primitive.gamma))
    )
    made, pull = normalised.over_sample(x, primitive.axes, primitive.epsilon, gamma, centre=primitive.centre)
    return _biased(made, pull, primitive.beta if isinstance(primitive.beta, str) else None, c)


def _pool(primitive: prim.Pool, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    reads = _reads(primitive.windows)
    shape = list(x.shape)
    for axis, taps in reads:
        shape[axis] = len(taps)
    if primitive.kind == "average":
        return _one(spatial.average(x, tuple(shape), reads))
    return _one(spatial.largest(x, tuple(shape), reads, c.noise, x.gaussian))


def _reduce(primitive: prim.Reduce, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    shape = tuple(
        1 if a in primitive.axes else n
        for a, n in enumerate(x.shape)
        if primitive.keepdims or a not in primitive.axes
    )
    if primitive.kind in ("mean", "sum"):
        return _one(
            spatial.reduced_mean(
                x,
                shape,
                primitive.axes,
                int(primitive.count),
                keepdims=primitive.keepdims,
                total=primitive.kind == "sum",
            )
        )
    if primitive.kind in ("max", "min"):
        reads = [(a, np.ones((1, x.shape[a]))) for a in primitive.axes]
        kept = tuple(1 if a in primitive.axes else n for a, n in enumerate(x.shape))
        sign = 1.0 if primitive.kind == "max" else -1.0
        behind = x.gaussian if sign > 0 else None
        made, pull = spatial.largest(x, kept, reads, c.noise, behind, sign)
        if primitive.keepdims:
            return made, [pull]
        flat, unflatten = spatial.reshaped(made, shape)
        return flat, [lambda g: pull(unflatten(g))]
    raise Unpredicted(f"the reduction {primitive.kind} has no mean-field rule")


def _enlarge(primitive: prim.Upsample, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    size, f = int(primitive.size), int(primitive.factor)
    rows = np.zeros((size * f, size))
    if primitive.interpolation == "nearest":
        rows[np.arange(size * f), np.arange(size * f) // f] = 1.0
    elif primitive.interpolation in INTERPOLATIONS:
        table = phases(INTERPOLATIONS[primitive.interpolation], f)
        for i in range(size * f):
            for offset, weight in table[i % f]:
                rows[i, min(max(i // f + offset, 0), size - 1)] += weight
    else:
        raise Unpredicted(f"{primitive.interpolation} interpolation has no mean-field rule")
    return _along(x, primitive.axis, rows)


def _blend(primitive: prim.Blend, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _along(x, primitive.axis, np.array(primitive.rows))


def _along(x: Forward, axis: int, rows: Any) -> Made:
    shape = (*x.shape[:axis], len(rows), *x.shape[axis + 1 :])
    return _one(spatial.linear(x, shape, axis, rows))


def _permute(primitive: prim.Permute, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _one(spatial.permuted(x, primitive.order))


def _reshape(primitive: prim.Reshape, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _one(spatial.reshaped(x, tuple(int(n) for n in primitive.shape)))


def _pad(primitive: prim.Pad, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    pairs = [(int(a), int(b)) for a, b in primitive.pairs]
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
    made, pull = spatial.margin(x, pairs, shape)
    if x.gaussian is not None:
        made = made.of_gaussian(x.gaussian)
    return made, [pull]


def _softmax(primitive: prim.Softmax, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    return _one(normalised.softmax(x, int(primitive.count), c.noise, log=primitive.log))


def _merge(primitive: prim.Merge, inputs: Sequence[Forward], c: Context) -> Made:
    if primitive.kind == "concatenate":
        assert primitive.axis is not None
        shape = list(inputs[0].shape)
        shape[primitive.axis] = sum(x.shape[primitive.axis] for x in inputs)
        return units.concatenate(inputs, primitive.axis, tuple(shape))
    rank = max(len(x.shape) for x in inputs)
    parts = [
        spatial.reshaped(x, (1,) * (rank - len(x.shape)) + x.shape)[0] if len(x.shape) < rank else x
        for x in inputs
    ]
    shape_ = tuple(np.broadcast_shapes(*(x.shape for x in parts)))
    if primitive.kind == "add":
        made, pulls = units.add(parts, primitive.coefficients or (1.0,) * len(parts), shape_, c.noise)
    elif primitive.kind == "multiply":
        made, pulls = units.multiply(parts, shape_)
    else:
        raise Unpredicted(f"the function {primitive.kind} of several tensors has no mean-field rule")
    return made, [_to_shape(pull, x) for pull, x in zip(pulls, inputs, strict=True)]


def _to_shape(pull: Pull, x: Forward) -> Pull:
    def back(g: Any) -> Any:
        found = pull(g)
        if found.shape == x.shape:
            return found
        return spatial.reshaped(x, found.shape)[1](found)

    return back


_HANDLERS: dict[type, Any] = {
    prim.Matrix: _matrix,
    prim.Convolve: _convolve,
    prim.LocallyConnected: _local,
    prim.Pointwise: _pointwise,
    prim.Scale: _factor,
    prim.Offset: _offset,
    prim.Nested: _within,
    prim.TrainingNoise: _disturb,
    prim.Dropout: _mask,
    prim.BatchStandardise: _batch,
    prim.Standardise: _standardise,
    prim.Pool: _pool,
    prim.Reduce: _reduce,
    prim.Upsample: _enlarge,
    prim.Blend: _blend,
    prim.Permute: _permute,
    prim.Reshape: _reshape,
    prim.Pad: _pad,
    prim.Softmax: _softmax,
    prim.Merge: _merge,
}
