"""Networks of many kinds, built live and read from their configuration alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers as kl

from archcalc.graph import Graph
from archcalc.layers.base import Layer
from tests.readers.keras.oracle import assert_same, read


def chain() -> Any:
    return keras.Sequential(
        [
            keras.Input((32, 30, 3), name="image"),
            kl.Conv2D(8, 3, padding="same", activation="relu", name="conv"),
            kl.BatchNormalization(),
            kl.MaxPooling2D(),
            kl.SeparableConv2D(12, (3, 5), strides=2),
            kl.Conv2DTranspose(6, 3, strides=2, padding="same"),
            kl.Flatten(),
            kl.Dense(10, activation="softmax"),
        ],
        name="chain",
    )


def chain_without_input_layer() -> Any:
    model = keras.Sequential([kl.Conv1D(4, 3, padding="causal"), kl.GlobalMaxPooling1D(), kl.Dense(2)])
    model.build((None, 20, 5))
    return model


def residual() -> Any:
    x = inputs = keras.Input((16, 16, 4))
    for i in range(3):
        y = kl.Conv2D(4, 3, padding="same", use_bias=False, name=f"branch{i}")(x)
        y = kl.BatchNormalization()(y)
        x = kl.ReLU()(kl.Add()([x, y]))
    return keras.Model(inputs, kl.Dense(3)(kl.GlobalAveragePooling2D()(x)))


def called_several_times() -> Any:
    shared = kl.Conv2D(4, 3, padding="same", name="shared")
    x = keras.Input((None, None, 4), name="x")
    y = shared(shared(shared(x)))
    return keras.Model(x, kl.Concatenate()([y, shared(kl.MaxPooling2D(1)(x)), y]))


def nested() -> Any:
    encoder = keras.Sequential(
        [keras.Input((12, 12, 2)), kl.Conv2D(4, 3, name="conv"), kl.GlobalAveragePooling2D()], name="encoder"
    )
    x = keras.Input((12, 12, 2))
    a, b = encoder(x), encoder(kl.ReLU()(x))
    head = keras.Input((4,))
    classify = keras.Model(head, kl.Dense(3, name="out")(kl.Dense(5)(head)), name="classify")
    return keras.Model(x, [classify(a), classify(b), classify(kl.Add()([a, b]))])


def nested_twice() -> Any:
    i = keras.Input((6,))
    inner = keras.Model(i, kl.Dense(6, name="d")(i), name="inner")
    j = keras.Input((6,))
    middle = keras.Model(j, inner(kl.ReLU(name="r")(inner(j))), name="middle")
    k = keras.Input((6,))
    return keras.Model(k, middle(middle(k)))


def nested_passes_an_input_on() -> Any:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    pair = keras.Model([a, b], [b, kl.Dense(4, name="d")(a)], name="pair")
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    first, second = pair([x, y])
    return keras.Model([x, y], kl.Subtract()([first, second]))


def dictionaries() -> Any:
    x, y = keras.Input((8,), name="x"), keras.Input((5,), name="y")
    merged = kl.Concatenate()([kl.Dense(3)(x), y])
    return keras.Model(
        {"y": y, "x": x},
        {"main": kl.Dense(2, name="main")(merged), "aux": [kl.Dense(1, name="aux")(x), merged]},
    )


def dictionary_into_nested() -> Any:
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    inner = keras.Model({"b": b, "a": a}, kl.Concatenate()([kl.Dense(2)(a), b]), name="inner")
    x, y = keras.Input((4,), name="x"), keras.Input((3,), name="y")
    return keras.Model([y, x], inner({"a": x, "b": y}))


def channels_first() -> Any:
    x = keras.Input((3, 20, 24))
    y = kl.Conv2D(4, 3, strides=2, data_format="channels_first")(x)
    y = kl.BatchNormalization(axis=1)(y)
    y = kl.AveragePooling2D(2, data_format="channels_first")(y)
    return keras.Model(x, kl.Flatten(data_format="channels_first")(y))


def mixed_precision() -> Any:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return keras.Sequential([keras.Input((8,)), kl.Dense(4), kl.Dense(2, dtype="float32")])
    finally:
        keras.config.set_dtype_policy("float32")


def partly_frozen() -> Any:
    model = chain()
    model.get_layer("conv").trainable = False
    return model


def frozen() -> Any:
    model = nested()
    model.trainable = False
    model.get_layer("classify").trainable = True
    return model


def frozen_inside() -> Any:
    model = nested()
    model.get_layer("encoder").trainable = False
    model.get_layer("encoder").get_layer("conv").trainable = True
    return model


def adapters() -> Any:
    model = keras.Sequential([keras.Input((6,)), kl.Dense(8, name="adapted"), kl.Dense(3)])
    model.get_layer("adapted").enable_lora(2)
    return model


def no_batch_axis_but_the_batch() -> Any:
    x = keras.Input((), name="scalar")
    return keras.Model(x, kl.Dense(2)(kl.Reshape((1,))(x)))


def fixed_batch() -> Any:
    x = keras.Input(batch_shape=(4, 10, 3))
    return keras.Model(x, kl.Conv1D(2, 3)(x))


def normalised_by_constants() -> Any:
    x = keras.Input((6, 6, 3))
    y = kl.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 2.0])(x)
    return keras.Model(x, kl.Normalization(axis=None)(kl.Normalization(axis=(1, -1))(y)))


def activation_objects() -> Any:
    return keras.Sequential(
        [
            keras.Input((4,)),
            kl.Dense(4, activation=kl.ReLU()),
            kl.Dense(4, activation=kl.ReLU(6)),
            kl.Dense(4, activation=keras.activations.gelu),
            kl.Dense(4, kernel_initializer=keras.initializers.HeNormal(seed=3), kernel_regularizer="l2"),
        ]
    )


MODELS = [
    chain,
    chain_without_input_layer,
    residual,
    called_several_times,
    nested,
    nested_twice,
    nested_passes_an_input_on,
    dictionaries,
    dictionary_into_nested,
    channels_first,
    mixed_precision,
    partly_frozen,
    frozen,
    frozen_inside,
    adapters,
    no_batch_axis_but_the_batch,
    fixed_batch,
    normalised_by_constants,
    activation_objects,
]


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_rows_weights_and_totals_are_those_of_the_live_model(build: Callable[[], Any]) -> None:
    model = build()
    assert_same(model, read(model))


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_inputs_and_outputs_come_in_the_models_own_order(build: Callable[[], Any]) -> None:
    model = build()
    graph = read(model)
    assert [graph.nodes[i].name for i in graph.inputs] == [
        t._keras_history.operation.name for t in model.inputs
    ]
    assert len(graph.outputs) == len(model.outputs)


def layer_of(graph: Graph, name: str) -> Layer:
    return graph.nodes[graph.index()[name]].layer


def test_a_layer_called_again_shares_the_weights_of_its_first_call() -> None:
    graph = read(called_several_times())
    index = graph.index()
    owner = index["shared"]
    assert [graph.nodes[index[f"shared[{n}]"]].shared_with for n in (2, 3, 4)] == [owner] * 3
    assert graph.nodes[owner].shared_with is None


def test_the_second_use_of_a_nested_model_shares_with_the_first() -> None:
    graph = read(nested())
    index = graph.index()
    assert graph.nodes[index["encoder[2]/conv"]].shared_with == index["encoder/conv"]
    assert graph.nodes[index["classify[3]/out"]].shared_with == index["classify/out"]


def test_open_axes_become_symbols_by_rank() -> None:
    def names(*shape: int | None) -> list[str]:
        x = keras.Input(shape)
        graph = read(keras.Model(x, kl.ReLU()(x)))
        return [str(n) for n in layer_of(graph, graph.nodes[0].name).shape]  # type: ignore[attr-defined]

    assert names(None, None, 3) == ["H", "W", "3"]
    assert names(3, None, None) == ["3", "H", "W"]
    assert names(None, 7) == ["T", "7"]
    assert names(None) == ["T"]
    assert names(None, None, None, 2) == ["D", "H", "W", "2"]
    assert names(None, 5, 5, None, 2) == ["N1", "5", "5", "N4", "2"]


def test_symbols_of_several_inputs_are_kept_apart() -> None:
    x, y = keras.Input((None, 3), name="x"), keras.Input((None, 3), name="y")
    graph = read(keras.Model([x, y], [kl.ReLU()(x), kl.ReLU()(y)]))
    assert dict(graph.symbols) == {"T": None, "T2": None}


def test_values_for_symbols_and_an_input_shape_fill_open_axes() -> None:
    x = keras.Input((None, None, 3), name="x")
    model = keras.Model(x, kl.Conv2D(2, 3)(x))
    assert layer_of(read(model, symbols={"H": 20}), "x").shape[0] == 20  # type: ignore[attr-defined]
    assert layer_of(read(model, input_shape=(9, 8, 3)), "x").shape == (9, 8, 3)  # type: ignore[attr-defined]


def test_an_unbuilt_sequential_takes_the_input_shape() -> None:
    model = keras.Sequential([kl.Conv2D(4, 3), kl.Flatten(), kl.Dense(2)])
    graph = read(model, input_shape=(8, 8, 3))
    model.build((None, 8, 8, 3))
    assert [row.outputs for row in _rows(graph)] == [t.outputs for t in _live(model)]


def _rows(graph: Graph) -> Any:
    from tests.readers.keras.oracle import graph_rows

    return graph_rows(graph)


def _live(model: Any) -> Any:
    from tests.readers.keras.oracle import live_rows

    return live_rows(model)


def test_two_submodels_with_one_layer_count_it_twice_as_keras_does_from_json() -> None:
    shared = kl.Dense(3, name="shared")
    a, b = keras.Input((3,)), keras.Input((3,))
    first, second = keras.Model(a, shared(a), name="one"), keras.Model(b, shared(b), name="two")
    x = keras.Input((3,))
    model = keras.Model(x, kl.Add()([first(x), second(x)]))
    again = keras.models.model_from_json(model.to_json())
    assert again.count_params() == 24
    assert_same(again, read(model))


def test_the_same_object_in_an_archive_counts_once() -> None:
    model = keras.Sequential([keras.Input((3,)), kl.Dense(3, name="a"), kl.Dense(3, name="b")])
    config = json.loads(model.to_json())
    for entry in config["config"]["layers"][1:]:
        entry["shared_object_id"] = 77
    from archcalc.readers.keras_config import read_keras

    graph = read_keras(config, "x")
    assert graph.nodes[2].shared_with == 1


def test_masks_are_no_inputs_and_their_operations_stay_rows() -> None:
    ids = keras.Input((10,), dtype="int32", name="ids")
    x = kl.Embedding(20, 6, mask_zero=True, name="embedding")(ids)
    model = keras.Model(ids, kl.GlobalAveragePooling1D(name="pool")(x))
    graph = read(model)
    assert_same(model, graph)
    assert [graph.nodes[t.node].name for t in graph.nodes[graph.index()["pool"]].inputs] == ["embedding"]
    assert type(layer_of(graph, "not_equal")).__name__ == "ops.not_equal"


def test_an_output_that_a_layer_has_not_is_noticed_with_the_shapes() -> None:
    x = keras.Input((6, 4), name="x")
    first, _ = keras.ops.split(x, 2, axis=-1)
    config = json.loads(keras.Model(x, first).to_json())
    config["config"]["output_layers"] = ["split", 0, 7]
    from archcalc.analyses.shapes import infer
    from archcalc.errors import NetworkError
    from archcalc.readers.keras_config import read_keras

    with pytest.raises(NetworkError, match="has 2 outputs, output number 7 is read"):
        infer(read_keras(config, "net.json"))
