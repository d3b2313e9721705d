"""What the backward pass reads of the forward pass: one rule per layer type.

Read off TensorFlow's traced graph of a training step of Keras 3.15, which tests repeat for
every rule. Statistics of the batch (a number a channel) are left out, and so are the copies
of weights that mixed precision makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archcalc.arith import Shape, Size, ceil_div, certainly, equal, exact_div, prod
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer


class Kept(NamedTuple):
    """What one call of a layer keeps: inputs by number, its output, units inside it, bytes of masks.

    `inputs` are read for the gradient of the other inputs, `for_weights` and the units of
    `copied` (a rearranged copy of the input, in its place) for that of the layer's own
    weights only. `hidden` counts units in the type of activations. Where that is half
    precision, `single` counts further units in float32, and with `upcast` inputs are copied
    to float32 and hidden units are float32.
    """

    inputs: tuple[int, ...] = ()
    for_weights: tuple[int, ...] = ()
    output: bool = False
    hidden: Size = 0
    masks: Size = 0
    copied: Size = 0
    single: Size = 0
    upcast: bool = False


class Slope(NamedTuple):
    """What the derivative of an activation reads: its input, its output, more a unit, masks a unit."""

    input: bool = False
    output: bool = False
    hidden: int = 0
    masks: int = 0


_INPUT, _OUTPUT = Slope(input=True), Slope(output=True)

SLOPES: Mapping[str, Slope] = {
    "linear": Slope(),
    **dict.fromkeys(["relu", "relu6", "elu", "selu", "sigmoid", "tanh", "exponential"], _OUTPUT),
    **dict.fromkeys(["softmax", "log_softmax"], _OUTPUT),
    **dict.fromkeys(["leaky_relu", "silu", "swish", "softplus", "softsign"], _INPUT),
    **dict.fromkeys(["log_sigmoid", "tanh_shrink", "hard_sigmoid"], Slope(hidden=1)),
    **dict.fromkeys(["mish", "hard_tanh"], Slope(input=True, hidden=1)),
    **dict.fromkeys(["celu", "squareplus", "hard_silu", "hard_swish"], Slope(input=True, hidden=2)),
    "gelu": Slope(hidden=3),
    "hard_shrink": Slope(masks=1),
    "soft_shrink": Slope(masks=2),
    "sparse_sigmoid": Slope(masks=2),
    "sparse_plus": Slope(hidden=1, masks=2),
}

# results that are views of their input: nothing is copied
VIEWS = frozenset(
    [
        "Flatten",
        "Reshape",
        "Identity",
        "ActivityRegularization",
        "ops.reshape",
        "ops.squeeze",
        "ops.expand_dims",
    ]
)

Rule = Callable[..., Kept | None]


def kept(layer: Layer, *inputs: Shape) -> Kept | None:
    """What a call of this layer keeps for the backward pass, or None where no rule says.

    Shapes have no batch axis; figures are those of one sample.
    """
    rule = RULES.get(type(layer).__name__)
    return None if rule is None else rule(layer, *inputs)


def is_view(layer: Layer) -> bool:
    """Whether the output is the input's buffer."""
    name = getattr(layer, "activation", "") if type(layer).__name__ == "Activation" else ""
    return type(layer).__name__ in VIEWS or name == "linear"


# -- rules -------------------------------------------------------------------------------------
def _nothing(*_: Any) -> Kept:
    return Kept()


def _input(*_: Any) -> Kept:
    return Kept(inputs=(0,))


def _output(*_: Any) -> Kept:
    return Kept(output=True)


def _input_and_output(*_: Any) -> Kept:
    return Kept(inputs=(0,), output=True)


def _hidden(times: int, *, masks: int = 0, inputs: tuple[int, ...] = ()) -> Rule:
    return lambda _, x: Kept(inputs, hidden=times * prod(x), masks=masks * prod(x))


def _weighted(layer: Any, x: Shape) -> Kept | None:
    """The input, and behind it what the activation named on the layer reads."""
    return _activated(layer, prod(layer.output_shape(x)), Kept(for_weights=(0,)))


