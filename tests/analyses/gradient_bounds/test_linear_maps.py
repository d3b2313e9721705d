"""Linear primitives as functions of arrays, against Keras layers with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.linear_maps import linear_map
from archcalc.analyses.gradient_bounds.spectral import ActualNorms
from archcalc.graph import Graph
from archcalc.keras.build import build
from archcalc.keras.jacobians import draw_weights, weights_by_name
from tests.networks import made

pytestmark = pytest.mark.usefixtures("double_precision")

IMAGE, SEQUENCE = (6, 5, 4), (7, 4)
LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Dense", {"units": 3}, IMAGE),
    ("Conv2D", {"filters": 3, "kernel_size": (3, 2), "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2, "dilation_rate": 2}, IMAGE),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal"}, SEQUENCE),
    ("DepthwiseConv2D", {"kernel_size": 2, "depth_multiplier": 2}, IMAGE),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2}, IMAGE),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2, "data_format": "channels_first"}, (4, 6, 5)),
    ("LocallyConnected1D", {"filters": 3, "kernel_size": 2, "strides": 2}, SEQUENCE),
    ("EinsumDense", {"equation": "abc,cd->abd", "partial_shape": [None, 3]}, (5, 4)),
    ("BatchNormalization", {}, IMAGE),
    ("AveragePooling2D", {"pool_size": 2, "padding": "same"}, IMAGE),
    ("UpSampling2D", {"interpolation": "bilinear"}, IMAGE),
    ("ZeroPadding2D", {"padding": [[1, 2], [0, 1]]}, IMAGE),
    ("Permute", {"dims": [3, 1, 2]}, IMAGE),
]


@pytest.mark.parametrize(("kind", "arguments", "shape"), LAYERS, ids=[k for k, *_ in LAYERS])
def test_the_map_of_a_layer(kind: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    layer = made(kind, **arguments)
    graph = Graph.of("one", [("x", made("InputLayer", shape=shape), []), ("y", layer, ["x"])], ["y"])
    built = build(graph)
    draw_weights(built, 3)
    norms = ActualNorms(weights_by_name(built).get("y", {}))
    x = np.random.default_rng(0).standard_normal((2, *shape))
    mapped = x
    for primitive in layer.primitives(shape):
        apply = linear_map(primitive, norms)
        assert apply is not None
        mapped = apply(mapped)
    real, at_zero = (np.asarray(built.model(v)) for v in (x, np.zeros_like(x)))
    rounding = 1e-5 if kind == "UpSampling2D" else 1e-9  # TensorFlow interpolates in single precision
    np.testing.assert_allclose(mapped, real - at_zero, rtol=rounding, atol=rounding)  # maps have no bias
