"""Every operation of `keras.ops` can be drawn."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from archcalc.errors import ArchcalcError
from archcalc.layers.registry import registered_operations
from archcalc.testing.operations import Case, _row, declared
from archcalc.testing.strategies import Net


@st.composite
def added(draw: st.DrawFn, name: str) -> bool:
    """Whether a drawn call of the operation fits a tensor of rank 3, or one of rank 2."""
    net = Net(draw)
    x = net.input(draw(st.sampled_from([(4, 4, 3), (4, 4)])))
    try:
        call = _row(name, registered_operations()[f"ops.{name}"])(Case(net, x))
        net.add(declared(name, **call.arguments), *call.tensors)
    except ArchcalcError:
        return False
    return True


@pytest.mark.parametrize("name", [kind.removeprefix("ops.") for kind in sorted(registered_operations())])
def test_an_operation_has_arguments_that_fit(name: str) -> None:
    # the first that fits is enough, so that it is not made smaller
    first = settings(
        max_examples=50, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    assert find(added(name), bool, settings=first)
