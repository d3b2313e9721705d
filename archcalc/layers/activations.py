"""Keras's named activation functions, elementwise functions in `keras.ops`, and ranges of their slopes.

A range is [inf phi', sup phi'] over all inputs at which the derivative exists, rounded outward,
or None for functions that do not act on each unit separately. If the supremum is attained at a
finite input (gelu at sqrt(2), silu, mish), it was computed at a root of the second derivative, to 30
digits; a test compares all ranges with Keras's derivatives on a dense grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archcalc.arith import Shape, Size, prod
from archcalc.layers.primitives import Pointwise, Primitives, Softmax, Sparsemax, Unbounded
from archcalc.layers.window import Window, whole_along

INFINITY = float("inf")
Range = tuple[float, float]


class Activation(NamedTuple):
    """One activation function."""

    slopes: Range | None
    couples_channels: bool = False  # each output depends on the whole last axis (softmax)


_UNIT = (0.0, 1.0)
# Keras adds a maximum and a minimum; at 0, a common input after a ReLU, both pass the gradient
_CELU = (0.0, 2.0)
_EITHER = (-1.0, 1.0)
_ANY = (-INFINITY, INFINITY)
_RISING = (0.0, INFINITY)
_GELU = (-0.1289041452, 1.1289041452)
_GELU_TANH = (-0.1289930687, 1.1289930687)

ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation((1.0, 1.0)),
    "relu": Activation(_UNIT),
    "relu6": Activation(_UNIT),
    "leaky_relu": Activation((0.2, 1.0)),
    "elu": Activation(_UNIT),
    "celu": Activation(_CELU),
    "selu": Activation((0.0, 1.7580993409)),
    "gelu": Activation(_GELU),
    "silu": Activation((-0.0998393202, 1.0998393202)),
    "mish": Activation((-0.1125261224, 1.0884981613)),
    "softplus": Activation(_UNIT),
    "softsign": Activation(_UNIT),
    "squareplus": Activation(_UNIT),
    "sigmoid": Activation((0.0, 0.25)),
    "log_sigmoid": Activation(_UNIT),
    "tanh": Activation(_UNIT),
    "tanh_shrink": Activation(_UNIT),
    "hard_sigmoid": Activation((0.0, 1 / 6 + 1e-12)),
    "hard_silu": Activation((-0.5, 1.5)),
    "hard_tanh": Activation(_UNIT),
    # these two are discontinuous, with no derivative at the jumps
    "hard_shrink": Activation(_UNIT),
    "threshold": Activation(_UNIT),
    "soft_shrink": Activation(_UNIT),
    "sparse_plus": Activation(_UNIT),
    "sparse_sigmoid": Activation((0.0, 0.5)),
    "exponential": Activation(_RISING),
    "softmax": Activation(None, couples_channels=True),
    "log_softmax": Activation(None, couples_channels=True),
    "sparsemax": Activation(None, couples_channels=True),
    "glu": Activation(None, couples_channels=True),
}
ACTIVATIONS |= {"swish": ACTIVATIONS["silu"], "hard_swish": ACTIVATIONS["hard_silu"]}

# activations that are layers too, and the arguments of these, which an activation may state
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "relu": ("max_value", "negative_slope", "threshold"),
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha",),
}
LAYERS: Mapping[str, str] = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU"}

# elementwise functions that are not activations; those without an entry have no bound
FUNCTIONS: dict[str, Range] = {
    "absolute": _EITHER,
    "arcsinh": _UNIT,
    "arctan": _UNIT,
    "clip": _UNIT,
    "cos": _EITHER,
    "deg2rad": (0.0, 0.0174532926),
    "erf": (0.0, 1.1283791671),
    "erfc": (-1.1283791671, 0.0),
    "logaddexp": _UNIT,
    "maximum": _UNIT,
    "minimum": _UNIT,
    "nan_to_num": _UNIT,
    "negative": (-1.0, -1.0),
    "rad2deg": (0.0, 57.2957795131),
    "sin": _EITHER,
    "sinc": (-1.3703055928, 1.3703055928),
    **dict.fromkeys(
        ("ceil", "floor", "isfinite", "isinf", "isnan", "logical_not", "round", "sign", "trunc"), (0.0, 0.0)
    ),
}


def slopes(function: str, parameters: Mapping[str, Any]) -> Range:
    """The range of the slope of a `Pointwise` primitive; infinite if there is no bound."""
    match function:
        case "relu":
            below = float(parameters.get("negative_slope") or 0.0)
            flat = (0.0,) if parameters.get("max_value") is not None else ()
            return _hull(below, 1.0, *flat)
        case "leaky_relu":
            slope = parameters.get("negative_slope")
            return _hull(0.2 if slope is None else slope, 1.0)
        case "elu":
            alpha = parameters.get("alpha")
            return _hull(0.0, 1.0, 1.0 if alpha is None else alpha)
        case "gelu":
            # the defaults of the layer and of keras.ops differ; without the argument the wider range
            tanh = parameters.get("approximate")
            return _GELU if tanh is False else _GELU_TANH
        case "celu":
            return _CELU
        case "squareplus" | "soft_shrink" | "hard_shrink":
            return _UNIT
    known = ACTIVATIONS.get(function)
    if known is not None and known.slopes is not None:
        return known.slopes
    return FUNCTIONS.get(function, _ANY)


def _hull(*values: float) -> Range:
    low, *_, high = sorted(map(float, values))
    return low, high


def activation_name(activation: Any) -> str:
    """The name of an activation that is given as a name, a Keras configuration object or None."""
    if isinstance(activation, dict):
        return str(activation.get("class_name"))
    return activation or "linear"


def activation_ops(activation: Any, shape: Shape) -> Size:
    """Elementwise operations of an activation: one per unit, none for the identity."""
    return 0 if activation_name(activation) == "linear" else prod(shape)


def coupled(window: Window, activation: Any, axes: int | None = None) -> Window:
    """The window of a layer after this activation; `axes` is its output's rank (default: its input's)."""
    if not ACTIVATIONS[activation_name(activation)].couples_channels:
        return window
    return whole_along(window, (len(window) if axes is None else axes) - 1)


def activated(activation: Any, shape: Shape) -> Primitives:
    """The primitives of an activation of a tensor of this shape."""
    name = activation_name(activation)
    if name == "linear":
        return ()
    if isinstance(activation, dict) and activation.get("config"):
        return (Pointwise(name, tuple(sorted(activation["config"].items()))),)
    if not ACTIVATIONS[name].couples_channels:
        # the named activation is the exact gelu, `keras.ops.gelu` the approximate one by default
        return (Pointwise(name, (("approximate", False),) if name == "gelu" else ()),)
    last = len(shape) - 1
    if name in ("softmax", "log_softmax"):
        return (Softmax((last,), shape[last], log=name == "log_softmax"),)
    if name == "sparsemax":
        return (Sparsemax((last,), shape[last]),)
    return (Unbounded("glu multiplies one half by the other"),)
