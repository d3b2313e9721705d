"""Convolutions: plain, grouped, dilated, depthwise, separable."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from archcalc.arith import Shape, Size, certainly, equal, exact_div, prod, require_equal, total
from archcalc.layers.activations import activated, activation_ops, coupled, is_identity
from archcalc.layers.base import Weight, Window, family, layer, one_input
from archcalc.layers.fields import (
    ActivationName,
    ChoiceKind,
    Count,
    Flag,
    Initializer,
    OptionalCount,
    Untracked,
    each,
)
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.low_rank import adapted, adapter
from archcalc.layers.primitives import Convolve, Primitives, SlidingWindow
from archcalc.layers.spatial import WHOLE, Spatial, bias_weight, sliding, sliding_windows, window_count
from archcalc.layers.window import Blocks, Read, Taps


def not_both_above_one(strides: Shape, dilation_rate: Shape) -> None:
    """Raise `LayerError` if a stride and a dilation are both above 1, which Keras refuses."""
    require_equal(
        total(s - 1 for s in strides) * total(d - 1 for d in dilation_rate),
        0,
        lambda: f"strides={strides} with dilation_rate={dilation_rate}: only one of them may exceed 1",
    )


@family
class Kernel(Spatial):
    """A sliding kernel, then an optional bias and activation; base class of all convolutions."""

    kernel_size: SpatialField
    strides: SpatialField = each(1)
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"
    dilation_rate: SpatialField = each(1)
    activation: ActivationName = None
    use_bias: Flag = True
    bias_initializer: Initializer = "zeros"
    bias_regularizer: Untracked = None
    bias_constraint: Untracked = None

    @abstractmethod
    def output_channels(self, x: Shape) -> Size:
        """The number of output channels."""

    def output_sides(self, x: Shape) -> Shape:
        along_axes = zip(self.sides(x), self.kernel_size, self.strides, self.dilation_rate, strict=True)
        return tuple([window_count(n, k, s, d, self.padding) for n, k, s, d in along_axes])

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return self.shape_of(self.output_sides(x), self.output_channels(x))

    def elementwise_ops(self, *inputs: Shape) -> Size:
        out = self.output_shape(*inputs)
        return prod(out) * int(self.use_bias) + activation_ops(self.activation, out)

    def sliding(self, x: Shape) -> tuple[Read, ...]:
        return sliding(
            self.spatial_axes, self.sides(x), self.kernel_size, self.strides, self.dilation_rate, self.padding
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return (coupled(self.reads(self.sliding(x), self.channel_read(x)), self.activation),)

    @abstractmethod
    def channel_read(self, x: Shape) -> Read:
        """Which input channels one output channel reads."""

    @property
    def bias_name(self) -> str | None:
        """The name of the bias weight; None without a bias."""
        return "bias" if self.use_bias else None

    def sliding_windows(self, x: Shape) -> tuple[SlidingWindow, ...]:
        """The sliding window of each spatial axis."""
        return sliding_windows(
            self.spatial_axes, self.sides(x), self.kernel_size, self.strides, self.dilation_rate, self.padding
        )

    @abstractmethod
    def convolutions(self, x: Shape) -> Primitives:
        """The primitives before the activation."""

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        convolutions = self.convolutions(x)
        if is_identity(self.activation):
            return convolutions
        return (*convolutions, *activated(self.activation, self.output_shape(x)))


@family
class Convolution(Kernel):
    """A convolution over `rank` axes: k...k * (Cin/groups) * F weights and F biases."""

    filters: Count
    groups: Count = 1
    lora_rank: OptionalCount = None
    lora_alpha: Untracked = None
    kernel_initializer: Initializer = "glorot_uniform"
    kernel_regularizer: Untracked = None
    kernel_constraint: Untracked = None

    def check(self) -> None:
        not_both_above_one(self.strides, self.dilation_rate)
        exact_div(
            self.filters,
            self.groups,
            lambda: f"filters={self.filters} must be divisible by groups={self.groups}",
        )

    def output_channels(self, x: Shape) -> Size:
        return self.filters

    def group_channels(self, x: Shape) -> Size:
        """The number of input channels that one filter reads."""
        cin = self.channels(x)
        return exact_div(
            cin, self.groups, lambda: f"{cin} input channels must be divisible by groups={self.groups}"
        )

    def channel_read(self, x: Shape) -> Read:
        if certainly(equal(self.groups, 1)):
            return WHOLE
        return Blocks(self.channel_axis, exact_div(self.filters, self.groups), self.group_channels(x))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel = (*self.kernel_size, self.group_channels(x), self.filters)
        return adapted(
            self.lora_rank,
            Weight("kernel", kernel, initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (self.filters,), self.bias_initializer),
        )

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        return prod(self.kernel_size) * self.group_channels(x) * prod(self.output_shape(x))

    def convolutions(self, x: Shape) -> Primitives:
        return (
            Convolve(
                "kernel",
                self.sliding_windows(x),
                self.channel_axis,
                self.bias_name,
                self.groups,
                adapter=adapter(self.lora_rank, self.lora_alpha),
            ),
        )


@layer
class Conv1D(Convolution):
    """Convolution over one axis; `causal` pads on the left only."""

    rank = 1
    padding: Annotated[str, ChoiceKind("valid", "same", "causal")] = "valid"


@layer
class Conv2D(Convolution):
    """Convolution over two axes."""

    rank = 2


@layer
class Conv3D(Convolution):
    """Convolution over three axes."""

    rank = 3


@family
class Depthwise(Kernel):
    """Each channel has its own `depth_multiplier` kernels: k...k * C * m weights."""

    depth_multiplier: Count = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    depthwise_regularizer: Untracked = None
    depthwise_constraint: Untracked = None

    def output_channels(self, x: Shape) -> Size:
        return self.channels(x) * self.depth_multiplier

    def channel_read(self, x: Shape) -> Read:
        if certainly(equal(self.depth_multiplier, 1)):
            return Taps(self.channel_axis)
        return Blocks(self.channel_axis, self.depth_multiplier, 1)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel = (*self.kernel_size, self.channels(x), self.depth_multiplier)
        return (
            Weight("kernel", kernel, initializer=self.depthwise_initializer),
            *bias_weight(self.use_bias, (self.output_channels(x),), self.bias_initializer),
        )

    def macs(self, *inputs: Shape) -> Size:
        return prod(self.kernel_size) * prod(self.output_shape(*inputs))

    def convolutions(self, x: Shape) -> Primitives:
        windows = self.sliding_windows(x)
        return (Convolve("kernel", windows, self.channel_axis, self.bias_name, depthwise=True),)


@layer
class DepthwiseConv1D(Depthwise):
    """Depthwise convolution over one axis."""

    rank = 1


@layer
class DepthwiseConv2D(Depthwise):
    """Depthwise convolution over two axes."""

    rank = 2


@family
class Separable(Depthwise):
    """A depthwise convolution, then a 1x1 convolution to `filters` channels and one bias."""

    filters: Count
    pointwise_initializer: Initializer = "glorot_uniform"
    pointwise_regularizer: Untracked = None
    pointwise_constraint: Untracked = None

    def output_channels(self, x: Shape) -> Size:
        return self.filters

    def channel_read(self, x: Shape) -> Read:
        return WHOLE

    def middle_channels(self, x: Shape) -> Size:
        return self.channels(x) * self.depth_multiplier

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        depthwise = (*self.kernel_size, self.channels(x), self.depth_multiplier)
        pointwise = (*(1 for _ in self.kernel_size), self.middle_channels(x), self.filters)
        return (
            Weight("depthwise_kernel", depthwise, initializer=self.depthwise_initializer),
            Weight("pointwise_kernel", pointwise, initializer=self.pointwise_initializer),
            *bias_weight(self.use_bias, (self.filters,), self.bias_initializer),
        )

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        per_position = self.middle_channels(x) * (prod(self.kernel_size) + self.filters)
        return per_position * prod(self.output_sides(x))

    def convolutions(self, x: Shape) -> Primitives:
        unit_windows = tuple(
            SlidingWindow(axis, n, n, 1)
            for axis, n in zip(self.spatial_axes, self.output_sides(x), strict=True)
        )
        return (
            Convolve("depthwise_kernel", self.sliding_windows(x), self.channel_axis, depthwise=True),
            Convolve("pointwise_kernel", unit_windows, self.channel_axis, self.bias_name),
        )


@layer
class SeparableConv1D(Separable):
    """Separable convolution over one axis."""

    rank = 1


@layer
class SeparableConv2D(Separable):
    """Separable convolution over two axes."""

    rank = 2
