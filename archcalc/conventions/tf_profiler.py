"""FLOPs as TensorFlow's profiler counts them for a Keras 3 model at inference, batch 1.

The profiler adds up the operations of the traced graph for which TensorFlow registers a
figure (`tensorflow/python/profiler/internal/flops_registry.py`): 2 for each multiply-add
of convolutions and matrix products, 1 for each output of a sum, product or bias, the size of
the window for each output of a pooling. Operations without a registered figure (relu, sigmoid,
tanh, einsum, three-dimensional pooling, maxima over axes) silently count nothing, and neither does
what is inside a loop or compiled with XLA (grouped convolutions). The operations of each
Keras layer are those of its traced graph (Keras 3.15, TensorFlow 2.21).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcalc.arith import Shape, Size, ceil_div, exact_div, floor_div, prod, total
from archcalc.conventions import tf_attention, tf_recurrent
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS
from archcalc.layers.activations import ROWS, activation_name
from archcalc.layers.base import Layer, axis_index
from archcalc.layers.inner import with_inner

Rule = Callable[..., Any]


def flops(layer: Layer, *inputs: Shape) -> Size | None:
    """The profiler's figure for one call of a layer; None if no rule covers it.

    Shapes have no batch axis; sizes may be symbols.
    """
    rule = RULES.get(type(layer).__name__)
    if rule is None or exemption(layer) is not None:
        return None
    work: Size = rule(layer, *inputs)
    return work


def exemption(layer: Layer) -> str | None:
    """The reason why no rule covers a call of this layer; None if one does."""
    return next((reason for part in with_inner([layer]) if (reason := _reason(part))), None)


def _reason(layer: Layer) -> str | None:
    """As `exemption`, of a layer without those inside it."""
    kind = type(layer).__name__
    if kind not in RULES:
        return EXEMPT.get(kind, f"no rule for {kind}")
    arguments = {name: getattr(layer, name) for name in layer.kinds}
    if arguments.get("activity_regularizer") is not None or layer.activity_regularizer is not None:
        return "an activity regularizer adds operations"
    if arguments.get("lora_rank") is not None or arguments.get("lora"):
        return "LoRA multiplies its factors in every pass"
    if arguments.get("implementation", 1) != 1:
        return "the kernel is gathered from its storage in every pass"
    for argument in ("activation", "recurrent_activation"):
        name = activation_name(arguments.get(argument))
        if name not in ACTIVATION_FLOPS or isinstance(arguments.get(argument), dict):
            return f"no rule for the activation {name!r}"
    special = _SPECIAL.get(kind)
    return special(layer) if special else None


def covered() -> list[str]:
    """The names of the layer types with a rule, sorted."""
    return sorted(RULES)


# -- rules -------------------------------------------------------------------------------------
def _constant(count: int) -> Rule:
    return lambda *_: count


def _per_unit(count: int) -> Rule:
    return lambda _, x: count * prod(x)


def _bias_and_activation(layer: Any, out: Shape) -> Size:
    return (int(layer.use_bias) + ACTIVATION_FLOPS[activation_name(layer.activation)]) * prod(out)


def _multiply_adds(layer: Any, *inputs: Shape) -> Size:
    macs: Size = layer.macs(*inputs)
    return 2 * macs + _bias_and_activation(layer, layer.output_shape(*inputs))


def _positions(layer: Any, x: Shape) -> Size:
    """The number of positions of a window; dilated sides are rounded up to multiples of the rate."""
    return prod(ceil_div(n, d) * d for n, d in zip(layer.output_sides(x), layer.dilation_rate, strict=True))


def _convolution(layer: Any, x: Shape) -> Size:
    if getattr(layer, "groups", 1) != 1:
        # Keras compiles grouped convolutions with XLA, and the profiler does not look inside
        return _bias_and_activation(layer, layer.output_shape(x))
    kernel = layer.weights(x)[0].shape
    return 2 * prod(kernel) * _positions(layer, x) + _bias_and_activation(layer, layer.output_shape(x))


def _separable(layer: Any, x: Shape) -> Size:
    """Only the depthwise convolution is dilated."""
    depthwise, pointwise = (prod(w.shape) for w in layer.weights(x)[:2])
    work = depthwise * _positions(layer, x) + pointwise * prod(layer.output_sides(x))
    return 2 * work + _bias_and_activation(layer, layer.output_shape(x))


def _transposed(layer: Any, x: Shape) -> Size:
    """The figure of a convolution with the same kernel and output, divided by the strides, rounded down."""
    out = layer.output_shape(x)
    if layer.data_format == "channels_first":
        # the figure of this operation is registered for channels-last tensors only
        return _bias_and_activation(layer, out)
    kernel, *_ = layer.weights(x)
    work = 2 * prod(out) * prod(kernel.shape)
    return floor_div(work, out[layer.channel_axis] * prod(layer.strides)) + _bias_and_activation(layer, out)


def _convolution_3d(layer: Any, x: Shape) -> Size:
    """As `_convolution`; channels-first has no registered figure, and Keras does not transpose 3D inputs."""
    if layer.data_format == "channels_first":
        return _bias_and_activation(layer, layer.output_shape(x))
    return _convolution(layer, x)


def _transposed_3d(layer: Any, x: Shape) -> Size:
    """Bias and activation only: the three-dimensional operation has no registered figure."""
    return _bias_and_activation(layer, layer.output_shape(x))


def _pooling(layer: Any, x: Shape) -> Size:
    return prod(layer.pool_size) * prod(layer.output_shape(x))


def _merge(layer: Any, *inputs: Shape) -> Size:
    """1 for each unit of every partial result."""
    return total(prod(layer.output_shape(*inputs[:n])) for n in range(2, len(inputs) + 1))


def _time_distributed(layer: Any, x: Shape) -> Size:
    """Keras writes out the steps one by one."""
    figure: Size = x[0] * RULES[type(layer.layer.layer).__name__](layer.layer.layer, x[1:])
    return figure


def _average(layer: Any, *inputs: Shape) -> Size:
    return _merge(layer, *inputs) + prod(layer.output_shape(*inputs))


def _batch_normalization(layer: Any, x: Shape) -> Size:
    """The figure of x * a + b, where a and b are computed from the moving statistics in every pass."""
    statistics = layer.weights(x)[-1].shape
    return 2 * prod(x) + (5 + int(layer.scale)) * prod(statistics)


def _layer_normalization(layer: Any, x: Shape) -> Size:
    n = prod(x)
    means = exact_div(n, prod(x[axis] for axis in layer.axes(x)))
    if layer.rms_scaling:
        return 6 * n + 3 * means
    per_unit = 6 + int(layer.center) + 2 * int(layer.scale)
    return per_unit * n + (4 if layer.scale else 5) * means


def _over_axes(per_unit: int, per_group: int) -> Rule:
    """The rule of a normalisation over axes, from its operations per unit and per group of units."""

    def rule(layer: Any, x: Shape) -> Size:
        n = prod(x)
        return per_unit * n + per_group * exact_div(n, prod(x[axis] for axis in layer.axes(x)))

    return rule


def _group_normalization(layer: Any, x: Shape) -> Size:
    """Means and deviations of each group become a scale and a shift, per channel if there are weights."""
    channels = x[axis_index(layer, layer.axis, len(x))]
    groups = exact_div(channels, layer.members(x))
    weights = int(layer.scale) * (2 * channels - groups) + int(layer.center) * channels
    return 6 * prod(x) + 5 * groups + weights


def _embedding(layer: Any, x: Shape) -> Size:
    """A lookup takes two operations an index; with `mask_zero` a comparison makes the mask."""
    return (2 + int(layer.mask_zero)) * prod(x)


def _reversible_embedding(layer: Any, x: Shape) -> Size:
    if not layer.reverse:
        return _embedding(layer, x)
    capped = 0 if layer.logit_soft_cap is None else 2 * prod(layer.output_shape(x))
    macs: Size = layer.macs(x)
    return 2 * macs + capped


def _prelu(layer: Any, x: Shape) -> Size:
    return 3 * prod(x) + prod(layer.alpha_shape(x))


def _relu(layer: Any, x: Shape) -> Size:
    capped = layer.max_value not in (None, 6)
    return 2 * prod(x) if capped else 0


def _softmax(layer: Any, x: Shape) -> Size:
    return 5 * prod(x) + _transposing(layer, x)


def _transposing(layer: Any, x: Shape) -> Size:
    """Scalar operations that compute the transpose for an axis other than the last: 2, or 5 if negative."""
    (axis,) = layer.axes(x)
    return 0 if axis == len(x) - 1 else 2 if layer.axis > 0 else 5


def _upsampling(layer: Any, _: Shape) -> Size:
    """Scalar operations that compute the new sizes."""
    interpolation = getattr(layer, "interpolation", "nearest")
    by_kind: Mapping[str, int] = {"nearest": layer.rank, "lanczos3": 2, "lanczos5": 2}
    return by_kind.get(interpolation, 0)


_AUGMENTATIONS = [
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear", "RandomPerspective"),
    *("RandomErasing", "RandomGaussianBlur", "RandomBrightness", "RandomContrast", "RandomInvert", "CutMix"),
    *("RandAugment", "AugMix", "Solarization", "Equalization", "RandomElasticTransform"),
    *("RandomColorJitter", "RandomCrop"),
]
# layers that draw random numbers at inference, too
_RANDOM_AT_INFERENCE = [
    *("RandomHue", "RandomSaturation", "RandomSharpness", "RandomPosterization"),
    *("RandomColorDegeneration", "RandomGrayscale", "MixUp"),
]
_NO_ARITHMETIC = [
    *("InputLayer", "Identity", "Flatten", "Reshape", "Permute", "Concatenate", "LeakyReLU"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *(f"{kind}{rank}D" for kind in ("SpatialDropout", "ZeroPadding", "Cropping") for rank in (1, 2, 3)),
]
_NOT_REGISTERED = [
    *("MaxPooling3D", "AveragePooling3D"),
    *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
]
_RECURRENT = [
    *("RNN", "SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"),
    *("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
]
_CONVOLUTIONS = ["Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"]


def _normalization(layer: Any, x: Shape) -> Size:
    """A difference and a quotient for each unit, and a lower bound for each deviation in every pass."""
    return 2 * prod(x) + prod(x[axis] for axis in layer.statistic_axes(x))


def _output(count: int) -> Rule:
    return lambda layer, *inputs: count * prod(layer.output_shape(*inputs))


def _sum(layer: Any, x: Shape) -> Size:
    return prod(x) - prod(layer.output_shape(x))


def _split(layer: Any, *_: Shape) -> Size:
    """Keras computes the size of each part but the first from the indices, if it has any."""
    indices = layer.indices_or_sections
    return len(indices) if isinstance(indices, list | tuple) else 0


_OPERATIONS: Mapping[str, Rule] = {
    **dict.fromkeys(
        ["add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum"], _output(1)
    ),
    **dict.fromkeys(["reshape", "concatenate", "transpose", "get_item", "max"], _constant(0)),
    **{
        name: _output(n)
        for name, n in ACTIVATION_FLOPS.items()
        # the operation `gelu` is the approximate one by default
        if ROWS[name].operation and not ROWS[name].couples_channels and name != "gelu"
    },
    **dict.fromkeys(["exp", "sqrt", "absolute"], _constant(0)),
    **dict.fromkeys(["square", "log", "negative"], _output(1)),
    "split": _split,
    "log_softmax": _transposing,
    "mean": _per_unit(1),
    "sum": _sum,
    "matmul": lambda layer, *inputs: 2 * layer.macs(*inputs),
}

RULES: Mapping[str, Rule] = {
    **{f"ops.{name}": rule for name, rule in _OPERATIONS.items()},
    **dict.fromkeys([*_NO_ARITHMETIC, *_NOT_REGISTERED], _constant(0)),
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(["SeparableConv1D", "SeparableConv2D"], _separable),
    **dict.fromkeys(["Dense", "LocallyConnected1D", "LocallyConnected2D"], _multiply_adds),
    "Conv3D": _convolution_3d,
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
    "Conv3DTranspose": _transposed_3d,
    **dict.fromkeys(["MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"], _pooling),
    **{f"GlobalAveragePooling{rank}D": _per_unit(1) for rank in (1, 2, 3)},
    **dict.fromkeys(["Add", "Subtract", "Multiply", "Maximum", "Minimum"], _merge),
    "Average": _average,
    "Dot": lambda layer, *inputs: 2 * layer.macs(*inputs),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "RMSNormalization": _over_axes(4, 3),
    "UnitNormalization": _over_axes(3, 2),
    "GroupNormalization": _group_normalization,
    "SpectralNormalization": lambda layer, x: flops(layer.layer.layer, x),
    "TimeDistributed": _time_distributed,
    "EinsumDense": tf_attention.einsum_dense,
    "MultiHeadAttention": tf_attention.projected,
    "GroupQueryAttention": tf_attention.grouped,
    **dict.fromkeys(["Attention", "AdditiveAttention"], tf_attention.unprojected),
    **dict.fromkeys(_RECURRENT, tf_recurrent.flops),
    "Bidirectional": tf_recurrent.bidirectional,
    "ReversibleEmbedding": _reversible_embedding,
    "STFTSpectrogram": lambda layer, x: 2 * layer.macs(x),
    "AutoContrast": lambda _, x: 4 * prod(x) + 4 * x[2],
    "Activation": lambda layer, x: ACTIVATION_FLOPS[activation_name(layer.activation)] * prod(x),
    "ReLU": _relu,
    "ELU": lambda layer, x: 0 if layer.alpha == 1 else 2 * prod(x),
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Rescaling": _per_unit(2),
    "Masking": _per_unit(1),
    "Embedding": _embedding,
    "RepeatVector": _constant(1),
    "Normalization": _normalization,
    "CustomScaleLayer": _output(2),
    "LayerScale": _output(1),
    **dict.fromkeys([*_AUGMENTATIONS, "CenterCrop", "Resizing"], _constant(0)),
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
}

# the products of matrices or convolutions in a figure, of types that are not one product with a bias
PRODUCTS: Mapping[str, Rule] = {
    "EinsumDense": tf_attention.einsum_products,
    **dict.fromkeys(["MultiHeadAttention", "GroupQueryAttention"], tf_attention.projected_products),
    **dict.fromkeys(["Attention", "AdditiveAttention"], tf_attention.unprojected_products),
    **dict.fromkeys(_RECURRENT, tf_recurrent.products),
}

EXEMPT: Mapping[str, str] = {
    "ActivityRegularization": "its penalty adds operations",
    "Opaque": "nothing is known of its operations",
    **dict.fromkeys(["CuDNNLSTM", "CuDNNGRU", "PruneLowMagnitude"], "Keras 3 does not have it"),
    **{
        f"Adaptive{kind}Pooling{rank}D": "it selects windows from several poolings, which have no rule"
        for kind in ("Average", "Max")
        for rank in (1, 2, 3)
    },
    **dict.fromkeys(
        ["CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup"],
        "the operations of a look-up have no rule",
    ),
    **dict.fromkeys(
        _RANDOM_AT_INFERENCE, "it draws random numbers at inference, too, and their arithmetic counts"
    ),
}


_SPECIAL: Mapping[str, Callable[[Any], str | None]] = {
    "Dot": lambda layer: "normalised products take more operations" if layer.normalize else None,
    "ReLU": lambda layer: (
        "a threshold, or a slope with a maximum, uses other operations"
        if layer.threshold or (layer.negative_slope and layer.max_value is not None)
        else None
    ),
    **dict.fromkeys(_RECURRENT, tf_recurrent.exemption),
    "STFTSpectrogram": lambda layer: (
        None if layer.parts == 1 else f"no rule for the arithmetic of mode={layer.mode!r}"
    ),
    "AutoContrast": lambda layer: (
        None
        if tuple(layer.value_range) == (0, 255)
        else "a value_range other than (0, 255) is scaled to and from 0..255"
    ),
    "Resizing": lambda layer: (
        None
        if layer.interpolation in ("nearest", "bilinear")
        and not (layer.antialias or layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio)
        else "with these arguments it uses other operations"
    ),
    "Softmax": lambda layer: (
        "over several axes it uses other operations" if isinstance(layer.axis, tuple) else None
    ),
}
