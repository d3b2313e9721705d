"""The check sees every difference between a prediction and the built model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import keras
import pytest

from experiments.common import prediction
from experiments.common.errors import CheckFailedError
from experiments.fitting import PROFILES, linear, mlp
from experiments.image_classifier import build

CONFIG = PROFILES["smoke"]
MODELS = {
    "linear": lambda: linear(CONFIG, (32, 32, 3), 10),
    "mlp": lambda: mlp(CONFIG, (32, 32, 3), 10),
    "augmented": lambda: build(
        CONFIG, (32, 32, 3), 10, augmentation=("horizontal_flip", "shift", "rotation")
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_archcalc_and_keras_agree(name: str) -> None:
    model = MODELS[name]()
    found = prediction.check(model, prediction.predict(model))
    assert found["agrees"], found
    assert len(found["layers"]) == len(model.layers)
    prediction.require_agreement({name: found})


def wrong_shape(predicted: dict[str, Any]) -> None:
    predicted["layers"][2]["output_shape"][0] += 1


def wrong_count(predicted: dict[str, Any]) -> None:
    predicted["layers"][-1]["parameters"] -= 1


def wrong_total(predicted: dict[str, Any]) -> None:
    predicted["totals"]["non_trainable_parameters"] += 1


def missing_layer(predicted: dict[str, Any]) -> None:
    del predicted["layers"][3]


@pytest.mark.parametrize("spoil", [wrong_shape, wrong_count, wrong_total, missing_layer])
def test_a_wrong_figure_stops_the_run(spoil: Callable[[dict[str, Any]], None]) -> None:
    model = MODELS["augmented"]()
    predicted = copy.deepcopy(prediction.predict(model))
    spoil(predicted)
    found = prediction.check(model, predicted)
    assert not found["agrees"]
    with pytest.raises(CheckFailedError, match="archcalc and Keras differ, nothing was trained:\naugmented"):
        prediction.require_agreement({"augmented": found})


def test_a_model_that_archcalc_cannot_read_stops_the_run() -> None:
    model = keras.Sequential([keras.layers.Dense(3)], name="odd")  # without a shape
    with pytest.raises(CheckFailedError, match="no prediction for odd, nothing was trained"):
        prediction.predict(model)
