"""The formulas that `archcalc layers` prints, evaluated at numbers, against layers that Keras builds."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc.arith import substitute
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.layers.registry import registered
from archcalc.report import catalogue
from archcalc.report.catalogue import Entry

VALUES = {
    "C": 4,
    "H": 7,
    "W": 6,
    "D": 5,
    "T": 8,
    "filters": 6,
    "kernel_size": 3,
    "groups": 2,
    "depth_multiplier": 2,
    "units": 5,
    "input_dim": 11,
    "output_dim": 3,
    "n": 3,
    "num_heads": 2,
    "key_dim": 3,
    "head_dim": 3,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
}
ENTRIES = {e.name: e for e in catalogue.entries()}
# of layers that users construct; two more live inside keras.applications
WITH_FORMULA = [
    n
    for n, e in ENTRIES.items()
    if isinstance(e.parameters, Expr) and not registered()[n].keras_class.startswith("keras.src")
    if registered()[n].keras_class  # Keras 3 has it
    if n != "Parameter"  # its count is that of the stated shape (tests/keras/test_parameter.py)
]


def at(x: Any) -> Any:
    return substitute(x, VALUES)


def arguments(e: Entry) -> dict[str, Any]:
    inside = {
        "cells": [{"type": "GRUCell", "units": 5}],
        "cell": {"type": "GRUCell", "units": 5},
        "layer": {"type": "Dense" if e.name == "SpectralNormalization" else "GRU", "units": 5},
        "equation": "...x,xy->...y",
        "output_shape": 5,
    }
    if e.name == "MultiHeadAttention":
        del inside["output_shape"]
    field = registered()[e.name].spec_names
    values = {**VALUES, **inside}
    return {field.get(a.name, a.name): values[a.name] for a in e.arguments if a.name in values}


def test_every_type_is_listed_with_a_summary() -> None:
    assert set(ENTRIES) == set(registered())
    for e in ENTRIES.values():
        assert e.summary.endswith((".", ".)")) or e.summary, e.name
        assert "\n" not in e.summary


def test_every_type_has_formulas() -> None:
    assert not {n for n, e in ENTRIES.items() if e.parameters is None}
    assert {n for n, e in ENTRIES.items() if isinstance(e.parameters, Unknown)} == {"Opaque"}


@pytest.mark.parametrize("name", WITH_FORMULA)
def test_parameters_are_those_of_keras(name: str) -> None:
    import keras

    from archcalc.keras.build import keras_layer
    from archcalc.keras.calls import call

    e = ENTRIES[name]
    assert e.input_shapes is not None
    declared = registered()[name](**arguments(e))
    layer = keras_layer(declared)
    inputs = [keras.Input(tuple(int(at(s)) for s in shape)) for shape in e.input_shapes]
    out = call(layer, inputs, declared)[0]
    assert layer.count_params() == at(e.parameters)
    assert tuple(out.shape[1:]) == tuple(at(s) for s in e.output_shape or ())


def test_formulas_read_as_the_literature_has_them() -> None:
    assert str(ENTRIES["Conv2D"].parameters) == "C*filters*kernel_size**2/groups + filters"
    assert str(ENTRIES["Conv2D"].macs) == "C*H*W*filters*kernel_size**2/groups"
    assert str(ENTRIES["LocallyConnected2D"].parameters) == "C*H*W*filters*kernel_size**2 + H*W*filters"
    assert str(ENTRIES["Dense"].parameters) == "C*units + units"
    assert str(ENTRIES["BatchNormalization"].parameters) == "4*C"


def test_arguments_are_keras_s_with_their_defaults() -> None:
    taken = {a.name: a for a in ENTRIES["Conv2D"].arguments}
    assert taken["filters"].required
    assert taken["strides"].default == 1
    assert taken["strides"].figures
    assert not taken["kernel_regularizer"].figures
