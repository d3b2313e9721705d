"""Bounds of the gradients of losses against the gradients of extreme predictions."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.losses import LOSSES, loss_gradient
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
    gradient = loss_gradient(loss, primitives, shape, values, True)
    assert gradient is not None
    assert isinstance(gradient.size.log, float)
    return exp(gradient.size.log)


def test_the_error_of_a_softmax_is_at_most_the_square_root_of_two_and_comes_close() -> None:
    bound = size(None, softmax(5), (5,))
    assert bound == pytest.approx(2**0.5, rel=1e-12)
    logits = np.array([-20.0, 20.0, -30.0, -30.0, -30.0])
    p = np.exp(logits) / np.exp(logits).sum()
    error = float(np.linalg.norm(p - np.eye(5)[0]))
    assert bound * (1 - 1e-8) < error <= bound


def test_the_cross_entropy_is_a_mean_over_positions() -> None:
    primitives = (prim.Matrix("kernel"), prim.Softmax((1,), 4))
    assert size(None, primitives, (9, 4)) == pytest.approx(2**0.5 / 3, rel=1e-12)
    assert loss_gradient(None, primitives, (symbol("H"), 4), ANY, True).size.log == pytest.approx(
        np.log(2) / 2
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("primitives", "loss"), [(SIGMOID, LOSSES[2]), (SIGMOID, LOSSES[3]), (TANH, LOSSES[3])]
)
def test_losses_of_units_against_predictions_on_a_grid(primitives: prim.Primitives, loss: str) -> None:
    z = np.linspace(-40, 40, 80_001)
    value = 1 / (1 + np.exp(-z)) if primitives is SIGMOID else np.tanh(z)
    slope = value * (1 - value) if primitives is SIGMOID else 1 - value**2
    ends = (0.0, 1.0) if primitives is SIGMOID else (-1.0, 1.0)
    gradients = [
        (value - y) * (1.0 if loss == "binary_crossentropy" else 2 * slope) / 7
        for y in (*ends, sum(ends) / 2)
    ]
    # the same error in all seven units
    worst = max(float(np.abs(g).max()) for g in gradients) * 7**0.5
    bound = size(loss, primitives, (7,))
    assert worst <= bound
    assert bound == pytest.approx(worst, rel=1e-6)


def test_squares_vanish_where_the_sigmoid_saturates_and_the_cross_entropy_does_not() -> None:
    wrong = 1 - 1e-9  # the target is 0
    assert wrong * wrong * (1 - wrong) < 1e-8
    for loss, text in ((None, "not zero for any wrong answer"), (LOSSES[3], "zero where it saturates")):
        gradient = loss_gradient(loss, SIGMOID, (1,), UNIT, True)
        assert gradient is not None
        assert text in gradient.description


def test_squares_need_a_range() -> None:
    assert size(LOSSES[3], LINEAR, (4,), Interval(-1.0, 3.0)) == pytest.approx(2 * 4 * 4**-0.5, rel=1e-12)
    gradient = loss_gradient(LOSSES[3], LINEAR, (4,), ANY, True)
    assert gradient is not None
    assert gradient.size.unbounded


def test_an_output_that_other_layers_read_is_not_fused_with_the_loss() -> None:
    gradient = loss_gradient(None, SIGMOID, (1,), UNIT, False)
    assert gradient is not None
    assert gradient.size.unbounded
    assert not gradient.fused


def test_logits_have_a_cross_entropy_only_if_it_is_named() -> None:
    assert loss_gradient(None, LINEAR, (3,), ANY, True) is None
    gradient = loss_gradient("categorical_crossentropy", LINEAR, (3,), ANY, True)
    assert gradient is not None
    assert not gradient.fused
    assert exp(gradient.size.log) == pytest.approx(2**0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("loss", "primitives"), [("hinge", LINEAR), ("binary_crossentropy", TANH)])
def test_unknown_losses_and_losses_that_do_not_fit_are_refused(
    loss: str, primitives: prim.Primitives
) -> None:
    with pytest.raises(ArchcalcError, match=loss):
        loss_gradient(loss, primitives, (1,), ANY, True)
