"""What every layer type says about its primitives: each weight named once, several inputs joined first."""

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
    """Every cell of the grid that the declaration accepts."""
    for cell in contract.cells(registered()[name], varied(name)):
        try:
            layer = declared(registered()[name], cell.arguments)
            layer.output_shape(*cell.inputs)
            layer.weights(*cell.inputs)
        except LayerError:
            continue
        yield layer, cell.inputs


def check(layer: Layer, inputs: tuple[Shape, ...]) -> None:
    found = layer.primitives(*inputs)
    assert all(isinstance(primitive, prim.Primitive) for primitive in found)  # type: ignore[arg-type]
    named = Counter(prim.weights_of(found))
    assert named == Counter(weight.name for weight in layer.weights(*inputs))
    if len(inputs) > 1:
        assert isinstance(found[0], prim.JOINING)
    assert not any(isinstance(primitive, prim.Merge) for primitive in found[1:])


@pytest.mark.parametrize("name", REAL_TYPES)
def test_stages_name_each_weight_and_join_several_inputs(name: str) -> None:
    cells = list(accepted(name))
    assert cells
    for layer, inputs in cells:
        check(layer, inputs)


@pytest.mark.parametrize("name", REAL_TYPES)
def test_stages_of_symbolic_sizes_are_those_of_integers(name: str) -> None:
    for layer, inputs in list(accepted(name))[:6]:
        twins = tuple(
            tuple(n if n == 1 else symbol(f"s{i}{j}") for j, n in enumerate(s)) for i, s in enumerate(inputs)
        )
        with arith.scope():
            try:
                found = layer.primitives(*twins)
            except LayerError:  # sizes that must be equal, and are different symbols
                continue
        kinds = [type(primitive) for primitive in found]
        assert kinds == [type(primitive) for primitive in layer.primitives(*inputs)]


@pytest.mark.parametrize("case", [c for c in CASES if c.single], ids=label)
def test_stages_of_operations(case: Case) -> None:
    check(operation_of(case), inputs_of(case))
