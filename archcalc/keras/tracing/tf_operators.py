"""The table of TensorFlow's operators: what each is in Keras."""

# ruff: noqa: ARG001  (rules of one signature: the call, and the operator's inputs)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from archcalc.keras.tracing import views
from archcalc.keras.tracing.recording import UntraceableError


@dataclass(frozen=True)
class Call:
    """One operator of a graph; `batch` is the size of the batch axis."""

    op: Any
    batch: int

    def attribute(self, name: str) -> Any:
        """What the operator states under this name; bytes as text."""
        value = self.op.get_attr(name)
        return value.decode() if isinstance(value, bytes) else value


Rule = Callable[..., Any]


def _elementwise(function: Callable[..., Any]) -> Rule:
    return lambda call, *values: views.elementwise(function, values, call.batch)


def _numbers(value: Any) -> list[int]:
    """A constant argument, such as axes or a shape."""
    if not isinstance(value, np.ndarray):
        raise UntraceableError("a shape, an axis or an index depends on a tensor's value")
    return [int(n) for n in value.ravel()]


def _own(value: Any) -> Any:
    """A tensor with the batch axis first; anything else has no rule here."""
    if isinstance(value, views.View):
        raise UntraceableError("code folds or moves the batch axis")
    return value


# -- arithmetic ----------------------------------------------------------------------------------------------
def _bias(call: Call, x: Any, bias: Any) -> Any:
    if call.attribute("data_format") == "NCHW":
        bias = ops.reshape(bias, (-1, *[1] * (len(x.shape) - 2)))
    return views.elementwise(ops.add, (x, bias), call.batch)


def _sum_of_all(call: Call, first: Any, *others: Any) -> Any:
    for other in others:
        first = views.elementwise(ops.add, (first, other), call.batch)
    return first


def _leaky(call: Call, x: Any) -> Any:
    alpha = call.attribute("alpha")
    return views.elementwise(lambda v: ops.leaky_relu(v, negative_slope=alpha), (x,), call.batch)


def _cast(call: Call, x: Any) -> Any:
    dtype = keras.backend.standardize_dtype(call.attribute("DstT"))
    return views.elementwise(lambda v: ops.cast(v, dtype), (x,), call.batch)


def _select(call: Call, condition: Any, x: Any, y: Any) -> Any:
    return views.elementwise(ops.where, (condition, x, y), call.batch)


def _squared_difference(x: Any, y: Any) -> Any:
    return ops.square(ops.subtract(x, y))


# -- products ------------------------------------------------------------------------------------------------
def _matmul(call: Call, a: Any, b: Any) -> Any:
    return _product(call, a, b, call.attribute("transpose_a"), call.attribute("transpose_b"))


def _batch_matmul(call: Call, a: Any, b: Any) -> Any:
    return _product(call, a, b, call.attribute("adj_x"), call.attribute("adj_y"))


def _product(call: Call, a: Any, b: Any, turn_a: bool, turn_b: bool) -> Any:
    factors = [
        views.transposed(v, [*range(len(v.shape) - 2), len(v.shape) - 1, len(v.shape) - 2], call.batch)
        if turn
        else v
        for v, turn in ((a, turn_a), (b, turn_b))
    ]
    return views.matrices(ops.matmul, factors, call.batch)


def _einsum(call: Call, *values: Any) -> Any:
    return views.einsum(call.attribute("equation"), values, call.batch)


# -- windows -------------------------------------------------------------------------------------------------
def _window(call: Call, values: Sequence[int]) -> tuple[int, ...]:
    """Sizes of the spatial axes, from those of all axes."""
    return tuple(values[2:] if _format(call) == "channels_first" else values[1:-1])


def _format(call: Call) -> str:
    return "channels_first" if call.attribute("data_format").startswith("NC") else "channels_last"


