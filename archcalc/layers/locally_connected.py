"""Locally connected layers: convolutions with separate weights at every position.

Keras 3 does not have them; these follow `tf_keras`, including its `same` padding, in which window i
starts k//2 units before `stride*i`, unlike TensorFlow's.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from archcalc.arith import Shape, Size, ceil_div, floor_div, largest, prod, smallest
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.activations import activated, activation_ops, coupled
from archcalc.layers.base import Weight, Window, family, layer, one_input
from archcalc.layers.fields import ActivationName, ChoiceKind, Count, Flag, NumberKind, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.spatial import WHOLE, KernelAndBias, Spatial, bias_weight, window_count
from archcalc.layers.window import Taps


@family
class LocallyConnected(KernelAndBias, Spatial):
    """A convolution with separate weights at every position; Ho*Wo*F biases.

    `implementation` 1 stores Ho*Wo*kh*kw*Cin*F weights (`valid` only), 2 a masked dense kernel,
    3 one weight for each connection inside the input.
    """

    filters: Count
    kernel_size: SpatialField
    strides: SpatialField = each(1)
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"
    activation: ActivationName = None
    use_bias: Flag = True
    implementation: Annotated[int, NumberKind(1, 2, 3)] = 1

    def check(self) -> None:
        if self.implementation == 1 and self.padding != "valid":
            raise LayerError(
                f"padding={self.padding!r} with implementation=1: only 'valid' has it; "
                "take implementation 2 or 3"
            )

    def output_sides(self, x: Shape) -> Shape:
        return tuple(
            window_count(n, k, s, 1, self.padding)
            for n, k, s in zip(self.sides(x), self.kernel_size, self.strides, strict=True)
        )

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return self.shape_of(self.output_sides(x), self.filters)

    def reach(self, k: Size) -> Size:
        """How many units before `stride*i` window i begins."""
        return 0 if self.padding == "valid" else floor_div(k, 2)

    @abstractmethod
    def kernel_shape(self, x: Shape) -> Shape:
        """The shape of the kernel."""

    def sparse_kernel(self, x: Shape) -> Shape:
        """Kernel shape of implementation 3: one weight per connection to a unit inside the input."""
        per_axis = (
            connections(n, m, k, s, self.reach(k))
            for n, m, k, s in zip(
                self.sides(x), self.output_sides(x), self.kernel_size, self.strides, strict=True
            )
        )
        return (prod(per_axis) * self.channels(x) * self.filters,)

    def masked_kernel(self, x: Shape) -> Shape:
        """Kernel shape of implementation 2: every input unit times every output unit."""
        return (*x, *self.output_shape(x))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        return (
            Weight("kernel", self.kernel_shape(x), initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (*self.output_sides(x), self.filters), self.bias_initializer),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        self.sides(x)
        spatial = tuple(
            Taps(axis, s, -self.reach(k), k)
            for axis, k, s in zip(self.spatial_axes, self.kernel_size, self.strides, strict=True)
        )
        return (coupled(self.reads(spatial, WHOLE), self.activation),)

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        return prod(self.kernel_size) * self.channels(x) * prod(self.output_shape(x))

    def elementwise_ops(self, *inputs: Shape) -> Size:
        out = self.output_shape(*inputs)
        return prod(out) * int(self.use_bias) + activation_ops(self.activation, out)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        columns = (self.spatial_axes, self.sides(x), self.output_sides(x), self.kernel_size, self.strides)
        windows = tuple(
            prim.SlidingWindow(axis, n, m, k, s, pad_before=self.reach(k))
            for axis, n, m, k, s in zip(*columns, strict=True)
        )
        bias = "bias" if self.use_bias else None
        local = prim.LocallyConnected(
            "kernel", windows, self.channel_axis, self.filters, self.implementation, bias
        )
        return (local, *activated(self.activation, self.output_shape(x)))


def connections(n: Size, m: Size, k: Size, s: Size, reach: Size) -> Size:
    """How many units of an axis of n are read by m windows of k at stride s that start at -reach, in all."""
    return m * k - _overhang(reach, s, m) - _overhang((m - 1) * s - reach + k - n, s, m)


def _overhang(first: Size, s: Size, m: Size) -> Size:
    """The sum of max(first - s*i, 0) over i < m."""
    terms = smallest(ceil_div(largest(first, 0), s), m)
    return terms * first - s * floor_div(terms * (terms - 1), 2)


@layer
class LocallyConnected1D(LocallyConnected):
    """Locally connected layer over one axis."""

    rank = 1
    keras_class = "archcalc.keras:LocallyConnected1D"
    registered_name = "archcalc>LocallyConnected1D"

    def kernel_shape(self, x: Shape) -> Shape:
        if self.implementation == 1:
            (length,) = self.output_sides(x)
            return (length, self.kernel_size[0] * self.channels(x), self.filters)
        return self.masked_kernel(x) if self.implementation == 2 else self.sparse_kernel(x)


@layer
class LocallyConnected2D(LocallyConnected):
    """Locally connected layer over two axes."""

    rank = 2
    keras_class = "archcalc.keras:LocallyConnected2D"
    registered_name = "archcalc>LocallyConnected2D"

    def kernel_shape(self, x: Shape) -> Shape:
        if self.implementation == 1:
            positions = prod(self.output_sides(x))
            return (positions, prod(self.kernel_size) * self.channels(x), self.filters)
        return self.masked_kernel(x) if self.implementation == 2 else self.sparse_kernel(x)
