"""Types of results, against those of real Keras on real tensors."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from archcalc.dtypes import BYTES, promoted
from archcalc.layers.base import registered
from archcalc.layers.operations import registered_operations

# what a type needs beside its tensors
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Reshape": {"target_shape": (4, 2)},
    "Permute": {"dims": (2, 1)},
    "Cropping1D": {"cropping": 1},
    "Dropout": {"rate": 0.5},
    "Rescaling": {"scale": 2.0},
    "Dense": {"units": 2},
    "ops.cast": {"dtype": "uint8"},
    "ops.clip": {"x_min": 0, "x_max": 3},
    "ops.one_hot": {"num_classes": 3},
    "ops.expand_dims": {"axis": 1},
    "ops.reshape": {"newshape": (-1, 8)},
    "ops.get_item": {"key": (slice(None), 1)},
}
LAYERS = (
    *("Reshape", "Permute", "Flatten", "Cropping1D", "ZeroPadding1D", "UpSampling1D", "Identity", "Dropout"),
    *("Dense", "Rescaling", "GlobalAveragePooling1D", "BatchNormalization"),
)
ONE = (
    *("absolute", "negative", "square", "sign", "clip", "relu", "exp", "sqrt", "tanh", "floor", "isnan"),
    *("logical_not", "cast", "copy", "zeros_like", "one_hot", "mean", "sum", "max", "any", "argmax", "sort"),
    *(
        "count_nonzero",
        "argsort",
        "cumsum",
        "transpose",
        "expand_dims",
        "reshape",
        "get_item",
        "stop_gradient",
    ),
)
TWO = ("add", "multiply", "maximum", "true_divide", "greater", "equal", "power", "floor_divide")
TYPES = ("int32", "uint8", "float16", "float32", "float64")


def real(function: Any, *dtypes: str) -> str:
    return str(function(*[tf.cast(tf.fill((1, 4, 2), 1), d) for d in dtypes]).dtype.name)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
@pytest.mark.parametrize("kind", LAYERS)
def test_layers_keep_integers_or_compute(kind: str, dtype: str) -> None:
    given = ARGUMENTS.get(kind, {})
    layer = registered()[kind](**given)
    made = getattr(keras.layers, kind)(**given)
    assert layer.result_dtype("float32", dtype) == real(made, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_tensor(name: str, dtype: str) -> None:
    if name in ("one_hot",) and not dtype.endswith(("int32", "uint8")):
        pytest.skip("takes integers")
    if name == "sum" and dtype == "uint8":
        pytest.skip("Keras widens the sum of bytes")
    if name == "negative" and dtype == "uint8":
        pytest.skip("TensorFlow has no negative bytes")
    given = ARGUMENTS.get(f"ops.{name}", {})
    operation = registered_operations()[f"ops.{name}"](**given)
    function = getattr(keras.ops, name)
    if name == "get_item":
        function, given = (lambda x: x[:, 1]), {}
    assert operation.result_dtype("float32", dtype) == real(lambda x: function(x, **given), dtype)


@pytest.mark.parametrize("one", TYPES)
@pytest.mark.parametrize("two", TYPES)
@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_tensors(name: str, one: str, two: str) -> None:
    operation = registered_operations()[f"ops.{name}"]()
    assert operation.result_dtype("float32", one, two) == real(getattr(keras.ops, name), one, two)


@pytest.mark.parametrize("one", BYTES)
@pytest.mark.parametrize("two", BYTES)
def test_promotion_is_that_of_keras(one: str, two: str) -> None:
    if "64" in one + two and "float64" not in (one, two):
        pytest.skip("Keras keeps to 32 bits beside 64-bit integers in some pairs")
    assert promoted(one, two) == keras.backend.result_type(one, two)


def test_a_foreign_type_stays_itself() -> None:
    assert promoted("float32", "complex64") == "complex64"
