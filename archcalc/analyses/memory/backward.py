"""What a layer saves in the forward pass for the backward pass: one rule per layer type.

The rules follow TensorFlow's traced graph of a training step in Keras 3.15; tests check every rule
against such a graph. Statistics of the batch (one number per channel) are left out, and so are the
copies of weights in mixed precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archcalc.arith import Shape, Size, ceil_div, certainly, equal, exact_div, prod
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer


class Saved(NamedTuple):
    """What one call of a layer saves: inputs by number, its output, units inside it, bytes of masks.

    `inputs` are saved for the gradients of the other inputs, `for_weights` and `copied` (units of a
    rearranged copy that replaces the input) for those of the layer's own weights only. `hidden` counts
    units in the type of activations. Where that is half precision, `float32_units` counts further units in
    float32, and with `upcast` inputs are copied to float32 and hidden units are float32.
    """

    inputs: tuple[int, ...] = ()
    for_weights: tuple[int, ...] = ()
    output: bool = False
    hidden: Size = 0
    masks: Size = 0
    copied: Size = 0
    float32_units: Size = 0
    upcast: bool = False


class SavedByActivation(NamedTuple):
    """What an activation's derivative needs: input, output, and per unit `hidden` values and mask bytes."""

    input: bool = False
    output: bool = False
    hidden: int = 0
    masks: int = 0


_INPUT, _OUTPUT = SavedByActivation(input=True), SavedByActivation(output=True)

SAVED_BY_ACTIVATION: Mapping[str, SavedByActivation] = {
    "linear": SavedByActivation(),
    **dict.fromkeys(["relu", "relu6", "elu", "selu", "sigmoid", "tanh", "exponential"], _OUTPUT),
    **dict.fromkeys(["softmax", "log_softmax"], _OUTPUT),
    **dict.fromkeys(["leaky_relu", "silu", "swish", "softplus", "softsign"], _INPUT),
    **dict.fromkeys(["log_sigmoid", "tanh_shrink", "hard_sigmoid"], SavedByActivation(hidden=1)),
    **dict.fromkeys(["mish", "hard_tanh"], SavedByActivation(input=True, hidden=1)),
    **dict.fromkeys(
        ["celu", "squareplus", "hard_silu", "hard_swish"], SavedByActivation(input=True, hidden=2)
    ),
    "gelu": SavedByActivation(hidden=3),
    "hard_shrink": SavedByActivation(masks=1),
    "soft_shrink": SavedByActivation(masks=2),
    "sparse_sigmoid": SavedByActivation(masks=2),
    "sparse_plus": SavedByActivation(hidden=1, masks=2),
}

# layers whose output is a view of their input
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

Rule = Callable[..., Saved | None]


def saved_for_backward(layer: Layer, *inputs: Shape) -> Saved | None:
    """What a call of this layer saves for the backward pass, per sample; None if its type has no rule.

    Shapes have no batch axis.
    """
    rule = RULES.get(type(layer).__name__)
    return None if rule is None else rule(layer, *inputs)


def is_view(layer: Layer) -> bool:
    """Whether the layer's output shares the buffer of its input."""
    name = getattr(layer, "activation", "") if type(layer).__name__ == "Activation" else ""
    return type(layer).__name__ in VIEWS or name == "linear"


# -- rules -------------------------------------------------------------------------------------
def _nothing(*_: Any) -> Saved:
    return Saved()


def _input(*_: Any) -> Saved:
    return Saved(inputs=(0,))


def _output(*_: Any) -> Saved:
    return Saved(output=True)


def _input_and_output(*_: Any) -> Saved:
    return Saved(inputs=(0,), output=True)


def _hidden(times: int, *, masks: int = 0, inputs: tuple[int, ...] = ()) -> Rule:
    return lambda _, x: Saved(inputs, hidden=times * prod(x), masks=masks * prod(x))


def _weighted(layer: Any, x: Shape) -> Saved | None:
    """The input, and what the derivative of the layer's activation needs."""
    return _activated(layer, prod(layer.output_shape(x)), Saved(for_weights=(0,)))


