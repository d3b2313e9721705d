"""Convolution against locally connected: the networks of `conv_vs_local`, in Keras and in `tf_keras`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import archcalc

if TYPE_CHECKING:
    import keras

EXAMPLES = Path(__file__).parents[2] / "examples"
PAIRS = {
    "conv_pair": ("first", "second"),
    "conv_then_local": ("conv", "local"),
    "local_pair": ("first", "second"),
}
INCEPTION = "inception_resnet_a"
NAMES = (*PAIRS, INCEPTION)
SIZE, MARGIN = 36, 4  # garments of 28 pixels in the middle of a black field
FLAT, AVERAGE = "flat", "average"  # heads: one that knows positions, one that cannot


def is_local(name: str, number: int) -> bool:
    """Whether layer `number` (0 or 1) of a pair is locally connected."""
    return name == "local_pair" or (name == "conv_then_local" and number == 1)


def build(name: str, head: str, filters: Sequence[int], classes: int) -> keras.Model:
    """A body of examples/NAME.json with rectifiers, and a head, from (36, 36, 3) to logits.

    The Inception-ResNet-A block needs a grid of 256 channels: a 4x4 convolution of stride 4 makes one of 9x9.
    """
    import keras
    from keras import layers

    from archcalc.keras import LocallyConnected2D

    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    if name == INCEPTION:
        x = inception(
            layers.Conv2D(8 * filters[1], 4, strides=4, activation="relu", name="stem")(inputs), filters[1]
        )
    else:
        x = inputs
        for number, layer in enumerate(PAIRS[name]):
            kind = LocallyConnected2D if is_local(name, number) else layers.Conv2D
            x = kind(filters[number], 3, activation="relu", name=layer)(x)
    if head == AVERAGE:
        x = layers.GlobalAveragePooling2D(name="average")(x)
    else:
        if name != INCEPTION:
            x = layers.MaxPooling2D(4, name="pool")(x)
        x = layers.Flatten(name="flat")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=name)


def inception(grid: Any, filters: int) -> Any:
    """The block of examples/inception_resnet_a.json, with `filters` in its branches (there 32)."""
    from keras import layers

    def conv(count: int, size: int, name: str, activation: str | None = "relu") -> Any:
        return layers.Conv2D(count, size, padding="same", activation=activation, name=name)

    short = conv(filters, 3, "short_3x3")(conv(filters, 1, "short_1x1")(grid))
    long = conv(filters, 3, "long_3x3_a")(conv(filters, 1, "long_1x1")(grid))
    long = conv(filters, 3, "long_3x3_b")(long)
    x = layers.Concatenate(name="concat")([conv(filters, 1, "point")(grid), short, long])
    x = layers.Add(name="add")([grid, conv(grid.shape[-1], 1, "linear", None)(x)])
    return layers.ReLU(name="relu")(x)


def placed(images: NDArray[np.uint8], down: int = 0, right: int = 0) -> NDArray[np.float32]:
    """Garments (N, 28, 28, 1) in the field, (N, 36, 36, 3), 0..1, shifted by up to `MARGIN` pixels."""
    field = np.zeros((len(images), SIZE, SIZE, 3), np.float32)
    top, left = MARGIN + down, MARGIN + right
    field[:, top : top + 28, left : left + 28] = images / np.float32(255)
    return field


# -- what archcalc says of the examples, and what Keras and tf_keras say -------------------------------
def _symbols(name: str) -> dict[str, int]:
    return {} if name == INCEPTION else {"H": SIZE}


def predicted(name: str) -> dict[str, Any]:
    """Parameters, multiply-adds, field and peak memory of an example on an input of 36 x 36."""
    graph = archcalc.load(str(EXAMPLES / f"{name}.json"))
    report = archcalc.analyze(graph, _symbols(name)).to_dict()
    totals = report["totals"]
    return {
        "parameters": totals["parameters"],
        "macs": totals["macs"],
        "field": report["layers"][-1]["receptive_field"]["size"],
        "peak_activation_bytes": totals["peak_activation_bytes"],
        "layers": {row["name"]: row["parameters"] for row in report["layers"]},
    }


def measured(name: str) -> dict[str, Any]:
    """Parameters as the summaries of Keras and of `tf_keras` print them, and the field by gradient."""
    model = archcalc.to_keras(archcalc.load(str(EXAMPLES / f"{name}.json")), _symbols(name))
    return {
        "keras": printed_total(model),
        "tf_keras": printed_total(legacy(name)),
        "field": field(model),
    }


def printed_total(model: Any) -> int:
    """The total of `model.summary()`."""
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    total = next(line for text in lines for line in text.splitlines() if "Total params" in line)
    return int(total.split(":")[1].split("(")[0].replace(",", ""))


def legacy(name: str) -> Any:
    """The same network in `tf_keras`, where LocallyConnected2D still is, layer by layer by hand."""
    import tf_keras
    from tf_keras import layers

    if name != INCEPTION:
        inputs = x = tf_keras.Input((SIZE, SIZE, 3))
        for number, filters in enumerate((16, 32)):
            kind = layers.LocallyConnected2D if is_local(name, number) else layers.Conv2D
            x = kind(filters, 3)(x)
        return tf_keras.Model(inputs, x)
    inputs = tf_keras.Input((35, 35, 256))

    def conv(count: int, size: int, x: Any) -> Any:
        return layers.Conv2D(count, size, padding="same")(x)

    long = conv(32, 3, conv(32, 3, conv(32, 1, inputs)))
    x = layers.Concatenate()([conv(32, 1, inputs), conv(32, 3, conv(32, 1, inputs)), long])
    return tf_keras.Model(inputs, layers.Add()([inputs, conv(256, 1, x)]))


def field(model: keras.Model) -> list[int]:
    """Sides of the part of the input that the middle unit of the output depends on, by its gradient.

    Weights and inputs are made positive, so that nothing cancels and no rectifier is shut.
    """
    import tensorflow as tf

    for weight in model.weights:
        weight.assign(tf.abs(weight) + 1e-3)
    x = tf.ones((1, *model.inputs[0].shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
        unit = tf.reduce_sum(y[0, y.shape[1] // 2, y.shape[2] // 2])
    seen = np.abs(tape.gradient(unit, x).numpy()[0]).sum(axis=-1) > 0
    sides = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
    return [int(side[-1] - side[0] + 1) for side in sides]
