"""Images interpolated to another height and width: the layer Resizing and `ops.image.resize` alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from archcalc.arith import Shape, Size, certainly, equal, floor_div, largest, prod, smallest
from archcalc.layers.fields import ChoiceKind
from archcalc.layers.primitives import (
    Offset,
    Pad,
    Primitive,
    Primitives,
    Resample,
    Select,
    Unbounded,
    Upsample,
)
from archcalc.layers.upsampling import UpSampling2D
from archcalc.layers.window import Read, Taps, Unstated, Window

Interpolation = Annotated[str, ChoiceKind("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")]

# input pixels that one output pixel is made of
TAPS = {"nearest": 0, "area": 4, "bilinear": 4, "bicubic": 16, "lanczos3": 36, "lanczos5": 100}


@dataclass(frozen=True)
class Resampling:
    """Two `axes` interpolated to `size`; the other arguments are Keras's."""

    axes: tuple[int, int]
    size: tuple[Size, Size]
    interpolation: str
    antialias: bool
    crop_to_aspect_ratio: bool
    pad_to_aspect_ratio: bool
    fill_value: Any

    @classmethod
    def of(cls, owner: Any, axes: tuple[int, ...], size: tuple[Size, ...]) -> Resampling:
        """That of a layer or an operation, whose fields have Keras's names."""
        first, second = axes
        height, width = size
        return cls(
            (first, second),
            (height, width),
            owner.interpolation,
            owner.antialias,
            owner.crop_to_aspect_ratio,
            owner.pad_to_aspect_ratio,
            owner.fill_value,
        )

    def window(self, x: Shape) -> Window:
        """What one output unit reads of each axis of an image."""
        sizes = dict(zip(self.axes, self.size, strict=True))
        return tuple(
            self._read(axis, n, sizes[axis]) if axis in sizes else Taps(axis) for axis, n in enumerate(x)
        )

    def _read(self, axis: int, n: Size, m: Size) -> Read:
        plain = not (self.crop_to_aspect_ratio or self.pad_to_aspect_ratio or self.antialias)
        if plain and certainly(equal(n, m)):
            return Taps(axis)
        whole = plain and self.interpolation != "area" and type(n) is int and type(m) is int
        if whole and certainly(equal(m % n, 0)):
            return UpSampling2D(interpolation=self.interpolation).read(axis, m // n)
        return Unstated(f"{self.interpolation} interpolation from {n} to {m} units")

    def elementwise_ops(self, output: Shape) -> Size:
        """A multiplication and an addition for each pixel that is interpolated, less one."""
        count = TAPS[self.interpolation]
        return (2 * count - 1) * prod(output) if count else 0

    def primitives(self, x: Shape) -> Primitives:
        """The chain that resizes an image."""
        before: Primitives = ()
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            if not isinstance(self.fill_value, int | float):
                return (Unbounded("no bound is kept for margins of several values"),)
            before, x = self._at_ratio(x)
        return before + tuple(
            self._along(axis, x[axis], m)
            for axis, m in zip(self.axes, self.size, strict=True)
            if self.antialias or not certainly(equal(x[axis], m))
        )

    def _at_ratio(self, x: Shape) -> tuple[Primitives, Shape]:
        """What brings an image to the aspect ratio of `size`, and its shape then."""
        height, width = (x[axis] for axis in self.axes)
        to_height, to_width = self.size
        ratios = (floor_div(width * to_height, to_width), floor_div(height * to_width, to_height))
        wanted = dict(zip(self.axes, ratios, strict=True))
        if self.crop_to_aspect_ratio:
            cropped = tuple(largest(smallest(n, wanted.get(axis, n)), 1) for axis, n in enumerate(x))
            return (Select(),), cropped
        margins = tuple(floor_div(largest(wanted.get(axis, n) - n, 0), 2) for axis, n in enumerate(x))
        padded = tuple(n + 2 * m for n, m in zip(x, margins, strict=True))
        margin = Pad(tuple((m, m) for m in margins))
        # what is added is `fill_value`: zero beside a shifted image
        return (Offset(-self.fill_value), margin, Offset(self.fill_value)), padded

    def _along(self, axis: int, n: Size, m: Size) -> Primitive:
        if not isinstance(self._read(axis, n, m), Unstated):
            return Upsample(axis, n, floor_div(m, n), self.interpolation)
        return Resample(axis, n, m, self.interpolation)
