"""Sliding windows over spatial axes: sizes, padding and the position of the channel axis.

Sizes follow TensorFlow: `valid` gives (n - ke)//s + 1 and needs n >= ke, `same` and `causal`
give ceil(n/s), with ke = d*(k-1) + 1. Source: Dumoulin & Visin 2016 (arXiv 1603.07285) and
TensorFlow's documentation of `tf.nn.convolution`.
"""

from __future__ import annotations

from archcalc.arith import Shape, Size, at_most, ceil_div, certainly, floor_div, largest, require_at_least
from archcalc.layers.base import Layer, Weight, Window, family, require_rank
from archcalc.layers.fields import DataFormat, Initializer, Untracked
from archcalc.layers.primitives import SlidingWindow
from archcalc.layers.window import Read, Taps, Whole


def effective_kernel(k: Size, d: Size) -> Size:
    """The extent of a dilated kernel: d*(k-1) + 1."""
    return d * (k - 1) + 1


def window_count(n: Size, k: Size, s: Size, d: Size, padding: str) -> Size:
    """The number of windows along an axis of `n`; raises `LayerError` if no `valid` window fits."""
    if padding != "valid":
        return ceil_div(n, s)
    ke = effective_kernel(k, d)
    require_at_least(n, ke, lambda: f"an axis of {n} is shorter than the window of {ke} (padding='valid')")
    return floor_div(n - ke, s) + 1


def pad_before(n: Size, k: Size, s: Size, d: Size, padding: str) -> Size:
    """The number of zeros before the axis; with `same`, TensorFlow puts an odd zero after it."""
    if padding == "valid":
        return 0
    if padding == "causal":
        return d * (k - 1)
    ke = effective_kernel(k, d)
    if certainly(at_most(ke, 2)):
        return 0  # at most one zero in all, and it comes after the axis; simplifies symbolic sizes
    return floor_div(largest((ceil_div(n, s) - 1) * s + ke - n, 0), 2)


@family
class ChannelsLast(Layer):
    """A layer with `rank` spatial axes followed by one channel axis."""

    @property
    def channels_first(self) -> bool:
        return False

    @property
    def channel_axis(self) -> int:
        return 0 if self.channels_first else self.rank

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        first = 1 if self.channels_first else 0
        return tuple(range(first, first + self.rank))

    def channels(self, shape: Shape) -> Size:
        return shape[self.channel_axis]

    def sides(self, shape: Shape) -> Shape:
        """The sizes of the spatial axes; raises `LayerError` if the rank is wrong."""
        require_rank(self, shape, self.rank + 1)
        return shape[1:] if self.channels_first else shape[:-1]

    def shape_of(self, sides: Shape, channels: Size) -> Shape:
        return (channels, *sides) if self.channels_first else (*sides, channels)

    def reads(self, spatial: tuple[Read, ...], channel: Read) -> Window:
        """The window with these reads of the spatial axes and of the channel axis."""
        return (channel, *spatial) if self.channels_first else (*spatial, channel)


@family
class Spatial(ChannelsLast):
    """A layer with `rank` spatial axes and one channel axis, last or (`data_format`) first."""

    data_format: DataFormat = None

    @property
    def channels_first(self) -> bool:
        return bool(self.data_format == "channels_first")


def sliding(
    axes: tuple[int, ...], sides: Shape, kernel: Shape, strides: Shape, dilation: Shape, padding: str
) -> tuple[Read, ...]:
    """The reads of the sliding window of each spatial axis."""
    return tuple(
        Taps(axis, s, -pad_before(n, k, s, d, padding), k, d)
        for axis, n, k, s, d in zip(axes, sides, kernel, strides, dilation, strict=True)
    )


def sliding_windows(
    axes: tuple[int, ...], sides: Shape, kernel: Shape, strides: Shape, dilation: Shape, padding: str
) -> tuple[SlidingWindow, ...]:
    """The sliding window of each spatial axis as a part of primitives, with input and output sizes."""
    return tuple(
        SlidingWindow(axis, n, window_count(n, k, s, d, padding), k, s, d, pad_before(n, k, s, d, padding))
        for axis, n, k, s, d in zip(axes, sides, kernel, strides, dilation, strict=True)
    )


@family
class KernelAndBias(Layer):
    """The arguments about a kernel and a bias that Keras gives to every layer with both."""

    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Untracked = None
    bias_regularizer: Untracked = None
    kernel_constraint: Untracked = None
    bias_constraint: Untracked = None


def bias_weight(use_bias: bool, shape: Shape, initializer: object) -> tuple[Weight, ...]:
    """The bias weight in a tuple; an empty tuple without `use_bias`."""
    return (Weight("bias", shape, initializer=initializer),) if use_bias else ()


WHOLE = Whole()
