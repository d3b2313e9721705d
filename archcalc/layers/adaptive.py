"""Adaptive pooling: a given number of windows of nearly equal size."""

from __future__ import annotations

from typing import ClassVar

from archcalc.arith import Shape, Size, certainly, common_divisor, equal, floor_div, prod
from archcalc.layers.base import NoMacs, Weightless, Window, family, layer, one_input
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.primitives import AdaptiveWindow, Pool, Primitives
from archcalc.layers.spatial import Spatial
from archcalc.layers.tables import adaptive_phases
from archcalc.layers.window import Phases, Read, Taps, UnknownRead, Whole, identity_read


@family
class AdaptivePooling(Spatial, Weightless, NoMacs):
    """`output_size` windows per axis: window i of m is from floor(i*n/m) to ceil((i+1)*n/m), exclusive.

    Source: Keras's `ops.adaptive_average_pool`, which uses the windows of PyTorch.
    """

    kind: ClassVar[str]  # `average` or `max`

    output_size: SpatialField

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.sides(x)
        return self.shape_of(tuple(self.output_size), self.channels(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        spatial = tuple(
            _read(axis, n, m)
            for axis, n, m in zip(self.spatial_axes, self.sides(x), self.output_size, strict=True)
        )
        return (self.reads(spatial, identity_read(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        (x,) = inputs
        # adjacent windows share a unit if the boundary between them falls inside it
        pairs = zip(self.sides(x), self.output_size, strict=True)
        return prod(n + m - common_divisor(n, m) for n, m in pairs) * self.channels(x)

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        pairs = zip(self.spatial_axes, self.sides(x), self.output_size, strict=True)
        return (Pool(self.kind, tuple(AdaptiveWindow(axis, n, m) for axis, n, m in pairs)),)


def _read(axis: int, n: Size, m: Size) -> Read:
    if certainly(equal(m, 1)):
        return Whole(uniform=True)
    size = floor_div(n, m)
    if certainly(equal(size * m, n)):
        return Taps(axis, size, 0, size)
    table = adaptive_phases(n, m)
    if table is None:
        return UnknownRead(f"no table of windows from {n} to {m} units")
    return Phases(axis, *table)


@layer
class AdaptiveAveragePooling1D(AdaptivePooling):
    """The means of `output_size` windows over one axis."""

    rank = 1
    kind = "average"


@layer
class AdaptiveAveragePooling2D(AdaptivePooling):
    """The means of `output_size` windows over two axes."""

    rank = 2
    kind = "average"


@layer
class AdaptiveAveragePooling3D(AdaptivePooling):
    """The means of `output_size` windows over three axes."""

    rank = 3
    kind = "average"


@layer
class AdaptiveMaxPooling1D(AdaptivePooling):
    """The largest of `output_size` windows over one axis."""

    rank = 1
    kind = "max"


@layer
class AdaptiveMaxPooling2D(AdaptivePooling):
    """The largest of `output_size` windows over two axes."""

    rank = 2
    kind = "max"


@layer
class AdaptiveMaxPooling3D(AdaptivePooling):
    """The largest of `output_size` windows over three axes."""

    rank = 3
    kind = "max"
