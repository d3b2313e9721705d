"""Norms of weights at initialisation against what Keras's initialisers draw."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.weight_norms import Expected
from archcalc.layers.base import Weight
from archcalc.layers.primitives import Convolve, Matrix, SlidingWindow

INITIALIZERS: list[Any] = [
    *(f"{name}_{law}" for name in ("glorot", "he", "lecun") for law in ("normal", "uniform")),
    *("random_normal", "random_uniform", "truncated_normal", "orthogonal", "ones"),
    keras.initializers.TruncatedNormal(mean=0.1, stddev=0.2),
    keras.initializers.RandomUniform(-0.3, 0.5),
    keras.initializers.Orthogonal(gain=2.5),
    keras.initializers.Constant(-0.3),
    keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal"),
]
CASES = [(i if isinstance(i, str) else keras.saving.serialize_keras_object(i)) for i in INITIALIZERS]


@pytest.fixture(autouse=True)
def the_same_draws() -> None:
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize("given", [*CASES, "identity"], ids=str)
def test_its_norm(given: Any) -> None:
    for primitive, shape in (
        (Matrix("w"), (300, 700)),
        (Convolve("w", (SlidingWindow(0, 9, 9, 3),) * 2, 2), (3, 3, 60, 200)),
    ):
        if given == "identity" and len(shape) > 2:
            continue
        drawn = np.asarray(keras.initializers.get(given)(shape)).reshape(-1, shape[-1])
        norm = Expected({"w": Weight("w", shape, initializer=given)}).spectral(primitive)
        assert norm is not None
        # sqrt(m) + sqrt(n) is the limit of large matrices, and a mean adds less the smaller the rest is
        assert 0.8 <= np.linalg.norm(drawn, 2) / norm <= 1.03


def test_the_norm_of_each_channel_of_its_own() -> None:
    primitive = Convolve("w", (SlidingWindow(0, 9, 9, 12),) * 2, 2, depthwise=True)
    shape = (12, 12, 3, 400)
    drawn = np.asarray(keras.initializers.get("glorot_uniform")(shape))
    largest = max(np.linalg.norm(drawn[:, :, c].reshape(144, 400), 2) for c in range(3))
    norm = Expected({"w": Weight("w", shape, initializer="glorot_uniform")}).spectral(primitive)
    assert largest == pytest.approx(norm, rel=0.03)
