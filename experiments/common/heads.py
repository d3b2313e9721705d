"""The head of `transfer`: on cached features, and on its whole backbone for fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.common import backbones
from experiments.image_classifier import compiled

if TYPE_CHECKING:
    import keras

HEAD = ("head_norm", "head_reduce", "classes")  # the layers that hold weights


def head(x: Any, config: Any, classes: int) -> Any:
    """BatchNormalization, Conv2D that reduces dimensions, Flatten, Dense."""
    from keras import layers

    x = layers.BatchNormalization(momentum=config.batchnorm_momentum, name="head_norm")(x)
    x = layers.Conv2D(config.reduced_filters, 1, activation="relu", name="head_reduce")(x)
    x = layers.Flatten(name="head_flatten")(x)
    return layers.Dense(classes, activation="softmax", name="classes")(x)


def build_head(config: Any, classes: int) -> keras.Model:
    """The compiled head on cached features."""
    import keras

    inputs = keras.Input(backbones.output_shape(config.backbone, config.size), name="features")
    return compiled(keras.Model(inputs, head(inputs, config, classes), name="head"), config)


def build_whole(config: Any, classes: int) -> keras.Model:
    """Backbone and head, compiled; of the backbone only the last stage's convolutions train."""
    import keras

    inputs = keras.Input((config.size, config.size, 3), name="image")
    backbone = backbones.build(config.backbone, inputs, config.weights)
    model = keras.Model(inputs, head(backbone.output, config, classes), name="whole")
    for layer in backbone.layers:
        layer.trainable = False
    for layer in backbones.last_stage(backbone):
        layer.trainable = True
    for norm in backbones.normalisations(model):
        norm.trainable = False  # inference mode: the averages that the features came with
    return compiled(model, config, config.fine_tune_rate)


def take_over(new: keras.Model, trained: keras.Model) -> None:
    """Give a whole model the head that was trained on its backbone's features."""
    for name in HEAD:
        new.get_layer(name).set_weights(trained.get_layer(name).get_weights())
