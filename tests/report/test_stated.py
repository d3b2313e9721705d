"""Precision and optimizer are those of the file, unless the user chooses others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.readers import load
from archcalc.report.report import Report

POLICY = Path(__file__).parent / "policy.json"


def dense(*policies: str, **more: Any) -> dict[str, Any]:
    """A Keras config: one Dense with 3 units per policy, on 8 inputs."""
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 8], "dtype": "float32"}}
    ]
    for k, policy in enumerate(policies):
        dtype = {"class_name": "DTypePolicy", "config": {"name": policy}}
        layers.append({"class_name": "Dense", "config": {"name": f"d{k}", "units": 3, "dtype": dtype}})
    config = {"name": "s", "layers": layers}
    return {"class_name": "Sequential", "keras_version": "3.15.0", "config": config, **more}


def said(report: Report) -> tuple[str, str]:
    return report.conventions["dtype"], report.conventions["optimizer"]


def test_the_policy_of_a_file_is_the_default() -> None:
    report = analyze(load(POLICY))
    assert said(report) == ("mixed_float16", "adam")
    # weights stay in float32, the outputs of both layers are in float16, the input is as declared
    assert report.totals.weight_bytes == 4 * (8 * 3 + 3 + 3 * 3 + 3)
    assert [row.activation_bytes for row in report.rows] == [32, 6, 6]
    assert report.findings == ()
    assert said(analyze(load(POLICY), dtype="float32"))[0] == "float32"
    assert [row.activation_bytes for row in analyze(load(POLICY), dtype="float32").rows] == [32, 12, 12]


def test_a_file_without_a_policy_is_in_float32() -> None:
    spec = {"archcalc": 1, "inputs": {"x": [3]}, "layers": [{"name": "d", "type": "Dense", "units": 2}]}
    assert said(analyze(load(spec))) == ("float32", "adam")
    assert said(analyze(load("keras:VGG16"))) == ("float32", "adam")


def test_layers_of_several_policies() -> None:
    report = analyze(load(dense("mixed_float16", "mixed_float16", "float32")))
    assert said(report)[0] == "mixed_float16"
    assert [row.activation_bytes for row in report.rows] == [32, 6, 6, 12]
    (finding,) = report.findings
    assert (finding.rule, finding.layer) == ("dtype-policies", "d2")
    assert "1 of 3 layers declare another dtype policy (float32) than mixed_float16" in finding.message
    assert analyze(load(dense("mixed_float16", "float32")), dtype="float16").findings == ()


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("rmsprop", "rmsprop"),
        ({"class_name": "SGD", "config": {"momentum": 0.0}}, "sgd"),
        ({"class_name": "SGD", "config": {"momentum": 0.9}}, "momentum"),
        ({"class_name": "Custom>AdamW", "config": {"amsgrad": False}}, "adamw"),
        (
            {
                "class_name": "LossScaleOptimizer",
                "config": {"inner_optimizer": {"class_name": "SGD", "config": {"momentum": 0.5}}},
            },
            "momentum",
        ),
    ],
)
def test_the_optimizer_of_a_file_is_the_default(stated: Any, name: str) -> None:
    data = dense("float32", compile_config={"optimizer": stated, "loss": "mse"})
    report = analyze(load(data))
    assert said(report)[1] == name
    assert report == analyze(load(data), optimizer=name, dtype="float32")
    assert said(analyze(load(data), optimizer="lion"))[1] == "lion"


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"class_name": "Mine", "config": {}}, "mine"),
        ({"class_name": "Adam", "config": {"amsgrad": True}}, "adam with amsgrad"),
        (
            {"class_name": "RMSprop", "config": {"momentum": 0.9, "centered": True}},
            "rmsprop with centered and",
        ),
    ],
)
def test_an_optimizer_whose_state_is_not_known_is_a_finding(stated: Any, name: str) -> None:
    data = dense("float32", compile_config={"optimizer": stated})
    report = analyze(load(data))
    assert said(report)[1] == "adam"
    (finding,) = report.findings
    assert name in finding.message
    assert analyze(load(data), optimizer="adam").findings == ()


@pytest.mark.parametrize("stated", [None, 3, [], {}, {"class_name": 3}, {"class_name": "A", "config": 4}])
def test_what_is_no_optimizer_breaks_nothing(stated: Any) -> None:
    data = dense("float32", compile_config={"optimizer": stated})
    assert said(analyze(load(json.loads(json.dumps(data)))))[1] == "adam"


def test_a_compiled_model_as_keras_writes_it() -> None:
    keras = pytest.importorskip("keras")
    with keras.DTypePolicyScope("mixed_float16") if hasattr(keras, "DTypePolicyScope") else _policy(keras):
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    assert said(analyze(load(json.loads(model.to_json())))) == ("mixed_float16", "momentum")


class _policy:  # noqa: N801 - a context
    def __init__(self, keras: Any) -> None:
        self.keras = keras

    def __enter__(self) -> None:
        self.old = self.keras.config.dtype_policy()
        self.keras.config.set_dtype_policy("mixed_float16")

    def __exit__(self, *_: object) -> None:
        self.keras.config.set_dtype_policy(self.old)
