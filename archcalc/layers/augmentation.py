"""Layers that randomly move or mix pixels of images in training; figures are those of inference.

At inference they do nothing. Layers that change colours are in `colour_augmentation`.
"""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, certainly, equal, require_equal
from archcalc.layers.base import NoMacs, Weightless, Window, family, layer, one_input, require_rank
from archcalc.layers.fields import ChoiceKind, Count, DataFormat, RealsKind, Untracked, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.primitives import Primitives, Select, TrainingNoise
from archcalc.layers.regularization import TrainingOnly
from archcalc.layers.spatial import Spatial
from archcalc.layers.window import Read, UnknownRead, identity_read

Scale = Annotated[Any, RealsKind()]


@family
class Augmentation(TrainingOnly):
    """A layer that changes images in training."""

    rank = 2
    keeps_integers = False
    data_format: Untracked = None
    bounding_box_format: Untracked = None

    def primitives(self, *inputs: Shape) -> Primitives:
        return (TrainingNoise(),)


@layer
class RandomFlip(Augmentation):
    """Mirrors an image, or not, with even chances."""

    mode: Annotated[str, ChoiceKind("horizontal", "vertical", "horizontal_and_vertical")] = (
        "horizontal_and_vertical"
    )
    seed: Untracked = None

    def primitives(self, *inputs: Shape) -> Primitives:
        return ()


@family
class Resampling(Augmentation):
    """A layer that moves pixels in training, with the arguments of its interpolation."""

    fill_mode: Untracked = "reflect"
    interpolation: Untracked = "bilinear"
    seed: Untracked = None
    fill_value: Untracked = 0.0


@layer
class RandomRotation(Resampling):
    """Turns each image by up to `factor` of a full turn."""

    factor: Scale


@layer
class RandomTranslation(Resampling):
    """Shifts each image by up to a factor of its sides."""

    height_factor: Scale
    width_factor: Scale


@layer
class RandomZoom(Resampling):
    """Enlarges or shrinks each image by up to a factor."""

    height_factor: Scale
    width_factor: Untracked = None


@layer
class RandomShear(Resampling):
    """Slants each image along its axes."""

    x_factor: Untracked = 0.0
    y_factor: Untracked = 0.0


@layer
class RandomElasticTransform(Resampling):
    """Displaces pixels by a smooth random field."""

    factor: Untracked = 1.0
    scale: Untracked = 1.0
    value_range: Untracked = (0, 255)


@layer
class RandomPerspective(Augmentation):
    """Moves the corners of each image at random."""

    factor: Untracked = 1.0
    scale: Untracked = 1.0
    interpolation: Untracked = "bilinear"
    fill_value: Untracked = 0.0
    seed: Untracked = None


@layer
class RandomErasing(Augmentation):
    """Fills a random rectangle of each image."""

    factor: Untracked = 1.0
    scale: Untracked = (0.02, 0.33)
    fill_value: Untracked = None
    value_range: Untracked = (0, 255)
    seed: Untracked = None


@layer
class RandomGaussianBlur(Augmentation):
    """Blurs each image at random."""

    factor: Untracked = 1.0
    kernel_size: SpatialField = each(3)
    sigma: Untracked = 1.0
    value_range: Untracked = (0, 255)
    seed: Untracked = None

    def check(self) -> None:
        for n in self.kernel_size:
            require_equal(n % 2, 1, lambda: f"kernel_size={self.kernel_size} must be odd")


@layer
class CutMix(Augmentation):
    """Puts rectangles of other images of the batch into each image (arXiv 1905.04899)."""

    factor: Untracked = 1.0
    seed: Untracked = None


@layer
class MixUp(Augmentation):
    """Blends each image with another of the batch (arXiv 1710.09412)."""

    keeps_integers = True

    alpha: Untracked = 0.2
    seed: Untracked = None


@layer
class RandAugment(Augmentation):
    """Applies some augmentations out of a fixed set (arXiv 1909.13719)."""

    value_range: Untracked = (0, 255)
    num_ops: Untracked = 2
    factor: Untracked = 0.5
    interpolation: Untracked = "bilinear"
    seed: Untracked = None


@layer
class AugMix(Augmentation):
    """Blends chains of augmentations (arXiv 1912.02781)."""

    value_range: Untracked = (0, 255)
    num_chains: Untracked = 3
    chain_depth: Untracked = 3
    factor: Untracked = 0.3
    alpha: Untracked = 1.0
    all_ops: Untracked = True
    interpolation: Untracked = "bilinear"
    seed: Untracked = None


@layer
class RandomCrop(Spatial, Weightless, NoMacs):
    """Cuts out `height` by `width` at random in training.

    At inference Keras 3.15 does not crop, but infers the cropped shape, as this rule does.
    """

    call_arguments = ("training",)
    rank = 2
    keeps_integers = True

    height: Count
    width: Count
    seed: Untracked = None
    bounding_box_format: Untracked = None
    data_format: DataFormat = None

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 3)
        return self.shape_of((self.height, self.width), self.channels(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        pairs = zip(self.spatial_axes, self.sides(x), (self.height, self.width), strict=True)
        spatial = tuple(_uncut(axis, n, m) for axis, n, m in pairs)
        return (self.reads(spatial, identity_read(self.channel_axis)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return (TrainingNoise(), Select())


def _uncut(axis: int, n: Size, m: Size) -> Read:
    if certainly(equal(n, m)):
        return identity_read(axis)
    return UnknownRead(f"RandomCrop from {n} to {m} units, which Keras leaves uncut at inference")
