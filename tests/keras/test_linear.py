"""Compares layers of linear models with the Keras layers that they replace."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

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
    assert changed.compute_output_shape(x.shape) == real.compute_output_shape(x.shape)
    changed(x)
    changed.inner.set_weights([np.random.default_rng(1).standard_normal(w.shape) for w in real.get_weights()])
    real.set_weights(changed.inner.get_weights())
    np.testing.assert_allclose(changed(x), real(x), rtol=1e-12, atol=1e-12)
