"""Pooling over windows, and global pooling."""

from __future__ import annotations

from typing import Annotated, ClassVar

from archcalc.arith import Shape, Size, prod
from archcalc.layers.base import NoMacs, Weightless, Window, family, layer, one_input
from archcalc.layers.fields import ChoiceKind, Flag, OptionalSpatial, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.primitives import Pool, Primitives, Reduce
from archcalc.layers.spatial import Spatial, sliding, sliding_windows, window_count
from archcalc.layers.window import Taps, Whole


@family
class Pooling(Spatial, Weightless, NoMacs):
    """Each window reduced to one unit, channel by channel; `strides` defaults to `pool_size`."""

    kind: ClassVar[str]

    pool_size: SpatialField
    strides: OptionalSpatial = None
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"

    @property
    def steps(self) -> Shape:
        return tuple(self.pool_size if self.strides is None else self.strides)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        sides = tuple(
            window_count(n, k, s, 1, self.padding)
            for n, k, s in zip(self.sides(x), self.pool_size, self.steps, strict=True)
        )
        return self.shape_of(sides, self.channels(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        ones = (1,) * self.rank
        spatial = sliding(self.spatial_axes, self.sides(x), self.pool_size, self.steps, ones, self.padding)
        return (self.reads(spatial, Taps(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(self.pool_size) * prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        ones = (1,) * self.rank
        windows = sliding_windows(
            self.spatial_axes, self.sides(x), self.pool_size, self.steps, ones, self.padding
        )
        return (Pool(self.kind, windows),)


@family
class MaxPooling(Pooling):
    """The largest of each window."""

    keeps_integers = True


@layer
class MaxPooling1D(MaxPooling):
    """The largest of each window over one axis."""

    rank = 1
    kind = "max"
    pool_size: SpatialField = each(2)


@layer
class MaxPooling2D(MaxPooling):
    """The largest of each window over two axes."""

    rank = 2
    kind = "max"
    pool_size: SpatialField = each(2)


@layer
class MaxPooling3D(MaxPooling):
    """The largest of each window over three axes."""

    rank = 3
    kind = "max"
    pool_size: SpatialField = each(2)


@layer
class AveragePooling1D(Pooling):
    """The mean of each window over one axis, without padding."""

    rank = 1
    kind = "average"


@layer
class AveragePooling2D(Pooling):
    """The mean of each window over two axes, without padding."""

    rank = 2
    kind = "average"


@layer
class AveragePooling3D(Pooling):
    """The mean of each window over three axes, without padding."""

    rank = 3
    kind = "average"


@family
class GlobalPooling(Spatial, Weightless, NoMacs):
    """Each channel reduced to one unit; `keepdims` keeps the spatial axes with size 1."""

    kind: ClassVar[str]

    keepdims: Flag = False

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.sides(x)
        return self.shape_of((1,) * self.rank, self.channels(x)) if self.keepdims else (self.channels(x),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        everything = (Whole(uniform=True),) * self.rank
        return (self.reads(everything, Taps(self.channel_axis if self.keepdims else 0)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(inputs[0])

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        return (Reduce(self.kind, self.spatial_axes, prod(self.sides(x)), self.keepdims),)


@family
class GlobalMaxPooling(GlobalPooling):
    """The largest of each channel."""

    keeps_integers = True


@layer
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest of each channel over one axis."""

    rank = 1
    kind = "max"


@layer
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest of each channel over two axes."""

    rank = 2
    kind = "max"


@layer
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest of each channel over three axes."""

    rank = 3
    kind = "max"


@layer
class GlobalAveragePooling1D(GlobalPooling):
    """The mean of each channel over one axis."""

    reads_masks = True
    rank = 1
    kind = "mean"


@layer
class GlobalAveragePooling2D(GlobalPooling):
    """The mean of each channel over two axes."""

    rank = 2
    kind = "mean"


@layer
class GlobalAveragePooling3D(GlobalPooling):
    """The mean of each channel over three axes."""

    rank = 3
    kind = "mean"
