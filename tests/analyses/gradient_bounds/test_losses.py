"""The largest gradients of losses against those of drawn and of extreme answers."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.losses import LOSSES, entry
from archcalc.analyses.gradient_bounds.value_ranges import ANY, UNIT, Interval
from archcalc.arith.symbolic import symbol
from archcalc.errors import ArchcalcError
from archcalc.layers import primitives as prim

SIGMOID = (prim.Matrix("kernel"), prim.Pointwise("sigmoid"))
TANH = (prim.Matrix("kernel"), prim.Pointwise("tanh"))
LINEAR = (prim.Matrix("kernel"),)


def softmax(classes: int) -> prim.Primitives:
    return (prim.Matrix("kernel"), prim.Softmax((0,), classes))


def size(
    loss: str | None, primitives: prim.Primitives, shape: tuple[int, ...], values: Interval = ANY
) -> float:
    found = entry(loss, primitives, shape, values, True)
    assert found is not None
    assert isinstance(found.size.log, float)
    return exp(found.size.log)


def test_the_error_of_a_softmax_is_at_most_the_root_of_two_and_comes_close() -> None:
    bound = size(None, softmax(5), (5,))
    assert bound == pytest.approx(2**0.5, rel=1e-12)
    logits = np.array([-20.0, 20.0, -30.0, -30.0, -30.0])
    p = np.exp(logits) / np.exp(logits).sum()
    error = float(np.linalg.norm(p - np.eye(5)[0]))
    assert bound * (1 - 1e-8) < error <= bound


def test_places_share_a_mean_of_cross_entropies() -> None:
    primitives = (prim.Matrix("kernel"), prim.Softmax((1,), 4))
    assert size(None, primitives, (9, 4)) == pytest.approx(2**0.5 / 3, rel=1e-12)
    assert entry(None, primitives, (symbol("H"), 4), ANY, True).size.log == pytest.approx(np.log(2) / 2)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("primitives", "loss"), [(SIGMOID, LOSSES[2]), (SIGMOID, LOSSES[3]), (TANH, LOSSES[3])]
)
def test_losses_of_units_against_every_answer_on_a_grid(primitives: prim.Primitives, loss: str) -> None:
    z = np.linspace(-40, 40, 80_001)
    value = 1 / (1 + np.exp(-z)) if primitives is SIGMOID else np.tanh(z)
    slope = value * (1 - value) if primitives is SIGMOID else 1 - value**2
    ends = (0.0, 1.0) if primitives is SIGMOID else (-1.0, 1.0)
    gradients = [
        (value - y) * (1.0 if loss == "binary_crossentropy" else 2 * slope) / 7
        for y in (*ends, sum(ends) / 2)
    ]
    # all seven units wrong in the same way
    worst = max(float(np.abs(g).max()) for g in gradients) * 7**0.5
    bound = size(loss, primitives, (7,))
    assert worst <= bound
    assert bound == pytest.approx(worst, rel=1e-6)


def test_squares_go_to_zero_where_the_sigmoid_saturates_and_the_cross_entropy_does_not() -> None:
    wrong = 1 - 1e-9  # where 0 is right
    assert wrong * wrong * (1 - wrong) < 1e-8
    for loss, words in ((None, "no wrong answer saturates"), (LOSSES[3], "zero where it saturates")):
        found = entry(loss, SIGMOID, (1,), UNIT, True)
        assert found is not None
        assert words in found.words


def test_squares_need_a_range() -> None:
    assert size(LOSSES[3], LINEAR, (4,), Interval(-1.0, 3.0)) == pytest.approx(2 * 4 * 4**-0.5, rel=1e-12)
    found = entry(LOSSES[3], LINEAR, (4,), ANY, True)
    assert found is not None
    assert found.size.unbounded


def test_an_output_that_others_read_keeps_its_last_function() -> None:
    found = entry(None, SIGMOID, (1,), UNIT, False)
    assert found is not None
    assert found.size.unbounded
    assert not found.fused


def test_logits_take_a_cross_entropy_that_is_asked_for() -> None:
    assert entry(None, LINEAR, (3,), ANY, True) is None
    found = entry("categorical_crossentropy", LINEAR, (3,), ANY, True)
    assert found is not None
    assert not found.fused
    assert exp(found.size.log) == pytest.approx(2**0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("loss", "primitives"), [("hinge", LINEAR), ("binary_crossentropy", TANH)])
def test_losses_that_are_not_known_or_do_not_fit_are_refused(loss: str, primitives: prim.Primitives) -> None:
    with pytest.raises(ArchcalcError, match=loss):
        entry(loss, primitives, (1,), ANY, True)
