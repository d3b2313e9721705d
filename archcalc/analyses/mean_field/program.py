"""The stages of a graph, one after the other, with the transforms that interpret them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archcalc.analyses.initial import Draw, draw
from archcalc.analyses.mean_field import normalised, spatial, units, weighted
from archcalc.analyses.mean_field.functions import Function, function
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.state import FLOOR, Forward, Pull, Unpredicted
from archcalc.layers import primitives as st
from archcalc.layers.base import Weight
from archcalc.layers.interpolation import INTERPOLATIONS, phases
from archcalc.layers.operand import Constant

Made = tuple[Forward, list[Pull]]


@dataclass(frozen=True)
class Context:
    """What a stage may need besides its inputs: the layer's weights and the bits of its roots."""

    weights: dict[str, Weight]
    root: Callable[[str], int]
    noise: Noise
    training: bool
    gaussian: dict[int, Any]

    def remember(self, made: Forward, origin: tuple[Function, float, float, float]) -> None:
        """Of which Gaussian units a tensor's are the values."""
        self.gaussian[id(made)] = origin
        # an object's identity is given to another once it is gone, so it is kept
        self.gaussian[-id(made)] = made

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


def interpret(stage: st.Stage, inputs: Sequence[Forward], context: Context) -> Made:
    """The stage's output, and the way back for each input; raises `Unpredicted` with a reason."""
    handler = _HANDLERS.get(type(stage))
    if handler is None:
        why = getattr(stage, "reason", None) or f"{type(stage).__name__.lower()} has no mean-field rule"
        raise Unpredicted(why)
    made: Made = handler(stage, inputs, context)
    return made


def _one(made: tuple[Forward, Pull]) -> Made:
    return made[0], [made[1]]


