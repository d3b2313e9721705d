"""Findings about the structure of a network, and the totals of the model that Keras builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc import cli
from archcalc.errors import SourceError

CONV = {"type": "Conv2D", "filters": 16, "kernel_size": 3, "padding": "same"}
DEAD: dict[str, Any] = {
    "archcalc": 1,
    "inputs": {"x": [8, 8, 16]},
    "layers": [
        {"name": "c1", **CONV, "activation": "relu"},
        {"name": "c2", **CONV, "inputs": ["x"]},
        {"name": "d", "type": "Dense", "units": 10},
    ],
}
UNREAD: dict[str, Any] = {
    "archcalc": 1,
    "inputs": {"x": [8, 8, 3], "y": [8, 8, 3]},
    "layers": [{"name": "a", "type": "Flatten", "inputs": ["x"]}],
}
UNRUNNABLE: dict[str, Any] = {
    "archcalc": 1,
    "inputs": {"x": [8, 8, 3]},
    "layers": [
        {
            "name": "t",
            "type": "Conv2DTranspose",
            "filters": 2,
            "kernel_size": 4,
            "strides": 2,
            "padding": "same",
            "output_padding": 0,
        }
    ],
}


@pytest.mark.parametrize(
    ("spec", "rule", "layer"),
    [(DEAD, "dead-layer", "c1"), (UNREAD, "unread-input", "y"), (UNRUNNABLE, "not-runnable", "t")],
)
@pytest.mark.parametrize("level", ["info", "warning"])
def test_a_finding_that_fail_on_sees(
    spec: dict[str, Any], rule: str, layer: str, level: str, tmp_path: Path, capsys: Any
) -> None:
    (finding,) = archcalc.analyze(archcalc.load(spec)).findings
    assert (finding.rule, finding.severity, finding.layer) == (rule, "warning", layer)
    path = tmp_path / "net.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    assert cli.main(["analyze", str(path), "--fail-on", level]) == 1
    assert cli.main(["analyze", str(path), "--fail-on", "error"]) == 0
    capsys.readouterr()


def test_totals_of_the_model_that_keras_builds_stand_beside_those_of_the_file() -> None:
    report = archcalc.analyze(archcalc.load(DEAD))
    assert report.totals.parameters == 4_810
    assert report.to_dict()["totals"]["as_built"] == {
        "parameters": 2_490,
        "trainable_parameters": 2_490,
        "macs": 147_456 + 10_240,
        "elementwise_operations": 1_024 + 640,
        "activation_bytes": 4 * (8 * 8 * 16 * 2 + 8 * 8 * 10),
    }
    whole = archcalc.analyze(archcalc.load({**DEAD, "outputs": ["c1", "d"]}))
    assert not whole.findings
    assert "as_built" not in whole.to_dict()["totals"]


def test_weights_that_a_dead_layer_owns_are_built_if_another_shares_them() -> None:
    shared = {"name": "c2", "shared_with": "c1", "inputs": ["x"]}
    report = archcalc.analyze(
        archcalc.load({**DEAD, "layers": [DEAD["layers"][0], shared, DEAD["layers"][2]]})
    )
    assert [f.layer for f in report.findings] == ["c1"]
    assert report.totals.as_built["parameters"] == report.totals.parameters == 2_490


def test_layers_of_a_repeated_block_lead_to_the_outputs_through_later_copies() -> None:
    spec = {
        "archcalc": 1,
        "symbols": {"n": None},
        "inputs": {"x": [8]},
        "blocks": {"b": {"layers": [{"name": name, "type": "Dense", "units": 8} for name in "pq"]}},
        "layers": [{"name": "stack", "block": "b", "repeat": "n"}],
    }
    assert not archcalc.analyze(archcalc.load(spec)).findings


MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]


@pytest.mark.parametrize("kind", MERGES)
@pytest.mark.parametrize("stated", [{}, {"inputs": ["c2"]}])
def test_a_merge_of_one_input_is_refused(kind: str, stated: dict[str, Any]) -> None:
    layers = [{"name": "c1", **CONV}, {"name": "c2", **CONV}, {"name": "sum", "type": kind, **stated}]
    with pytest.raises(SourceError, match=r"layers\[2\].*\"inputs\": \['c2', ...\]"):
        archcalc.load({**DEAD, "layers": layers})


def test_a_field_that_alone_is_unknown_is_said_and_is_no_warning() -> None:
    """The other figures are exact: nothing is missing from the totals."""
    known = {"output_shape": [9, 2], "weights": [], "macs": 0, "elementwise_ops": 18}
    own = {"name": "own", "type": "Opaque", **known}
    result = archcalc.analyze({"archcalc": 1, "inputs": {"x": [9, 2]}, "layers": [own]})
    assert [(f.rule, f.severity, f.layer) for f in result.findings] == [("unknown-field", "info", "own")]
    assert result.totals.elementwise_operations == 18
