"""Graphs as live Keras models: they are what was declared, and they train."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import archcalc
from archcalc.analyses import parameters, shapes
from archcalc.arith import symbolic
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph
from archcalc.keras.build import keras_layer, to_keras
from archcalc.layers.keras_names import from_keras_name
from archcalc.layers.operand import Constant
from archcalc.layers.registry import registered, registered_operations

types = registered()


def made(kind: str, **arguments: Any) -> Any:
    return types[kind](**arguments)


def small(image: Any = (8, 8, 3), filters: Any = 4) -> Graph:
    """A convolution used twice, with names that neither Keras nor TensorFlow accepts."""
    return Graph.of(
        "größe",
        [
            ("bild/ein", made("InputLayer", shape=image), []),
            ("body[1]/a", made("Conv2D", filters=3, kernel_size=3, padding="same"), ["bild/ein"]),
            ("body[2]/a", made("Conv2D", filters=3, kernel_size=3, padding="same"), ["body[1]/a"]),
            ("出力 ב", made("Conv2D", filters=filters, kernel_size=1, activation="relu"), ["body[2]/a"]),
        ],
        ["出力 ב"],
        shared={"body[2]/a": "body[1]/a"},
    )


def test_names_come_back_and_shared_layers_are_one() -> None:
    model = to_keras(small())
    assert [from_keras_name(layer.name) for layer in model.layers] == ["bild/ein", "body[1]/a", "出力 ב"]
    assert from_keras_name(model.name) == "größe"
    assert model.output_shape == (None, 8, 8, 4)
    graph = small()
    owned = parameters.weights(graph, shapes.infer(graph))
    assert model.count_params() == sum(w.parameters for row in owned for w in row)


def test_a_model_with_odd_names_trains_and_is_saved(tmp_path: Any) -> None:
    model = to_keras(small())
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3))
    model.fit(x, np.zeros((4, 8, 8, 4)), verbose=0)
    model.save(tmp_path / "odd.keras")
    again = keras.models.load_model(tmp_path / "odd.keras")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_two_inputs_and_two_outputs_keep_their_order() -> None:
    graph = Graph.of(
        "pair",
        [
            ("b", made("InputLayer", shape=(6, 2)), []),
            ("a", made("InputLayer", shape=(5, 2)), []),
            ("of_a", made("Conv1D", filters=3, kernel_size=2), ["a"]),
            ("of_b", made("Conv1D", filters=4, kernel_size=2), ["b"]),
        ],
        ["of_b", "of_a"],
    )
    model = to_keras(graph)
    assert [tensor.name for tensor in model.inputs] == ["b", "a"]
    assert model.output_shape == [(None, 5, 4), (None, 4, 3)]


def test_an_open_axis_of_the_input_stays_open() -> None:
    side = symbolic.symbol("H")
    assert to_keras(small((side, side, 3))).input_shape == (None, None, None, 3)
    assert to_keras(small((side, side, 3)), {"H": 5}).output_shape == (None, 5, 5, 4)


def test_other_symbols_need_values() -> None:
    width = symbolic.symbol("w")
    with pytest.raises(ArchcalcError, match=r"w needs a value .*--set w=32"):
        to_keras(small(filters=2 * width))
    with pytest.raises(ArchcalcError, match="H needs a value"):
        to_keras(small((2 * symbolic.symbol("H"), 4, 3)))
    assert to_keras(small(filters=2 * width), {"w": 3}).output_shape[-1] == 6
    with pytest.raises(LayerError, match="filters=w: w needs a value"):
        keras_layer(made("Conv2D", filters=width, kernel_size=1))


def test_zeros_in_place_of_initializers() -> None:
    model = to_keras(small(), initializers="zeros")
    assert all(not w.numpy().any() for w in model.weights)
    assert any(w.numpy().any() for w in to_keras(small()).weights)


def test_what_keras_refuses_names_the_layer() -> None:
    graph = Graph.of(
        "tight",
        [
            ("in", made("InputLayer", shape=(2, 2, 3)), []),
            ("stem/a", made("Conv2D", filters=4, kernel_size=5), ["in"]),
        ],
        ["stem/a"],
    )
    with pytest.raises(NetworkError, match=r"layer 'stem/a': Keras refuses it: Computed"):
        to_keras(graph)


def test_arguments_that_change_no_figure_reach_keras() -> None:
    layer = keras_layer(
        made(
            "Conv2D",
            filters=2,
            kernel_size=3,
            trainable=False,
            kernel_regularizer="l2",
            kernel_initializer={
                "module": "keras.initializers",
                "class_name": "Constant",
                "config": {"value": 2.0},
            },
            dtype="mixed_float16",
        )
    )
    assert layer.trainable is False
    assert layer.kernel_regularizer.get_config()["l2"] > 0
    assert layer.kernel_initializer.value == 2.0
    assert layer.compute_dtype == "float16"


def test_operations_are_nodes_with_names_and_constants() -> None:
    operations = registered_operations()
    graph = Graph.of(
        "ops",
        [
            ("x", made("InputLayer", shape=(4, 6, 3)), []),
            ("y", made("InputLayer", shape=(4, 6, 3)), []),
            ("sum/of two", operations["ops.add"](), ["x", "y"]),
            ("scaled", operations["ops.multiply"](x1=Constant.of([1.0, 10.0, 100.0])), ["sum/of two"]),
            ("part", operations["ops.get_item"](key=[[None, None, None], [1, -1, None], 2]), ["scaled"]),
            ("thirds", operations["ops.split"](indices_or_sections=3, axis=-1), ["part"]),
            ("joined", operations["ops.concatenate"](axis=1), [("thirds", 2), ("thirds", 0)]),
            ("mean", operations["ops.mean"](axis=(1, 2)), ["joined"]),
        ],
        ["mean"],
    )
    model = to_keras(graph)
    assert [from_keras_name(o.name) for o in model.operations][2] == "sum/of two"
    x, y = np.random.default_rng(0).normal(size=(2, 5, 4, 6, 3))
    scaled = (x + y) * np.array([1.0, 10.0, 100.0])
    part = scaled[:, 1:-1, 2]
    want = part.mean(axis=1)[:, [2, 0]].mean(axis=1)
    np.testing.assert_allclose(model.predict([x, y], verbose=0), want, rtol=1e-4)


def test_calls_that_would_end_the_process_are_refused() -> None:
    layer = registered()["AdaptiveMaxPooling1D"](output_size=1)
    graph = Graph.of("g", [("x", registered()["InputLayer"](shape=(4, 2)), ()), ("y", layer, ("x",))], ["y"])
    result = archcalc.verify(graph)
    assert not result.differences
    (check,) = [c for c in result.checks if c.what == "activation bytes" and c.layer == "y"]
    assert "ends the process" in check.reason


def test_frozen_layers_stay_frozen_when_they_make_layers_inside() -> None:
    types = registered()
    heads = types["MultiHeadAttention"](num_heads=2, key_dim=3, trainable=False)
    graph = Graph.of("g", [("x", types["InputLayer"](shape=(4, 2)), ()), ("y", heads, ("x", "x"))], ["y"])
    model = archcalc.to_keras(graph)
    assert len(model.weights) == 8
    assert not model.trainable_variables
