"""Functions against Keras's, and their Gaussian moments against sums over a fine grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from archcalc.analyses.mean_field import gaussian
from archcalc.analyses.mean_field.functions import function
from archcalc.analyses.mean_field.gaussian import covariance, moments
from archcalc.analyses.mean_field.noise import digamma, trigamma
from archcalc.layers.activations import ACTIVATIONS, FOREIGN

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

POINTS = np.concatenate([np.linspace(-9.03, 9.01, 601), [-40.0, 40.0]])
ARGUMENTS: dict[str, dict[str, Any]] = {"threshold": {"threshold": 0.4, "default_value": -0.3}}
NAMED = [name for name, a in ACTIVATIONS.items() if not a.couples_channels and name != FOREIGN]


@pytest.mark.parametrize("name", NAMED)
def test_value_and_slope_are_those_of_keras(name: str) -> None:
    arguments = ARGUMENTS.get(name, {})
    phi = function(name, arguments)
    assert phi is not None
    x = tf.constant(POINTS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = getattr(keras.activations, name)(x, **arguments)
    # some of Keras's functions have float32 constants
    assert np.allclose(phi.value(POINTS), np.asarray(y), rtol=2e-6, atol=2e-7)
    assert np.allclose(phi.slope(POINTS), np.asarray(tape.gradient(y, x)), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("relu", {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.5}),
        ("elu", {"alpha": 0.7}),
        ("gelu", {"approximate": True}),
        ("squareplus", {"b": 9.0}),
        ("hard_shrink", {"threshold": 2.0}),
        ("soft_shrink", {"threshold": 2.0}),
        ("leaky_relu", {"negative_slope": -0.5}),
    ],
)
def test_arguments_of_layers(name: str, arguments: dict[str, float]) -> None:
    phi = function(name, arguments)
    assert phi is not None
    y = getattr(keras.activations, name)(tf.constant(POINTS), **arguments)
    assert np.allclose(phi.value(POINTS), np.asarray(y), atol=1e-6)


def test_unknown_function() -> None:
    assert function("softmax") is None
    assert function("relu", {"slope": 2}) is not None  # unknown arguments of relu are ignored


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "selu", "gelu", "hard_silu", "relu6"])
@pytest.mark.parametrize(("q", "ratio"), [(1.0, 0.0), (400.0, 0.5), (0.01, -0.3)])
def test_moments_are_sums_over_a_fine_grid(name: str, q: float, ratio: float) -> None:
    phi = function(name)
    assert phi is not None
    n = 2_000_000
    # midpoints, of which at most one is affected by a kink
    xi = (np.arange(n) + 0.5) / n * 24 - 12
    weight = np.exp(-xi * xi / 2) / math.sqrt(2 * math.pi) * 24 / n
    z = math.sqrt(q) * (ratio + math.sqrt(1 - ratio**2) * xi)
    y, d = phi.value(z), phi.slope(z)
    integrated = moments(phi, np.array([math.log(q)]), np.array([ratio]))
    square, slope = weight @ y**2, weight @ d**2
    wanted = {
        "square": math.log(square),
        "mean": weight @ y / math.sqrt(square),
        "slope": math.log(slope),
        "slope_mean": (weight @ d) ** 2 / slope,
        "kurtosis": weight @ y**4 / square**2,
        "slope_kurtosis": weight @ d**4 / slope**2,
        "output_slope_moment": weight @ (y**2 * d**2) / (square * slope),
        "input_slope_moment": weight @ (z**2 * d**2) / (q * slope),
    }
    for field, value in wanted.items():
        assert float(getattr(integrated, field)[0]) == pytest.approx(value, rel=3e-5, abs=3e-5), field


def test_moments_follow_power_laws_beyond_the_range_of_floats() -> None:
    phi = function("gelu")
    assert phi is not None
    extreme = moments(phi, np.array([-12000.0, 12000.0]), np.zeros(2))
    # gelu is x/2 near zero and a ReLU for large values
    assert extreme.square == pytest.approx([-12000 - math.log(4), 12000 - math.log(2)])
    assert extreme.slope == pytest.approx([-math.log(4), -math.log(2)])


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_covariance_of_relu_is_the_arc_cosine_kernel(rho: float) -> None:
    phi = function("relu")
    assert phi is not None
    # Cho & Saul 2009, over E relu^2 = 1/2
    exact = (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) / math.pi
    assert covariance(phi, 0.0, 0.0, rho) == pytest.approx(exact, rel=1e-5)


def test_gamma_functions() -> None:
    euler = 0.5772156649015329
    assert digamma(1.0) == pytest.approx(-euler, rel=1e-9)
    assert digamma(0.5) == pytest.approx(-euler - 2 * math.log(2), rel=1e-9)
    assert trigamma(1.0) == pytest.approx(math.pi**2 / 6, rel=1e-9)
    assert trigamma(0.5) == pytest.approx(math.pi**2 / 2, rel=1e-9)


@pytest.mark.parametrize(
    "name", ["silu", "gelu", "sigmoid", "tanh", "selu", "hard_silu", "relu6", "sin", "exp"]
)
def test_tabulated_moments_are_those_integrated(name: str) -> None:
    phi = function(name)
    assert phi is not None
    log_q = np.random.default_rng(0).uniform(-6, 6, 40)
    tabulated = gaussian.tabulated(phi, log_q)
    if name in ("sin", "exp"):
        assert tabulated is None  # not accurate far out: they are integrated
    else:
        assert tabulated is not None
        for a, b in zip(tabulated, gaussian._integrated(phi, log_q, np.zeros(40), None), strict=True):
            assert a == pytest.approx(b, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("name", ["relu", "selu", "elu", "hard_silu", "relu6", "soft_shrink", "silu"])
@pytest.mark.parametrize("correlation", [0.2, 0.9, 0.994, 1 - 1e-6])
def test_means_far_from_kinks_are_those_of_panels_between_them(name: str, correlation: float) -> None:
    """The trapezoid rule against Gauss-Legendre panels, beside the size of the function."""
    phi = function(name)
    assert phi is not None
    shared = math.sqrt(correlation) * np.linspace(-6, 6, 49)
    for log_q in (-8.0, -1.0, 0.0, 2.0, 8.0):
        q = 1 - correlation + shared**2
        log_inner, ratio = log_q + np.log(q), shared / np.sqrt(q)
        z, weight = gaussian._values(phi, log_inner, ratio)
        sizes = np.sqrt((phi.value(z) ** 2 * weight).sum(axis=1))
        differences = gaussian._means(phi, log_inner, ratio) - (phi.value(z) * weight).sum(axis=1)
        assert (np.abs(differences) <= 1e-11 * sizes).all()