def _matrix(stage: st.Matrix, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if stage.equation is not None or stage.shared or stage.adapter is not None:
        raise Unpredicted("a matrix by an einsum equation or with an adapter has no mean-field rule")
    weight = c.weights[stage.weight]
    made_axis = stage.inputs[0] if stage.transposed else stage.outputs[0]
    count = int(weight.shape[made_axis])
    made, pull = weighted.matrix(x, c.drawn(stage.weight), count, c.root(stage.weight), c.noise)
    return _biased(made, pull, stage.bias, c)


def _biased(made: Forward, pull: Pull, bias: str | None, c: Context) -> Made:
    if bias is None:
        return made, [pull]
    drawn = c.drawn(bias)
    moved, _ = units.offset(made, drawn.mean, drawn.variance)
    return moved, [pull]


def _reads(slides: Sequence[st.Slide | st.Portion]) -> list[tuple[int, Any]]:
    return [
        (s.axis, _portions(int(s.size), int(s.places)))
        if isinstance(s, st.Portion)
        else (
            s.axis,
            weighted.taps(
                int(s.size), int(s.places), int(s.kernel), int(s.stride), int(s.dilation), int(s.before)
            ),
        )
        for s in slides
    ]


def _portions(size: int, places: int) -> Any:
    """Which units each window reads."""
    taps = np.zeros((places, size))
    for i in range(places):
        taps[i, i * size // places : -(-(i + 1) * size // places)] = 1.0
    return taps


def _convolve(stage: st.Convolve, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if stage.adapter is not None:
        raise Unpredicted("a kernel with an adapter has no mean-field rule")
    reads = _reads(stage.slides)
    shape = list(x.shape)
    if stage.transposed:
        reads = [(axis, taps.T) for axis, taps in reads]
    for axis, taps in reads:
        shape[axis] = len(taps)
    weight = c.weights[stage.weight]
    if stage.depthwise:
        shape[stage.channel_axis] = x.shape[stage.channel_axis] * int(weight.shape[-1])
    else:
        shape[stage.channel_axis] = int(weight.shape[-2 if stage.transposed else -1])
    made, pull = weighted.convolution(
        x,
        c.drawn(stage.weight),
        tuple(shape),
        reads,
        stage.channel_axis,
        int(stage.groups),
        stage.depthwise,
        c.root(stage.weight),
        c.noise,
    )
    return _biased(made, pull, stage.bias, c)


def _local(stage: st.Local, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if stage.implementation == 2:
        raise Unpredicted("implementation 2 draws a masked matrix, whose fans are those of the whole")
    reads = _reads(stage.slides)
    shape = list(x.shape)
    for axis, taps in reads:
        shape[axis] = len(taps)
    shape[stage.channel_axis] = int(stage.filters)
    made, pull = weighted.convolution(
        x,
        c.drawn(stage.weight),
        tuple(shape),
        reads,
        stage.channel_axis,
        1,
        False,
        c.root(stage.weight),
        c.noise,
    )
    return _biased(made, pull, stage.bias, c)


def _pointwise(stage: st.Pointwise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    parameters = dict(stage.parameters)
    name = stage.function
    if name == "prelu":
        name, parameters = "leaky_relu", {"negative_slope": c.start(stage.weight, 0.0)}
    phi = function(name, parameters)
    if phi is None:
        raise Unpredicted(f"the function {stage.function} has no mean-field rule")
    made, pull = units.pointwise(x, phi, c.noise)
    if phi.kind != "linear":
        c.remember(made, (phi, x.level, float(x.ratio.mean()), x.corr))
    return made, [pull]


def _factor(stage: st.Factor, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    value = np.asarray(stage.value if stage.weight is None else c.start(stage.weight), float)
    if stage.reciprocal:
        value = 1 / value
    with np.errstate(divide="ignore"):
        log_square = np.maximum(2 * np.log(np.abs(value)), FLOOR)
    log_square = log_square.reshape((1,) * (len(x.shape) - log_square.ndim) + log_square.shape)
    return _one(units.factor(x, log_square, -1.0 if np.all(value < 0) else 1.0))


def _offset(stage: st.Offset, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if stage.weight is not None:
        drawn = c.drawn(stage.weight)
        return _one(units.offset(x, drawn.mean, drawn.variance))
    if stage.value is None:
        return x, [lambda g: g]
    value = np.asarray(stage.value, float)
    return _one(units.offset(x, float(value.mean()), float(value.var())))


def _within(stage: st.Within, inputs: Sequence[Forward], c: Context) -> Made:
    below = f"{stage.prefix}/"
    inner = replace(
        c,
        weights={k.removeprefix(below): w for k, w in c.weights.items()},
        root=lambda name: c.root(below + name),
    )
    (x,) = inputs
    pulls: list[Pull] = []
    for step in stage.inner:
        x, (pull,) = interpret(step, (x,), inner)
        pulls.append(pull)

    def back(g: Any) -> Any:
        for pull in reversed(pulls):
            g = pull(g)
        return g

    return x, [back]


def _disturb(_: st.Disturb, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if c.training:
        raise Unpredicted("a random change in training has no mean-field rule")
    return x, [lambda g: g]


def _mask(stage: st.Mask, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if not c.training or stage.rate == 0:
        return x, [lambda g: g]
    if stage.alpha:
        raise Unpredicted("alpha dropout has no mean-field rule")
    return _one(units.drop_samples(x, stage.rate, c.noise) if stage.whole else units.dropout(x, stage.rate))


def _batch(stage: st.BatchStandardise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    if stage.inverse:
        raise Unpredicted("an inverted normalisation has no mean-field rule")
    gamma = c.start(stage.gamma)
    if stage.moving and c.training:
        made, pull = normalised.over_batch(x, stage.axes, stage.epsilon, gamma, c.noise)
    else:
        if isinstance(stage.variance, str | None):
            variance = c.start(stage.variance)
        else:  # statistics of the data, known before training
            mean, spread = (_numbers(s) for s in (stage.mean, stage.variance))
            variance = float(spread.mean())
            x, _ = units.offset(x, -float(mean.mean()), float(mean.var()))
        epsilon = stage.epsilon
        if stage.floor:
            variance, epsilon = max(variance, epsilon**2), 0.0
        made, pull = normalised.by_constant(x, variance, epsilon, gamma)
    return _biased(made, pull, stage.beta if isinstance(stage.beta, str) else None, c)


def _numbers(constant: Any) -> Any:
    return np.asarray(constant.value if isinstance(constant, Constant) else constant, float)


def _standardise(stage: st.Standardise, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    gamma = c.start(stage.gamma) if isinstance(stage.gamma, str | None) else float(np.mean(stage.gamma))
    made, pull = normalised.over_sample(x, stage.axes, stage.epsilon, gamma, centre=stage.centre)
    return _biased(made, pull, stage.beta if isinstance(stage.beta, str) else None, c)


def _pool(stage: st.Pool, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    reads = _reads(stage.slides)
    shape = list(x.shape)
    for axis, taps in reads:
        shape[axis] = len(taps)
    if stage.kind == "average":
        return _one(spatial.average(x, tuple(shape), reads))
    return _one(spatial.largest(x, tuple(shape), reads, c.noise, c.gaussian.get(id(x))))


def _reduce(stage: st.Reduce, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    shape = tuple(
        1 if a in stage.axes else n for a, n in enumerate(x.shape) if stage.keepdims or a not in stage.axes
    )
    if stage.kind in ("mean", "sum"):
        return _one(
            spatial.reduced_mean(
                x,
                shape,
                stage.axes,
                int(stage.count),
                keepdims=stage.keepdims,
                total=stage.kind == "sum",
            )
        )
    if stage.kind in ("max", "min"):
        reads = [(a, np.ones((1, x.shape[a]))) for a in stage.axes]
        kept = tuple(1 if a in stage.axes else n for a, n in enumerate(x.shape))
        sign = 1.0 if stage.kind == "max" else -1.0
        behind = c.gaussian.get(id(x)) if sign > 0 else None
        made, pull = spatial.largest(x, kept, reads, c.noise, behind, sign)
        if stage.keepdims:
            return made, [pull]
        flat, unflatten = spatial.reshaped(made, shape)
        return flat, [lambda g: pull(unflatten(g))]
    raise Unpredicted(f"the reduction {stage.kind} has no mean-field rule")


def _enlarge(stage: st.Enlarge, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    size, f = int(stage.size), int(stage.factor)
    rows = np.zeros((size * f, size))
    if stage.interpolation == "nearest":
        rows[np.arange(size * f), np.arange(size * f) // f] = 1.0
    elif stage.interpolation in INTERPOLATIONS:
        table = phases(INTERPOLATIONS[stage.interpolation], f)
        for i in range(size * f):
            for offset, weight in table[i % f]:
                rows[i, min(max(i // f + offset, 0), size - 1)] += weight
    else:
        raise Unpredicted(f"{stage.interpolation} interpolation has no mean-field rule")
    return _along(x, stage.axis, rows)


def _blend(stage: st.Blend, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _along(x, stage.axis, np.array(stage.rows))


def _along(x: Forward, axis: int, rows: Any) -> Made:
    shape = (*x.shape[:axis], len(rows), *x.shape[axis + 1 :])
    return _one(spatial.linear(x, shape, axis, rows))


def _permute(stage: st.Permute, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _one(spatial.permuted(x, stage.order))


def _reshape(stage: st.Reshape, inputs: Sequence[Forward], _: Context) -> Made:
    (x,) = inputs
    return _one(spatial.reshaped(x, tuple(int(n) for n in stage.shape)))


def _margin(stage: st.Margin, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    pairs = [(int(a), int(b)) for a, b in stage.pairs]
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
    made, pull = spatial.margin(x, pairs, shape)
    if id(x) in c.gaussian:
        c.remember(made, c.gaussian[id(x)])
    return made, [pull]


def _softmax(stage: st.Softmax, inputs: Sequence[Forward], c: Context) -> Made:
    (x,) = inputs
    return _one(normalised.softmax(x, int(stage.count), c.noise, log=stage.log))


def _merge(stage: st.Merge, inputs: Sequence[Forward], c: Context) -> Made:
    if stage.kind == "concatenate":
        assert stage.axis is not None
        shape = list(inputs[0].shape)
        shape[stage.axis] = sum(x.shape[stage.axis] for x in inputs)
        return units.concatenate(inputs, stage.axis, tuple(shape))
    rank = max(len(x.shape) for x in inputs)
    parts = [
        spatial.reshaped(x, (1,) * (rank - len(x.shape)) + x.shape)[0] if len(x.shape) < rank else x
        for x in inputs
    ]
    shape_ = tuple(np.broadcast_shapes(*(x.shape for x in parts)))
    if stage.kind == "add":
        made, pulls = units.add(parts, stage.coefficients or (1.0,) * len(parts), shape_, c.noise)
    elif stage.kind == "multiply":
        made, pulls = units.multiply(parts, shape_)
    else:
        raise Unpredicted(f"the function {stage.kind} of several tensors has no mean-field rule")
    return made, [_to_shape(pull, x) for pull, x in zip(pulls, inputs, strict=True)]


def _to_shape(pull: Pull, x: Forward) -> Pull:
    def back(g: Any) -> Any:
        found = pull(g)
        if found.shape == x.shape:
            return found
        return spatial.reshaped(x, found.shape)[1](found)

    return back


_HANDLERS: dict[type, Any] = {
    st.Matrix: _matrix,
    st.Convolve: _convolve,
    st.Local: _local,
    st.Pointwise: _pointwise,
    st.Factor: _factor,
    st.Offset: _offset,
    st.Within: _within,
    st.Disturb: _disturb,
    st.Mask: _mask,
    st.BatchStandardise: _batch,
    st.Standardise: _standardise,
    st.Pool: _pool,
    st.Reduce: _reduce,
    st.Enlarge: _enlarge,
    st.Blend: _blend,
    st.Permute: _permute,
    st.Reshape: _reshape,
    st.Margin: _margin,
    st.Softmax: _softmax,
    st.Merge: _merge,
}
