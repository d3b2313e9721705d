"""No gradient bound of a drawn network is below the Jacobian of the real model.

`python -m scripts.gradient_soundness` does the same with thousands.
"""

from __future__ import annotations

import pytest

from scripts.gradient_soundness import Tally, check, drawn
from tests.analyses.gradient_bounds.networks import inception, mobile_block

pytestmark = pytest.mark.usefixtures("double_precision")


def test_drawn_networks() -> None:
    tally = drawn(seed=11, count=6)
    assert tally.violations == []
    assert tally.measured >= 3
    assert tally.finite["tight"] > 10


@pytest.mark.parametrize("network", [inception, mobile_block])
def test_named_networks(network: object) -> None:
    tally = Tally()
    check(tally, network(), 3, ("symbolic", "tight"))  # type: ignore[operator]
    assert tally.measured == 1
    assert tally.violations == []
    assert tally.finite["tight"] == tally.compared["tight"]


def test_a_bound_that_is_too_small_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from archcalc.analyses.gradient_bounds import primitive_bounds
    from archcalc.analyses.gradient_bounds.terms import number, times

    real = primitive_bounds.linear
    monkeypatch.setattr(primitive_bounds, "linear", lambda *a: times(real(*a), number(0.05)))
    tally = Tally()
    check(tally, inception(), 3, ("tight",))
    assert tally.violations


@pytest.mark.slow
def test_many_drawn_networks() -> None:
    tally = drawn(seed=12, count=150)
    assert tally.violations == []
    assert tally.finite["tight"] >= 0.95 * tally.compared["tight"]
