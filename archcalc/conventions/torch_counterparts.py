"""The torch calls that correspond to a Keras layer: one rule per layer type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from archcalc.arith import Shape, Size, ceil_div, certainly, equal, exact_div, largest, prod
from archcalc.conventions import torch_recurrent
from archcalc.conventions.torch_calls import Call, NoCounterpartError
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer, axis_index
from archcalc.layers.spatial import effective_kernel

Rule = Callable[..., list[Call]]

ACTIVATIONS: Mapping[str, str] = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "celu": "CELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "sigmoid": "Sigmoid",
    "log_sigmoid": "LogSigmoid",
    "tanh": "Tanh",
    "tanh_shrink": "Tanhshrink",
    "hard_sigmoid": "Hardsigmoid",
    "hard_silu": "Hardswish",
    "hard_tanh": "Hardtanh",
    "hard_shrink": "Hardshrink",
    "soft_shrink": "Softshrink",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
}
# `linear` is no call at all; `glu` halves its axis, which no activation of a layer may
NO_MODULE = (
    *("squareplus", "threshold", "sparse_plus", "sparse_sigmoid", "exponential", "sparsemax", "glu"),
)


def counterpart(layer: Layer, *inputs: Shape) -> list[Call]:
    """The torch calls that compute the same as one call of a layer at inference.

    Raises `NoCounterpartError` if there are none.
    """
    kind = type(layer).__name__
    rule = RULES.get(kind)
    if rule is None:
        raise NoCounterpartError(NONE.get(kind, f"torch has no counterpart of {kind}"))
    if getattr(layer, "lora_rank", None) is not None or getattr(layer, "lora", None):
        raise NoCounterpartError("torch's layers have no low-rank adapters")
    return rule(layer, *inputs)


def _time_distributed(layer: Any, x: Shape) -> list[Call]:
    """The counterpart of the layer inside, with all steps as one batch."""
    inner = counterpart(layer.layer.layer, x[1:])
    return [replace(call, times=x[0] * call.times) for call in inner]


# -- convolutions and dense layers ----------------------------------------------------------------
def _channels_first(layer: Any, x: Shape) -> Shape:
    return (layer.channels(x), *layer.sides(x))


def _activated(layer: Any, out: Shape) -> list[Call]:
    return _activation(layer.activation, out)


def _activation(activation: Any, x: Shape, channels: Size | None = None) -> list[Call]:
    """The module of an activation over a tensor of shape x with so many channels (None: its last axis)."""
    name = activation_name(activation)
    if name == "linear":
        return []
    if name not in ACTIVATIONS or isinstance(activation, dict):
        raise NoCounterpartError(f"torch.nn has no module for the activation {name!r}")
    return [Call(ACTIVATIONS[name], x, x, more={"along": x[-1] if channels is None else channels})]


def _weights(kernel: Shape, bias: Size | None) -> dict[str, Shape]:
    return {"weight": kernel} | ({} if bias is None else {"bias": (bias,)})


def _convolution(layer: Any, x: Shape) -> list[Call]:
    out = layer.output_shape(x)
    result = _channels_first(layer, out)
    *window, group_channels, _ = layer.weights(x)[0].shape
    parameters = _weights((result[0], group_channels, *window), result[0] if layer.use_bias else None)
    conv = Call(f"Conv{layer.rank}d", _channels_first(layer, x), result, parameters)
    return [conv, *_activation(layer.activation, result, out[-1])]


def _depthwise(layer: Any, x: Shape) -> list[Call]:
    out = layer.output_shape(x)
    result = _channels_first(layer, out)
    parameters = _weights((result[0], 1, *layer.kernel_size), result[0] if layer.use_bias else None)
    conv = Call(f"Conv{layer.rank}d", _channels_first(layer, x), result, parameters)
    return [conv, *_activation(layer.activation, result, out[-1])]


def _separable(layer: Any, x: Shape) -> list[Call]:
    """A depthwise convolution without bias and a 1x1 convolution."""
    out = layer.output_shape(x)
    result, middle = _channels_first(layer, out), layer.middle_channels(x)
    between = (middle, *result[1:])
    ones = (1,) * layer.rank
    bias = result[0] if layer.use_bias else None
    kind = f"Conv{layer.rank}d"
    return [
        Call(kind, _channels_first(layer, x), between, _weights((middle, 1, *layer.kernel_size), None)),
        Call(kind, between, result, _weights((result[0], middle, *ones), bias)),
        *_activation(layer.activation, result, out[-1]),
    ]


def _transposed(layer: Any, x: Shape) -> list[Call]:
    """Cropping in Keras is padding in torch; a larger output in Keras is output padding in torch."""
    out = layer.output_shape(x)
    source, result = _channels_first(layer, x), _channels_first(layer, out)
    padding = []
    for n, m, k, s, d in zip(
        source[1:], result[1:], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        cropped = (n - 1) * s + effective_kernel(k, d) - m
        padding.append(largest(ceil_div(cropped, 2), 0))
    bias = result[0] if layer.use_bias else None
    parameters = _weights((source[0], result[0], *layer.kernel_size), bias)
    more = {"padding": tuple(padding), "strides": layer.strides, "dilation": layer.dilation_rate}
    conv = Call(f"ConvTranspose{layer.rank}d", source, result, parameters, more)
    return [conv, *_activation(layer.activation, result, out[-1])]


def _dense(layer: Any, x: Shape) -> list[Call]:
    out = layer.output_shape(x)
    parameters = _weights((layer.units, x[-1]), layer.units if layer.use_bias else None)
    return [Call("Linear", x, out, parameters), *_activated(layer, out)]


def _embedding(layer: Any, x: Shape) -> list[Call]:
    weight = {"weight": (layer.input_dim, layer.output_dim)}
    return [Call("Embedding", x, layer.output_shape(x), weight)]


# -- normalisation and activations ----------------------------------------------------------------
def _batch_normalization(layer: Any, x: Shape) -> list[Call]:
    """BatchNorm with scale and shift, or with neither: a layer that has only one of them gets both."""
    if layer.renorm:
        raise NoCounterpartError("torch's BatchNorm has no renormalisation")
    (channels,) = layer.weights(x)[-1].shape
    affine = {"weight": (channels,), "bias": (channels,)} if layer.scale or layer.center else {}
    if len(x) > 4:
        raise NoCounterpartError(f"torch's BatchNorm takes at most three axes of space, not {len(x) - 1}")
    return [Call(f"BatchNorm{[1, 1, 2, 3][len(x) - 1]}d", x, x, affine)]


def _layer_normalization(layer: Any, x: Shape) -> list[Call]:
    axes = layer.axes(x)
    if axes != tuple(range(len(x) - len(axes), len(x))):
        raise NoCounterpartError("torch's LayerNorm normalises over the last axes only")
    shape = tuple(x[axis] for axis in axes)
    if layer.rms_scaling:
        return [Call("RMSNorm", x, x, {"weight": shape})]
    scaled = {"weight": shape} if layer.scale or layer.center else {}
    return [Call("LayerNorm", x, x, scaled | ({"bias": shape} if layer.center else {}))]


def _group_normalization(layer: Any, x: Shape) -> list[Call]:
    """GroupNorm with scale and shift, or with neither, as `_batch_normalization`."""
    axis = axis_index(layer, layer.axis, len(x))
    first = (x[axis], *x[:axis], *x[axis + 1 :])
    affine = {"weight": first[:1], "bias": first[:1]} if layer.scale or layer.center else {}
    return [Call("GroupNorm", first, first, affine)]


def _rms_normalization(layer: Any, x: Shape) -> list[Call]:
    axes = layer.axes(x)
    if axes != tuple(range(len(x) - len(axes), len(x))):
        raise NoCounterpartError("torch's RMSNorm normalises over the last axes only")
    return [Call("RMSNorm", x, x, {"weight": tuple(x[axis] for axis in axes)})]


def _normalization(layer: Any, x: Shape) -> list[Call]:
    first, second = ("*", "+") if layer.invert else ("-", "/")
    return [Call(first, x, x), Call(second, x, x)]


def _relu(layer: Any, x: Shape) -> list[Call]:
    """ReLU, ReLU6 or LeakyReLU; torch has no module with a threshold."""
    match (layer.max_value, layer.negative_slope, layer.threshold):
        case (None, 0, 0):
            kind = "ReLU"
        case (6, 0, 0):
            kind = "ReLU6"
        case (None, _, 0):
            kind = "LeakyReLU"
        case _:
            raise NoCounterpartError("torch's ReLU has neither a threshold nor a maximum other than 6")
    return [Call(kind, x, x)]


def _prelu(layer: Any, x: Shape) -> list[Call]:
    *space, channels = layer.alpha_shape(x)
    if not all(certainly(equal(n, 1)) for n in space):
        raise NoCounterpartError("torch's PReLU has one slope per channel, not one per unit")
    return [Call("PReLU", x, x, {"weight": (channels,)})]


def _softmax(layer: Any, x: Shape) -> list[Call]:
    axes = layer.axes(x)
    if len(axes) > 1:
        raise NoCounterpartError("torch's Softmax runs along one axis")
    return [Call("Softmax", x, x, more={"along": x[axes[0]]})]


# -- pooling and resampling -----------------------------------------------------------------------
def _padded_side(n: Size, k: Size, s: Size, padding: str) -> Size:
    """The size of an axis of the module's input.

    The module itself pads for `same`, equally on both sides, which gives the same output size, except
    at stride 1 with an even window: there the input is padded by a separate module before.
    """
    if padding == "valid" or not certainly(equal(s, 1)) or certainly(equal(k % 2, 1)):
        return n
    return n + k - 1


def _pooling(layer: Any, x: Shape) -> list[Call]:
    kind = "MaxPool" if type(layer).__name__.startswith("Max") else "AvgPool"
    sides = [
        _padded_side(n, k, s, layer.padding)
        for n, k, s in zip(layer.sides(x), layer.pool_size, layer.steps, strict=True)
    ]
    result = _channels_first(layer, layer.output_shape(x))
    return [Call(f"{kind}{layer.rank}d", (layer.channels(x), *sides), result)]


def _global_pooling(layer: Any, x: Shape) -> list[Call]:
    kind = "AdaptiveMaxPool" if "Max" in type(layer).__name__ else "AdaptiveAvgPool"
    channels = layer.channels(x)
    result = (channels, *(1,) * layer.rank)
    return [Call(f"{kind}{layer.rank}d", _channels_first(layer, x), result)]


def _adaptive_pooling(layer: Any, x: Shape) -> list[Call]:
    kind = "AdaptiveMaxPool" if "Max" in type(layer).__name__ else "AdaptiveAvgPool"
    result = _channels_first(layer, layer.output_shape(x))
    return [Call(f"{kind}{layer.rank}d", _channels_first(layer, x), result)]


def _upsampling(layer: Any, x: Shape) -> list[Call]:
    mode = getattr(layer, "interpolation", "nearest")
    if mode.startswith("lanczos"):
        raise NoCounterpartError("torch has no Lanczos interpolation")
    first, *others = layer.size if isinstance(layer.size, tuple) else (layer.size,)
    same = all(certainly(equal(first, n)) for n in others)
    more = {"mode": mode, "rank": layer.rank, "one_factor": same}
    source, result = _channels_first(layer, x), _channels_first(layer, layer.output_shape(x))
    return [Call("Upsample", source, result, more=more)]


def _resizing(layer: Any, x: Shape) -> list[Call]:
    """`F.interpolate` with a size, after what crops or pads the image; torch calls Keras's nearest exact."""
    mode = {"nearest": "nearest-exact"}.get(layer.interpolation, layer.interpolation)
    if mode not in ("nearest-exact", "bilinear", "bicubic"):
        raise NoCounterpartError(f"torch has no {layer.interpolation} interpolation as Keras's")
    if layer.antialias and mode == "nearest-exact":
        raise NoCounterpartError("torch smooths bilinear and bicubic interpolation only")
    before = ["slice"] * layer.crop_to_aspect_ratio + ["F.pad"] * layer.pad_to_aspect_ratio
    source, result = _channels_first(layer, x), _channels_first(layer, layer.output_shape(x))
    more = {"mode": f"{mode} antialias" if layer.antialias else mode, "rank": 2}
    return [
        *(Call(kind, source, source) for kind in before),
        Call("F.interpolate", source, result, more=more),
    ]


