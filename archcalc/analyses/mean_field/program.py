"""The mean-field rule of each type of primitive, as a table from types to functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archcalc.analyses.initial import Draw, draw
from archcalc.analyses.mean_field import merging, normalised, signs, spatial, units, weighted
from archcalc.analyses.mean_field.functions import function
from archcalc.analyses.mean_field.maps import Dims, Map
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.shared import Declared
from archcalc.analyses.mean_field.squares import FLOOR
from archcalc.analyses.mean_field.state import Backward, Forward, Pullback, Unpredicted
from archcalc.analyses.mean_field.taps import Taps, taps, transposed
from archcalc.arith import integer, integers
from archcalc.layers import primitives as prim
from archcalc.layers.base import Weight
from archcalc.layers.interpolation import INTERPOLATIONS, phases
from archcalc.layers.operand import Constant

Result = tuple[Forward, list[Pullback]]


@dataclass(frozen=True)
class Context:
    """What a rule may need besides its inputs: the layer's weights, the bit of each weight, the mode."""

    declared: Declared
    weight_bit: Callable[[str], int]
    noise: Noise
    training: bool

    @property
    def weights(self) -> dict[str, Weight]:
        return self.declared.weights

    def element(self, name: str) -> Draw:
        """The initial distribution of the elements of a weight."""
        known = self.declared.elements.get(name)
        if known is not None:
            return known
        weight = self.weights[name]
        distribution = draw(weight.initializer, integers(weight.shape))
        if distribution is None:
            raise Unpredicted(f"the initialiser of {name}, whose elements are not independent")
        self.declared.elements[name] = distribution
        return distribution

    def initial_value(self, name: str | None, default: float = 1.0) -> float:
        """The initial value of a constant weight, or the root mean square of a random one."""
        if name is None:
            return default
        element = self.element(name)
        return math.copysign(math.sqrt(element.mean**2 + element.variance), element.mean or 1.0)


def interpret(primitive: prim.Primitive, inputs: Sequence[Forward], context: Context) -> Result:
    """The primitive's output and the pullback for each input; raises `Unpredicted` if there is no rule."""
    handler = _HANDLERS.get(type(primitive))
    if handler is None:
        why = (
            getattr(primitive, "reason", None) or f"{type(primitive).__name__.lower()} has no mean-field rule"
        )
        raise Unpredicted(why)
    output, pullbacks = handler(primitive, inputs, context)
    positive = signs.of_primitive(primitive, inputs, output)
    if positive != output.positive_share:
        output = output.knowing(output.source, positive)
    return output, [signs.keeping(primitive, inputs, pullback) for pullback in pullbacks]


def _single(output: tuple[Forward, Pullback]) -> Result:
    return output[0], [output[1]]


