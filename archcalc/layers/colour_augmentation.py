"""Layers that randomly change colours of images in training; at inference they do nothing."""

from __future__ import annotations

from archcalc.arith import Shape, require_equal
from archcalc.layers.augmentation import Augmentation
from archcalc.layers.base import family, layer, require_rank
from archcalc.layers.fields import Untracked


@family
class Colours(Augmentation):
    """A layer that changes colours in training."""

    keeps_integers = True

    value_range: Untracked = (0, 255)
    seed: Untracked = None


@family
class ByFactor(Colours):
    """A change of colours by a random `factor`."""

    factor: Untracked


@layer
class RandomBrightness(ByFactor):
    """Adds a random brightness."""


@layer
class RandomContrast(ByFactor):
    """Stretches values around their mean."""


@layer
class RandomHue(ByFactor):
    """Shifts the hue."""


@layer
class RandomSaturation(ByFactor):
    """Changes the saturation."""


@layer
class RandomSharpness(ByFactor):
    """Blends each image with a smoothed one."""

    keeps_integers = False


@layer
class RandomPosterization(ByFactor):
    """Keeps the leading bits of each value."""


@layer
class RandomColorDegeneration(ByFactor):
    """Blends each image with its grey version."""

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


@layer
class RandomInvert(Colours):
    """Inverts the values."""

    factor: Untracked = 1.0


@layer
class RandomGrayscale(Augmentation):
    """Turns images grey."""

    keeps_integers = True

    factor: Untracked = 0.5
    seed: Untracked = None


@layer
class Solarization(Colours):
    """Inverts bright values."""

    keeps_integers = False

    addition_factor: Untracked = 0.0
    threshold_factor: Untracked = 0.0


@layer
class Equalization(Augmentation):
    """Evens out the histogram of each channel."""

    keeps_integers = True

    value_range: Untracked = (0, 255)
    bins: Untracked = 256