def _convolution(layer: Any, x: Shape) -> Kept | None:
    """Dilated and causal kernels run on a padded copy, whose dilated sides are multiples of the rate."""
    causal = layer.padding == "causal"
    if not causal and all(certainly(equal(d, 1)) for d in layer.dilation_rate):
        return _weighted(layer, x)
    sides = []
    for n, k, d in zip(layer.sides(x), layer.kernel_size, layer.dilation_rate, strict=True):
        padded = n if layer.padding == "valid" else n + d * (k - 1)
        sides.append(n if certainly(equal(d, 1)) and not causal else ceil_div(padded, d) * d)
    copy = layer.channels(x) * prod(sides)
    return _activated(layer, prod(layer.output_shape(x)), Kept(copied=copy))


def _separable(layer: Any, x: Shape) -> Kept | None:
    """And the result of the depthwise half."""
    between = layer.middle_channels(x) * prod(layer.output_sides(x))
    return _activated(layer, prod(layer.output_shape(x)), Kept(for_weights=(0,), hidden=between))


def _activated(layer: Any, units: Size, so_far: Kept) -> Kept | None:
    """The activation's input is no other layer's tensor here."""
    slope = _slope(layer.activation)
    if slope is None:
        return None
    more = (int(slope.input) + slope.hidden) * units
    return so_far._replace(
        output=slope.output, hidden=so_far.hidden + more, masks=so_far.masks + slope.masks * units
    )


def _slope(activation: Any) -> Slope | None:
    return None if isinstance(activation, dict) else SLOPES.get(activation_name(activation))


def _activation(layer: Any, x: Shape) -> Kept | None:
    slope = _slope(layer.activation)
    if slope is None:
        return None
    inputs = (0,) if slope.input else ()
    return Kept(inputs, (), slope.output, slope.hidden * prod(x), slope.masks * prod(x))


def _named(name: str) -> Rule:
    slope = SLOPES[name]
    inputs = (0,) if slope.input else ()
    return lambda _, x: Kept(inputs, (), slope.output, slope.hidden * prod(x), slope.masks * prod(x))


def _relu(layer: Any, x: Shape) -> Kept | None:
    match (layer.max_value, layer.negative_slope, layer.threshold):
        case (None | 6, 0, 0):
            return Kept(output=True)
        case (None, _, 0):
            return Kept(inputs=(0,))
        case (_, 0, 0):
            return Kept(hidden=2 * prod(x))
        case _:
            return None


def _elu(layer: Any, x: Shape) -> Kept:
    return Kept(output=True) if layer.alpha == 1 else Kept(hidden=prod(x), masks=prod(x))


def _softmax(layer: Any, x: Shape) -> Kept | None:
    axes = layer.axes(x)
    if len(axes) > 1:
        return None
    # along another axis it runs on a turned copy
    return Kept(output=True) if axes[0] == len(x) - 1 else Kept(hidden=prod(x))


def _layer_normalization(layer: Any, x: Shape) -> Kept:
    n = prod(x)
    groups = exact_div(n, prod(x[axis] for axis in layer.axes(x)))
    if layer.rms_scaling:
        return Kept(inputs=(0,), hidden=2 * n + groups, upcast=True)
    return Kept(inputs=(0,), hidden=int(layer.scale) * n + 3 * groups, upcast=True)


def _batch_normalization(layer: Any, _: Shape) -> Kept | None:
    return None if layer.renorm else Kept(inputs=(0,), upcast=True)


def _dropout(layer: Any, x: Shape) -> Kept:
    return Kept(masks=prod(x)) if layer.rate else Kept()


def _channel_dropout(layer: Any, x: Shape) -> Kept:
    return Kept(masks=x[-1]) if layer.rate else Kept()


def _noisy(layer: Any, x: Shape) -> Kept:
    return Kept(inputs=(0,), hidden=prod(x)) if layer.rate else Kept()


def _upsampling(layer: Any, x: Shape) -> Kept:
    """Interpolation is computed in float32, and clipped to the range of a half."""
    if getattr(layer, "interpolation", "nearest") == "nearest":
        return Kept()
    return Kept(inputs=(0,), single=2 * prod(layer.output_shape(x)))


def _pairwise(layer: Any, *inputs: Shape) -> Kept:
    """Each operand, and every partial result but the last."""
    partial = [prod(layer.output_shape(*inputs[:n])) for n in range(2, len(inputs))]
    hidden: Size = 0
    for units in partial:
        hidden = hidden + units
    return Kept(inputs=tuple(range(len(inputs))), hidden=hidden)


