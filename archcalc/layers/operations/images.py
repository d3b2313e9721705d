"""Operations on images: resizing, greyscale, and pixel blocks to channels and back."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import (
    Shape,
    Size,
    at_most,
    certainly,
    equal,
    exact_div,
    prod,
)
from archcalc.errors import LayerError
from archcalc.layers.base import Window, family, require_rank
from archcalc.layers.fields import ChoiceKind, Count, DataFormat, Flag, OptionalSpatial, Untracked, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.primitives import (
    ConstantMatrix,
    Primitives,
    Select,
    Unbounded,
)
from archcalc.layers.resizing import Interpolation, Resampling
from archcalc.layers.spatial import sliding, window_count
from archcalc.layers.window import Blocks, Taps, Whole


@family
class OfImages(Operation):
    """An operation on images: two spatial axes and a channel axis."""

    rank = 2
    data_format: DataFormat = None

    def spatial(self, x: Shape) -> tuple[int, int]:
        """The spatial axes."""
        require_rank(self, x, 3)
        return (1, 2) if self.data_format == "channels_first" else (0, 1)

    def sides(self, x: Shape) -> Shape:
        """The sizes of the spatial axes."""
        return tuple(x[axis] for axis in self.spatial(x))

    def _arranged(self, x: Shape, sides: tuple[Any, ...], channel: Any) -> tuple[Any, ...]:
        return (channel, *sides) if self.spatial(x) == (1, 2) else (*sides, channel)

    def channels(self, x: Shape) -> Size:
        """The size of the channel axis."""
        return x[0] if self.spatial(x) == (1, 2) else x[2]


@operation("image.resize", "Resize")
class Resize(OfImages):
    """Height and width interpolated to `size`."""

    parameters = ("images",)
    operands = ("images",)

    size: SpatialField
    interpolation: Interpolation = "bilinear"
    antialias: Flag = False
    crop_to_aspect_ratio: Flag = False
    pad_to_aspect_ratio: Flag = False
    fill_mode: Untracked = "constant"
    fill_value: Untracked = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return self._arranged(x, self.size, self.channels(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (self._resampling(inputs).window(self.one(inputs)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return self._resampling(inputs).elementwise_ops(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        return self._resampling(inputs).primitives(self.one(inputs))

    def _resampling(self, inputs: tuple[Shape, ...]) -> Resampling:
        return Resampling.of(self, self.spatial(self.one(inputs)), self.size)


@family
class Blockwise(OfImages):
    """Moves units between blocks of `block_size` by `block_size` pixels and channels."""

    keeps_integers = True

    block_size: Count

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Select(),)


@operation("depth_to_space", "DepthToSpace")
class DepthToSpace(Blockwise):
    """The channels of a pixel as a block of pixels (Shi et al. 2016, arXiv 1609.05158)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        b, cin = self.block_size, self.channels(x)
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
        return self._arranged(x, sides, self.channels(x) * b * b)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = (Taps(a, self.block_size, 0, self.block_size) for a in self.spatial(x))
        return (self._arranged(x, (height, width), Whole()),)


@operation("image.extract_patches", "ExtractPatches")
class ExtractPatches(OfImages):
    """The pixels under a sliding window as the channels of one pixel."""

    parameters = ("images",)
    operands = ("images",)

    size: SpatialField
    strides: OptionalSpatial = None
    dilation_rate: SpatialField = each(1)
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        sides = zip(self.sides(x), self.size, self._steps, self.dilation_rate, strict=True)
        counts = tuple(window_count(*each_side, self.padding) for each_side in sides)
        return self._arranged(x, counts, self.channels(x) * prod(self.size))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        reads = sliding(
            self.spatial(x), self.sides(x), self.size, self._steps, self.dilation_rate, self.padding
        )
        return (self._arranged(x, reads, Whole()),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        apart = all(certainly(at_most(k, s)) for k, s in zip(self.size, self._steps, strict=True))
        return (Select() if apart else Unbounded("patches that overlap repeat units"),)

    @property
    def _steps(self) -> Shape:
        return self.size if self.strides is None else self.strides


@operation("image.rgb_to_grayscale", "RGBToGrayscale")
class RGBToGrayscale(OfImages):
    """The weighted sum of red, green and blue."""

    parameters = ("images",)
    operands = ("images",)

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        if certainly(equal(self.channels(x), 2)):
            raise LayerError("2 channels are neither one nor three colours")
        return self._arranged(x, tuple(x[a] for a in self.spatial(x)), 1)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        height, width = map(Taps, self.spatial(x))
        return (self._arranged(x, (height, width), Whole()),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 5 * prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        x = self.one(inputs)
        if certainly(equal(self.channels(x), 1)):
            return ()
        return (ConstantMatrix(0 if self.spatial(x) == (1, 2) else 2, ((0.2989, 0.587, 0.114),)),)
