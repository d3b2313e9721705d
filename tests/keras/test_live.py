"""Live models as graphs, and round trips: no figure changes, and names come back."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tf_keras

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError, SourceError
from archcalc.graph import Graph
from archcalc.keras import LocallyConnected1D, LocallyConnected2D, from_keras, to_keras

L = keras.layers


def plain_cnn() -> Any:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), name="image"),
            L.Conv2D(8, 3, activation="relu", name="block1.conv"),
            L.BatchNormalization(),
            L.MaxPooling2D(2, padding="same"),
            L.SeparableConv2D(12, (3, 5), strides=2, depth_multiplier=2),
            L.Activation("gelu"),
            L.Flatten(),
            L.Dropout(0.5),
            L.Dense(10, activation="softmax"),
        ],
        name="plain",
    )


def residual() -> Any:
    x = keras.Input((None, None, 4), name="any_size")
    stem = L.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    shared = L.Conv2D(8, 3, padding="same", name="shared")
    y = L.Add(name="sum")([shared(L.ReLU(name="act")(shared(stem))), stem])
    return keras.Model(x, [L.GlobalAveragePooling2D(name="gap")(y), stem], name="residual")


def nested() -> Any:
    inner_in = keras.Input((16, 16, 8))
    inner = keras.Model(inner_in, L.Conv2D(8, 3, padding="same", name="conv")(inner_in), name="encoder")
    a, b = keras.Input((16, 16, 8), name="a"), keras.Input((16, 16, 8), name="b")
    return keras.Model([a, b], L.Concatenate(name="both")([inner(a), inner(b)]), name="twins")


def operations() -> Any:
    x = keras.Input((8, 6, 4), name="x")
    y = L.Conv2D(4, 3, padding="same", name="conv")(x)
    gate = keras.ops.sigmoid(keras.ops.mean(y, axis=(1, 2), keepdims=True))
    return keras.Model(x, keras.ops.concatenate([y * gate, x[:, :, ::-1] + 1.0], axis=-1), name="gated")


def local() -> Any:
    return keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            LocallyConnected2D(3, 2, activation="relu", name="local"),
            L.Reshape((20, 3), name="flat"),
            LocallyConnected1D(4, 3, strides=2, implementation=3, padding="same", name="line"),
        ],
        name="local_net",
    )


MODELS = [plain_cnn, residual, nested, operations, local]


def figures(graph: Graph, *, names: bool = True) -> list[Any]:
    report = analyze(graph, clipped=True)
    rows = []
    for row in report.to_dict()["layers"]:
        data = {
            k: v for k, v in row.items() if k not in ("name", "inputs", "shared_with", "receptive_fields")
        }
        rows.append((row["name"] if names else None, data))
    return rows


@pytest.mark.parametrize("make", MODELS)
def test_counts_are_those_of_the_model(make: Any) -> None:
    model = make()
    totals = analyze(from_keras(model)).totals
    assert totals.parameters == model.count_params()
    assert totals.trainable_parameters == sum(w.numpy().size for w in model.trainable_weights)


@pytest.mark.parametrize("make", MODELS)
def test_to_keras_and_back_keeps_every_figure_and_name(make: Any) -> None:
    graph = from_keras(make())
    again = from_keras(to_keras(graph))
    # Keras has one name for all calls of a layer
    named = all(node.shared_with is None for node in graph.nodes)
    assert figures(again, names=named) == figures(graph, names=named)
    assert again.name == graph.name


def test_names_that_keras_refuses_come_back() -> None:
    graph = from_keras(nested())
    assert [n.name for n in graph.nodes] == ["a", "b", "encoder/conv", "encoder[2]/conv", "both"]
    flat = to_keras(graph)
    assert [layer.name for layer in flat.layers] == ["a", "b", "encoder>conv", "both"]
    # the second call of a flat layer has no name of its own in Keras
    assert [n.name for n in from_keras(flat).nodes] == ["a", "b", "encoder/conv", "encoder/conv[2]", "both"]


def test_two_submodels_that_share_a_layer_count_it_once() -> None:
    conv = L.Conv2D(8, 3, padding="same", name="conv")
    parts = []
    for name in ("left", "right"):
        x = keras.Input((16, 16, 8))
        parts.append(keras.Model(x, conv(x), name=name))
    x = keras.Input((16, 16, 8), name="x")
    model = keras.Model(x, L.Add(name="sum")([part(x) for part in parts]))
    assert model.count_params() == 3 * 3 * 8 * 8 + 8
    assert analyze(from_keras(model)).totals.parameters == model.count_params()


def test_another_input_shape_is_that_of_the_same_network_in_a_file() -> None:
    """Weights have other sizes then, and keep their flags."""
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    model.layers[0].bias.trainable = False
    totals = analyze(from_keras(model, input_shape=(16, 16, 3))).totals
    larger = keras.Sequential(
        [keras.Input((16, 16, 3)), *(type(x).from_config(x.get_config()) for x in layers)]
    )
    assert totals.parameters == larger.count_params()
    assert totals.trainable_parameters == larger.count_params() - 4
    with pytest.raises(SourceError, match=r"input shape 2,2,3: layer .*shorter than the window"):
        from_keras(model, input_shape=(2, 2, 3))


def test_a_tf_keras_model() -> None:
    model = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((8, 8, 3)),
            tf_keras.layers.LocallyConnected2D(4, 3, activation="relu"),
            tf_keras.layers.Dense(5),
        ]
    )
    assert analyze(from_keras(model)).totals.parameters == model.count_params()


def test_what_is_no_model_and_what_only_code_knows() -> None:
    with pytest.raises(ArchcalcError, match=r"expected a keras\.Model, got str"):
        from_keras("net.json")

    class Own(keras.Model):
        def __init__(self, width: Any) -> None:
            super().__init__(name="own")
            self.width = width

        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ArchcalcError, match=r"own.*keras.Model\(inputs, outputs\)"):
        from_keras(Own(object()))
