"""U-Net (Ronneberger, Fischer & Brox 2015) on a MobileNetV2 encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.common import backbones
from experiments.common.errors import ExperimentError
from experiments.common.weights import NONE

if TYPE_CHECKING:
    import keras

ENCODER = "mobilenetv2"
# what each downsampling of MobileNetV2 reads, and what the last stage ends with; the first reads the image
BEFORE_DOWNSAMPLING = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "block_16_project_BN",
)


def build(
    size: int,
    classes: int,
    filters: Sequence[int],
    *,
    weights: str = NONE,
    trainable: bool = True,
    momentum: float | None = None,
) -> keras.Model:
    """From prepared pixels (size, size, 3) to class probabilities (size, size, classes).

    One block of the decoder per entry of `filters`, the first working at the input's size: upsampling,
    the skip beside it, a 3x3 convolution, BatchNormalization, ReLU. The encoder ends where the deepest block
    begins. `trainable` False freezes the whole encoder. `momentum` is that of the encoder's
    BatchNormalization where it trains; None keeps it in inference mode, with the averages it came with.

    Raises ExperimentError for a size that the downsamplings do not divide, or too many blocks.
    """
    import keras
    from keras import layers

    require(size, filters)
    inputs = keras.Input((size, size, 3), name="image")
    encoder = backbones.build(ENCODER, inputs, weights)
    _set_mode(encoder, trainable, momentum)
    tensors = [inputs, *(encoder.get_layer(name).output for name in BEFORE_DOWNSAMPLING[: len(filters)])]
    x = tensors.pop()
    for number in reversed(range(len(filters))):
        block = f"up{number + 1}"
        x = layers.UpSampling2D(name=f"{block}_enlarge")(x)
        x = layers.Concatenate(name=f"{block}_skip")([x, tensors[number]])
        x = layers.Conv2D(filters[number], 3, padding="same", use_bias=False, name=f"{block}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{block}_norm")(x)
        x = layers.ReLU(name=f"{block}_relu")(x)
    outputs = layers.Conv2D(classes, 1, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="unet")


def require(size: int, filters: Sequence[int]) -> None:
    """Raise ExperimentError where no such U-Net can be built."""
    if not 1 <= len(filters) <= len(BEFORE_DOWNSAMPLING):
        raise ExperimentError(
            f"decoder_filters has {len(filters)} blocks; {ENCODER} has 1 to {len(BEFORE_DOWNSAMPLING)} "
            "downsamplings to undo"
        )
    if size % 2 ** len(filters) or size < 32:
        raise ExperimentError(
            f"size={size}: must be at least 32 and a multiple of {2 ** len(filters)}, so that skips meet "
            "their size"
        )


def _set_mode(encoder: keras.Model, trainable: bool, momentum: float | None) -> None:
    for layer in encoder.layers:
        layer.trainable = trainable
    for norm in backbones.normalisations(encoder):
        if momentum is None:
            norm.trainable = False
        else:
            norm.momentum = momentum  # Keras's .999 for MobileNetV2 needs thousands of steps
