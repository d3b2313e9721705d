"""Upsampling by repetition and by interpolation."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from archcalc.arith import Shape, Size, certainly, equal, prod
from archcalc.layers.base import NoMacs, Weightless, family, layer, one_input
from archcalc.layers.fields import ChoiceKind, Count, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.interpolation import INTERPOLATIONS, phase_table
from archcalc.layers.primitives import Primitives, Upsample
from archcalc.layers.spatial import ChannelsLast, Spatial
from archcalc.layers.window import Blocks, Phases, Read, Taps, UnknownRead, Window


@family
class UpSampling(ChannelsLast, Weightless, NoMacs):
    """Each spatial axis enlarged by an integer factor."""

    keeps_integers = True

    @property
    @abstractmethod
    def factors(self) -> tuple[Size, ...]:
        """The factor of each spatial axis."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        sides = tuple(n * f for n, f in zip(self.sides(x), self.factors, strict=True))
        return self.shape_of(sides, self.channels(x))

    def read(self, axis: int, factor: Size) -> Read:
        """The read of an axis; for nearest neighbours, output unit i reads unit i // factor."""
        return Taps(axis) if certainly(equal(factor, 1)) else Blocks(axis, factor, 1)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        spatial = tuple(self.read(a, f) for a, f in zip(self.spatial_axes, self.factors, strict=True))
        return (self.reads(spatial, Taps(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    @property
    def kernel(self) -> str:
        """The interpolation."""
        return "nearest"

    def primitives(self, *inputs: Shape) -> Primitives:
        sides = self.sides(*inputs)
        return tuple(
            Upsample(axis, n, f, self.kernel)
            for axis, n, f in zip(self.spatial_axes, sides, self.factors, strict=True)
        )


@layer
class UpSampling1D(UpSampling):
    """Repeats each step `size` times."""

    rank = 1
    size: Count = 2

    @property
    def factors(self) -> tuple[Size, ...]:
        return (self.size,)


@layer
class UpSampling2D(UpSampling, Spatial):
    """Repeats rows and columns, or interpolates between them (half-pixel centres, no antialiasing)."""

    rank = 2
    size: SpatialField = each(2)
    interpolation: Annotated[str, ChoiceKind("nearest", *INTERPOLATIONS)] = "nearest"

    @property
    def factors(self) -> tuple[Size, ...]:
        return tuple(self.size)

    def read(self, axis: int, factor: Size) -> Read:
        if self.interpolation == "nearest" or certainly(equal(factor, 1)):
            return super().read(axis, factor)
        table = phase_table(INTERPOLATIONS[self.interpolation], factor)
        if table is None:
            return UnknownRead(f"no table of phases for {self.interpolation} interpolation by {factor}")
        return Phases(axis, 1, table)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        if self.interpolation == "nearest":
            return 0
        taps: int = (2 * INTERPOLATIONS[self.interpolation].radius) ** self.rank
        return (2 * taps - 1) * prod(self.output_shape(*inputs))

    @property
    def kernel(self) -> str:
        return self.interpolation


@layer
class UpSampling3D(UpSampling, Spatial):
    """Repeats along three axes."""

    rank = 3
    size: SpatialField = each(2)

    @property
    def factors(self) -> tuple[Size, ...]:
        return tuple(self.size)
