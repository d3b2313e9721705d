"""Expected norms of initial weights against samples of Keras's initialisers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.weight_norms import ExpectedNorms
from archcalc.arith.symbolic import symbol
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
def fixed_seed() -> None:
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize("initializer", [*CASES, "identity"], ids=str)
def test_expected_norms(initializer: Any) -> None:
    for primitive, shape in (
        (Matrix("w"), (300, 700)),
        (Convolve("w", (SlidingWindow(0, 9, 9, 3),) * 2, 2), (3, 3, 60, 200)),
    ):
        if initializer == "identity" and len(shape) > 2:
            continue
        sample = np.asarray(keras.initializers.get(initializer)(shape)).reshape(-1, shape[-1])
        norm = ExpectedNorms({"w": Weight("w", shape, initializer=initializer)}).spectral(primitive)
        assert norm is not None
        # sqrt(m) + sqrt(n) is the limit of large matrices; a nonzero mean makes the bound looser
        assert 0.8 <= np.linalg.norm(sample, 2) / norm <= 1.03


def test_the_norm_of_a_depthwise_kernel_is_the_largest_over_channels() -> None:
    primitive = Convolve("w", (SlidingWindow(0, 9, 9, 12),) * 2, 2, depthwise=True)
    shape = (12, 12, 3, 400)
    sample = np.asarray(keras.initializers.get("glorot_uniform")(shape))
    largest = max(np.linalg.norm(sample[:, :, c].reshape(144, 400), 2) for c in range(3))
    norm = ExpectedNorms({"w": Weight("w", shape, initializer="glorot_uniform")}).spectral(primitive)
    assert largest == pytest.approx(norm, rel=0.03)


@pytest.mark.parametrize(
    ("initializer", "largest"), [("glorot_uniform", None), ("orthogonal", None), ("ones", 1.0)]
)
def test_weights_of_a_symbolic_size(initializer: str, largest: float | None) -> None:
    norms = ExpectedNorms({"w": Weight("w", (symbol("n"),), initializer=initializer)})
    assert norms.largest("w") == largest
