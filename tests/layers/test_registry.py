"""The table of the modules that declare the types, and that a type's module alone is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archcalc.layers.base import Layer, layer
from archcalc.layers.homes import LAYERS
from archcalc.layers.registry import keras_operation, layer_type, operation_type, register_layer

ROOT = Path(__file__).parents[2]


def fresh(code: str) -> str:
    """What a fresh process prints."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_the_table_names_the_modules_that_declare_the_types() -> None:
    """Where it does not: `python -m scripts.type_homes`."""
    code = "from scripts import type_homes as t; print(t.HOMES.read_text() == t.text())"
    assert fresh(code).strip() == "True"


def test_only_the_family_of_a_type_is_imported() -> None:
    code = (
        "import sys; from archcalc.layers.registry import layer_type; layer_type('Flatten');"
        "print(*(m for m in sys.modules if m.startswith('archcalc.layers.')))"
    )
    modules = {name.removeprefix("archcalc.layers.") for name in fresh(code).split()}
    assert "reshaping" in modules
    assert not modules & ({*LAYERS.values()} - {"reshaping"})


def test_by_name() -> None:
    dense, add, square = layer_type("Dense"), operation_type("ops.add"), keras_operation("Square")
    assert [getattr(t, "__name__", None) for t in (dense, add, square)] == ["Dense", "ops.add", "ops.square"]
    assert layer_type("ops.add") is operation_type("Dense") is keras_operation("Dense") is None


def test_a_name_belongs_to_one_type() -> None:
    rules = dict.fromkeys(Layer.__abstractmethods__)
    with pytest.raises(TypeError, match="archcalc has a layer type 'Dense' of its own"):
        layer(type("Dense", (Layer,), {"__module__": "other", **rules}))
    assert getattr(layer_type("Dense"), "__module__", None) == "archcalc.layers.core"


def test_a_type_without_its_rules() -> None:
    with pytest.raises(TypeError, match="Bare lacks elementwise_ops, macs, output_shape"):
        register_layer(type("Bare", (Layer,), {}))


def test_a_keras_class_of_another_name() -> None:
    rules = {**dict.fromkeys(Layer.__abstractmethods__), "keras_class": "pkg:Other"}
    with pytest.raises(TypeError, match=r"expected 'package\.module:Named'"):
        layer(type("Named", (Layer,), rules))
