"""Zero padding and cropping of spatial axes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from archcalc.arith import Shape, Size, require_at_least
from archcalc.layers.base import family, layer, one_input
from archcalc.layers.fields import Margins
from archcalc.layers.primitives import Pad, Primitives
from archcalc.layers.reshaping import Rearranging
from archcalc.layers.spatial import ChannelsLast, Spatial
from archcalc.layers.window import Taps, Window


@family
class PadOrCrop(ChannelsLast, Rearranging):
    """A layer that adds or removes units at the ends of the spatial axes."""

    @property
    @abstractmethod
    def moves(self) -> tuple[tuple[Size, Size], ...]:
        """(units before, units after) added to each spatial axis; negative for removed units."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return self.shape_of(
            tuple(n + before + after for n, (before, after) in zip(self.sides(x), self.moves, strict=True)),
            self.channels(x),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        spatial = tuple(
            Taps(axis, 1, -before) for axis, (before, _) in zip(self.spatial_axes, self.moves, strict=True)
        )
        return (self.reads(spatial, Taps(self.channel_axis)),)

    def primitives(self, *inputs: Shape) -> Primitives:
        unchanged = ((0, 0),)
        pairs = (*unchanged, *self.moves) if self.channels_first else (*self.moves, *unchanged)
        return (Pad(pairs),)


def _pairs(margins: Any, rank: int) -> tuple[tuple[Size, Size], ...]:
    return (margins,) if rank == 1 else margins


@family
class ZeroPadding(PadOrCrop, Spatial):
    """Zeros before and after each spatial axis."""

    padding: Margins = 1

    @property
    def moves(self) -> tuple[tuple[Size, Size], ...]:
        return _pairs(self.padding, self.rank)


@layer
class ZeroPadding1D(ZeroPadding):
    """Zeros around one axis."""

    rank = 1


@layer
class ZeroPadding2D(ZeroPadding):
    """Zeros around two axes."""

    rank = 2


@layer
class ZeroPadding3D(ZeroPadding):
    """Zeros around three axes."""

    rank = 3


@family
class Cropping(PadOrCrop):
    """Removes units at both ends of each spatial axis; at least one must remain."""

    cropping: Margins = 1

    @property
    def moves(self) -> tuple[tuple[Size, Size], ...]:
        return tuple((-before, -after) for before, after in _pairs(self.cropping, self.rank))

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        for n, (before, after) in zip(self.sides(x), self.moves, strict=True):
            require_at_least(
                n + before + after,
                1,
                lambda n=n, cut=(-before, -after): f"cropping {cut} leaves nothing of an axis of {n}",
            )
        return super().output_shape(x)


@layer
class Cropping1D(Cropping):
    """Cropping of one axis."""

    rank = 1


@layer
class Cropping2D(Cropping, Spatial):
    """Cropping of two axes."""

    rank = 2
    cropping: Margins = 0


@layer
class Cropping3D(Cropping, Spatial):
    """Cropping of three axes."""

    rank = 3
