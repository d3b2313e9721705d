"""The facts of every row against Keras's function, and a new row, which every analysis knows."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from keras.src import activations as of_keras

from archcalc.conventions import torch_counterparts
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS, NOT_COUNTED
from archcalc.layers.activations import ACTIVATIONS, FOREIGN, INFINITY, ROWS, Activation
from archcalc.layers.functions import FUNCTIONS

ROOT = Path(__file__).parents[2]
FAR = 1e6
_AT = np.array([-FAR, -1e3, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 6.0, 1e3, FAR])
GRID = np.unique(np.concatenate([np.linspace(-60, 60, 60_001), _AT, _AT - 1e-9, _AT + 1e-9]))
# required arguments of Keras's function
REQUIRED: dict[str, dict[str, float]] = {
    "threshold": {"threshold": 0.0, "default_value": 0.0},
    "clip": {"x_min": -1.0, "x_max": 2.0},
}
OF_A_UNIT = sorted(name for name, known in ROWS.items() if not known.couples_channels)
# what functions that are not activations state: those that compute integers or truths have no slope to check
OTHERS = sorted(name for name, known in FUNCTIONS.items() if known.image != (-INFINITY, INFINITY))


def values_of(name: str, points: np.ndarray, **arguments: Any) -> np.ndarray:
    function = keras.activations.get(name) if name in ROWS else getattr(ops, name)
    values = function(ops.convert_to_tensor(points, "float64"), **(REQUIRED.get(name, {}) | arguments))
    return np.asarray(values).astype(float)


def check(known: Activation, values: np.ndarray) -> None:
    """The range, the value at zero and the direction, from values on the grid."""
    low, high = known.image
    assert low <= values.min()
    assert values.max() <= high
    # no value on the grid is beyond the range, and the range is no wider than the values
    assert values.min() <= (low + 1e-5 if low > -INFINITY else -FAR / 100)
    assert values.max() >= (high - 1e-5 if high < INFINITY else FAR / 100)
    if known.at_zero is not None:
        assert values[GRID == 0][0] == pytest.approx(known.at_zero, abs=1e-7)
    assert known.rising == bool((np.diff(values) >= -1e-12).all())


@pytest.mark.parametrize("name", [n for n in OF_A_UNIT if n != "exponential"])
def test_range_value_at_zero_and_direction(name: str) -> None:
    check(ROWS[name], values_of(name, GRID))


def test_range_of_the_exponential() -> None:
    grid = GRID[np.abs(GRID) < 700]
    values = values_of("exponential", grid)
    assert values.min() >= 0
    assert values[grid == 0] == 1
    assert (np.diff(values) >= 0).all()


GIVEN: list[tuple[str, dict[str, Any]]] = [
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 3.0}),
    ("relu", {"negative_slope": 0.1, "max_value": 4.0, "threshold": 1.0}),
    ("relu", {"negative_slope": -0.5}),
    ("leaky_relu", {"negative_slope": 0.7}),
    ("leaky_relu", {"negative_slope": -0.7}),
    ("elu", {"alpha": 2.5}),
    ("elu", {"alpha": -2.5}),
    ("celu", {"alpha": 3.0}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 9.0}),
    ("hard_shrink", {"threshold": 2.0}),
    ("soft_shrink", {"threshold": 2.0}),
    ("threshold", {"threshold": 1.0, "default_value": -3.0}),
    ("threshold", {"threshold": 1.0, "default_value": 3.0}),
]


@pytest.mark.parametrize(("name", "arguments"), GIVEN, ids=str)
def test_facts_for_other_arguments(name: str, arguments: dict[str, Any]) -> None:
    given = ROWS[name].given
    assert given is not None
    check(given(**arguments), values_of(name, GRID, **arguments))


def test_every_function_with_arguments_is_checked_for_others() -> None:
    assert {name for name, known in ROWS.items() if known.given} == {name for name, _ in GIVEN}


@pytest.mark.parametrize("name", OTHERS)
def test_ranges_of_functions_that_are_not_activations(name: str) -> None:
    known = FUNCTIONS[name]
    grid = GRID[np.abs(GRID) < 700]
    with np.errstate(all="ignore"):
        values = values_of(name, grid)
    values = values[np.isfinite(values)]
    assert known.image[0] <= values.min()
    assert values.max() <= known.image[1]
    if known.at_zero is not None and name != "clip":
        assert values_of(name, np.zeros(1))[0] == pytest.approx(known.at_zero, abs=1e-7)
    assert not known.rising or (np.diff(values) >= -1e-12).all()


# -- names ----------------------------------------------------------------------------------------
def test_there_is_a_row_for_every_activation_of_keras() -> None:
    assert set(of_keras.ALL_OBJECTS_DICT) <= set(ACTIVATIONS)
    assert {a: n for n, known in ROWS.items() for a in known.aliases} == {
        a: keras.activations.get(a).__name__ for a in ACTIVATIONS if a not in (*ROWS, FOREIGN)
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_operations_and_their_arguments(name: str) -> None:
    known, function = ROWS[name], getattr(ops, name, None)
    assert known.operation == (function is not None)
    if function is not None and not known.couples_channels:
        _, *others = inspect.signature(function).parameters.values()
        defaults = {p.name: None if p.default is p.empty else p.default for p in others}
        assert known.arguments == defaults


@pytest.mark.parametrize("name", sorted(n for n, known in ROWS.items() if known.layer))
def test_a_layer_computes_the_same(name: str) -> None:
    kind, arguments = ROWS[name].layer or ("", {})
    x = ops.convert_to_tensor(np.linspace(-9, 9, 36).reshape(4, 9), "float64")
    layer = getattr(keras.layers, kind)(**arguments, dtype="float64")
    assert np.allclose(np.asarray(layer(x)), np.asarray(keras.activations.get(name)(x)), atol=1e-7)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_what_couples_the_last_axis_and_what_keeps_integers(name: str) -> None:
    function, arguments = keras.activations.get(name), REQUIRED.get(name, {})
    x = np.random.default_rng(0).normal(size=(20, 6))
    a, b = (np.asarray(function(ops.convert_to_tensor(v), **arguments)) for v in (x, x + 0.5 * np.eye(6)[5]))
    assert ROWS[name].couples_channels == bool(a.shape != x.shape or np.abs(a - b)[:, :-1].max() > 1e-9)
    try:
        kept = "int" in str(function(ops.convert_to_tensor([[1, 2, 3, 4]], "int32"), **arguments).dtype)
    except Exception:  # TensorFlow has no kernel for integers, so that Keras converts them before
        kept = False
    assert not ROWS[name].keeps_integers or kept


def test_no_activation_is_missing_in_conventions() -> None:
    assert {*ACTIVATION_FLOPS, *NOT_COUNTED} == set(ROWS)
    assert not {*ACTIVATION_FLOPS} & {*NOT_COUNTED}
    torch = torch_counterparts
    assert {*torch.ACTIVATIONS, *torch.NO_MODULE, "linear"} == set(ROWS)
    assert not {*torch.ACTIVATIONS} & {*torch.NO_MODULE}


# -- a new row --------------------------------------------------------------------------------------
# half a tanh, of which tf_keras and Keras know nothing
NEW = """
import json
from archcalc.layers import activations as a
a.ROWS["half_tanh"] = a.ACTIVATIONS["half_tanh"] = a.ACTIVATIONS["semitanh"] = a.Activation(
    (0.0, 0.5),
    lambda m, x: m.tanh(x) / 2,
    lambda m, x: m.tanh_slope(x) / 2,
    image=(-0.5, 0.5),
    rising=True,
    saved=a.SavedByActivation(output=True),
    aliases=("semitanh",),
)
a._NAMES["semitanh"] = "half_tanh"
from archcalc.layers import homes  # as scripts.type_homes writes it
homes.OPERATIONS["ops.half_tanh"] = ("elementwise", "HalfTanh")

