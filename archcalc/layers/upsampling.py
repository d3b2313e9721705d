"""Enlarging by repetition and by interpolation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from math import pi, sin
from typing import Annotated, NamedTuple

from archcalc.arith import Shape, Size, certainly, equal, prod
from archcalc.layers.base import NoMacs, Weightless, family, layer, one_input
from archcalc.layers.fields import ChoiceKind, Count
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.spatial import ChannelsLast, Spatial
from archcalc.layers.window import Blocks, Phases, Read, Taps, Unstated, Window


class Interpolation(NamedTuple):
    """A kernel of the distance in input units; it vanishes from `radius` on."""

    radius: int
    weight: Callable[[float], float]


def _cubic(x: float) -> float:
    """Keys 1981 with a = -1/2, which TF takes for half-pixel centres."""
    return (1.5 * x - 2.5) * x * x + 1 if x < 1 else ((-0.5 * x + 2.5) * x - 4) * x + 2


def _lanczos(radius: int) -> Callable[[float], float]:
    def weight(x: float) -> float:
        return radius * sin(pi * x) * sin(pi * x / radius) / (pi * x) ** 2 if x else 1.0

    return weight


INTERPOLATIONS: dict[str, Interpolation] = {
    "bilinear": Interpolation(1, lambda x: 1 - x),
    "bicubic": Interpolation(2, _cubic),
    "lanczos3": Interpolation(3, _lanczos(3)),
    "lanczos5": Interpolation(5, _lanczos(5)),
}


@family
class UpSampling(ChannelsLast, Weightless, NoMacs):
    """Each spatial axis `factor` times as long."""

    @property
    @abstractmethod
    def factors(self) -> tuple[Size, ...]:
        """The factor of each spatial axis."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        sides = tuple(n * f for n, f in zip(self.sides(x), self.factors, strict=True))
        return self.shape_of(sides, self.channels(x))

    def read(self, axis: int, factor: Size) -> Read:
        """Nearest neighbour: unit i is unit i // factor."""
        if certainly(equal(factor, 1)):
            return Taps(axis)
        if type(factor) is not int:
            return Blocks(axis, factor, 1)
        return Phases(axis, 1, (((0, 1.0),),) * factor)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        spatial = tuple(self.read(a, f) for a, f in zip(self.spatial_axes, self.factors, strict=True))
        return (self.reads(spatial, Taps(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0


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
    size: SpatialField = 2
    interpolation: Annotated[str, ChoiceKind("nearest", *INTERPOLATIONS)] = "nearest"

    @property
    def factors(self) -> tuple[Size, ...]:
        return tuple(self.size)

    def read(self, axis: int, factor: Size) -> Read:
        if self.interpolation == "nearest" or certainly(equal(factor, 1)):
            return super().read(axis, factor)
        if type(factor) is not int:
            return Unstated(f"{self.interpolation} interpolation by a symbolic factor has no table of phases")
        return Phases(axis, 1, phases(INTERPOLATIONS[self.interpolation], factor))

    def elementwise_ops(self, *inputs: Shape) -> Size:
        if self.interpolation == "nearest":
            return 0
        taps = (2 * INTERPOLATIONS[self.interpolation].radius) ** self.rank
        return (2 * taps - 1) * prod(self.output_shape(*inputs))


@layer
class UpSampling3D(UpSampling, Spatial):
    """Repeats along three axes."""

    rank = 3
    size: SpatialField = 2

    @property
    def factors(self) -> tuple[Size, ...]:
        return tuple(self.size)


def phases(kind: Interpolation, factor: int) -> tuple[tuple[tuple[int, float], ...], ...]:
    """For each phase r, (input offset, weight) around the point (r + 1/2)/factor - 1/2."""
    found: list[tuple[tuple[int, float], ...]] = []
    for r in range(factor):
        centre = Fraction(2 * r + 1 - factor, 2 * factor)
        taps = []
        for offset in range(-kind.radius - 1, kind.radius + 2):
            distance = abs(offset - centre)
            # all kernels vanish at whole distances but 0; rounding must not hide that
            if distance < kind.radius and (distance == 0 or distance.denominator > 1):
                taps.append((offset, kind.weight(float(distance))))
        found.append(tuple(taps))
    return tuple(found)