# -- merging and attention ------------------------------------------------------------------------
def _merged(sign: str) -> Rule:
    return lambda layer, *inputs: [Call(sign, inputs[0], layer.output_shape(*inputs))] * (len(inputs) - 1)


def _average(layer: Any, *inputs: Shape) -> list[Call]:
    out = layer.output_shape(*inputs)
    return [*_merged("+")(layer, *inputs), Call("/", out, out)]


def _dot(layer: Any, a: Shape, b: Shape) -> list[Call]:
    """A matrix product, after transposes that count nothing."""
    if layer.normalize:
        raise NoCounterpartError("torch.bmm does not normalise")
    if len(a) != 2 or len(b) != 2:
        raise NoCounterpartError("torch.bmm multiplies matrices: inputs of two axes besides the batch")
    i, j = layer.contracted(a, b)
    return [_product((a[1 - i], a[i]), (b[j], b[1 - j]))]


def _product(a: Shape, b: Shape, kind: str = "torch.bmm") -> Call:
    return Call(kind, a, (*a[:-1], b[-1]))


def _matmul(_: Any, *inputs: Shape) -> list[Call]:
    if len(inputs) != 2 or len(inputs[0]) != len(inputs[1]):
        raise NoCounterpartError("torch.matmul with constants or with fewer axes is not compared")
    return [_product(*inputs, "torch.matmul")]


