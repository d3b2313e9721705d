"""Configurations of Keras 2, written by tf_keras: shapes, weights and totals as tf_keras counts them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers as kl

from archcalc.errors import SourceError
from archcalc.graph import Graph
from archcalc.readers.keras_config import read_keras
from tests.readers.keras.oracle import graph_rows, totals

Rows = Iterator[tuple[str, Any, list[Any]]]


def read(model: Any, **options: Any) -> Graph:
    return read_keras(json.loads(model.to_json()), "model.json", **options)


def live_rows(model: Any, prefix: str = "", *, outer: bool = True) -> Rows:
    """(name, output shapes, weights of a first call) of every call, from tf_keras's own records."""
    for layer in model._self_tracked_trackables if isinstance(model, tf_keras.Sequential) else model.layers:
        if isinstance(layer, tf_keras.layers.InputLayer):
            if outer:
                yield prefix + layer.name, [tuple(layer.input_shape[0][1:])], []
            continue
        nodes = [
            node
            for i, node in enumerate(layer._inbound_nodes)
            if f"{layer.name}_ib-{i}" in model._network_nodes
        ]
        for number, node in enumerate(nodes):
            name = prefix + layer.name + (f"[{number + 1}]" if number else "")
            if isinstance(layer, tf_keras.Model):
                yield from (
                    (n, s, w if not number else []) for n, s, w in live_rows(layer, f"{name}/", outer=False)
                )
                continue
            outputs = [tuple(t.shape[1:]) for t in tf.nest.flatten(node.outputs)]
            weights = [] if number else [(tuple(w.shape), trainable(layer, w)) for w in layer.weights]
            yield name, outputs, weights


def trainable(layer: Any, weight: Any) -> bool:
    return any(w is weight for w in layer.trainable_weights)


def convolutional() -> Any:
    x = tf_keras.Input((33, 31, 3), name="image")
    y = kl.Conv2D(8, 3, name="conv")(x)
    y = kl.BatchNormalization()(y)
    y = kl.LeakyReLU()(y)
    y = kl.ReLU(6.0)(y)
    y = kl.DepthwiseConv2D(3, depth_multiplier=2)(y)
    y = kl.SeparableConv2D(6, 3, strides=2)(y)
    y = kl.Conv2DTranspose(4, 3, strides=2)(y)
    y = kl.UpSampling2D(interpolation="bilinear")(kl.ZeroPadding2D()(y))
    y = kl.LayerNormalization()(y)
    y = kl.PReLU(shared_axes=[1, 2])(y)
    y = kl.Flatten()(kl.AveragePooling2D(4)(y))
    return tf_keras.Model(x, kl.Dense(3, activation="softmax")(y))


def locally_connected() -> Any:
    x = tf_keras.Input((8, 8, 2))
    a = kl.LocallyConnected2D(4, 3, implementation=1)(x)
    b = kl.LocallyConnected2D(4, 3, padding="same", implementation=3)(x)
    c = kl.LocallyConnected1D(3, 3, strides=2)(kl.Reshape((16, 8))(x))
    return tf_keras.Model(x, [a, b, c])


def shared_and_nested() -> Any:
    inner = tf_keras.Sequential(
        [kl.Dense(4, input_shape=(8,), name="a"), kl.Dense(2, name="b")], name="inner"
    )
    i = tf_keras.Input((2,))
    functional = tf_keras.Model(i, kl.Dense(5, name="c")(i), name="functional")
    shared = kl.Dense(8, name="shared")
    x = tf_keras.Input((8,), name="x")
    y = shared(shared(x))
    return tf_keras.Model(x, [functional(inner(y)), functional(inner(x)), kl.Add()([y, shared(y)])])


def partly_frozen() -> Any:
    model = shared_and_nested()
    model.get_layer("functional").trainable = False
    model.get_layer("functional").get_layer("c").trainable = True
    model.get_layer("inner").get_layer("a").trainable = False
    return model


def frozen() -> Any:
    model = convolutional()
    model.trainable = False
    model.get_layer("conv").trainable = True
    return model


def mixed_precision() -> Any:
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return tf_keras.Sequential([kl.Dense(4, input_shape=(8,)), kl.Dense(2, dtype="float32")])
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")


def dictionaries() -> Any:
    x, y = tf_keras.Input((8,), name="x"), tf_keras.Input((5,), name="y")
    merged = kl.Concatenate()([kl.Dense(3)(x), y])
    return tf_keras.Model({"y": y, "x": x}, {"main": kl.Dense(2)(merged), "aux": kl.Dense(1)(x)})


