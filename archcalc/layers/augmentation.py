"""Layers that change images at random in training; figures are those of inference, where they do nothing."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape
from archcalc.layers.base import family, layer
from archcalc.layers.fields import ChoiceKind, RealsKind, Untracked
from archcalc.layers.regularization import TrainingOnly
from archcalc.layers.stages import Disturb, Stages

Factor = Annotated[Any, RealsKind()]


@layer
class RandomFlip(TrainingOnly):
    """Mirrors an image, or not, with even chances."""

    rank = 2
    mode: Annotated[str, ChoiceKind("horizontal", "vertical", "horizontal_and_vertical")] = (
        "horizontal_and_vertical"
    )
    seed: Untracked = None
    data_format: Untracked = None

    def stages(self, *inputs: Shape) -> Stages:
        return ()


@family
class Resampling(TrainingOnly):
    """What the layers that move pixels have in common: how they interpolate, and what lies outside."""

    rank = 2
    fill_mode: Untracked = "reflect"
    interpolation: Untracked = "bilinear"
    seed: Untracked = None
    fill_value: Untracked = 0.0
    data_format: Untracked = None

    def stages(self, *inputs: Shape) -> Stages:
        return (Disturb(),)


@layer
class RandomRotation(Resampling):
    """Turns each image by up to `factor` of a full turn."""

    factor: Factor


@layer
class RandomTranslation(Resampling):
    """Shifts each image by up to a factor of its sides."""

    height_factor: Factor
    width_factor: Factor