def _convolution(layer: Any, x: Shape) -> Saved | None:
    """As `_weighted`; dilated or causal kernels save a padded copy, dilated sides rounded up to the rate."""
    causal = layer.padding == "causal"
    if not causal and all(certainly(equal(d, 1)) for d in layer.dilation_rate):
        return _weighted(layer, x)
    sides = []
    for n, k, d in zip(layer.sides(x), layer.kernel_size, layer.dilation_rate, strict=True):
        padded = n if layer.padding == "valid" else n + d * (k - 1)
        sides.append(n if certainly(equal(d, 1)) and not causal else ceil_div(padded, d) * d)
    copy = layer.channels(x) * prod(sides)
    return _activated(layer, prod(layer.output_shape(x)), Saved(copied=copy))


def _separable(layer: Any, x: Shape) -> Saved | None:
    """As `_weighted`, and the output of the depthwise convolution."""
    between = layer.middle_channels(x) * prod(layer.output_sides(x))
    return _activated(layer, prod(layer.output_shape(x)), Saved(for_weights=(0,), hidden=between))


def _activated(layer: Any, units: Size, so_far: Saved) -> Saved | None:
    """`so_far`, and what the activation needs, whose input is a tensor inside the layer."""
    saved = _saved_by_activation(layer.activation)
    if saved is None:
        return None
    more = (int(saved.input) + saved.hidden) * units
    return so_far._replace(
        output=saved.output, hidden=so_far.hidden + more, masks=so_far.masks + saved.masks * units
    )


def _saved_by_activation(activation: Any) -> SavedByActivation | None:
    name = activation_name(activation)
    if isinstance(activation, dict) and name != "leaky_relu":
        return None
    return SAVED_BY_ACTIVATION.get(name)


def _activation(layer: Any, x: Shape) -> Saved | None:
    saved = _saved_by_activation(layer.activation)
    if saved is None:
        return None
    inputs = (0,) if saved.input else ()
    return Saved(inputs, (), saved.output, saved.hidden * prod(x), saved.masks * prod(x))


def _named(name: str) -> Rule:
    saved = SAVED_BY_ACTIVATION[name]
    inputs = (0,) if saved.input else ()
    return lambda _, x: Saved(inputs, (), saved.output, saved.hidden * prod(x), saved.masks * prod(x))


def _relu(layer: Any, x: Shape) -> Saved | None:
    match (layer.max_value, layer.negative_slope, layer.threshold):
        case (None | 6, 0, 0):
            return Saved(output=True)
        case (None, _, 0):
            return Saved(inputs=(0,))
        case (_, 0, 0):
            return Saved(hidden=2 * prod(x))
        case _:
            return None


def _elu(layer: Any, x: Shape) -> Saved:
    return Saved(output=True) if layer.alpha == 1 else Saved(hidden=prod(x), masks=prod(x))


def _softmax(layer: Any, x: Shape) -> Saved | None:
    axes = layer.axes(x)
    if len(axes) > 1:
        return None
    # along another axis it runs on a transposed copy
    return Saved(output=True) if axes[0] == len(x) - 1 else Saved(hidden=prod(x))


def _layer_normalization(layer: Any, x: Shape) -> Saved:
    n = prod(x)
    groups = exact_div(n, prod(x[axis] for axis in layer.axes(x)))
    if layer.rms_scaling:
        return Saved(inputs=(0,), hidden=2 * n + groups, upcast=True)
    return Saved(inputs=(0,), hidden=int(layer.scale) * n + 3 * groups, upcast=True)


def _batch_normalization(layer: Any, _: Shape) -> Saved | None:
    return None if layer.renorm else Saved(inputs=(0,), upcast=True)


def _dropout(layer: Any, x: Shape) -> Saved:
    return Saved(masks=prod(x)) if layer.rate else Saved()


def _channel_dropout(layer: Any, x: Shape) -> Saved:
    return Saved(masks=x[-1]) if layer.rate else Saved()


def _noisy(layer: Any, x: Shape) -> Saved:
    return Saved(inputs=(0,), hidden=prod(x)) if layer.rate else Saved()


