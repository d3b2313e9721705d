"""Operations on images: resizing, and blocks of pixels as channels."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import (
    Shape,
    Size,
    certainly,
    equal,
    exact_div,
    floor_div,
    largest,
    prod,
    smallest,
)
from archcalc.errors import LayerError
from archcalc.layers.base import Window, family, require_rank
from archcalc.layers.fields import ChoiceKind, Count, DataFormat, Flag, Untracked
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.stages import (
    Blend,
    Enlarge,
    Margin,
    Offset,
    Resample,
    Select,
    Stage,
    Stages,
    Unbounded,
)
from archcalc.layers.upsampling import UpSampling2D
from archcalc.layers.window import Blocks, Read, Taps, Unstated, Whole


@family
class OfImages(Operation):
    """An operation on samples of two spatial axes and channels."""

    rank = 2
    data_format: DataFormat = None

    def spatial(self, x: Shape) -> tuple[int, int]:
        """The spatial axes."""
        require_rank(self, x, 3)
        return (1, 2) if self.data_format == "channels_first" else (0, 1)

    def _arranged(self, x: Shape, sides: tuple[Any, Any], channel: Any) -> tuple[Any, ...]:
        return (channel, *sides) if self.spatial(x) == (1, 2) else (*sides, channel)

    def _channels(self, x: Shape) -> Size:
        return x[0] if self.spatial(x) == (1, 2) else x[2]


@operation("image.resize", "Resize")
class Resize(OfImages):
    """Height and width interpolated to `size`."""

    parameters = ("images",)
    operands = ("images",)

    size: SpatialField
    interpolation: Annotated[
        str, ChoiceKind("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")
    ] = "bilinear"
    antialias: Flag = False
    crop_to_aspect_ratio: Flag = False
    pad_to_aspect_ratio: Flag = False
    fill_mode: Untracked = "constant"
    fill_value: Untracked = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return self._arranged(x, self.size, self._channels(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = (
            self._read(axis, x[axis], m) for axis, m in zip(self.spatial(x), self.size, strict=True)
        )
        channel = 0 if self.spatial(x) == (1, 2) else 2
        return (self._arranged(x, (height, width), Taps(channel)),)

    def _read(self, axis: int, n: Size, m: Size) -> Read:
        plain = not (self.crop_to_aspect_ratio or self.pad_to_aspect_ratio or self.antialias)
        if plain and certainly(equal(n, m)):
            return Taps(axis)
        whole = plain and self.interpolation != "area" and type(n) is int and type(m) is int
        if whole and certainly(equal(m % n, 0)):
            return UpSampling2D(interpolation=self.interpolation).read(axis, m // n)
        return Unstated(f"{self.interpolation} interpolation from {n} to {m} units")

    def elementwise_ops(self, *inputs: Shape) -> Size:
        """A multiplication and an addition for each pixel that is interpolated, less one."""
        taps = {"nearest": 0, "area": 4, "bilinear": 4, "bicubic": 16, "lanczos3": 36, "lanczos5": 100}
        count = taps[self.interpolation]
        return (2 * count - 1) * prod(self.output_shape(*inputs)) if count else 0

    def stages(self, *inputs: Shape) -> Stages:
        x = self.one(inputs)
        before: Stages = ()
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            if not isinstance(self.fill_value, int | float):
                return (Unbounded("no bound is kept for margins of several values"),)
            before, x = self._at_ratio(x)
        return before + tuple(
            self._along(axis, x[axis], m)
            for axis, m in zip(self.spatial(x), self.size, strict=True)
            if self.antialias or not certainly(equal(x[axis], m))
        )

    def _at_ratio(self, x: Shape) -> tuple[Stages, Shape]:
        """What brings an image to the aspect ratio of `size`, and its shape then."""
        axes = self.spatial(x)
        height, width = (x[axis] for axis in axes)
        to_height, to_width = self.size
        ratios = (floor_div(width * to_height, to_width), floor_div(height * to_width, to_height))
        wanted = dict(zip(axes, ratios, strict=True))
        if self.crop_to_aspect_ratio:
            kept = tuple(largest(smallest(n, wanted.get(axis, n)), 1) for axis, n in enumerate(x))
            return (Select(),), kept
        margins = tuple(floor_div(largest(wanted.get(axis, n) - n, 0), 2) for axis, n in enumerate(x))
        padded = tuple(n + 2 * m for n, m in zip(x, margins, strict=True))
        margin = Margin(tuple((m, m) for m in margins))
        # what is added is `fill_value`: zero beside a shifted image
        return (Offset(-self.fill_value), margin, Offset(self.fill_value)), padded

    def _along(self, axis: int, n: Size, m: Size) -> Stage:
        if not isinstance(self._read(axis, n, m), Unstated):
            return Enlarge(axis, n, floor_div(m, n), self.interpolation)
        return Resample(axis, n, m, self.interpolation)


@family
class Blockwise(OfImages):
    """Blocks of `block_size` by `block_size` pixels against channels; nothing is computed."""

    keeps_integers = True

    block_size: Count

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def stages(self, *inputs: Shape) -> Stages:
        return (Select(),)


@operation("depth_to_space", "DepthToSpace")
class DepthToSpace(Blockwise):
    """The channels of a pixel as a block of pixels (Shi et al. 2016, arXiv 1609.05158)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        b, cin = self.block_size, self._channels(x)
        channels = exact_div(cin, b * b, lambda: f"{cin} channels for blocks of {b} by {b}")
        return self._arranged(x, tuple(x[a] * b for a in self.spatial(x)), channels)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = (Blocks(a, self.block_size, 1) for a in self.spatial(x))
        return (self._arranged(x, (height, width), Whole()),)


@operation("space_to_depth", "SpaceToDepth")
class SpaceToDepth(Blockwise):
    """Each block of pixels as the channels of one pixel."""

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        b = self.block_size
        sides = tuple(
            exact_div(x[a], b, lambda n=x[a]: f"a side of {n} in blocks of {b}") for a in self.spatial(x)
        )
        return self._arranged(x, sides, self._channels(x) * b * b)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = (Taps(a, self.block_size, 0, self.block_size) for a in self.spatial(x))
        return (self._arranged(x, (height, width), Whole()),)


@operation("image.rgb_to_grayscale", "RGBToGrayscale")
class RGBToGrayscale(OfImages):
    """The weighted sum of red, green and blue."""

    parameters = ("images",)
    operands = ("images",)

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        if certainly(equal(self._channels(x), 2)):
            raise LayerError("2 channels are neither one nor three colours")
        return self._arranged(x, tuple(x[a] for a in self.spatial(x)), 1)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = map(Taps, self.spatial(x))
        return (self._arranged(x, (height, width), Whole()),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 5 * prod(self.output_shape(*inputs))

    def stages(self, *inputs: Shape) -> Stages:
        x = self.one(inputs)
        if certainly(equal(self._channels(x), 1)):
            return ()
        return (Blend(0 if self.spatial(x) == (1, 2) else 2, ((0.2989, 0.587, 0.114),)),)
