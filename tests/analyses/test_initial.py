"""Moments of initial weights against samples of Keras's initialisers."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from archcalc.analyses.initial import draw, identity_gain


def variance_scaling(**config: Any) -> dict[str, Any]:
    return {"class_name": "VarianceScaling", "config": {"scale": 2.0, **config}}


CASES: list[tuple[Any, tuple[int, ...]]] = [
    ("glorot_uniform", (3, 3, 64, 1)),  # depthwise: fan_in counts all channels
    ("he_normal", (3, 3, 16, 32)),
    ("lecun_uniform", (100, 200)),
    ("truncated_normal", (200, 200)),
    ("random_uniform", (200, 200)),
    ("orthogonal", (100, 40)),
    ("orthogonal", (3, 3, 60, 200)),
    ({"class_name": "Orthogonal", "config": {"gain": 2.5}}, (40, 100)),
    ({"class_name": "TruncatedNormal", "config": {"mean": 0.1, "stddev": 0.2}}, (200, 200)),
    (variance_scaling(input_axes=[0, 1], output_axes=[2]), (5, 6, 40)),
    (variance_scaling(mode="fan_out", input_axes=[2], output_axes=[0, 1]), (5, 6, 40)),
    (variance_scaling(distribution="untruncated_normal"), (200, 200)),
    ({"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}, (3, 3, 16, 32)),
    ({"class_name": "RandomNormal", "config": {"mean": 0.3, "stddev": 0.2}}, (200, 200)),
    ({"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 0.2}}, (200, 200)),
    ({"class_name": "Constant", "config": {"value": 0.7}}, (20, 20)),
    ("zeros", (20, 20)),
    (None, (20, 20)),
]


@pytest.mark.parametrize(("initializer", "shape"), CASES, ids=str)
def test_draws_are_those_of_keras(initializer: Any, shape: tuple[int, ...]) -> None:
    distribution = draw(initializer, shape)
    assert distribution is not None
    keras.utils.set_random_seed(0)
    of_keras = keras.initializers.get(initializer if initializer is not None else "zeros")
    sample = np.asarray(of_keras(shape), np.float64)
    error = 6 / math.sqrt(sample.size)
    assert sample.mean() == pytest.approx(distribution.mean, abs=error * sample.std() + 1e-7)
    assert sample.var() == pytest.approx(distribution.variance, rel=error, abs=1e-12)
    if distribution.variance and not distribution.orthogonal:
        centred = sample - sample.mean()
        kurtosis = (centred**4).mean() / (centred**2).mean() ** 2
        assert kurtosis == pytest.approx(distribution.kurtosis, rel=3 * error)


def test_the_identity_has_no_common_distribution_of_elements() -> None:
    assert draw("identity", (4, 4)) is None
    assert identity_gain("identity") == 1.0
    assert identity_gain("orthogonal") is None