def _einsum_dense(layer: Any, x: Shape) -> list[Call]:
    """`torch.einsum` with a parameter as its second operand, and the operator + with the bias."""
    labels, sizes = layer.sizes((x,))
    out = layer.output_shape(x)
    # torch sums an axis of the input alone before the product, which takes place only where an axis is summed
    alone = prod(n for label, n in sizes.items() if label not in labels.kernel + labels.y)
    summed = prod(n for label, n in sizes.items() if label in labels.kernel and label not in labels.y)
    macs = layer.macs(x)
    more = {
        "macs": macs,
        "by_matrices": 0 if certainly(equal(summed, 1)) else exact_div(macs, alone),
        "contracted": any(label not in labels.y for label in labels.x + labels.kernel),
    }
    parameters = {weight.name.replace("kernel", "weight"): weight.shape for weight in layer.weights(x)}
    biased = [Call("+", out, out)] if layer.bias_axes else []
    return [Call("torch.einsum", x, out, parameters, more), *biased, *_activated(layer, out)]


def _attention(layer: Any, *inputs: Shape) -> list[Call]:
    """The scores, their softmax and the weighted sum of values, written with torch functions."""
    named = layer.named_inputs(inputs)
    if layer.score_mode != "dot" or layer.use_causal_mask or len(named.query) != 2:
        raise NoCounterpartError("only plain dot-product attention over one axis is written out in torch")
    scores = _product(named.query, named.key[::-1])
    soft = Call("F.softmax", scores.output, scores.output)
    scaled = [Call("*", scores.output, scores.output)] * int(layer.use_scale)
    return [scores, *scaled, soft, _product(scores.output, named.value)]