def functions() -> Any:
    x = tf_keras.Input((12, 10, 4), name="x")
    y = kl.Conv2D(8, 1)(x)
    y = tf.nn.relu(1.0 / (y + 1.0) - y * 2)
    z = tf.math.sigmoid(y)[:, 1:-1, ::2, ...]
    mean = tf.reduce_mean(z, axis=[1, 2], keepdims=True)
    z = z * mean
    flat = tf.reshape(mean, (-1, 8))
    joined = tf.concat([flat, flat], axis=-1)
    parts = tf.split(joined, [3, 13], axis=-1)
    stacked = tf.stack([flat, tf.squeeze(tf.expand_dims(flat, 1), [1])], axis=1)
    product = tf.matmul(stacked, tf.ones((8, 5)))
    moved = tf.transpose(tf.pad(z, [[0, 0], [1, 2], [0, 0], [0, 0]]), [0, 3, 1, 2])
    big = tf.image.resize(tf.clip_by_value(y, 0.0, 1.0), (24, 20))
    deep = tf.nn.depth_to_space(tf.cast(tf.tile(y, [1, 1, 1, 1]), tf.float32), 2)
    best = tf.nn.softmax(tf.gather(stacked, [1, 0, 1], axis=1))
    top = tf.reduce_max(tf.maximum(best, 0.5), axis=-1)
    return tf_keras.Model(x, [z, *parts, product, moved, big, deep, top, tf.where(flat > 0.0, flat, 0.0)])


MODELS = [
    convolutional,
    locally_connected,
    shared_and_nested,
    partly_frozen,
    frozen,
    mixed_precision,
    dictionaries,
    functions,
]


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_rows_weights_and_totals_are_those_of_tf_keras(build: Callable[[], Any]) -> None:
    check(build)


def check(build: Callable[[], Any]) -> None:
    tf_keras.backend.clear_session()
    model = build()
    graph = read(model)
    rows = {row.name: row for row in graph_rows(graph)}
    frozen_model = not model.trainable
    live = {name: (outputs, weights) for name, outputs, weights in live_rows(model)}
    assert rows.keys() == live.keys()
    for name, (outputs, weights) in live.items():
        assert list(rows[name].outputs) == outputs, name
        expected = Counter((shape, t and not frozen_model) for shape, t in weights)
        if build is not partly_frozen:
            assert rows[name].weights == expected, name
    assert totals(graph) == (
        model.count_params(),
        sum(int(tf.size(w)) for w in model.trainable_weights),
    )


def test_an_old_file_without_modules_or_names_of_versions_is_read() -> None:
    """Keras 2.2 wrote neither; a Sequential's configuration was once just its list of layers."""
    config = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Conv2D",
                "config": {
                    "name": "conv",
                    "batch_input_shape": [None, 9, 9, 1],
                    "filters": 2,
                    "kernel_size": [3, 3],
                    "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0}},
                },
            },
            {"class_name": "Flatten", "config": {"name": "flat", "data_format": "channels_last"}},
        ],
    }
    graph = read_keras(config, "old.json")
    assert [row.outputs for row in graph_rows(graph)] == [((9, 9, 1),), ((7, 7, 2),), ((98,),)]


APPLICATIONS = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"),
    *("ResNet50V2", "DenseNet121", "NASNetMobile", "InceptionResNetV2", "InceptionV3", "Xception"),
    *("RegNetX002", "ResNetRS50", "VGG16"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_of_keras_2(name: str) -> None:
    check(lambda: getattr(tf_keras.applications, name)(weights=None))


def test_an_unbuilt_sequential_names_the_option() -> None:
    model = tf_keras.Sequential([kl.Dense(4), kl.Dense(2)])
    with pytest.raises(SourceError, match="--input-shape"):
        read(model)
    assert totals(read(model, input_shape=(3,))) == (4 * 4 + 5 * 2, 4 * 4 + 5 * 2)


def test_functions_without_a_rule_are_named() -> None:
    x = tf_keras.Input((4,), name="x")
    model = tf_keras.Model(x, tf.math.bessel_i0(x))
    with pytest.raises(
        SourceError, match=r"\$\.config\.layers\[1\].*math\.bessel_i0.*no rule.*--allow-unknown"
    ):
        read(model)


def test_a_lambda_is_refused_by_name() -> None:
    model = tf_keras.Sequential([kl.Dense(4, input_shape=(3,)), kl.Lambda(lambda v: v * 2, name="mine")])
    with pytest.raises(SourceError, match=r"\$\.config\.layers\[2\]: layer 'mine' is a Lambda.*never run"):
        read(model)
