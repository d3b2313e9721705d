"""Layers that act only in training; figures are those of inference."""

from __future__ import annotations

from typing import Any, ClassVar

from archcalc.arith import Shape, Size
from archcalc.layers import primitives as prim
from archcalc.layers.base import Elementwise, family, layer, require_rank
from archcalc.layers.fields import Fraction01, Untracked


@family
class TrainingOnly(Elementwise):
    """The identity at inference."""

    keeps_integers = True
    call_arguments: ClassVar[tuple[str, ...]] = ("training",)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0


@layer
class Dropout(TrainingOnly):
    """Zeroes units at random, and scales the others by 1/(1 - rate), in training."""

    rate: Fraction01
    noise_shape: Untracked = None
    seed: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Dropout(self.rate, per_sample=_by_sample(self.noise_shape, len(inputs[0]))),)


def _by_sample(noise_shape: Any, axes: int) -> bool:
    """Whether `noise_shape` drops all units of a sample together, independently for each sample."""
    if not isinstance(noise_shape, list | tuple) or len(noise_shape) != axes + 1:
        return False  # a spec may have any value here
    batch, *others = noise_shape
    return batch != 1 and all(n == 1 for n in others)


@layer
class AlphaDropout(TrainingOnly):
    """Dropout that keeps mean and variance (Klambauer et al. 2017, arXiv 1706.02515)."""

    rate: Fraction01
    noise_shape: Untracked = None
    seed: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Dropout(self.rate, alpha=True),)


@layer
class GaussianDropout(TrainingOnly):
    """Multiplies by noise around 1."""

    rate: Fraction01
    seed: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Dropout(self.rate, noise=True),)


@layer
class GaussianNoise(TrainingOnly):
    """Adds noise around 0."""

    stddev: Fraction01
    seed: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return ()


@layer
class ActivityRegularization(TrainingOnly):
    """Adds a penalty on its input to the loss."""

    call_arguments = ()

    l1: Untracked = 0.0
    l2: Untracked = 0.0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return ()


@family
class SpatialDropout(TrainingOnly):
    """Dropout of whole channels (Tompson et al. 2014, arXiv 1411.4280)."""

    rate: Fraction01
    seed: Untracked = None

    def output_shape(self, *inputs: Shape) -> Shape:
        x = super().output_shape(*inputs)
        require_rank(self, x, self.rank + 1)
        return x

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Dropout(self.rate),)


@layer
class SpatialDropout1D(SpatialDropout):
    """Spatial dropout over one axis."""

    rank = 1


@layer
class SpatialDropout2D(SpatialDropout):
    """Spatial dropout over two axes."""

    rank = 2
    data_format: Untracked = None


@layer
class SpatialDropout3D(SpatialDropout):
    """Spatial dropout over three axes."""

    rank = 3
    data_format: Untracked = None