from archcalc.analyze import analyze
from archcalc.readers import load
from archcalc.readers.schema import schema
def report(kind, name=None, **options):
    layers = [
        {"name": "d", "type": "Dense", "units": 64, "kernel_initializer": "lecun_normal"},
        {"name": "f", "type": kind, "activation": name} if name else {"name": "f", "type": kind},
        {"name": "e", "type": "Dense", "units": 1},
    ]
    return analyze(load({"archcalc": 1, "inputs": {"x": [64]}, "layers": layers}), **options)

def facts(kind, name=None):
    row = report(kind, name, gradients=True).layers["d"]
    rows = {r["name"]: r for r in report(kind, name, gradients=True).to_dict()["layers"]}
    return {
        "ops": rows["f"]["elementwise_operations"],
        "gradient": [rows["d"]["gradient"][k] for k in ("upper_log10", "expected_log10")],
        "bytes": report(kind, name, batch=3).totals.training_activation_bytes,
    }

from archcalc.analyses.gradient_bounds.value_ranges import Interval, image
print(json.dumps({
    "half": facts("Activation", "half_tanh"), "alias": facts("Activation", "semitanh"),
    "operation": facts("ops.half_tanh"), "whole": facts("Activation", "tanh"),
    "range": image("half_tanh", {}, Interval(-1, 1)),
    "schema": json.dumps(schema()).count('"half_tanh"'),
}))
"""


def test_a_new_activation_is_its_row() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEW],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    half, whole = out["half"], out["whole"]
    assert half == out["alias"] == out["operation"]
    assert half["ops"] == 64
    # its slope is half that of tanh
    for a, b in zip(half["gradient"], whole["gradient"], strict=True):
        assert a == pytest.approx(b - np.log10(2), abs=1e-6)
    assert half["bytes"] == whole["bytes"]
    assert out["range"] == pytest.approx([-np.tanh(1) / 2, np.tanh(1) / 2])
    assert out["schema"] > 0
