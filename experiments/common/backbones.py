"""ResNet50 and MobileNetV2 without their tops: built, filled, and their inputs prepared as each wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archcalc.errors import did_you_mean
from experiments.common import weights as stored
from experiments.common.errors import ExperimentError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Backbone:
    """An application of Keras, and the pattern of its weights' file in Keras's cache."""

    stride = 32  # of the output, for all of them

    application: str  # in keras.applications
    module: str  # in keras.applications, where its preprocess_input is
    channels: int  # of its output
    cached: str


BACKBONES = {
    "resnet50": Backbone("ResNet50", "resnet50", 2048, "resnet50_weights*_notop.h5"),
    "mobilenetv2": Backbone("MobileNetV2", "mobilenet_v2", 1280, "mobilenet_v2_weights*_1.0_*_no_top.h5"),
}


def find(name: str) -> Backbone:
    """The backbone of that name; ExperimentError with what was probably meant otherwise."""
    if name in BACKBONES:
        return BACKBONES[name]
    meant = did_you_mean(name, BACKBONES, f"known: {', '.join(BACKBONES)}")
    raise ExperimentError(f"backbone={name!r}: no such backbone{meant}")


def build(name: str, inputs: Any, weights: str = stored.NONE) -> keras.Model:
    """The backbone on `inputs` (prepared pixels), without its top, with `weights` or random.

    Random weights are the same for the same Keras seed where this is the first thing built after it.
    """
    import keras

    backbone = find(name)
    application = getattr(keras.applications, backbone.application)

    def made(which: str | None) -> keras.Model:
        return application(input_tensor=inputs, include_top=False, weights=which)

    if weights == stored.IMAGENET:
        return stored.imagenet(lambda: made("imagenet"), backbone.cached)
    model = made(None)
    if weights != stored.NONE:
        stored.give(model, weights)
    return model


def preparation(name: str, size: int) -> Callable[[Any], Any]:
    """From a batch of byte images to what the backbone takes: (N, size, size, 3), its own scaling."""
    import keras
    import tensorflow as tf

    module = getattr(keras.applications, find(name).module)

    def prepare(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)
        if images.shape[1:3] != (size, size):
            pixels = tf.image.resize(pixels, (size, size))
        return module.preprocess_input(pixels)

    return prepare


def output_shape(name: str, size: int) -> tuple[int, int, int]:
    """Of the backbone's output for images of that size. Raises ExperimentError where it does not divide."""
    backbone = find(name)
    if size < Backbone.stride or size % Backbone.stride:
        raise ExperimentError(f"size={size}: must be a multiple of {Backbone.stride}")
    side = size // Backbone.stride
    return side, side, backbone.channels


def normalisations(model: keras.Model) -> list[keras.Layer]:
    import keras

    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def last_stage(backbone: keras.Model) -> list[keras.Layer]:
    """The layers behind the last downsampling: those whose outputs have the size of the backbone's."""
    size = backbone.output.shape[1]
    return [layer for layer in backbone.layers if layer.weights and layer.output.shape[1] == size]
