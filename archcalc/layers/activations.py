"""Keras's named activation functions and the range of their slopes.

`slopes` holds [inf phi', sup phi'] over all inputs, rounded outward, or None where the
function does not act on each unit by itself. Sources: docs/how-figures-are-computed.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from archcalc.arith import Shape, Size, prod
from archcalc.layers.stages import Pointwise, Project, Softmax, Stages, Unbounded
from archcalc.layers.window import Window, whole_along

INFINITY = float("inf")


class Activation(NamedTuple):
    """One activation function."""

    slopes: tuple[float, float] | None
    couples_channels: bool = False  # each output reads the whole last axis (softmax)


_UNIT = (0.0, 1.0)

ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation((1.0, 1.0)),
    "relu": Activation(_UNIT),
    "relu6": Activation(_UNIT),
    "leaky_relu": Activation((0.2, 1.0)),
    "elu": Activation(_UNIT),
    "celu": Activation(_UNIT),
    "selu": Activation((0.0, 1.75809935)),
    "gelu": Activation((-0.1289932, 1.1289932)),
    "silu": Activation((-0.09983934, 1.09983934)),
    "mish": Activation((-0.1125263, 1.0884983)),
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
    "hard_shrink": Activation((0.0, INFINITY)),
    "soft_shrink": Activation(_UNIT),
    "threshold": Activation((0.0, INFINITY)),
    "sparse_plus": Activation(_UNIT),
    "sparse_sigmoid": Activation((0.0, 0.5)),
    "exponential": Activation((0.0, INFINITY)),
    "softmax": Activation(None, couples_channels=True),
    "log_softmax": Activation(None, couples_channels=True),
    "sparsemax": Activation(None, couples_channels=True),
    "glu": Activation(None, couples_channels=True),
}
ACTIVATIONS |= {"swish": ACTIVATIONS["silu"], "hard_swish": ACTIVATIONS["hard_silu"]}


def activation_name(activation: Any) -> str:
    """The plain name of an activation given as name, Keras configuration object or None."""
    if isinstance(activation, dict):
        return str(activation.get("class_name"))
    return activation or "linear"


def activation_ops(activation: Any, shape: Shape) -> Size:
    """Elementwise operations of an activation: one per unit, none for the identity."""
    return 0 if activation_name(activation) == "linear" else prod(shape)


def coupled(window: Window, activation: Any) -> Window:
    """The window of a layer that keeps the number of axes and has this activation behind it."""
    if not ACTIVATIONS[activation_name(activation)].couples_channels:
        return window
    return whole_along(window, len(window) - 1)


def activated(activation: Any, shape: Shape) -> Stages:
    """The stages of an activation behind a layer whose output has this shape."""
    name = activation_name(activation)
    if name == "linear":
        return ()
    if not ACTIVATIONS[name].couples_channels:
        return (Pointwise(name),)
    last = len(shape) - 1
    if name in ("softmax", "log_softmax"):
        return (Softmax((last,), shape[last], log=name == "log_softmax"),)
    return (
        (Project((last,)),) if name == "sparsemax" else (Unbounded("glu multiplies one half by the other"),)
    )
