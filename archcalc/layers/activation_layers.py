"""Activations as separate layers."""

from __future__ import annotations

from typing import Annotated

from archcalc.arith import Shape, Size, prod
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.activations import ACTIVATIONS, activated, activation_name, activation_ops, coupled
from archcalc.layers.base import (
    Elementwise,
    NoMacs,
    Weight,
    Window,
    axis_index,
    family,
    identity,
    layer,
    one_input,
)
from archcalc.layers.dtypes import floating
from archcalc.layers.fields import (
    ActivationName,
    Axes,
    AxisKind,
    Initializer,
    NonNegative,
    OptionalNonNegative,
    Real,
    Untracked,
)
from archcalc.layers.window import whole_along


@family
class OneOperation(Elementwise):
    """A layer that counts as one operation per unit (docs/conventions.md)."""

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(inputs[0])


@layer
class Activation(Elementwise):
    """A named activation function."""

    activation: ActivationName

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The input's integer dtype if Keras's function keeps it, else the compute dtype."""
        keeps = ACTIVATIONS[activation_name(self.activation)].keeps_integers
        return inputs[0] if keeps and not floating(inputs[0]) else compute

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (coupled(identity(len(inputs[0])), self.activation),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return activation_ops(self.activation, inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return activated(self.activation, inputs[0])


@layer
class ReLU(OneOperation):
    """`min(x, max_value)` from `threshold` on, `negative_slope * (x - threshold)` below."""

    keeps_integers = True

    max_value: OptionalNonNegative = None
    negative_slope: NonNegative = 0.0
    threshold: NonNegative = 0.0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        shape = (
            ("max_value", self.max_value),
            ("negative_slope", self.negative_slope),
            ("threshold", self.threshold),
        )
        return (prim.Pointwise("relu", shape),)


@layer
class LeakyReLU(OneOperation):
    """`x` above zero, `negative_slope * x` below."""

    negative_slope: NonNegative = 0.3

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Pointwise("leaky_relu", (("negative_slope", self.negative_slope),)),)


@layer
class ELU(OneOperation):
    """`x` above zero, `alpha * (exp(x) - 1)` below."""

    alpha: Real = 1.0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Pointwise("elu", (("alpha", self.alpha),)),)


@layer
class PReLU(NoMacs):
    """`x` above zero, `alpha * x` below with a trained alpha (He et al. 2015, arXiv 1502.01852)."""

    alpha_initializer: Initializer = "Zeros"
    alpha_regularizer: Untracked = None
    alpha_constraint: Untracked = None
    shared_axes: Annotated[object, AxisKind(several=True, optional=True)] = None

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.alpha_shape(x)
        return x

    def alpha_shape(self, x: Shape) -> Shape:
        """The input's shape, with 1 where alpha is shared."""
        shape = list(x)
        axes = self.shared_axes
        for axis in axes if isinstance(axes, tuple) else () if axes is None else (axes,):
            if not -len(x) <= axis - 1 < len(x):
                raise LayerError(f"shared_axes={axes}: axis {axis} does not exist in {len(x)} axes")
            shape[axis - 1] = 1
        return tuple(shape)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("alpha", self.alpha_shape(inputs[0]), initializer=self.alpha_initializer),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (identity(len(inputs[0])),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Pointwise("prelu", weight="alpha"),)


@layer
class Softmax(OneOperation):
    """Normalised exponentials along `axis`."""

    axis: Axes = -1

    def axes(self, x: Shape) -> tuple[int, ...]:
        numbers = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis_index(self, a, len(x)) for a in numbers)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.axes(x)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        window = identity(len(x))
        for axis in self.axes(x):
            window = whole_along(window, axis)
        return (window,)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        axes = self.axes(x)
        return (prim.Softmax(axes, prod(x[a] for a in axes)),)
