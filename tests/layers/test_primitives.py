"""Primitives of every layer type name each weight once and combine several inputs first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from archcalc import arith
from archcalc.arith.symbolic import symbol
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from tests import contract
from tests.layers.test_operations import CASES, Case, inputs_of, label, operation_of
from tests.test_contract import REAL_TYPES, Shape, declared, varied


def accepted(name: str) -> Iterator[tuple[Layer, tuple[Shape, ...]]]:
    """The layer and inputs of every valid cell of the grid."""
    for cell in contract.cells(registered()[name], varied(name)):
        try:
            layer = declared(registered()[name], cell.arguments)
            layer.output_shape(*cell.inputs)
            layer.weights(*cell.inputs)
        except LayerError:
            continue
        yield layer, cell.inputs


def check(layer: Layer, inputs: tuple[Shape, ...]) -> None:
    primitives = layer.primitives(*inputs)
    assert all(isinstance(primitive, prim.Primitive) for primitive in primitives)  # type: ignore[arg-type]
    named = Counter(prim.weights_of(primitives))
    assert named == Counter(weight.name for weight in layer.weights(*inputs))
    if len(inputs) > 1:
        assert isinstance(primitives[0], prim.MULTI_INPUT)
    assert not any(isinstance(primitive, prim.Merge) for primitive in primitives[1:])


@pytest.mark.parametrize("name", REAL_TYPES)
def test_primitives_name_each_weight_and_combine_several_inputs(name: str) -> None:
    cells = list(accepted(name))
    assert cells
    for layer, inputs in cells:
        check(layer, inputs)


@pytest.mark.parametrize("name", REAL_TYPES)
def test_primitives_of_symbolic_sizes_are_those_of_integers(name: str) -> None:
    for layer, inputs in list(accepted(name))[:6]:
        twins = tuple(
            tuple(n if n == 1 else symbol(f"s{i}{j}") for j, n in enumerate(s)) for i, s in enumerate(inputs)
        )
        with arith.scope():
            try:
                primitives = layer.primitives(*twins)
            except LayerError:  # sizes that must be equal are different symbols
                continue
        kinds = [type(primitive) for primitive in primitives]
        assert kinds == [type(primitive) for primitive in layer.primitives(*inputs)]


@pytest.mark.parametrize("case", [c for c in CASES if c.single], ids=label)
def test_primitives_of_operations(case: Case) -> None:
    check(operation_of(case), inputs_of(case))