def _convolution(function: Callable[..., Any]) -> Rule:
    def rule(call: Call, x: Any, kernel: Any) -> Any:
        x, padding = _padded(call, _own(x))
        words: dict[str, Any] = {"padding": padding, "data_format": _format(call)}
        words["strides"] = _window(call, call.op.get_attr("strides"))
        words["dilation_rate"] = _window(call, call.op.get_attr("dilations"))
        return function(x, _own(kernel), **words)

    return rule


def _padded(call: Call, x: Any) -> tuple[Any, str]:
    padding = call.attribute("padding").lower()
    if padding != "explicit":
        return x, padding
    flat = call.op.get_attr("explicit_paddings")
    return ops.pad(x, [tuple(flat[i : i + 2]) for i in range(0, len(flat), 2)]), "valid"


def _pool(function: Callable[..., Any]) -> Rule:
    def rule(call: Call, x: Any) -> Any:
        size, strides = (_window(call, call.op.get_attr(name)) for name in ("ksize", "strides"))
        padding = call.attribute("padding").lower()
        return function(_own(x), size, strides, padding, _format(call))

    return rule


# -- reductions ----------------------------------------------------------------------------------------------
def _reduction(function: Callable[..., Any]) -> Rule:
    def rule(call: Call, x: Any, axes: Any) -> Any:
        rank = len(x.shape)
        chosen = sorted(a % rank for a in _numbers(axes))
        if not chosen:
            return x
        keep = call.attribute("keep_dims")
        if isinstance(x, views.View):
            inner = function(x.inner, axis=tuple(map(x.place, chosen)), keepdims=keep)
            gone = 0 if keep else sum(a < x.axis for a in chosen)
            return views.as_seen(inner, x.lead, x.axis - gone)
        return function(x, axis=tuple(chosen), keepdims=keep)

    return rule


def _extreme(function: Callable[..., Any]) -> Rule:
    def rule(call: Call, x: Any, axis: Any) -> Any:
        dtype = keras.backend.standardize_dtype(call.attribute("output_type"))
        return ops.cast(function(_own(x), axis=_numbers(axis)[0]), dtype)

    return rule


def _running(function: Callable[..., Any]) -> Rule:
    def rule(call: Call, x: Any, axis: Any) -> Any:
        if call.attribute("exclusive") or call.attribute("reverse"):
            raise UntraceableError(f"TensorFlow's {call.op.type} in reverse has no counterpart in Keras")
        return function(_own(x), axis=_numbers(axis)[0])

    return rule


def _softmax(function: Callable[..., Any]) -> Rule:
    # along the last axis, which no view moves unless the batch comes last
    def rule(call: Call, x: Any) -> Any:
        if isinstance(x, views.View) and x.axis == len(x.shape) - 1:
            raise UntraceableError("code moves the batch axis")
        return views.elementwise(lambda v: function(v, axis=-1), (x,), call.batch)

    return rule


# -- arrangement ---------------------------------------------------------------------------------------------
def _reshape(call: Call, x: Any, shape: Any) -> Any:
    sizes = tuple(call.op.outputs[0].shape)
    if None in sizes:
        raise UntraceableError("a shape depends on a tensor's value")
    return views.reshaped(x, sizes, call.batch)


def _to_stated_shape(call: Call, x: Any, *_: Any) -> Any:
    """A reshape under another name."""
    return views.reshaped(x, tuple(call.op.outputs[0].shape), call.batch)


def _transpose(call: Call, x: Any, order: Any) -> Any:
    return views.transposed(x, _numbers(order), call.batch)


def _concatenated(call: Call, *values: Any) -> Any:
    *parts, axis = values
    (axis,) = _numbers(axis)
    axis %= len(parts[0].shape)
    if any(views.has_batch(v, call.batch) and axis == views.viewed(v).axis for v in parts):
        raise UntraceableError("samples are concatenated")
    return views.concatenated(parts, axis, call.batch)


def _split(call: Call, axis: Any, x: Any) -> Any:
    return _pieces(call, x, _numbers(axis)[0], call.attribute("num_split"))


