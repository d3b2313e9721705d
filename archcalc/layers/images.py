"""Preprocessing of images that is active at inference too."""

from __future__ import annotations

from archcalc.arith import Shape, Size, floor_div, prod, require_at_least
from archcalc.errors import LayerError
from archcalc.layers.base import NoMacs, Weightless, Window, family, layer, one_input, require_rank
from archcalc.layers.fields import Count, DataFormat, Flag, Untracked
from archcalc.layers.primitives import Pad, Primitives, Unbounded
from archcalc.layers.resizing import Interpolation, Resampling
from archcalc.layers.spatial import Spatial
from archcalc.layers.window import Taps, Whole, identity_read


@family
class OfImages(Spatial, Weightless, NoMacs):
    """A layer on images: two spatial axes and a channel axis."""

    rank = 2
    data_format: DataFormat = None
    bounding_box_format: Untracked = None


@layer
class AutoContrast(OfImages):
    """Stretches each channel of an image to the whole range of values."""

    value_range: Untracked = (0, 255)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 3)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        # Keras stretches over the first two axes for any `data_format`
        return ((Whole(), Whole(), identity_read(2)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        """Five per unit: minimum and maximum of the channel, scale, shift, clip."""
        return 5 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> Primitives:
        # a constant channel is unchanged
        return (
            Unbounded(
                "a channel is stretched the more, the less its values differ",
                input_index=0,
                extra_range=self._ends,
            ),
        )

    @property
    def _ends(self) -> tuple[float, float] | None:
        ends = self.value_range
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            return None
        low, high = map(float, ends)
        return low, high


@family
class ToSize(OfImages):
    """A layer from images of any size to images of `height` by `width`."""

    height: Count
    width: Count

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 3)
        return self.shape_of((self.height, self.width), self.channels(x))


@layer
class CenterCrop(ToSize):
    """The middle `height` by `width` of an image; smaller images, which Keras resizes, have no rule."""

    def output_shape(self, *inputs: Shape) -> Shape:
        out = super().output_shape(*inputs)
        for n, m in zip(self.sides(inputs[0]), (self.height, self.width), strict=True):
            require_at_least(
                n, m, lambda n=n, m=m: f"CenterCrop to {m} of {n} units resizes, for which there is no rule"
            )
        return out

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        pairs = zip(self.spatial_axes, self.sides(x), (self.height, self.width), strict=True)
        spatial = tuple(Taps(axis, 1, floor_div(n - m, 2)) for axis, n, m in pairs)
        return (self.reads(spatial, identity_read(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        cut: list[tuple[Size, Size]] = [(0, 0)] * len(x)
        for axis, n, m in zip(self.spatial_axes, self.sides(x), (self.height, self.width), strict=True):
            before = floor_div(n - m, 2)
            cut[axis] = (-before, before + m - n)
        return (Pad(tuple(cut)),)


@layer
class Resizing(ToSize):
    """Height and width interpolated to other ones, as `ops.image.resize` does."""

    interpolation: Interpolation = "bilinear"
    crop_to_aspect_ratio: Flag = False
    pad_to_aspect_ratio: Flag = False
    fill_mode: Untracked = "constant"
    fill_value: Untracked = 0.0
    antialias: Flag = False

    def check(self) -> None:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise LayerError("only one of crop_to_aspect_ratio and pad_to_aspect_ratio may be true")

    def _resampling(self, x: Shape) -> Resampling:
        require_rank(self, x, 3)
        return Resampling.of(self, self.spatial_axes, (self.height, self.width))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (self._resampling(inputs[0]).window(inputs[0]),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return self._resampling(inputs[0]).elementwise_ops(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        return self._resampling(inputs[0]).primitives(inputs[0])
