"""Normalisation of constructor arguments, and the messages for invalid ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from archcalc import arith
from archcalc.arith import arrays
from archcalc.arith.symbolic import symbol
from archcalc.errors import LayerError, UndecidedError
from archcalc.layers.base import Layer
from archcalc.layers.fields import Kind
from archcalc.layers.registry import registered

H = symbol("H")


def made(name: str, **arguments: Any) -> Layer:
    return registered()[name](**arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "field", "normal"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": 3}, "kernel_size", (3, 3)),
        ("Conv1D", {"filters": 4, "kernel_size": [5]}, "kernel_size", (5,)),
        ("Conv3D", {"filters": 4, "kernel_size": (1, 2, 3)}, "kernel_size", (1, 2, 3)),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "SAME"}, "padding", "same"),
        ("Conv2D", {"filters": H, "kernel_size": 3}, "filters", H),
        ("ZeroPadding1D", {"padding": 2}, "padding", (2, 2)),
        ("ZeroPadding1D", {"padding": [1, 2]}, "padding", (1, 2)),
        ("ZeroPadding2D", {"padding": [1, 2]}, "padding", ((1, 1), (2, 2))),
        ("ZeroPadding2D", {"padding": [[1, 2], 0]}, "padding", ((1, 2), (0, 0))),
        ("Cropping3D", {}, "cropping", ((1, 1), (1, 1), (1, 1))),
        ("MaxPooling2D", {}, "strides", None),
        ("Reshape", {"target_shape": [4, -1]}, "target_shape", (4, -1)),
        ("LayerNormalization", {"axis": [1, 2]}, "axis", (1, 2)),
        ("Rescaling", {"scale": [1, 2.5]}, "scale", (1, 2.5)),
    ],
)
def test_arguments_take_one_form(name: str, arguments: dict[str, Any], field: str, normal: Any) -> None:
    layer = made(name, **arguments)
    assert getattr(layer, field) == normal
    # normalising twice changes nothing
    again = dataclasses.replace(layer)  # type: ignore[type-var]
    assert getattr(again, field) == normal


def test_numpy_numbers_become_plain() -> None:
    layer: Any = made("Conv2D", filters=np.int64(4), kernel_size=np.array([3, 3], dtype=np.int8).tolist())
    assert type(layer.filters) is int


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Conv2D", {"filters": 0, "kernel_size": 3}, "filters: expected a positive integer, got 0"),
        ("Conv2D", {"filters": 2.0, "kernel_size": 3}, "filters: expected a positive integer, got 2.0"),
        ("Conv2D", {"filters": True, "kernel_size": 3}, "filters: expected a positive integer, got True"),
        ("Conv2D", {"filters": 4, "kernel_size": [3]}, r"kernel_size: .* 2 of them, got \[3\]"),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, "'valid' or 'same', got 'causal'"),
        ("Conv2D", {"filters": 10, "kernel_size": 3, "groups": 4}, "filters=10 .* groups=4"),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, r"strides=\(2, 2\)"),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "rellu"}, "did you mean 'relu'"),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "Relu"}, "did you mean 'relu'"),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "use_bias": 1}, "use_bias: expected true or false"),
        (
            "Conv2DTranspose",
            {"filters": 4, "kernel_size": 3, "output_padding": 1},
            "output_padding=1 .* strides=1",
        ),
        ("LocallyConnected2D", {"filters": 4, "kernel_size": 3, "padding": "same"}, "implementation=1"),
        ("LocallyConnected2D", {"filters": 4, "kernel_size": 3, "implementation": 4}, "expected 1 or 2 or 3"),
        ("Dropout", {"rate": 1.5}, "rate: expected a number from 0 to 1, got 1.5"),
        ("Reshape", {"target_shape": [-1, -1]}, "only one size may be -1"),
        ("Reshape", {"target_shape": [0]}, "got 0"),
        ("Permute", {"dims": [1, 3]}, r"dims=\(1, 3\) must hold each of 1..2 once"),
        ("Dot", {"axes": [1, 2, 3]}, r"axes=\(1, 2, 3\)"),
        ("LayerNormalization", {"axis": "last"}, "axis: expected an axis number, got 'last'"),
        ("ReLU", {"max_value": -1.0}, "max_value"),
        ("Dense", {"units": 4, "dtype": "int8_from_float32"}, "quantised"),
        ("ZeroPadding2D", {"padding": [1, 2, 3]}, "2 of them or 2 pairs"),
        ("Cropping2D", {"cropping": [[1, 2, 3], 0]}, "a pair"),
        ("Rescaling", {"scale": "big"}, "expected a number or a list of numbers, got 'big'"),
        ("Rescaling", {"scale": True}, "expected a number or a list of numbers, got True"),
        ("RNN", {"cell": {"type": "LSTMCell", "units": 0}}, "LSTMCell: units: expected a positive integer"),
    ],
)
def test_faults_say_what_was_received_and_what_was_expected(
    name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        made(name, **arguments)


@pytest.mark.parametrize(
    ("layer", "inputs", "message"),
    [
        (made("Conv2D", filters=4, kernel_size=3), [(8, 8)], r"Conv2D takes inputs of 3 axes .* \(8, 8\)"),
        (made("Conv2D", filters=4, kernel_size=3), [(8, 8, 3)] * 2, "Conv2D takes one input, got 2"),
        (made("Conv2D", filters=4, kernel_size=3, groups=2), [(8, 8, 3)], "3 input channels .* groups=2"),
        (made("MaxPooling2D", pool_size=9), [(8, 8, 3)], "an axis of 8 is shorter than the window of 9"),
        (made("Cropping2D", cropping=4), [(8, 9, 3)], r"cropping \(4, 4\) leaves nothing of an axis of 8"),
        (made("Add"), [(4, 5), (4, 6)], r"Add: shapes \(4, 5\) and \(4, 6\) do not match"),
        (made("Subtract"), [(4, 5)], "Subtract takes exactly 2 inputs, got 1"),
        (made("Concatenate", axis=1), [(4, 5), (4, 6)], r"Concatenate\(axis=1\): .* \(4, 5\) and \(4, 6\)"),
        (made("Concatenate", axis=3), [(4, 5), (4, 5)], "axis 3 does not exist .* 2 axes"),
        (made("Concatenate", axis=0), [(4, 5), (4, 5)], "axis 0 is the batch axis"),
        (made("Concatenate", axis=-3), [(4, 5), (4, 5)], "axis -3 is the batch axis"),
        (made("LayerScale", init_values=0.1, projection_dim=3), [(4,)], "projection_dim=3 for an input"),
        (made("Dot", axes=(2, 1)), [(4, 5), (4, 6)], r"axis 2 of \(4, 5\) and axis 1 of \(4, 6\) differ"),
        (
            made("Reshape", target_shape=[7, -1]),
            [(4, 6)],
            r"target_shape=\(7, -1\) does not hold the 24 units",
        ),
        (made("BatchNormalization", axis=4), [(8, 8, 3)], "axis 4 does not exist"),
        (made("RepeatVector", n=3), [(4, 5)], "RepeatVector takes inputs of 1 axes"),
        (made("InputLayer", shape=[3]), [(3,)], "InputLayer takes no inputs"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Layer) else None,
)
def test_misfits_name_the_shapes(layer: Layer, inputs: list[Any], message: str) -> None:
    def asked() -> None:
        layer.output_shape(*inputs)
        layer.weights(*inputs)

    with pytest.raises(LayerError, match=message):
        asked()


def test_symbols_in_arguments_are_assumed_or_refused() -> None:
    with pytest.raises(UndecidedError):
        made("Conv2D", filters=H, kernel_size=3, groups=4)
    with arith.scope() as scope:
        made("Conv2D", filters=H, kernel_size=3, groups=4)
        made("Conv2D", filters=4, kernel_size=3, strides=H, dilation_rate=1)
    assert scope.assumptions.texts() == ["H % 4 == 0"]
    with arith.scope() as scope:
        made("Conv2D", filters=arrays.array([4, 6]), kernel_size=3, groups=4)
    assert list(scope.valid) == [True, False]


def test_declarations_are_frozen_and_show_what_differs_from_the_defaults() -> None:
    layer: Any = made("Conv2D", filters=4, kernel_size=3, padding="same", use_bias=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.filters = 5
    # in the order of the fields
    assert sorted(layer.keras_arguments()) == ["filters", "kernel_size", "padding"]
    assert repr(layer) == "Conv2D(kernel_size=(3, 3), padding='same', filters=4)"


def kinds() -> dict[str, Kind]:
    return {f"{n}.{f}": k for n, cls in registered().items() for f, k in cls.kinds.items()}


@pytest.mark.parametrize("where", sorted(kinds()))
def test_defaults_and_their_schema_agree(where: str) -> None:
    """Normalising a default twice changes nothing, and its schema accepts it."""
    jsonschema = pytest.importorskip("jsonschema")
    name, field = where.split(".")
    cls, kind = registered()[name], kinds()[where]
    default = cls.__dataclass_fields__[field].default  # type: ignore[attr-defined]
    jsonschema.Draft202012Validator.check_schema(kind.schema(cls.rank))
    if default is dataclasses.MISSING:
        return
    if default is not None:
        assert kind.normalise(kind.normalise(default, cls.rank), cls.rank) == kind.normalise(
            default, cls.rank
        )
    as_json = list(default) if isinstance(default, tuple) else default
    jsonschema.validate(as_json, kind.schema(cls.rank), cls=jsonschema.Draft202012Validator)
