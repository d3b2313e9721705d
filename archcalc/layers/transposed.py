"""Transposed convolutions: the adjoint of a convolution, used for upsampling."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import (
    Shape,
    Size,
    ceil_div,
    certainly,
    equal,
    floor_div,
    largest,
    prod,
    require_at_least,
)
from archcalc.layers.activations import activated, activation_ops, coupled
from archcalc.layers.base import Weight, Window, family, layer, one_input
from archcalc.layers.convolution import not_both_above_one
from archcalc.layers.fields import (
    ActivationName,
    ChoiceKind,
    Count,
    Flag,
    OptionalSpatialOrZero,
    each,
)
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.primitives import Convolve, Primitives, SlidingWindow
from archcalc.layers.spatial import WHOLE, KernelAndBias, Spatial, bias_weight, effective_kernel
from archcalc.layers.tables import transposed_phases
from archcalc.layers.window import Phases, Read, Taps, UnknownRead


@family
class Transposed(KernelAndBias, Spatial):
    """Input unit j adds to output units `stride*j + dilation*t - crop`, 0 <= t < k.

    Sizes follow Keras: `valid` (n-1)*s + max(ke, s), `same` n*s, and with an output padding p
    (n-1)*s + ke + p, (n-1)*s + ke % 2 + p. `crop` is the number of units that TensorFlow's `same`
    removes at the start.
    """

    filters: Count
    kernel_size: SpatialField
    strides: SpatialField = each(1)
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"
    output_padding: OptionalSpatialOrZero = None
    dilation_rate: SpatialField = each(1)
    activation: ActivationName = None
    use_bias: Flag = True

    def check(self) -> None:
        not_both_above_one(self.strides, self.dilation_rate)
        for p, s in zip(self.paddings, self.strides, strict=True):
            if p is not None:
                require_at_least(
                    s - 1, p, lambda p=p, s=s: f"output_padding={p} must be smaller than strides={s}"
                )

    @property
    def paddings(self) -> tuple[Any, ...]:
        """The output padding of each axis; None if it is not given."""
        return (None,) * self.rank if self.output_padding is None else self.output_padding

    def axes(self, x: Shape) -> list[tuple[Size, Size, Size, Size, Size | None]]:
        """(size, kernel, stride, dilation, output padding) of each spatial axis."""
        columns = (self.sides(x), self.kernel_size, self.strides, self.dilation_rate, self.paddings)
        return list(zip(*columns, strict=True))

    def output_side(self, n: Size, k: Size, s: Size, d: Size, p: Size | None) -> Size:
        ke = effective_kernel(k, d)
        if self.padding == "valid":
            return (n - 1) * s + (largest(ke, s) if p is None else ke + p)
        return n * s if p is None else (n - 1) * s + ke % 2 + p

    def crop(self, n: Size, k: Size, s: Size, d: Size, p: Size | None) -> Size:
        """The number of units removed at the start of an axis."""
        if self.padding == "valid":
            return 0
        full = (n - 1) * s + effective_kernel(k, d)
        return floor_div(largest(full - self.output_side(n, k, s, d, p), 0), 2)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return self.shape_of(tuple(self.output_side(*a) for a in self.axes(x)), self.filters)

    def not_runnable(self, *inputs: Shape) -> str:
        # TensorFlow computes the gradient of a convolution, whose output must have the size of the input
        if self.padding == "same":
            for n, k, s, d, p in self.axes(inputs[0]):
                m = self.output_side(n, k, s, d, p)
                if equal(ceil_div(m, s), n) is False:
                    return (
                        f"a convolution from {m} units with stride {s} gives {ceil_div(m, s)} units, not {n}"
                    )
        return ""

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel = (*self.kernel_size, self.filters, self.channels(x))
        return (
            Weight("kernel", kernel, initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (self.filters,), self.bias_initializer),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        spatial = tuple(
            _read(axis, k, s, d, self.crop(n, k, s, d, p))
            for axis, (n, k, s, d, p) in zip(self.spatial_axes, self.axes(x), strict=True)
        )
        return (coupled(self.reads(spatial, WHOLE), self.activation),)

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        return prod(self.kernel_size) * self.filters * prod(x)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        out = self.output_shape(*inputs)
        return prod(out) * int(self.use_bias) + activation_ops(self.activation, out)

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        out = self.output_shape(x)
        back = tuple(
            SlidingWindow(axis, m, n, k, s, d, self.crop(n, k, s, d, p))
            for axis, m, (n, k, s, d, p) in zip(self.spatial_axes, self.sides(out), self.axes(x), strict=True)
        )
        bias = "bias" if self.use_bias else None
        convolve = Convolve("kernel", back, self.channel_axis, bias, transposed=True)
        return (convolve, *activated(self.activation, out))


def _read(axis: int, k: Size, s: Size, d: Size, crop: Size) -> Read:
    """The read of an axis: output unit i reads every j with `s*j + d*t - crop == i` for some tap t."""
    if certainly(equal(s, 1)):
        return Taps(axis, 1, crop - d * (k - 1), k, d)
    table = transposed_phases(k, s, d, crop)
    if table is None:
        return UnknownRead(f"no table of phases for a transposed convolution with kernel {k} and stride {s}")
    return Phases(axis, 1, table)


@layer
class Conv1DTranspose(Transposed):
    """Transposed convolution over one axis."""

    rank = 1


@layer
class Conv2DTranspose(Transposed):
    """Transposed convolution over two axes."""

    rank = 2


@layer
class Conv3DTranspose(Transposed):
    """Transposed convolution over three axes."""

    rank = 3
