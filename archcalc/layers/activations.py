"""Keras's named activation functions, functions of a unit in `keras.ops`, and the range of their slopes.

A range is [inf phi', sup phi'] over all inputs at which there is a derivative, rounded
outward, or None where the function does not act on each unit by itself. Where the supremum is
attained inside (gelu at sqrt(2), silu, mish), the constant is the root of the second
derivative, found to 30 digits; all are compared with Keras's own derivative on a dense grid.
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
    couples_channels: bool = False  # each output reads the whole last axis (softmax)


_UNIT = (0.0, 1.0)
# Keras adds a maximum and a minimum, and at 0, where a ReLU before it ends, both pass the gradient on
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
    # these two jump, where they have no derivative
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

# functions of a unit that are no activations; those without an entry have no bound
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
    """The range of the slope of a `Pointwise` primitive, infinite where there is no bound."""
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
            # the layer's default and that of keras.ops differ; without the argument both must hold
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
    """The plain name of an activation given as name, Keras configuration object or None."""
    if isinstance(activation, dict):
        return str(activation.get("class_name"))
    return activation or "linear"


def activation_ops(activation: Any, shape: Shape) -> Size:
    """Elementwise operations of an activation: one per unit, none for the identity."""
    return 0 if activation_name(activation) == "linear" else prod(shape)


def coupled(window: Window, activation: Any, axes: int | None = None) -> Window:
    """The window of a layer with this activation behind it, and outputs of `axes` axes (its input's)."""
    if not ACTIVATIONS[activation_name(activation)].couples_channels:
        return window
    return whole_along(window, (len(window) if axes is None else axes) - 1)


def activated(activation: Any, shape: Shape) -> Primitives:
    """The primitives of an activation behind a layer whose output has this shape."""
    name = activation_name(activation)
    if name == "linear":
        return ()
    if not ACTIVATIONS[name].couples_channels:
        # the named activation is the exact gelu, `keras.ops.gelu` the approximate one by default
        return (Pointwise(name, (("approximate", False),) if name == "gelu" else ()),)
    last = len(shape) - 1
    if name in ("softmax", "log_softmax"):
        return (Softmax((last,), shape[last], log=name == "log_softmax"),)
    if name == "sparsemax":
        return (Sparsemax((last,), shape[last]),)
    return (Unbounded("glu multiplies one half by the other"),)
