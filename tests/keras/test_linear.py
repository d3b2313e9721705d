"""Compares layers of linear models with the Keras layers that they replace."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archcalc.keras.linear import linear
from archcalc.keras.linear_layers import InGroups


@pytest.mark.parametrize(
    ("rank", "channels", "arguments"),
    [
        (1, 4, {"groups": 4, "padding": "causal"}),
        (1, 4, {"groups": 2, "padding": "same", "dilation_rate": 2}),
        (2, 4, {"groups": 4, "padding": "same"}),
        (2, 4, {"groups": 4, "strides": 2, "padding": "same", "use_bias": False}),
        (2, 4, {"groups": 4, "strides": (1, 2)}),
        (2, 4, {"groups": 4, "dilation_rate": 2}),
        (2, 6, {"groups": 3, "strides": 2}),
        (3, 4, {"groups": 4, "padding": "same"}),
    ],
)
def test_convolutions_in_groups(rank: int, channels: int, arguments: dict[str, Any]) -> None:
    real = getattr(keras.layers, f"Conv{rank}D")(12, 3, dtype="float64", **arguments)
    x = np.random.default_rng(0).standard_normal((2, *(9, 8, 7)[:rank], channels))
    real(x)
    changed = linear(real)
    assert isinstance(changed, InGroups)
    changed(x)
    changed.inner.set_weights([np.random.default_rng(1).standard_normal(w.shape) for w in real.get_weights()])
    real.set_weights(changed.inner.get_weights())
    np.testing.assert_allclose(changed(x), real(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalisation_multiplies_each_unit_by_a_number(axis: int) -> None:
    """Which is why it is the identity in the linear model."""
    x = tf.constant(np.random.default_rng(0).standard_normal((1, 3, 4, 5)))
    real = keras.layers.BatchNormalization(axis, dtype="float64")
    real(x)
    random = np.random.default_rng(1)
    real.set_weights([random.uniform(0.5, 2, w.shape) for w in real.get_weights()])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reshape(real(x, training=False), (-1,))
    jacobian = np.asarray(tape.jacobian(y, x)).reshape(60, 60)
    assert np.array_equal(jacobian > 0, np.eye(60, dtype=bool))
    assert np.array_equal(jacobian != 0, np.eye(60, dtype=bool))
    assert linear(real)(x) is x
