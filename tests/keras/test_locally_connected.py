"""LocallyConnected1D/2D for Keras 3 against `tf_keras`: weights, outputs, gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from archcalc.keras import locally_connected

CASES_1D = [
    {"filters": 3, "kernel_size": 2},
    {"filters": 2, "kernel_size": 3, "strides": 2, "activation": "tanh"},
    {"filters": 2, "kernel_size": 1, "strides": 3, "use_bias": False},
]
CASES_2D = [
    {"filters": 3, "kernel_size": 2},
    {"filters": 2, "kernel_size": (3, 1), "strides": (1, 2), "activation": "sigmoid"},
    {"filters": 1, "kernel_size": (2, 3), "strides": (3, 2), "use_bias": False},
    {"filters": 2, "kernel_size": (1, 4), "strides": (2, 1)},
]
LAYOUTS = [(1, "valid"), (2, "valid"), (2, "same"), (3, "valid"), (3, "same")]


def compare(rank: int, arguments: dict[str, Any], sides: tuple[int, ...], channels: int) -> None:
    """Build both layers on one input; all of their arrays must be equal."""
    first = arguments["data_format"] == "channels_first"
    shape = (channels, *sides) if first else (*sides, channels)
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *shape))
    name = f"LocallyConnected{rank}D"
    theirs = getattr(tf_keras.layers, name)(**arguments, dtype="float64")
    ours = getattr(locally_connected, name)(**arguments, dtype="float64")
    theirs.build((None, *shape))
    ours.build((None, *shape))
    assert [w.name for w in ours.weights] == [w.name.split(":")[0].split("/")[-1] for w in theirs.weights]
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    values = [random.normal(size=w.shape) for w in ours.weights]
    theirs.set_weights(values)
    ours.set_weights(values)

    arrays = []
    for layer in (theirs, ours):
        variables = [w if layer is theirs else w.value for w in layer.trainable_weights]
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = layer(inputs)
            loss = tf.reduce_sum(tf.sin(y * 3))
        gradients = tape.gradient(loss, [inputs, *variables])
        arrays.append([y.numpy(), *(tf.convert_to_tensor(g).numpy() for g in gradients)])
    for want, got in zip(*arrays, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    assert ours.compute_output_shape((None, *shape))[1:] == arrays[0][0].shape[1:]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("implementation", "padding"), LAYOUTS)
@pytest.mark.parametrize("arguments", CASES_1D, ids=str)
def test_one_axis_equals_tf_keras(
    arguments: dict[str, Any], implementation: int, padding: str, data_format: str
) -> None:
    more = {"implementation": implementation, "padding": padding, "data_format": data_format}
    compare(1, arguments | more, (7,), 2)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("implementation", "padding"), LAYOUTS)
@pytest.mark.parametrize("arguments", CASES_2D, ids=str)
def test_two_axes_equal_tf_keras(
    arguments: dict[str, Any], implementation: int, padding: str, data_format: str
) -> None:
    more = {"implementation": implementation, "padding": padding, "data_format": data_format}
    compare(2, arguments | more, (6, 5), 3)


def test_a_model_with_it_trains_saves_and_loads(tmp_path: Any) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            locally_connected.LocallyConnected2D(4, 3, activation="relu", kernel_regularizer="l2"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    x = np.random.default_rng(1).normal(size=(64, 8, 8, 1)).astype("float32")
    y = x[:, 2, 3, 0] - x[:, 5, 5, 0]
    model.compile("adam", "mse")
    losses = model.fit(x, y, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.layers[0].get_config() == model.layers[0].get_config()


def test_mixed_precision_computes_in_half() -> None:
    layer = locally_connected.LocallyConnected2D(2, 3, dtype="mixed_float16")
    assert layer(np.ones((1, 4, 4, 1), "float32")).dtype == "float16"
    assert layer.kernel.dtype == "float32"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"filters": 0, "kernel_size": 3}, "filters=0"),
        ({"filters": 2, "kernel_size": (3, 3, 3)}, r"kernel_size=\(3, 3, 3\)"),
        ({"filters": 2, "kernel_size": 3, "strides": 0}, "strides=0"),
        ({"filters": 2, "kernel_size": 3, "padding": "same"}, "implementations 2 and 3 take 'same'"),
        ({"filters": 2, "kernel_size": 3, "padding": "full"}, "padding='full'"),
        ({"filters": 2, "kernel_size": 3, "implementation": 4}, "implementation=4"),
        ({"filters": 2, "kernel_size": 3, "data_format": "NHWC"}, "NHWC"),
    ],
)
def test_arguments_are_refused_with_their_values(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        locally_connected.LocallyConnected2D(**arguments)


def test_open_and_small_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="must be known"):
        locally_connected.LocallyConnected2D(2, 3).build((None, None, 8, 1))
    with pytest.raises(ValueError, match="smaller than kernel_size"):
        locally_connected.LocallyConnected2D(2, 3).build((None, 2, 8, 1))
