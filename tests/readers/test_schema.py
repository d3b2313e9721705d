"""The JSON Schema accepts what the reader accepts, and refuses what an editor should underline."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from archcalc.cli import shipped
from archcalc.layers.registry import registered
from archcalc.readers.schema import schema
from tests.readers.specs import CONV, RELU, faults, spec


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def problems(data: Any) -> list[str]:
    return [error.json_path for error in validator().iter_errors(data)]


def test_it_is_a_schema_of_this_draft() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_is_json() -> None:
    assert json.loads(json.dumps(schema(), allow_nan=False)) == schema()


def test_every_layer_type_is_in_it() -> None:
    parts = schema()["$defs"]
    types = parts["entry"]["properties"]["type"]["enum"]
    assert set(registered()) - {"InputLayer"} <= set(types)
    for name in types:
        assert f"layer.{name}" in parts


@pytest.mark.parametrize("name", sorted(shipped.available()))
def test_examples_are_valid(name: str) -> None:
    assert problems(json.loads(shipped.text(name))) == []


VALID = [
    spec({"name": "a", **CONV, "filters": "2*w", "kernel_size": [3, "k"]}, symbols={"w": 3, "k": None}),
    spec({"name": "a", **RELU}, symbols={"w": {"default": 3, "min": 1, "max": 9}}, outputs=["a"]),
    spec({"name": "a", **RELU}, inputs={"x": {"shape": [8, "H"], "dtype": "int32"}}, symbols={"H": 3}),
    spec({"name": "a", **CONV}, {"name": "b", "shared_with": "a"}, {"name": "c", "shared_with": "a", **CONV}),
    spec(
        {"name": "p", "block": "b", "f": "w+1", "repeat": 3, "inputs": ["x"]},
        blocks={
            "b": {"parameters": {"f": None, "g": 2}, "layers": [{"name": "c", **CONV, "filters": "f*g"}]}
        },
        symbols={"w": 3},
    ),
    spec({"name": "a", "type": "Opaque", "output_shape": [2, 2], "weights": [{"name": "k", "shape": [2]}]}),
    spec(
        {"name": "a", **RELU},
        claims=[{"quantity": "macs", "value": [1, 2.5], "layers": ["a"], "per": "filter"}],
    ),
]


@pytest.mark.parametrize("data", VALID)
def test_what_the_reader_takes_is_valid(data: Any) -> None:
    assert faults(data) == []
    assert problems(data) == []


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({**spec({"name": "a", **RELU}), "archcalc": 2}, "$.archcalc"),
        ({**spec({"name": "a", **RELU}), "layerz": 2}, "$"),
        (spec(), "$.layers"),
        (spec({"name": "a", "type": "Conv2d", "filters": 3}), "$.layers[0].type"),
        (spec({"name": "a", **CONV, "filter": 3}), "$.layers[0]"),
        (spec({"name": "a", "type": "Conv2D", "filters": 3}), "$.layers[0]"),
        (spec({"name": "a", **CONV, "padding": "sane"}), "$.layers[0].padding"),
        (spec({"name": "a", **CONV, "filters": 0}), "$.layers[0].filters"),
        (spec({"name": "a", **CONV, "filters": 2.5}), "$.layers[0].filters"),
        (spec({"name": "a", **CONV, "use_bias": "yes"}), "$.layers[0].use_bias"),
        (spec({"name": "a", **CONV, "inputs": "x"}), "$.layers[0].inputs"),
        (spec({"name": "a/b", **RELU}), "$.layers[0].name"),
        (spec({"type": "ReLU"}), "$.layers[0]"),
        (spec({"name": "a"}), "$.layers[0]"),
        (spec({"name": "a", "block": "b", "type": "ReLU"}), "$.layers[0]"),
        (
            spec({"name": "a", **RELU}, blocks={"b": {"layers": [{"name": "c", "type": "Q"}]}}),
            "$.blocks.b.layers[0].type",
        ),
        (spec({"name": "a", **RELU}, blocks={"b": {"layer": []}}), "$.blocks.b"),
        (spec({"name": "a", **RELU}, symbols={"w": 0}), "$.symbols.w"),
        (spec({"name": "a", **RELU}, inputs={"x": 3}), "$.inputs.x"),
        (spec({"name": "a", **RELU}, claims=[{"quantity": "weight", "value": 3}]), "$.claims[0].quantity"),
        (spec({"name": "a", **RELU}, claims=[{"quantity": "macs", "value": "3"}]), "$.claims[0].value"),
    ],
)
def test_what_is_wrong_is_underlined(data: Any, place: str) -> None:
    assert faults(data)
    assert place in problems(data)