def _split_at(call: Call, x: Any, sizes: Any, axis: Any) -> Any:
    lengths = [t.shape[_numbers(axis)[0]] for t in call.op.outputs]
    return _pieces(call, x, _numbers(axis)[0], np.cumsum(lengths[:-1]).tolist())


def _pieces(call: Call, x: Any, axis: int, where: Any) -> Any:
    axis %= len(x.shape)
    if views.has_batch(x, call.batch) and axis == views.viewed(x).axis:
        raise UntraceableError("a part of the batch is taken")
    if isinstance(x, views.View):
        parts = ops.split(x.inner, where, axis=x.place(axis))
        return [views.as_seen(part, x.lead, x.axis) for part in parts]
    return list(ops.split(x, where, axis=axis))


def _unpacked(call: Call, x: Any) -> Any:
    axis = call.attribute("axis") % len(x.shape)
    whole = [slice(None)] * axis
    return [views.indexed(x, (*whole, i), call.batch) for i in range(call.attribute("num"))]


def _strided(call: Call, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    masks = {
        name: call.attribute(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    index: list[Any] = []
    for i, (a, b, s) in enumerate(zip(*map(_numbers, (begin, end, strides)), strict=True)):
        set_ = {name for name, mask in masks.items() if mask >> i & 1}
        if "ellipsis" in set_:
            index.append(Ellipsis)
        elif "new_axis" in set_:
            index.append(None)
        elif "shrink_axis" in set_:
            index.append(a)
        else:
            index.append(
                slice(None if "begin" in set_ else a, None if "end" in set_ else b, None if s == 1 else s)
            )
    return views.indexed(x, _full(index, call.batch), call.batch)


def _full(index: list[Any], batch: int) -> tuple[Any, ...]:
    """An index that takes all samples, in the way that says so."""
    first = index[0]
    if isinstance(first, slice) and first.step is None and first.start in (None, 0) and first.stop == batch:
        index[0] = slice(None)
    if isinstance(first, slice) and (first.start, first.stop) == (0, None):
        index[0] = slice(None, None, first.step)
    return tuple(index)


def _slice(call: Call, x: Any, begin: Any, size: Any) -> Any:
    starts, sizes = _numbers(begin), call.op.outputs[0].shape
    index = [
        slice(None) if (a, n) == (0, whole) else slice(a, a + n)
        for a, n, whole in zip(starts, sizes, x.shape, strict=True)
    ]
    return views.indexed(x, tuple(index), call.batch)


def _gathered(call: Call, x: Any, indices: Any, axis: Any) -> Any:
    (axis,) = _numbers(axis)
    if call.attribute("batch_dims"):
        raise UntraceableError("a gather for each sample has no rule")
    if isinstance(indices, np.ndarray) and indices.ndim == 0:
        return views.indexed(x, (*[slice(None)] * axis, int(indices)), call.batch)
    axis %= len(x.shape)
    if views.has_batch(x, call.batch) and axis == views.viewed(x).axis:
        raise UntraceableError("samples are gathered")
    if isinstance(x, views.View) and len(indices.shape) == 1:
        return views.as_seen(ops.take(x.inner, _own(indices), axis=x.place(axis)), x.lead, x.axis)
    return ops.take(_own(x), _own(indices), axis=axis)


def _repeated(call: Call, x: Any, times: Any) -> Any:
    return _each_axis(ops.tile, x, _numbers(times), 1)


def _each_axis(function: Callable[..., Any], x: Any, values: Sequence[Any], idle: Any) -> Any:
    """A function of a tensor and of an argument for each axis, which leaves the batch alone."""
    if not isinstance(x, views.View):
        return function(x, list(values))
    return views.as_seen(function(x.inner, x.per_axis(values, idle)), x.lead, x.axis)


def _broadcast(call: Call, x: Any, shape: Any) -> Any:
    sizes = _numbers(shape)
    if views.has_batch(x, call.batch):
        # by a repetition of axes of size 1, as it leaves the batch alone
        x = _own(x)
        return ops.tile(x, [n // m for n, m in zip(sizes, x.shape, strict=True)])
    return ops.broadcast_to(x, sizes)


def _pad(call: Call, x: Any, amounts: Any, value: Any = None) -> Any:
    pairs = _pairs(call, x, amounts)
    constant = 0 if value is None else np.asarray(value).item()
    words = {"mode": "constant", "constant_values": constant} if constant else {}
    return _each_axis(lambda v, widths: ops.pad(v, widths, **words), x, pairs, (0, 0))


def _mirrored(call: Call, x: Any, amounts: Any) -> Any:
    mode = call.attribute("mode").lower()
    return _each_axis(lambda v, widths: ops.pad(v, widths, mode), x, _pairs(call, x, amounts), (0, 0))


def _depth_to_space(call: Call, x: Any) -> Any:
    return _blocks(call, x, lambda h, w, c, b: ((h, w, b, b, c // b**2), (h * b, w * b, c // b**2)))


def _space_to_depth(call: Call, x: Any) -> Any:
    return _blocks(call, x, lambda h, w, c, b: ((h // b, b, w // b, b, c), (h // b, w // b, c * b**2)))


def _blocks(call: Call, x: Any, shapes: Callable[..., Any]) -> Any:
    """Channels as the positions of a block, or the other way round."""
    if call.attribute("data_format") != "NHWC":
        raise UntraceableError(f"TensorFlow's {call.op.type} with channels first has no counterpart in Keras")
    apart, joined = shapes(*_own(x).shape[1:], call.attribute("block_size"))
    parts = ops.transpose(ops.reshape(x, (x.shape[0], *apart)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(parts, (x.shape[0], *joined))


def _pairs(call: Call, x: Any, amounts: Any) -> list[tuple[int, int]]:
    flat = _numbers(amounts)
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    if views.has_batch(x, call.batch) and pairs[views.viewed(x).axis] != (0, 0):
        raise UntraceableError("samples are added to the batch")
    return pairs


def _reversed(call: Call, x: Any, axes: Any) -> Any:
    chosen = [a % len(x.shape) for a in _numbers(axes)]
    if views.has_batch(x, call.batch) and views.viewed(x).axis in chosen:
        raise UntraceableError("the samples of the batch are reversed")
    if isinstance(x, views.View):
        return views.as_seen(ops.flip(x.inner, axis=tuple(map(x.place, chosen))), x.lead, x.axis)
    return ops.flip(x, axis=tuple(chosen))


def _one_hot(call: Call, x: Any, depth: Any, on: Any, off: Any) -> Any:
    if (np.asarray(on).item(), np.asarray(off).item()) != (1, 0):
        raise UntraceableError("a one-hot encoding of other numbers than 0 and 1 has no rule")
    dtype = keras.backend.standardize_dtype(call.attribute("T"))
    return ops.one_hot(_own(x), _numbers(depth)[0], axis=call.attribute("axis"), dtype=dtype)


def _filled(value: float) -> Rule:
    def rule(call: Call, x: Any) -> Any:
        shape = tuple(call.op.outputs[0].shape)
        return np.full(shape, value, call.op.outputs[0].dtype.as_numpy_dtype)

    return rule


def _same(call: Call, *values: Any) -> Any:
    return list(values)


_UNARY: dict[str, Callable[..., Any]] = {
    "Neg": ops.negative, "Exp": ops.exp, "Expm1": ops.expm1, "Log": ops.log, "Log1p": ops.log1p,
    "Sqrt": ops.sqrt, "Rsqrt": ops.rsqrt, "Square": ops.square, "Abs": ops.absolute, "Sign": ops.sign,
    "Sin": ops.sin, "Cos": ops.cos, "Tan": ops.tan, "Asin": ops.arcsin, "Acos": ops.arccos,
    "Atan": ops.arctan,
    "Sinh": ops.sinh, "Cosh": ops.cosh, "Tanh": ops.tanh, "Asinh": ops.arcsinh, "Acosh": ops.arccosh,
    "Atanh": ops.arctanh, "Sigmoid": ops.sigmoid, "Erf": ops.erf, "Erfc": ops.erfc,
    "Floor": ops.floor, "Ceil": ops.ceil,
    "Round": ops.round, "Rint": ops.round, "Reciprocal": ops.reciprocal, "Inv": ops.reciprocal,
    "Relu": ops.relu, "Relu6": ops.relu6, "Elu": ops.elu, "Selu": ops.selu, "Softplus": ops.softplus,
    "Softsign": ops.softsign, "IsNan": ops.isnan, "IsInf": ops.isinf, "IsFinite": ops.isfinite,
    "LogicalNot": ops.logical_not, "StopGradient": ops.stop_gradient,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    "Add": ops.add, "AddV2": ops.add, "Sub": ops.subtract, "Mul": ops.multiply, "RealDiv": ops.true_divide,
    "Div": ops.true_divide, "FloorDiv": ops.floor_divide, "FloorMod": ops.mod, "Maximum": ops.maximum,
    "Minimum": ops.minimum, "Pow": ops.power, "Greater": ops.greater, "GreaterEqual": ops.greater_equal,
    "Less": ops.less, "LessEqual": ops.less_equal, "Equal": ops.equal, "NotEqual": ops.not_equal,
    "LogicalAnd": ops.logical_and, "LogicalOr": ops.logical_or, "Atan2": ops.arctan2,
    "SquaredDifference": _squared_difference, "DivNoNan": ops.divide_no_nan,
}  # fmt: skip

OPERATORS: dict[str, Rule] = {
    **{name: _elementwise(function) for name, function in (_UNARY | _BINARY).items()},
    **dict.fromkeys(("Identity", "IdentityN", "PreventGradient", "CheckNumerics", "Snapshot"), _same),
    **dict.fromkeys(("ExpandDims", "Squeeze"), _to_stated_shape),
    **dict.fromkeys(("Select", "SelectV2"), _select),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _batch_matmul),
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    "AddN": _sum_of_all, "ArgMax": _extreme(ops.argmax), "ArgMin": _extreme(ops.argmin), "BiasAdd": _bias,
    "All": _reduction(ops.all), "Any": _reduction(ops.any), "AvgPool": _pool(ops.average_pool),
    "AvgPool3D": _pool(ops.average_pool), "BroadcastTo": _broadcast, "Cast": _cast, "ConcatV2": _concatenated,
    "Conv2D": _convolution(ops.conv), "Conv3D": _convolution(ops.conv), "Cumprod": _running(ops.cumprod),
    "Cumsum": _running(ops.cumsum), "DepthwiseConv2dNative": _convolution(ops.depthwise_conv),
    "Einsum": _einsum, "GatherV2": _gathered, "LeakyRelu": _leaky, "LogSoftmax": _softmax(ops.log_softmax),
    "MatMul": _matmul, "Max": _reduction(ops.max), "MaxPool": _pool(ops.max_pool),
    "DepthToSpace": _depth_to_space, "MirrorPad": _mirrored, "SpaceToDepth": _space_to_depth,
    "MaxPool3D": _pool(ops.max_pool), "Mean": _reduction(ops.mean), "Min": _reduction(ops.min),
    "OneHot": _one_hot, "OnesLike": _filled(1),
    "Pack": lambda call, *values: views.stack(values, call.attribute("axis"), call.batch),
    "Prod": _reduction(ops.prod), "Reshape": _reshape, "ReverseV2": _reversed, "Slice": _slice,
    "Softmax": _softmax(ops.softmax), "Split": _split, "SplitV": _split_at, "StridedSlice": _strided,
    "Sum": _reduction(ops.sum), "Tile": _repeated, "Transpose": _transpose, "Unpack": _unpacked,
    "ZerosLike": _filled(0),
}  # fmt: skip
