"""What a live model is trained with, through every form that a network is written in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

import archcalc
from archcalc.graph.compiled import Compile, Loss

MSE = Loss("mean_squared_error")


def model(loss: Any, optimizer: Any, **more: Any) -> Any:
    x = keras.Input((4,), name="x")
    outputs = [keras.layers.Dense(3, "softmax", name="a")(x), keras.layers.Dense(1, name="b")(x)]
    built = keras.Model(x, outputs)
    built.compile(optimizer=optimizer, loss=loss, **more)
    return built


CASES = {
    "names": (
        lambda: model(["categorical_crossentropy", "mse"], "adam", metrics=[["accuracy"], ["mae"]]),
        Compile(
            (Loss("categorical_crossentropy"), MSE), "adam", 0.001, None, (), metrics=("accuracy", "mae")
        ),
    ),
    "objects": (
        lambda: model(
            {"a": keras.losses.CategoricalCrossentropy(from_logits=True), "b": "mse"},
            keras.optimizers.SGD(0.1, momentum=0.9),
        ),
        Compile((Loss("categorical_crossentropy", True), MSE), "sgd", 0.1, 0.9),
    ),
    "schedule": (
        lambda: model(
            "mse", keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9), amsgrad=True)
        ),
        Compile((MSE,), "adam", None, None, ("amsgrad",)),
    ),
    "function": (
        lambda: model(
            keras.losses.mean_squared_error, keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True)
        ),
        Compile((MSE,), "rmsprop", 0.01, 0.5, ("centered",)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_form_keeps_what_a_model_is_trained_with(name: str, tmp_path: Path) -> None:
    make, expected = CASES[name]
    live = make()
    graph = archcalc.load(live)
    assert graph.compiled == expected
    assert archcalc.load(json.loads(live.to_json())).compiled == expected
    assert archcalc.load(archcalc.to_spec(graph)).compiled == expected
    live.save(tmp_path / "saved.keras")
    assert archcalc.load(tmp_path / "saved.keras").compiled == expected
    # what is built anew is compiled by Keras: a schedule is not kept, and Keras has its default instead
    scope: dict[str, Any] = {}
    exec(archcalc.keras_code(graph), scope)
    archcalc.convert(graph, tmp_path / "written.keras")
    again = [archcalc.load(scope["model"]).compiled, archcalc.load(tmp_path / "written.keras").compiled]
    for compiled in again:
        assert compiled is not None
        assert compiled.losses == expected.losses
        assert compiled.state == expected.state
        assert compiled.learning_rate == expected.learning_rate or expected.learning_rate is None
        assert sorted(compiled.metrics) == sorted(expected.metrics)


def test_a_loss_of_ones_own_is_named() -> None:
    def mine(y: Any, p: Any) -> Any:
        return y - p

    graph = archcalc.load(model(["mse", mine], "adam"))
    assert graph.compiled is not None
    assert graph.compiled.losses == (MSE, Loss("custom:mine"))
    assert "# compile the model with 'custom:mine', which Keras does not have" in archcalc.keras_code(graph)


class Custom(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_models_that_are_traced_or_older() -> None:
    traced = Custom()
    traced(np.zeros((1, 4)))
    assert archcalc.load(traced).compiled is None
    traced.compile("sgd", "mse")
    assert archcalc.load(traced).compiled == Compile((MSE,), "sgd", 0.01)
    older = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(2)])
    older.compile("adam", "mse")
    compiled = archcalc.load(older).compiled
    assert compiled is not None
    assert (compiled.losses, compiled.optimizer) == ((MSE,), "adam")
