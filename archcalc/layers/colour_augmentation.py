"""Layers that change the colours of images at random in training; they do nothing at inference."""

from __future__ import annotations

from archcalc.arith import Shape, require_equal
from archcalc.layers.augmentation import Augmentation
from archcalc.layers.base import family, layer, require_rank
from archcalc.layers.fields import Untracked


@family
class Colours(Augmentation):
    """What the layers that change colours have in common."""

    value_range: Untracked = (0, 255)


@layer
class RandomBrightness(Colours):
    """Adds a random brightness."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomContrast(Colours):
    """Stretches values around their mean."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomHue(Colours):
    """Turns the hue."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomSaturation(Colours):
    """Changes the saturation."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomSharpness(Colours):
    """Blends each image with a smoothed one."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomPosterization(Colours):
    """Keeps the leading bits of each value."""

    factor: Untracked
    seed: Untracked = None


@layer
class RandomColorDegeneration(Colours):
    """Blends each image with its grey version."""

    factor: Untracked
    seed: Untracked = None

    def output_shape(self, *inputs: Shape) -> Shape:
        x = super().output_shape(*inputs)
        require_rank(self, x, 3)
        channels = x[0] if self.data_format == "channels_first" else x[-1]
        require_equal(
            channels, 3, lambda: f"RandomColorDegeneration takes images of 3 channels, got {channels}"
        )
        return x


@layer
class RandomColorJitter(Colours):
    """Random brightness, contrast, saturation and hue."""

    brightness_factor: Untracked = None
    contrast_factor: Untracked = None
    saturation_factor: Untracked = None
    hue_factor: Untracked = None
    seed: Untracked = None


@layer
class RandomInvert(Colours):
    """Turns values into their opposites."""

    factor: Untracked = 1.0
    seed: Untracked = None


@layer
class RandomGrayscale(Augmentation):
    """Turns images grey."""

    factor: Untracked = 0.5
    seed: Untracked = None


@layer
class Solarization(Colours):
    """Turns bright values into their opposites."""

    addition_factor: Untracked = 0.0
    threshold_factor: Untracked = 0.0
    seed: Untracked = None


@layer
class Equalization(Colours):
    """Evens out the histogram of each channel."""

    bins: Untracked = 256