def _multi_head_attention(layer: Any, *inputs: Shape) -> list[Call]:
    """`nn.MultiheadAttention(width, heads, batch_first=True)`, called with `need_weights=False`."""
    named = layer.named_inputs(inputs)
    query, key, value = layer.heads(named)
    width = named.query[-1]
    widths = (prod(query), prod(key), prod(value), named.key[-1], named.value[-1], *layer.result(named))
    if len(named.query) != 2 or not all(certainly(equal(n, width)) for n in widths):
        raise NoCounterpartError("torch's MultiheadAttention needs inputs as wide as num_heads times key_dim")
    if layer.use_causal_mask or layer.use_gate or layer.sliding_window or layer.return_attention_scores:
        raise NoCounterpartError("attention with a mask, a gate or returned scores is not compared")
    parameters: dict[str, Shape] = {"in_proj_weight": (3 * width, width), "out_proj.weight": (width, width)}
    if layer.use_bias:
        parameters |= {"in_proj_bias": (3 * width,), "out_proj.bias": (width,)}
    more = {"width": width, "heads": query[0], "queries": named.query[0], "keys": named.key[0]}
    out = layer.output_shape(*inputs)
    return [Call("MultiheadAttention", named.query, out, parameters, more)]


# -- layers for which no tool counts anything -----------------------------------------------------
def _as(kind: str) -> Rule:
    return lambda layer, *inputs: [Call(kind, inputs[0] if inputs else (), layer.output_shape(*inputs))]


def _nothing(*_: Any) -> list[Call]:
    return []


def _scaled_and_shifted(_: Any, x: Shape) -> list[Call]:
    return [Call("*", x, x), Call("+", x, x)]


