"""Interpolation of images to another size, shared by the layer Resizing and `ops.image.resize`."""

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
from archcalc.layers.window import Read, Taps, UnknownRead, Window

Interpolation = Annotated[str, ChoiceKind("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")]

# how many input pixels are weighted and added for one output pixel
TAPS = {"nearest": 0, "area": 4, "bilinear": 4, "bicubic": 16, "lanczos3": 36, "lanczos5": 100}


@dataclass(frozen=True)
class Resampling:
    """Interpolation of two `axes` to `size`; the other arguments are Keras's."""

    axes: tuple[int, int]
    size: tuple[Size, Size]
    interpolation: str
    antialias: bool
    crop_to_aspect_ratio: bool
    pad_to_aspect_ratio: bool
    fill_value: Any

    @classmethod
    def of(cls, owner: Any, axes: tuple[int, ...], size: tuple[Size, ...]) -> Resampling:
        """The resampling of a layer or operation whose fields have Keras's names."""
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
        """The window of an image of shape `x`."""
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
        return UnknownRead(f"{self.interpolation} interpolation from {n} to {m} units")

    def elementwise_ops(self, output: Shape) -> Size:
        """Per output pixel one multiplication for each input pixel, and the additions between them."""
        count = TAPS[self.interpolation]
        return (2 * count - 1) * prod(output) if count else 0

    def primitives(self, x: Shape) -> Primitives:
        """The primitives that resize an image of shape `x`."""
        before: Primitives = ()
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            if not isinstance(self.fill_value, int | float):
                return (Unbounded("no bound is known for margins of several values"),)
            before, x = self._at_ratio(x)
        return before + tuple(
            self._along(axis, x[axis], m)
            for axis, m in zip(self.axes, self.size, strict=True)
            if self.antialias or not certainly(equal(x[axis], m))
        )

    def _at_ratio(self, x: Shape) -> tuple[Primitives, Shape]:
        """The primitives that crop or pad an image to the aspect ratio of `size`, and the new shape."""
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
        # pads with `fill_value`: the image is shifted by it, padded with zeros and shifted back
        return (Offset(-self.fill_value), margin, Offset(self.fill_value)), padded

    def _along(self, axis: int, n: Size, m: Size) -> Primitive:
        if not isinstance(self._read(axis, n, m), UnknownRead):
            return Upsample(axis, n, floor_div(m, n), self.interpolation)
        return Resample(axis, n, m, self.interpolation)
