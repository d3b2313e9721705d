"""A weight as a tensor: the layer of archcalc against its declaration, and weights of other layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import archcalc
from archcalc.errors import ArchcalcError, LayerError
from archcalc.keras import Parameter, from_keras, to_keras
from archcalc.layers.parameter import Parameter as Declared
from archcalc.report.verification import DIFFERS

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...] | None]] = [
    ((4,), None),
    ((4,), (1, 1, 4)),
    ((), (1,)),
    ((2, 3), (6,)),
]


@pytest.mark.parametrize(("shape", "target"), SHAPES)
def test_it_has_the_shape_and_weight_of_its_declaration(shape: Any, target: Any) -> None:
    declared = Declared(shape=shape, target_shape=target)
    layer = Parameter(shape, target)
    y = np.asarray(layer(np.ones((3, 5), "float32")))
    assert y.shape == (3, *declared.output_shape((5,)))
    assert [tuple(w.shape) for w in layer.weights] == [w.shape for w in declared.weights((5,))]
    assert (y == np.asarray(layer.value).reshape(y.shape[1:])).all()
    again = Parameter.from_config(layer.get_config())
    assert (again.shape, again.target_shape) == (layer.shape, layer.target_shape)


def test_a_target_of_other_size_is_refused() -> None:
    with pytest.raises(LayerError, match=r"target_shape \(5,\) does not hold the units of \(4,\)"):
        Declared(shape=(4,), target_shape=(5,)).output_shape((3,))


def test_a_live_model_with_it_is_read_and_verified() -> None:
    x = keras.Input((6, 4))
    model = keras.Model(x, x * Parameter((4,), (1, 4), name="gamma")(x))
    graph = from_keras(model)
    report = archcalc.analyze(graph)
    assert report.layers["gamma"].parameters == 4
    assert report.layers["gamma"].activation_bytes == 0
    assert report.layers["gamma"].receptive_field.size == (0,)
    assert not [c for c in archcalc.verify(graph).checks if c.verdict == DIFFERS]


SPEC: dict[str, Any] = {
    "archcalc": 1,
    "inputs": {"ids": {"shape": [6], "dtype": "int32"}},
    "layers": [
        {"name": "table", "type": "Embedding", "input_dim": 11, "output_dim": 4},
        {"name": "rows", "type": "Parameter", "shape": [11, 4], "shared_with": "table", "inputs": ["table"]},
        {"name": "head", "type": "ops.einsum", "subscripts": "btd,bvd->btv", "inputs": ["table", "rows"]},
    ],
}


def test_it_can_be_the_weight_of_another_layer() -> None:
    graph = archcalc.load(SPEC)
    report = archcalc.analyze(graph)
    assert report.totals.parameters == 44
    assert report.layers["rows"].shared_with == "table"
    assert archcalc.load(archcalc.to_spec(graph)).nodes[2].shared_with == 1
    assert to_keras(graph).count_params() == 44
    with pytest.raises(ArchcalcError, match=r"'rows' is a weight of 'table'"):
        archcalc.keras_code(graph)


def test_a_weight_of_another_shape_is_refused() -> None:
    layers = [SPEC["layers"][0], {**SPEC["layers"][1], "shape": [4, 11]}]
    with pytest.raises(ArchcalcError, match=r"shares the weights of 'table'"):
        archcalc.analyze(archcalc.load({**SPEC, "layers": layers})).totals.parameters  # noqa: B018


def test_an_owner_that_does_not_exist_is_named() -> None:
    layers = [SPEC["layers"][0], {**SPEC["layers"][1], "shared_with": "tabel"}]
    with pytest.raises(ArchcalcError, match=r"tabel"):
        archcalc.load({**SPEC, "layers": layers})