def _upsampling(layer: Any, x: Shape) -> Saved:
    """Interpolation is computed in float32, and then clipped to the range of float16."""
    if getattr(layer, "interpolation", "nearest") == "nearest":
        return Saved()
    return Saved(inputs=(0,), float32_units=2 * prod(layer.output_shape(x)))


def _pairwise(layer: Any, *inputs: Shape) -> Saved:
    """All operands, and every partial result except the last."""
    partial = [prod(layer.output_shape(*inputs[:n])) for n in range(2, len(inputs))]
    hidden: Size = 0
    for units in partial:
        hidden = hidden + units
    return Saved(inputs=tuple(range(len(inputs))), hidden=hidden)


def _average(layer: Any, *inputs: Shape) -> Saved:
    """The sum before the division."""
    return Saved(hidden=prod(layer.output_shape(*inputs)))


def _dot(layer: Any, *_: Shape) -> Saved | None:
    return None if layer.normalize else Saved(inputs=(0, 1))


def _attention(layer: Any, *inputs: Shape) -> Saved | None:
    """Query and value, a transposed copy of the key, the scores after the softmax (and before a scale)."""
    named = layer.named_inputs(inputs)
    if layer.score_mode != "dot" or layer.dropout or layer.return_attention_scores:
        return None
    scores = layer.pairs(named)
    return Saved(inputs=(0, 1), hidden=(1 + int(layer.use_scale)) * scores + prod(named.key))


def _additive_attention(layer: Any, *inputs: Shape) -> Saved | None:
    named = layer.named_inputs(inputs)
    if layer.dropout or layer.return_attention_scores or not layer.use_scale:
        return None
    scores = layer.pairs(named)
    return Saved(inputs=(1,), hidden=scores * (named.query[-1] + 1))


def _projected(layer: Any, *inputs: Shape) -> Saved | None:
    """The inputs, their projections, the scores after the softmax, and the weighted values."""
    named = layer.named_inputs(inputs)
    if layer.use_gate or layer.return_attention_scores:
        return None
    query, key, value = layer.heads(named)
    positions, others = prod(named.query[:-1]), prod(named.value[:-1])
    # heads of keys and values that several queries share are copied for each of them
    repeated = 0 if certainly(equal(query[0], key[0])) else 1
    heads = query[0] if repeated else key[0]
    scores = layer.pairs(named) * query[0]
    dropped = int(layer.dropout > 0) * scores
    hidden = positions * prod(query) + others * heads * (key[1] + value[1]) + positions * query[0] * value[1]
    # in half precision the softmax is computed in float32
    float32_units = 0 if layer.dropout > 0 else scores
    return Saved(
        tuple(range(len(inputs))), (), False, hidden + scores + dropped, dropped, float32_units=float32_units
    )


_SAVING_NOTHING = [
    *("InputLayer", "Permute", "RepeatVector", "Concatenate", "Add", "Subtract", "GaussianNoise"),
    *("Rescaling", "CustomScaleLayer"),
    *VIEWS,
    *(
        f"{k}{r}D"
        for k in ("ZeroPadding", "Cropping", "AveragePooling", "GlobalAveragePooling")
        for r in (1, 2, 3)
    ),
]

_OPERATIONS_SAVING_NOTHING = ("add", "subtract", "concatenate", "transpose", "mean", "sum")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAVING_NOTHING, _nothing),
    **dict.fromkeys(["Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"], _convolution),
    "Dense": _weighted,
    **{f"Conv{rank}DTranspose": _weighted for rank in (1, 2, 3)},
    **dict.fromkeys(["SeparableConv1D", "SeparableConv2D"], _separable),
    "Embedding": lambda *_: Saved(for_weights=(0,)),
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
    **{f"ops.{name}": _nothing for name in _OPERATIONS_SAVING_NOTHING},
    "ops.multiply": lambda _, *inputs: Saved(inputs=tuple(range(len(inputs))) if len(inputs) > 1 else ()),
    "ops.matmul": lambda _, *inputs: Saved(inputs=tuple(range(len(inputs)))),
    **{f"ops.{name}": _named(name) for name in SAVED_BY_ACTIVATION if name not in
       ("linear", "exponential", "mish", "swish", "hard_swish", "softmax", "gelu", "log_softmax")},
}  # fmt: skip
