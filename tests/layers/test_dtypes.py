"""The dtypes of results, against those of real Keras on real tensors."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from archcalc.keras.build import keras_layer
from archcalc.layers.dtypes import BYTES, promoted
from archcalc.layers.registry import registered, registered_operations
from tests import keras_oracle
from tests.test_contract import REAL_TYPES, outcomes, words

# required arguments of operations
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ops.cast": {"dtype": "uint8"},
    "ops.clip": {"x_min": 0, "x_max": 3},
    "ops.one_hot": {"num_classes": 3},
    "ops.expand_dims": {"axis": 1},
    "ops.reshape": {"newshape": (-1, 8)},
    "ops.get_item": {"key": (slice(None), 1)},
}
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


# TensorFlow divides by zero and ends the process when these get integers
CRASHING = ("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")


@pytest.mark.parametrize("kind", [name for name in REAL_TYPES if name not in CRASHING])
def test_layers_keep_integers_or_compute(kind: str) -> None:
    """The first cell of the contract's grid, on tensors of each type that Keras takes."""
    accepted = (o for o in outcomes(kind) if o.layer is not None and o.keras is not None and o.cell.inputs)
    outcome = next((o for o in accepted if o.cell.arguments.get("data_format") != "channels_first"), None)
    if outcome is None:
        pytest.skip("takes no tensors")
    assert outcome.layer is not None
    for dtype in ("uint8", "int32", "float32"):
        call = keras_oracle.layer_call(keras_layer(outcome.layer), words(registered()[kind], outcome.cell))
        inputs = [tf.cast(tf.ones((2, *shape)), dtype) for shape in outcome.cell.inputs]
        try:
            dtype_of_keras = call(inputs).dtype.name
        except Exception:  # Keras or TensorFlow's kernels do not take this dtype
            continue
        assert outcome.layer.result_dtype("float32", *[dtype] * len(inputs)) == dtype_of_keras, dtype


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize(
    ("kind", "given"), [("Discretization", {"bin_boundaries": (0.0, 1.0)}), ("Hashing", {"num_bins": 3})]
)
def test_numbers_of_bins_are_integers_of_one_width(kind: str, given: dict[str, Any], mode: str) -> None:
    layer = registered()[kind](**given, output_mode=mode)
    bins = getattr(keras.layers, kind)(**given, output_mode=mode)(tf.ones((2, 5), "int32"))
    assert layer.result_dtype("float32", "int32") == bins.dtype.name


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_tensor(name: str, dtype: str) -> None:
    if name in ("one_hot",) and not dtype.endswith(("int32", "uint8")):
        pytest.skip("takes integers")
    if name == "sum" and dtype == "uint8":
        pytest.skip("Keras widens the sum of bytes")
    if name == "negative" and dtype == "uint8":
        pytest.skip("TensorFlow has no negative bytes")
    arguments = ARGUMENTS.get(f"ops.{name}", {})
    operation = registered_operations()[f"ops.{name}"](**arguments)
    function = getattr(keras.ops, name)
    if name == "get_item":
        function, arguments = (lambda x: x[:, 1]), {}
    assert operation.result_dtype("float32", dtype) == real(lambda x: function(x, **arguments), dtype)


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