def _matrix(primitive: prim.Matrix, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if primitive.equation is not None or primitive.shared_axes or primitive.adapter is not None:
        raise Unpredicted("a matrix by an einsum equation or with an adapter has no mean-field rule")
    weight = c.weights[primitive.weight]
    made_axis = primitive.input_axes[0] if primitive.transposed else primitive.output_axes[0]
    count = integer(weight.shape[made_axis])
    output, pullback = weighted.matrix(
        x, c.element(primitive.weight), count, c.weight_bit(primitive.weight), c.noise
    )
    return _biased(output, pullback, primitive.bias, c)


def _biased(output: Forward, pullback: Pullback, bias: str | None, c: Context) -> Result:
    if bias is None:
        return output, [pullback]
    element = c.element(bias)
    moved, _ = units.offset(output, element.mean, element.variance)
    return moved, [pullback]


def _taps_of(windows: Sequence[prim.SlidingWindow | prim.AdaptiveWindow]) -> list[tuple[int, Taps]]:
    return [
        (s.axis, _adaptive_taps(*integers((s.size, s.positions))))
        if isinstance(s, prim.AdaptiveWindow)
        else (
            s.axis,
            taps(*integers((s.size, s.positions, s.kernel, s.stride, s.dilation, s.pad_before))),
        )
        for s in windows
    ]


def _adaptive_taps(size: int, positions: int) -> Taps:
    """1 where a window (row) of an adaptive pooling reads a unit (column)."""
    rows = np.zeros((positions, size))
    for i in range(positions):
        rows[i, i * size // positions : -(-(i + 1) * size // positions)] = 1.0
    return Taps.of(rows)


def _convolve(primitive: prim.Convolve, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if primitive.adapter is not None:
        raise Unpredicted("a kernel with an adapter has no mean-field rule")
    reads = _taps_of(primitive.windows)
    shape = list(x.shape)
    if primitive.transposed:
        reads = list(transposed(reads))
    for axis, each in reads:
        shape[axis] = len(each)
    weight = c.weights[primitive.weight]
    if primitive.depthwise:
        shape[primitive.channel_axis] = x.shape[primitive.channel_axis] * integer(weight.shape[-1])
    else:
        shape[primitive.channel_axis] = integer(weight.shape[-2 if primitive.transposed else -1])
    output, pullback = weighted.convolution(
        x,
        c.element(primitive.weight),
        tuple(shape),
        reads,
        primitive.channel_axis,
        integer(primitive.groups),
        primitive.depthwise,
        c.weight_bit(primitive.weight),
        c.noise,
    )
    return _biased(output, pullback, primitive.bias, c)


def _local(primitive: prim.LocallyConnected, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if primitive.implementation == 2:
        raise Unpredicted("implementation 2 initialises a masked matrix with the fans of the whole matrix")
    reads = _taps_of(primitive.windows)
    shape = list(x.shape)
    for axis, each in reads:
        shape[axis] = len(each)
    shape[primitive.channel_axis] = integer(primitive.filters)
    output, pullback = weighted.convolution(
        x,
        c.element(primitive.weight),
        tuple(shape),
        reads,
        primitive.channel_axis,
        1,
        False,
        c.weight_bit(primitive.weight),
        c.noise,
    )
    return _biased(output, pullback, primitive.bias, c)


def _pointwise(primitive: prim.Pointwise, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    parameters = dict(primitive.parameters)
    name = primitive.function
    if name == "prelu":
        name, parameters = "leaky_relu", {"negative_slope": c.initial_value(primitive.weight, 0.0)}
    phi = function(name, parameters)
    if phi is None:
        raise Unpredicted(f"the function {primitive.function} has no mean-field rule")
    output, pullback = units.pointwise(x, phi, c.noise)
    if phi.kind != "linear" and x.positive_share is None:
        source = (phi, x.log_mean_q, x.mean_ratio, x.corr)
        output = output.knowing(source, output.positive_share)
    return output, [pullback]


def _factor(primitive: prim.Scale, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    value = np.asarray(
        primitive.value if primitive.weight is None else c.initial_value(primitive.weight), float
    )
    if primitive.reciprocal:
        value = 1 / value
    with np.errstate(divide="ignore"):
        log_square = np.maximum(2 * np.log(np.abs(value)), FLOOR)
    log_square = log_square.reshape((1,) * (len(x.shape) - log_square.ndim) + log_square.shape)
    return _single(units.factor(x, Map.of(log_square, x.shape), -1.0 if np.all(value < 0) else 1.0))


def _offset(primitive: prim.Offset, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if primitive.weight is not None:
        element = c.element(primitive.weight)
        return _single(units.offset(x, element.mean, element.variance))
    if primitive.value is None:
        return x, [lambda g: g]
    value = np.asarray(primitive.value, float)
    return _single(units.offset(x, float(value.mean()), float(value.var())))


def _nested(primitive: prim.Nested, inputs: Sequence[Forward], c: Context) -> Result:
    below = f"{primitive.prefix}/"
    inner = replace(
        c,
        declared=Declared((), {k.removeprefix(below): w for k, w in c.weights.items()}),
        weight_bit=lambda name: c.weight_bit(below + name),
    )
    (x,) = inputs
    pullbacks: list[Pullback] = []
    for step in primitive.inner:
        x, (pullback,) = interpret(step, (x,), inner)
        pullbacks.append(pullback)

    def back(g: Any) -> Any:
        for pullback in reversed(pullbacks):
            g = pullback(g)
        return g

    return x, [back]


def _training_noise(_: prim.TrainingNoise, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if c.training:
        raise Unpredicted("a random change in training has no mean-field rule")
    return x, [lambda g: g]


def _dropout(primitive: prim.Dropout, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if not c.training or primitive.rate == 0:
        return x, [lambda g: g]
    if primitive.alpha:
        raise Unpredicted("alpha dropout has no mean-field rule")
    return _single(
        units.drop_samples(x, primitive.rate, c.noise)
        if primitive.per_sample
        else units.dropout(x, primitive.rate)
    )


def _batch(primitive: prim.BatchStandardise, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    if primitive.inverse:
        raise Unpredicted("an inverted normalisation has no mean-field rule")
    gamma = c.initial_value(primitive.gamma)
    if primitive.batch_statistics and c.training:
        output, pullback = normalised.over_batch(x, primitive.axes, primitive.epsilon, gamma, c.noise)
    else:
        if isinstance(primitive.variance, str | None):
            variance = c.initial_value(primitive.variance)
        else:  # statistics of the data, stated in the layer
            mean, variances = (_numbers(s) for s in (primitive.mean, primitive.variance))
            variance = float(variances.mean())
            x, _ = units.offset(x, -float(mean.mean()), float(mean.var()))
        epsilon = primitive.epsilon
        if primitive.floor:
            variance, epsilon = max(variance, epsilon**2), 0.0
        output, pullback = normalised.by_constant(x, variance, epsilon, gamma)
    return _biased(output, pullback, primitive.beta if isinstance(primitive.beta, str) else None, c)


def _numbers(constant: Any) -> Any:
    return np.asarray(constant.value if isinstance(constant, Constant) else constant, float)


def _standardise(primitive: prim.Standardise, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    gamma = (
        c.initial_value(primitive.gamma)
        if isinstance(primitive.gamma, str | None)
        else float(np.mean(primitive.gamma))
    )
    output, pullback = normalised.over_sample(
        x, primitive.axes, primitive.epsilon, gamma, centre=primitive.centre
    )
    return _biased(output, pullback, primitive.beta if isinstance(primitive.beta, str) else None, c)


def _pool(primitive: prim.Pool, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    reads = _taps_of(primitive.windows)
    shape = list(x.shape)
    for axis, each in reads:
        shape[axis] = len(each)
    if primitive.kind == "average":
        return _single(spatial.average(x, tuple(shape), reads))
    return _single(spatial.largest(x, tuple(shape), reads, c.noise, x.source))


def _reduce(primitive: prim.Reduce, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    shape = tuple(
        1 if a in primitive.axes else n
        for a, n in enumerate(x.shape)
        if primitive.keepdims or a not in primitive.axes
    )
    if primitive.kind in ("mean", "sum"):
        return _single(
            spatial.reduced_mean(
                x,
                shape,
                primitive.axes,
                integer(primitive.count),
                keepdims=primitive.keepdims,
                total=primitive.kind == "sum",
            )
        )
    if primitive.kind in ("max", "min"):
        reads = [(a, Taps.of(np.ones((1, x.shape[a])))) for a in primitive.axes]
        reduced = tuple(1 if a in primitive.axes else n for a, n in enumerate(x.shape))
        sign = 1.0 if primitive.kind == "max" else -1.0
        source = x.source if sign > 0 else None
        output, pullback = spatial.largest(x, reduced, reads, c.noise, source, sign)
        if primitive.keepdims:
            return output, [pullback]
        flat, unflatten = spatial.reshaped(output, shape)
        return flat, [lambda g: pullback(unflatten(g))]
    raise Unpredicted(f"the reduction {primitive.kind} has no mean-field rule")


def _upsample(primitive: prim.Upsample, inputs: Sequence[Forward], _: Context) -> Result:
    (x,) = inputs
    size, f = integers((primitive.size, primitive.factor))
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


def _constant_matrix(primitive: prim.ConstantMatrix, inputs: Sequence[Forward], _: Context) -> Result:
    (x,) = inputs
    return _along(x, primitive.axis, np.array(primitive.rows))


def _along(x: Forward, axis: int, rows: Any) -> Result:
    shape = (*x.shape[:axis], len(rows), *x.shape[axis + 1 :])
    return _single(spatial.linear(x, shape, axis, rows))


def _permute(primitive: prim.Permute, inputs: Sequence[Forward], _: Context) -> Result:
    (x,) = inputs
    return _single(spatial.permuted(x, primitive.order))


def _reshape(primitive: prim.Reshape, inputs: Sequence[Forward], _: Context) -> Result:
    (x,) = inputs
    return _single(spatial.reshaped(x, integers(primitive.shape)))


def _pad(primitive: prim.Pad, inputs: Sequence[Forward], _: Context) -> Result:
    (x,) = inputs
    pairs = [(integer(a), integer(b)) for a, b in primitive.pairs]
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
    output, pullback = spatial.margin(x, pairs, shape)
    if x.source is not None:
        output = output.knowing(x.source, None)
    return output, [pullback]


def _softmax(primitive: prim.Softmax, inputs: Sequence[Forward], c: Context) -> Result:
    (x,) = inputs
    return _single(normalised.softmax(x, integer(primitive.count), c.noise, log=primitive.log))


def _merge(primitive: prim.Merge, inputs: Sequence[Forward], c: Context) -> Result:
    if primitive.kind == "concatenate":
        assert primitive.axis is not None
        shape = list(inputs[0].shape)
        shape[primitive.axis] = sum(x.shape[primitive.axis] for x in inputs)
        return merging.concatenate(inputs, primitive.axis, tuple(shape))
    rank = max(len(x.shape) for x in inputs)
    parts = [
        spatial.reshaped(x, (1,) * (rank - len(x.shape)) + x.shape)[0] if len(x.shape) < rank else x
        for x in inputs
    ]
    shape_ = tuple(map(max, zip(*(x.shape for x in parts), strict=True)))
    if primitive.kind == "add":
        output, pullbacks = merging.add(parts, primitive.coefficients or (1.0,) * len(parts), shape_, c.noise)
    elif primitive.kind == "multiply":
        output, pullbacks = merging.multiply(parts, shape_)
    else:
        raise Unpredicted(f"the function {primitive.kind} of several tensors has no mean-field rule")
    return output, [_to_shape(pullback, x.shape) for pullback, x in zip(pullbacks, inputs, strict=True)]


def _to_shape(pullback: Pullback, shape: Dims) -> Pullback:
    def back(g: Backward) -> Backward:
        gradient = pullback(g)
        return gradient if gradient.shape == shape else spatial.with_shape(gradient, shape)

    return back


_HANDLERS: dict[type, Any] = {
    prim.Matrix: _matrix,
    prim.Convolve: _convolve,
    prim.LocallyConnected: _local,
    prim.Pointwise: _pointwise,
    prim.Scale: _factor,
    prim.Offset: _offset,
    prim.Nested: _nested,
    prim.TrainingNoise: _training_noise,
    prim.Dropout: _dropout,
    prim.BatchStandardise: _batch,
    prim.Standardise: _standardise,
    prim.Pool: _pool,
    prim.Reduce: _reduce,
    prim.Upsample: _upsample,
    prim.ConstantMatrix: _constant_matrix,
    prim.Permute: _permute,
    prim.Reshape: _reshape,
    prim.Pad: _pad,
    prim.Softmax: _softmax,
    prim.Merge: _merge,
}
