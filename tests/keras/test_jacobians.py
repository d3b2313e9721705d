"""Compares Jacobians of the real model with their bounds, and lower estimates with their norms."""

from __future__ import annotations

import numpy as np
import pytest

from archcalc.analyses.gradient_bounds import primitive_bounds
from archcalc.analyses.gradient_bounds.terms import number, times
from archcalc.keras.build import build
from archcalc.keras.jacobians import draw_weights, jacobian_norms, random_inputs
from archcalc.keras.lanczos import bidiagonal, norm_from_below
from archcalc.report.verification import CANNOT_RUN, JACOBIAN, JACOBIAN_FROM_BELOW
from archcalc.verification import jacobians
from archcalc.verification.verify import verify
from tests.analyses.gradient_bounds.networks import Wiring, inception
from tests.analyses.mean_field.stacks import plain


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (1, 9), (9, 1)])
def test_a_bidiagonal_matrix_has_the_norm_after_all_steps_and_less_before(shape: tuple[int, int]) -> None:
    a = np.random.default_rng(0).standard_normal(shape)
    exact = float(np.linalg.norm(a, 2))
    norms = [bidiagonal(lambda v: a @ v, lambda u: a.T @ u, shape[0], k) for k in range(1, min(shape) + 1)]
    assert np.diff(norms).min(initial=0.0) >= -1e-12
    assert max(norms) <= exact * (1 + 1e-12)
    assert norms[-1] == pytest.approx(exact, rel=1e-9)


def test_a_matrix_of_zeros_has_no_norm() -> None:
    assert bidiagonal(lambda _: np.zeros(4), lambda _: np.zeros(3), 4, 3) == 0.0


def test_a_tiny_matrix_is_no_zero() -> None:
    a = 1e-100 * np.random.default_rng(0).standard_normal((5, 4))
    norm = bidiagonal(lambda v: a @ v, lambda u: a.T @ u, 5, 4)
    assert norm == pytest.approx(float(np.linalg.norm(a, 2)), rel=1e-9, abs=0.0)


def test_the_norm_from_below_is_that_of_the_whole_jacobian() -> None:
    built = build(inception())
    draw_weights(built, 1)
    inputs = random_inputs(built, 0)
    exact = jacobian_norms(built, inputs)
    for i in (0, 3, len(exact) - 1):
        norm = norm_from_below(built, inputs, i, steps=10)
        # all ten directions of the output
        assert norm == pytest.approx(exact[i], rel=1e-4)
        assert norm_from_below(built, inputs, i, steps=2) <= norm * (1 + 1e-5)


@pytest.mark.parametrize(("units", "what"), [(256, JACOBIAN), (1, JACOBIAN_FROM_BELOW)])
def test_verify_holds_jacobians_to_their_bounds(
    units: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jacobians, "UNITS", units)
    checks = verify(plain("tanh", "glorot_uniform", 3, 24), gradients=1).by_what()[what]
    assert {c.layer for c in checks} >= {"input", "h0"}
    assert all(c.verdict == "agrees" and c.measured <= c.predicted + 1e-4 for c in checks)


def test_verify_notices_a_bound_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    real = primitive_bounds.linear
    monkeypatch.setattr(primitive_bounds, "linear", lambda *a: times(real(*a), number(0.01)))
    result = verify(plain("tanh", "glorot_uniform", 3, 24), gradients=1)
    assert {c.layer for c in result.differences if c.what == JACOBIAN} == {"input", "h0", "h1"}


def test_verify_says_where_there_is_no_bound() -> None:
    net = Wiring(4, 3)
    net("attend", "Attention", "x", "x")
    check, *_ = verify(net.graph("open"), gradients=1).by_what()[JACOBIAN]
    assert check.layer == "x"
    assert check.verdict == CANNOT_RUN
    assert check.reason.startswith("no bound: attend: attention")