def _average(layer: Any, *inputs: Shape) -> Kept:
    """The sum that is divided."""
    return Kept(hidden=prod(layer.output_shape(*inputs)))


def _dot(layer: Any, *_: Shape) -> Kept | None:
    return None if layer.normalize else Kept(inputs=(0, 1))


def _attention(layer: Any, *inputs: Shape) -> Kept | None:
    """Query and value, a turned copy of the key, the scores behind the softmax (and before a scale)."""
    given = layer.given(inputs)
    if layer.score_mode != "dot" or layer.dropout or layer.return_attention_scores:
        return None
    scores = layer.pairs(given)
    return Kept(inputs=(0, 1), hidden=(1 + int(layer.use_scale)) * scores + prod(given.key))


def _additive_attention(layer: Any, *inputs: Shape) -> Kept | None:
    given = layer.given(inputs)
    if layer.dropout or layer.return_attention_scores or not layer.use_scale:
        return None
    scores = layer.pairs(given)
    return Kept(inputs=(1,), hidden=scores * (given.query[-1] + 1))


def _projected(layer: Any, *inputs: Shape) -> Kept | None:
    """The inputs, their projections, the scores behind the softmax, and the weighted values."""
    given = layer.given(inputs)
    if layer.use_gate or layer.return_attention_scores:
        return None
    query, key, value = layer.heads(given)
    positions, others = prod(given.query[:-1]), prod(given.value[:-1])
    # heads of keys and values that several queries share are repeated
    repeated = 0 if certainly(equal(query[0], key[0])) else 1
    heads = query[0] if repeated else key[0]
    scores = layer.pairs(given) * query[0]
    dropped = int(layer.dropout > 0) * scores
    hidden = positions * prod(query) + others * heads * (key[1] + value[1]) + positions * query[0] * value[1]
    # the softmax of a half is computed in float32
    single = 0 if layer.dropout > 0 else scores
    return Kept(tuple(range(len(inputs))), (), False, hidden + scores + dropped, dropped, single=single)


_MOVING = [
    *("InputLayer", "Permute", "RepeatVector", "Concatenate", "Add", "Subtract", "GaussianNoise"),
    *("Rescaling", "CustomScaleLayer"),
    *VIEWS,
    *(
        f"{k}{r}D"
        for k in ("ZeroPadding", "Cropping", "AveragePooling", "GlobalAveragePooling")
        for r in (1, 2, 3)
    ),
]

_MOVING_OPERATIONS = ("add", "subtract", "concatenate", "transpose", "mean", "sum")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_MOVING, _nothing),
    **dict.fromkeys(["Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"], _convolution),
    "Dense": _weighted,
    **{f"Conv{rank}DTranspose": _weighted for rank in (1, 2, 3)},
    **dict.fromkeys(["SeparableConv1D", "SeparableConv2D"], _separable),
    "Embedding": lambda *_: Kept(for_weights=(0,)),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Normalization": _hidden(1),
    "LayerScale": _input,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _input,
    "ELU": _elu,
    "PReLU": _hidden(2),
    "Softmax": _softmax,
    **{f"{kind}Pooling{rank}D": _input_and_output for kind in ("Max", "GlobalMax") for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
    **dict.fromkeys(["Multiply", "Maximum", "Minimum"], _pairwise),
    "Average": _average,
    "Dot": _dot,
    "Dropout": _dropout,
    **{f"SpatialDropout{rank}D": _channel_dropout for rank in (1, 2, 3)},
    **dict.fromkeys(["GaussianDropout", "AlphaDropout"], _noisy),
    "Attention": _attention,
    "AdditiveAttention": _additive_attention,
    **dict.fromkeys(["MultiHeadAttention", "GroupQueryAttention"], _projected),
    **{f"ops.{name}": _nothing for name in _MOVING_OPERATIONS},
    "ops.multiply": lambda _, *inputs: Kept(inputs=tuple(range(len(inputs))) if len(inputs) > 1 else ()),
    "ops.matmul": lambda _, *inputs: Kept(inputs=tuple(range(len(inputs)))),
    **{f"ops.{name}": _named(name) for name in SLOPES if name not in
       ("linear", "exponential", "mish", "swish", "hard_swish", "softmax", "gelu", "log_softmax")},
}  # fmt: skip