_AT_INFERENCE_NOTHING = [
    *("InputLayer", "Identity", "ActivityRegularization", "GaussianNoise", "GaussianDropout"),
    *("AlphaDropout", "RandomFlip", "RandomRotation", "RandomTranslation"),
]
_MOVES = {"Flatten": "Flatten", "Reshape": "Unflatten", "Permute": "permute", "RepeatVector": "expand"}
_OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "true_divide": "/",
    "negative": "-",
    "maximum": "torch.maximum",
    "minimum": "torch.minimum",
}
_FUNCTIONAL = ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "softplus", "softmax")
_PLAIN = (
    *("sigmoid", "tanh", "exp", "log", "sqrt", "square", "absolute", "mean", "sum", "max", "min", "reshape"),
    *("transpose", "concatenate"),
    *("hard_sigmoid", "hard_silu", "log_softmax", "softsign"),
)

_REARRANGING = {
    **{name: name for name in ("split", "stack", "squeeze", "swapaxes", "moveaxis")},
    "unstack": "unbind",
    "expand_dims": "unsqueeze",
}

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(["Conv1D", "Conv2D", "Conv3D"], _convolution),
    **dict.fromkeys(["DepthwiseConv1D", "DepthwiseConv2D"], _depthwise),
    **dict.fromkeys(["SeparableConv1D", "SeparableConv2D"], _separable),
    **{f"Conv{rank}DTranspose": _transposed for rank in (1, 2, 3)},
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    **dict.fromkeys(["RNN", "SimpleRNN", "LSTM", "GRU"], torch_recurrent.recurrent),
    **dict.fromkeys(["SimpleRNNCell", "LSTMCell", "GRUCell"], torch_recurrent.cell),
    "Bidirectional": torch_recurrent.bidirectional,
    "TimeDistributed": _time_distributed,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "GroupNormalization": _group_normalization,
    "RMSNormalization": _rms_normalization,
    "UnitNormalization": _as("F.normalize"),
    "Normalization": _normalization,
    "Activation": lambda layer, x: _activation(layer.activation, x),
    "ReLU": _relu,
    "LeakyReLU": _as("LeakyReLU"),
    "ELU": _as("ELU"),
    "PReLU": _prelu,
    "Softmax": _softmax,
    **{f"{kind}Pooling{rank}D": _pooling for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Global{kind}Pooling{rank}D": _global_pooling for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pooling{rank}D": _adaptive_pooling
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    "Resizing": _resizing,
    "Add": _merged("+"),
    "Subtract": _merged("-"),
    "Multiply": _merged("*"),
    "Maximum": _merged("torch.maximum"),
    "Minimum": _merged("torch.minimum"),
    "Average": _average,
    "Concatenate": _as("torch.cat"),
    "Dot": _dot,
    "Attention": _attention,
    "MultiHeadAttention": _multi_head_attention,
    **dict.fromkeys(_AT_INFERENCE_NOTHING, _nothing),
    **{kind: _as(in_torch) for kind, in_torch in _MOVES.items()},
    "Dropout": _as("Dropout"),
    **{f"SpatialDropout{rank}D": _as(f"Dropout{rank}d") for rank in (1, 2, 3)},
    **{f"ZeroPadding{rank}D": _as(f"ZeroPad{rank}d") for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _as("slice") for rank in (1, 2, 3)},
    "Rescaling": _scaled_and_shifted,
    "CustomScaleLayer": lambda _, a, b: [Call("*", b, b), Call("+", a, a)],
    "LayerScale": _as("*"),
    **{f"ops.{name}": _as(sign) for name, sign in _OPERATORS.items()},
    **{f"ops.{name}": _as(f"F.{name}") for name in _FUNCTIONAL},
    **{f"ops.{name}": _as(f"torch.{name}") for name in _PLAIN},
    "ops.get_item": _as("slice"),
    "ops.image.resize": _resizing,
    "ops.matmul": _matmul,
    "ops.pad": _as("F.pad"),
    **{f"ops.{name}": _as(f"torch.{in_torch}") for name, in_torch in _REARRANGING.items()},
}

NONE: Mapping[str, str] = {
    "Opaque": "nothing is known of its operations",
    **dict.fromkeys(
        ["LocallyConnected1D", "LocallyConnected2D"],
        "torch has no layer with separate weights at every position",
    ),
    **dict.fromkeys(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"], "torch has no convolutional LSTM"),
    "StackedRNNCells": "torch stacks recurrent modules, not cells",
    "SpectralNormalization": "torch computes the norm anew in every pass, Keras's layer in training only",
}
