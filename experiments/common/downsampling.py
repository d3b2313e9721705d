"""One downsampling after the first convolution: the networks of `stride_vs_pooling`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

STRIDE, MAX, AVERAGE, BLUR = "stride", "max", "average", "blur"
METHODS = (STRIDE, MAX, AVERAGE, BLUR)
DOWN = "down"  # the layer after which everything is smaller
REACH = (4, 8, 16, 32)  # input pixels between the taps of the convolutions of a segmentation


def classifier(method: str, factor: int, shape: Sequence[int], classes: int, filters: int) -> keras.Model:
    """Convolution, downsampling, two convolutions, the mean over positions, softmax; from bytes."""
    import keras
    from keras import layers

    inputs = keras.Input(tuple(shape), name="image")
    x = _reduced(inputs, method, factor, filters)
    for number in (2, 3):
        x = _conv(2 * filters, f"conv{number}")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(
        inputs, layers.Dense(classes, activation="softmax", name="classes")(x), name="classifier"
    )


def segmenter(method: str, factor: int, shape: Sequence[int], classes: int, filters: int) -> keras.Model:
    """Convolution, downsampling, dilated convolutions, bilinear enlargement, softmax of every pixel.

    Dilations shrink as the factor grows, so that all see about as many pixels of the input.
    """
    import keras
    from keras import layers

    inputs = keras.Input(tuple(shape), name="image")
    x = _reduced(inputs, method, factor, filters)
    for number, reach in enumerate(REACH, 2):
        x = _conv(2 * filters, f"conv{number}", dilation=max(1, round(reach / factor)))(x)
    x = layers.Conv2D(classes, 1, name="scores")(x)
    if factor > 1:
        x = layers.UpSampling2D(factor, interpolation="bilinear", name="enlarge")(x)
    return keras.Model(inputs, layers.Softmax(name="classes")(x), name="segmenter")


def _conv(filters: int, name: str, strides: int = 1, dilation: int = 1) -> Any:
    from keras import layers

    def apply(x: Any) -> Any:
        x = layers.Conv2D(
            filters, 3, strides=strides, dilation_rate=dilation, padding="same", use_bias=False, name=name
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    return apply


def _reduced(inputs: Any, method: str, factor: int, filters: int) -> Any:
    """The first convolution with the downsampling in it or after it; the layer `DOWN` ends both."""
    from keras import layers

    x = layers.Rescaling(1 / 255, name="rescale")(inputs)
    if method == STRIDE:
        return layers.Activation("linear", name=DOWN)(_conv(filters, "conv1", strides=factor)(x))
    x = _conv(filters, "conv1")(x)
    options: dict[str, Any] = {"strides": factor, "padding": "same", "name": DOWN}
    if method == MAX:
        return layers.MaxPooling2D(factor, **options)(x)
    if method == AVERAGE:
        return layers.AveragePooling2D(factor, **options)(x)
    blur = layers.DepthwiseConv2D(2 * factor - 1, use_bias=False, trainable=False, **options)
    x = blur(x)
    blur.set_weights([blur_kernel(factor, filters)])
    return x


def blur_kernel(factor: int, channels: int) -> NDArray[np.float32]:
    """A triangle over 2 factor - 1 pixels along both axes, of sum 1 (Zhang 2019); (1, 2, 1)/4 for 2."""
    ramp = np.convolve(np.ones(factor), np.ones(factor)) / factor**2
    return np.repeat(np.outer(ramp, ramp)[..., None, None], channels, axis=2).astype(np.float32)


# -- pixels that nobody looks at -----------------------------------------------------------------------
def skipped_predicted(prediction: Mapping[str, Any]) -> float:
    """Share of input pixels that no unit after the downsampling sees, from archcalc's fields and strides."""
    row = next(row for row in prediction["layers"] if row["name"] == DOWN)
    field = row["receptive_field"]
    seen = [min(1.0, size / stride) for size, stride in zip(field["size"], field["stride"], strict=True)]
    return 1.0 - float(np.prod(seen))


def skipped_measured(model: keras.Model) -> float:
    """The same by gradient, on an input of which each side divides by the stride.

    Weights are made positive so that nothing cancels.
    """
    import keras
    import tensorflow as tf

    inner = keras.Model(model.inputs, model.get_layer(DOWN).output)
    for weight in inner.weights:
        weight.assign(tf.abs(weight) + 1e-3)
    height, width, channels = model.inputs[0].shape[1:]
    # distinct values: where all are equal, max pooling's gradient goes to one of them by chance
    x = tf.constant(
        np.random.default_rng(0).uniform(0, 255, (16, height, width, channels)).astype(np.float32)
    )
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(inner(x, training=False))
    seen = np.abs(tape.gradient(total, x).numpy()).sum(axis=(0, 3)) > 0
    return 1.0 - float(seen.mean())


# -- shifts -------------------------------------------------------------------------------------------
def shifted(images: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Images moved by so many pixels; the border repeats."""
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, rows][:, :, columns]


def agreement(before: NDArray[Any], after: NDArray[Any], down: int, right: int) -> float:
    """How alike the answers to images and to moved images are.

    Classes (N,): the share that stays. Masks (N, H, W), moved back: the IoU of the foreground over all pixels
    that both know.
    """
    if before.ndim == 1:
        return float((before == after).mean())
    height, width = before.shape[1:]
    first = before[:, : height - down, : width - right] > 0
    second = after[:, down:, right:] > 0
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else 1.0


def near_outline(masks: NDArray[Any], distance: int = 2) -> NDArray[np.bool_]:
    """Pixels (N, H, W) within so many pixels of a change of class, along rows, columns and diagonals."""
    edge = np.zeros(masks.shape, bool)
    for axis in (1, 2):
        change = np.diff(masks, axis=axis) != 0
        low: list[Any] = [slice(None)] * 3
        high: list[Any] = [slice(None)] * 3
        low[axis], high[axis] = slice(0, -1), slice(1, None)
        edge[tuple(low)] |= change
        edge[tuple(high)] |= change
    for _ in range(distance - 1):
        rows, columns = edge.shape[1:]
        padded: NDArray[np.bool_] = np.pad(edge, ((0, 0), (1, 1), (1, 1)))
        for down in range(3):
            for right in range(3):
                edge |= padded[:, down : down + rows, right : right + columns]
    return edge
